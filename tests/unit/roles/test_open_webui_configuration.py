# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role makes of its variables about settings, groups, models and prompts, worked out by Ansible itself."""

from __future__ import annotations

import importlib
import typing as t

import pytest
import yaml

from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui import connection_kinds

LISTS = {
    "open_webui_groups": "openwebui_group",
    "open_webui_models": "openwebui_model",
    "open_webui_prompts": "openwebui_prompt",
}
Evaluated = t.Callable[..., t.Any]


@pytest.fixture
def evaluated(evaluate: t.Callable[..., t.Any]) -> Evaluated:
    """The value of a variable of the role: ``evaluated(name, **variables)``."""
    return lambda name, **variables: evaluate("open_webui", name, variables)


@pytest.mark.parametrize("variable", LISTS)
def test_entries_may_have_what_the_module_takes(evaluated: Evaluated, variable: str) -> None:
    name = f"ansible_collections.selfhosted.llm.plugins.modules.{LISTS[variable]}"
    documented = yaml.safe_load(importlib.import_module(name).DOCUMENTATION)["options"]
    suboptions = documented[variable.removeprefix("open_webui_")]["suboptions"]
    options = evaluated("__open_webui_entry_options")[variable]
    assert sorted(options) == sorted(suboptions)
    assert suboptions[options[0]]["required"]


def test_connections_may_have_what_the_module_takes(evaluated: Evaluated) -> None:
    assert evaluated("__open_webui_entry_options.open_webui_connections") == list(connection_kinds.OPENAI)


def test_entries_that_make_no_sense(evaluated: Evaluated) -> None:
    options = evaluated("__open_webui_entry_options.open_webui_groups")
    problems = evaluated(
        "__open_webui_entry_problems",
        open_webui_groups=[{"name": "Help desk"}, {"description": "x"}, {"name": "Kitchen", "memberz": []}],
        open_webui_prompts=[{"name": "Summary"}, {"command": "menu", "content": "What is there?"}],
        open_webui_connections=["http://vllm:8000/v1", {"url": "http://vllm:8001/v1", "key": "x"}],
    )
    assert problems == [
        "open_webui_groups: entry 2 has no name",
        "open_webui_groups: entry 3 (Kitchen): memberz is none of " + ", ".join(options),
        "open_webui_prompts: entry 1 has no command",
    ]


@pytest.mark.parametrize(
    ("settings", "taken"),
    [
        ({"ui": {"enable_signup": True}}, ["ui.enable_signup (use open_webui_signup)"]),
        ({"auth.jwt_expiry": "1d"}, ["auth.jwt_expiry (use open_webui_session_lifetime)"]),
        ({"ui": {"watermark": "x"}, "ui.enable_login_form": True, "webui": None}, []),
    ],
)
def test_a_setting_has_one_place(evaluated: Evaluated, settings: dict[str, t.Any], taken: list[str]) -> None:
    assert evaluated("__open_webui_settings_taken", open_webui_settings=settings) == taken


def test_who_limits_a_model(evaluated: Evaluated) -> None:
    models = [
        {"id": "open", "access": "public"},
        {"id": "as it is"},
        {"id": "null", "access": None},
        {"id": "closed", "access": "private"},
        {"id": "desk", "access": {"read": {"groups": ["Help desk"]}}},
    ]
    assert evaluated("__open_webui_granted", open_webui_models=models) == ["closed", "desk"]
