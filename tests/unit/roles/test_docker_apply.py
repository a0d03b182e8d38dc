# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role docker writes for itself and for a role that calls it, and whether the engine starts again."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROLE = Path(__file__).resolve().parents[3] / "roles/docker"


def evaluate(name: str, **variables: t.Any) -> t.Any:
    loader = DataLoader()
    settings: dict[str, t.Any] = {"__docker_daemon": {"restart_required": False}}
    for path in ("defaults/main.yml", "vars/main.yml"):
        settings |= loader.load_from_file(str(ROLE / path), trusted_as_template=True)
    return Templar(loader, variables={**settings, **variables}).template(trust_as_template(f"{{{{ {name} }}}}"))


def test_the_user_s_options_win() -> None:
    options = evaluate(
        "__docker_options",
        docker_required_options={"features": {"cdi": True}, "live-restore": True},
        docker_daemon_options={"features": {"buildkit": False}, "live-restore": False, "debug": None},
    )
    assert options == {"features": {"cdi": True, "buildkit": False}, "live-restore": False, "debug": None}


@pytest.mark.parametrize(
    ("apply", "needed", "restart"),
    [
        ("auto", False, False),
        ("auto", True, True),
        ("reload", False, False),
        ("reload", True, True),
        ("restart", False, True),
    ],
)
def test_a_restart_is_never_less_than_needed(apply: str, needed: bool, restart: bool) -> None:
    assert evaluate("__docker_restart", docker_apply=apply, __docker_daemon={"restart_required": needed}) is restart


@pytest.mark.parametrize(
    ("options", "kept"), [({}, False), ({"live-restore": False}, False), ({"live-restore": True}, True)]
)
def test_containers_outlive_a_restart_where_it_is_wanted(options: dict[str, t.Any], kept: bool) -> None:
    assert evaluate("__docker_live_restore", docker_daemon_options=options) is kept
