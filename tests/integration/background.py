# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs of ``ansible-playbook`` that a test goes on beside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

from webui_server import ROOT


class Plays:
    """Runs of one task each.

    :arg home: an empty directory
    """

    def __init__(self, home: Path) -> None:
        self.home = home

    def start(self, name: str, task: dict[str, t.Any]) -> subprocess.Popen[str]:
        """Begin one."""
        file = self.home / f"{name}.json"
        variables = {"ansible_python_interpreter": sys.executable}
        play = {"hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": [task]}
        file.write_text(json.dumps([play]), encoding="utf-8")
        command = ["ansible-playbook", "--inventory", "localhost,", "--connection", "local", str(file)]
        settings = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "OPENWEBUI_"))},
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        }
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return subprocess.Popen(command, cwd=ROOT, env=settings, text=True, **pipes)

    def result(self, process: subprocess.Popen[str]) -> dict[str, t.Any]:
        """Wait for its end, and give the result of the task."""
        output = process.communicate(timeout=120)[0]
        document = json.JSONDecoder().raw_decode(output[output.index("{\n") :])[0]
        return document["plays"][0]["tasks"][0]["hosts"]["localhost"]

    def at_once(self, task: dict[str, t.Any]) -> list[dict[str, t.Any]]:
        """The results of two runs of the same task that begin together."""
        return [self.result(process) for process in [self.start(name, task) for name in ("one", "two")]]
