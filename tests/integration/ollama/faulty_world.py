# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server that has a hard time, and an untouched one that has the same models."""

from __future__ import annotations

import typing as t

from faults import RANGE
from module_process import Module, Ollama, Result, Run, succeeded
from ollama_client import Server
from registry import ModelRegistry
from shelf import Shelf


class World:
    """A server under faults, an untouched one, and a registry.

    :arg module: ``ollama_model``, run by one user
    """

    def __init__(self, ollama: Ollama, untouched: Server, registry: ModelRegistry, module: Module) -> None:
        self.ollama = ollama
        self.untouched = untouched
        self.registry = registry
        self.shelf = Shelf(registry)
        self.module = module
        self.names: list[str] = []

    @property
    def server(self) -> Server:
        return self.ollama.server

    def publish(self, model: str, **fields: t.Any) -> str:
        """A model, or new content of it, at the registry and on the untouched server."""
        return self.hold(self.shelf.add(model, **fields))

    def hold(self, name: str) -> str:
        assert self.untouched.pull(name).lines[-1] == {"status": "success"}
        self.names.append(name)
        return name

    def give_up(self, name: str) -> None:
        for server in (self.server, self.untouched):
            server.call("DELETE", "/api/delete", {"model": name})
        self.names.remove(name)

    def installed(self, model: str, **fields: t.Any) -> str:
        name = self.publish(model, **fields)
        succeeded(self.run(name=name))
        return name

    def start(self, **options: t.Any) -> Run:
        return self.module.start(**{"url": self.ollama.url, "insecure": True, "stall_timeout": 5, **options})

    def run(self, **options: t.Any) -> Result:
        return self.start(**options).result()

    def failing(self, **options: t.Any) -> str:
        result = self.run(**options)
        assert result.get("failed"), result
        assert not result.get("changed"), result
        return result["msg"]

    def stalled(self, name: str, **options: t.Any) -> Run:
        """A run whose pull waits for the rest of the weights."""
        weights = self.shelf.weights(name)
        self.registry.fault(weights, RANGE, stall_after=50_000)
        run = self.start(name=name, **options)
        run.wait_for(f"pulling {weights[7:19]}", 50_000)
        return run

    def clean_run(self) -> Result:
        wanted = sorted(set(self.names))
        store = str(self.ollama.store)
        return succeeded(self.run(models=wanted, state="latest", models_dir=store))


def tree(server: Server) -> dict[str, bytes]:
    """Every file and directory of the store; a directory ends in a slash."""
    found = {}
    for folder in ("manifests", "blobs"):
        for path in server.stored(folder).rglob("*"):
            name = str(path.relative_to(server.stored()))
            found[f"{name}/" if path.is_dir() else name] = b"" if path.is_dir() else path.read_bytes()
    return found


def assert_same_store(world: World) -> None:
    actual, expected = tree(world.server), tree(world.untouched)
    assert sorted(actual) == sorted(expected)
    assert [name for name in expected if actual[name] != expected[name]] == []
