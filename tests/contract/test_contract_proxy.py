# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pulls through a proxy, from a registry with a certificate of a private authority."""

from __future__ import annotations

import pathlib
import shutil
import socket
import socketserver
import ssl
import subprocess
import threading
import typing as t

import pytest
from conftest import start, stop
from contract_client import Server
from registry import ModelRegistry
from tiny_models import TinyModel, write_model

HOST = "models.example.test"
NAME = f"{HOST}/library/tiny:latest"
UNTRUSTED = "tls: failed to verify certificate: x509: certificate signed by unknown authority"


class Proxy(socketserver.ThreadingTCPServer):
    """Leads every CONNECT to the one registry, which stands for a host that only the proxy can reach."""

    daemon_threads = True

    def __init__(self, registry_port: int) -> None:
        self.registry_port = registry_port
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), ProxyHandler)


class ProxyHandler(socketserver.StreamRequestHandler):
    server: Proxy

    def handle(self) -> None:
        self.server.asked.append(self.rfile.readline().decode().rpartition(" ")[0])
        while self.rfile.readline().strip():
            pass
        with socket.create_connection(("127.0.0.1", self.server.registry_port)) as onward:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pump, args=(onward, self.connection))
            back.start()
            _pump(self.connection, onward)
            back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        for data in iter(lambda: source.recv(65536), b""):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        # The other side has left: this direction is over as well.
        source.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A self-signed certificate, its own authority, with the key in the same file."""
    openssl = shutil.which("openssl")
    if not openssl:
        pytest.skip("openssl makes the certificate")
    folder = tmp_path_factory.mktemp("certificate")
    request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={HOST}"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    names = ["-addext", f"subjectAltName=DNS:{HOST}"]
    subprocess.run([openssl, *request, *files, *names], check=True, capture_output=True, timeout=60)
    (folder / "both.pem").write_bytes((folder / "key.pem").read_bytes() + (folder / "certificate.pem").read_bytes())
    return folder / "both.pem"


@pytest.fixture
def proxy(certificate: pathlib.Path, tmp_path: pathlib.Path) -> t.Iterator[Proxy]:
    root = tmp_path / "registry"
    write_model(root, TinyModel("library/tiny", "latest", 32, 1))
    registry = ModelRegistry(("127.0.0.1", 0), root)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    registry.socket = context.wrap_socket(registry.socket, server_side=True, do_handshake_on_connect=False)
    proxy = Proxy(registry.server_address[1])
    for server in (registry, proxy):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield proxy
    for server in (proxy, registry):
        server.shutdown()
        server.server_close()


def pull(tmp_path: pathlib.Path, proxy: Proxy, **variables: str) -> list[dict[str, t.Any]]:
    started = start(tmp_path, HTTPS_PROXY=f"http://127.0.0.1:{proxy.server_address[1]}", **variables)
    try:
        return started.server.pull(NAME, insecure=False).lines
    finally:
        stop(started)


def test_a_pull_goes_through_the_proxy(
    own_server: Server, proxy: Proxy, certificate: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    authority = str(certificate.with_name("certificate.pem"))
    assert pull(tmp_path, proxy, SSL_CERT_FILE=authority)[-1] == {"status": "success"}
    assert set(proxy.asked) == {f"CONNECT {HOST}:443"}


def test_a_private_authority_must_be_known(own_server: Server, proxy: Proxy, tmp_path: pathlib.Path) -> None:
    url = f"https://{HOST}/v2/library/tiny/manifests/latest"
    assert pull(tmp_path, proxy)[-1] == {"error": f'pull model manifest: Get "{url}": {UNTRUSTED}'}
