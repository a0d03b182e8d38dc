# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``openwebui_config`` and its ``_info`` against the real server, which itself would store anything."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from webui_server import ADMIN, Server, running

CONFIG = "selfhosted.llm.openwebui_config"
INFO = "selfhosted.llm.openwebui_config_info"
IMPORT = "/api/v1/configs/import"


@pytest.fixture
def exported(webui: Server) -> t.Callable[[], dict[str, t.Any]]:
    """What the server has."""
    return lambda: webui.call("GET", "/api/v1/configs/export")[1]


@pytest.fixture(autouse=True)
def as_before(webui: Server, exported: t.Any) -> t.Iterator[None]:
    """Settings that a test changed are put back."""
    before = exported()
    yield
    assert webui.call("POST", IMPORT, {"config": before})[0] == 200


@pytest.fixture
def options(webui: Server) -> dict[str, str]:
    """How the modules reach the server."""
    return {"url": webui.url, "token": webui.token}


BANNER = {"id": "b", "type": "info", "title": "", "content": "Ü ☃ {{ '{{' }} x }}", "dismissible": True, "timestamp": 1}


def test_settings(four_times: t.Any, exported: t.Any) -> None:
    before = exported()
    threshold = before["chat.tool_search.defer_threshold"] + 1
    wanted = {
        "ui": {"default_user_role": "user", "enable_signup": True, "banners": [BANNER]},
        "chat.tool_search": {"defer_threshold": threshold},
        "auth.admin.email": "admin@example.com",
        "auth": {"enable_api_keys": True},
        "models": {"default_params": {"temperature": 0.7, "a.b": {"c": [None]}}},
        "webui.url": "https://$(id)'\";--@example.com/日本?a=b&c",
    }
    result = four_times("openwebui_config", {"settings": wanted})
    changed = {
        "ui.default_user_role": "user",
        "ui.enable_signup": True,
        "ui.banners": [{**BANNER, "content": "Ü ☃ {{ x }}"}],
        "chat.tool_search.defer_threshold": threshold,
        "auth.admin.email": "admin@example.com",
        "models.default_params": {"temperature": 0.7, "a.b": {"c": [None]}},
        "webui.url": "https://$(id)'\";--@example.com/日本?a=b&c",
    }
    assert exported() == {**before, **changed}
    assert result["settings"] == sorted(changed)
    assert result["diff"] == {"before": {name: before[name] for name in changed}, "after": changed}


def test_what_somebody_changed_by_hand(four_times: t.Any, exported: t.Any, webui: Server) -> None:
    wanted = {"settings": {"rag": {"top_k": 7, "chunk_size": 900}, "ui.watermark": "made by hand"}}
    four_times("openwebui_config", wanted)
    assert webui.call("POST", IMPORT, {"config": {"rag.top_k": 99, "rag.chunk_overlap": 1}})[0] == 200
    result = four_times("openwebui_config", wanted)
    assert result["diff"] == {"before": {"rag.top_k": 99}, "after": {"rag.top_k": 7}}
    assert (exported()["rag.top_k"], exported()["rag.chunk_overlap"]) == (7, 1)


def test_secrets_are_compared_and_never_shown(playbook: t.Any, play: t.Any, exported: t.Any, options: t.Any) -> None:
    servers = [
        {
            "url": "http://127.0.0.1:9",
            "path": "openapi.json",
            "auth_type": "bearer",
            "key": "sentinel-2",
            "config": {"enable": True},
        }
    ]
    settings = {
        "web": {"search": {"kagi_search_api_key": "sentinel-1"}},
        "tool_server.connections": servers,
        "rag.external_document_loader_headers": {"X-Any": "sentinel-4"},
        "image_generation": {"automatic1111": {"api_auth": "sentinel-5"}},
    }
    task = {CONFIG: {**options, "settings": settings}}
    read = {INFO: options}
    mistake = {CONFIG: {**task[CONFIG], "allow_lockout": "perhaps"}, "ignore_errors": True}
    output = playbook([mistake, task, read], "-vvvv", "--diff")
    assert output.status == 0, output.text
    assert "unable to convert to bool" in output.text
    assert "(hidden)" in output.text
    assert "sentinel" not in output.text.split("TASK [", 1)[1]
    assert exported()["web.search.kagi_search_api_key"] == "sentinel-1"
    assert exported()["tool_server.connections"] == servers
    servers[0]["key"] = "sentinel-3"
    same, other, info = play([{CONFIG: {**options, "settings": {"web": settings["web"]}}}, task, read])
    assert same["changed"] is False
    assert other["diff"]["after"] == {"tool_server.connections": "(hidden) as given"}
    assert info["secrets"] == [
        "image_generation.automatic1111.api_auth",
        "rag.external_document_loader_headers",
        "tool_server.connections.0.key",
        "web.search.kagi_search_api_key",
    ]
    assert info["settings"]["tool_server"]["connections"] == [{k: v for k, v in servers[0].items() if k != "key"}]


BAD_SETTINGS = [
    ({"ui.enable_sign_up": True}, "no setting 'ui.enable_sign_up' (did you mean 'ui.enable_signup'?)"),
    ({"ui": [1]}, "ui is no setting, but what the names of several begin with"),
    ({"ui": {"watermark": "a"}, "ui.watermark": "b"}, "ui.watermark is given more than once"),
    ({"ui.enable_signup": "maybe"}, "ui.enable_signup is of type boolean, not string"),
    ({"ui.enable_signup": None}, "ui.enable_signup is of type boolean, not null"),
    ({"ui.default_user_role": "emperor"}, "ui.default_user_role is pending, user or admin, not 'emperor'"),
    ({"auth.jwt_expiry": "10 parsecs"}, "auth.jwt_expiry is a number with ms, s, m, h, d or w, such as 12h, or -1"),
    ({"auth.jwt_expiry": "5s"}, "auth.jwt_expiry 5s would end new sessions within seconds. If that is meant, set"),
    ({"auth.mfa.enable": True}, "auth.mfa.enable would end every session"),
    ({"openai": {"api_keys": ["x"]}}, "openai.api_keys belongs to selfhosted.llm.openwebui_connection"),
    ({"user.permissions": {}}, "user.permissions belongs to default_permissions of selfhosted.llm.openwebui_group"),
    ({"ui.default_locale": "de-DE"}, "ui.default_locale is read from the environment (DEFAULT_LOCALE)"),
    ({"oauth.enable_signup": True}, "comes from the environment (ENABLE_OAUTH_SIGNUP) unless ENABLE_OAUTH_PERSISTENT"),
    ({"ui.default_group_id": "No such group"}, "there is no group 'No such group'"),
]


def test_bad_input_writes_nothing(failures: t.Any, exported: t.Any, options: t.Any) -> None:
    before = exported()
    good = {"webui.url": "http://good.example.com"}
    messages = failures("openwebui_config", *({**options, "settings": {**good, **bad}} for bad, _words in BAD_SETTINGS))
    for (_bad, words), message in zip(BAD_SETTINGS, messages):
        assert words in message
    assert exported() == before


def test_default_group_by_its_name(
    four_times: t.Any, play: t.Any, exported: t.Any, webui: Server, options: t.Any
) -> None:
    name = "Ünï 'group' ☃"
    group = webui.call("POST", "/api/v1/groups/create", {"name": name, "description": ""})[1]
    try:
        four_times("openwebui_config", {"settings": {"ui": {"default_group_id": name}}})
        assert exported()["ui.default_group_id"] == group["id"]
        assert play([{INFO: options}])[0]["settings"]["ui"]["default_group_id"] == name
    finally:
        assert webui.call("DELETE", f"/api/v1/groups/id/{group['id']}/delete")[0] == 200


def test_many_settings_that_are_right_cost_one_request(play: t.Any, webui: Server, options: t.Any) -> None:
    before = len(webui.requests())
    read, same = play([{INFO: options, "register": "found"}, {CONFIG: {**options, "settings": "{{ found.settings }}"}}])
    assert len(str(read["settings"])) > 5000
    assert same["settings"] == []
    read_and_compare = ["GET /api/v1/configs/export 200", "GET /api/v1/auths/admin/config/oauth 200"]
    assert webui.requests()[before:] == [*read_and_compare, "GET /api/v1/configs/export 200"]


def remembers(webui: Server) -> bool:
    """Whether the server can embed a text, which it does for what people want it to remember."""
    try:
        return webui.call("POST", "/api/v1/memories/add", {"content": "a text"})[0] == 200
    except ValueError:
        # Its words for everything unexpected, which are no JSON.
        return False


def test_the_running_program_follows(four_times: t.Any, exported: t.Any, webui: Server, backends: t.Any) -> None:
    engine = {"rag.embedding_engine": "ollama", "rag.embedding_model": "all-minilm:latest"}
    # What is only stored counts when the server starts the next time.
    assert webui.call("POST", IMPORT, {"config": {**engine, "rag.ollama.base_url": backends.small}})[0] == 200
    assert not remembers(webui)
    assert webui.call("POST", IMPORT, {"config": {"rag.ollama.base_url": backends.dead}})[0] == 200
    wanted = {"embedding_engine": "ollama", "embedding_model": "all-minilm:latest", "ollama.base_url": backends.small}
    four_times("openwebui_config", {"settings": {"rag": {**wanted, "ollama.api_key": "a key", "top_k": 9}}})
    assert remembers(webui)
    # An engine that is not in use: the endpoint drops what belongs to it.
    four_times("openwebui_config", {"settings": {"rag.openai": {"api_base_url": "http://a:1", "api_key": "k"}}})
    assert (exported()["rag.openai.api_base_url"], exported()["rag.ollama.api_key"]) == ("http://a:1", "a key")
    assert remembers(webui)


FAILING = [
    # The server stores it before it finds out.
    ({"audio": {"stt": {"whisper_model": "large"}}}, "/api/v1/audio/config/update was answered with 500"),
    ({"tool_server.connections": [{"url": "http://a:1"}]}, "TOOL_SERVER_CONNECTIONS.0.path: Field required"),
    ({"image_generation.size": "large"}, "/api/v1/images/config/update was answered with 400"),
    # The server says nothing and switches it off again.
    (
        {"rag": {"enable_hybrid_search": True, "reranking_model": "no/such-model"}},
        "does not have rag.enable_hybrid_search as sent. Hybrid search goes off again",
    ),
]


def test_what_the_program_cannot_do(failures: t.Any, exported: t.Any, options: t.Any) -> None:
    before = exported()
    tasks = [{**options, "settings": {**settings, "ui.watermark": "w"}} for settings, _words in FAILING]
    for (_settings, words), message in zip(FAILING, failures("openwebui_config", *tasks)):
        assert words in message
    # All but the last refused before anything else was written.
    assert exported() == {**before, "rag.reranking_model": "no/such-model", "ui.watermark": "w"}


def test_two_runs_at_once_and_a_restart(
    play: t.Any, playbook: t.Any, exported: t.Any, webui: Server, options: t.Any
) -> None:
    task = {CONFIG: {**options, "settings": {"rag.top_k": 11, "ui": {"watermark": "w", "banners": [BANNER]}}}}
    with ThreadPoolExecutor() as pool:
        outputs = list(pool.map(lambda number: playbook([task]), range(2)))
    assert [output.status for output in outputs] == [0, 0], outputs
    assert exported()["rag.top_k"] == 11
    webui.restart()
    assert play([task])[0]["changed"] is False


def test_another_server_gets_the_same_and_then_locks_its_administrator_out(
    play: t.Any, webui: Server, options: t.Any, tmp_path: Path
) -> None:
    by_hand = {
        "ui.default_user_role": "user",
        "ui.prompt_suggestions": [{"title": ["Hi", "there"], "content": "Say hi"}],
        "ui.default_models": "smollm2:135m",
        "folders.max_file_count": 5,
        "rag.template": "Another template {{ '{{' }}CONTEXT}}",
        "task.model.params": {"temperature": 0},
        "webui.url": "http://one.example.com",
    }
    play([{CONFIG: {**options, "settings": by_hand}}])
    with running(tmp_path) as other:
        there = {"url": other.url, "token": other.token}
        apply = {CONFIG: {**there, "settings": "{{ found.settings }}"}}
        found, first, second, read = play(
            [
                {INFO: {**options, "changed_only": True}, "register": "found"},
                apply,
                apply,
                {INFO: {**there, "changed_only": True}},
            ]
        )
        assert (first["changed"], second["changed"]) == (True, False), (first, second)
        assert set(by_hand) <= set(first["settings"])
        assert (read["settings"], read["secrets"]) == (found["settings"], [])
        lockout = {CONFIG: {**there, "settings": {"auth.mfa.enable": True, "rag.top_k": 5}, "allow_lockout": True}}
        locked, again = play([{**lockout, "check_mode": True}, lockout])
        assert locked["diff"] == again["diff"] and again["changed"], again
        assert other.call("GET", "/api/v1/auths/")[0] == 401
        assert other.sign_in(**ADMIN)[1]["next_step"] == "enroll"
