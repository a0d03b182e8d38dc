# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every Ollama server must do: the stand-in, a real program (``OLLAMA_BIN``) or a running one (``OLLAMA_URL``)."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import threading
import typing as t
import uuid
from urllib.parse import urlsplit

import pytest
from contract_client import Server, wait_until

STANDINS = pathlib.Path(__file__).resolve().parent.parent / "standins"
sys.path.insert(0, str(STANDINS))

from registry import ModelRegistry  # noqa: E402
from tiny_models import TinyModel, write_model  # noqa: E402

KEPT_VARIABLES = ("PATH", "TMPDIR", "LD_LIBRARY_PATH")
START_ATTEMPTS = 3


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs_inference: needs a server that can run a model")


def pytest_report_header() -> str:
    return f"contract: {os.environ.get('OLLAMA_URL') or os.environ.get('OLLAMA_BIN') or 'the stand-in'}"


class Started(t.NamedTuple):
    server: Server
    process: subprocess.Popen[bytes]


def command() -> list[str]:
    program = os.environ.get("OLLAMA_BIN")
    return [program] if program else [sys.executable, str(STANDINS / "ollama")]


def environment(home: pathlib.Path, host: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    models = str(home / "models")
    return {**kept, "HOME": str(home), "OLLAMA_HOST": host, "OLLAMA_MODELS": models, "OLLAMA_NO_CLOUD": "1"}


def _answers(server: Server) -> bool:
    """A port listens a moment before the server can be stopped properly."""
    with contextlib.suppress(OSError):
        return server.call("GET", "/").status == 200
    return False


def start(home: pathlib.Path, **variables: str) -> Started:
    """Another program may take the free port before the server does: then the next one is tried."""
    for _attempt in range(START_ATTEMPTS):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            host = f"127.0.0.1:{probe.getsockname()[1]}"
        with (home / "log").open("wb") as log:
            everything = {**environment(home, host), **variables}
            process = subprocess.Popen([*command(), "serve"], env=everything, stdout=log, stderr=log)
        server = Server(f"http://{host}", home / "models", command(), "OLLAMA_BIN" not in os.environ)
        started = Started(server, process)
        if _runs(started):
            return started
    raise AssertionError(f"the server does not start: {(home / 'log').read_text()[-2000:]}")


def _runs(started: Started) -> bool:
    process = started.process
    wait_until(lambda: process.poll() is not None or _answers(started.server), "the server to answer")
    return process.poll() is None


def stop(started: Started) -> None:
    started.process.terminate()
    try:
        started.process.wait(10)
    except subprocess.TimeoutExpired:
        started.process.kill()
        started.process.wait()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Server]:
    url = os.environ.get("OLLAMA_URL")
    if url:
        yield Server(url.rstrip("/"))
        return
    started = start(tmp_path_factory.mktemp("server"))
    yield started.server
    stop(started)


@pytest.fixture
def own_server(server: Server) -> Server:
    """The server when it is one that this run started, whose files and program can be looked at."""
    if server.store is None:
        pytest.skip("the files and the program of a running server are out of reach")
    return server


@pytest.fixture
def fresh_server(own_server: Server, tmp_path: pathlib.Path) -> t.Iterator[Server]:
    started = start(tmp_path)
    yield started.server
    stop(started)


@pytest.fixture(scope="session")
def registry(server: Server, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[ModelRegistry]:
    if server.store is None and not _is_loopback(server.url):
        pytest.skip(f"{server.url} cannot reach the registry of this run, which listens on loopback")
    registry = ModelRegistry(("127.0.0.1", 0), tmp_path_factory.mktemp("registry"))
    threading.Thread(target=registry.serve_forever, daemon=True).start()
    yield registry
    registry.shutdown()
    registry.server_close()


def _is_loopback(url: str) -> bool:
    hostname = urlsplit(url).hostname or ""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(hostname).is_loopback
    return hostname == "localhost"


class Shelf:
    """A namespace of the registry that belongs to one test."""

    def __init__(self, registry: ModelRegistry) -> None:
        self.registry = registry
        self.namespace = f"contract-{uuid.uuid4().hex[:12]}"
        self.prefix = f"{registry.netloc}/{self.namespace}"

    def add(self, model: str = "tiny", tag: str = "latest", width: int = 32, seed: int = 1, **fields: t.Any) -> str:
        """Publish a model (or another content under the same name) and return the name to pull."""
        write_model(self.registry.root, TinyModel(f"{self.namespace}/{model}", tag, width, seed, **fields))
        return f"{self.prefix}/{model}:{tag}"

    def manifest_path(self, name: str) -> pathlib.Path:
        model, _colon, tag = name.rpartition("/")[2].partition(":")
        return self.registry.root / "manifests" / self.namespace / model / tag

    def manifest(self, name: str) -> dict[str, t.Any]:
        return json.loads(self.manifest_path(name).read_bytes())

    def digests(self, name: str) -> list[str]:
        """In the order in which a server fetches them."""
        manifest = self.manifest(name)
        return [layer["digest"] for layer in [*manifest["layers"], manifest["config"]]]

    def blob(self, digest: str) -> pathlib.Path:
        return self.registry.root / "blobs" / digest.replace(":", "-")

    def requests(self) -> list[tuple[str, str, str]]:
        """What the server asked for in this namespace: method, tag or digest, range."""
        path = f"/v2/{self.namespace}/"
        found = [request for request in self.registry.requests if request.path.startswith(path)]
        return [(request.method, request.path.rpartition("/")[2], request.byte_range) for request in found]

    def remove(self) -> None:
        shutil.rmtree(self.registry.root / "manifests" / self.namespace, ignore_errors=True)


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
