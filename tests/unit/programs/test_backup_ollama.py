# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a backup of an Ollama server holds, with the stand-in as the server."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
import typing as t
from pathlib import Path

import pytest
from backup_service import Service

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "standins"))

from ollama_client import Server
from ollama_process import running
from registry import ModelRegistry
from shelf import Shelf


class Ollama(t.NamedTuple):
    service: Service
    server: Server
    shelf: Shelf


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[tuple[Server, Shelf]]:
    home = tmp_path_factory.mktemp("ollama")
    os.environ.pop("OLLAMA_BIN", None)
    with running(home) as server, ModelRegistry(("127.0.0.1", 0), home / "registry").running() as registry:
        yield server, Shelf(registry)


@pytest.fixture
def ollama(tmp_path: Path, started: tuple[Server, Shelf]) -> Ollama:
    server, shelf = started
    service = Service(tmp_path)
    service.settings.update(service="ollama", name="ollama", api=server.url, data=str(server.stored()), config="")
    service.store = service.directory / "ollama"
    return Ollama(service, server, shelf)


def by_name(models: list[dict[str, t.Any]]) -> dict[str, dict[str, t.Any]]:
    return {model["name"]: model for model in models}


def blobs(tree: Path) -> set[str]:
    return {path.name.replace("-", ":") for path in (tree / "models/blobs").iterdir()}


def test_everything_but_the_weights(ollama: Ollama) -> None:
    name = ollama.shelf.add()
    ollama.server.pull(name)
    body = {"model": "mario", "from": name, "system": "You are Mario.", "stream": False}
    assert ollama.server.call("POST", "/api/create", body).status == 200
    models = by_name(ollama.service.take().answer["models"])
    tree = ollama.service.latest()
    assert models[name]["weights"] == {"from": "registry", "name": name}
    assert models["mario:latest"]["weights"] == {"from": "base", "name": name}
    assert models[name]["digest"] == ollama.shelf.digest(name)
    for model in models.values():
        manifest = tree / model["manifest"]
        assert hashlib.sha256(manifest.read_bytes()).hexdigest() == model["digest"]
        layers = json.loads(manifest.read_bytes())
        wanted = {layer["digest"]: layer["mediaType"] for layer in [*layers["layers"], layers["config"]]}
        small = {digest for digest, kind in wanted.items() if kind != "application/vnd.ollama.image.model"}
        assert small < set(wanted)
        assert small <= blobs(tree)
        assert {layer["digest"] for layer in model["layers"] if layer["saved"]} == small
    assert ollama.shelf.weights(name) not in blobs(tree)


def test_weights_on_request_and_each_once(ollama: Ollama) -> None:
    name = ollama.shelf.add("big")
    ollama.server.pull(name)
    ollama.server.call("POST", "/api/copy", {"source": name, "destination": "alias"})
    # A file that was written a moment ago is copied again, because it could still change.
    for path in ollama.server.stored("blobs").iterdir():
        os.utime(path, (time.time() - 3600,) * 2)
    ollama.service.settings["weights"] = True
    models = by_name(ollama.service.take().answer["models"])
    assert models["alias:latest"]["weights"] == models[name]["weights"] == {"from": "backup", "name": None}
    first = ollama.service.set_back()
    assert set(ollama.shelf.digests(name)) <= blobs(first)
    ollama.service.take()
    blob = f"models/blobs/{ollama.shelf.weights(name).replace(':', '-')}"
    assert (first / blob).samefile(ollama.service.latest() / blob)


def test_weights_that_no_registry_has_are_warned_of(ollama: Ollama) -> None:
    name = ollama.shelf.add("local")
    weights = ollama.shelf.blob(ollama.shelf.weights(name)).read_bytes()
    digest = f"sha256:{hashlib.sha256(weights).hexdigest()}"
    assert ollama.server.call("POST", f"/api/blobs/{digest}", weights).status in (200, 201)
    body = {"model": "mine", "files": {"model.gguf": digest}, "stream": False}
    assert ollama.server.call("POST", "/api/create", body).status == 200
    answer = ollama.service.take().answer
    assert by_name(answer["models"])["mine:latest"]["weights"] == {"from": "nowhere", "name": None}
    assert [warning for warning in answer["warnings"] if "mine:latest" in warning]


def test_a_damaged_file_of_a_model_is_no_backup(ollama: Ollama) -> None:
    name = ollama.shelf.add("damaged", system="words of its own")
    ollama.server.pull(name)
    (system,) = (layer for layer in ollama.shelf.manifest(name)["layers"] if layer["mediaType"].endswith(".system"))
    path = ollama.server.blob(system["digest"])
    content = path.read_bytes()
    path.write_bytes(b"?" * len(content))
    try:
        said = ollama.service.take(fails=True).said
    finally:
        path.write_bytes(content)
    assert str(path) in said
    assert ollama.service.ids() == []


def test_a_server_elsewhere_is_noted_by_name_and_digest(ollama: Ollama) -> None:
    name = ollama.shelf.add("far")
    ollama.server.pull(name)
    ollama.service.settings["data"] = ""
    model = by_name(ollama.service.take().answer["models"])[name]
    assert model["digest"] == ollama.shelf.digest(name)
    assert model["manifest"] is None
    assert model["layers"] == []


def test_a_server_that_does_not_answer_is_no_backup(ollama: Ollama) -> None:
    ollama.service.settings["api"] = "http://127.0.0.1:9"
    said = ollama.service.take(fails=True).said
    assert "Ollama on web1 does not say at http://127.0.0.1:9/api/tags" in said
