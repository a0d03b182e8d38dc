# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Playbooks as users write them, run by a real ``ansible-playbook`` on this machine."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import textwrap

from module_process import ROOT, Result, environment

HEAD = """\
- hosts: localhost
  gather_facts: false
  tasks:
"""
LONGEST_PLAY = 300


def start(folder: pathlib.Path, tasks: str, *wrapper: str, **variables: str) -> subprocess.Popen[str]:
    """Start a play of tasks.

    :arg folder: the playbook's, with whatever lies there: ``files``, ``group_vars``
    :arg tasks: YAML, as in the documentation of a module
    :arg wrapper: a command that runs another one
    :arg variables: of the environment
    """
    folder.mkdir(parents=True, exist_ok=True)
    playbook = folder / "play.yml"
    playbook.write_text(HEAD + textwrap.indent(tasks, "    "), encoding="utf-8")
    settings = {
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "XDG_STATE_HOME": str(folder / "state"),
    }
    command = ["ansible-playbook", "--inventory", "localhost,", "--connection", "local", "--diff", str(playbook)]
    return subprocess.Popen(
        [*wrapper, *command],
        cwd=ROOT,
        env={**environment(), **settings, **variables},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def play(folder: pathlib.Path, tasks: str, *wrapper: str, **variables: str) -> list[tuple[str, Result]]:
    """Run tasks and give the name and the result of each. A task that fails ends the play."""
    output, errors = start(folder, tasks, *wrapper, **variables).communicate(timeout=LONGEST_PLAY)
    assert "{\n" in output, f"{output}{errors}"
    document = json.JSONDecoder().raw_decode(output[output.index("{\n") :])[0]
    tasks_run = [task for one in document["plays"] for task in one["tasks"]]
    assert tasks_run, f"{output}{errors}"
    return [(task["task"]["name"], task["hosts"].get("localhost", {})) for task in tasks_run]


def results(folder: pathlib.Path, tasks: str, **variables: str) -> list[Result]:
    """The results of tasks that may not fail."""
    found = play(folder, tasks, **variables)
    assert [f"{name}: {result['msg']}" for name, result in found if result.get("failed")] == []
    return [result for _name, result in found]
