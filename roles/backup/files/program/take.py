# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Takes a backup: into a directory, or into a repository of restic."""

from __future__ import annotations

import json
import shutil
import time
import types
import typing as t
from pathlib import Path

import manifest as manifests
import ollama
import open_webui
from basics import ID_FORM, TIME_FORM, Failed, now, say, time_of
from config import Config
from manifest import Manifest
from restic import Repository
from store import UNFINISHED, Store
from tree import Tree

SERVICES: dict[str, types.ModuleType] = {"open_webui": open_webui, "ollama": ollama}
LAST = "restic.json"
# By as much a clock may be set back at any time.
CLOCK_SECONDS = 10
# Others write to the disk, too. Of a small one it is a twentieth.
RESERVE = 1 << 30

Answer = dict[str, t.Any]


def store_of(config: Config) -> Store:
    return Store(Path(config["directory"]) / config["name"])


def last_to_repository(store: Store) -> Manifest | None:
    """The manifest of the last backup that this host has sent to a repository."""
    try:
        return manifests.parse((store.path / LAST).read_bytes(), str(store.path / LAST))
    except (FileNotFoundError, Failed):
        return None


def take(config: Config) -> Answer:
    """:raises Failed: there is no new backup then, and all earlier ones are as they were"""
    store, began = store_of(config), time.monotonic()
    with store.locked():
        store.clear()
        try:
            answer = _to_repository(config, store) if config["restic"] else _to_directory(config, store)
        except OSError as exc:
            raise Failed(
                f"The backup of {config['name']} on {config['host']} was not made: {exc.strerror}"
                f" ({exc.filename or store.path}; {_disk(store.path)[2]} bytes are free)."
                " Earlier ones are as they were."
            ) from exc
    return {**answer, "seconds": round(time.monotonic() - began, 1)}


def announce(config: Config) -> Answer:
    """What ``take`` would do."""
    store = store_of(config)
    former = last_to_repository(store) if config["restic"] else store.newest()
    needed, free = _room(config, Tree(store.path, former, borrow=bool(config["restic"])), store)
    place = Repository(config).place if config["restic"] else store.path
    return {"would": f"Would back up {config['name']} of {config['host']} to {place}.", "needed": needed, "free": free}


def _to_directory(config: Config, store: Store) -> Answer:
    name, former = _unused(store.ids(), str(store.path)), store.newest()
    _room(config, Tree(store.path, former), store)
    with store.adding(name) as place:
        tree = Tree(place, former, store.path / former["id"] if former else None)
        manifest = _fill(config, tree, name)
    answer = {**_answer(manifest, tree), **manifests.summary(manifest, store.path / name)}
    try:
        return {**answer, "removed": store.prune(config["keep"], name)}
    except OSError as exc:
        raise Failed(f"The backup {name} is in {store.path}, but old ones could not be removed: {exc}.") from exc


def _to_repository(config: Config, store: Store) -> Answer:
    repository, last = Repository(config), last_to_repository(store)
    repository.provide(known=bool(last) and last.get("repository") == repository.place)
    name = _unused([snapshot["id"] for snapshot in repository.snapshots()], repository.place)
    stage = _stage(config, store)
    _remove(stage)
    tree = Tree(stage, last, borrow=True)
    _room(config, tree, store)
    stage.mkdir(mode=0o700, parents=True)
    try:
        manifest = _fill(config, tree, name)
        tags = [f"finished={manifest['finished']}", f"version={manifest['program']['version']}"]
        saved = repository.save(stage, manifest["id"], tags + [f"schema={head}" for head in manifest["schema"]])
    finally:
        _remove(stage)
    _note(store, {**manifest, "repository": repository.place})
    answer = {**_answer(manifest, tree), **manifests.summary(manifest, None, saved["snapshot_id"])}
    repository.check()
    return {**answer, "new_bytes": saved["data_added"], "removed": repository.prune()}


def _fill(config: Config, tree: Tree, name: str) -> Manifest:
    facts: dict[str, t.Any] = {
        "id": name,
        "service": config["service"],
        "name": config["name"],
        "host": config["host"],
    }
    started = now().strftime(TIME_FORM)
    facts.update(SERVICES[config["service"]].gather(config, tree))
    if config["config"]:
        tree.add_all(Path(config["config"]), "config")
    tree.write("variables.json", json.dumps(config["variables"], indent=1, sort_keys=True).encode() + b"\n")
    return tree.finish({**facts, "started": started, "finished": now().strftime(TIME_FORM)})


def _answer(manifest: Manifest, tree: Tree) -> Answer:
    facts = {"files": len(manifest["files"]), "missing": manifest["missing"], "models": manifest["models"]}
    return {**facts, "new_bytes": tree.new_bytes, "warnings": tree.warnings}


def _room(config: Config, tree: Tree, store: Store) -> tuple[int, int]:
    needed = SERVICES[config["service"]].needed(config, tree)
    disk = Path(config["data"]) if config["restic"] and config["data"] else store.path
    total, _used, free = _disk(disk)
    reserve = min(RESERVE, total // 20)
    if needed + reserve > free:
        raise Failed(
            f"There is no room for a backup of {config['name']} on {config['host']}: it needs up to {needed} bytes, and"
            f" {free} are free at {disk}, of which {reserve} stay free. Make room there, or let backup_directory lead"
            " to another disk."
        )
    return needed, free


def _disk(path: Path) -> tuple[int, int, int]:
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path)


def _unused(ids: list[str], place: str) -> str:
    newest = max(ids, default="")
    while newest >= now().strftime(ID_FORM):
        ahead = (time_of(newest, ID_FORM) - now()).total_seconds()
        if ahead > CLOCK_SECONDS:
            raise Failed(
                f"The backup {newest} in {place} is {ahead / 3600:.1f} hours in the future, so no newer one would"
                " count: this host's clock is wrong now, or was then. Set it, or take that backup away: move its"
                " directory elsewhere, or forget its snapshot with restic."
            )
        say("A backup was made this very second: waiting for the next one.")
        time.sleep(1)
    return now().strftime(ID_FORM)


def _note(store: Store, manifest: Manifest) -> None:
    partial = store.path / f"{LAST}{UNFINISHED}"
    partial.mkdir(mode=0o700)
    manifests.write(partial, manifest)
    (partial / manifests.NAME).rename(store.path / LAST)
    partial.rmdir()


def _stage(config: Config, store: Store) -> Path:
    """Beside the volume, where the container sees nothing, if that is on the file system of the data.

    A hard link cannot leave that, so a volume with a disk of its own holds it, where the container has another file
    system mounted over it.
    """
    data = Path(config["data"] or store.path)
    volume = data.parent if config["service"] == "ollama" else data
    if config["data"] and data.stat().st_dev == volume.parent.stat().st_dev:
        return volume.with_name(f".{volume.name}-backup")
    stage = volume / ".selfhosted-llm" / "backup"
    if stage.parent.is_symlink():
        raise Failed(f"{stage.parent} is a symbolic link, which the service itself may have made: remove it.")
    return stage


def _remove(stage: Path) -> None:
    if stage.exists():
        shutil.rmtree(stage)
