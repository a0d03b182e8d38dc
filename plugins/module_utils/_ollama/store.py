# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""The directory in which a server keeps its models: what is whole there, and what only stands in the way."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import re
import time
import typing as t
from hashlib import sha256

from ansible_collections.selfhosted.llm.plugins.module_utils._http import ServiceError
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.names import InvalidInput, ModelName
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.registry import Layer, Manifest, parse_manifest

BLOB = re.compile(r"sha256-[0-9a-f]{64}")
SETTLED_AFTER = 0.2
CHUNK = 1 << 20


def part_files(layers: t.Iterable[Layer]) -> list[str]:
    """Patterns of the files that remember unfinished downloads, relative to the model directory.

    Whoever removes one has to remove all that match: the server takes those that are left for the whole.
    """
    return sorted({f"blobs/{_blob(layer.digest)}-partial-*" for layer in layers})


class Store:
    """The model directory of a server, on the host that runs the module.

    :arg path: what is ``OLLAMA_MODELS`` to the server
    :raises InvalidInput: there is none, or it cannot be read
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._manifests = os.path.join(path, "manifests")
        self._blobs = os.path.join(path, "blobs")
        try:
            entries = os.listdir(path)
            for folder in {"manifests", "blobs"}.intersection(entries):
                os.listdir(os.path.join(path, folder))
        except OSError as exc:
            raise InvalidInput(
                f"The model directory {path} cannot be read: {exc.strerror}. Give the directory that is OLLAMA_MODELS"
                " to the server, as this host sees it, and the right to read it (become), or leave models_dir away."
            ) from exc
        if entries and not {"manifests", "blobs"}.intersection(entries):
            raise InvalidInput(
                f"{path} is no model directory: it holds neither manifests nor blobs. Give the directory that is"
                " OLLAMA_MODELS to the server, as this host sees it; it often ends in .ollama/models."
            )

    def manifest(self, name: ModelName) -> Manifest | None:
        """The manifest of a model as it is stored. None when there is none, or none that names files."""
        path = self._manifest_path(name)
        try:
            return parse_manifest(_read(path)) if path else None
        except ValueError:
            return None

    def unreadable(self, name: ModelName) -> bool:
        """Whether the manifest of a model is an empty file or the beginning of one, which makes every call fail."""
        path = self._manifest_path(name)
        return path is not None and _is_truncated(_read(path))

    def missing(self, manifest: Manifest) -> list[Layer]:
        """The files of a model that are not there, or not of their size; each once."""
        layers = {layer.digest: layer for layer in manifest.layers}.values()
        return [layer for layer in layers if _size(self._blob_path(layer)) != layer.size]

    def free(self) -> int:
        """The bytes that are free for new files, without those that only root may use."""
        with _explained(self.path):
            status = os.statvfs(self._blobs if os.path.isdir(self._blobs) else self.path)
        return status.f_bavail * status.f_frsize

    def partial_bytes(self, layer: Layer) -> int:
        """The bytes of a file that an unfinished download has brought and the next one keeps."""
        return sum(completed for _size, completed in _progress(self._blob_path(layer), layer.size) or [])

    def remove_unnamed(self, digests: t.Collection[str]) -> None:
        """Remove those of the files that no manifest names. A server does so when it starts, an hour later.

        :raises ServiceError: one of them could not be
        """
        blobs = {_blob(digest) for digest in digests}
        for path in self.orphans() if blobs else []:
            if os.path.basename(path) in blobs:
                self._remove(path)

    def orphans(self) -> list[str]:
        """The files of models that no manifest names."""
        named = set()
        for path in glob.glob(os.path.join(glob.escape(self._manifests), "*", "*", "*", "*")):
            try:
                named |= {_blob(layer.digest) for layer in parse_manifest(_read(path)).layers}
            except ValueError:
                # The server passes over it as well.
                continue
        with _explained(self._blobs):
            blobs = os.listdir(self._blobs) if os.path.isdir(self._blobs) else []
        return sorted(os.path.join(self._blobs, blob) for blob in blobs if BLOB.fullmatch(blob) and blob not in named)

    def heal(self, name: ModelName, manifest: Manifest | None) -> list[str]:
        """Remove what no pull of a model gets over: truncated files, and unfinished downloads that cannot go on.

        :arg manifest: what is to be pulled; None: not known, and the stored one counts
        :returns: the paths that were removed
        :raises ServiceError: one of them could not be
        """
        suspects = self._suspects(name, manifest)
        if suspects:
            # The server empties a file before it writes it anew. One that stays empty is nobody's work.
            time.sleep(SETTLED_AFTER)
            suspects &= self._suspects(name, manifest)
        removed = sorted(path for path in suspects if not self._is_what_its_name_says(path))
        for path in removed:
            self._remove(path)
        return removed

    def _suspects(self, name: ModelName, manifest: Manifest | None) -> set[str]:
        suspects = set()
        path = self._manifest_path(name)
        if path and _is_truncated(_read(path)):
            suspects.add(path)
        downloads = self._downloads()
        if manifest:
            downloads = {self._blob_path(layer): layer.size for layer in manifest.layers}
        for blob, size in downloads.items():
            if _progress(blob, size) is None:
                suspects |= set(glob.glob(f"{glob.escape(blob)}-partial*"))
        manifest = manifest or self.manifest(name)
        blobs = [self._blob_path(layer) for layer in self.missing(manifest)] if manifest else []
        return suspects | {blob for blob in blobs if os.path.lexists(blob)}

    def _downloads(self) -> dict[str, int | None]:
        """All unfinished downloads. The sizes of these files are not known."""
        parts = glob.glob(os.path.join(glob.escape(self._blobs), "sha256-*-partial-*"))
        blobs = (part.rpartition("-partial-")[0] for part in parts)
        return {blob: None for blob in blobs if BLOB.fullmatch(os.path.basename(blob))}

    def _is_what_its_name_says(self, path: str) -> bool:
        """A registry that tells a wrong size must not cost other models a good file."""
        if not BLOB.fullmatch(os.path.basename(path)) or not os.path.isfile(path):
            return False
        hashed = sha256()
        with _explained(path), open(path, "rb") as blob:
            for chunk in iter(lambda: blob.read(CHUNK), b""):
                hashed.update(chunk)
        return os.path.basename(path) == f"sha256-{hashed.hexdigest()}"

    def _remove(self, path: str) -> None:
        folder, root = os.path.realpath(os.path.dirname(path)), os.path.realpath(self.path)
        if os.path.commonpath([folder, root]) != root:
            raise ServiceError(
                f"{path} is damaged and stays: a symbolic link leads to {folder}, out of the model directory.",
                path,
                hint="Remove the file and run the task again.",
            )
        with _explained(path), contextlib.suppress(FileNotFoundError):
            os.unlink(path)

    def _manifest_path(self, name: ModelName) -> str | None:
        # The server compares without case, and the first that had a part decides how it is written.
        paths = [self._manifests]
        for part in name:
            with _explained(self._manifests):
                entries = [(path, entry) for path in paths if os.path.isdir(path) for entry in os.listdir(path)]
            paths = [os.path.join(path, entry) for path, entry in entries if entry.casefold() == part.casefold()]
        return next((path for path in sorted(paths) if os.path.isfile(path)), None)

    def _blob_path(self, layer: Layer) -> str:
        return os.path.join(self._blobs, _blob(layer.digest))


def _blob(digest: str) -> str:
    return digest.replace(":", "-")


@contextlib.contextmanager
def _explained(path: str) -> t.Iterator[None]:
    try:
        yield
    except OSError as exc:
        message = f"{path} in the model directory cannot be used: {exc.strerror}."
        raise ServiceError(message, path, hint="Run the task as a user who may read and write there (become).") from exc


def _read(path: str) -> bytes:
    with _explained(path):
        try:
            with open(path, "rb") as file:
                return file.read()
        except FileNotFoundError:
            # The server has just removed it, and it is worth as much as an empty one.
            return b""


def _size(path: str) -> int | None:
    with _explained(path):
        try:
            return os.stat(path).st_size
        except FileNotFoundError:
            return None


def _progress(blob: str, size: int | None) -> list[tuple[int, int]] | None:
    """The size of each part of an unfinished download, and the bytes there are. None when it cannot go on.

    :arg size: that of the whole file, if known
    """
    try:
        texts = [json.loads(_read(path)) for path in glob.glob(f"{glob.escape(blob)}-partial-*")]
        parts = [(int(text["Size"]), int(text["Completed"])) for text in texts]
    except (ValueError, KeyError, TypeError):
        # A server that was stopped can leave an empty one, over which no pull gets.
        return None
    # With parts missing the server would put a shorter file together and find out at the end.
    whole = not parts or size in (None, sum(part[0] for part in parts))
    return parts if whole else None


def _is_truncated(raw: bytes) -> bool:
    try:
        json.JSONDecoder().raw_decode(raw.decode("utf-8", "replace").lstrip())
    except ValueError:
        return True
    return False
