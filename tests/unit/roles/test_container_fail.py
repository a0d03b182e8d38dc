# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A failure is read once: where it happens, or in the last message of the rescue, with what became of the service."""

from __future__ import annotations

from pathlib import Path

import pytest
from stage import Stage

PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - block:
        - ansible.builtin.include_role:
            name: selfhosted.llm.container
            tasks_from: "{{ step }}"
          vars: {container_rescued: true}
      rescue:
        - ansible.builtin.include_role:
            name: selfhosted.llm.container
            tasks_from: failed
          vars: {container_fact: why}
        - ansible.builtin.include_role:
            name: selfhosted.llm.container
            tasks_from: fail
          vars: {container_reason: "{{ why }} The old one runs."}
"""
WAIT = {"container_name": "web", "container_ready_url": "http://127.0.0.1:1/", "step": "wait"}
SWAP = {
    "container_name": "web",
    "container_step": "aside",
    "container_step_arguments": ["60"],
    "container_command": ["sh", "-c", "echo No space left >&2; exit 1"],
    "step": "swap",
}


def test_what_nobody_rescues_is_said_at_once(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.have(web={"image": "example.com/web:9.9.9", "running": True})
    plays = PLAY.partition("      rescue:")[0].replace("          vars: {container_rescued: true}\n", "")
    (failure,) = stage.play(plays, {"web": {"hosts": {"web1": WAIT}}}).failures
    assert "The log of example.com/web:9.9.9" in failure


@pytest.mark.parametrize(
    ("variables", "words"), [(WAIT, "The log of example.com/web:9.9.9"), (SWAP, "No space left")], ids=["wait", "swap"]
)
def test_what_is_rescued_is_said_in_the_last_message_only(
    tmp_path: Path, variables: dict[str, object], words: str
) -> None:
    stage = Stage(tmp_path)
    stage.have(web={"image": "example.com/web:9.9.9", "running": True})
    played = stage.play(PLAY, {"web": {"hosts": {"web1": variables}}})
    assert played.status == 2
    assert [words in failure for failure in played.failures] == [False, True], played.output
    assert "The old one runs." in played.failures[-1]
