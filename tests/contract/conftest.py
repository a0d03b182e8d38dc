# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every Ollama server must do: the stand-in, a real program (``OLLAMA_BIN``) or a running one (``OLLAMA_URL``)."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import pathlib
import sys
import typing as t
from urllib.parse import urlsplit

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "standins"))

from ollama_client import Answer, Server
from ollama_process import running
from registry import ModelRegistry
from shelf import Shelf
from three_parts import MEGABYTE

Make = t.Callable[..., Answer]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs_inference: needs a server that can run a model")


def pytest_report_header() -> str:
    return f"contract: {os.environ.get('OLLAMA_URL') or os.environ.get('OLLAMA_BIN') or 'the stand-in'}"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Server]:
    url = os.environ.get("OLLAMA_URL")
    if url:
        yield Server(url.rstrip("/"))
        return
    with running(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def own_server(server: Server) -> Server:
    """The server when it is one that this run started, whose files and program can be looked at."""
    if server.store is None:
        pytest.skip("the files and the program of a running server are out of reach")
    return server


@pytest.fixture
def fresh_server(own_server: Server, tmp_path: pathlib.Path) -> t.Iterator[Server]:
    with running(tmp_path) as server:
        yield server


@pytest.fixture(scope="session")
def registry(server: Server, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[ModelRegistry]:
    if server.store is None and not _is_loopback(server.url):
        pytest.skip(f"{server.url} cannot reach the registry of this run, which listens on loopback")
    registry = ModelRegistry(("127.0.0.1", 0), tmp_path_factory.mktemp("registry"))
    with registry.running():
        yield registry


def _is_loopback(url: str) -> bool:
    hostname = urlsplit(url).hostname or ""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(hostname).is_loopback
    return hostname == "localhost"


@pytest.fixture
def shelf(server: Server, registry: ModelRegistry) -> t.Iterator[Shelf]:
    shelf = Shelf(registry)
    yield shelf
    for name in server.tags():
        if name.startswith((f"{shelf.prefix}/", f"{shelf.namespace}/")):
            server.call("POST", "/api/generate", {"model": name, "keep_alive": 0})
            server.call("DELETE", "/api/delete", {"model": name})
    shelf.remove()


@pytest.fixture
def large(shelf: Shelf) -> str:
    """A model of three parts; the last one has 10 MB and what is not padding."""
    return shelf.add("large", seed=901, padding=210 * MEGABYTE)


@pytest.fixture
def pulled(server: Server, shelf: Shelf) -> str:
    name = shelf.add()
    assert server.pull(name).lines[-1] == {"status": "success"}
    return name


def _runnable(server: Server, variable: str, publish: t.Callable[[], str]) -> str:
    """A model to run: the stand-in answers for every one, a real server needs one that it has, and a runner."""
    name = os.environ.get(variable, "tiny" if server.standin else "")
    if not name:
        pytest.skip(f"{variable} names no model that this server can run (tiny: the one of this run's registry)")
    if name != "tiny":
        return name
    tiny = publish()
    assert server.pull(tiny).lines[-1] == {"status": "success"}
    return tiny


@pytest.fixture
def chat_model(server: Server, request: pytest.FixtureRequest) -> str:
    return _runnable(server, "OLLAMA_CHAT_MODEL", lambda: request.getfixturevalue("shelf").add("chat", width=64))


@pytest.fixture
def embed_model(server: Server, request: pytest.FixtureRequest) -> str:
    return _runnable(
        server, "OLLAMA_EMBED_MODEL", lambda: request.getfixturevalue("shelf").add("embed", width=64, embedding=True)
    )


@pytest.fixture
def make(server: Server, shelf: Shelf) -> Make:
    """Creates ``<namespace of the shelf>/<name>``: ``make(name, **fields)``."""

    def call(name: str, **fields: t.Any) -> Answer:
        answer = server.call("POST", "/api/create", {"model": f"{shelf.namespace}/{name}", **fields})
        if not server.standin and "llama-quantize unavailable" in answer.text:
            pytest.skip("this server has no llama-quantize, which writes uploaded weights anew")
        return answer

    return call
