# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Notes how far a backup has come that takes the place of Open WebUI's data, so that the next run finishes it.

    begin DATA CONTAINER         readies the backup in DATA/.selfhosted-llm/arrived to take the place of the data
    replace DATA FROM [CONFIG]   as in data.py
    finish DATA                  as in data.py
    undo DATA                    tells what has to come back, once "finish" was run
    end DATA                     forgets it

Prints one JSON object. Ends with 1 and one sentence on stderr when it fails. Each command may be killed at any point
and run again.
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import time

from data import RECORD, Json, Room, finish, main, remove, replace, write

# What else was in the directory of the service's files is written by its role, from the inventory.
SECRETS = ("session_key", "automation_password", "probe_password", "admin_password")


def note(room: Room, journal: Json) -> Json:
    write(room.restore, json.dumps(journal).encode())
    return journal


def noted(room: Room) -> Json:
    return json.loads(room.restore.read_text()) if room.restore.exists() else {}


def state_of(container: str) -> bool | None:
    """Whether it runs. None: there is none."""
    command = ["docker", "container", "inspect", "--format", "{{ .State.Running }}", container]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() == "true" if done.returncode == 0 else None


def begin(room: Room, container: str) -> Json:
    arrived = room.path / "arrived"
    journal = noted(room)
    if not journal:
        manifest = json.loads((arrived / "manifest.json").read_text())
        name = time.strftime("restore-%Y%m%dT%H%M%SZ", time.gmtime())
        facts = {key: manifest[key] for key in ("id", "host", "vectors")}
        journal = note(room, {**facts, "from": str(room.path / name), "running": state_of(container)})
    if (arrived / "data").is_dir():
        ready(arrived, pathlib.Path(journal["from"]))
    return journal


def ready(arrived: pathlib.Path, target: pathlib.Path) -> None:
    """Make the data of a backup what ``data.py replace`` takes."""
    data = arrived / "data"
    if not (data / RECORD).exists():
        version = json.loads((arrived / "manifest.json").read_text())["program"]["version"]
        write(data / RECORD, json.dumps({"version": version}).encode() + b"\n")
    (data / "config").mkdir(mode=0o700, exist_ok=True)
    for name in SECRETS:
        if (arrived / "config" / name).exists():
            (arrived / "config" / name).rename(data / "config" / name)
    data.rename(target)


def aside_of(source: str) -> pathlib.Path:
    """Where ``replace`` leaves what was there."""
    path = pathlib.Path(source)
    return path.with_name(f"aside-{path.name}")


def undo(room: Room) -> Json:
    journal = noted(room)
    if journal and "undo" not in journal:
        aside = aside_of(journal["from"])
        replaced = not pathlib.Path(journal["from"]).exists() and aside.is_dir()
        journal = note(room, {**journal, "undo": str(aside) if replaced else ""})
    back = journal.get("undo")
    # When neither is there, it is back, and "end" was cut off.
    return {**journal, "undo": ""} if back and not (pathlib.Path(back).exists() or aside_of(back).exists()) else journal


def end(room: Room) -> Json:
    journal = noted(room)
    aside = aside_of(journal["from"]) if journal else room.path / "aside"
    if "undo" in journal:
        # It is in the backup as well, and nobody has worked with it.
        remove(aside_of(str(aside)))
        remove(pathlib.Path(journal["from"]))
    elif aside.is_dir() and not any(aside.iterdir()):
        aside.rmdir()
    remove(room.path / "arrived")
    remove(room.restore)
    return {**journal, "aside": str(aside) if aside.is_dir() else None}


if __name__ == "__main__":
    main([begin, replace, finish, undo, end])
