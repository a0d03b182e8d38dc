# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a backup of Open WebUI holds, in the order in which it has to be taken."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import database
import postgresql
import vectors
from basics import Failed
from config import image_of
from tree import Tree, walk

RECORD = ".selfhosted-llm.json"
DUMP, DATABASE = "data/database.dump", "data/webui.db"

Config = dict[str, t.Any]


def gather(config: Config, tree: Tree) -> dict[str, t.Any]:
    """Put everything into the tree.

    :returns: what the manifest says of it
    """
    data = Path(config["data"])
    image = image_of(config)
    facts, named = _database(config, data, tree)
    # After the database: whatever it names was written before.
    tree.add_all(data / "uploads", "data/uploads", once=True)
    state = vectors.add(data / "vector_db", tree, image)
    tree.add(data / RECORD, f"data/{RECORD}")
    missing = sorted({f"data/uploads/{name}" for name in named} - set(tree.below("data/uploads")))
    return {
        **facts,
        "vectors": state,
        "missing": missing,
        "models": [],
        "program": {"version": _version(tree, config), "image": image},
    }


def needed(config: Config, tree: Tree) -> int:
    """The bytes that a backup would take at most."""
    data = Path(config["data"])
    # Its container makes a second copy of the vectors, often on the same disk.
    files = [data / "webui.db", data / "webui.db-wal", *[path for path, _name in walk(data / "vector_db")] * 2]
    whole = sum(file.stat().st_size for file in files if file.exists())
    return whole + tree.needed(data / "uploads", "data/uploads")


def _database(config: Config, data: Path, tree: Tree) -> tuple[dict[str, t.Any], set[str]]:
    if config["database_url"]:
        environment = postgresql.settings(Path(config["config"]) / "environment", config["database_url"])
        postgresql.dump(environment, tree.path / DUMP)
        tree.note(DUMP)
        facts, named = postgresql.contents(environment), postgresql.uploads(environment)
    else:
        live, copy = data / "webui.db", tree.path / DATABASE
        if not live.exists():
            raise Failed(f"{config['name']} on {config['host']} has no database {live}: deploy it first.")
        database.copy(live, copy, data)
        tree.note(DATABASE, live.stat())
        facts, named = database.contents(copy), database.uploads(copy)
    kind = "postgresql" if config["database_url"] else "sqlite"
    return {"database": kind, "schema": facts["schema"], "counts": facts["counts"]}, named


def _version(tree: Tree, config: Config) -> str:
    """Which used the data last, because the inventory may already want another one."""
    try:
        return str(json.loads((tree.path / "data" / RECORD).read_bytes())["version"])
    except (OSError, ValueError, KeyError):
        return str(config["version"])
