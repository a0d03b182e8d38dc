# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``openwebui_probe_info``: what it sees of a server that is as it should be, and of each way in which it is not."""

from __future__ import annotations

import typing as t

import pytest
from webui_server import Server

PROBE = "selfhosted.llm.openwebui_probe_info"
CONNECTION = "selfhosted.llm.openwebui_connection"
CONFIG = "selfhosted.llm.openwebui_config"
USER = {"email": "probe@localhost", "password": "secret of probe"}
PUBLIC = [{"principal_type": "user", "principal_id": "*", "permission": "read"}]


@pytest.fixture
def access(webui: Server) -> t.Callable[..., None]:
    """Opens models to everybody, and hides all others: ``access("smollm2:135m", ...)``."""

    def set_access(*names: str) -> None:
        for name in ("all-minilm:latest", "smollm2:135m", "tinyllama:latest"):
            body = {"id": name, "name": name, "access_grants": PUBLIC if name in names else []}
            assert webui.call("POST", "/api/v1/models/model/access/update", body)[0] == 200

    return set_access


@pytest.fixture
def probed(play: t.Any, webui: Server, backends: t.Any) -> t.Callable[..., dict[str, t.Any]]:
    """Connects the backends, makes the user, and probes: ``probed(backends=[0])``."""

    def run(**options: t.Any) -> dict[str, t.Any]:
        common = {"url": webui.url, "token": webui.token}
        results = play(
            [
                {CONNECTION: {**common, "connections": list(backends), "exclusive": "all", "verify": False}},
                {"selfhosted.llm.openwebui_user": {**common, **USER}},
                {PROBE: {"url": webui.url, **USER, **options}, "check_mode": True},
            ]
        )
        assert results[2]["changed"] is False
        return results[2]

    return run


def test_two_backends_answer_and_a_dead_one_does_not(probed: t.Any, access: t.Any) -> None:
    access("all-minilm:latest", "smollm2:135m", "tinyllama:latest")
    result = probed(backends=[0, 1, 2, 9], prompt="Say something.")
    assert result["version"] == "0.12.4"
    assert (result["onboarding"], result["signup_open"]) == (False, False)
    assert result["user"] == {"email": "probe@localhost", "role": "user"}
    assert {"all-minilm:latest", "smollm2:135m", "tinyllama:latest"} <= set(result["models"])
    assert len(result["anonymous"]) == 7
    assert all(row["refused"] and row["status"] == 401 for row in result["anonymous"]), result["anonymous"]
    small, large, dead, missing = result["chats"]
    # The embedding model of the small one is smaller still, and cannot chat.
    for index, row in enumerate([small, large]):
        assert (row["index"], row["model"], row["error"]) == (index, "smollm2:135m", None)
        assert "smollm2:135m" in row["reply"]
    for index, row in ((2, dead), (9, missing)):
        assert (row["index"], row["model"], row["reply"]) == (index, None, None)
        assert f"Backend {index}" in row["error"]


def test_hidden_model_is_not_seen(probed: t.Any, access: t.Any) -> None:
    access("tinyllama:latest")
    result = probed(backends=[0, 1])
    assert "tinyllama:latest" in result["models"]
    assert "smollm2:135m" not in result["models"]
    hidden, open_one = result["chats"]
    assert "none of its models is open to this user" in hidden["error"]
    assert (open_one["model"], open_one["error"]) == ("tinyllama:latest", None)


def test_models_are_asked_as_people_ask_them(probed: t.Any, access: t.Any) -> None:
    access("tinyllama:latest")
    answered, hidden = probed(models=["tinyllama:latest", "smollm2:135m"], prompt="Say something.")["chats"]
    assert "tinyllama:latest" in answered["reply"] and answered["error"] is None
    assert hidden["reply"] is None and "Model not found" in hidden["error"]


def test_models_that_the_page_cannot_ask(play: t.Any, probed: t.Any, access: t.Any, webui: Server) -> None:
    access("all-minilm:latest", "smollm2:135m", "tinyllama:latest")
    assert probed()["without_tools"] == ["tinyllama:latest"]
    options = {"url": webui.url, "token": webui.token}
    for off in (True, False):
        metadata = {"capabilities": {"builtin_tools": False}} if off else {}
        play([{CONFIG: {**options, "settings": {"models.default_metadata": metadata}}}])
        assert (probed()["without_tools"] == []) is off


def test_only_an_embedding_model(probed: t.Any, access: t.Any) -> None:
    access("all-minilm:latest")
    row = probed(backends=[0])["chats"][0]
    assert row["model"] == "all-minilm:latest"
    assert "does not support chat" in row["error"]


def test_open_sign_up_is_seen(play: t.Any, webui: Server) -> None:
    common = {"url": webui.url, "token": webui.token}
    tasks: list[dict[str, t.Any]] = []
    for signup, form in ((True, True), (True, False), (False, True)):
        settings = {"ui.enable_signup": signup, "ui.enable_login_form": form}
        tasks += [{CONFIG: {**common, "settings": settings, "allow_lockout": True}}, {PROBE: {"url": webui.url}}]
    probes = play(tasks)[1::2]
    assert [probe["signup_open"] for probe in probes] == [True, False, False]
    for probe in probes:
        assert (probe["user"], probe["models"], probe["chats"]) == (None, [], [])


def test_user_that_cannot_sign_in(failures: t.Any, webui: Server) -> None:
    body = {"email": "waiting@probe.example.com", "password": "some words", "name": "Waiting", "role": "pending"}
    assert webui.call("POST", "/api/v1/auths/add", body)[0] == 200
    pending = {"url": webui.url, "email": body["email"], "password": body["password"]}
    messages = failures("openwebui_probe_info", pending, {**pending, "password": "not it"})
    assert "still pending" in messages[0]
    assert "The email or password provided is incorrect" in messages[1]
