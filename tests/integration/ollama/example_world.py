# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hosts and the files that the examples of the documentation name."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import socket
import socketserver
import subprocess
import threading
import typing as t
from urllib.parse import urlsplit

import pytest
from front import Front
from ollama_client import Server
from ollama_process import running
from plays import play
from proxy import make_certificate
from registry import ModelRegistry
from tiny_models import TinyModel, adapter, gguf, write_model

PUBLIC = "registry.ollama.ai"
PRIVATE = ("registry.example.com", "gpu1.example.com", "ollama.example.com")
MODELS = {
    "library/llama3.2": ("latest", "3b"),
    "library/nomic-embed-text": ("latest",),
    "library/qwen3": ("8b",),
    "library/qwen2.5": ("7b",),
    "team/assistant": ("latest",),
}
TOKEN = "for-the-proxy"
# Nothing of this machine is changed: what is mounted is seen by one command and goes with it.
MOUNTS = """\
set -e
mount --bind "$1/srv" /srv
mount --bind "$1/ssl" /etc/ssl
mount -t tmpfs tmpfs /var/lib
mkdir -p /var/lib/docker/volumes/ollama/_data/models
mount --bind "$2" /var/lib/docker/volumes/ollama/_data/models
shift 2
exec "$@"
"""


class Router(socketserver.ThreadingTCPServer):
    """A proxy that leads ``host:port`` to a port of loopback."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, ports: dict[str, int]) -> None:
        self.ports = ports
        super().__init__(("127.0.0.1", 0), RouterHandler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class RouterHandler(socketserver.StreamRequestHandler):
    server: Router

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            first = self.rfile.readline()
            method, target, _version = first.decode().split()
            port = self.server.ports[target if method == "CONNECT" else urlsplit(target).netloc]
            with socket.create_connection(("127.0.0.1", port)) as onward:
                if method == "CONNECT":
                    while self.rfile.readline().strip():
                        pass
                    self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                else:
                    onward.sendall(first)
                threading.Thread(target=self._onward, args=(onward,), daemon=True).start()
                for data in iter(lambda: onward.recv(65536), b""):
                    self.wfile.write(data)

    def _onward(self, onward: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            for data in iter(lambda: self.rfile.read1(65536), b""):
                onward.sendall(data)
            onward.shutdown(socket.SHUT_WR)


class World:
    """:arg folder: of the playbook and of everything else
    :arg server: what the examples without a URL mean
    :arg front: the proxy before the server, with TLS
    :arg variables: of the environment in which the examples run
    """

    def __init__(self, folder: pathlib.Path, server: Server, front: Front, variables: dict[str, str]) -> None:
        self.folder = folder
        self.server = server
        self.front = front
        self.variables = variables

    def pull(self, *names: str) -> None:
        for name in names:
            insecure = ":5000/" in name
            answer = self.server.call("POST", "/api/pull", {"model": name, "insecure": insecure})
            assert answer.lines[-1] == {"status": "success"}, answer.text

    def publish(self, model: str, tag: str, seed: int) -> None:
        """New content of a model at the registries."""
        write_model(self.folder / "registry", TinyModel(model, tag, 32, seed))

    def play(self, tasks: str) -> dict[str, list[dict[str, t.Any]]]:
        """The results of tasks by their names."""
        store = str(self.server.stored())
        wrapper = [*_unshared(), "sh", "-c", MOUNTS, "mounts", str(self.folder), store]
        found: dict[str, list[dict[str, t.Any]]] = {}
        for name, result in play(self.folder, tasks, *wrapper, **self.variables):
            found.setdefault(name, []).append(result)
        return found


def _unshared() -> list[str]:
    """A command that runs another one with mounts of its own."""
    return ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]


@contextlib.contextmanager
def example_world(folder: pathlib.Path) -> t.Iterator[World]:
    if subprocess.run([*_unshared(), "mount", "-t", "tmpfs", "tmpfs", "/srv"], check=False).returncode:
        pytest.skip("mounts of one's own, for paths such as /srv/models, are not permitted here")
    for name in ("public", "private", "files", "group_vars", "srv/models", "home"):
        (folder / name).mkdir(parents=True)
    public, private = make_certificate(folder / "public", PUBLIC), make_certificate(folder / "private", *PRIVATE)
    if not public or not private:
        pytest.skip("openssl makes the certificates, and is not there")
    trusted = folder / "trusted-by-the-server.pem"
    trusted.write_bytes(public[0].read_bytes() + private[0].read_bytes())
    digests = _publish(folder / "registry")
    _write_files(folder, private[0], digests["library/llama3.2:3b"])
    with contextlib.ExitStack() as stack:
        registries = [
            stack.enter_context(ModelRegistry(("127.0.0.1", 0), folder / "registry", certificate).running())
            for certificate in (public[1], private[1], None)
        ]
        ports = [registry.server_address[1] for registry in registries]
        routes = {f"{PUBLIC}:443": ports[0], f"{PRIVATE[0]}:443": ports[1], f"{PRIVATE[0]}:5000": ports[2]}
        router = Router({**routes, "mirror.example.com:5000": ports[2]})
        threading.Thread(target=router.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        stack.callback(router.shutdown)
        proxies = {"HTTP_PROXY": router.url, "HTTPS_PROXY": router.url}
        proxies.update({name.lower(): url for name, url in proxies.items()})
        server = stack.enter_context(running(folder / "home", SSL_CERT_FILE=str(trusted), **proxies))
        plain, tls = (stack.enter_context(Front(server.url, both).running()) for both in (None, private[1]))
        router.ports.update({"gpu1.example.com:11434": plain.port})
        router.ports.update({f"{host}:443": tls.port for host in PRIVATE[1:]})
        yield World(folder, server, tls, {"OLLAMA_URL": server.url, "SSL_CERT_FILE": str(public[0]), **proxies})


def _publish(root: pathlib.Path) -> dict[str, str]:
    """The digests of the models, by name."""
    names = [(model, tag) for model, tags in MODELS.items() for tag in tags]
    return {
        f"{model}:{tag}": write_model(root, TinyModel(model, tag, 32, seed)) for seed, (model, tag) in enumerate(names)
    }


def _write_files(folder: pathlib.Path, authority: pathlib.Path, digest: str) -> None:
    shutil.copytree("/etc/ssl", folder / "ssl", symlinks=True, ignore=shutil.ignore_patterns("private"))
    (folder / "ssl/certs").mkdir(exist_ok=True)
    for place in ("ssl", "ssl/certs"):
        shutil.copy(authority, folder / place / "private-ca.pem")
    (folder / "srv/models/ours-f16.gguf").write_bytes(gguf(TinyModel("", "", 32, 601, file_type=1)))
    (folder / "srv/models/support-lora.gguf").write_bytes(adapter(1))
    (folder / "files/reviewer.Modelfile").write_text("FROM llama3.2:3b\nSYSTEM You read code.\n", encoding="utf-8")
    variables = {"llama_digest": digest, "proxy_token": TOKEN, "ollama_token": TOKEN, "ollama_key": TOKEN}
    (folder / "group_vars/all.yml").write_text(json.dumps(variables), encoding="utf-8")
