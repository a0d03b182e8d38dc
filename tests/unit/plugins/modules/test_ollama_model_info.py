# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.selfhosted.llm.plugins.modules import ollama_model_info


@pytest.fixture
def run(server, run_module):
    return lambda params, **how: run_module(ollama_model_info, {"url": server.url, **params}, **how)


def expect_both(server, recorded, tags="tags"):
    server.expect("GET", "/api/version", answer=recorded["version"])
    server.expect("GET", "/api/tags", answer=recorded[tags])


@pytest.mark.parametrize("check", [False, True])
def test_everything_sorted_by_name(run, server, recording, check):
    expect_both(server, recording("ollama"))
    result = run({}, check=check)
    assert (result["changed"], result["version"]) == (False, "0.0.0")
    assert [model["name"] for model in result["models"]] == ["a:latest", "b:latest", "c:latest"]
    assert result["models"][0] == {
        "name": "a:latest",
        "digest": "066db6dbfd9caf87e62a7ec1efeaa2b841b8fe7084c12e4e980cc93eba71e2a7",
        "size": 2983,
        "modified_at": "2026-11-22T17:40:09.935569092Z",
        "family": "llama",
        "parameter_size": "0K",
        "quantization": "F32",
        "capabilities": ["completion"],
    }


@pytest.mark.parametrize(
    ("name", "found"),
    [("B", ["b:latest"]), (["c", "nosuch", "A:LATEST"], ["a:latest", "c:latest"]), ("a:1b", []), ([], [])],
)
def test_only_some(run, server, recording, name, found):
    expect_both(server, recording("ollama"))
    assert [model["name"] for model in run({"name": name})["models"]] == found


def test_an_empty_server(run, server, recording):
    expect_both(server, recording("ollama"), "tags_empty")
    assert run({})["models"] == []


def test_a_server_that_says_less(run, server, recording):
    # As recorded of a model whose manifest was "{}": no capabilities, empty details.
    expect_both(server, recording("ollama"), "tags_after_empty_manifest")
    model = run({})["models"][0]
    assert (model["name"], model["size"], model["capabilities"]) == ("127.0.0.1:5000/library/empty:latest", 0, None)


def test_a_bad_name_is_refused_before_anything_is_sent(run, server):
    assert "'x:' is not a model name" in run({"name": ["a", "x:"]}, fails=True)["msg"]
    assert server.requests == []


@pytest.mark.parametrize("failing", ["/api/version", "/api/tags"])
def test_an_error(run, server, recording, failing):
    if failing == "/api/tags":
        server.expect("GET", "/api/version", answer=recording("ollama")["version"])
    server.expect("GET", failing, status=500, answer={"error": "boom"})
    result = run({}, fails=True)
    assert result["msg"] == f"GET {server.url}{failing} answered 500: boom."
    assert result["failure"] == {
        "url": f"{server.url}{failing}",
        "status": 500,
        "error": f"GET {server.url}{failing} answered 500: boom.",
    }


def test_something_else_than_ollama(run, server):
    server.expect("GET", "/api/version", answer="1.0")
    assert "Check that the URL is that of an Ollama server." in run({}, fails=True)["msg"]
