# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One task by a real ``ansible-playbook``, and what it took."""

from __future__ import annotations

import datetime
import json
import os
import pathlib
import subprocess
import sys
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[2]
INTERPRETER = pathlib.Path(__file__).with_name("interpreter")


class Taken(t.NamedTuple):
    """:arg task: seconds from the start of the task to its result, as Ansible's callback sees them
    :arg process: seconds from the start to the end of the module's process; of the first one in a loop
    :arg memory: bytes that it had at its peak
    :arg result: of the task
    """

    task: float
    process: float
    memory: int
    result: dict[str, t.Any]


class Plays:
    """Runs tasks on this host.

    :arg home: a directory for everything that Ansible and the module write
    """

    def __init__(self, home: pathlib.Path) -> None:
        self.file = home / "play.yml"
        self.processes = home / "processes"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "OLLAMA_"))}
        self.environment = {
            **kept,
            "PATH": os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ["PATH"]]),
            "HOME": str(home),
            "XDG_STATE_HOME": str(home),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            "BENCH_PROCESSES": str(self.processes),
        }

    def run(self, wanted: dict[str, t.Any]) -> Taken:
        """Run a play of this one task, which must not fail."""
        variables = {"ansible_python_interpreter": str(INTERPRETER)}
        play = {"hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": [wanted]}
        self.file.write_text(json.dumps([play]), encoding="utf-8")
        self.processes.write_text("", encoding="utf-8")
        command = ["ansible-playbook", "--inventory", "localhost,", "--connection", "local", str(self.file)]
        ended = subprocess.run(command, cwd=ROOT, env=self.environment, text=True, capture_output=True, check=False)
        if ended.returncode:
            raise SystemExit(f"the play failed:\n{ended.stdout}{ended.stderr}")
        document = json.loads(ended.stdout[ended.stdout.index("{\n") :])
        (task,) = document["plays"][0]["tasks"]
        duration = task["task"]["duration"]
        start, end = (datetime.datetime.fromisoformat(duration[key].rstrip("Z")) for key in ("start", "end"))
        process = json.loads(self.processes.read_text(encoding="utf-8").splitlines()[0])
        taken = (end - start).total_seconds()
        return Taken(taken, process["seconds"], process["memory"], task["hosts"]["localhost"])
