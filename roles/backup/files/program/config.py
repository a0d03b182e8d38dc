# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file that says what a service's backup is made of, and where it goes."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from basics import Failed, run
from retention import PERIODS

SERVICES = ("open_webui", "ollama")
KEYS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("service", "name", "host", "image", "version", "data", "config", "api", "directory"), (str,)),
    **dict.fromkeys(("variables", "keep"), (dict,)),
    "weights": (bool,),
    "database_url": (str, type(None)),
    "restic": (dict, type(None)),
}
# An engine that hangs does not answer at all.
PATIENCE = 60
RESTIC_KEYS = {"repository", "password_file", "environment_file", "check"}

Config = dict[str, t.Any]


def read(path: Path) -> Config:
    """:raises Failed: it cannot be read, or lacks something"""
    try:
        config = json.loads(path.read_bytes())
        problems = [key for key in {*KEYS, *config} if key not in KEYS or not isinstance(config.get(key), KEYS[key])]
        problems += sorted({*(config.get("restic") or RESTIC_KEYS)} ^ RESTIC_KEYS)
        if not problems and (config["service"] not in SERVICES or "/" in config["name"] or not config["name"]):
            problems = ["service or name"]
        places = [key for key in ("directory", "data") if not problems and not config[key].startswith("/")]
        problems += [key for key in places if config[key] or config["service"] != "ollama"]
    except OSError as exc:
        raise Failed(f"{path} cannot be read: {exc.strerror}.") from exc
    except (ValueError, TypeError) as exc:
        raise Failed(f"{path} is no JSON object: {exc}.") from exc
    if problems:
        raise Failed(
            f"{path} is not right at: {', '.join(sorted(problems))}. Run playbooks/backup.yml, which writes it."
        )
    return {**config, "keep": rules(config["keep"])}


def rules(keep: dict[str, t.Any]) -> dict[str, int]:
    """How many backups of which period stay."""
    wrong = [
        key
        for key in keep
        if key not in PERIODS or not isinstance(keep[key], int) or isinstance(keep[key], bool) or keep[key] < 0
    ]
    if wrong:
        raise Failed(f"keep is not right at {', '.join(sorted(wrong))}: numbers from 0 for {', '.join(PERIODS)}.")
    return {period: keep.get(period, 0) for period in PERIODS}


def image_of(config: Config) -> str:
    """The container's, because the inventory may already want another one."""
    command = ["docker", "container", "inspect", "--format", "{{.Config.Image}}", config["name"]]
    try:
        return run(command, "Looking at the container", timeout=PATIENCE).strip()
    except Failed:
        return str(config["image"])
