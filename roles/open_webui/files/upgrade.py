# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The data's part of an upgrade of Open WebUI, on its host.

    begin DATA JOURNAL          notes that an upgrade begins, and copies the database of the service for a rehearsal
    freeze DATA                 keeps the data of the stopped service as a snapshot
    back DATA [OWN_EMAIL ...]   puts the snapshot back; ends with 3 when people have written since
    commit DATA                 the upgrade is done: forgets it, and every snapshot but the newest

JOURNAL is a JSON object: from and to (versions), config (directory of the service's own files), reference (of the old
image), running (whether the service did) and rehearse (whether to copy the database). It stays in
DATA/.selfhosted-llm/upgrade.json until the upgrade is done or undone, so that a run that was cut off is noticed by the
next. Prints one JSON object. Ends with 1 and one sentence on stderr when it fails.
"""

from __future__ import annotations

import calendar
import json
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import time

from data import (
    DATABASE,
    ITEMS,
    PLACE,
    Json,
    Room,
    configure,
    finish,
    look,
    main,
    put_in_place,
    read_only_name,
    remove,
    since,
    size_of,
    write,
)

MARGIN = 100 << 20
WRITTEN = 3


def now() -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())


def copy(source: pathlib.Path, target: pathlib.Path, *options: str) -> None:
    done = subprocess.run(["cp", "--archive", *options, source, target], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{source} could not be copied: {done.stderr.strip()}")


def begin(room: Room, text: str) -> Json:
    finish(room)
    upgrade = {**json.loads(text), "begun": now()}
    upgrade["snapshot"] = f"before-{upgrade['from']}-{upgrade['begun']}"
    for path in [room.rehearsal, *room.path.glob("before-*.partial")]:
        remove(path)
    database = sum(size_of(room.data / name) for name in DATABASE)
    # The rehearsal goes before the snapshot comes; but the migration may make the database larger.
    need = 2 * database + size_of(room.data / "vector_db") + MARGIN
    free = shutil.disk_usage(room.path).free
    if free < need:
        sys.exit(f"{room.path} has {free >> 20} MiB free, and the upgrade needs {need >> 20} MiB there for a while")
    # On a disk that has become full there might be no room for it.
    room.outgoing.mkdir(mode=0o700, exist_ok=True)
    partial = room.partial(upgrade)
    partial.mkdir(mode=0o700)
    copy(pathlib.Path(upgrade["config"]), partial / "config")
    write(partial / PLACE, upgrade["config"].encode())
    write(partial / "upgrade.json", json.dumps(upgrade).encode())
    write(room.journal, json.dumps(upgrade).encode())
    room.rehearsal.mkdir(mode=0o700)
    if upgrade["rehearse"]:
        source = sqlite3.connect(read_only_name(room.data / "webui.db"), uri=True)
        target = sqlite3.connect(room.rehearsal / "webui.db")
        source.backup(target)
        target.close()
        source.close()
    return {"rehearsal": str(room.rehearsal)}


def freeze(room: Room) -> Json:
    upgrade = room.upgrade()
    if not upgrade:
        sys.exit(f"no upgrade has begun on {room.data}")
    partial = room.partial(upgrade)
    for name in ITEMS:
        if (room.data / name).exists():
            # Files of people are written once and never changed, so that a second name is a copy.
            copy(room.data / name, partial / name, "--link" if name == "uploads" else "--reflink=auto")
    write(partial / "upgrade.json", json.dumps({**upgrade, "taken": now()}).encode())
    partial.rename(room.snapshot(upgrade))
    # The service is down, so nobody waits for the disk; but a loss of power must not find a snapshot in memory only.
    subprocess.Popen(
        ["sync", "--file-system", room.path],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    return {"snapshot": str(room.snapshot(upgrade))}


def keep_log(room: Room, upgrade: Json) -> None:
    log = room.rehearsal / "server.log"
    if log.exists():
        log.rename(room.path / f"failed-{upgrade['to']}.log")


def served_from(room: Room, snapshot: pathlib.Path, upgrade: Json) -> float:
    """0.0 where the new version is known to have served; else the time from which on it may have."""
    if look(room)["version"] == upgrade["to"]:
        return 0.0
    taken = json.loads((snapshot / "upgrade.json").read_text())["taken"]
    return float(calendar.timegm(time.strptime(taken, "%Y%m%dT%H%M%SZ")))


def back(room: Room, *own: str) -> Json:
    upgrade = room.upgrade()
    finish(room)
    aside = None
    if upgrade:
        keep_log(room, upgrade)
        snapshot = room.snapshot(upgrade)
        if snapshot.exists():
            try:
                written = since(room, str(snapshot), *own, after=served_from(room, snapshot, upgrade))
            except sqlite3.Error:
                # What the failed migration has left cannot be read; it stays aside.
                written = None
            if written and written["total"]:
                print(json.dumps(written))
                sys.exit(WRITTEN)
            aside = put_in_place(room, snapshot)["aside"]
            if written and aside:
                remove(pathlib.Path(aside))
                aside = None
        else:
            configure(room.partial(upgrade), None)
        remove(room.partial(upgrade))
    remove(room.rehearsal)
    remove(room.journal)
    return {"aside": aside}


def commit(room: Room) -> Json:
    finish(room)
    remove(room.journal)
    remove(room.rehearsal)
    for old in room.snapshots()[1:]:
        remove(old)
    return {"snapshot": next((str(path) for path in room.snapshots()), None)}


if __name__ == "__main__":
    main([begin, freeze, back, commit])
