# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``/api/tags`` and ``/api/show`` say of a stored model."""

from __future__ import annotations

import datetime
import json
import re
import typing as t

from .gguf import Header, read_header
from .gojson import literal, plain
from .manifest import Manifest
from .store import Store, StoreError

DEFAULT_TEMPLATE = "{{ .Prompt }}"


def timestamp(nanoseconds: int) -> str:
    """RFC 3339 with the fraction as short as it can be, as Go writes it."""
    seconds, fraction = divmod(nanoseconds, 10**9)
    text = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    digits = f"{fraction:09d}".rstrip("0")
    return f"{text}.{digits}Z" if digits else f"{text}Z"


class Model:
    """A manifest together with what its blobs say.

    :raises FileNotFoundError: when the config or the template is missing; missing weights leave ``header`` empty
    """

    def __init__(self, store: Store, manifest: Manifest) -> None:
        self.store = store
        self.manifest = manifest
        self.config: dict[str, t.Any] = json.loads(self._blob(manifest.config) or b"{}")
        self.weights = manifest.layer("model") or {}
        self.header: Header | None = None
        self.template = self._text("template") or DEFAULT_TEMPLATE
        try:
            if self.weights:
                self.header = read_header(str(store.blob_path(self.weights["digest"])))
        except (ValueError, FileNotFoundError):
            pass

    @property
    def details(self) -> dict[str, t.Any]:
        return {
            "parent_model": self.weights.get("from", ""),
            "format": self.config.get("model_format", ""),
            "family": self.config.get("model_family", ""),
            "families": self.config.get("model_families"),
            "parameter_size": self.config.get("model_type", ""),
            "quantization_level": self.config.get("file_type", ""),
        }

    @property
    def capabilities(self) -> list[str]:
        found = []
        if self.header:
            found.append("completion" if self.header.get("pooling_type") is None else "embedding")
        found += [name for name in self.config.get("capabilities") or [] if name not in found]
        for variable, capability in (("Tools", "tools"), ("Suffix", "insert")):
            if re.search(rf"\.{variable}\b", self.template) and capability not in found:
                found.append(capability)
        return found

    def listed(self) -> dict[str, t.Any]:
        details = {**self.details, "quantization_level": self._quantization()}
        for key in ("context_length", "embedding_length"):
            value = self.header.get(key) if self.header else None
            if value:
                details[key] = value
        name = self.manifest.name.short
        return {
            "name": name,
            "model": name,
            "modified_at": timestamp(self.manifest.modified_ns),
            "size": self.manifest.size,
            "digest": self.manifest.digest,
            "details": details,
            **({"capabilities": self.capabilities} if self.capabilities else {}),
        }

    def shown(self, verbose: bool) -> dict[str, t.Any]:
        """:raises FileNotFoundError: when the weights are missing; :raises StoreError: when they are cut"""
        if self.header is None:
            if self.weights and self.store.blob_path(self.weights["digest"]).exists():
                raise StoreError("unexpected EOF")
            raise FileNotFoundError
        metadata = {
            key: value if verbose or not isinstance(value, list) else None
            for key, value in sorted(self.header.metadata.items())
            if key not in ("general.name", "tokenizer.chat_template")
        }
        metadata["general.parameter_count"] = self.header.parameter_count
        optional = {
            "license": "\n".join(self._licenses()),
            "parameters": "\n".join(f"{key:<30} {literal(value)}" for key, value in self._pairs()),
            "system": self._text("system"),
            "messages": self._messages(),
            "requires": self.config.get("requires"),
        }
        return {
            **{key: value for key, value in optional.items() if value},
            "modelfile": self._modelfile(),
            "template": self.template,
            "details": {**self.details, "quantization_level": self._quantization()},
            "model_info": metadata,
            "tensors": self.header.tensors,
            "capabilities": self.capabilities,
            "modified_at": timestamp(self.manifest.modified_ns),
        }

    @property
    def parameters(self) -> dict[str, t.Any]:
        return json.loads(self._text("params") or "{}")

    def _modelfile(self) -> str:
        lines = [
            '# Modelfile generated by "ollama show"',
            "# To build a new Modelfile based on this, replace FROM with:",
            f"# FROM {self.manifest.name.short}",
            "",
            f"FROM {self.store.blob_path(self.weights['digest'])}",
        ]
        lines += [f"ADAPTER {self.store.blob_path(layer['digest'])}" for layer in self.manifest.layers_of("adapter")]
        lines.append(f"TEMPLATE {_quote(self.template)}")
        if self._text("system"):
            lines.append(f"SYSTEM {_quote(self._text('system'))}")
        lines += [f"{key.upper()} {self.config[key]}" for key in ("renderer", "parser") if self.config.get(key)]
        lines += [f"PARAMETER {key} {_quote(plain(value))}" for key, value in self._pairs()]
        lines += [f"LICENSE {_quote(text)}" for text in self._licenses()]
        lines += [f"MESSAGE {message['role']} {_quote(message['content'])}" for message in self._messages()]
        return "\n".join(lines) + "\n"

    def _quantization(self) -> str:
        """What the config does not know the file may tell."""
        told = self.config.get("file_type", "")
        if told in ("", "unknown") and self.header and self.header.file_type != "unknown":
            return self.header.file_type
        return told

    def _pairs(self) -> list[tuple[str, t.Any]]:
        """Parameters; one that is a list stands there once for each value."""
        lists = [(key, value if isinstance(value, list) else [value]) for key, value in self.parameters.items()]
        return [(key, value) for key, values in lists for value in values]

    def _licenses(self) -> list[str]:
        return [self._blob(layer).decode() for layer in self.manifest.layers_of("license")]

    def _messages(self) -> list[dict[str, str]]:
        messages = json.loads(self._text("messages") or "[]")
        return [{"role": message["role"], "content": message["content"]} for message in messages]

    def _text(self, kind: str) -> str:
        return self._blob(self.manifest.layer(kind) or {}).decode()

    def _blob(self, layer: dict[str, t.Any]) -> bytes:
        return self.store.blob_path(layer["digest"]).read_bytes() if layer.get("digest") else b""


def _quote(text: str) -> str:
    if "\n" in text or text != text.strip(" "):
        return f'"""{text}"""' if '"' in text else f'"{text}"'
    return text
