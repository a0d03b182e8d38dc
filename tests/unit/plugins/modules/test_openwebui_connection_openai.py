# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``openwebui_connection`` for services with the OpenAI API, and the server's own call that tries a connection."""

from __future__ import annotations

import re

import pytest

from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.connection_kinds import OPENAI
from ansible_collections.selfhosted.llm.plugins.modules import openwebui_connection

READ = ("GET", "/openai/config")
WRITE = ("POST", "/openai/config/update")
VERIFY = ("POST", "/openai/verify")
MARK = {"managed_by": "selfhosted.llm"}
OURS = {"enable": True, **MARK}
SEED = ("https://api.openai.com/v1", "", {})
MODELS = {"object": "list", "data": []}
DOWN = {"detail": "Open WebUI: Server Connection Error"}


def config(*connections, enable=True):
    """What the server has and what it takes: the same shape, as recorded. A connection is (url, key, settings)."""
    return {
        "ENABLE_OPENAI_API": enable,
        "OPENAI_API_BASE_URLS": [url for url, _key, _settings in connections],
        "OPENAI_API_KEYS": [key for _url, key, _settings in connections],
        "OPENAI_API_CONFIGS": {str(place): each[2] for place, each in enumerate(connections) if each[2]},
    }


@pytest.fixture
def run(server, run_module):
    common = {"url": server.url, "token": "token-in-use", "type": "openai"}
    return lambda params, **how: run_module(openwebui_connection, {**common, **params}, **how)


@pytest.fixture
def states(run, server):
    """Each state: check mode, the run, the run again, check mode again. Gives the result of the run.

    ``tried`` are the bodies of the calls that try a connection.
    """

    def run_all(params, before, after, tried=()):
        results = []
        for check in (True, False):
            server.expect(*READ, answer=before)
            for body in tried:
                server.expect(*VERIFY, body, answer=MODELS)
            if not check:
                server.expect(*WRITE, after, answer=after)
                server.expect(*READ, answer=after)
            results.append(run(params, check=check))
        result = results[1]
        assert results[0] == result
        assert result["changed"] is True
        for check in (False, True):
            server.expect(*READ, answer=after)
            again = run(params, check=check)
            assert again["changed"] is False
            assert {row["action"] for row in again["connections"]} <= {"none"}
            assert again["diff"] == {"before": {}, "after": {}}
        return result

    return run_all


def actions(result):
    return [(row["index"], row["url"], row["action"]) for row in result["connections"]]


def test_first_connection_takes_the_place_of_the_one_that_the_program_begins_with(states):
    wanted = {"url": "http://gpu:8000/v1/", "key": "sentinel"}
    result = states(
        {"connections": [wanted], "exclusive": "owned"},
        config(SEED, enable=False),
        config(("http://gpu:8000/v1", "sentinel", OURS)),
        tried=[{"url": "http://gpu:8000/v1", "key": "sentinel", "config": OURS}],
    )
    assert actions(result) == [
        (0, "http://gpu:8000/v1", "added"),
        (None, "https://api.openai.com/v1", "removed"),
    ]
    assert result["diff"]["after"]["ENABLE_OPENAI_API"] is True
    assert "sentinel" not in str(result)


@pytest.mark.parametrize(
    "seed", [("https://api.openai.com/v1", "key", {}), ("https://api.openai.com/v1", "", {"a": 1})]
)
def test_what_somebody_made_of_the_first_connection_stays(states, seed):
    params = {"connections": ["http://a/v1"], "exclusive": "owned", "verify": False}
    states(params, config(seed), config(seed, ("http://a/v1", "", OURS)))


def test_first_connection_stays_by_default(states):
    states({"connections": ["http://a/v1"], "verify": False}, config(SEED), config(SEED, ("http://a/v1", "", OURS)))


def test_all_settings_of_a_connection(states):
    wanted = {
        "url": "https://x.openai.azure.com/",
        "enable": "no",
        "key": "sentinel-1",
        "auth_type": "none",
        "headers": {"X-Number": 7, "X-Secret": "sentinel-2"},
        "prefix_id": "p",
        "model_ids": ["gpt"],
        "tags": ["t"],
        "connection_type": "external",
        "provider": "azure",
        "api_version": "2024-10-21",
        "api_type": "responses",
        "forward_cookies": True,
        "passthrough_params": ["thinking"],
    }
    settings = {
        "enable": False,
        "auth_type": "none",
        "headers": {"X-Number": "7", "X-Secret": "sentinel-2"},
        "prefix_id": "p",
        "model_ids": ["gpt"],
        "tags": [{"name": "t"}],
        "connection_type": "external",
        "provider": "azure",
        "azure": True,
        "api_version": "2024-10-21",
        "api_type": "responses",
        "forward_cookies": True,
        "passthrough_params": ["thinking"],
        **MARK,
    }
    assert set(settings) == set(wanted) - {"url", "key"} | {"azure", *MARK}
    after = config(("https://x.openai.azure.com", "sentinel-1", settings))
    result = states({"connections": [wanted]}, config(), after)
    assert "sentinel" not in str(result)


def test_back_to_what_has_no_name_on_the_server(states):
    before = {**OURS, "provider": "azure", "azure": True, "api_type": "responses", "model_ids": ["m"]}
    after = {**before, "provider": "", "azure": False, "api_type": ""}
    wanted = {"url": "http://a/v1", "provider": "default", "api_type": "chat_completions"}
    states(
        {"connections": [wanted], "verify": False},
        config(("http://a/v1", "k", before)),
        config(("http://a/v1", "k", after)),
    )


def test_keys_and_settings_follow_their_url_when_places_change(states):
    before = config(
        ("http://gone/v1", "key-gone", OURS),
        ("http://mine/v1/", "key-mine", {"enable": False, "headers": {"X": "secret"}}),
        ("http://b/v1", "key-b", {**OURS, "unknown": 7}),
    )
    after = config(
        ("http://mine/v1/", "key-mine", {"enable": False, "headers": {"X": "secret"}}),
        ("http://a/v1", "", OURS),
        ("http://b/v1", "key-b", {**OURS, "unknown": 7}),
    )
    params = {"connections": ["http://a/v1", "http://b/v1"], "exclusive": "owned"}
    result = states(params, before, after, tried=[{"url": "http://a/v1", "key": "", "config": OURS}])
    assert [row["action"] for row in result["connections"]] == ["none", "added", "none", "removed"]
    assert "key-" not in str(result)
    assert "secret" not in str(result)


def test_keys_that_are_missing_or_too_many(run, server):
    connections = (("http://a/v1", "k", OURS), ("http://b/v1", "", OURS))
    for keys in (["k"], ["k", "", "too many"]):
        server.expect(*READ, answer={**config(*connections), "OPENAI_API_KEYS": keys})
        assert run({"connections": ["http://a/v1", "http://b/v1"]})["changed"] is False


def test_a_key_that_was_changed_outside_is_drift(states):
    result = states(
        {"connections": [{"url": "http://a/v1", "key": "sentinel-new"}]},
        config(("http://a/v1", "sentinel-old", OURS)),
        config(("http://a/v1", "sentinel-new", OURS)),
        tried=[{"url": "http://a/v1", "key": "sentinel-new", "config": OURS}],
    )
    assert result["diff"] == {"before": {"http://a/v1 key": "another one"}, "after": {"http://a/v1 key": "as given"}}
    assert actions(result) == [(0, "http://a/v1", "updated")]
    assert "sentinel" not in str(result)


def test_headers_that_differ_are_written_and_not_shown(states):
    before = {**OURS, "headers": {"X": "sentinel-old"}}
    after = {**OURS, "headers": {"X": "sentinel-new"}}
    params = {"connections": [{"url": "http://a/v1", "headers": {"X": "sentinel-new"}}], "verify": False}
    result = states(params, config(("http://a/v1", "", before)), config(("http://a/v1", "", after)))
    assert result["diff"]["after"] == {"http://a/v1 headers": "as given"}
    assert "sentinel" not in str(result)


def test_two_accounts_of_one_service_go_by_their_prefix(states):
    one, two = ({**OURS, "prefix_id": prefix} for prefix in ("one", "two"))
    before = config(("http://a/v1", "key-two", two), ("http://a/v1", "key-one", one))
    after = config(("http://a/v1", "key-one", one), ("http://a/v1", "new", two))
    wanted = [{"url": "http://a/v1", "prefix_id": "one"}, {"url": "http://a/v1", "prefix_id": "two", "key": "new"}]
    result = states({"connections": wanted, "verify": False}, before, after)
    assert result["diff"] == {
        "before": {"http://a/v1 (two) key": "another one", "order": ["http://a/v1 (two)", "http://a/v1 (one)"]},
        "after": {"http://a/v1 (two) key": "as given", "order": ["http://a/v1 (one)", "http://a/v1 (two)"]},
    }


def test_of_two_accounts_one_goes_with_its_key(states):
    one, two = ({**OURS, "prefix_id": prefix} for prefix in ("one", "two"))
    before = config(("http://a/v1", "key-one", one), ("http://a/v1", "key-two", two))
    params = {"connections": [{"url": "http://a/v1", "prefix_id": "two"}], "exclusive": "owned"}
    result = states(params, before, config(("http://a/v1", "key-two", two)))
    assert [(row["prefix_id"], row["action"]) for row in result["connections"]] == [("two", "none"), ("one", "removed")]


def test_a_second_account_does_not_take_what_the_first_has(states):
    before = config(("http://a/v1", "key-old", {**OURS, "prefix_id": "old"}))
    wanted = [{"url": "http://a/v1", "prefix_id": prefix} for prefix in ("one", "two")]
    after = config(*(("http://a/v1", "", {**OURS, "prefix_id": prefix}) for prefix in ("one", "two")))
    states({"connections": wanted, "exclusive": "owned", "verify": False}, before, after)


def test_the_prefix_of_the_only_one_changes_and_its_key_stays(states):
    before = config(("http://a/v1", "key", {**OURS, "prefix_id": "old"}))
    after = config(("http://a/v1", "key", {**OURS, "prefix_id": "new"}))
    result = states({"connections": [{"url": "http://a/v1", "prefix_id": "new"}], "verify": False}, before, after)
    assert result["diff"]["after"] == {"http://a/v1 (new) prefix_id": "new", "order": ["http://a/v1 (new)"]}


def test_a_word_as_a_key_does_not_hide_the_rest(states):
    wanted = {"url": "http://ollama:11434/v1", "key": "ollama"}
    after = config(("http://ollama:11434/v1", "ollama", OURS))
    result = states({"connections": [wanted], "verify": False}, config(), after)
    assert actions(result) == [(0, "http://ollama:11434/v1", "added")]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"status": 500, "answer": DOWN}, "was answered with 500: Open WebUI: Server Connection Error"),
        (
            {"status": 401, "answer": {"error": {"message": "Incorrect API key provided: sentinel."}}},
            "was answered with 401: {'error': {'message': 'Incorrect API key provided: ********.'}}",
        ),
        # Words with which Open WebUI itself says that a session has ended.
        ({"status": 401, "answer": {"detail": "Invalid token"}}, "was answered with 401: Invalid token"),
        ({"status": 404, "text": "not here"}, "was answered with 404: not here"),
        ({"answer": "<html>"}, "brought an answer without data, so another service is there"),
        ({"answer": {"version": "0.13.5"}}, "brought an answer without data"),
        ({"status": 400, "text": "header other-sentinel is bad"}, "header ******** is bad"),
    ],
)
@pytest.mark.parametrize("check", [False, True])
def test_a_connection_of_no_use_is_refused_before_anything_is_written(run, server, answer, words, check):
    server.expect(*READ, answer=config())
    settings = {**OURS, "headers": {"X": "other-sentinel"}}
    server.expect(*VERIFY, {"url": "http://a/v1", "key": "sentinel", "config": settings}, **answer)
    connection = {"url": "http://a/v1", "key": "sentinel", "headers": {"X": "other-sentinel"}}
    result = run({"connections": [connection]}, check=check, fails=True)
    assert words in result["msg"]
    assert result["msg"].startswith(
        f"Nothing was changed on {server.url}. It cannot use these connections: http://a/v1:"
    )
    assert "set verify to false" in result["msg"]
    assert "sentinel" not in str(result)
    assert "session_ended" not in result["failure"]


def test_all_connections_of_no_use_are_named_at_once(run, server):
    server.expect(*READ, answer=config(("http://same/v1", "k", OURS)))
    server.expect(*VERIFY, {"url": "http://b/v1", "key": "", "config": OURS}, status=500, answer=DOWN)
    server.expect(*VERIFY, {"url": "http://good/v1", "key": "", "config": OURS}, answer=[])
    azure = {"url": "https://x.openai.azure.com", "provider": "azure"}
    message = run({"connections": ["http://same/v1", "http://b/v1", azure, "http://good/v1"]}, fails=True)["msg"]
    assert "http://b/v1: POST" in message
    assert "https://x.openai.azure.com: Azure OpenAI does not list its deployments" in message
    assert "http://good/v1:" not in message


def test_the_deployments_of_azure_may_stand_on_the_server_or_be_listed_there(states):
    before = config(("https://x.openai.azure.com", "k", {**OURS, "model_ids": ["gpt"]}))
    settings = {**OURS, "provider": "azure", "azure": True}
    after = config(
        ("https://x.openai.azure.com", "k", {**settings, "model_ids": ["gpt"]}),
        ("https://x.openai.azure.com/openai/v1", "", settings),
    )
    urls = ("https://x.openai.azure.com", "https://x.openai.azure.com/openai/v1")
    states({"connections": [{"url": url, "provider": "azure"} for url in urls], "verify": False}, before, after)


@pytest.mark.parametrize("setting", [{"enable": False}, {"auth_type": "system_oauth"}])
def test_what_is_not_used_or_needs_a_person_is_not_tried(states, setting):
    after = config(("http://a/v1", "", {**OURS, **setting}))
    states({"connections": [{"url": "http://a/v1", **setting}]}, config(), after)


def test_open_webui_itself_that_goes_away(run, server):
    server.expect(*READ, answer=config())
    server.expect(*VERIFY, {"url": "http://a/v1", "key": "", "config": OURS}, drop=True)
    assert "Check that the service is running" in run({"connections": ["http://a/v1"]}, fails=True)["msg"]


def test_a_server_that_drops_a_key(run, server):
    server.expect(*READ, answer=config())
    server.expect(*WRITE, config(("http://a/v1", "sentinel", OURS)), answer={})
    server.expect(*READ, answer=config(("http://a/v1", "", OURS)))
    params = {"connections": [{"url": "http://a/v1", "key": "sentinel"}], "verify": False}
    message = run(params, fails=True)["msg"]
    assert "took the connections, but does not have OPENAI_API_KEYS as sent" in message
    assert "sentinel" not in message


@pytest.mark.parametrize(
    ("connection", "words"),
    [
        ("http://a/v1?key=sentinel", "'http://a/v1' is not a URL of the form"),
        ({"url": "http://good/v1/"}, "http://good/v1 is given more than once"),
        ({"url": "http://a/v1", "provider": "openai"}, "provider"),
        ({"url": "http://a/v1", "auth_type": "basic"}, "auth_type"),
        ({"url": "http://a/v1", "headers": "X: sentinel"}, "headers"),
        ({"url": "http://a/v1", "headers": ["sentinel"]}, "headers"),
        ({"url": "http://a/v1", "api_key": "sentinel"}, "api_key. Supported parameters include"),
        ({"url": "http://a/v1", "key": "sentinel\n"}, "http://a/v1 has a key or header with a character"),
        ({"url": "http://a/v1", "headers": {"X": "sentinel\r"}}, "http://a/v1 has a key or header with a character"),
        ({"url": "http://a/v1", "prefix_id": "a b"}, "http://a/v1 (a b) has a prefix_id with blanks"),
        (["sentinel"], "an element of type list is neither a URL nor a dictionary"),
    ],
)
def test_bad_input_is_refused_for_the_whole_list_before_anything_is_sent(run, server, connection, words):
    result = run({"connections": ["http://good/v1", connection]}, fails=True)
    assert words in result["msg"]
    assert "sentinel" not in str(result)
    assert server.requests == []


def test_settings_of_the_openai_api_are_not_for_ollama(run, server):
    connection = {"url": "http://a:1", "api_type": "responses"}
    assert "api_type. Supported" in run({"type": "ollama", "connections": [connection]}, fails=True)["msg"]


def test_a_mistake_in_another_option_does_not_show_the_keys(run, server):
    connection = {"url": "http://a/v1", "key": "sentinel"}
    assert "sentinel" not in str(run({"connections": [connection], "exclusive": "everything"}, fails=True))


def test_each_setting_is_described_and_has_an_example():
    settings = set(OPENAI) - {"url"}
    described = set(re.findall(r"^      - C\((\w+)\) \(", openwebui_connection.DOCUMENTATION, re.MULTILINE))
    assert described == settings
    assert settings <= set(re.findall(r"(\w+):", openwebui_connection.EXAMPLES))
