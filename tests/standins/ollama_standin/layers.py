# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The layers and the config of a model that a create makes."""

from __future__ import annotations

import json
import pathlib
import re
import typing as t

from .gguf import Header, read_header
from .gojson import dump, sorted_dump
from .manifest import CONFIG_TYPE, LAYER_TYPE, Blob
from .reply import ApiError
from .store import Store, StoreError

Body = dict[str, t.Any]
MODEL, ADAPTER, TEMPLATE, SYSTEM, LICENSE, PARAMS, MESSAGES = (
    LAYER_TYPE + kind for kind in ("model", "adapter", "template", "system", "license", "params", "messages")
)


class Layer(t.NamedTuple):
    blob: Blob
    status: str

    @property
    def media_type(self) -> str:
        return self.blob["mediaType"]


class LayerMaker:
    def __init__(self, store: Store) -> None:
        self.store = store

    def completed(self, layers: list[Layer], body: Body) -> list[Layer]:
        """What the request sets takes the place of what the base has; licences and parameters are added to it."""
        if body.get("template"):
            _check_template(body["template"])
        for kind, field in ((TEMPLATE, "template"), (SYSTEM, "system")):
            if body.get(field):
                layers = [layer for layer in layers if layer.media_type != kind]
                layers.append(self.made(kind, body[field].encode()))
        layers += [self.made(LICENSE, text.encode()) for text in _licenses(body.get("license"))]
        parameters = dict(body.get("parameters") or {})
        for layer in layers:
            if layer.media_type == PARAMS:
                parameters = {**json.loads(self.path(layer).read_bytes()), **parameters}
        if parameters:
            layers = [layer for layer in layers if layer.media_type != PARAMS]
            layers.append(self.made(PARAMS, sorted_dump(parameters) + b"\n"))
        if body.get("messages"):
            messages = [
                {"role": str(message.get("role", "")).lower(), "content": message.get("content", "")}
                for message in body["messages"]
            ]
            layers = [layer for layer in layers if layer.media_type != MESSAGES]
            layers.append(self.made(MESSAGES, dump(messages) + b"\n"))
        return layers

    def config(self, layers: list[Layer], config: Body) -> Blob:
        weights = [layer for layer in layers if layer.media_type == MODEL]
        header = self.header(weights[0]) if weights else None
        family = header.metadata.get("general.architecture", "") if header else ""
        content = {
            "model_format": config.get("model_format") or ("gguf" if header else ""),
            "model_family": family,
            "model_families": [family] * len(weights) or None,
            "model_type": _human(header.parameter_count) if header else "",
            "file_type": header.file_type if header else "",
            **{key: config[key] for key in ("renderer", "parser", "requires", "capabilities") if config.get(key)},
            "architecture": "amd64",
            "os": "linux",
        }
        return self.made(CONFIG_TYPE, dump(content) + b"\n").blob

    def made(self, media_type: str, content: bytes) -> Layer:
        return Layer(*self.store.new_layer(media_type, [content]))

    def header(self, layer: Layer) -> Header:
        return read_header(str(self.path(layer)))

    def path(self, layer: Layer) -> pathlib.Path:
        return self.store.blob_path(layer.blob["digest"])


def _licenses(value: t.Any) -> list[str]:
    if isinstance(value, list) and all(isinstance(text, str) for text in value):
        return value
    if value is None or isinstance(value, str):
        return [value] if value else []
    kind = "number" if isinstance(value, (int, float)) else "object"
    raise StoreError(f"json: cannot unmarshal {kind} into Go value of type []string")


def _check_template(text: str) -> None:
    """Only the commonest mistakes.

    :raises ApiError: for a template that does not end
    """
    actions = re.findall(r"\{\{-?\s*(\w*)(?:[^{}]*?)-?\}\}", text)
    reason = ""
    if text.count("{{") != text.count("}}"):
        reason = "unclosed action"
    elif sum(word in ("if", "range", "with") for word in actions) > actions.count("end"):
        reason = "unexpected EOF"
    if reason:
        raise ApiError(400, f"template error: template: :{1 + text.count(chr(10))}: {reason}")


def _human(count: int) -> str:
    for size, unit, digits in ((10**9, "B", 1), (10**6, "M", 2), (10**3, "K", 0)):
        if count >= size:
            number = count / size
            return f"{number:.0f}{unit}" if number.is_integer() else f"{number:.{digits}f}{unit}"
    return str(count)
