# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A manifest: what a model consists of."""

from __future__ import annotations

import hashlib
import json
import pathlib
import typing as t

from .gojson import dump
from .names import Name

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
LAYER_TYPE = "application/vnd.ollama.image."
# How much Go's decoder reads at first; then it doubles its buffer and adds this again.
READ_BYTES = 512

Blob = dict[str, t.Any]


class ManifestError(Exception):
    """A manifest file that is not one, in the words of the server."""


def parse_manifest(raw: bytes) -> tuple[list[Blob], Blob]:
    """The layers and the config. ``{}`` is a manifest, too.

    :raises ValueError: when it is not a JSON object
    """
    content, _length = _decode(raw)
    if not isinstance(content, dict):
        raise ValueError("json: cannot unmarshal the manifest")
    return content.get("layers") or [], content.get("config") or {}


def digest_of(raw: bytes) -> str:
    """Of what the server's decoder reads of a manifest: blanks far behind its end are not hashed."""
    _content, length = _decode(raw)
    read = READ_BYTES
    while read < length:
        read = 2 * read + READ_BYTES
    return hashlib.sha256(raw[:read]).hexdigest()


def blobs_of(layers: list[Blob], config: Blob) -> list[str]:
    """Everything that a pull fetches, in its order: the layers, the config last."""
    return [blob["digest"] for blob in [*layers, config] if blob.get("digest")]


def marshal(config: Blob, layers: list[Blob]) -> bytes:
    """The bytes of a manifest that a create makes: they depend on nothing but the content."""
    return dump({"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": config, "layers": layers}) + b"\n"


class Manifest:
    """:raises ManifestError: when the bytes are no manifest"""

    def __init__(self, name: Name, path: pathlib.Path, raw: bytes, modified_ns: int) -> None:
        try:
            self.layers, self.config = parse_manifest(raw)
        except ValueError as exc:
            raise ManifestError("unexpected EOF" if raw.strip() else "EOF") from exc
        self.name = name
        self.path = path
        self.digest = digest_of(raw)
        self.modified_ns = modified_ns

    @property
    def digests(self) -> set[str]:
        return set(blobs_of(self.layers, self.config))

    @property
    def size(self) -> int:
        return sum(blob.get("size", 0) for blob in [*self.layers, self.config])

    def layer(self, kind: str) -> Blob | None:
        return next(iter(self.layers_of(kind)), None)

    def layers_of(self, kind: str) -> list[Blob]:
        return [layer for layer in self.layers if layer.get("mediaType") == LAYER_TYPE + kind]


def _decode(raw: bytes) -> tuple[t.Any, int]:
    """The first value, and where its last byte is."""
    text = raw.decode("utf-8", "replace")
    content, end = json.JSONDecoder().raw_decode(text, len(text) - len(text.lstrip()))
    return content, len(text[:end].encode())
