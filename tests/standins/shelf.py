# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a test publishes at the stand-in registry."""

from __future__ import annotations

import hashlib
import json
import pathlib
import shutil
import typing as t
import uuid

from registry import ModelRegistry
from tiny_models import TinyModel, write_model


class Shelf:
    """A namespace of the registry that belongs to one test."""

    def __init__(self, registry: ModelRegistry) -> None:
        self.registry = registry
        self.namespace = f"contract-{uuid.uuid4().hex[:12]}"
        self.prefix = f"{registry.netloc}/{self.namespace}"

    def add(self, model: str = "tiny", tag: str = "latest", width: int = 32, seed: int = 1, **fields: t.Any) -> str:
        """Publish a model (or another content under the same name) and return the name to pull; see TinyModel."""
        write_model(self.registry.root, TinyModel(f"{self.namespace}/{model}", tag, width, seed, **fields))
        return f"{self.prefix}/{model}:{tag}"

    def manifest_path(self, name: str) -> pathlib.Path:
        model, _colon, tag = name.rpartition("/")[2].partition(":")
        return self.registry.root / "manifests" / self.namespace / model / tag

    def manifest(self, name: str) -> dict[str, t.Any]:
        return json.loads(self.manifest_path(name).read_bytes())

    def digest(self, name: str) -> str:
        """What a server lists for the model: of the bytes of its manifest, in hex."""
        return hashlib.sha256(self.manifest_path(name).read_bytes()).hexdigest()

    def digests(self, name: str) -> list[str]:
        """Of the blobs, in the order in which a server fetches them."""
        manifest = self.manifest(name)
        return [layer["digest"] for layer in [*manifest["layers"], manifest["config"]]]

    def weights(self, name: str) -> str:
        return self.digests(name)[0]

    def blob(self, digest: str) -> pathlib.Path:
        return self.registry.root / "blobs" / digest.replace(":", "-")

    def requests(self) -> list[tuple[str, str, str]]:
        """What the server asked for in this namespace: method, tag or digest, range."""
        path = f"/v2/{self.namespace}/"
        found = [request for request in list(self.registry.requests) if path in request.path]
        return [(request.method, request.path.rpartition("/")[2], request.byte_range) for request in found]

    def ranges(self, digest: str) -> list[str]:
        """The ranges of a blob that the server asked for, in order of the text."""
        return sorted(wanted for _method, path, wanted in self.requests() if path == digest and wanted)

    def sent(self, digest: str) -> int:
        """Bytes of a blob that went out for requests with a range."""
        found = [request for request in list(self.registry.requests) if request.byte_range]
        return sum(request.sent for request in found if self.namespace in request.path and digest in request.path)

    def remove(self) -> None:
        shutil.rmtree(self.registry.root / "manifests" / self.namespace, ignore_errors=True)
