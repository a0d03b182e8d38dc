# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``/api/create``: a model made of another one or of GGUF files."""

from __future__ import annotations

import json
import typing as t

from . import names
from .gguf import Header, read_header
from .gguf_rewrite import check, is_gguf, rewritten
from .layers import ADAPTER, MODEL, Body, Layer, LayerMaker
from .listing import Listing
from .manifest import marshal
from .names import Name
from .pull import Puller
from .reply import ApiError, Lines
from .store import StoreError

UNQUANTIZED = ("F32", "F16", "BF16")
QUANTIZED = {"Q4_K": "Q4_K_M", **{name: name for name in ("F32", "F16", "BF16", "Q4_K_S", "Q4_K_M", "Q8_0")}}


class Creator:
    def __init__(self, listing: Listing, puller: Puller) -> None:
        self.listing = listing
        self.store = listing.store
        self.layers = LayerMaker(listing.store)
        self.puller = puller

    def create(self, name: Name, body: Body) -> Lines:
        """:raises ApiError: when it fails; layers that were made by then stay behind as orphans"""
        try:
            yield from self._steps(name, body)
        except (StoreError, ValueError) as exc:
            raise ApiError(500, str(exc)) from exc

    def _steps(self, name: Name, body: Body) -> Lines:
        old = self.store.digests(name)
        config: Body = {"renderer": "", "parser": "", "requires": "", **body}
        if body.get("from"):
            layers = yield from self._based(body, config)
        elif "files" in body:
            layers = yield from self._from_files(body["files"])
            # Weights that were uploaded are always written anew; the upload stays behind as an orphan.
            layers = yield from self._rewritten(layers, _quantization(body), always=True)
        else:
            raise ApiError(400, "neither 'from' or 'files' was specified")
        if body.get("adapters"):
            if len(body["adapters"]) > 1:
                raise ApiError(400, "only one adapter is currently supported")
            layers += yield from self._from_files(body["adapters"])
        layers = self.layers.completed(layers, body)
        config_layer = self.layers.config(layers, config)
        yield from ({"status": layer.status} for layer in layers)
        yield {"status": "writing manifest"}
        blobs = [layer.blob for layer in layers]
        self.store.write(name, marshal(config_layer, blobs))
        if self.puller.prune:
            self.store.remove_unused(old)
        self.listing.refresh(name)
        yield {"status": "success"}

    def _based(self, body: Body, config: Body) -> t.Generator[Body, None, list[Layer]]:
        """The layers of another model, which is pulled when it is missing: over https, and in the case as written."""
        base, _source = names.split_source(body["from"])
        name = names.parse(base)
        if not name.valid:
            raise ApiError(400, "invalid model name")
        try:
            if not self.store.has(name):
                yield from self.puller.pull(name, insecure=False)
            manifest = self.store.get(name)
            layers = [
                Layer(*self.store.reused_layer(layer["mediaType"], layer["digest"], name.short))
                for layer in manifest.layers
            ]
        except (ApiError, StoreError):
            self.layers.config(self.layers.completed([], body), config)
            raise
        inherited = json.loads(self.store.blob_path(manifest.config["digest"]).read_bytes())
        for key in ("renderer", "parser", "requires"):
            config[key] = config[key] or inherited.get(key, "")
        config["model_format"] = inherited.get("model_format", "")
        config["capabilities"] = inherited.get("capabilities")
        return (yield from self._rewritten(layers, _quantization(body), always=False))

    def _from_files(self, files: dict[str, str]) -> t.Generator[Body, None, list[Layer]]:
        if not self._is_gguf(files):
            raise ApiError(400, "unknown type")
        layers = []
        for path, digest in sorted(files.items()):
            yield {"status": "parsing GGUF"}
            blob = self.store.blob_path(digest)
            if not blob.exists():
                raise StoreError(f"open {blob}: no such file or directory")
            if not is_gguf(blob):
                raise ApiError(400, "supplied file was not in GGUF format")
            check(blob)
            is_adapter = read_header(str(blob)).metadata.get("general.type") == "adapter"
            layers.append(Layer(*self.store.reused_layer(ADAPTER if is_adapter else MODEL, digest, path)))
        return layers

    def _is_gguf(self, files: dict[str, str]) -> bool:
        for path, digest in files.items():
            if path.endswith(".gguf"):
                return True
            return is_gguf(self.store.blob_path(digest))
        return False

    def _rewritten(self, layers: list[Layer], quantization: str, always: bool) -> t.Generator[Body, None, list[Layer]]:
        found = []
        for layer in layers:
            wanted = _wanted_type(self.layers.header(layer), quantization) if layer.media_type == MODEL else ""
            if wanted or (always and layer.media_type == MODEL):
                chunks = rewritten(self.layers.path(layer), wanted)
                layer = Layer(*self.store.new_layer(MODEL, chunks))
                yield {"status": "verifying conversion"}
            found.append(layer)
        return found


def check_files(body: Body) -> None:
    """:raises ApiError: before the answer begins"""
    for path in body.get("files", {}):
        parts = path.split("/")
        if path != "." and not all(part not in ("", ".", "..") for part in parts):
            raise ApiError(400, "file path must be relative")
    for digest in [*body.get("files", {}).values(), *body.get("adapters", {}).values()]:
        if not digest:
            raise ApiError(400, "invalid digest format")


def _quantization(body: Body) -> str:
    return (body.get("quantize") or body.get("quantization") or "").upper()


def _wanted_type(header: Header, quantization: str) -> str:
    """The type to write, empty when it has not to change.

    :raises StoreError: for what cannot be had
    """
    if not quantization:
        return ""
    if quantization not in QUANTIZED:
        supported = "supported types are F32, F16, Q4_K_S, Q4_K_M, Q8_0"
        raise StoreError(f"unsupported quantization type {quantization} - {supported}")
    if header.file_type not in UNQUANTIZED:
        raise StoreError("quantization is only supported for F16, BF16 and F32 models")
    wanted = QUANTIZED[quantization]
    return "" if wanted == header.file_type else wanted
