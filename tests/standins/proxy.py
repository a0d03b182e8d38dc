# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A proxy that leads to the stand-in registry, which then stands for a public host such as registry.ollama.ai."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
import socket
import socketserver
import subprocess
import threading
import typing as t

from serving import serving


class Proxy(socketserver.ThreadingTCPServer):
    """Leads every CONNECT to one port of loopback. ``asked`` holds the first lines of the requests."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int) -> None:
        self.port = port
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), ProxyHandler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    @contextlib.contextmanager
    def running(self) -> t.Iterator[Proxy]:
        """Serve in a thread."""
        with serving(self):
            yield self


class ProxyHandler(socketserver.StreamRequestHandler):
    server: Proxy

    def handle(self) -> None:
        self.server.asked.append(self.rfile.readline().decode().rpartition(" ")[0])
        while self.rfile.readline().strip():
            pass
        with socket.create_connection(("127.0.0.1", self.server.port)) as onward:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pump, args=(onward, self.connection))
            back.start()
            _pump(self.connection, onward)
            back.join()


def make_certificate(folder: pathlib.Path, *hosts: str) -> tuple[pathlib.Path, pathlib.Path] | None:
    """A self-signed certificate, its own authority: (certificate, certificate with key), None without openssl."""
    openssl = shutil.which("openssl")
    if not openssl:
        return None
    key, certificate, both = (folder / name for name in ("key.pem", "certificate.pem", "both.pem"))
    request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={hosts[0]}"]
    names = ["-addext", "subjectAltName=" + ",".join(f"DNS:{host}" for host in hosts)]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([openssl, *request, *files, *names], check=True, capture_output=True, timeout=60)
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    return certificate, both


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        for data in iter(lambda: source.recv(65536), b""):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        # The other side has left: this direction is over as well.
        source.close()
