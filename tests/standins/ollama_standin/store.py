# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The store on disk, in the server's own layout: ``manifests/<host>/<namespace>/<model>/<tag>`` and ``blobs/``."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import re
import threading
import time
import typing as t

from .names import Name

DIGEST = re.compile(r"sha256[:-][0-9a-fA-F]{64}")
LAYER_TYPE = "application/vnd.ollama.image."
GRACE_SECONDS = 3600

Blob = dict[str, t.Any]


class StoreError(Exception):
    """What the server answers with status 500 for a manifest that it cannot read."""


def parse_manifest(raw: bytes) -> tuple[list[Blob], Blob]:
    """The layers and the config. ``{}`` is a manifest, too.

    :raises ValueError: when it is not a JSON object
    """
    content = json.loads(raw)
    if not isinstance(content, dict):
        raise ValueError("json: cannot unmarshal the manifest")
    return content.get("layers") or [], content.get("config") or {}


def blob_digests(layers: list[Blob], config: Blob) -> list[str]:
    """Everything that a pull fetches, in its order: the layers, the config last."""
    return [blob["digest"] for blob in [*layers, config] if blob.get("digest")]


class Manifest:
    def __init__(self, name: Name, path: pathlib.Path) -> None:
        """:raises StoreError: when the file is not a manifest; :raises FileNotFoundError: when there is none"""
        self.name = name
        self.path = path
        raw = path.read_bytes()
        try:
            self.layers, self.config = parse_manifest(raw)
        except ValueError as exc:
            raise StoreError("unexpected EOF" if raw.strip() else "EOF") from exc
        self.digest = hashlib.sha256(raw).hexdigest()
        self.modified_ns = path.stat().st_mtime_ns

    @property
    def digests(self) -> set[str]:
        return set(blob_digests(self.layers, self.config))

    @property
    def size(self) -> int:
        return sum(blob.get("size", 0) for blob in [*self.layers, self.config])

    def layer(self, kind: str) -> Blob | None:
        return next((layer for layer in self.layers if layer.get("mediaType") == LAYER_TYPE + kind), None)


class Store:
    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.lock = threading.RLock()
        for folder in ("manifests", "blobs"):
            (root / folder).mkdir(parents=True, exist_ok=True)

    def manifests(self) -> list[Manifest]:
        """Every readable manifest; a corrupt one is left out, as the server does."""
        found = []
        with self.lock:
            for path in self._paths():
                try:
                    found.append(Manifest(self._name(path), path))
                except (StoreError, FileNotFoundError):
                    continue
        return found

    def existing(self, name: Name) -> Name:
        """Adopt the spelling of what is stored, part by part and from any model, as the server does."""
        for manifest in self.manifests():
            pairs = zip(name, manifest.name)
            name = Name(*(theirs if theirs.lower() == ours.lower() else ours for ours, theirs in pairs))
        return name

    def get(self, name: Name) -> Manifest:
        return Manifest(name, self._manifest_path(name))

    def write(self, name: Name, raw: bytes) -> None:
        path = self._manifest_path(name)
        with self.lock:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(raw)

    def copy(self, source: Name, destination: Name) -> None:
        if source != destination:
            self.write(destination, self._manifest_path(source).read_bytes())

    def delete(self, manifest: Manifest) -> None:
        with self.lock:
            manifest.path.unlink()
            for parent in list(manifest.path.parents)[:3]:
                if any(parent.iterdir()):
                    break
                parent.rmdir()
            self.remove_unused(manifest.digests)

    def remove_unused(self, digests: set[str]) -> None:
        with self.lock:
            used = set().union(*(manifest.digests for manifest in self.manifests()))
            for digest in digests - used:
                self.blob_path(digest).unlink(missing_ok=True)

    def prune_at_start(self) -> None:
        """Unused blobs and partial downloads go when they are an hour old, unless a manifest is unreadable."""
        manifests = self.manifests()
        if len(manifests) != len(self._paths()):
            return
        used = {self.blob_path(digest).name for manifest in manifests for digest in manifest.digests}
        for path in (self.root / "blobs").iterdir():
            if path.name not in used and time.time() - path.stat().st_mtime > GRACE_SECONDS:
                path.unlink()

    def blob_path(self, digest: str) -> pathlib.Path:
        if not DIGEST.fullmatch(digest):
            raise ValueError("invalid digest format")
        return self.root / "blobs" / digest.replace(":", "-")

    def add_blob(self, chunks: t.Iterable[bytes]) -> str:
        """Store bytes under their true digest and return it."""
        temporary = self.root / "blobs" / f".upload-{threading.get_ident()}"
        digest = hashlib.sha256()
        try:
            with temporary.open("wb") as stream:
                for chunk in chunks:
                    digest.update(chunk)
                    stream.write(chunk)
            os.replace(temporary, self.blob_path(f"sha256:{digest.hexdigest()}"))
        finally:
            temporary.unlink(missing_ok=True)
        return f"sha256:{digest.hexdigest()}"

    def _paths(self) -> list[pathlib.Path]:
        paths = (self.root / "manifests").glob("*/*/*/*")
        return [path for path in paths if path.is_file() and self._name(path).valid]

    def _name(self, path: pathlib.Path) -> Name:
        return Name(*path.relative_to(self.root / "manifests").parts)

    def _manifest_path(self, name: Name) -> pathlib.Path:
        return self.root.joinpath("manifests", *name)
