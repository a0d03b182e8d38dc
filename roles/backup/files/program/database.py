# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Open WebUI's database in SQLite: a copy while the server writes, what is in it, and one account's chats."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
import typing as t
from pathlib import Path

from basics import Failed
from tree import AT_REST_NS

# What people make, and the table that holds it.
TABLES = {
    "users": "user",
    "chats": "chat",
    "messages": "chat_message",
    "files": "file",
    "knowledge": "knowledge",
    "notes": "note",
    "folders": "folder",
    "prompts": "prompt",
    "tools": "tool",
    "functions": "function",
    "skills": "skill",
    "models": "model",
    "groups": "group",
    "channels": "channel",
    "memories": "memory",
    "feedbacks": "feedback",
}
# Columns that are JSON in the database and objects in an export.
JSON_COLUMNS = ("chat", "meta", "variables", "tasks")


@contextlib.contextmanager
def opened(path: Path) -> t.Iterator[sqlite3.Connection]:
    """Read-only: another connection that closes can remove the log of a running server, and what it writes is lost."""
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=60)
    except sqlite3.Error as exc:
        raise Failed(f"The database {path} cannot be opened: {exc}.") from exc
    try:
        yield connection
    except sqlite3.Error as exc:
        raise Failed(f"The database {path} cannot be read: {exc}.") from exc
    finally:
        connection.close()


def seen(path: Path) -> list[int] | None:
    """What tells that a database was written to since: the facts of its file and of its log. None: it is in use."""
    facts: list[int] = []
    for file in (path, path.with_name(path.name + "-wal")):
        with contextlib.suppress(FileNotFoundError):
            status = file.stat()
            if time.time_ns() - status.st_mtime_ns < AT_REST_NS:
                return None
            facts += [status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]
    return facts


def copy(source: Path, target: Path, volume: Path) -> None:
    """A sound copy of a database that others write to, in one file.

    :arg volume: where the service's container writes, and from where no link of its making may lead
    :raises Failed: the database is damaged, or elsewhere, or the copy does not fit on the disk
    """
    if source.is_symlink():
        raise Failed(f"The database {source} is a symbolic link, which the service itself may have made.")
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    roots, before = [place.resolve() for place in (volume, target.parent)], _open_files()
    with opened(source) as live, contextlib.closing(sqlite3.connect(target)) as duplicate:
        try:
            live.backup(duplicate)
            # SQLite opens by name, which may have become a link since. What it has open tells where it came to.
            for path in _open_files() - before:
                if not any(path.is_relative_to(root) for root in roots):
                    raise Failed(f"The database {source} led to {path}, by a link that the service may have made.")
            # Else whoever opens the copy makes two more files beside it.
            duplicate.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.Error as exc:
            raise Failed(f"{source} cannot be copied to {target}: {exc}.") from exc
        check(duplicate, source)
    os.chmod(target, 0o600)


def _open_files() -> set[Path]:
    found = set()
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.add(Path(os.readlink(f"/proc/self/fd/{number}")))
    return {path for path in found if path.is_absolute()}


def check(connection: sqlite3.Connection, name: Path) -> None:
    verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise Failed(
            f"The database {name} is damaged ({' '.join(verdict.split())}), so no backup was made of it; earlier ones"
            " stay. Stop the service and repair it (sqlite3's .recover), or restore an earlier backup."
        )


def contents(path: Path) -> dict[str, t.Any]:
    """The schema, how much of each thing there is (None: this version has no such thing), and who has an account."""
    with opened(path) as database:
        tables = {row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if "user" not in tables:
            raise Failed(f"{path} is no database of Open WebUI: it has no accounts.")
        heads = database.execute("SELECT version_num FROM alembic_version") if "alembic_version" in tables else []
        counts = {
            name: database.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0] if table in tables else None
            for name, table in TABLES.items()
        }
        accounts = sorted(row[0].lower() for row in database.execute('SELECT email FROM "user"') if row[0])
        return {"schema": sorted(row[0] for row in heads), "counts": counts, "accounts": accounts}


def uploads(path: Path) -> set[str]:
    """The uploaded files that a database names, by their names in the directory of uploads."""
    with opened(path) as database:
        rows = database.execute("SELECT path FROM file WHERE path LIKE '%/uploads/%'").fetchall()
    return {row[0].rpartition("/uploads/")[2] for row in rows}


def chats_of(path: Path, email: str) -> tuple[str, list[dict[str, t.Any]]]:
    """The name and the chats of an account, oldest first, as the server itself exports them."""
    with opened(path) as database:
        database.row_factory = sqlite3.Row
        user = database.execute('SELECT id, name FROM "user" WHERE lower(email) = ?', (email.lower(),)).fetchone()
        if not user:
            raise Failed(f"{email} has no account in {path}: see who has one with 'contents'.")
        rows = database.execute(
            "SELECT * FROM chat WHERE user_id = ? ORDER BY created_at, id", (user["id"],)
        ).fetchall()
    return user["name"], [_exported(dict(row)) for row in rows]


def _exported(chat: dict[str, t.Any]) -> dict[str, t.Any]:
    for name in JSON_COLUMNS:
        if isinstance(chat.get(name), str):
            chat[name] = json.loads(chat[name])
    for name in ("archived", "pinned"):
        chat[name] = bool(chat.get(name))
    return chat
