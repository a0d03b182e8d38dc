# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in model registry: serves manifests and blobs of a directory, filled with tiny models at the start.

python registry.py --host 127.0.0.1 --port 5000 --root /tmp/registry
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import hashlib
import math
import pathlib
import re
import select
import socket
import socketserver
import ssl
import sys
import tempfile
import time
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from faults import GET, HEAD, MANIFEST, RANGE, Fault, Faults
from serving import serving
from tiny_models import DEFAULT_MODELS, write_model

MANIFEST_PATH = re.compile(r"/v2/([\w-]+/[\w.-]+)/manifests/([\w.-]+)")
BLOB_PATH = re.compile(r"/v2/[\w-]+/[\w.-]+/blobs/sha256:([0-9a-f]{64})")
# What waits in the socket counts as sent; a small buffer keeps the count near to what arrived.
SEND_BUFFER = 256 * 1024
PACE_SECONDS = 0.02


@dataclasses.dataclass
class Request:
    """What came in and what went out.

    :arg path: with scheme and host when the registry was used as a proxy
    :arg byte_range: the header without its unit, such as ``0-99``
    :arg sent: bytes of the body that really went out
    """

    method: str
    path: str
    status: int
    byte_range: str
    sent: int = 0


class ModelRegistry(ThreadingHTTPServer):
    """:arg root: holds ``manifests/<namespace>/<model>/<tag>`` and ``blobs/sha256-<hex>``
    :arg certificate: a PEM file with key and certificate, to speak TLS
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], root: pathlib.Path, certificate: pathlib.Path | None = None) -> None:
        self.root = root
        self.latency = 0.0
        self.requests: list[Request] = []
        self.faults = Faults()
        super().__init__(address, RequestHandler)
        self.netloc = f"{address[0]}:{self.server_address[1]}"
        self.scheme = "https" if certificate else "http"
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            # The handshake is left to the thread of the connection.
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def fault(self, path: str = "", *kinds: str, **what: t.Any) -> Fault:
        """Let something go wrong: ``registry.fault(digest, RANGE, stall_after=1000, times=1)``; see Fault.

        It lasts until its ``end()``, ``registry.faults.clear()`` or the end of a ``with`` block.
        """
        fault = Fault(path, kinds, **what) if kinds else Fault(path, **what)
        self.faults.add(fault)
        return fault

    def sent(self, path: str = "") -> int:
        """Bytes of all bodies that went out for requests whose path contains this."""
        return sum(request.sent for request in list(self.requests) if path in request.path)

    @contextlib.contextmanager
    def running(self) -> t.Iterator[ModelRegistry]:
        """Serve in a thread."""
        with serving(self):
            try:
                yield self
            finally:
                self.faults.clear()

    def server_bind(self) -> None:
        # HTTPServer asks the DNS for a name that nothing here uses.
        socketserver.TCPServer.server_bind(self)

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        # A client that does not trust the certificate, or speaks no TLS, ends the connection in its own way.
        if not isinstance(sys.exc_info()[1], (ConnectionError, ssl.SSLError)):
            super().handle_error(request, client_address)


class RequestHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: ModelRegistry
    fault: Fault
    request_record: Request

    def answer(self) -> None:
        asked = urlsplit(self.path).path
        manifest, blob = MANIFEST_PATH.fullmatch(asked), BLOB_PATH.fullmatch(asked)
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        kind = MANIFEST if manifest else HEAD if self.command == "HEAD" else RANGE if wanted else GET
        self.fault = self.server.faults.take(kind, asked)
        time.sleep(self.server.latency + self.fault.latency)
        if self.fault.drops:
            self.close_connection = True
            return
        path = self.server.root
        if manifest:
            path = path.joinpath("manifests", *manifest.groups())
        elif blob:
            path = path / "blobs" / f"sha256-{blob.group(1)}"
        try:
            if self.fault.status:
                self._whole(self.fault.status, self.fault.body, self.fault.headers)
            elif not path.is_file():
                self._whole(404, b"", {})
            elif manifest:
                self._manifest(path.read_bytes())
            elif self.fault.redirect and kind == GET:
                port = self.server.server_address[1]
                self._whole(307, b"", {"Location": f"{self.server.scheme}://{self.fault.redirect}:{port}{asked}"})
            else:
                self._blob(path, wanted if not self.fault.ignores_range else None)
        except (ConnectionError, ssl.SSLError):
            # The server ends its first request for a blob when it has seen the headers.
            self.close_connection = True

    do_GET = do_HEAD = answer

    def log_message(self, *_arguments: t.Any) -> None:
        """Requests are counted, not printed."""

    def _manifest(self, raw: bytes) -> None:
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        if self.command == "HEAD":
            headers["ollama-content-digest"] = hashlib.sha256(raw).hexdigest()
        self._whole(200, raw, headers)

    def _whole(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self._start(status, len(body), headers)
        if self.command == "GET":
            self.wfile.write(body)
            self.request_record.sent = len(body)

    def _blob(self, path: pathlib.Path, wanted: re.Match[str] | None) -> None:
        size = path.stat().st_size
        first, end = 0, size
        # Without Location the server refuses a blob that is answered with 200.
        headers = {"Content-Type": "application/octet-stream", "Location": self.path}
        if self.fault.no_location:
            del headers["Location"]
        if wanted:
            first, end = int(wanted.group(1)), min(int(wanted.group(2) or size) + 1, size)
            headers["Content-Range"] = f"bytes {first}-{end - 1}/{size}"
        self._start(206 if wanted else 200, end - first, headers)
        if self.command == "GET":
            with path.open("rb") as stream:
                self._send(stream, first, end)

    def _send(self, stream: t.BinaryIO, first: int, end: int) -> None:
        fault = self.fault
        if fault.cut_after is not None and first + fault.cut_after < end:
            end = first + fault.cut_after
            self.close_connection = True
        if fault.stall_after is not None and first + fault.stall_after < end:
            self._pass(stream, first, first + fault.stall_after)
            fault.ended.wait()
            first += fault.stall_after
            self._check_client()
        self._pass(stream, first, end)

    def _check_client(self) -> None:
        """What is sent to a client that left during a stall would count as sent.

        :raises ConnectionError: when it has left
        """
        if isinstance(self.connection, ssl.SSLSocket):
            return
        readable, _writable, _failed = select.select([self.connection], [], [], 0)
        if readable and not self.connection.recv(1, socket.MSG_PEEK):
            raise ConnectionError("the client has left")

    def _pass(self, stream: t.BinaryIO, first: int, end: int) -> None:
        """Let the kernel copy the bytes, so that the registry does not slow down what is measured."""
        rate = self.fault.rate
        step = end - first if rate == math.inf else max(int(rate * PACE_SECONDS), 1)
        while first < end:
            until = min(first + step, end)
            stream.seek(first)
            try:
                self.connection.sendfile(stream, first, until - first)
            finally:
                self.request_record.sent += stream.tell() - first
            first = until
            time.sleep(step / rate)

    def _start(self, status: int, length: int, headers: dict[str, str]) -> None:
        byte_range = self.headers.get("Range", "").partition("=")[2]
        self.request_record = Request(self.command, self.path, status, byte_range)
        self.server.requests.append(self.request_record)
        self.send_response(status)
        length_header = {"Connection": "close"} if self.fault.no_length else {"Content-Length": str(length)}
        for name, value in {**headers, **length_header}.items():
            self.send_header(name, value)
        self.end_headers()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5000, help="0 takes a free one")
    parser.add_argument("--root", type=pathlib.Path, help="default: a new temporary directory")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--certificate", type=pathlib.Path, help="PEM file with key and certificate, to speak TLS")
    arguments = parser.parse_args()
    root = arguments.root or pathlib.Path(tempfile.mkdtemp(prefix="model-registry-"))
    for model in DEFAULT_MODELS:
        write_model(root, model)
    registry = ModelRegistry((arguments.host, arguments.port), root, arguments.certificate)
    registry.latency = arguments.latency
    print(f"serving {root} at {registry.netloc}", flush=True)
    registry.serve_forever()


if __name__ == "__main__":
    main()
