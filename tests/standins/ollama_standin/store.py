# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The store on disk, in the server's own layout: ``manifests/<host>/<namespace>/<model>/<tag>`` and ``blobs/``."""

from __future__ import annotations

import errno
import hashlib
import os
import pathlib
import re
import threading
import time
import typing as t

from .manifest import Blob, Manifest, ManifestError
from .names import Name

DIGEST = re.compile(r"sha256[:-][0-9a-fA-F]{64}")
GRACE_SECONDS = 3600

Signature = tuple[int, int, int]


class StoreError(Exception):
    """What the server answers with status 500."""


class Store:
    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.lock = threading.RLock()
        # What was read of a manifest file, as long as the file stays as it was.
        self.read: dict[pathlib.Path, tuple[Signature, Manifest]] = {}
        for folder in ("manifests", "blobs"):
            (root / folder).mkdir(parents=True, exist_ok=True)

    def manifests(self) -> list[Manifest]:
        """Every readable manifest; a corrupt one is left out, as the server does."""
        found = []
        with self.lock:
            for path in self._paths():
                try:
                    found.append(self._read(self._name(path), path))
                except (ManifestError, FileNotFoundError):
                    continue
        return found

    def existing(self, name: Name) -> Name:
        """Adopt the spelling of what is stored, part by part and from any model, as the server does."""
        for manifest in self.manifests():
            pairs = zip(name, manifest.name)
            name = Name(*(theirs if theirs.lower() == ours.lower() else ours for ours, theirs in pairs))
        return name

    def get(self, name: Name) -> Manifest:
        """:raises StoreError: when it is corrupt; :raises FileNotFoundError: when there is none"""
        try:
            with self.lock:
                return self._read(name, self._manifest_path(name))
        except ManifestError as exc:
            raise StoreError(str(exc)) from exc

    def has(self, name: Name) -> bool:
        return self._manifest_path(name).exists()

    def digests(self, name: Name) -> set[str]:
        """Of the blobs of a model, empty when it cannot be read."""
        try:
            return self.get(name).digests
        except (FileNotFoundError, StoreError):
            return set()

    def write(self, name: Name, raw: bytes) -> None:
        path = self._manifest_path(name)
        with self.lock:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(raw)
            self.read.pop(path, None)

    def copy(self, source: Name, destination: Name) -> None:
        """Nothing is pruned, and a source that is missing leaves the directory of the destination behind."""
        if source == destination:
            return
        path = self._manifest_path(destination)
        path.parent.mkdir(parents=True, exist_ok=True)
        raw = self._manifest_path(source).read_bytes()
        try:
            self.write(destination, raw)
        except OSError as exc:
            raise StoreError(f"write {path}: copy_file_range: {os.strerror(exc.errno or errno.EIO).lower()}") from exc

    def delete(self, manifest: Manifest) -> None:
        with self.lock:
            manifest.path.unlink()
            _prune_directory(self.root / "manifests")
            self.remove_unused(manifest.digests)

    def remove_unused(self, digests: set[str]) -> None:
        with self.lock:
            used = set().union(*(manifest.digests for manifest in self.manifests()))
            for digest in digests - used:
                self.blob_path(digest).unlink(missing_ok=True)

    def prune_at_start(self) -> None:
        """Unused blobs and partial downloads go when they are an hour old, unless a manifest is unreadable."""
        manifests = self.manifests()
        paths = [path for path in (self.root / "manifests").glob("*/*/*/*") if path.is_file()]
        if len(manifests) != len(paths):
            return
        used = {self.blob_path(digest).name for manifest in manifests for digest in manifest.digests}
        for path in (self.root / "blobs").iterdir():
            if path.name not in used and path.is_file() and time.time() - path.stat().st_mtime > GRACE_SECONDS:
                path.unlink()
        _prune_directory(self.root / "manifests")

    def blob_path(self, digest: str) -> pathlib.Path:
        """:raises ValueError: for what is no digest"""
        if not DIGEST.fullmatch(digest):
            raise ValueError("invalid digest format")
        return self.root / "blobs" / digest.replace(":", "-")

    def add_blob(self, chunks: t.Iterable[bytes]) -> tuple[str, bool]:
        """Store bytes under their true digest: (digest, whether they are new)."""
        temporary = self.root / "blobs" / f"sha256-{time.time_ns() % 10**9}"
        digest = hashlib.sha256()
        try:
            with temporary.open("wb") as stream:
                for chunk in chunks:
                    digest.update(chunk)
                    stream.write(chunk)
            path = self.blob_path(f"sha256:{digest.hexdigest()}")
            is_new = not path.exists()
            if is_new:
                os.replace(temporary, path)
            # What was just used is not pruned at the next start.
            os.utime(path)
        except OSError as exc:
            if isinstance(exc, ConnectionError):
                raise
            raise StoreError(f"write {temporary}: {os.strerror(exc.errno or errno.EIO).lower()}") from exc
        finally:
            temporary.unlink(missing_ok=True)
        return f"sha256:{digest.hexdigest()}", is_new

    def new_layer(self, media_type: str, chunks: t.Iterable[bytes]) -> tuple[Blob, str]:
        """A layer of these bytes, and what the server says of it."""
        digest, is_new = self.add_blob(chunks)
        layer = {"mediaType": media_type, "digest": digest, "size": self.blob_path(digest).stat().st_size}
        return layer, f"{'creating new' if is_new else 'using existing'} layer {digest}"

    def reused_layer(self, media_type: str, digest: str, source: str) -> tuple[Blob, str]:
        """A layer of a blob that is there.

        :raises StoreError: when it is not
        """
        path = self.blob_path(digest)
        try:
            os.utime(path)
        except FileNotFoundError:
            raise StoreError(f"stat {path}: no such file or directory") from None
        layer = {"mediaType": media_type, "digest": digest, "size": path.stat().st_size, "from": source}
        return layer, f"using existing layer {digest}"

    def _read(self, name: Name, path: pathlib.Path) -> Manifest:
        status = path.stat()
        signature = (status.st_ino, status.st_mtime_ns, status.st_size)
        known = self.read.get(path)
        if known and known[0] == signature:
            return known[1]
        manifest = Manifest(name, path, path.read_bytes(), status.st_mtime_ns)
        self.read[path] = (signature, manifest)
        return manifest

    def _paths(self) -> list[pathlib.Path]:
        paths = (self.root / "manifests").glob("*/*/*/*")
        return [path for path in paths if self._name(path).valid and path.is_file()]

    def _name(self, path: pathlib.Path) -> Name:
        return Name(*path.parts[-4:])

    def _manifest_path(self, name: Name) -> pathlib.Path:
        return self.root.joinpath("manifests", *name)


def _prune_directory(path: pathlib.Path) -> None:
    """Remove empty directories, as the server does it, the root of all included."""
    for folder, _folders, _files in os.walk(path, topdown=False):
        if not os.listdir(folder):
            os.rmdir(folder)
