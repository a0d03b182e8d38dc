# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prints as JSON what is known on this host of the backups of each service, by the service's name.

Arguments: the directory of the configurations, and the program that takes backups. For each configuration: ``last``,
what the program says of the last good backup, and ``number``, how many there are, or ``problem``, why it says nothing;
``scheduled``, whether the timer runs; ``failed``, what the last run of the timer said at its end, or nothing.
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

PATIENCE, TIMED_OUT = "60", 124


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


def last_line(text):
    return (text.strip().splitlines() or [""])[-1]


def status(program, config):
    # A repository that is far away and gone would hold up everybody who looks.
    done = run("timeout", PATIENCE, sys.executable, program, "status", str(config))
    if done.returncode == TIMED_OUT:
        return {"last": None, "problem": f"they did not answer within {PATIENCE} seconds."}
    if done.returncode:
        return {"last": None, "problem": last_line(done.stderr)}
    return {key: json.loads(done.stdout)[key] for key in ("last", "number")}


def failure(unit):
    if run("systemctl", "is-failed", "--quiet", unit).returncode:
        return ""
    # What systemd itself says of the unit is in its journal under another field.
    said = run("journalctl", f"_SYSTEMD_UNIT={unit}", "--lines=1", "--output=cat", "--no-pager").stdout
    return last_line(said) or "it said nothing"


def main():
    directory, program = sys.argv[1:]
    found = {}
    for config in sorted(pathlib.Path(directory).glob("*.json")):
        unit = f"selfhosted-llm-backup@{config.stem}"
        found[config.stem] = {
            **status(program, config),
            "scheduled": run("systemctl", "is-active", "--quiet", f"{unit}.timer").returncode == 0,
            "failed": failure(f"{unit}.service"),
        }
    print(json.dumps(found))


main()
