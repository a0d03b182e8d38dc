# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An upgrade of two hosts with Ollama, one after the other: the way back, and what the next run makes of half a one."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from stage import ROOT, Played, Stage, answering

# As preflight.yml leaves it to the playbook.
PLAYS = f"""
- hosts: ollama
  gather_facts: false
  tasks:
    - ansible.builtin.group_by: {{key: __ollama_upgrades}}
- ansible.builtin.import_playbook: {ROOT}/playbooks/upgrade_ollama.yml
"""
IMAGE = "docker.io/ollama/ollama"
BEFORE = {
    "one": {"image": f"{IMAGE}:1.0.0", "running": True},
    "two": {"image": f"{IMAGE}:1.0.0", "running": True},
}


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    stage = Stage(tmp_path)
    stage.have(**BEFORE)
    return stage


@pytest.fixture
def upgrade(stage: Stage) -> t.Iterator[t.Callable[[str], Played]]:
    with answering() as port:

        def upgrade(version: str) -> Played:
            variables = {
                "ollama_version": version,
                "ollama_port": port,
                "ollama_drain_timeout": 1,
                "__nvidia_gpu_info": {"pci": {"gpus": []}},
            }
            # Not in the order of the alphabet.
            hosts = {"host2": {"ollama_name": "two"}, "host1": {"ollama_name": "one"}}
            log = f"__ollama_failed_log={stage.root}/failed.log"
            return stage.play(PLAYS, {"ollama": {"hosts": hosts, "vars": variables}}, "-e", log)

        yield upgrade


@pytest.mark.thorough
def test_one_host_after_the_other_in_the_order_of_the_inventory(stage: Stage, upgrade: t.Any) -> None:
    played = upgrade("2.0.0")
    assert played.status == 0, played.output
    expected = ["stop {0}", "rename {0}", "run {0} 2.0.0", "rm {0}-before-upgrade"]
    assert stage.log == [line.format(name) for name in ("two", "one") for line in expected]


@pytest.mark.parametrize(
    ("version", "words"),
    [("9.9.9", f"The log of {IMAGE}:9.9.9"), pytest.param("8.8.8", "There is no image", marks=pytest.mark.thorough)],
)
def test_the_first_that_fails_goes_back_and_ends_the_run(
    stage: Stage, upgrade: t.Any, version: str, words: str
) -> None:
    played = upgrade(version)
    assert played.status == 2
    assert stage.containers == BEFORE
    assert not [line for line in stage.log if line.endswith(" one")]
    assert [words in failure for failure in played.failures] == [False, True], played.output
    assert f"{IMAGE}:1.0.0 runs there again" in played.failures[-1]


@pytest.mark.parametrize(
    ("left", "image"),
    [
        ({"two-before-upgrade": {"image": f"{IMAGE}:1.0.0", "running": False}}, None),
        (
            {
                "two-before-upgrade": {"image": f"{IMAGE}:1.0.0", "running": False},
                "two": {"image": f"{IMAGE}:9.9.9", "running": True},
            },
            "9.9.9",
        ),
        (
            {
                "two-before-upgrade": {"image": f"{IMAGE}:1.0.0", "running": False},
                "two": {"image": f"{IMAGE}:2.0.0", "running": True},
            },
            "2.0.0",
        ),
    ],
    ids=["before the new one was made", "with one that does not start", "before the old one was removed"],
)
@pytest.mark.thorough
def test_what_was_cut_off_is_finished_or_undone_first(
    stage: Stage, upgrade: t.Any, left: dict[str, t.Any], image: str | None
) -> None:
    stage.have(one=BEFORE["one"], **left)
    played = upgrade("2.0.0")
    assert played.status == 0, played.output
    new = {"image": f"{IMAGE}:2.0.0", "running": True}
    assert stage.containers == {"one": new, "two": new}
    # Either the one that serves stays, or the old one comes back and is then upgraded.
    assert ("run two 2.0.0" in stage.log) is (image != "2.0.0")
