# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The order of a move between two hosts: wherever it fails after the old service was stopped, that is started again."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from stage import ROOT, Stage, answering

PLAYS = f"- ansible.builtin.import_playbook: {ROOT}/playbooks/move.yml"
# Says what it is to do, and fails where it is told to. What has to do with the old service is really done.
BACKUP = """
- ansible.builtin.set_fact:
    step: "{{ backup_step | default('take') }}"
- ansible.builtin.shell: echo "{{ inventory_hostname }} {{ step }}" >> "{{ steps }}"
- ansible.builtin.fail:
  when: step == failing
- ansible.builtin.set_fact:
    __backup_move_served: "{{ 2.0 }}"
  when: step == 'move_done'
- ansible.builtin.include_role:
    name: selfhosted.llm.backup
    tasks_from: "{{ step }}"
  vars: {backup_name: web, backup_api: "http://127.0.0.1:{{ port }}"}
  when: step in ['move_stop', 'move_undo', 'move_end']
- ansible.builtin.fail:
    msg: It was put back.
  when: step == 'restore_undo'
"""
START = """
- ansible.builtin.shell: echo "{{ inventory_hostname }} start" >> "{{ steps }}"
- ansible.builtin.fail:
  when: failing == 'start'
"""
# What the new host does by itself.
ARRIVAL = ["new restore_check", "new restore_bring"]
IN_PLACE = ["new move_receive", "new restore_put", "new move_watch", "new start", "new restore_done", "new move_done"]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    stage = Stage(tmp_path)
    stage.role("open_webui", backup=BACKUP, main=START, verify="[]")
    stage.role("ollama", backup="[]")
    stage.have(web={"image": "example.com/web:1", "running": True})
    return stage


def move(stage: Stage, failing: str) -> tuple[int, list[str], t.Any]:
    """The exit status, the steps of both hosts in their order, and the container of the old one."""
    with answering() as port:
        steps = stage.root / "steps"
        said = {"move_from": "old", "move_to": "new", "failing": failing, "port": port, "steps": str(steps)}
        played = stage.play(PLAYS, {"open_webui": {"hosts": {"old": {}, "new": {}}}}, "-e", json.dumps(said))
    assert steps.exists(), played.output
    done = [step for step in steps.read_text().splitlines() if not step.endswith("move_check")]
    return played.status, done, stage.containers["web"]["running"]


@pytest.mark.thorough
def test_the_old_service_stops_last_and_stays_so(stage: Stage) -> None:
    expected = ["old take", *ARRIVAL, "old move_stop", "old move_take", *IN_PLACE, "old move_end"]
    assert move(stage, failing="") == (0, expected, False)


@pytest.mark.parametrize(
    "failing", ["start", *(pytest.param(one, marks=pytest.mark.thorough) for one in ("restore_put",))]
)
def test_the_old_service_starts_again_when_the_new_one_fails(stage: Stage, failing: str) -> None:
    status, steps, runs = move(stage, failing)
    assert status != 0
    assert runs
    done = IN_PLACE[: IN_PLACE.index(f"new {failing}") + 1]
    assert steps[-len(done) - 2 :] == [*done, "new restore_undo", "old move_end"]
    assert stage.log == ["stop web", "start web"]


@pytest.mark.thorough
def test_the_old_service_starts_again_when_the_rest_cannot_be_taken(stage: Stage) -> None:
    status, steps, runs = move(stage, "move_take")
    assert status != 0
    assert runs
    assert steps[-2:] == ["old move_take", "old move_undo"]
    assert stage.log == ["stop web", "start web"]
