# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role docker writes for itself and for a role that calls it, and whether the engine starts again."""

from __future__ import annotations

import typing as t

import pytest


@pytest.fixture
def evaluated(evaluate: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
    """The value of a variable of the role: ``evaluated(name, **variables)``."""
    settings = {"__docker_daemon": {"restart_required": False}}
    return lambda name, **variables: evaluate("docker", name, {**settings, **variables})


def test_the_user_s_options_win(evaluated: t.Any) -> None:
    options = evaluated(
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
def test_a_restart_is_never_less_than_needed(evaluated: t.Any, apply: str, needed: bool, restart: bool) -> None:
    assert evaluated("__docker_restart", docker_apply=apply, __docker_daemon={"restart_required": needed}) is restart


@pytest.mark.parametrize(
    ("options", "kept"), [({}, False), ({"live-restore": False}, False), ({"live-restore": True}, True)]
)
def test_containers_outlive_a_restart_where_it_is_wanted(
    evaluated: t.Any, options: dict[str, t.Any], kept: bool
) -> None:
    assert evaluated("__docker_live_restore", docker_daemon_options=options) is kept
