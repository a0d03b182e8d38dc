# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every example of both modules, as ``ansible-doc`` shows it: in the order of the documentation, on one server."""

from __future__ import annotations

import json
import re
import subprocess
import typing as t

import pytest
import yaml
from example_world import TOKEN, World, example_world
from module_process import ROOT, environment

MODULES = ("ollama_model", "ollama_model_info")
NO_QUANTIZER = "llama-quantize unavailable"
LOST = """\
- name: Lose the weights of a model
  ansible.builtin.shell: rm /var/lib/docker/volumes/ollama/_data/models/blobs/sha256-{weights}
"""
# What the first run of an example does; the second one does nothing.
ACTIONS = {
    "Have a model": {"llama3.2:3b": "pulled"},
    "Have several models as the registry has them now": {"llama3.2:3b": "none", "nomic-embed-text:latest": "pulled"},
    "Have a model of a registry in the local network, and not the one from before": {
        "registry.example.com:5000/library/qwen3:8b": "pulled",
        "qwen2.5:7b": "removed",
    },
    "Have exactly these models, and leave alone the one that somebody else manages": {
        "llama3.2:3b": "none",
        "qwen3:8b": "pulled",
        "registry.example.com:5000/library/qwen3:8b": "removed",
    },
    "Remove all models": {"llama3.2:3b": "removed", "nomic-embed-text:latest": "removed", "qwen3:8b": "removed"},
    "Have a model whose content is pinned": {"llama3.2:3b": "pulled"},
    "Have a registry with a private CA, a server behind a proxy with a token, and little patience": {
        "registry.example.com/library/qwen3:8b": "pulled"
    },
    "Mend models whose files were lost": {"llama3.2:3b": "pulled"},
    "Have a custom model": {"helpdesk:latest": "created", "llama3.2:3b": "none"},
    "Have a model as its Modelfile says": {"reviewer:latest": "created", "llama3.2:3b": "none"},
    "Have models from files on the host, one quantized, one with an adapter": {
        "ours:q8": "created",
        "ours:support": "created",
    },
}


REMOTE = ["mirror.example.com:5000/library/llama3.2:latest", "registry.example.com/team/assistant:latest"]
INSTALLED = sorted(["llama3.2:3b", *REMOTE, "qwen3:8b"])
# What an example of ollama_model_info finds when llama3.2:3b is older than what the registry has.
FINDINGS: dict[str, t.Callable[[dict[str, t.Any]], object]] = {
    "See what the server holds": lambda result: names_of(result) == INSTALLED and result["version"],
    "Show the names of its models": lambda result: result["msg"].endswith(f" has {', '.join(INSTALLED)}"),
    "See whether a server elsewhere holds a model": lambda result: names_of(result) == ["llama3.2:3b"],
    "See what a server behind a proxy with a token holds": lambda result: names_of(result) == INSTALLED,
    "See what a server behind a proxy with a key and a certificate of its own holds": (
        lambda result: names_of(result) == INSTALLED
    ),
    "See what an update would bring": lambda result: (
        [row["remote"]["action"] for row in result["models"] if row["name"] in ("llama3.2:3b", "qwen3:8b")]
        == ["updated", "none"]
    ),
    "Show how much an update would fetch": lambda result: re.fullmatch(r"[1-9]\d* bytes", result["msg"]),
    "Ask a registry of plain HTTP in the local network": lambda result: asked(result, REMOTE[0]),
    "Ask a registry whose certificate a private CA signed": lambda result: asked(result, REMOTE[1]),
    "Refuse to go on while old weights are in memory": lambda result: result["changed"] is False,
}


def names_of(result: dict[str, t.Any]) -> list[str]:
    return [row["name"] for row in result["models"]]


def asked(result: dict[str, t.Any], name: str) -> bool:
    """Whether the registry has told what it has of the model: the same as the server."""
    (row,) = result["models"]
    remote = row["remote"]
    return (row["name"], remote["digest"], remote["action"], remote["error"]) == (name, row["digest"], "none", None)


class Loader(yaml.SafeLoader):
    """Reads what only Ansible knows."""


Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))


def documentation() -> dict[str, dict[str, t.Any]]:
    command = ["ansible-doc", "--json", *(f"selfhosted.llm.{module}" for module in MODULES)]
    finished = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, check=True, timeout=120)
    return {name.rpartition(".")[2]: content for name, content in json.loads(finished.stdout).items()}


@pytest.fixture(scope="module")
def docs() -> dict[str, dict[str, t.Any]]:
    return documentation()


def split(text: str) -> dict[str, str]:
    """The text of each example by its name."""
    tasks = re.split(r"(?m)^(?=- name: )", text.strip())
    return {task.partition("\n")[0][len("- name: ") :]: f"{task.rstrip()}\n" for task in tasks if task}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[World]:
    with example_world(tmp_path_factory.mktemp("examples")) as world:
        yield world


@pytest.fixture(scope="module")
def outcomes(world: World, docs: dict[str, dict[str, t.Any]]) -> dict[str, list[dict[str, t.Any]]]:
    """The results of both runs of each example of ``ollama_model``."""
    world.pull("qwen2.5:7b")
    weights = json.loads((world.folder / "registry/manifests/library/llama3.2/3b").read_text())["layers"][0]["digest"]
    before = {"Mend models whose files were lost": LOST.format(weights=weights[len("sha256:") :])}
    examples = split(docs["ollama_model"]["examples"])
    return world.play("".join(before.get(name, "") + 2 * text for name, text in examples.items()))


@pytest.mark.parametrize("module", MODULES)
def test_each_option_has_an_example(docs: dict[str, dict[str, t.Any]], module: str) -> None:
    used: set[str] = set()
    for task in yaml.load(docs[module]["examples"], Loader):
        options = task.get(f"selfhosted.llm.{module}") or {}
        entries = options.get("models") or []
        for group in (options, *(entry for entry in entries if isinstance(entry, dict))):
            used.update(group)
    assert used == set(docs[module]["doc"]["options"])


def test_each_example_is_expected(docs: dict[str, dict[str, t.Any]]) -> None:
    assert [*split(docs["ollama_model"]["examples"])] == [*ACTIONS]
    assert [*split(docs["ollama_model_info"]["examples"])] == [*FINDINGS]


@pytest.mark.parametrize("name", ACTIONS)
def test_an_example(world: World, outcomes: dict[str, list[dict[str, t.Any]]], name: str) -> None:
    results = outcomes.get(name, [])
    if results and NO_QUANTIZER in results[0].get("msg", "") and not world.server.standin:
        pytest.skip("this server has no llama-quantize")
    assert [result.get("msg") for result in results] == [None, None]
    first, second = results
    assert {row["name"]: row["action"] for row in first["models"]} == ACTIONS[name]
    assert first["changed"] is True
    assert {row["action"] for row in second["models"]} <= {"none"}
    assert second["changed"] is False


def test_the_proxy_before_the_server_got_token_and_headers(
    world: World, outcomes: dict[str, list[dict[str, t.Any]]]
) -> None:
    assert outcomes
    assert world.front.heads
    for head in world.front.heads:
        assert f"Authorization: Bearer {TOKEN}\r\n" in head
        assert "X-Team: research\r\n" in head


@pytest.fixture(scope="module")
def findings(world: World, docs: dict[str, dict[str, t.Any]]) -> dict[str, list[dict[str, t.Any]]]:
    """The results of each example of ``ollama_model_info``."""
    for name in world.server.tags():
        world.server.call("DELETE", "/api/delete", {"model": name})
    world.pull(*INSTALLED)
    world.publish("library/llama3.2", "3b", seed=99)
    return world.play(docs["ollama_model_info"]["examples"])


@pytest.mark.parametrize("name", FINDINGS)
def test_an_example_of_the_info_module(findings: dict[str, list[dict[str, t.Any]]], name: str) -> None:
    (result,) = findings[name]
    assert not result.get("failed"), result
    assert FINDINGS[name](result), result
    assert result["changed"] is False


def test_what_an_update_would_fetch(world: World, findings: dict[str, list[dict[str, t.Any]]]) -> None:
    manifest = json.loads((world.folder / "registry/manifests/library/llama3.2/3b").read_text())
    new = [
        layer for layer in [*manifest["layers"], manifest["config"]] if not world.server.blob(layer["digest"]).exists()
    ]
    (shown,) = findings["Show how much an update would fetch"]
    assert shown["msg"] == f"{sum(layer['size'] for layer in new)} bytes"
    assert len(new) == 2
