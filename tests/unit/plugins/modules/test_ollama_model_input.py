# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""What makes no sense is refused before anything is sent."""

from __future__ import annotations

import pytest

A = {"name": "a"}
DIGEST = "0" * 64
NO_TIME = "must be more than 0 seconds and at most a day."
EMPTYING = "exclusive with no model that is to be present removes them all: allow_empty permits it."


def refused(ollama, check=False, **params):
    result = ollama.run(check, fails=True, **params)
    assert ollama.server.requests == []
    assert "models" not in result
    return result["msg"]


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, "one of the following is required: name, models"),
        ({"name": "a", "models": ["b"]}, "mutually exclusive: name|models"),
        ({"name": ["a", "bad name"]}, "'bad name' is not a model name"),
        ({"models": ["a", "x:"]}, "'x:' is not a model name"),
        ({"name": "a", "keep": ["x:"]}, "'x:' is not a model name"),
        ({"models": ["a", {"name": "A", "state": "absent"}]}, "A:latest is listed twice, and not the same way"),
        ({"models": ["a", {"name": "a", "insecure": True}]}, "a:latest is listed twice"),
        ({"models": ["a", {"name": "a", "digest": DIGEST}]}, "a:latest is listed twice"),
        ({"models": ["a", {"name": "a", "system": "x", "from": "b"}]}, "a:latest is listed twice"),
        ({"models": ["a", 7]}, "7 is neither the name of a model nor a dictionary with one."),
        ({"models": ["a", ["b"]]}, "['b'] is neither the name of a model"),
        ({"models": ["a", {"state": "absent"}]}, "missing required arguments: name"),
        ({"models": ["a", {"name": "b", "tag": "x"}]}, "makes no sense: tag"),
        ({"models": ["a", {"name": "b", "state": "newest"}]}, "value of state must be one of: present, latest, absent"),
        ({"models": ["a", {"name": "b", "insecure": "perhaps"}]}, "insecure"),
        ({"name": "a", "state": "newest"}, "value of state must be one of: present, latest, absent"),
        ({"name": "a", "stall_timeout": 0}, f"stall_timeout {NO_TIME}"),
        ({"name": "a", "stall_timeout": "inf"}, f"stall_timeout {NO_TIME}"),
        ({"name": "a", "stall_timeout": 86400.1}, f"stall_timeout {NO_TIME}"),
        ({"name": "a", "timeout": -1}, f"timeout {NO_TIME}"),
        ({"name": "a", "timeout": "nan"}, f"timeout {NO_TIME}"),
        ({"name": "a", "timeout": 1e300}, f"timeout {NO_TIME}"),
        ({"name": "a", "registry_ca_path": "/nosuch.pem"}, "registry_ca_path: /nosuch.pem cannot be read on the host"),
        ({"name": "a", "retries": -1}, "retries must not be negative."),
        ({"models": [], "exclusive": True}, EMPTYING),
        ({"models": [{"name": "a", "state": "absent"}], "exclusive": True, "keep": ["b"]}, EMPTYING),
        ({"models": ["a"], "digest": DIGEST}, "digest belongs to one model: write it into the entry of models."),
        ({"models": ["a"], "from": "b"}, "from belongs to one model: write it into the entry of models."),
        ({"name": "a", "digest": "a80c4f17acd5"}, "The digest of a:latest is not the 64 hexadecimal digits"),
        ({"name": "a", "digest": f"sha512:{DIGEST}"}, "The digest of a:latest is not the 64 hexadecimal digits"),
    ],
)
def test_of_lists_and_single_models(ollama, params, words, check):
    assert words in refused(ollama, check, **params)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"system": "x"}, "a:latest needs exactly one of from, files, modelfile beside system."),
        (
            {"from": "b", "files": ["/m.gguf"]},
            "a:latest needs exactly one of from, files, modelfile beside files, from.",
        ),
        ({"from": "b", "modelfile": "FROM b"}, "needs exactly one of from, files, modelfile"),
        ({"modelfile": "FROM b", "system": "x"}, "The modelfile of a:latest already says what it is"),
        ({"modelfile": "SYSTEM x"}, "The modelfile of a:latest cannot be used: It has no FROM"),
        ({"modelfile": "FROM b\nSYSTEMS x"}, "The modelfile of a:latest cannot be used: Line 2: 'SYSTEMS' is none of"),
        ({"files": []}, "files of a:latest is empty."),
        ({"files": ["m.gguf"]}, "'m.gguf' of a:latest is not an absolute path of the host that runs the module."),
        ({"from": "b", "adapters": ["x/a.gguf"]}, "'x/a.gguf' of a:latest is not an absolute path"),
        ({"from": "bad name"}, "'bad name' is not a model name"),
        ({"from": "a"}, "a:latest would be made from itself: give it another name than its base."),
        ({"from": "A", "system": "x"}, "a:latest would be made from itself"),
        ({"from": "b", "digest": DIGEST}, "a:latest is built and not pulled: its digest cannot be known."),
        ({"from": "b", "parameters": {"num_ctx": "many"}}, "The parameters of a:latest: num_ctx is 'many' and not"),
        ({"from": "b", "parameters": {"top_x": 1}}, "The parameters of a:latest: 'top_x' is none of"),
        (
            {"from": "b", "parameters": {"seed": [1]}},
            "The parameters of a:latest: seed is '[1]' and not a whole number",
        ),
        ({"from": "b", "parameters": {"stop": None}}, "The parameters of a:latest: stop holds None, which is no text"),
        ({"from": "b", "parameters": {"stop": ["x", None]}}, "stop holds None, which is no text"),
        ({"from": "b", "parameters": {"stop": True}}, "stop holds True, which is no text"),
        ({"from": "b", "parameters": {"stop": {"a": 1}}}, "stop holds {'a': 1}, which is no text"),
        ({"from": "b", "license": ["MIT", None]}, "license of a:latest has an element that is empty."),
        ({"files": [None]}, "files of a:latest has an element that is empty."),
        ({"from": "b", "adapters": [None]}, "adapters of a:latest has an element that is empty."),
        (
            {"from": "b", "quantize": "bogus"},
            "quantize of a:latest is 'bogus' and none of F32, F16, BF16, Q8_0, Q4_K, Q4_K_M, Q4_K_S.",
        ),
        ({"from": "b", "messages": [{"role": "user"}]}, "missing required arguments: content"),
        ({"from": "b", "messages": [{"role": "me", "content": "x"}]}, "value of role must be one of: system, user"),
    ],
)
@pytest.mark.parametrize("entry", [False, True])
def test_of_builds(ollama, fields, words, entry):
    fields = {**A, **fields}
    assert words in refused(ollama, **({"models": ["z", fields]} if entry else fields))


def test_of_a_message_without_words(ollama):
    models = [{**A, "from": "b", "messages": [{"role": "user", "content": None}]}]
    assert "content of a message is null" in refused(ollama, models=models)


@pytest.mark.parametrize(
    ("models", "words"),
    [
        (
            [{"name": "a", "from": "b"}, {"name": "b", "state": "absent"}],
            "a:latest is made from b:latest, which is to be absent: keep the base.",
        ),
        (
            [{"name": "a", "from": "b"}, {"name": "b", "from": "c"}, {"name": "c", "from": "A"}],
            "would be made from itself",
        ),
    ],
)
def test_of_bases(ollama, models, words):
    assert words in refused(ollama, models=models)


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, "cannot be read on the host that runs the module: No such file"), ("<html>", "is not a GGUF file")],
)
@pytest.mark.parametrize("option", ["files", "adapters"])
def test_of_files(ollama, tmp_path, option, text, words):
    path = tmp_path / "m.gguf"
    if text:
        path.write_text(text, encoding="utf-8")
    source = {} if option == "files" else {"from": "b"}
    assert f"{path} {words}" in refused(ollama, **A, **source, **{option: [str(path)]})


def test_of_a_modelfile(ollama, tmp_path):
    path = tmp_path / "m.gguf"
    assert f"{path} cannot be read" in refused(ollama, **A, modelfile=f"FROM {path}\n")


def test_of_files_that_nobody_needs(ollama):
    # Other options of a model that is to be absent are not looked at.
    ollama.lists({})
    ollama.run(**A, state="absent", files=["/nosuch.gguf"])


@pytest.mark.parametrize("entries", [[], ["etc"]])
def test_of_the_directory_of_models(ollama, tmp_path, entries):
    path = tmp_path / "models"
    for entry in entries:
        (path / entry).mkdir(parents=True)
    words = "is no model directory" if entries else "cannot be read: No such file or directory"
    assert words in refused(ollama, **A, models_dir=str(path))
