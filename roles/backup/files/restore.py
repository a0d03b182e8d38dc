# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Notes how far a backup has come that takes the place of Open WebUI's data, so that the next run finishes it.

    begin DATA CONTAINER   readies the backup in DATA/.selfhosted-llm/arrived to take the place of the data
    undo DATA              tells what has to come back, once "data.py finish" was run
    end DATA               forgets it

Prints one JSON object. Each command may be killed at any point and run again.
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import typing as t

Json = dict[str, t.Any]

RECORD = ".selfhosted-llm.json"
# What else was in the directory of the service's files is written by its role, from the inventory.
SECRETS = ("session_key", "automation_password", "probe_password", "admin_password")


class Room:
    def __init__(self, data: str) -> None:
        self.path = pathlib.Path(data) / ".selfhosted-llm"
        self.journal = self.path / "restore.json"
        self.arrived = self.path / "arrived"

    def note(self, journal: Json) -> Json:
        partial = self.journal.with_suffix(".partial")
        with open(partial, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            json.dump(journal, file)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(self.journal)
        return journal


def remove(path: pathlib.Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def state_of(container: str) -> bool | None:
    """Whether it runs. None: there is none."""
    command = ["docker", "container", "inspect", "--format", "{{ .State.Running }}", container]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() == "true" if done.returncode == 0 else None


def begin(room: Room, container: str) -> Json:
    if room.journal.exists():
        journal = json.loads(room.journal.read_text())
    else:
        manifest = json.loads((room.arrived / "manifest.json").read_text())
        name = time.strftime("restore-%Y%m%dT%H%M%SZ", time.gmtime())
        facts = {key: manifest[key] for key in ("id", "host", "vectors")}
        journal = room.note({**facts, "from": str(room.path / name), "running": state_of(container)})
    if (room.arrived / "data").is_dir():
        ready(room.arrived, pathlib.Path(journal["from"]))
    return journal


def ready(arrived: pathlib.Path, target: pathlib.Path) -> None:
    """Make the data of a backup what ``data.py replace`` takes."""
    data = arrived / "data"
    if not (data / RECORD).exists():
        version = json.loads((arrived / "manifest.json").read_text())["program"]["version"]
        (data / RECORD).write_text(json.dumps({"version": version}) + "\n")
    (data / "config").mkdir(mode=0o700, exist_ok=True)
    for name in SECRETS:
        if (arrived / "config" / name).exists():
            (arrived / "config" / name).rename(data / "config" / name)
    data.rename(target)


def aside_of(journal: Json) -> pathlib.Path:
    """Where ``data.py replace`` leaves what was there."""
    path = pathlib.Path(journal["from"])
    return path.with_name(f"aside-{path.name}")


def undo(room: Room) -> Json:
    journal = json.loads(room.journal.read_text()) if room.journal.exists() else {}
    if journal and "undo" not in journal:
        replaced = not pathlib.Path(journal["from"]).exists() and aside_of(journal).is_dir()
        journal = room.note({**journal, "undo": str(aside_of(journal)) if replaced else ""})
    return journal


def end(room: Room) -> Json:
    journal = json.loads(room.journal.read_text()) if room.journal.exists() else {}
    aside = aside_of(journal) if journal else room.path / "aside"
    if "undo" in journal:
        # It is in the backup as well, and nobody has worked with it.
        remove(aside.with_name(f"aside-{aside.name}"))
        remove(pathlib.Path(journal["from"]))
    elif aside.is_dir() and not any(aside.iterdir()):
        aside.rmdir()
    remove(room.arrived)
    remove(room.journal)
    return {**journal, "aside": str(aside) if aside.is_dir() else None}


def main() -> None:
    command, data, *rest = sys.argv[1:]
    try:
        print(json.dumps({one.__name__: one for one in (begin, undo, end)}[command](Room(data), *rest)))
    except (OSError, ValueError) as exc:
        sys.exit(f"{command} {data}: {exc}")


if __name__ == "__main__":
    main()
