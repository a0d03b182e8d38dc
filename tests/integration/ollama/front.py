# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A reverse proxy before an Ollama server, which may speak TLS and at which a chosen request may never arrive."""

from __future__ import annotations

import contextlib
import pathlib
import re
import socket
import socketserver
import ssl
import threading
import typing as t
from urllib.parse import urlsplit

from serving import serving


class Front(socketserver.ThreadingTCPServer):
    """:arg url: of the server
    :arg certificate: a PEM file with key and certificate
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, url: str, certificate: pathlib.Path | None = None) -> None:
        self.netloc = urlsplit(url).netloc
        self.heads: list[str] = []
        self.barred = ""
        self.instead: t.Callable[[], object] = lambda: None
        super().__init__(("127.0.0.1", 0), FrontHandler)
        self.port = self.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            # The handshake is left to the thread of the connection.
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def block(self, request: str, instead: t.Callable[[], object]) -> None:
        """Do something else instead of passing on a request such as ``POST /api/copy``."""
        self.barred, self.instead = request, instead

    @contextlib.contextmanager
    def running(self) -> t.Iterator[Front]:
        with serving(self):
            yield self


class FrontHandler(socketserver.StreamRequestHandler):
    """The modules send one request on each connection."""

    server: Front

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            head = "".join(line.decode() for line in iter(self.rfile.readline, b"\r\n") if line)
            self.server.heads.append(head)
            if self.server.barred and head.startswith(self.server.barred):
                self.server.instead()
                return
            # A server on loopback refuses foreign host names, and a proxy may be asked with the whole URL.
            head = re.sub(r"(?m)^Host: .*\r$", f"Host: {self.server.netloc}\r", head)
            head = re.sub(r"^(\w+) http://[^/ ]+", r"\1 ", head)
            address, _colon, port = self.server.netloc.rpartition(":")
            with socket.create_connection((address, int(port))) as onward:
                onward.sendall(f"{head}\r\n".encode())
                threading.Thread(target=self._upload, args=(onward,), daemon=True).start()
                for data in iter(lambda: onward.recv(65536), b""):
                    self.wfile.write(data)

    def _upload(self, onward: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            for data in iter(lambda: self.rfile.read1(65536), b""):
                onward.sendall(data)
            # The client has left: a server ends a pull then.
            onward.shutdown(socket.SHUT_RDWR)
