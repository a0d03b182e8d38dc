# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands, each of which answers with what is printed as JSON."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import typing as t
from pathlib import Path

import bring
import config as configs
import database
import manifest as manifests
import take
import transport
from basics import Failed, now, time_of
from open_webui import DATABASE
from restic import Repository
from store import Store

Answer = dict[str, t.Any]
# What a backup that comes from another host says of itself, and has to be what was asked for.
EXPECTED = ("id", "host", "name")


def take_one(arguments: argparse.Namespace) -> Answer:
    config = configs.read(arguments.config)
    return take.announce(config) if arguments.check else take.take(config)


def list_all(arguments: argparse.Namespace) -> Answer:
    config, store = _opened(arguments.source)
    if config and config["restic"]:
        return {"backups": _snapshots(config, store)}
    return {"backups": [manifests.summary(backup, store.path / backup["id"]) for backup in store.backups()]}


def status(arguments: argparse.Namespace) -> Answer:
    config, store = _opened(arguments.source)
    if config and config["restic"]:
        backups = _snapshots(config, store)
        number, last = len(backups), backups[-1] if backups else None
    else:
        newest = store.newest()
        number, last = len(store.ids()), manifests.summary(newest, store.path / newest["id"]) if newest else None
    if last:
        age = now() - time_of(last["finished"])
        last = {**last, "age": max(0, int(age.total_seconds()))}
    return {"last": last, "number": number, "running": store.busy()}


def bring_one(arguments: argparse.Namespace) -> Answer:
    source, name, target = arguments.source, arguments.id, arguments.target.absolute()
    if source.suffix == ".tar":
        manifest = bring.from_file(source, name, target)
    else:
        config, store = _opened(source)
        if config and config["restic"]:
            manifest = bring.from_repository(Repository(config), name, target)
        else:
            manifest = bring.from_store(store, name, target)
    facts = {"target": str(target), "files": len(manifest["files"])}
    return {**manifests.summary(manifest, None), **facts, "missing": manifest["missing"], "models": manifest["models"]}


def verify(arguments: argparse.Namespace) -> Answer:
    manifest = manifests.read(arguments.tree)
    manifests.verify(arguments.tree, manifest)
    size = sum(entry["size"] for entry in manifest["files"])
    return {"id": manifest["id"], "files": len(manifest["files"]), "bytes": size}


def contents(arguments: argparse.Namespace) -> Answer:
    if not arguments.tree.is_dir():
        return {"database": "sqlite", **database.contents(arguments.tree)}
    manifest = manifests.read(arguments.tree)
    if manifest["database"] == "sqlite":
        return {"database": "sqlite", **database.contents(arguments.tree / DATABASE)}
    facts = {key: manifest[key] for key in ("database", "schema", "counts")}
    return {**facts, "accounts": None}


def account(arguments: argparse.Namespace) -> Answer:
    manifest = manifests.read(arguments.tree)
    if manifest["database"] != "sqlite":
        raise Failed(
            f"The backup {manifest['id']} holds no SQLite database, and the chats of one account can only be taken out"
            " of that. Restore it to an empty host, and export the chats there."
        )
    name, chats = database.chats_of(arguments.tree / DATABASE, arguments.email)
    _write_json(arguments.out, chats)
    return {"email": arguments.email, "name": name, "chats": len(chats), "out": str(arguments.out)}


def have(arguments: argparse.Namespace) -> Answer:
    digests = transport.have(Store(arguments.directory))
    _write_json(arguments.out, digests)
    return {"digests": len(digests)}


def pack(arguments: argparse.Namespace) -> Answer:
    store = Store(arguments.directory)
    there = json.loads(arguments.have.read_bytes()) if arguments.have else []
    with store.locked(shared=True):
        tree = store.find(arguments.id)
        manifest = manifests.read(tree)
        packed = transport.pack(tree, manifest, arguments.out, set(there))
    return {"id": manifest["id"], "out": str(arguments.out), **packed}


def unpack(arguments: argparse.Namespace) -> Answer:
    store, keep = Store(arguments.directory), configs.rules(json.loads(arguments.keep))
    with store.locked(), transport.opened(arguments.file) as (manifest, archive):
        for key in EXPECTED:
            wanted = getattr(arguments, key)
            if wanted not in (None, manifest[key]):
                raise Failed(f"{arguments.file} holds a backup whose {key} is {manifest[key]!r}, and not {wanted!r}.")
        store.clear()
        changed = manifest["id"] not in store.ids()
        facts = {"new_bytes": 0, "linked": 0}
        if changed:
            with store.adding(manifest["id"]) as place:
                facts = transport.unpack(archive, manifest, place, store)
        elif manifests.read(store.path / manifest["id"]) != manifest:
            raise Failed(f"{store.path} has another backup {manifest['id']}: take that one out of the way.")
        else:
            manifests.verify(store.path / manifest["id"], manifest)
        answer = {**manifests.summary(manifest, store.path / manifest["id"]), "changed": changed, **facts}
        return {**answer, "removed": store.prune(keep, manifest["id"])}


def _opened(source: Path) -> tuple[configs.Config | None, Store]:
    """What a file of settings leads to, or a directory of backups, which need not be there."""
    if source.is_dir() or not (source.exists() or source.suffix == ".json"):
        return None, Store(source)
    config = configs.read(source)
    return config, take.store_of(config)


def _snapshots(config: configs.Config, store: Store) -> list[Answer]:
    last = take.last_to_repository(store)
    found = []
    for snapshot in Repository(config).snapshots():
        if last and last["id"] == snapshot["id"]:
            found.append(manifests.summary(last, None, snapshot["snapshot"]))
        else:
            known = {**dict.fromkeys((*manifests.SUMMARY, "path", "size")), **snapshot, "service": config["service"]}
            found.append({**known, "program": {"version": known.pop("version"), "image": None}})
    return found


def _write_json(path: Path, content: t.Any) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        json.dump(content, file)


def arguments_of(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="backup", description="Backups of Open WebUI and Ollama.")
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, function: t.Callable[[argparse.Namespace], Answer], *paths: str) -> argparse.ArgumentParser:
        one = commands.add_parser(name)
        one.set_defaults(function=function)
        for path in paths:
            one.add_argument(path, type=str if path in ("id", "email") else Path)
        return one

    command("take", take_one, "config").add_argument("--check", action="store_true", help="say what would happen")
    command("list", list_all, "source")
    command("status", status, "source")
    command("bring", bring_one, "source", "id", "target")
    command("verify", verify, "tree")
    command("contents", contents, "tree")
    command("account", account, "tree", "email", "out")
    command("have", have, "directory", "out")
    command("pack", pack, "directory", "id", "out").add_argument("--have", type=Path, help="digests that are there")
    unpacking = command("unpack", unpack, "file", "directory")
    unpacking.add_argument("--keep", default="{}", help="how many stay, as JSON")
    for key in EXPECTED:
        unpacking.add_argument(f"--{key}", help=f"refuse a backup with another {key}")
    return parser.parse_args(words)


def main() -> None:
    os.umask(0o077)
    # What is half done is undone then as well.
    signal.signal(signal.SIGTERM, lambda *_signal: sys.exit("ended by a signal"))
    arguments = arguments_of(sys.argv[1:])
    try:
        answer = arguments.function(arguments)
    except Failed as exc:
        sys.exit(str(exc))
    except (OSError, ValueError) as exc:
        sys.exit(f"{arguments.command} failed: {exc}.")
    print(json.dumps(answer))
