# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.selfhosted.llm.plugins.modules import openwebui_connection

READ = ("GET", "/ollama/config")
WRITE = ("POST", "/ollama/config/update")
MARK = {"managed_by": "selfhosted.llm"}
OURS = {"enable": True, **MARK}


def config(*connections, enable=True):
    """What the server has and what it takes: the same shape, as recorded."""
    return {
        "ENABLE_OLLAMA_API": enable,
        "OLLAMA_BASE_URLS": [url for url, _config in connections],
        "OLLAMA_API_CONFIGS": {str(index): entry for index, (_url, entry) in enumerate(connections) if entry},
    }


@pytest.fixture
def run(server, run_module):
    common = {"url": server.url, "token": "token-in-use", "verify": False}
    return lambda params, **how: run_module(openwebui_connection, {**common, **params}, **how)


@pytest.fixture
def states(run, server):
    """Each state: check mode, the run, the run again, check mode again. Gives the result of the run."""

    def run_all(params, before, after):
        server.expect(*READ, answer=before)
        predicted = run(params, check=True)
        server.expect(*READ, answer=before)
        server.expect(*WRITE, after, answer=after)
        server.expect(*READ, answer=after)
        result = run(params)
        assert (predicted["changed"], predicted["diff"], predicted["connections"]) == (
            True,
            result["diff"],
            result["connections"],
        )
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


def test_the_recorded_configuration_has_the_shape_of_these_tests(recording):
    assert recording("openwebui")["ollama_config"] == config(("http://127.0.0.1:18434", {}))


@pytest.mark.parametrize("enable", [True, False, None])
def test_add_to_an_empty_list(states, enable):
    result = states({"connections": ["http://a:1/"]}, config(enable=enable), config(("http://a:1", OURS)))
    assert result["connections"] == [
        {"index": 0, "url": "http://a:1", "prefix_id": "", "enable": True, "owned": True, "action": "added"}
    ]
    assert ("ENABLE_OLLAMA_API" in result["diff"]["after"]) is (enable is not True)


def test_all_settings_of_a_connection(states):
    wanted = {
        "url": "http://a:1",
        "enable": "no",
        "prefix_id": "p",
        "model_ids": ["m:1b"],
        "tags": ["t"],
        "key": "sentinel",
    }
    entry = {"enable": False, "prefix_id": "p", "model_ids": ["m:1b"], "tags": [{"name": "t"}], "key": "sentinel"}
    result = states({"connections": [wanted]}, config(), config(("http://a:1", {**entry, **MARK})))
    assert "sentinel" not in str(result)


def test_settings_follow_their_url_when_places_change(states):
    before = config(
        ("http://gone:1", {**OURS, "prefix_id": "gone"}),
        ("http://mine/", {"enable": False, "headers": {"X": "1"}}),
        ("http://b:1", {**OURS, "key": "kept", "unknown": 7}),
    )
    after = config(
        ("http://mine/", {"enable": False, "headers": {"X": "1"}}),
        ("http://a:1", OURS),
        ("http://b:1", {**OURS, "key": "kept", "unknown": 7}),
    )
    result = states({"connections": ["http://a:1", "http://b:1"], "exclusive": "owned"}, before, after)
    assert actions(result) == [
        (0, "http://mine/", "none"),
        (1, "http://a:1", "added"),
        (2, "http://b:1", "none"),
        (None, "http://gone:1", "removed"),
    ]
    assert "kept" not in str(result)


def test_none_is_removed_by_default(states):
    before = config(("http://old:1", OURS), ("http://mine:1", {}))
    after = config(("http://old:1", OURS), ("http://mine:1", {}), ("http://a:1", OURS))
    assert actions(states({"connections": ["http://a:1"]}, before, after))[2:] == [(2, "http://a:1", "added")]


def test_all_others_are_removed(states):
    before = config(("http://mine:1", {}), ("http://a:1", OURS), ("not a url", {}), ("http://a:1/", {}))
    result = states({"connections": ["http://a:1"], "exclusive": "all"}, before, config(("http://a:1", OURS)))
    assert actions(result) == [
        (0, "http://a:1", "none"),
        (None, "http://mine:1", "removed"),
        (None, "not a url", "removed"),
        (None, "http://a:1/", "removed"),
    ]


def test_a_connection_by_hand_that_is_listed_becomes_owned(states):
    before = config(("http://a:1/", {"enable": True, "key": "hand", "auth_type": "bearer"}))
    after = config(("http://a:1", {"enable": True, "key": "hand", "auth_type": "bearer", **MARK}))
    result = states({"connections": ["http://a:1"]}, before, after)
    assert actions(result) == [(0, "http://a:1", "updated")]
    assert "hand" not in str(result["diff"])


def test_settings_by_url_of_old_versions_are_kept(states):
    before = {**config(("http://a:1", {}), ("http://b:1", {})), "OLLAMA_API_CONFIGS": {"http://b:1": {"key": "k"}}}
    after = config(("http://a:1", OURS), ("http://b:1", {"key": "k"}))
    assert "'k'" not in str(states({"connections": ["http://a:1"]}, before, after)["diff"])


def test_duplicates_by_hand_are_left_alone(states):
    before = config(("http://x:1", {"prefix_id": "one"}), ("http://x:1", {"prefix_id": "two"}))
    after = config(("http://x:1", {"prefix_id": "one"}), ("http://x:1", {"prefix_id": "two"}), ("http://a:1", OURS))
    result = states({"connections": ["http://a:1"]}, before, after)
    assert [row["action"] for row in result["connections"]] == ["none", "none", "added"]


def test_the_order_is_that_of_the_list_around_those_by_hand(states):
    before = config(("http://b:1", OURS), ("http://mine:1", {}), ("http://a:1", OURS))
    after = config(("http://a:1", OURS), ("http://mine:1", {}), ("http://b:1", OURS))
    result = states({"connections": ["http://a:1", "http://b:1"]}, before, after)
    assert [row["action"] for row in result["connections"]] == ["none", "none", "none"]
    assert result["diff"]["after"] == {"order": ["http://a:1", "http://mine:1", "http://b:1"]}


def test_a_server_is_tried_by_open_webui_before_it_is_connected(run, server):
    connection = {"url": "http://a:1", "key": "k"}
    settings = {**OURS, "key": "k"}
    server.expect(*READ, answer=config())
    server.expect(
        "POST", "/ollama/verify", {"url": "http://a:1", "key": "k", "config": settings}, answer={"version": "1"}
    )
    server.expect(*WRITE, config(("http://a:1", settings)), answer={})
    server.expect(*READ, answer=config(("http://a:1", settings)))
    assert run({"connections": [connection], "verify": True})["changed"] is True


def test_a_server_that_is_down_is_not_connected(run, server):
    server.expect(*READ, answer=config())
    body = {"url": "http://a:1", "key": "", "config": OURS}
    answer = {"detail": "Open WebUI: Server Connection Error"}
    server.expect("POST", "/ollama/verify", body, status=500, answer=answer)
    message = run({"connections": ["http://a:1"], "verify": True}, fails=True)["msg"]
    assert "http://a:1: POST" in message
    assert "Server Connection Error" in message


def test_a_key_that_differs_is_written_and_not_shown(states):
    before = config(("http://a:1", {**OURS, "key": "sentinel-old"}))
    after = config(("http://a:1", {**OURS, "key": "sentinel-new"}))
    result = states({"connections": [{"url": "http://a:1", "key": "sentinel-new"}]}, before, after)
    assert result["diff"] == {"before": {"http://a:1 key": "another one"}, "after": {"http://a:1 key": "as given"}}
    assert "sentinel" not in str(result)


def test_a_user_in_a_url_by_hand_is_not_shown(states):
    before = config(("http://me:sentinel@host:1", {}))
    result = states({"connections": ["http://a:1"], "exclusive": "all"}, before, config(("http://a:1", OURS)))
    assert actions(result)[1] == (None, "http://host:1", "removed")
    assert "sentinel" not in str(result)


def test_a_list_is_not_emptied_by_accident(run, server):
    server.expect(*READ, answer=config(("http://a:1", OURS), ("http://b:1", OURS), ("http://mine:1", {})))
    message = run({"connections": [], "exclusive": "owned"}, fails=True)["msg"]
    assert f"The list of connections is empty, and 2 of {server.url} would be removed." in message
    assert "set allow_empty" in message


def test_a_list_is_emptied_on_purpose(states):
    params = {"connections": [], "exclusive": "owned", "allow_empty": True}
    states(params, config(("http://a:1", OURS), ("http://mine:1", {})), config(("http://mine:1", {})))


@pytest.mark.parametrize("exclusive", ["none", "owned", "all"])
def test_an_empty_list_that_removes_nothing(run, server, exclusive):
    server.expect(*READ, answer=config(enable=False))
    assert run({"connections": [], "exclusive": exclusive})["changed"] is False


def test_a_server_that_keeps_something_else(run, server):
    server.expect(*READ, answer=config())
    server.expect(*WRITE, config(("http://a:1", OURS)), answer={})
    server.expect(*READ, answer=config(("http://a:1", {"enable": True})))
    message = run({"connections": ["http://a:1"]}, fails=True)["msg"]
    assert "took the connections, but does not have OLLAMA_API_CONFIGS as sent" in message


def test_another_answer_than_the_configuration(run, server):
    server.expect(*READ, answer={"OLLAMA_BASE_URLS": []})
    message = run({"connections": ["http://a:1"]}, fails=True)["msg"]
    assert "answered without ENABLE_OLLAMA_API, OLLAMA_API_CONFIGS" in message


@pytest.mark.parametrize(
    ("connection", "words"),
    [
        ("a:1", "'a:1' is not a URL of the form http://gpu1:11434 without user and query"),
        ("ftp://a:1", "'ftp://a:1' is not a URL"),
        ("http://", "'http:' is not a URL"),
        ("http://a:1/?x=sentinel", "'http://a:1/' is not a URL"),
        ("http://me:sentinel@a:1", "'http://a:1' is not a URL"),
        ("http://good:1/", "http://good:1 is given more than once"),
        ({"url": "http://a:1", "prefix": "p"}, "prefix. Supported parameters include"),
        ({"enable": True}, "missing required arguments: url"),
        ({"url": "http://a:1", "enable": "maybe"}, "enable"),
        (7, "an element of type int is neither a URL nor a dictionary"),
    ],
)
def test_bad_input_is_refused_for_the_whole_list_before_anything_is_sent(run, server, connection, words):
    message = run({"connections": ["http://good:1", connection]}, fails=True)["msg"]
    assert words in message
    assert "sentinel" not in message
    assert server.requests == []
