# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.selfhosted.llm.plugins.modules import openwebui_config

READ = ("GET", "/api/v1/configs/export")
WRITE = ("POST", "/api/v1/configs/import")


@pytest.fixture
def export(recording):
    return recording("openwebui")["export"]


@pytest.fixture
def run(server, run_module):
    common = {"url": server.url, "token": "token-in-use"}
    return lambda settings, **how: run_module(openwebui_config, {**common, "settings": settings}, **how)


def test_only_the_differences_are_written_and_read_back(run, server, export):
    settings = {"ui.enable_signup": True, "ui.default_user_role": "user", "auth.jwt_expiry": "4w"}
    changed = {"ui.enable_signup": True, "ui.default_user_role": "user"}
    after = {**export, **changed}
    server.expect(*READ, answer=export)
    predicted = run(settings, check=True)
    server.expect(*READ, answer=export)
    server.expect(*WRITE, {"config": changed}, answer=after)
    server.expect(*READ, answer=after)
    result = run(settings)
    assert (result["changed"], result["settings"]) == (True, ["ui.default_user_role", "ui.enable_signup"])
    assert result["diff"] == {
        "before": {"ui.enable_signup": False, "ui.default_user_role": "pending"},
        "after": changed,
    }
    assert predicted["diff"] == result["diff"]
    for check in (False, True):
        server.expect(*READ, answer=after)
        again = run(settings, check=check)
        assert (again["changed"], again["settings"], again["diff"]) == (False, [], {"before": {}, "after": {}})


def test_secrets_are_written_and_never_shown(run, server, export):
    settings = {"openai.api_keys": ["sentinel-new"], "ollama.api_configs": {"0": {"key": "sentinel-2", "enable": True}}}
    before = {**export, "openai.api_keys": ["sentinel-old"]}
    server.expect(*READ, answer=before)
    server.expect(*WRITE, {"config": settings}, answer={})
    server.expect(*READ, answer={**before, **settings})
    result = run(settings)
    assert result["diff"] == {
        "before": {"openai.api_keys": "(hidden) another value", "ollama.api_configs": {}},
        "after": {
            "openai.api_keys": "(hidden) as given",
            "ollama.api_configs": {"0": {"key": "(hidden)", "enable": True}},
        },
    }
    assert "sentinel" not in str(result)


def test_a_server_that_keeps_something_else(run, server, export):
    server.expect(*READ, answer=export)
    server.expect(*WRITE, {"config": {"ui.enable_signup": True}}, answer=export)
    server.expect(*READ, answer=export)
    assert "does not have ui.enable_signup as sent" in run({"ui.enable_signup": True}, fails=True)["msg"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"ui.enable_sign_up": True}, "there is no setting ui.enable_sign_up (did you mean ui.enable_signup?)"),
        ({"zz": True}, "there is no setting zz."),
        ({"ui": {"enable_signup": True}}, "there is no setting ui."),
        ({"ui.enable_signup": "yes"}, "ui.enable_signup is of type boolean, not string"),
        ({"ui.enable_signup": 0}, "ui.enable_signup is of type boolean, not number"),
        ({"ui.enable_signup": None}, "ui.enable_signup is of type boolean, not null"),
        ({"ui.default_user_role": True}, "ui.default_user_role is of type string, not boolean"),
        ({"ollama.base_urls": "http://a:1"}, "ollama.base_urls is of type list, not string"),
        ({"ollama.api_configs": []}, "ollama.api_configs is of type dictionary, not list"),
    ],
)
def test_bad_input_writes_nothing(run, server, export, settings, words):
    server.expect(*READ, answer=export)
    message = run({"auth.jwt_expiry": "1d", **settings}, fails=True)["msg"]
    assert message.startswith(f"Nothing was changed on {server.url}: ")
    assert words in message


def test_multi_factor_would_end_the_session_in_use(run, server, export):
    server.expect(*READ, answer={**export, "auth.mfa.enable": False})
    assert "would end every session" in run({"auth.mfa.enable": True}, fails=True)["msg"]


@pytest.mark.parametrize(("before", "wanted"), [(None, 5), (None, "text"), (5, 6.5), ("text", None), ([1], None)])
def test_types_that_are_accepted(run, server, export, before, wanted):
    before = {**export, "skills.content_max_chars": before}
    after = {**before, "skills.content_max_chars": wanted}
    server.expect(*READ, answer=before)
    server.expect(*WRITE, {"config": {"skills.content_max_chars": wanted}}, answer=after)
    server.expect(*READ, answer=after)
    assert run({"skills.content_max_chars": wanted})["changed"] is True


def test_not_an_administrator(run, server, recording):
    server.expect(*READ, **recording("openwebui")["refusals"]["not_admin"])
    assert "The account needs the role admin." in run({"ui.enable_signup": True}, fails=True)["msg"]


def test_another_server(run, server):
    server.expect(*READ, answer={"something": "else"})
    assert "answered without ui.enable_signup" in run({"ui.enable_signup": True}, fails=True)["msg"]
