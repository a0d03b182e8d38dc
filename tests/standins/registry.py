# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in model registry: serves manifests and blobs of a directory, filled with tiny models at the start.

python registry.py --host 127.0.0.1 --port 5000 --root /tmp/registry
"""

from __future__ import annotations

import argparse
import hashlib
import pathlib
import re
import socketserver
import sys
import tempfile
import threading
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tiny_models import DEFAULT_MODELS, write_model

MANIFEST_PATH = re.compile(r"/v2/([\w-]+/[\w.-]+)/manifests/([\w.-]+)")
BLOB_PATH = re.compile(r"/v2/[\w-]+/[\w.-]+/blobs/sha256:([0-9a-f]{64})")
CHUNK = 64 * 1024


class Request(t.NamedTuple):
    """What came in. ``byte_range`` is the header without its unit, such as ``0-99``."""

    method: str
    path: str
    status: int
    byte_range: str


class Hold:
    """Stops a blob after its first ``limit`` bytes until it is released."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.released = threading.Event()


class ModelRegistry(ThreadingHTTPServer):
    """:arg root: holds ``manifests/<namespace>/<model>/<tag>`` and ``blobs/sha256-<hex>``"""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], root: pathlib.Path) -> None:
        self.root = root
        self.requests: list[Request] = []
        self.held: dict[str, Hold] = {}
        super().__init__(address, RequestHandler)
        self.netloc = f"{address[0]}:{self.server_address[1]}"

    def server_bind(self) -> None:
        # HTTPServer asks the DNS for a name that nothing here uses.
        socketserver.TCPServer.server_bind(self)

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class RequestHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: ModelRegistry

    def answer(self) -> None:
        manifest, blob = MANIFEST_PATH.fullmatch(self.path), BLOB_PATH.fullmatch(self.path)
        path = self.server.root
        if manifest:
            path = path.joinpath("manifests", *manifest.groups())
        elif blob:
            path = path / "blobs" / f"sha256-{blob.group(1)}"
        try:
            if not path.is_file():
                self._start(404, 0, {})
            elif manifest:
                self._manifest(path.read_bytes())
            else:
                self._blob(path)
        except ConnectionError:
            # The server ends its first request for a blob when it has seen the headers.
            self.close_connection = True

    do_GET = do_HEAD = answer

    def log_message(self, *_arguments: t.Any) -> None:
        """Requests are counted, not printed."""

    def _manifest(self, raw: bytes) -> None:
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        if self.command == "HEAD":
            headers["ollama-content-digest"] = hashlib.sha256(raw).hexdigest()
        self._start(200, len(raw), headers)
        if self.command == "GET":
            self.wfile.write(raw)

    def _blob(self, path: pathlib.Path) -> None:
        size = path.stat().st_size
        first, last = 0, size - 1
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted:
            first, last = int(wanted.group(1)), min(int(wanted.group(2) or last), last)
        # Without Location the server refuses a blob that is answered with 200.
        headers = {"Content-Type": "application/octet-stream", "Location": self.path}
        if wanted:
            headers["Content-Range"] = f"bytes {first}-{last}/{size}"
        self._start(206 if wanted else 200, last - first + 1, headers)
        if self.command == "GET":
            self._send(path, first, last + 1, self.server.held.get(path.name) if wanted else None)

    def _send(self, path: pathlib.Path, first: int, end: int, hold: Hold | None) -> None:
        with path.open("rb") as stream:
            stream.seek(first)
            while first < end:
                if hold and first >= hold.limit:
                    hold.released.wait()
                    hold = None
                stop = min(end, hold.limit) if hold else end
                data = stream.read(min(CHUNK, stop - first))
                self.wfile.write(data)
                first += len(data)

    def _start(self, status: int, length: int, headers: dict[str, str]) -> None:
        byte_range = self.headers.get("Range", "").partition("=")[2]
        self.server.requests.append(Request(self.command, self.path, status, byte_range))
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(length)}.items():
            self.send_header(name, value)
        self.end_headers()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5000, help="0 takes a free one")
    parser.add_argument("--root", type=pathlib.Path, help="default: a new temporary directory")
    arguments = parser.parse_args()
    root = arguments.root or pathlib.Path(tempfile.mkdtemp(prefix="model-registry-"))
    for model in DEFAULT_MODELS:
        write_model(root, model)
    registry = ModelRegistry((arguments.host, arguments.port), root)
    print(f"serving {root} at {registry.netloc}", flush=True)
    registry.serve_forever()


if __name__ == "__main__":
    main()
