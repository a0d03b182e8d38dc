# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Models that are in memory while their files change. A runner belongs to a blob of weights, not to a name."""

from __future__ import annotations

import os
import typing as t
import zlib

import pytest
from faults import HEAD
from ollama_client import Server, wait_until
from shelf import Shelf
from tiny_models import PARAMETERS

pytestmark = pytest.mark.needs_inference

SUCCESS = {"status": "success"}
FOR_EVER = "2300"
WIDTH = 64


@pytest.fixture(autouse=True)
def runner(server: Server) -> None:
    """These tests need models of their own."""
    if not server.standin and os.environ.get("OLLAMA_CHAT_MODEL") != "tiny":
        pytest.skip("OLLAMA_CHAT_MODEL is not tiny, the model whose content the tests change")


class Loaded:
    """A model ``x`` with weights of its own, loaded for ever."""

    def __init__(self, server: Server, shelf: Shelf, seed: int) -> None:
        self.server = server
        self.shelf = shelf
        self.seed = seed
        self.name = shelf.add("x", width=WIDTH, seed=seed)
        self.copy = f"{shelf.namespace}/x-old-tmp"
        self.pull()
        self.old = shelf.digest(self.name)
        self.load(self.name, keep_alive=-1)

    def load(self, name: str, **fields: t.Any) -> None:
        answer = self.server.call("POST", "/api/generate", {"model": name, **fields})
        assert answer.json()["done_reason"] == "load", answer.text

    def unload(self, name: str) -> int:
        return self.server.call("POST", "/api/generate", {"model": name, "keep_alive": 0}).status

    def change_weights(self) -> None:
        self.shelf.add("x", width=WIDTH, seed=self.seed + 1)

    def change_parameters(self, **parameters: t.Any) -> None:
        self.shelf.add("x", width=WIDTH, seed=self.seed, parameters={**PARAMETERS, **parameters})

    def pull(self) -> None:
        assert self.server.pull(self.name).lines[-1] == SUCCESS

    def keep(self) -> None:
        body = {"source": self.name, "destination": self.copy}
        assert self.server.call("POST", "/api/copy", body).status == 200

    def delete(self, name: str) -> None:
        assert self.server.call("DELETE", "/api/delete", {"model": name}).status == 200

    @property
    def new(self) -> str:
        return self.shelf.digest(self.name)

    def running(self) -> list[tuple[str, str]]:
        """Name and digest of the test's models in memory."""
        items = self.server.call("GET", "/api/ps").json()["models"]
        found = [(item["name"], item["digest"]) for item in items if self.shelf.namespace in item["name"]]
        return sorted(found, key=lambda item: item[1] != self.old)

    def expect(self, *running: tuple[str, str]) -> None:
        """Name and digest of what is in memory; the list may lag behind an answer."""
        wait_until(lambda: self.running() == list(running), f"{running}, not {self.running()}", 5)

    def clean_up(self) -> None:
        """No runner may outlive its test: an old one can be unloaded only by a model over its weights."""
        self.shelf.add("x", width=WIDTH, seed=self.seed)
        self.pull()
        self.unload(self.name)
        self.change_weights()
        self.pull()
        self.unload(self.name)


@pytest.fixture
def loaded(server: Server, shelf: Shelf, request: pytest.FixtureRequest) -> t.Iterator[Loaded]:
    loaded = Loaded(server, shelf, seed=800 + 10 * (zlib.crc32(request.node.name.encode()) % 1000))
    yield loaded
    loaded.clean_up()


def test_unload_is_immediate(loaded: Loaded) -> None:
    loaded.expect((loaded.name, loaded.old))
    assert loaded.unload(loaded.name) == 200
    loaded.expect()
    assert loaded.unload(loaded.name) == 200


def test_a_deleted_model_stays_in_memory(loaded: Loaded) -> None:
    loaded.delete(loaded.name)
    loaded.expect((loaded.name, loaded.old))
    assert loaded.unload(loaded.name) == 404
    loaded.expect((loaded.name, loaded.old))
    loaded.pull()
    assert loaded.unload(loaded.name) == 200
    loaded.expect()


def test_old_weights_stay_in_memory_and_cannot_be_unloaded(loaded: Loaded) -> None:
    loaded.change_weights()
    loaded.pull()
    assert loaded.server.tags()[loaded.name]["digest"] == loaded.new
    assert loaded.unload(loaded.name) == 200
    loaded.expect((loaded.name, loaded.old))
    loaded.load(loaded.name)
    loaded.expect((loaded.name, loaded.old), (loaded.name, loaded.new))
    assert loaded.unload(loaded.name) == 200
    loaded.expect((loaded.name, loaded.old))


def test_old_weights_under_another_tag_unload_the_old_runner(loaded: Loaded) -> None:
    loaded.change_weights()
    loaded.pull()
    tagged = loaded.shelf.add("x", tag="old", width=WIDTH, seed=loaded.seed)
    assert loaded.server.pull(tagged).lines[-1] == SUCCESS
    assert loaded.unload(tagged) == 200
    loaded.expect()


def test_a_copy_made_before_unloads_the_old_runner(loaded: Loaded) -> None:
    loaded.keep()
    loaded.change_weights()
    loaded.pull()
    loaded.expect((loaded.name, loaded.old))
    assert loaded.unload(loaded.copy) == 200
    loaded.expect()
    loaded.delete(loaded.copy)
    loaded.load(loaded.name, keep_alive=-1)
    loaded.expect((loaded.name, loaded.new))


def test_only_the_old_runner_goes_when_both_are_loaded(loaded: Loaded) -> None:
    loaded.keep()
    loaded.change_weights()
    loaded.pull()
    loaded.load(loaded.name)
    assert loaded.unload(loaded.copy) == 200
    loaded.expect((loaded.name, loaded.new))


def test_a_copy_that_is_deleted_first_is_no_help(loaded: Loaded) -> None:
    loaded.keep()
    loaded.change_weights()
    loaded.pull()
    loaded.delete(loaded.copy)
    assert loaded.unload(loaded.copy) == 404
    loaded.expect((loaded.name, loaded.old))


def test_the_procedure_leaves_no_file_behind(own_server: Server, loaded: Loaded) -> None:
    old = loaded.shelf.digests(loaded.name)
    loaded.keep()
    loaded.change_weights()
    loaded.pull()
    loaded.unload(loaded.copy)
    loaded.delete(loaded.copy)
    new = loaded.shelf.digests(loaded.name)
    assert all(own_server.blob(digest).exists() for digest in new)
    assert not own_server.blob(old[0]).exists()


def test_same_weights_are_not_loaded_again(loaded: Loaded) -> None:
    """The list of loaded models then shows an old digest, and means nothing by it."""
    loaded.change_parameters(top_k=7)
    loaded.pull()
    loaded.load(loaded.name, keep_alive=-1)
    loaded.expect((loaded.name, loaded.old))
    assert loaded.server.tags()[loaded.name]["digest"] != loaded.old
    assert loaded.unload(loaded.name) == 200
    loaded.expect()
    loaded.load(loaded.name)
    loaded.expect((loaded.name, loaded.new))


def test_another_context_length_loads_again(loaded: Loaded) -> None:
    loaded.change_parameters(num_ctx=512)
    loaded.pull()
    loaded.load(loaded.name)
    loaded.expect((loaded.name, loaded.new))
    assert loaded.server.running()[loaded.name]["context_length"] == 512


def test_models_over_the_same_weights_share_a_runner(loaded: Loaded) -> None:
    other = loaded.shelf.add("y", width=WIDTH, seed=loaded.seed, system="Another manifest.")
    assert loaded.server.pull(other).lines[-1] == SUCCESS
    loaded.load(other)
    loaded.expect((loaded.name, loaded.old))
    assert loaded.unload(other) == 200
    loaded.expect()
    loaded.keep()
    loaded.load(loaded.copy)
    loaded.load(loaded.name)
    loaded.expect((f"{loaded.copy}:latest", loaded.old))
    assert loaded.unload(loaded.name) == 200


def test_a_copy_of_an_unchanged_model(loaded: Loaded) -> None:
    loaded.keep()
    loaded.pull()
    loaded.delete(loaded.copy)
    loaded.expect((loaded.name, loaded.old))
    loaded.keep()
    assert loaded.unload(loaded.copy) == 200
    loaded.expect()


def test_a_failed_pull_leaves_the_runner(loaded: Loaded) -> None:
    loaded.keep()
    loaded.change_weights()
    with loaded.shelf.registry.fault(loaded.shelf.namespace, HEAD, status=404):
        assert loaded.server.pull(loaded.name).lines[-1] == {"error": "file does not exist"}
    loaded.delete(loaded.copy)
    loaded.expect((loaded.name, loaded.old))
    assert loaded.server.tags()[loaded.name]["digest"] == loaded.old


def test_keep_alive_for_ever(loaded: Loaded) -> None:
    assert loaded.server.running()[loaded.name]["expires_at"] > FOR_EVER
    loaded.load(loaded.name)
    assert loaded.server.running()[loaded.name]["expires_at"] > FOR_EVER
