# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The data of Open WebUI on its host: what is there, what people have written, and how other data takes its place.

    look DATA                             the version, what was cut off, and the snapshot that the last upgrade has left
    since DATA SNAPSHOT [OWN_EMAIL ...]   what people have written since, not counting that these accounts were made,
                                          nor what the first of them has made from variables; with "-" for the
                                          snapshot all that they have
    replace DATA FROM [CONFIG]            puts FROM in the place of the data, and FROM/config in the directory CONFIG
    finish DATA                           rolls a replace that was cut off forward

Prints one JSON object. Ends with 1 and one sentence on stderr when it fails. FROM lies in DATA/.selfhosted-llm, so on
the same disk; what was there goes to aside-FROM beside it. Each command may be killed at any point and run again: what
is left to do follows from the names of the directories.

This runs as root on what the service's container, whose root is the same, can write to. It believes what lies in
DATA/.selfhosted-llm, because the container has a file system of its own mounted over that. What is outside of it is the
service's: it is moved by its names, copied with links as links while the service is down, and read as a database whose
rows are counted. More than its own data a hostile service does not get.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import sqlite3
import stat
import sys
import time
import typing as t

Json = dict[str, t.Any]

RECORD = ".selfhosted-llm.json"
DATABASE = ("webui.db", "webui.db-wal", "webui.db-shm")
# All that belongs together. What else is there (caches, logs) is none of people's work.
ITEMS = (*DATABASE, "uploads", "vector_db", RECORD)
LOOKING = ("look", "since")
NOTHING = "-"
PLACE = "config-directory"
# Two further names of a directory that takes the place of the data: while that leaves, and when it has left.
INCOMING, ENTERING = ".incoming", ".entering"
# What people make, and what it is called. Sign-ins and settings are not counted.
TABLES = {
    "user": "accounts",
    "chat": "chats",
    "file": "files",
    "knowledge": "knowledge",
    "note": "notes",
    "folder": "folders",
    "message": "channel messages",
    "channel": "channels",
    "memory": "memories",
    "feedback": "feedback",
    "prompt": "prompts",
    "model": "models",
    "tool": "tools",
    "function": "functions",
    "skill": "skills",
    "group": "groups",
}
# What the playbooks make too, by an account of their own.
DECLARED = ("prompt", "model", "group")


class Room:
    """DATA/.selfhosted-llm and what may lie in it."""

    def __init__(self, data: pathlib.Path) -> None:
        self.data = data
        self.path = data / ".selfhosted-llm"
        self.journal = self.path / "upgrade.json"
        self.restore = self.path / "restore.json"
        self.rehearsal = self.path / "rehearsal"
        self.outgoing = self.path / "outgoing"

    def one(self, pattern: str) -> pathlib.Path | None:
        return next(self.path.glob(pattern), None)

    def upgrade(self) -> Json | None:
        return json.loads(self.journal.read_text()) if self.journal.exists() else None

    def snapshot(self, upgrade: Json) -> pathlib.Path:
        return self.path / upgrade["snapshot"]

    def partial(self, upgrade: Json) -> pathlib.Path:
        return self.path / f"{upgrade['snapshot']}.partial"

    def snapshots(self) -> list[pathlib.Path]:
        """The newest first."""
        found = [path.parent for path in self.path.glob("before-*Z/upgrade.json")]
        return sorted(found, key=lambda path: path.name.rpartition("-")[2], reverse=True)


def size_of(path: pathlib.Path) -> int:
    """In bytes. What goes away meanwhile, as the log of a database does, has none."""
    files = [os.path.join(place, name) for place, _folders, names in os.walk(path) for name in names] or [path]
    total = 0
    for file in files:
        with contextlib.suppress(FileNotFoundError):
            facts = os.lstat(file)
            total += facts.st_size if stat.S_ISREG(facts.st_mode) else 0
    return total


def write(path: pathlib.Path, content: bytes) -> None:
    """All of it or nothing, also when the disk is full."""
    partial = path.with_name(path.name + ".partial")
    with open(partial, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)


def remove(path: pathlib.Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def read_only_name(database: pathlib.Path) -> str:
    # An ordinary connection that closes can remove the log of a running server, and what it writes then is lost.
    return f"{database.absolute().as_uri()}?mode=ro"


def look(room: Room) -> Json:
    record = room.data / RECORD
    newest = next(iter(room.snapshots()), None)
    upgrade = room.upgrade()
    return {
        "version": json.loads(record.read_text())["version"] if record.exists() else "",
        "size": sum(size_of(room.data / name) for name in (*DATABASE, "vector_db")),
        "replacing": bool(room.one(f"*{INCOMING}") or room.one(f"*{ENTERING}")),
        "restore": json.loads(room.restore.read_text()) if room.restore.exists() else None,
        "upgrade": {**upgrade, "frozen": room.snapshot(upgrade).exists()} if upgrade else None,
        "snapshot": {"path": str(newest), **json.loads((newest / "upgrade.json").read_text())} if newest else None,
    }


def columns(connection: sqlite3.Connection, schema: str, table: str) -> set[str]:
    return {row[1] for row in connection.execute(f'PRAGMA {schema}.table_info("{table}")')}


def seconds(stamp: t.Any) -> float:
    """Open WebUI counts in seconds, in some tables in nanoseconds."""
    number = float(stamp or 0)
    return number / 1e9 if number > 1e14 else number


@contextlib.contextmanager
def compared(database: pathlib.Path, snapshot: str) -> t.Iterator[sqlite3.Connection]:
    """The data as the schema "new", the snapshot as "old"."""
    with contextlib.closing(sqlite3.connect("file::memory:", uri=True)) as connection:
        connection.execute("ATTACH ? AS new", [read_only_name(database)])
        if snapshot == NOTHING:
            connection.execute("ATTACH ':memory:' AS old")
            for table in TABLES:
                if columns(connection, "new", table):
                    connection.execute(f'CREATE TABLE old."{table}" AS SELECT * FROM new."{table}" WHERE false')
        else:
            connection.execute("ATTACH ? AS old", [read_only_name(pathlib.Path(snapshot) / "webui.db")])
        yield connection


def since(room: Room, snapshot: str, *own: str, after: float = 0.0) -> Json:
    """Rows that are new or changed by their time of change, and those that are gone.

    With ``after`` only those that were written after that time: a migration may have changed and removed others.
    """
    found: Json = {"total": 0, "removed": 0, "newest": None}
    if not (room.data / "webui.db").exists():
        return found
    latest = 0.0
    with compared(room.data / "webui.db", snapshot) as connection:
        emails = dict(connection.execute('SELECT id, lower(email) FROM new."user"'))
        ours = [one.lower() for one in own]
        # Where an admin lends the playbooks an account, nobody knows who of the two has made something.
        automation = [one for one in ours[:1] if ours.count(one) == 1]
        for table, label in TABLES.items():
            common = columns(connection, "new", table) & columns(connection, "old", table)
            if "id" not in common:
                continue
            account = table == "user"
            # A sign-in changes the row of an account too.
            same = "AND o.updated_at IS n.updated_at" if "updated_at" in common and not account else ""
            writer = "n.id" if account else "n.user_id" if "user_id" in common else "NULL"
            stamp = next((f"n.{name}" for name in ("updated_at", "created_at") if name in common), "NULL")
            there = f'EXISTS (SELECT 1 FROM old."{table}" o WHERE o.id = n.id'
            rows = connection.execute(
                f'SELECT {writer}, {stamp}, {there}) FROM new."{table}" n WHERE NOT {there} {same})'
            ).fetchall()
            # Who changes what the playbooks have made does not become its owner, so a change always counts.
            makers = ours if account else automation if table in DECLARED else []
            rows = [row for row in rows if seconds(row[1]) > after and (row[2] or emails.get(row[0]) not in makers)]
            if rows:
                found[label] = len(rows)
                found["total"] += len(rows)
            for identity, moment, _changed in rows:
                if seconds(moment) > latest:
                    latest = seconds(moment)
                    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(latest))
                    found["newest"] = {"email": emails.get(identity, "unknown"), "time": when}
            if not after:
                gone = f'SELECT count(*) FROM old."{table}" WHERE id NOT IN (SELECT id FROM new."{table}")'
                found["removed"] += connection.execute(gone).fetchone()[0]
    found["total"] += found["removed"]
    return found


def configure(source: pathlib.Path, outgoing: pathlib.Path | None) -> None:
    """Bring the service's own files to their place. What differs there is kept in ``outgoing``."""
    if not (source / PLACE).exists():
        return
    place = pathlib.Path((source / PLACE).read_text())
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    for file in (source / "config").glob("*"):
        target = place / file.name
        if target.exists() and target.read_bytes() == file.read_bytes():
            continue
        if outgoing and target.exists():
            (outgoing / "config").mkdir(mode=0o700, exist_ok=True)
            shutil.copy2(target, outgoing / "config" / file.name)
        write(target, file.read_bytes())


def replace(room: Room, source: str, place: str = "") -> Json:
    path = pathlib.Path(source)
    if path.absolute().parent != room.path.absolute():
        sys.exit(f"{source} is not in {room.path}")
    begun = finish(room)
    kept = room.path / f"aside-{path.name}"
    if not path.is_dir():
        if not kept.exists():
            sys.exit(f"{source} is not there")
        return {"changed": begun["changed"], "aside": str(kept) if any(kept.iterdir()) else None}
    # What takes the data away settles an upgrade of it that was cut off.
    remove(room.journal)
    if place:
        write(path / PLACE, place.encode())
    return put_in_place(room, path)


def put_in_place(room: Room, path: pathlib.Path) -> Json:
    room.outgoing.mkdir(mode=0o700, exist_ok=True)
    path.rename(path.with_name(path.name + INCOMING))
    return finish(room)


def finish(room: Room) -> Json:
    incoming, entering = room.one(f"*{INCOMING}"), room.one(f"*{ENTERING}")
    if incoming:
        configure(incoming, room.outgoing)
        for name in ITEMS:
            if (room.data / name).exists():
                (room.data / name).rename(room.outgoing / name)
        entering = incoming.rename(incoming.with_suffix(ENTERING))
    if not entering:
        return {"changed": False, "aside": None}
    for name in ITEMS:
        if (entering / name).exists():
            (entering / name).rename(room.data / name)
    aside = room.path / f"aside-{entering.stem}"
    if room.outgoing.exists():
        room.outgoing.rename(aside)
    remove(entering)
    return {"changed": True, "aside": str(aside) if any(aside.iterdir()) else None}


def main(commands: t.Sequence[t.Callable[..., Json]]) -> None:
    command, data, *rest = sys.argv[1:]
    room = Room(pathlib.Path(data))
    try:
        if command not in LOOKING:
            room.path.mkdir(mode=0o700, exist_ok=True)
            # The engine makes it to mount over it. A link would be of the service's making.
            alone = os.open(room.path, os.O_DIRECTORY | os.O_NOFOLLOW)
            os.fchmod(alone, 0o700)
            # What a run that was killed has left running here ends first.
            fcntl.flock(alone, fcntl.LOCK_EX)
        print(json.dumps({one.__name__: one for one in commands}[command](room, *rest)))
    except (OSError, ValueError, sqlite3.Error) as exc:
        sys.exit(f"{command} {data}: {exc}")


if __name__ == "__main__":
    main([look, since, replace, finish])
