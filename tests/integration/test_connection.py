# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``openwebui_connection`` against the real server: order, ownership, and what others put there."""

from __future__ import annotations

import typing as t

import pytest
from webui_server import Server

CONNECTION = "selfhosted.llm.openwebui_connection"
MARK = {"managed_by": "selfhosted.llm"}


@pytest.fixture
def by_hand(webui: Server) -> t.Callable[..., None]:
    """Sets the list as somebody in the admin panel would: ``by_hand((url, config), ..., enable=True)``."""

    def write(*connections: tuple[str, dict[str, t.Any]], enable: t.Any = True) -> None:
        body = {
            "ENABLE_OLLAMA_API": enable,
            "OLLAMA_BASE_URLS": [url for url, _config in connections],
            "OLLAMA_API_CONFIGS": {str(i): config for i, (_url, config) in enumerate(connections) if config},
        }
        assert webui.call("POST", "/ollama/config/update", body) == (200, body)

    return write


@pytest.fixture
def stored(webui: Server) -> t.Callable[[], dict[str, t.Any]]:
    """What the server has."""
    return lambda: webui.call("GET", "/ollama/config")[1]


def test_first_connections(four_times: t.Any, by_hand: t.Any, stored: t.Any) -> None:
    by_hand(enable=None)
    wanted = ["http://gpu1:11434/", {"url": "http://gpu2:11434", "prefix_id": "two", "tags": ["big"], "enable": False}]
    result = four_times("openwebui_connection", {"connections": wanted, "verify": False})
    assert stored() == {
        "ENABLE_OLLAMA_API": True,
        "OLLAMA_BASE_URLS": ["http://gpu1:11434", "http://gpu2:11434"],
        "OLLAMA_API_CONFIGS": {
            "0": {"enable": True, **MARK},
            "1": {"enable": False, "prefix_id": "two", "tags": [{"name": "big"}], **MARK},
        },
    }
    row = {"owned": True, "action": "added"}
    assert result["connections"] == [
        {**row, "index": 0, "url": "http://gpu1:11434", "prefix_id": "", "enable": True},
        {**row, "index": 1, "url": "http://gpu2:11434", "prefix_id": "two", "enable": False},
    ]


def test_settings_follow_their_url_and_those_by_hand_stay(four_times: t.Any, by_hand: t.Any, stored: t.Any) -> None:
    mine = {"enable": True, "key": "key by hand", "headers": {"X-Mine": "1"}, "connection_type": "external"}
    left = {"enable": True, "prefix_id": "left", **MARK}
    by_hand(("http://left:11434", left), ("http://mine:11434/", mine), ("http://gpu2:11434", MARK))
    wanted = {"connections": ["http://gpu1:11434", "http://gpu2:11434"], "exclusive": "owned", "verify": False}
    result = four_times("openwebui_connection", wanted)
    assert stored() == {
        "ENABLE_OLLAMA_API": True,
        "OLLAMA_BASE_URLS": ["http://mine:11434/", "http://gpu1:11434", "http://gpu2:11434"],
        "OLLAMA_API_CONFIGS": {"0": mine, "1": {"enable": True, **MARK}, "2": {"enable": True, **MARK}},
    }
    assert [(row["url"], row["index"], row["action"]) for row in result["connections"]] == [
        ("http://mine:11434/", 0, "none"),
        ("http://gpu1:11434", 1, "added"),
        ("http://gpu2:11434", 2, "updated"),
        ("http://left:11434", None, "removed"),
    ]
    assert "key by hand" not in str(result)


def test_connection_by_hand_that_is_listed_becomes_owned(four_times: t.Any, by_hand: t.Any, stored: t.Any) -> None:
    by_hand(("http://gpu1:11434/", {"enable": True, "auth_type": "bearer", "key": "old"}))
    wanted = [{"url": "http://gpu1:11434", "key": "sentinel-new", "model_ids": ["a:1b"]}]
    result = four_times("openwebui_connection", {"connections": wanted, "verify": False})
    config = {"enable": True, "auth_type": "bearer", "key": "sentinel-new", "model_ids": ["a:1b"], **MARK}
    assert stored()["OLLAMA_BASE_URLS"] == ["http://gpu1:11434"]
    assert stored()["OLLAMA_API_CONFIGS"] == {"0": config}
    assert result["diff"]["after"]["http://gpu1:11434 key"] == "as given"
    assert "sentinel-new" not in str(result)


def test_servers_are_tried(four_times: t.Any, failures: t.Any, stored: t.Any, webui: Server, backends: t.Any) -> None:
    options = {"connections": [backends.small, backends.dead], "exclusive": "all"}
    message = failures("openwebui_connection", {"url": webui.url, "token": webui.token, **options})[0]
    assert f"{backends.dead}: POST" in message
    assert backends.small not in message
    four_times("openwebui_connection", {"connections": [backends.small], "exclusive": "all"})
    assert stored()["OLLAMA_BASE_URLS"] == [backends.small]


def test_all_others_go(four_times: t.Any, by_hand: t.Any, stored: t.Any) -> None:
    by_hand(("http://a:1", {}), ("http://a:1", {}), ("not a url", {}), ("http://u:secret@b:1", {}))
    result = four_times("openwebui_connection", {"connections": ["http://a:1"], "exclusive": "all", "verify": False})
    assert stored()["OLLAMA_BASE_URLS"] == ["http://a:1"]
    assert "secret" not in str(result)


def test_order_is_that_of_the_list(four_times: t.Any, by_hand: t.Any, stored: t.Any) -> None:
    owned = {"enable": True, **MARK}
    by_hand(("http://b:1", {**owned, "prefix_id": "b"}), ("http://mine:1", {}), ("http://a:1", owned))
    options = {"connections": ["http://a:1", "http://b:1"], "exclusive": "owned", "verify": False}
    four_times("openwebui_connection", options)
    assert stored()["OLLAMA_BASE_URLS"] == ["http://a:1", "http://mine:1", "http://b:1"]
    assert stored()["OLLAMA_API_CONFIGS"] == {"0": owned, "2": {**owned, "prefix_id": "b"}}


def test_list_is_not_emptied_by_accident(
    four_times: t.Any, failures: t.Any, by_hand: t.Any, stored: t.Any, webui: Server
) -> None:
    by_hand(("http://a:1", MARK), ("http://mine:1", {}))
    options = {"connections": [], "exclusive": "owned"}
    message = failures("openwebui_connection", {"url": webui.url, "token": webui.token, **options})[0]
    assert "set allow_empty" in message
    assert len(stored()["OLLAMA_BASE_URLS"]) == 2
    four_times("openwebui_connection", {**options, "allow_empty": True})
    assert stored()["OLLAMA_BASE_URLS"] == ["http://mine:1"]


BAD_LISTS = [
    (["gpu1:11434"], "'gpu1:11434' is not a URL of the form"),
    (["http://u:sentinel@gpu1"], "'http://gpu1' is not a URL of the form"),
    (["http://a:1", "http://a:1/"], "http://a:1 is given more than once"),
    ([{"url": "http://a:1", "prefix": "x"}], "prefix. Supported parameters include"),
    ([{"enable": True}], "missing required arguments: url"),
    ([7], "an element of type int is neither a URL nor a dictionary"),
]


def test_bad_input_writes_nothing(failures: t.Any, by_hand: t.Any, stored: t.Any, webui: Server) -> None:
    by_hand(("http://before:1", {}))
    common = {"url": webui.url, "token": webui.token}
    messages = failures(
        "openwebui_connection", *({**common, "connections": ["http://good:1", *bad]} for bad, _words in BAD_LISTS)
    )
    for (_bad, words), message in zip(BAD_LISTS, messages):
        assert words in message
        assert "sentinel" not in message
    assert stored()["OLLAMA_BASE_URLS"] == ["http://before:1"]


def test_key_is_never_shown(playbook: t.Any, by_hand: t.Any, webui: Server) -> None:
    by_hand()
    task = {
        CONNECTION: {
            "url": webui.url,
            "token": webui.token,
            "connections": [{"url": "http://gpu1:11434", "key": "sentinel-key"}],
            "verify": False,
        }
    }
    output = playbook([task], "-vvvv", "--diff")
    assert output.status == 0, output.text
    assert "sentinel" not in output.text.split("TASK [", 1)[1]
