# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers that only something else than a sound Ollama server gives."""

from __future__ import annotations

import pytest

from ansible_collections.selfhosted.llm.plugins.module_utils._http import ApiError, HttpClient
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.client import OllamaClient, byte_count
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.remote import weights_shown

LISTS = {"models": "/api/tags", "running": "/api/ps"}
SOUND = {"name": "a:latest", "digest": 64 * "0"}
DEEP = 200_000


@pytest.fixture
def client(server):
    return OllamaClient(HttpClient(server.url))


@pytest.mark.parametrize("call", LISTS)
@pytest.mark.parametrize(
    ("models", "quoted"),
    [
        ([SOUND, None], "None"),
        ([{"digest": "0"}], "{'digest': '0'}"),
        ([{"name": None, "digest": "0"}], "{'name': None, 'digest': '0'}"),
        ([{"name": 7, "digest": "0"}], "{'name': 7, 'digest': '0'}"),
        ([{"name": "bad name", "digest": "0"}], "{'name': 'bad name', 'digest': '0'}"),
        ([{"name": "a:latest"}], "{'name': 'a:latest'}"),
        ([{**SOUND, "digest": 7}], "'digest': 7"),
        ([{**SOUND, "size": "big"}], "'size': 'big'"),
        ([{**SOUND, "details": []}], "'details': []"),
        ("words", "words"),
        (SOUND, "'name': 'a:latest'"),
    ],
)
def test_a_list_that_makes_no_sense(server, client, call, models, quoted):
    server.expect("GET", LISTS[call], answer={"models": models})
    with pytest.raises(ApiError, match="answered with a model that makes no sense: ") as failure:
        getattr(client, call)()
    assert quoted in failure.value.message
    assert failure.value.url == f"{server.url}{LISTS[call]}"
    assert failure.value.hint.startswith("Check that the URL is that of an Ollama server")


@pytest.mark.parametrize("call", LISTS)
@pytest.mark.parametrize(("models", "result"), [(None, []), ([], []), ([SOUND], [SOUND])])
def test_a_list(server, client, call, models, result):
    server.expect("GET", LISTS[call], answer={"models": models})
    assert getattr(client, call)() == result


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"details": None, "modelfile": None, "parameters": None, "messages": None, "license": None},
        {"details": {"family": None}, "template": None, "system": None},
    ],
)
def test_a_model_that_says_nothing_of_itself(server, client, answer):
    server.expect("POST", "/api/show", {"model": "a"}, answer=answer)
    assert client.show("a") == {
        **dict.fromkeys(("modelfile", "parameters", "template", "system", "license"), ""),
        "details": {"parent_model": "", "family": "", "quantization_level": ""},
        "messages": [],
    }


def test_a_line_of_the_template_names_no_weights(server, client):
    digest = 64 * "1"
    modelfile = f'FROM sound:latest\nTEMPLATE """\nFROM /blobs/sha256-{digest}\n"""\n'
    server.expect("POST", "/api/show", {"model": "a"}, answer={"modelfile": modelfile})
    # Nothing names a file, so that none is asked for.
    assert weights_shown(client, "a") is True


def test_a_message_without_words(server, client):
    server.expect("POST", "/api/show", {"model": "a"}, answer={"messages": [{"role": "user"}]})
    assert client.show("a")["messages"] == [{"role": "user", "content": ""}]


@pytest.mark.parametrize(
    "answer", [[], "words", {"details": []}, {"modelfile": 7}, {"messages": {}}, {"messages": [None]}]
)
def test_a_model_that_makes_no_sense(server, client, answer):
    server.expect("POST", "/api/show", {"model": "a"}, answer=answer)
    with pytest.raises(ApiError, match="/api/show answered with a model that makes no sense: 'a'"):
        client.show("a")


def test_an_answer_that_is_nested_too_deeply(server, client):
    server.expect("GET", "/api/tags", text="[" * DEEP + "]" * DEEP)
    with pytest.raises(ApiError, match="with something that is not JSON"):
        client.models()


@pytest.mark.parametrize(("value", "count"), [(7, 7), (None, 0), ("7", 0), (7.5, 0)])
def test_bytes_of_a_line(value, count):
    assert (byte_count({"completed": value}, "completed"), byte_count({}, "completed")) == (count, 0)
