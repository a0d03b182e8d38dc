# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Open WebUI's database in PostgreSQL, by the server's own client programs."""

from __future__ import annotations

import os
import shlex
import typing as t
import urllib.parse
from pathlib import Path

from basics import Failed, run
from database import TABLES


def settings(environment: Path, name: str) -> dict[str, str]:
    """How the client programs find the database: as variables, because everybody on the host sees their arguments.

    :arg environment: the service's file of secrets, with a line ``export NAME=...``
    :arg name: the variable that holds the URL
    """
    prefix = f"export {name}="
    try:
        lines = environment.read_text(encoding="utf-8").splitlines()
    except OSError as exc:
        raise Failed(f"{environment}, which holds {name}, cannot be read: {exc.strerror}.") from exc
    values = [shlex.split(line[len(prefix) :]) for line in lines if line.startswith(prefix)]
    url = urllib.parse.urlsplit("".join(values[-1]) if values else "")
    if url.scheme.partition("+")[0] not in ("postgresql", "postgres"):
        raise Failed(f"{name} in {environment} is no URL that begins with postgresql://.")
    query = dict(urllib.parse.parse_qsl(url.query))
    parts = {
        "host": url.hostname,
        "port": str(url.port or ""),
        "user": url.username,
        "password": url.password,
        "dbname": url.path[1:],
    }
    unquoted = {key: urllib.parse.unquote(value) for key, value in parts.items() if value}
    names = {"dbname": "PGDATABASE"}
    variables = {names.get(key, f"PG{key.upper()}"): value for key, value in {**unquoted, **query}.items()}
    return {**os.environ, **variables, "PGCONNECT_TIMEOUT": "30"}


def dump(environment: dict[str, str], target: Path) -> None:
    """A dump of the whole database as it is at one moment, which ``pg_restore`` can read."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = f"the database {environment.get('PGDATABASE')} on {environment.get('PGHOST', 'this host')}"
    command = ["pg_dump", "--format=custom", "--no-password", f"--file={target}"]
    run(command, f"A dump of {place}", env=environment)
    run(["pg_restore", "--list", str(target)], f"Reading the dump of {place} again", env=environment)
    with open(target, "rb") as file:
        os.fsync(file.fileno())


def contents(environment: dict[str, str]) -> dict[str, t.Any]:
    """The same as of a database in SQLite, from the server."""
    tables = set(_column(environment, "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"))
    counts = {
        name: int(_column(environment, f'SELECT count(*) FROM "{table}"')[0]) if table in tables else None
        for name, table in TABLES.items()
    }
    heads = _column(environment, "SELECT version_num FROM alembic_version") if "alembic_version" in tables else []
    accounts = _column(environment, 'SELECT lower(email) FROM "user"') if "user" in tables else []
    return {"schema": sorted(heads), "counts": counts, "accounts": sorted(accounts)}


def uploads(environment: dict[str, str]) -> set[str]:
    rows = _column(environment, "SELECT path FROM file WHERE path LIKE '%/uploads/%'")
    return {row.rpartition("/uploads/")[2] for row in rows}


def _column(environment: dict[str, str], query: str) -> list[str]:
    command = ["psql", "--no-psqlrc", "--no-password", "--tuples-only", "--no-align", "--command", query]
    return run(command, "A query of the database", env=environment).splitlines()
