# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The vectors of Open WebUI's knowledge: Chroma's database, and beside it a directory of index files per collection."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import database
from basics import Failed, run, say
from tree import Tree, walk

PLACE = "data/vector_db"
DATABASE = "chroma.sqlite3"
PROOF = Path(__file__).with_name("proof.py")
ATTEMPTS = 5
PAUSE = 1.0
# Longer than the proof gives itself, for an engine that hangs.
PATIENCE = 3900

State = dict[str, str]


def add(source: Path, tree: Tree, image: str) -> State:
    """Put them into the tree, and open the copy with the service's own image.

    :returns: ``copied``, ``none``, or ``reindex`` with the reason: they have to be made anew from the uploaded files
    """
    if not any(True for _file in walk(source)):
        return {"state": "none", "reason": ""}
    if source.is_symlink():
        return reindex(f"{source} is a symbolic link, which the service itself may have made")
    if not (source / DATABASE).exists():
        return reindex(f"{source} holds no store of Chroma")
    try:
        _copy(source, tree)
    except Failed as exc:
        tree.discard(PLACE)
        return reindex(str(exc))
    if _as_before(tree):
        return {"state": "copied", "reason": ""}
    try:
        _prove(tree.path / PLACE, image)
    except Failed as exc:
        return reindex(str(exc))
    return {"state": "copied", "reason": ""}


def reindex(reason: str) -> State:
    say(f"Warning: the vectors will have to be made anew after a restore: {reason}")
    return {"state": "reindex", "reason": reason}


def _copy(source: Path, tree: Tree) -> None:
    # The database first: what a later index has in addition does no harm, what it lacks would be missed.
    live, name = source / DATABASE, f"{PLACE}/{DATABASE}"
    seen = database.seen(live)
    if not tree.reuse(name, seen):
        database.copy(live, tree.path / name, source.parent)
        tree.note(name, live.stat(), seen)
    # The service may exchange the directory by a link.
    place = os.open(source, os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        with os.scandir(place) as found:
            indexes = sorted(source / one.name for one in found if one.is_dir(follow_symlinks=False))
        for attempt in range(ATTEMPTS):
            time.sleep(PAUSE if attempt else 0)
            before = _facts(indexes)
            for index in indexes:
                tree.discard(f"{PLACE}/{index.name}")
                tree.add_all(index, f"{PLACE}/{index.name}", parent=place)
            if _facts(indexes) == before:
                return
    finally:
        os.close(place)
    raise Failed(f"the index files in {source} changed each of the {ATTEMPTS} times that they were copied")


def _facts(indexes: list[Path]) -> dict[Path, list[int]]:
    found = {}
    for index in indexes:
        for path, _relative in walk(index):
            with contextlib.suppress(FileNotFoundError):
                facts = os.lstat(path)
                found[path] = [facts.st_ino, facts.st_size, facts.st_mtime_ns]
    return found


def _as_before(tree: Tree) -> bool:
    """Whether an earlier backup had the very same files, and opened them."""
    former = tree.former
    if not former or former["vectors"]["state"] != "copied":
        return False
    files = {entry["path"]: entry["sha256"] for entry in former["files"]}
    return {path: digest for path, digest in files.items() if path.startswith(f"{PLACE}/")} == tree.below(PLACE)


def _prove(copy: Path, image: str) -> None:
    say("Opening the copy of the vectors.")
    # As a field of a CSV record, because a path may hold a comma.
    source = '"source={}"'.format(str(copy).replace('"', '""'))
    mount = f"type=bind,{source},target=/vectors,readonly"
    command = ["docker", "run", "--rm", "--interactive", "--network", "none", "--pull", "never", "--mount", mount]
    # Should memory run out, the service is not what has to go.
    command += ["--oom-score-adj", "1000"]
    command += ["--label", "selfhosted.llm.role=backup", "--entrypoint", "python3"]
    command += [image, "-", "/vectors", "/tmp/vectors"]
    with open(PROOF, "rb") as script:
        run(command, f"Opening the copy of the vectors with {image}", stdin=script, timeout=PATIENCE)
