# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brings a backup back: from a directory, a repository or a packed file to a directory of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import typing as t
from pathlib import Path

import manifest as manifests
import transport
from basics import Failed
from manifest import Manifest
from restic import Repository
from store import UNFINISHED, Store, sync


def from_store(store: Store, name: str, target: Path) -> Manifest:
    """A copy, because a service that writes to a link would write to the backup."""
    with store.locked(shared=True):
        tree = store.find(name)
        manifest = manifests.read(tree)
        with _arriving(target, manifest) as place:
            transport.make_directories(place, manifest)
            for entry in manifest["files"]:
                # What is not there is found by the check.
                with contextlib.suppress(FileNotFoundError), open(tree / entry["path"], "rb") as file:
                    transport.write(place / entry["path"], file)
            manifests.write(place, manifest)
    return manifest


def from_repository(repository: Repository, name: str, target: Path) -> Manifest:
    snapshots = repository.snapshots()
    found = [snapshot for snapshot in snapshots if name in (snapshot["id"], "latest")]
    if not found:
        known = ", ".join(snapshot["id"] for snapshot in snapshots) or "none"
        raise Failed(f"There is no backup {name} in {repository.place}. There is: {known}.")
    with _arriving(target, None) as place:
        repository.restore(found[-1]["snapshot"], place)
    return manifests.read(target)


def from_file(path: Path, name: str, target: Path) -> Manifest:
    with transport.opened(path) as (manifest, archive):
        if name not in (manifest["id"], "latest"):
            raise Failed(f"{path} holds the backup {manifest['id']}, not {name}.")
        with _arriving(target, manifest) as place:
            transport.unpack(archive, manifest, place, None)
    return manifest


@contextlib.contextmanager
def _arriving(target: Path, manifest: Manifest | None) -> t.Iterator[Path]:
    """A directory beside the target that takes its place when everything in it is verified, and goes otherwise."""
    if target.is_symlink() or (target.exists() and (not target.is_dir() or os.listdir(target))):
        raise Failed(f"{target} is in use: name an empty directory, or one that is not there.")
    size = sum(entry["size"] for entry in manifest["files"]) if manifest else 0
    free = shutil.disk_usage(target.parent).free
    if size > free:
        raise Failed(f"The backup has {size} bytes, and {free} are free at {target}: make room.")
    place = target.with_name(f"{target.name}{UNFINISHED}")
    if place.exists():
        shutil.rmtree(place)
    place.mkdir(mode=0o700)
    try:
        yield place
        # Again from the tree, because a snapshot brings its own.
        arrived = manifests.read(place)
        manifests.verify(place, arrived)
        _give_back(place, arrived)
        sync(place)
        place.rename(target)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise


def _give_back(tree: Path, manifest: Manifest) -> None:
    """Owners, modes and times as they were; owners are root's to give."""
    for entry in [*manifest["files"], *reversed(manifest["directories"])]:
        path = tree / entry["path"]
        if os.geteuid() == 0:
            os.chown(path, entry["uid"], entry["gid"])
        # No program of a service takes on the rights of its owner.
        os.chmod(path, entry["mode"] & 0o777)
        if "mtime_ns" in entry:
            os.utime(path, ns=(entry["mtime_ns"], entry["mtime_ns"]))
