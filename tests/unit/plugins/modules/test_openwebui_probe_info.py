# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.selfhosted.llm.plugins.modules import openwebui_probe_info

PATHS = [
    "/api/models",
    "/api/v1/chats/",
    "/api/v1/users/",
    "/api/v1/files/",
    "/api/v1/configs/export",
    "/ollama/config",
    "/ollama/api/tags",
]
USER = {"email": "probe@localhost", "password": "secret words"}
TOKEN = {"Authorization": "Bearer header.payload.signature"}


@pytest.fixture
def recorded(recording):
    return recording("openwebui")


@pytest.fixture
def run(server, run_module):
    return lambda params, **how: run_module(openwebui_probe_info, {"url": server.url, **params}, **how)


@pytest.fixture
def strangers(server, recorded):
    """Expects what is asked for without an account."""

    def expect(config="config", features=None, **statuses):
        answer = {**recorded[config], "features": {**recorded[config]["features"], **(features or {})}}
        server.expect("GET", "/api/config", sent={"Authorization": None}, answer=answer)
        server.expect("GET", "/api/version", sent={"Authorization": None}, answer=recorded["version"])
        for path in PATHS:
            refusal = {**recorded["refusals"]["no_token"], "status": statuses.get(path.rpartition("/")[2], 401)}
            server.expect("GET", path, sent={"Authorization": None}, **refusal)

    return expect


@pytest.fixture
def users(server, recorded):
    """Expects what is asked for with the account, up to the chats."""

    def expect(tags=None, models=()):
        answer = {**recorded["sign_in"], "email": "probe@localhost", "role": "user"}
        server.expect("POST", "/api/v1/auths/signin", USER, sent={"Authorization": None}, answer=answer)
        server.expect("GET", "/api/models", sent=TOKEN, answer={"data": [*recorded["models"]["data"], *models]})
        if tags is not None:
            server.expect("GET", "/ollama/api/tags", sent=TOKEN, answer={"models": tags})

    return expect


@pytest.fixture
def chat(server, recorded):
    """Expects a chat: ``chat(0, "llama3:latest", **answer)``."""

    def expect(index, model, prompt="Say hello in one short sentence.", **answer):
        body = {
            "model": model,
            "messages": [{"role": "user", "content": prompt}],
            "stream": True,
            "options": {"num_predict": 64},
        }
        server.expect("POST", f"/ollama/api/chat/{index}", body, sent=TOKEN, **answer)

    return expect


@pytest.fixture
def model(recorded):
    """Builds a row of the list of models after the recorded one."""
    template = recorded["tags"]["models"][0]
    return lambda name, size, *urls, **fields: {**template, "model": name, "size": size, "urls": list(urls), **fields}


def line(text, done=False, **message):
    return {"model": "m", "message": {"role": "assistant", "content": text, **message}, "done": done}


@pytest.mark.parametrize("check", [False, True])
def test_stranger(run, strangers, check):
    strangers()
    result = run({"backends": [0]}, check=check)
    result.pop("invocation", None)
    assert result == {
        "changed": False,
        "version": "0.12.4",
        "onboarding": False,
        "signup_open": False,
        "anonymous": [{"path": path, "status": 401, "refused": True} for path in PATHS],
        "user": None,
        "models": [],
        "without_tools": [],
        "chats": [],
    }


@pytest.mark.parametrize(
    ("config", "features", "seen"),
    [
        ("config", {"enable_signup": True}, (False, True)),
        ("config", {"enable_signup": True, "enable_login_form": False}, (False, False)),
        ("config", {}, (False, False)),
        ("config_onboarding", {}, (True, True)),
        ("config_onboarding", {"enable_signup": False}, (True, True)),
    ],
)
def test_sign_up(run, strangers, config, features, seen):
    strangers(config, features)
    result = run({})
    assert (result["onboarding"], result["signup_open"]) == seen


def test_paths_that_are_not_refused(run, strangers):
    strangers(tags=200, export=403, models=500)
    refused = {row["path"]: row["refused"] for row in run({})["anonymous"]}
    assert [path for path in PATHS if not refused[path]] == ["/api/models", "/ollama/api/tags"]


def test_user_without_backends(run, strangers, users):
    strangers()
    users()
    result = run(USER)
    assert result["user"] == {"email": "probe@localhost", "role": "user"}
    assert result["models"] == ["llama3:latest", "oai-llama3:latest", "oai-mistral:7b", "qwen:1b"]
    assert (result["without_tools"], result["chats"]) == ([], [])
    assert "signature" not in str(result)


def of_ollama(name, *capabilities, base=None, tools=None):
    switches = None if tools is None else {"builtin_tools": tools}
    served = {} if base else {"ollama": {"model": name, "capabilities": list(capabilities)}}
    return {"id": name, **served, "info": {"base_model_id": base, "meta": {"capabilities": switches}}}


@pytest.mark.parametrize(
    ("models", "named"),
    [
        ([of_ollama("able", "completion", "tools")], []),
        ([of_ollama("plain", "completion")], ["plain"]),
        ([of_ollama("plain", "completion", tools=True)], ["plain"]),
        ([of_ollama("plain", "completion", tools=False)], []),
        ([of_ollama("embedding", "embedding")], []),
        ([of_ollama("older than the list of capabilities")], []),
        ([{"id": "no row", "ollama": {"capabilities": ["completion"]}}], ["no row"]),
        ([of_ollama("plain", "completion", tools=False), of_ollama("desk", base="plain")], ["desk"]),
        ([of_ollama("able", "completion", "tools"), of_ollama("desk", base="able")], []),
        ([of_ollama("desk", base="nobody sees it")], []),
    ],
)
def test_models_that_the_page_cannot_ask(run, strangers, users, models, named):
    strangers()
    users(models=models)
    assert run(USER)["without_tools"] == named


def test_the_smallest_model_of_each_backend_is_asked(run, strangers, users, chat, model, recorded):
    strangers()
    users([model("big", 9, 0, 1), model("b", 5, 0), model("a", 5, 0), model("far", 1, 0, remote_host="x")])
    chat(0, "a", "Ping", lines=[line("Hel"), line("lo"), line("", done=True)])
    chat(1, "big", "Ping", lines=[{**recorded["chat"], "done": True}])
    result = run({**USER, "backends": [0, 1], "prompt": "Ping"})
    assert result["chats"] == [
        {"index": 0, "model": "a", "reply": "Hello", "error": None},
        {"index": 1, "model": "big", "reply": "pong from stub", "error": None},
    ]


def test_a_model_that_only_thinks_within_the_limit(run, strangers, users, chat, model):
    strangers()
    users([model("a", 1, 0)])
    chat(0, "a", lines=[line("", thinking="Let me"), line("", thinking=" see"), line("", done=True)])
    assert run({**USER, "backends": [0]})["chats"][0]["reply"] == "Let me see"


def test_models_that_cannot_chat_are_passed_over(run, strangers, users, chat, model):
    strangers()
    users([model("embed", 1, 0), model("talk", 2, 0)])
    chat(0, "embed", status=400, answer={"detail": '"embed" does not support chat'})
    chat(0, "talk", lines=[line("Hello", done=True)])
    row = run({**USER, "backends": [0]})["chats"][0]
    assert row == {"index": 0, "model": "talk", "reply": "Hello", "error": None}


def test_a_backend_without_models_does_not_stop_the_others(run, strangers, users, chat, model):
    strangers()
    users([model("a", 1, 1)])
    chat(1, "a", lines=[line("Hello", done=True)])
    missing, answered = run({**USER, "backends": [7, 1]})["chats"]
    assert (missing["model"], missing["reply"]) == (None, None)
    assert "Backend 7 of" in missing["error"]
    assert answered["reply"] == "Hello"


def test_models_of_the_workspace_are_asked_as_users_ask_them(run, strangers, users, server, recorded):
    strangers()
    users()
    answers = [
        {"answer": {"choices": [{"message": {"role": "assistant", "content": " Hello. "}}]}},
        {"status": 404, "answer": {"detail": "Model not found"}},
        {"answer": {"choices": []}},
    ]
    for model, answer in zip(("desk", "gone", "odd"), answers):
        messages = [{"role": "user", "content": "Ping"}]
        body = {"model": model, "messages": messages, "stream": False, "max_tokens": 64}
        server.expect("POST", "/api/chat/completions", body, sent=TOKEN, **answer)
    desk, gone, odd = run({**USER, "models": ["desk", "gone", "odd"], "prompt": "Ping"})["chats"]
    assert desk == {"index": None, "model": "desk", "reply": "Hello.", "error": None}
    assert gone["reply"] is None and "404: Model not found" in gone["error"]
    assert odd["error"] == f"odd of {server.url} answered without a message."


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("dead_backend", "500: Ollama: Cannot connect to host 127.0.0.1:18499"),
        ({"lines": [line("Hel"), {"error": "out of memory"}]}, "a on backend 0 of"),
        ({"lines": [line("Hel"), {"error": "out of memory"}]}, "failed: out of memory."),
        ({"lines": [line("Hel")]}, "failed: the answer ended in the middle."),
        ({"drop": True}, "failed"),
    ],
)
def test_a_chat_that_fails_does_not_stop_the_others(run, strangers, users, chat, model, recorded, answer, words):
    strangers()
    users([model("a", 1, 0, 1), model("larger", 2, 0)])
    chat(0, "a", **(recorded["refusals"][answer] if isinstance(answer, str) else answer))
    chat(1, "a", lines=[line("Hello", done=True)])
    failed, answered = run({**USER, "backends": [0, 1]})["chats"]
    assert (failed["model"], failed["reply"]) == ("a", None)
    assert words in failed["error"]
    assert answered["error"] is None


def test_a_backend_that_says_nothing(run, server, strangers, users, chat, model):
    strangers()
    users([model("a", 1, 0)])
    chat(0, "a", lines=[line("Hel"), server.STALL])
    row = run({**USER, "backends": [0], "timeout": 0.3})["chats"][0]
    assert "brought nothing for 0.3 seconds" in row["error"]


@pytest.mark.parametrize(("answer", "words"), [("pending_sign_in", "still pending"), ("second_factor", "next step")])
def test_a_user_that_cannot_sign_in(run, server, strangers, recorded, answer, words):
    strangers()
    server.expect("POST", "/api/v1/auths/signin", USER, answer=recorded[answer])
    assert words in run(USER, fails=True)["msg"]


def test_another_server(run, server, recorded):
    server.expect("GET", "/api/config", text=recorded["page"], headers={"Content-Type": "text/html"})
    assert "answered with text/html instead of JSON" in run({}, fails=True)["msg"]
