# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Models that the server builds: made, changed, made again when their base or their files change, and left alone."""

from __future__ import annotations

import pathlib
import shutil
import typing as t

import pytest
from module_process import Module, Ollama, Result, actions, digests_of, succeeded, warnings
from shelf import Shelf
from tiny_models import TEMPLATE, TinyModel, adapter, gguf

HELPDESK: dict[str, t.Any] = {
    "system": "You are patient.",
    "template": "{{ .System }} -- {{ .Prompt }}",
    "parameters": {"temperature": 0.3, "num_ctx": 1024, "stop": ["###", "</s>"]},
    "messages": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": 'Hello "you"\n'}],
    "license": ["For internal use."],
}
NO_QUANTIZER = "llama-quantize unavailable"

Build = t.Callable[..., Result]


@pytest.fixture
def base(shelf: Shelf) -> str:
    return shelf.add("base", parameters={"temperature": 0.7, "top_k": 20}, system="Base system.")


@pytest.fixture
def build(ollama: Ollama, module: Module) -> Build:
    """Runs the module for the model ``helpdesk``: ``build(check=…, state=…, …)``."""

    def run(check: bool = False, state: str = "present", **fields: t.Any) -> Result:
        entry = {"name": "helpdesk", "insecure": True, "state": state, **fields}
        result = module(check, url=ollama.url, models=[entry])
        if NO_QUANTIZER in result.get("msg", "") and not ollama.server.standin:
            pytest.skip("this server has no llama-quantize")
        return succeeded(result)

    return run


def shown(ollama: Ollama) -> dict[str, t.Any]:
    return ollama.server.call("POST", "/api/show", {"model": "helpdesk"}).json()


def parameters(ollama: Ollama) -> list[str]:
    return sorted(" ".join(line.split()) for line in shown(ollama).get("parameters", "").splitlines())


def assert_settled(build: Build, **fields: t.Any) -> None:
    """Neither a dry run nor another run finds anything to do."""
    for check in (True, False):
        result = build(check, **fields)
        assert (result["changed"], set(actions(result)), warnings(result)) == (False, {"none"}, [])


def test_everything_that_can_be_said_of_a_model(ollama: Ollama, build: Build, base: str) -> None:
    wanted = {"from": base, **HELPDESK}
    predicted = build(check=True, **wanted)
    assert not ollama.server.tags()
    made = build(**wanted)
    assert actions(predicted) == actions(made) == ["created", "pulled"]
    model = shown(ollama)
    assert (model["system"], model["template"]) == (HELPDESK["system"], HELPDESK["template"])
    assert model["messages"] == HELPDESK["messages"]
    assert model["license"].endswith("For internal use.")
    stops = ['stop "###"', 'stop "</s>"']
    assert parameters(ollama) == ["num_ctx 1024", *stops, "temperature 0.3", "top_k 20"]
    assert_settled(build, **wanted)


def test_one_field_after_the_other(build: Build, base: str) -> None:
    fields = {"from": base, **HELPDESK}
    digest = build(**fields)["models"][0]["digest"]
    others: dict[str, t.Any] = {
        "system": "You are not.",
        "template": "{{ .Prompt }}",
        "messages": [{"role": "user", "content": "Hello"}],
        "license": ["For all."],
        "parameters": {"temperature": 0.4, "num_ctx": 1024, "stop": ["###", "</s>"]},
    }
    for field, other in others.items():
        fields[field] = other
        result = build(**fields)
        row = result["models"][0]
        assert actions(result) == ["updated", "none"]
        assert row["before"] == digest != row["digest"]
        assert f"with other {field}" in result["diff"]["after"]["helpdesk:latest"]
        digest = row["digest"]
    assert_settled(build, **fields)


def test_what_is_taken_out_is_gone(ollama: Ollama, build: Build, base: str) -> None:
    build(**{"from": base}, **HELPDESK)
    build(**{"from": base, "parameters": {"num_ctx": 2048}})
    # What the base says counts again.
    assert parameters(ollama) == ["num_ctx 2048", "temperature 0.7", "top_k 20"]
    model = shown(ollama)
    assert (model["system"], model["template"], model.get("messages")) == ("Base system.", TEMPLATE, None)
    assert "internal" not in model["license"]
    assert_settled(build, **{"from": base, "parameters": {"num_ctx": 2048}})


def test_an_updated_base(ollama: Ollama, build: Build, shelf: Shelf, base: str) -> None:
    wanted = {"from": base, "system": "You are patient."}
    build(**wanted)
    shelf.add("base", seed=2)
    assert_settled(build, **wanted)
    result = build(state="latest", **wanted)
    assert actions(result) == ["updated", "updated"]
    assert shown(ollama)["modelfile"].count(shelf.weights(base).replace(":", "-")) == 1
    assert_settled(build, state="latest", **wanted)


def test_a_second_name(ollama: Ollama, build: Build, shelf: Shelf, base: str) -> None:
    assert actions(build(**{"from": base})) == ["copied", "pulled"]
    assert_settled(build, **{"from": base})
    shelf.add("base", seed=2)
    assert actions(build(state="latest", **{"from": base})) == ["copied", "updated"]
    assert digests_of(ollama.server) == {"helpdesk:latest": shelf.digest(base), base: shelf.digest(base)}
    files = {path.name.replace("-", ":", 1) for path in (ollama.store / "blobs").iterdir()}
    assert files == set(shelf.digests(base))


def test_a_modelfile(ollama: Ollama, build: Build, base: str) -> None:
    lines = [
        f"FROM {base}",
        "# as on ollama.com",
        'TEMPLATE """{{ .System }} -- {{ .Prompt }}"""',
        "SYSTEM You are patient.",
        "PARAMETER temperature 0.3",
        "PARAMETER num_ctx 1024",
        'PARAMETER stop "###"',
        "PARAMETER stop </s>",
        "MESSAGE user Hello",
        'MESSAGE assistant """Hello "you"\n"""',
        "LICENSE For internal use.",
    ]
    made = build(modelfile="\n".join(lines))
    assert actions(made) == ["created", "pulled"]
    assert_settled(build, modelfile="\n".join(lines))
    # The same model, said in another way.
    assert_settled(build, **{"from": base}, **HELPDESK)


@pytest.fixture
def weights(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "ours.gguf"
    path.write_bytes(gguf(TinyModel("", "", 32, 501, file_type=1)))
    return path


def test_a_file(ollama: Ollama, build: Build, module: Module, weights: pathlib.Path) -> None:
    wanted = {"files": [str(weights)], "system": "You are patient."}
    made = build(**wanted)
    assert actions(made) == ["created"]
    assert made["models"][0]["bytes_transferred"] == weights.stat().st_size
    assert_settled(build, **wanted)
    # The same bytes at another time.
    weights.touch()
    assert_settled(build, **wanted)
    weights.write_bytes(gguf(TinyModel("", "", 32, 502, file_type=1)))
    assert actions(build(check=True, **wanted)) == actions(build(**wanted)) == ["updated"]
    assert_settled(build, **wanted)
    shutil.rmtree(module.home / "state")
    # Only the digest shows that nothing is new, and that comes too late for a dry run.
    guess = build(check=True, **wanted)
    assert "It cannot be known whether helpdesk:latest has to be built again" in warnings(guess)[0]
    again = build(**wanted)
    assert (again["changed"], actions(again)) == (False, ["none"])
    assert_settled(build, **wanted)


def test_a_quantized_file(ollama: Ollama, build: Build, weights: pathlib.Path) -> None:
    wanted = {"files": [str(weights)], "quantize": "q8_0"}
    build(**wanted)
    assert ollama.server.tags()["helpdesk:latest"]["details"]["quantization_level"] == "Q8_0"
    assert_settled(build, **wanted)
    assert actions(build(files=[str(weights)])) == ["updated"]
    assert ollama.server.tags()["helpdesk:latest"]["details"]["quantization_level"] == "F16"


def test_an_adapter(build: Build, base: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "lora.gguf"
    path.write_bytes(adapter(1))
    wanted = {"from": base, "adapters": [str(path)]}
    assert actions(build(**wanted)) == ["created", "pulled"]
    assert_settled(build, **wanted)
    path.write_bytes(adapter(2))
    assert actions(build(**wanted)) == ["updated", "none"]
    assert actions(build(**{"from": base, "system": "No adapter."})) == ["updated", "none"]
    assert_settled(build, **{"from": base, "system": "No adapter."})
