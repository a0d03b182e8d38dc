# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``openwebui_config`` against the real server, which itself would store anything."""

from __future__ import annotations

import typing as t

import pytest
from webui_server import Server

CONFIG = "selfhosted.llm.openwebui_config"


@pytest.fixture
def exported(webui: Server) -> t.Callable[[], dict[str, t.Any]]:
    """What the server has."""
    return lambda: webui.call("GET", "/api/v1/configs/export")[1]


@pytest.fixture(autouse=True)
def as_before(webui: Server, exported: t.Any) -> t.Iterator[None]:
    """Settings that a test changed are put back."""
    before = exported()
    yield
    assert webui.call("POST", "/api/v1/configs/import", {"config": before})[0] == 200


def test_settings(four_times: t.Any, exported: t.Any) -> None:
    before = exported()
    banner = {
        "id": "b",
        "type": "info",
        "title": "",
        "content": "Ü {{ '{{' }} x }}",
        "dismissible": True,
        "timestamp": 1,
    }
    wanted = {
        "ui.default_user_role": "user",
        "ui.enable_signup": True,
        "chat.tool_search.defer_threshold": before["chat.tool_search.defer_threshold"] + 1,
        "ui.banners": [banner],
        "auth.admin.email": "admin@example.com",
        "auth.enable_api_keys": True,
    }
    result = four_times("openwebui_config", {"settings": wanted})
    stored = {**banner, "content": "Ü {{ x }}"}
    assert exported() == {**before, **wanted, "ui.banners": [stored]}
    assert result["settings"] == sorted(set(wanted) - {"auth.enable_api_keys"})
    assert result["diff"]["before"]["ui.default_user_role"] == "pending"
    assert result["diff"]["after"]["ui.default_user_role"] == "user"
    assert "auth.enable_api_keys" not in result["diff"]["after"]


def test_secrets_are_compared_and_never_shown(playbook: t.Any, play: t.Any, exported: t.Any, webui: Server) -> None:
    servers = [{"url": "http://tools.example.com", "path": "openapi.json", "key": "sentinel-2", "config": {}}]
    settings = {"openai.api_keys": ["sentinel-1"], "tool_server.connections": servers, "webui.name": "A name"}
    settings = {key: value for key, value in settings.items() if key in exported()}
    task = {CONFIG: {"url": webui.url, "token": webui.token, "settings": settings}}
    output = playbook([task], "-vvvv", "--diff")
    assert output.status == 0, output.text
    assert "(hidden)" in output.text
    assert "sentinel" not in output.text.split("TASK [", 1)[1]
    assert exported()["openai.api_keys"] == ["sentinel-1"]
    assert exported()["tool_server.connections"][0]["key"] == "sentinel-2"
    servers[0]["key"] = "sentinel-3"
    same, other = play(
        [{CONFIG: {"url": webui.url, "token": webui.token, "settings": {"openai.api_keys": ["sentinel-1"]}}}, task]
    )
    assert same["changed"] is False
    assert other["diff"]["after"] == {"tool_server.connections": "(hidden) as given"}


BAD_SETTINGS = [
    ({"ui.enable_sign_up": True}, "no setting ui.enable_sign_up (did you mean ui.enable_signup?)"),
    ({"zz.unknown": 1}, "there is no setting zz.unknown"),
    ({"ui": {"enable_signup": True}}, "there is no setting ui"),
    ({"ui.enable_signup": "maybe"}, "ui.enable_signup is of type boolean, not string"),
    ({"ui.enable_signup": 1}, "ui.enable_signup is of type boolean, not number"),
    ({"ui.default_user_role": ["user"]}, "ui.default_user_role is of type string, not list"),
    ({"ui.enable_signup": None}, "ui.enable_signup is of type boolean, not null"),
    ({"auth.mfa.enable": True}, "auth.mfa.enable would end every session"),
]


def test_bad_input_writes_nothing(failures: t.Any, exported: t.Any, webui: Server) -> None:
    before = exported()
    common = {"url": webui.url, "token": webui.token}
    good = {"ui.default_locale": "de-DE"}
    messages = failures("openwebui_config", *({**common, "settings": {**good, **bad}} for bad, _words in BAD_SETTINGS))
    for (_bad, words), message in zip(BAD_SETTINGS, messages):
        assert words in message
    assert exported() == before
