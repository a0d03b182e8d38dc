# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``openwebui_connection`` for services with the OpenAI API, against the real server with stand-ins behind it."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest
from openai_backend import Asked, OpenAiBackend
from webui_server import Server

from ansible_collections.selfhosted.llm.plugins.module_utils._http import HttpClient
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import OpenWebUI
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.connection_kinds import KINDS, entries

CONNECTION = "selfhosted.llm.openwebui_connection"
MARK = {"managed_by": "selfhosted.llm"}
FRESH = {
    "ENABLE_OPENAI_API": False,
    "OPENAI_API_BASE_URLS": ["https://api.openai.com/v1"],
    "OPENAI_API_KEYS": [""],
    "OPENAI_API_CONFIGS": {},
}


@pytest.fixture
def cloud() -> t.Iterator[OpenAiBackend]:
    """A service that wants a key."""
    with OpenAiBackend(("127.0.0.1", 0), "sentinel-key", ["large", "small"]).running() as backend:
        yield backend


@pytest.fixture
def stored(webui: Server) -> t.Callable[[], dict[str, t.Any]]:
    """What the server has."""
    return lambda: webui.call("GET", "/openai/config")[1]


@pytest.fixture(autouse=True)
def fresh(webui: Server, stored: t.Any) -> t.Iterator[None]:
    """The server is as after its first start, and afterwards again."""
    assert webui.call("POST", "/openai/config/update", FRESH) == (200, FRESH)
    assert stored() == FRESH
    yield
    webui.call("POST", "/openai/config/update", FRESH)


@pytest.fixture
def options(webui: Server) -> dict[str, t.Any]:
    """What every task has."""
    return {"url": webui.url, "token": webui.token, "type": "openai", "exclusive": "owned"}


def models(webui: Server) -> dict[str, dict[str, t.Any]]:
    """What the server lists."""
    return {row["id"]: row for row in webui.call("GET", "/api/models?refresh=true")[1]["data"]}


def chat(webui: Server, backend: OpenAiBackend, model: str) -> Asked:
    """What the backend gets when somebody chats."""
    models(webui)
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}], "stream": False}
    status, answer = webui.call("POST", "/api/chat/completions", body)
    assert status == 200, answer
    return backend.asked[-1]


def test_first_connection(four_times: t.Any, stored: t.Any, webui: Server, cloud: OpenAiBackend) -> None:
    connection = {"url": f"{cloud.url}/", "key": "sentinel-key", "prefix_id": "wölk", "tags": ["<b>'größer\""]}
    wanted = {"type": "openai", "exclusive": "owned", "connections": [connection]}
    result = four_times("openwebui_connection", wanted)
    assert stored() == {
        "ENABLE_OPENAI_API": True,
        "OPENAI_API_BASE_URLS": [cloud.url],
        "OPENAI_API_KEYS": ["sentinel-key"],
        "OPENAI_API_CONFIGS": {"0": {"enable": True, "prefix_id": "wölk", "tags": [{"name": "<b>'größer\""}], **MARK}},
    }
    assert [(row["url"], row["action"]) for row in result["connections"]] == [
        (cloud.url, "added"),
        ("https://api.openai.com/v1", "removed"),
    ]
    assert "sentinel" not in str(result)
    listed = models(webui)
    assert {name for name in listed if name.startswith("wölk.")} == {"wölk.large", "wölk.small"}
    assert listed["wölk.large"]["tags"] == [{"name": "<b>'größer\""}]
    assert chat(webui, cloud, "wölk.small").body["model"] == "small"
    # One field at a time, and away again.
    four_times("openwebui_connection", {**wanted, "connections": [{**connection, "model_ids": ["large"]}]})
    assert {name for name in models(webui) if name.startswith("wölk.")} == {"wölk.large"}
    four_times("openwebui_connection", {**wanted, "connections": [{**connection, "enable": False}]})
    assert not {name for name in models(webui) if name.startswith("wölk.")}
    four_times("openwebui_connection", {**wanted, "connections": [], "allow_empty": True})
    assert stored()["OPENAI_API_BASE_URLS"] == []


def test_what_was_changed_by_hand_is_cured(
    four_times: t.Any, play: t.Any, stored: t.Any, options: t.Any, webui: Server, cloud: OpenAiBackend
) -> None:
    wanted = {**options, "connections": [{"url": cloud.url, "key": "sentinel-key", "model_ids": ["large"]}]}
    play([{CONNECTION: wanted}])
    before = stored()
    by_hand = {**before, "OPENAI_API_KEYS": ["sentinel-other"], "OPENAI_API_CONFIGS": {"0": {"model_ids": [], **MARK}}}
    assert webui.call("POST", "/openai/config/update", by_hand)[0] == 200
    result = four_times("openwebui_connection", wanted)
    assert stored() == before
    assert result["diff"]["before"] == {
        f"{cloud.url} enable": None,
        f"{cloud.url} key": "another one",
        f"{cloud.url} model_ids": [],
    }
    assert "sentinel" not in str(result)


def test_connections_of_no_use_are_refused_together(
    failures: t.Any, stored: t.Any, options: t.Any, cloud: OpenAiBackend
) -> None:
    root = cloud.url.removesuffix("/v1")
    connections = [
        {"url": cloud.url, "key": "sentinel-wrong", "prefix_id": "wrong"},
        {"url": cloud.url, "key": "sentinel-key"},
        {"url": f"{root}/models", "key": "sentinel-key"},
        {"url": f"{root}/elsewhere/", "key": "sentinel-key", "headers": {"Authorization": "Bearer sentinel-third"}},
        "http://127.0.0.1:9/v1",
        {"url": root, "provider": "azure"},
    ]
    message = failures("openwebui_connection", {**options, "connections": connections})[0]
    assert f"{cloud.url} (wrong): POST" in message
    assert "Incorrect API key provided: ********." in message
    assert f"{cloud.url}: " not in message
    assert f"{root}/models: " not in message
    assert f"{root}/elsewhere: POST" in message
    assert "http://127.0.0.1:9/v1: POST" in message
    assert "Open WebUI: Server Connection Error" in message
    assert f"{root}: Azure OpenAI does not list its deployments" in message
    assert "sentinel" not in message
    assert stored() == FRESH


def test_how_a_service_is_asked(play: t.Any, options: t.Any, webui: Server, cloud: OpenAiBackend) -> None:
    root = cloud.url.removesuffix("/v1")
    connections = [
        {"url": cloud.url, "key": "sentinel-key", "prefix_id": "plain"},
        {"url": cloud.url, "key": "sentinel-key", "prefix_id": "answers", "api_type": "responses"},
        {
            "url": f"{root}/none/v1",
            "key": "wrong",
            "prefix_id": "none",
            "auth_type": "none",
            "headers": {"Authorization": "Bearer sentinel-key", "X-Person": "{{ '{{' }}USER_EMAIL{{ '}}' }}"},
        },
        {
            "url": f"{root}/azure",
            "key": "sentinel-key",
            "prefix_id": "azure",
            "provider": "azure",
            "api_version": "2024-10-21",
            "model_ids": ["large"],
            "connection_type": "local",
        },
    ]
    result = play([{CONNECTION: {**options, "connections": connections}}])[0]
    assert result["changed"], result
    plain = chat(webui, cloud, "plain.large")
    assert (plain.path, plain.headers["authorization"]) == ("/v1/chat/completions", "Bearer sentinel-key")
    assert chat(webui, cloud, "answers.large").path == "/v1/responses"
    nobody = chat(webui, cloud, "none.large")
    assert (nobody.path, nobody.headers["x-person"]) == ("/none/v1/chat/completions", "automation@localhost")
    azure = chat(webui, cloud, "azure.large")
    assert azure.path == "/azure/openai/deployments/large/chat/completions?api-version=2024-10-21"
    assert azure.headers["api-key"] == "sentinel-key"
    assert {name: models(webui)[f"{name}.large"]["connection_type"] for name in ("plain", "azure")} == {
        "plain": "external",
        "azure": "local",
    }


def test_reading_gives_what_makes_it_again(play: t.Any, stored: t.Any, options: t.Any, webui: Server) -> None:
    connections = [
        {"url": "http://a/v1", "key": "k", "headers": {"X": "y"}, "tags": ["ü"], "passthrough_params": ["*"]},
        {"url": "http://b/v1", "enable": False, "prefix_id": "p", "provider": "azure", "model_ids": ["m"]},
        {"url": "http://b/v1", "prefix_id": "q", "api_type": "responses", "forward_cookies": True},
    ]
    play([{CONNECTION: {**options, "connections": connections, "verify": False}}])
    before = stored()
    client = OpenWebUI(HttpClient(webui.url, token=webui.token))
    assert entries(client, KINDS["openai"]) == connections
    assert webui.call("POST", "/openai/config/update", {**before, "ENABLE_OPENAI_API": False})[0] == 200
    assert entries(client, KINDS["openai"]) == [{**connection, "enable": False} for connection in connections]
    assert webui.call("POST", "/openai/config/update", FRESH)[0] == 200
    assert entries(client, KINDS["openai"]) == []
    play([{CONNECTION: {**options, "connections": connections, "verify": False}}])
    assert stored() == before


def test_two_runs_at_once_and_a_restart(
    play: t.Any, playbook: t.Any, stored: t.Any, options: t.Any, webui: Server, cloud: OpenAiBackend
) -> None:
    task = {CONNECTION: {**options, "connections": [{"url": cloud.url, "key": "sentinel-key"}]}}
    with ThreadPoolExecutor() as pool:
        outputs = list(pool.map(lambda number: playbook([task]), range(2)))
    assert [output.status for output in outputs] == [0, 0], outputs
    assert stored()["OPENAI_API_BASE_URLS"] == [cloud.url]
    webui.restart()
    assert play([task])[0]["changed"] is False


def test_secrets_are_never_shown(playbook: t.Any, options: t.Any, cloud: OpenAiBackend) -> None:
    connection = {"url": cloud.url, "key": "sentinel-key", "headers": {"X": "sentinel-header"}}
    task = {CONNECTION: {**options, "connections": [connection]}}
    mistake = {CONNECTION: {**options, "connections": [connection], "exclusive": "everything"}, "ignore_errors": True}
    output = playbook([mistake, task, task], "-vvvv", "--diff")
    assert output.status == 0, output.text
    assert "value of exclusive must be one of" in output.text
    assert "sentinel" not in output.text.split("TASK [", 1)[1]
