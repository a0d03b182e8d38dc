# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.names import (
    InvalidName,
    ModelName,
    parse,
    parse_listed,
    spelled_as,
)

DIGEST = "a" * 64


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("llama3.2", "llama3.2:latest"),
        (" llama3.2\n", "llama3.2:latest"),
        ("llama3.2:1b", "llama3.2:1b"),
        ("library/llama3", "llama3:latest"),
        ("registry.ollama.ai/library/llama3", "llama3:latest"),
        ("REGISTRY.ollama.ai/Library/llama3:latest", "llama3:latest"),
        ("https://registry.ollama.ai/library/llama3", "llama3:latest"),
        ("someone/model", "someone/model:latest"),
        ("hf.co/some_user/Repo.Name-GGUF:Q4_K_M", "hf.co/some_user/Repo.Name-GGUF:Q4_K_M"),
        ("127.0.0.1:5000/library/one", "127.0.0.1:5000/library/one:latest"),
        ("http://127.0.0.1:5000/library/one:x", "127.0.0.1:5000/library/one:x"),
        ("host:99999/a/b", "host:99999/a/b:latest"),
        ("_x:_1", "_x:_1"),
        ("a" * 80, "a" * 80 + ":latest"),
        ("x:" + "t" * 80, "x:" + "t" * 80),
        ("h" * 350 + "/ns/x", "h" * 350 + "/ns/x:latest"),
        ("llama3:local", "llama3:latest"),
        ("host:5000/ns/x:q4:LOCAL", "host:5000/ns/x:q4"),
        ("gpt-oss:cloud", "gpt-oss:cloud"),
        ("gpt-oss:20b:cloud", "gpt-oss:20b-cloud"),
        ("gpt-oss:20b-cloud", "gpt-oss:20b-cloud"),
        ("x:latest:cloud", "x:latest-cloud"),
        ("host:5000/ns/x-cloud", "host:5000/ns/x-cloud:latest"),
    ],
)
def test_the_shortest_form(text, short):
    assert str(parse(text)) == short
    assert parse(short).key == parse(text).key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("llama3", "LLAMA3:LATEST"),
        ("b:q4_k_m", "B:Q4_K_M"),
        ("registry.ollama.ai/library/x", "X"),
        ("HF.co/Some/x", "hf.co/some/X:latest"),
    ],
)
def test_names_of_the_same_model(one, other):
    assert parse(one).key == parse(other).key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("llama3.2", "llama3.2:1b"),
        ("x", "someone/x"),
        ("h.dot/library/x", "x"),
        ("a/b", "b:a"),
        ("host:1/a/b", "host:2/a/b"),
    ],
)
def test_names_of_different_models(one, other):
    assert parse(one).key != parse(other).key


# Recorded: a real server answers 400 to each of these in show, pull, copy and delete.
REFUSED = [
    "",
    "/",
    "a/b/c/d",
    "a:b:c",
    f"x@sha256:{DIGEST}",
    "-x",
    ".x",
    "x:",
    ":x",
    "bad name",
    "\u00fc",
    "a" * 81,
    "x:" + "t" * 81,
    "ns.dot/x",
    "x/",
    "/x",
    "../x",
    "x:cloud:local",
    "127.0.0.1:5000/a",
    "127.0.0.1:5000/proj/library/a",
    "[::1]:5000/library/a",
]


@pytest.mark.parametrize("text", [*REFUSED, "   ", "x\ny", "x:local:local", "x:1b-cloud:cloud", "h" * 351 + "/a/b"])
def test_what_the_server_refuses(text):
    with pytest.raises(InvalidName) as failure:
        parse(text)
    assert repr(text) in str(failure.value) or repr(text.strip()) in str(failure.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        (f"x@sha256:{DIGEST}", "a model cannot be named by a digest"),
        ("a/b/c/d", "it has more than three parts"),
        ("[::1]:5000/library/a", "the host cannot be an IPv6 address"),
        ("127.0.0.1:5000/a", "the namespace between the host and the model is missing"),
        ("x:cloud:local", "use either :local or :cloud, once"),
        ("bad name", "its model 'bad name' is empty, too long or has a character that is not allowed there"),
        ("x:", "its tag '' is empty"),
    ],
)
def test_the_reason_is_said(text, reason):
    with pytest.raises(InvalidName, match="is not a model name: ") as failure:
        parse(text)
    assert reason in str(failure.value)


def test_a_listed_name_is_taken_literally():
    assert parse_listed("z:local") == ModelName("registry.ollama.ai", "library", "z", "local")
    assert parse_listed("127.0.0.1:5000/library/b:latest") == ModelName("127.0.0.1:5000", "library", "b", "latest")


@pytest.mark.parametrize(
    ("listed", "addressable"),
    [("z:local", False), ("z:LOCAL", False), ("z:cloud", True), ("z:20b-cloud", True), ("Llama3:latest", True)],
)
def test_the_api_cannot_reach_every_listed_model(listed, addressable):
    assert parse_listed(listed).addressable is addressable


@pytest.mark.parametrize(
    ("name", "stored", "spelling"),
    [
        ("b:q4_k_m", [], "b:q4_k_m"),
        ("b:q4_k_m", ["b:Q4_K_M"], "b:Q4_K_M"),
        # Recorded: each part from any model, however unlike it is.
        ("b:q4_k_m", ["x:Q4_K_M"], "b:Q4_K_M"),
        ("HF.co/SOME/b:q4_k_m", ["x:Q4_K_M", "hf.co/some/B:latest"], "hf.co/some/B:Q4_K_M"),
        ("b:1b", ["h.dot/b/x:B"], "b:1b"),
        # A model's name is no namespace and no tag.
        ("x/y:z", ["Y/Z:X"], "x/y:z"),
        # The server takes any of them.
        ("b:tag", ["x:TAG", "y:Tag"], "b:TAG"),
    ],
)
def test_spellings_are_those_of_the_store(name, stored, spelling):
    assert str(spelled_as(parse(name), [parse_listed(other) for other in stored])) == spelling
