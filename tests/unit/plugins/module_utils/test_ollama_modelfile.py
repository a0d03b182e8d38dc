# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Ollama's own client makes of a text is in the tests of its parser; the same texts stand here."""

from __future__ import annotations

import pytest

from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.modelfile import parse, typed_parameter
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.names import InvalidInput

LLAMA3 = (
    "{{ if .System }}<|start_header_id|>system<|end_header_id|>\n\n{{ .System }}<|eot_id|>{{ end }}"
    "{{ if .Prompt }}<|start_header_id|>user<|end_header_id|>\n\n{{ .Prompt }}<|eot_id|>{{ end }}"
    "<|start_header_id|>assistant<|end_header_id|>\n\n{{ .Response }}<|eot_id|>"
)


def refusal(text):
    with pytest.raises(InvalidInput) as failure:
        parse(text)
    return str(failure.value)


def test_a_whole_file():
    text = f"""
FROM model1
ADAPTER /srv/adapter1
LICENSE MIT
PARAMETER temperature 0.5
PARAMETER top_k 1
TEMPLATE \"\"\"{LLAMA3}\"\"\"    \n"""
    assert parse(text) == {
        "from": "model1",
        "adapters": ["/srv/adapter1"],
        "license": ["MIT"],
        "parameters": {"temperature": 0.5, "top_k": 1},
        "template": LLAMA3,
    }


def test_blanks_inside_quotes_are_kept_and_outside_dropped():
    text = f'FROM "model 1   "\nADAPTER      /srv/adapter3\nLICENSE "MIT       "\nTEMPLATE """   {LLAMA3}   """    \n'
    assert parse(text) == {
        "from": "model 1   ",
        "adapters": ["/srv/adapter3"],
        "license": ["MIT       "],
        "template": f"   {LLAMA3}   ",
    }


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ('FROM "FOO  BAR  "', "FOO  BAR  "),
        ('FROM "FOO BAR"\nPARAMETER seed 1', "FOO BAR"),
        ("FROM     FOOO BAR    ", "FOOO BAR"),
        ("FROM foo", "foo"),
        ("FROM llama3:latest", "llama3:latest"),
        ("FROM llama3:7b-instruct-q4_K_M", "llama3:7b-instruct-q4_K_M"),
        ("PARAMETER seed 1\nFROM foo", "foo"),
        ("PARAMETER seed 1 \nFROM lemons make lemonade ", "lemons make lemonade"),
        ("from foo", "foo"),
        ("\tFrom\tfoo\t", "foo"),
        ("\ufeffFROM foo", "foo"),
        ("FROM foo\r\nPARAMETER seed 1\r\n", "foo"),
        ("\n# comment\nFROM foo\n\t", "foo"),
        ("  # FROM other\nFROM foo", "foo"),
        ("FROM hf.co/someone/Model-GGUF:Model-Q8_0.gguf", "hf.co/someone/Model-GGUF:Model-Q8_0.gguf"),
    ],
)
def test_from_a_model(text, model):
    options = parse(text)
    assert options.pop("from") == model
    assert options in ({}, {"parameters": {"seed": 1}})


def test_from_files(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    text = "FROM /what/is/the path \nFROM /path/to/model/fp16.bin\nFROM ~/m.gguf\nADAPTER ~/a.gguf"
    assert parse(text) == {
        "files": ["/what/is/the path", "/path/to/model/fp16.bin", "/home/me/m.gguf"],
        "adapters": ["/home/me/a.gguf"],
    }


@pytest.mark.parametrize("path", ["./m.gguf", "../m.gguf", ".", "m.gguf", "sub/m.gguf"])
def test_a_relative_path_is_refused(path):
    said = f"Line 1: {path!r} is relative to nothing here: write an absolute path of the host."
    assert refusal(f"FROM {path}") == said
    assert refusal(f"ADAPTER {path}\nFROM x") == said


@pytest.mark.parametrize("text", ["FROM a\nFROM b", "FROM a\nFROM /b.gguf", "FROM /b.gguf\nFROM a"])
def test_of_two_sources_the_server_would_ignore_one(text):
    assert refusal(text).startswith("Line 2: a second FROM ")


@pytest.mark.parametrize("text", ["", "PARAMETER seed 1", "# FROM a"])
def test_from_is_missing(text):
    assert refusal(text) == "It has no FROM, which names the model or the GGUF file to build on."


@pytest.mark.parametrize(
    ("value", "system"),
    [
        ('"""\nThis is a\nmultiline system.\n"""\n\t\t\t', "\nThis is a\nmultiline system.\n"),
        ('"""\nThis is a\nmultiline system."""\n\t\t\t', "\nThis is a\nmultiline system."),
        ('"""This is a\nmultiline system."""\n\t\t\t', "This is a\nmultiline system."),
        ('"""This is a multiline system."""\n', "This is a multiline system."),
        ('"""\nThis is with "quotes".\n"""\n', '\nThis is with "quotes".\n'),
        ('""""""\n', ""),
        ('""\n', ""),
        ('"\'"\n', "'"),
        ('"""\'\'"\'""\'""\'"\'\'\'\'\'""\'""\'"""\n', "''\"'\"\"'\"\"'\"'''''\"\"'\"\"'"),
        ('"two\nlines"', "two\nlines"),
        ('"""\r\ntwo\r\n\tlines"""\r\n', "\r\ntwo\r\n\tlines"),
        ("You are a # in a text", "You are a # in a text"),
        ("\u4f60\u597d\U0001f44b", "\u4f60\u597d\U0001f44b"),
        ("no\u00a0break\u200d", "nobreak"),
        (" \nLICENSE x", ""),
    ],
)
def test_values(value, system):
    options = parse(f"\nFROM foo\nSYSTEM {value}")
    assert options["system"] == system
    assert options["from"] == "foo"


@pytest.mark.parametrize("value", ['"""This is a multiline system.""\n\t\t\t', '"\n\t\t\t', '"""', '"a" b'])
def test_quotes_that_are_never_closed(value):
    assert refusal(f"\nFROM foo\nSYSTEM {value}") == "Line 3: The quotes of SYSTEM are never closed."


def test_messages():
    text = '''
FROM foo
MESSAGE system You are a file parser. Always parse things.
MESSAGE user Hey there: you!
message assistant """
Hello, I want to "parse"
all the things!
"""
MESSAGE user ""'''
    assert parse(text)["messages"] == [
        {"role": "system", "content": "You are a file parser. Always parse things."},
        {"role": "user", "content": "Hey there: you!"},
        {"role": "assistant", "content": '\nHello, I want to "parse"\nall the things!\n'},
        {"role": "user", "content": ""},
    ]


def test_what_comes_again():
    text = "FROM a\nSYSTEM one\nSYSTEM two\nLICENSE A\nLICENSE B\nPARAMETER top_k 1\nPARAMETER top_k 2\n"
    text += 'ADAPTER /1.gguf\nADAPTER /2.gguf\nPARAMETER stop x\nPARAMETER stop "y "'
    assert parse(text) == {
        "from": "a",
        "system": "two",
        "license": ["A", "B"],
        "parameters": {"top_k": 2, "stop": ["x", "y "]},
        "adapters": ["/1.gguf", "/2.gguf"],
    }


@pytest.mark.parametrize(
    "name",
    [
        *("penalize_newline", "low_vram", "f16_kv", "logits_all", "vocab_only", "use_mlock"),
        *("mirostat", "mirostat_tau", "mirostat_eta"),
    ],
)
def test_a_deprecated_parameter_is_left_out(name):
    assert parse(f"FROM foo\nPARAMETER {name} 1\n") == {"from": "foo"}


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("num_ctx 1", 1),
        ("num_batch 1", 1),
        ("num_gpu -1", -1),
        ("main_gpu 1", 1),
        ("use_mmap true", True),
        ("use_mmap F", False),
        ("num_thread 1", 1),
        ("num_keep 1", 1),
        ("seed 123456789012345678", 123456789012345678),
        ("num_predict 1", 1),
        ("draft_num_predict 1", 1),
        ("top_k 1", 1),
        ("top_p 1.0", 1.0),
        ("min_p 0.05", 0.05),
        ("typical_p .5", 0.5),
        ("repeat_last_n 1", 1),
        ("temperature 1", 1),
        ("repeat_penalty 1e-3", 0.001),
        ("presence_penalty +1.5", 1.5),
        ("frequency_penalty 1.", 1.0),
        ("stop ### User:", ["### User:"]),
        ("stop ### User: ", ["### User:"]),
        ('stop "### User:"', ["### User:"]),
        ('stop "### User: "', ["### User: "]),
        ('stop """### User:"""', ["### User:"]),
        ('stop """### User:\n"""', ["### User:\n"]),
        ("stop <|endoftext|>", ["<|endoftext|>"]),
        ("stop </s>", ["</s>"]),
        ("stop 1", ["1"]),
    ],
)
def test_parameters(line, value):
    (parsed,) = parse(f"FROM foo\nPARAMETER {line}\n")["parameters"].values()
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("num_ctx", "4k", "a whole number"),
        ("num_ctx", "4_096", "a whole number"),
        ("num_ctx", "0.5", "a whole number"),
        ("num_ctx", "True", "a whole number"),
        ("top_p", "nan", "a number"),
        ("top_p", "inf", "a number"),
        ("top_p", "", "a number"),
        ("top_p", "1e400", "a number"),
        ("use_mmap", "yes", "true or false"),
    ],
)
def test_a_parameter_of_another_type(name, text, kind):
    with pytest.raises(InvalidInput) as failure:
        typed_parameter(name, text)
    assert str(failure.value) == f"{name} is {text!r} and not {kind}."


@pytest.mark.parametrize("name", ["num_cxt", "numa", "num_gqa", "NUM_CTX"])
def test_an_unknown_parameter(name):
    said = refusal(f"FROM foo\nPARAMETER {name} 1")
    assert said.startswith(f"Line 2: {name!r} is none of ")
    assert "num_ctx" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("PARAMETER num_ctx", "Line 3: PARAMETER num_ctx has no value."),
        ("PARAMETER", "Line 3: PARAMETER has no value."),
        ("MESSAGE user\n", "Line 3: MESSAGE user has no value."),
        ("TEMPLATE", "Line 3: TEMPLATE has no value."),
        ("FROM ", "Line 3: FROM has no value."),
        ("MESSAGE badguy I'm a bad guy!", "Line 3: the role 'badguy' of a MESSAGE is none of system, user, assistant."),
        ("MESSAGE User hi", "Line 3: the role 'User' of a MESSAGE is none of system, user, assistant."),
        ("PARAMETER seed x", "Line 3: seed is 'x' and not a whole number."),
        (
            "BADCOMMAND param1 value1",
            "Line 3: 'BADCOMMAND' is none of FROM, ADAPTER, TEMPLATE, SYSTEM, PARAMETER, MESSAGE, LICENSE.",
        ),
        *(
            (f"{word} x", f"Line 3: {word.upper()} cannot be used, because this module has no option for it.")
            for word in ("RENDERER", "parser", "REQUIRES", "DRAFT")
        ),
    ],
)
def test_refusals_name_the_line(text, said):
    assert refusal(f"SYSTEM a\rLICENSE b\n{text}") == said


def test_the_line_is_that_of_the_instruction():
    assert refusal('SYSTEM """\na\n\n"""\nDRAFT x') == (
        "Line 5: DRAFT cannot be used, because this module has no option for it."
    )
