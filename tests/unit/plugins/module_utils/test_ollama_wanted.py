# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""What options stand for. What is refused is tested through the module."""

from __future__ import annotations

import pytest

from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.names import parse
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.wanted import (
    ONE,
    Custom,
    Wanted,
    in_order,
    wanted_models,
)

DIGEST = "a" * 64
NOTHING = Custom(*[None] * len(Custom._fields))


def wanted(**options):
    defaults = {"name": None, "models": None, **{option: spec.get("default") for option, spec in ONE.items()}}
    limits = {"stall_timeout": 20.0, "timeout": 30.0, "retries": 5, "registry_ca_path": None}
    return wanted_models({**defaults, **limits, "exclusive": False, "allow_empty": False, **options})


def test_names_share_the_options_of_the_task():
    assert wanted(name=["a", "b:1b"], state="latest", insecure=True) == [
        Wanted(parse("a"), "latest", True),
        Wanted(parse("b:1b"), "latest", True),
    ]


def test_entries_have_their_own():
    models = ["a", {"name": "b", "state": "absent"}, {"name": "c", "insecure": "yes"}, {"name": "d", "digest": DIGEST}]
    assert wanted(models=models, state="latest") == [
        Wanted(parse("a"), "latest"),
        Wanted(parse("b"), "absent"),
        Wanted(parse("c"), "latest", True),
        Wanted(parse("d"), "latest", False, DIGEST),
    ]


@pytest.mark.parametrize("digest", [DIGEST, f"sha256:{DIGEST}", f" {DIGEST.upper()}\n"])
def test_a_digest_with_and_without_prefix(digest):
    assert wanted(name=["a"], digest=digest)[0].digest == DIGEST


def test_an_absent_model_has_no_other_options():
    assert wanted(name=["a"], state="absent", digest="x", system="y") == [Wanted(parse("a"), "absent")]


def test_equal_entries_count_once_in_the_spelling_of_the_first():
    assert [str(model.name) for model in wanted(models=["A", "a:latest", {"name": "library/a"}])] == ["A:latest"]


@pytest.mark.parametrize("options", [{"exclusive": True, "models": ["a"]}, {"models": []}])
def test_lists_that_empty_nothing(options):
    assert len(wanted(**options)) == len(options["models"])


def test_an_empty_exclusive_list_when_it_is_permitted():
    assert wanted(models=[], exclusive=True, allow_empty=True) == []


class TestCustom:
    def test_all_fields(self):
        model, base = wanted(
            name=["x"],
            state="latest",
            insecure=True,
            adapters=["/a.gguf"],
            template="{{ .Prompt }}",
            system="s",
            parameters={"seed": "7"},
            messages=[{"role": "user", "content": "c"}],
            license=["l"],
            quantize="q8_0",
            **{"from": "b"},
        )
        assert model.custom == Custom(
            parse("b"),
            None,
            ["/a.gguf"],
            "{{ .Prompt }}",
            "s",
            {"seed": 7},
            [{"role": "user", "content": "c"}],
            ["l"],
            "q8_0",
        )
        assert (model.state, model.insecure, model.listed, model.base) == ("latest", True, True, parse("b"))
        assert base == Wanted(parse("b"), "latest", True, listed=False)

    def test_files(self):
        assert wanted(name=["x"], files=["/m.gguf"]) == [
            Wanted(parse("x"), "present", custom=NOTHING._replace(files=["/m.gguf"]))
        ]

    def test_a_modelfile_may_be_quantized(self):
        (model,) = wanted(name=["x"], modelfile="FROM /m.gguf\nSYSTEM s\n", quantize="q8_0")
        assert model.custom == NOTHING._replace(files=["/m.gguf"], system="s", quantize="q8_0")

    @pytest.mark.parametrize(
        ("given", "typed"),
        [
            # Values that a template made are texts.
            ({"temperature": "0.3", "num_ctx": "8192"}, {"temperature": 0.3, "num_ctx": 8192}),
            ({"temperature": 1, "use_mmap": True}, {"temperature": 1, "use_mmap": True}),
            ({"use_mmap": "false"}, {"use_mmap": False}),
            ({"stop": "###"}, {"stop": ["###"]}),
            ({"stop": ["###", 1]}, {"stop": ["###", "1"]}),
            ({"stop": 1.5}, {"stop": ["1.5"]}),
            ({}, {}),
        ],
    )
    def test_the_types_of_parameters(self, given, typed):
        parameters = wanted(name=["x"], parameters=given, **{"from": "b"})[0].custom.parameters
        assert parameters == typed
        assert [type(value) for value in parameters.values()] == [type(value) for value in typed.values()]

    @pytest.mark.parametrize("quantize", ["f32", "F16", "bf16", "Q8_0", "q4_k", "Q4_K_m", "q4_K_S"])
    def test_the_types_of_weights(self, quantize):
        assert wanted(name=["x"], files=["/m.gguf"], quantize=quantize)[0].custom.quantize == quantize

    def test_a_message_may_be_empty(self):
        messages = [{"role": "user", "content": ""}]
        model = wanted(models=[{"name": "x", "from": "b", "messages": messages}])[0]
        assert model.custom.messages == messages

    def test_a_base_that_is_listed_is_not_added(self):
        models = wanted(models=[{"name": "x", "from": "B"}, {"name": "b", "state": "latest"}])
        assert [(str(model.name), model.state, model.listed) for model in models] == [
            ("x:latest", "present", True),
            ("b:latest", "latest", True),
        ]

    def test_two_models_may_share_a_base(self):
        models = wanted(models=[{"name": "x", "from": "b"}, {"name": "y", "from": "B"}])
        assert [str(model.name) for model in models] == ["x:latest", "y:latest", "b:latest"]


def test_each_model_comes_behind_its_base():
    models = [{"name": "x", "from": "y"}, "a", {"name": "y", "from": "z"}, "b"]
    assert [str(model.name)[0] for model in in_order(wanted(models=models))] == ["z", "y", "x", "a", "b"]
