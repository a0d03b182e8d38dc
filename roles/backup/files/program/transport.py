# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Backups on their way between hosts: one file that holds what the other side does not have yet."""

from __future__ import annotations

import contextlib
import os
import shutil
import tarfile
import typing as t
from pathlib import Path

import manifest as manifests
from basics import Failed
from manifest import CHUNK, DIGEST, Manifest
from store import Store
from tree import linked

BLOBS = "sha256/"


def have(store: Store) -> list[str]:
    """The digests of all files in a directory of backups."""
    return sorted({entry["sha256"] for backup in store.backups() for entry in backup["files"]})


def pack(tree: Path, manifest: Manifest, out: Path, there: t.Container[str]) -> dict[str, int]:
    """Write a backup's manifest, and each of its files once by its digest, without those that are there."""
    every = {entry["sha256"]: entry["path"] for entry in manifest["files"]}
    wanted = {digest: path for digest, path in every.items() if digest not in there}
    sizes = {entry["sha256"]: entry["size"] for entry in manifest["files"]}
    size, free = sum(sizes[digest] for digest in wanted), shutil.disk_usage(out.parent).free
    if size > free:
        raise Failed(
            f"Packing the backup {manifest['id']} takes {size} bytes, and {free} are free at {out}: make room."
        )
    partial = out.with_name(f"{out.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        with tarfile.open(partial, "x:") as archive:
            _append(archive, manifests.NAME, tree / manifests.NAME)
            for digest, path in sorted(wanted.items()):
                _append(archive, BLOBS + digest, tree / path)
        partial.rename(out)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return {"bytes": out.stat().st_size, "files": len(wanted), "skipped": len(every) - len(wanted)}


def _append(archive: tarfile.TarFile, name: str, path: Path) -> None:
    with open(path, "rb") as file:
        member = tarfile.TarInfo(name)
        member.size = os.fstat(file.fileno()).st_size
        member.mode = 0o600
        archive.addfile(member, file)


@contextlib.contextmanager
def opened(path: Path) -> t.Iterator[tuple[Manifest, tarfile.TarFile]]:
    """The manifest in a packed backup, and the archive behind it."""
    try:
        with tarfile.open(path, "r:") as archive:
            member = archive.next()
            content = (
                archive.extractfile(member) if member and member.isreg() and member.name == manifests.NAME else None
            )
            if content is None:
                raise Failed(f"{path} is no packed backup: it does not begin with {manifests.NAME}.")
            yield manifests.parse(content.read(), f"{manifests.NAME} in {path}"), archive
    except tarfile.TarError as exc:
        raise Failed(f"{path} is damaged ({exc}): fetch it again.") from exc


def unpack(archive: tarfile.TarFile, manifest: Manifest, tree: Path, store: Store | None) -> dict[str, int]:
    """Fill an empty directory with a backup, from the archive and from what other backups in the store have.

    Nothing is written but the paths of the manifest, which were checked: names in the archive are digests.
    """
    wanted: dict[str, list[str]] = {}
    for entry in manifest["files"]:
        wanted.setdefault(entry["sha256"], []).append(entry["path"])
    make_directories(tree, manifest)
    new_bytes = 0
    for member in iter(archive.next, None):
        digest = member.name[len(BLOBS) :]
        content = archive.extractfile(member) if member.isreg() else None
        if content is None or not member.name.startswith(BLOBS) or not DIGEST.fullmatch(digest):
            raise Failed(f"The packed backup holds {member.name!r}, which does not belong there: it was not unpacked.")
        paths = wanted.pop(digest, [])
        for path in paths[:1]:
            new_bytes += write(tree / path, content)
        for path in paths[1:]:
            _repeat(tree / paths[0], tree / path, store)
    pool = _pool(store) if store and wanted else {}
    count = 0
    for digest, paths in wanted.items():
        for path in paths:
            if digest in pool:
                _repeat(pool[digest], tree / path, store)
                count += 1
    manifests.write(tree, manifest)
    manifests.verify(tree, manifest)
    return {"new_bytes": new_bytes, "linked": count}


def _pool(store: Store) -> dict[str, Path]:
    return {
        entry["sha256"]: store.path / backup["id"] / entry["path"]
        for backup in store.backups()
        for entry in backup["files"]
    }


def make_directories(tree: Path, manifest: Manifest) -> None:
    for entry in manifest["directories"]:
        (tree / entry["path"]).mkdir(mode=0o700, parents=True, exist_ok=True)
    for entry in manifest["files"]:
        (tree / entry["path"]).parent.mkdir(mode=0o700, parents=True, exist_ok=True)


def _repeat(source: Path, target: Path, store: Store | None) -> None:
    # Outside of a store a service will write to one of the two.
    if not (store and linked(source, target)):
        with contextlib.suppress(FileNotFoundError), open(source, "rb") as file:
            write(target, file)


def write(target: Path, content: t.BinaryIO | t.IO[bytes]) -> int:
    """Copy to a new file that only its owner can read, down to the disk."""
    size = 0
    with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as copy:
        for chunk in iter(lambda: content.read(CHUNK), b""):
            size += copy.write(chunk)
        copy.flush()
        os.fsync(copy.fileno())
    return size
