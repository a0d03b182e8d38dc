# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The runs of the main job so far, from Ansible's log, and the fleet on which they ran."""

from __future__ import annotations

import os
import re
import subprocess
import typing as t
from datetime import datetime
from pathlib import Path

from tests.testbed import user

FOLDER = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
FLEET = user.Fleet(
    f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}",
    [Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"], "inventory.yml"), FOLDER / "variables.yml"],
    {},
)
HOSTS = ("gpu1", "gpu2")
HEAD = r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d+ p=\d+ u=\S+ n=ansible \S+ "
SITE = r"PLAY \[Check every host before anything is changed\]"
RECAP = r"(\S+) +: ok=(\d+) +changed=(\d+).*\n"


class Run(t.NamedTuple):
    """A run of site.yml: when it began, what it printed, and how many tasks of each host were ok or changed it."""

    began: float
    output: str
    ok: dict[str, int]
    changed: dict[str, int]

    @property
    def words(self) -> str:
        """The output without its line breaks, which depend on the length of names."""
        return " ".join(self.output.split())


def of_site() -> list[Run]:
    """All that have come to their end, the newest last."""
    log = (FOLDER / "runs.log").read_text()
    found = re.finditer(rf"(?ms)^{HEAD}({SITE}.*?PLAY RECAP \*+\n(?-s:{HEAD}{RECAP})+)", log)
    return [_run(run[1], re.sub(rf"(?m)^{HEAD}", "", run[2])) for run in found]


def _run(began: str, output: str) -> Run:
    recap = re.findall(rf"(?m)^{RECAP}", output)
    return Run(
        datetime.fromisoformat(began).timestamp(),
        output,
        {host: int(ok) for host, ok, _changed in recap},
        {host: int(changed) for host, _ok, changed in recap},
    )


def execute(host: str, command: str, check: bool = True) -> str:
    """What a shell command on a host prints."""
    return FLEET.execute(host, command, check).strip()


def play(playbook: str, *arguments: str) -> user.Run:
    """Run a playbook as a user would."""
    FLEET.variables.write_text("{}")
    return FLEET.play(playbook, *arguments)


def noted(host: str) -> list[str]:
    """What is on the host, as note.sh sees it."""
    done = subprocess.run(
        ["docker", "exec", "-i", FLEET.container(host), "sh"],
        stdin=(Path(__file__).parent / "note.sh").open(),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def before(host: str) -> list[str]:
    """What was on the host before the first run."""
    return (FOLDER / f"{host}-before.txt").read_text().splitlines()


def requests(since: float) -> str:
    """What was asked of the repositories."""
    command = ["docker", "logs", f"--since={since:.0f}", FLEET.container("packages")]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True).stdout
