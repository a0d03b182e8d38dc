# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``openwebui_model`` against the real server: what people can use, what others put there, and many at once."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest
from openai_backend import OpenAiBackend
from webui_server import Server

from ansible_collections.selfhosted.llm.plugins.module_utils._http import HttpClient
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import OpenWebUI
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.models import Models

MODEL = "selfhosted.llm.openwebui_model"
SMALL = "smollm2:135m"
LARGE = "tinyllama:latest"
TOOL = '''
class Tools:
    def add(self, a: int, b: int) -> int:
        """Adds two numbers."""
        return a + b
'''


@pytest.fixture(autouse=True)
def connected(webui: Server, backends: t.Any) -> None:
    """Two Ollama servers, and no model but theirs."""
    urls = [backends.small, backends.large]
    body = {"ENABLE_OLLAMA_API": True, "OLLAMA_BASE_URLS": urls, "OLLAMA_API_CONFIGS": {}}
    assert webui.call("POST", "/ollama/config/update", body)[0] == 200
    assert webui.call("DELETE", "/api/v1/models/delete/all")[0] == 200


@pytest.fixture
def stored(webui: Server) -> t.Callable[[], dict[str, dict[str, t.Any]]]:
    """What the server has, by identifier."""
    return lambda: {row["id"]: row for row in webui.call("GET", "/api/v1/models/all")[1]}


@pytest.fixture
def things(webui: Server) -> t.Iterator[dict[str, str]]:
    """A collection of knowledge and a tool, with their identifiers by name."""
    collection = webui.call("POST", "/api/v1/knowledge/create", {"name": "Guides ☃", "description": ""})[1]
    tool = {"id": "adder", "name": "Adds numbers", "content": TOOL, "meta": {"description": ""}}
    assert webui.call("POST", "/api/v1/tools/create", tool)[0] == 200
    yield {"Guides ☃": collection["id"], "Adds numbers": "adder"}
    assert webui.call("DELETE", f"/api/v1/knowledge/{collection['id']}/delete")[0] == 200
    assert webui.call("DELETE", "/api/v1/tools/id/adder/delete")[0] == 200


@pytest.fixture
def team(webui: Server) -> t.Iterator[dict[str, str]]:
    """Tokens of two people by name. Kim is in the group Devs."""
    tokens = {}
    ids = []
    group = webui.call("POST", "/api/v1/groups/create", {"name": "Devs", "description": ""})[1]["id"]
    for name in ("kim", "lee"):
        account = {"email": f"{name}@example.com", "name": name, "password": "some words", "role": "user"}
        row = webui.call("POST", "/api/v1/auths/add", account)[1]
        tokens[name] = row["token"]
        ids.append(row["id"])
    assert webui.call("POST", f"/api/v1/groups/id/{group}/users/add", {"user_ids": ids[:1]})[0] == 200
    yield tokens
    for identifier in ids:
        assert webui.call("DELETE", f"/api/v1/users/{identifier}")[0] == 200
    assert webui.call("DELETE", f"/api/v1/groups/id/{group}/delete")[0] == 200


def usable(webui: Server, token: str) -> set[str]:
    """The identifiers of the models that somebody is offered."""
    return {row["id"] for row in webui.call("GET", "/api/models", token=token)[1]["data"]}


def grants(row: dict[str, t.Any]) -> set[tuple[str, str]]:
    return {(grant["permission"], grant["principal_id"]) for grant in row["access_grants"]}


@pytest.fixture
def one_by_one(play: t.Any, webui: Server) -> t.Callable[..., list[dict[str, t.Any]]]:
    """One entry after another, each in check mode before: ``one_by_one(entries)``. Gives the results of the runs."""

    def run(entries: list[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
        tasks = [{MODEL: {"url": webui.url, "token": webui.token, "models": [entry]}} for entry in entries]
        results = play([{**task, "check_mode": check} for task in tasks for check in (True, False)])
        assert [result["diff"] for result in results[::2]] == [result["diff"] for result in results[1::2]]
        return results[1::2]

    return run


def test_life_of_a_model(four_times: t.Any, one_by_one: t.Any, stored: t.Any, things: dict[str, str]) -> None:
    model = {
        "id": "reviewer",
        "name": "Reviewer",
        "base_model_id": SMALL,
        "system": "You review.",
        "params": {"temperature": 0.2, "stop": ["\n"]},
        "description": "Reads code",
        "profile_image_url": "/static/favicon.png",
        "capabilities": {"vision": False},
        "tags": ["code"],
        "suggestion_prompts": [{"content": "Review this."}],
        "knowledge": ["Guides ☃"],
        "tools": ["Adds numbers"],
        "meta": {"defaultFeatureIds": ["web_search"]},
        "access": "public",
    }
    result = four_times("openwebui_model", {"models": [model]})
    assert result["models"] == [
        {"id": "reviewer", "name": "Reviewer", "base_model_id": SMALL, "action": "created"},
    ]
    row = stored()["reviewer"]
    assert {name: value for name, value in row["meta"].items() if value is not None} == {
        "profile_image_url": "/static/favicon.png",
        "description": "Reads code",
        "capabilities": {"vision": False},
        "tags": [{"name": "code"}],
        "suggestion_prompts": [{"content": "Review this.", "title": ["", ""]}],
        "knowledge": [{"type": "collection", "id": things["Guides ☃"], "name": "Guides ☃"}],
        "toolIds": ["adder"],
        "defaultFeatureIds": ["web_search"],
    }
    assert row["params"] == {"temperature": 0.2, "stop": ["\n"], "system": "You review."}
    assert grants(row) == {("read", "*")}
    changes: list[tuple[str, t.Any, dict[str, t.Any]]] = [
        ("name", "Ünïcode ☃ <b>日本\"'", {"name": "Ünïcode ☃ <b>日本\"'"}),
        ("base_model_id", LARGE, {"base_model_id": LARGE}),
        ("system", "", {"system": ""}),
        ("params", {"temperature": 0.5}, {"params.temperature": 0.5}),
        ("params", {"stop": None, "num_ctx": 8192}, {"params.num_ctx": 8192, "params.stop": None}),
        ("description", "", {"description": ""}),
        ("profile_image_url", "", {"profile_image_url": ""}),
        (
            "capabilities",
            {"vision": True, "citations": False},
            {"capabilities.vision": True, "capabilities.citations": False},
        ),
        ("tags", ["b", "a"], {"tags": ["b", "a"]}),
        ("suggestion_prompts", [], {"suggestion_prompts": []}),
        ("knowledge", [], {"knowledge": []}),
        ("tools", [], {"tools": []}),
        ("meta", {"defaultFeatureIds": None, "hidden": True}, {"meta.hidden": True, "meta.defaultFeatureIds": None}),
        ("access", "private", {"access": "private"}),
        ("is_active", False, {"is_active": False}),
    ]
    assert {name for name, _value, _after in changes} == set(model) - {"id"} | {"is_active"}
    everything = {"id": "reviewer", **{name: value for name, value, _after in changes}}
    *results, again = one_by_one([*({"id": "reviewer", name: value} for name, value, _after in changes), everything])
    assert again["changed"] is False
    for (name, _value, after), result in zip(changes, results):
        assert {f"reviewer.{field}": shown for field, shown in after.items()}.items() <= result["diff"]["after"].items()
        assert {field.split(".")[1] for field in result["diff"]["before"]} == {name}
        assert result["models"][0]["action"] == "updated"
    row = stored()["reviewer"]
    assert row["params"] == {"temperature": 0.5, "num_ctx": 8192}
    assert (row["base_model_id"], row["is_active"], row["access_grants"]) == (LARGE, False, [])
    assert row["meta"]["capabilities"] == {"vision": True, "citations": False}
    result = four_times("openwebui_model", {"models": [{"id": "reviewer", "state": "absent"}]})
    assert result["models"][0]["action"] == "deleted"
    assert stored() == {}


def test_who_uses_what(four_times: t.Any, play: t.Any, team: dict[str, str], webui: Server) -> None:
    options = {
        "models": [
            {"id": SMALL, "access": "public"},
            {"id": LARGE, "name": "Large", "access": {"read": {"groups": ["Devs"]}}},
            {
                "id": "reviewer",
                "base_model_id": LARGE,
                "system": "You review.",
                "access": {"read": {"groups": ["Devs"]}},
            },
        ]
    }
    result = four_times("openwebui_model", options)
    assert [row["action"] for row in result["models"]] == ["created"] * 3
    assert usable(webui, team["kim"]) == {SMALL, LARGE, "reviewer"}
    assert usable(webui, team["lee"]) == {SMALL}
    body = {"model": "reviewer", "messages": [{"role": "user", "content": "Hello"}], "stream": False}
    status, answer = webui.call("POST", "/api/chat/completions", body, token=team["kim"])
    assert status == 200, answer
    assert answer["choices"][0]["message"]["content"]
    assert webui.call("POST", "/api/chat/completions", body, token=team["lee"])[0] != 200
    # What was said about a model of a connection goes, and the model stays.
    four_times("openwebui_model", {"models": [{"id": SMALL, "state": "absent"}]})
    assert usable(webui, team["lee"]) == set()
    assert SMALL in usable(webui, webui.token)


def test_local_and_cloud_models_side_by_side(
    four_times: t.Any, play: t.Any, team: dict[str, str], webui: Server
) -> None:
    with OpenAiBackend(("127.0.0.1", 0), "sentinel", ["large"]).running() as cloud:
        connection = {"url": cloud.url, "key": "sentinel", "prefix_id": "cloud"}
        common = {"url": webui.url, "token": webui.token}
        connect = {"type": "openai", "exclusive": "all", "connections": [connection]}
        result = play([{"selfhosted.llm.openwebui_connection": {**common, **connect}}])[0]
        assert result["changed"], result
        models = [
            {"id": SMALL, "access": "public"},
            {"id": "cloud.large", "access": {"read": {"groups": ["Devs"]}}},
            {"id": "helper", "base_model_id": "cloud.large", "access": {"read": {"users": ["KIM@example.com"]}}},
        ]
        four_times("openwebui_model", {"models": models})
        assert usable(webui, team["kim"]) == {SMALL, "cloud.large", "helper"}
        assert usable(webui, team["lee"]) == {SMALL}
        body = {"model": "helper", "messages": [{"role": "user", "content": "Hello"}], "stream": False}
        assert webui.call("POST", "/api/chat/completions", body, token=team["kim"])[0] == 200
        assert cloud.asked[-1].body["model"] == "large"
    connect = {"type": "openai", "exclusive": "all", "connections": [], "allow_empty": True}
    play([{"selfhosted.llm.openwebui_connection": {**common, **connect}}])


def test_what_others_put_there_stays(four_times: t.Any, stored: t.Any, things: dict[str, str], webui: Server) -> None:
    attached = {"type": "file", "id": "some-file", "name": "f"}
    meta = {
        "filterIds": ["f"],
        "voice": {"voice": "nova"},
        "i18n": {"de": {"name": "Prüfer"}},
        "knowledge": [attached],
        "zz": {"deep": [1]},
    }
    controls = {"effort": {"label": "Effort", "options": {"low": {"label": "Low", "params": {"think": False}}}}}
    by_hand = {"id": "mine", "name": "Mine", "base_model_id": SMALL, "meta": meta}
    body = {**by_hand, "params": {"zz": 1, "model_controls": controls}}
    assert webui.call("POST", "/api/v1/models/create", body)[0] == 200
    wanted = {"id": "mine", "description": "d", "params": {"top_k": 1}, "knowledge": ["Guides ☃"], "access": "public"}
    four_times("openwebui_model", {"models": [wanted]})
    row = stored()["mine"]
    collection = {"type": "collection", "id": things["Guides ☃"], "name": "Guides ☃"}
    kept = {name: value for name, value in row["meta"].items() if value is not None}
    assert kept == {**meta, "description": "d", "knowledge": [attached, collection]}
    assert row["params"] == {"zz": 1, "top_k": 1, "model_controls": controls}
    four_times("openwebui_model", {"models": [{"id": "mine", "params": {"model_controls": None, "zz": None}}]})
    assert stored()["mine"]["params"] == {"top_k": 1}


def test_what_somebody_changed_is_cured(four_times: t.Any, stored: t.Any, webui: Server) -> None:
    model = {"id": "a", "base_model_id": SMALL, "system": "s", "tags": ["x"], "access": "public"}
    four_times("openwebui_model", {"models": [model]})
    before = stored()["a"]
    by_hand = {**before, "base_model_id": LARGE, "params": {"system": "other"}, "is_active": False}
    assert webui.call("POST", "/api/v1/models/model/update", by_hand)[0] == 200
    body = {"id": "a", "access_grants": []}
    assert webui.call("POST", "/api/v1/models/model/access/update", body)[0] == 200
    result = four_times("openwebui_model", {"models": [{**model, "is_active": True}]})
    assert result["diff"]["before"] == {
        "a.base_model_id": LARGE,
        "a.system": "other",
        "a.is_active": False,
        "a.access": "private",
    }
    after = stored()["a"]
    moving = ("updated_at", "version_id", "access_grants")
    assert {name: value for name, value in after.items() if name not in moving} == {
        name: value for name, value in before.items() if name not in moving
    }
    assert grants(after) == grants(before)


def test_all_mistakes_are_refused_together(
    failures: t.Any, play: t.Any, stored: t.Any, webui: Server, things: t.Any
) -> None:
    models = [
        {"id": "good", "base_model_id": SMALL},
        {"id": "smollm2", "access": "public"},
        {"id": "b", "base_model_id": "tinylama:latest"},
        {"id": LARGE, "base_model_id": SMALL},
        {
            "id": "c",
            "base_model_id": SMALL,
            "knowledge": ["Guides"],
            "tools": ["Adds"],
            "access": {"read": {"groups": ["X"]}},
        },
    ]
    common = {"url": webui.url, "token": webui.token}
    message = failures("openwebui_model", {**common, "models": models})[0]
    for words in (
        f"there is no base model 'smollm2' (did you mean '{SMALL}'?)",
        f"there is no base model 'tinylama:latest' (did you mean '{LARGE}'?)",
        f"model '{LARGE}' would be hidden by the model of a connection with this id",
        "there is no knowledge collection 'Guides' (did you mean 'Guides ☃'?)",
        "there is no tool 'Adds'",
        "there is no group 'X'",
    ):
        assert words in message
    assert stored() == {}
    # In check mode it may be that an earlier task would have pulled the model.
    result = play([{MODEL: {**common, "models": models[1:3]}, "check_mode": True}])[0]
    assert [row["action"] for row in result["models"]] == ["created", "created"]


def test_reading_gives_what_makes_it_again(
    play: t.Any, stored: t.Any, webui: Server, things: t.Any, team: t.Any
) -> None:
    models = [
        {"id": SMALL, "name": "Klein", "access": "public", "meta": {"hidden": True}},
        {
            "id": "b/ü:☃",
            "base_model_id": SMALL,
            "system": "s",
            "params": {"temperature": 1},
            "knowledge": ["Guides ☃"],
            "tools": ["adder"],
            "suggestion_prompts": [{"content": "c", "title": ["a", "b"]}],
            "access": {"read": {"groups": ["Devs"]}, "write": {"users": ["lee@example.com"]}},
            "is_active": False,
        },
    ]
    common = {"url": webui.url, "token": webui.token}
    assert play([{MODEL: {**common, "models": models}}])[0]["changed"]
    client = OpenWebUI(HttpClient(webui.url, token=webui.token))
    entries = Models(client).entries()
    assert webui.call("DELETE", "/api/v1/models/delete/all")[0] == 200
    assert play([{MODEL: {**common, "models": entries}}])[0]["changed"]
    assert Models(client).entries() == entries
    results = play([{MODEL: {**common, "models": each}} for each in (entries, models)])
    assert [result["changed"] for result in results] == [False, False], results


def test_many_cost_as_much_as_one(play: t.Any, webui: Server) -> None:
    models = [{"id": f"m{number}", "base_model_id": SMALL, "access": "public"} for number in range(60)]
    task = {MODEL: {"url": webui.url, "token": webui.token, "models": models}}
    assert play([task])[0]["changed"]
    before = len(webui.requests())
    assert play([task])[0]["changed"] is False
    assert webui.requests()[before:] == ["GET /api/v1/models/all 200"]


def test_two_runs_at_once_and_a_restart(play: t.Any, playbook: t.Any, stored: t.Any, webui: Server) -> None:
    models = [{"id": f"m{number}", "base_model_id": SMALL, "access": "public"} for number in range(10)]
    task = {MODEL: {"url": webui.url, "token": webui.token, "models": models}}
    with ThreadPoolExecutor() as pool:
        outputs = list(pool.map(lambda number: playbook([task]), range(2)))
    assert [output.status for output in outputs] == [0, 0], outputs
    assert set(stored()) == {model["id"] for model in models}
    webui.restart()
    assert play([task])[0]["changed"] is False
