# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP: routes, the check of the Host header, answers with a length or in chunks."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import pathlib
import re
import select
import socket
import socketserver
import sys
import time
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from .api import ModelApi
from .binding import duration_seconds
from .body import Body
from .downloads import Downloads
from .inference_api import InferenceApi
from .listing import Listing
from .openai_api import OpenAiApi
from .pull import Puller
from .reply import JSON_OF_STREAM, ApiError, Lines, Reply, error_reply, json_reply
from .runners import Runners
from .store import Store, StoreError

DEFAULT_CONTEXT_LENGTH = 4096
LOCAL_DOMAINS = (".localhost", ".local", ".internal")

Handler = t.Callable[..., Reply]


class OllamaServer(ThreadingHTTPServer):
    """:arg address: (host, port); port 0 takes a free one"""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], models: pathlib.Path, version: str) -> None:
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        self.store = Store(models)
        self.prune = _setting("OLLAMA_NOPRUNE", "").lower() not in ("1", "true")
        if self.prune:
            self.store.prune_at_start()
        self.listing = Listing(self.store)
        self.downloads = Downloads()
        self.routes = self._routes(version)
        super().__init__(address, RequestHandler)
        self.only_local = ipaddress.ip_address(str(self.server_address[0])).is_loopback

    def server_bind(self) -> None:
        # HTTPServer asks the DNS for a name that nothing here uses.
        socketserver.TCPServer.server_bind(self)

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def find_route(self, path: str) -> tuple[dict[str, Handler] | None, list[t.Any]]:
        """A route that ends in a slash takes the part of the path that follows as an argument."""
        parent, _slash, last = path.rpartition("/")
        if parent and (not last or path not in self.routes):
            return (self.routes.get(f"{parent}/"), [last]) if last else (None, [])
        return self.routes.get(path), []

    def _routes(self, version: str) -> dict[str, dict[str, Handler]]:
        keep_alive = _setting("OLLAMA_KEEP_ALIVE", "5m")
        context_length = int(_setting("OLLAMA_CONTEXT_LENGTH", "0")) or DEFAULT_CONTEXT_LENGTH
        api = ModelApi(self.listing, Puller(self.listing, self.downloads, version, self.prune), version)
        seconds = float(keep_alive) if re.fullmatch(r"-?\d+", keep_alive) else duration_seconds(keep_alive)
        inference = InferenceApi(self.store, Runners(seconds, context_length))
        openai = OpenAiApi(self.listing, inference)
        return {
            "/": {"HEAD": api.root, "GET": api.root},
            "/api/version": {"HEAD": api.version, "GET": api.version},
            "/api/status": {"GET": api.status},
            "/api/tags": {"HEAD": api.tags, "GET": api.tags},
            "/api/show": {"POST": api.show},
            "/api/pull": {"POST": api.pull},
            "/api/create": {"POST": api.create},
            "/api/delete": {"DELETE": api.delete},
            "/api/copy": {"POST": api.copy},
            "/api/blobs/": {"HEAD": api.head_blob, "POST": api.post_blob},
            "/api/ps": {"GET": inference.running},
            "/api/chat": {"POST": inference.chat},
            "/api/generate": {"POST": inference.generate},
            "/api/embed": {"POST": inference.embed},
            "/v1/models": {"GET": openai.models},
            "/v1/models/": {"GET": openai.model},
            "/v1/chat/completions": {"POST": openai.chat_completions},
        }


class RequestHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: OllamaServer
    sent_status = 0
    allow = ""

    def answer(self) -> None:
        started = time.monotonic()
        body = Body(self.rfile, self.headers)
        path = unquote(urlsplit(self.path).path)
        try:
            self._send(self._reply(path, body))
            if not body.drain():
                self.close_connection = True
        except ConnectionError:
            self.close_connection = True
        seconds = time.monotonic() - started
        stamp = time.strftime("%Y/%m/%d - %H:%M:%S")
        client = self.client_address[0]
        print(
            f'[GIN] {stamp} | {self.sent_status} | {seconds:12.6f}s | {client:>15} | {self.command:<7} "{path}"',
            flush=True,
        )

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

    def _reply(self, path: str, body: Body) -> Reply:
        if self.server.only_local and not _is_local(self.headers.get("Host", "")):
            return Reply(403)
        handlers, arguments = self.server.find_route(path)
        if handlers is None:
            return Reply(404, b"404 page not found", "text/plain")
        if self.command not in handlers:
            self.allow = ", ".join(handlers)
            return Reply(405, b"405 method not allowed", "text/plain")
        if self.command in ("POST", "DELETE"):
            arguments.append(body.chunks() if arguments else body.read())
        return _handled(handlers[self.command], arguments)

    def _send(self, reply: Reply) -> None:
        if reply.pending is not None:
            reply = self._awaited(reply.pending)
        self.sent_status = reply.status
        self.send_response_only(reply.status)
        self.send_header("Date", self.date_time_string())
        if reply.status == 405:
            self.send_header("Allow", self.allow)
        if reply.content_type:
            self.send_header("Content-Type", reply.content_type)
        if reply.parts is None:
            if reply.body or self.command != "HEAD":
                self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body)
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        # A client that leaves ends the generator, and with it a pull that nobody else waits for.
        with contextlib.closing(reply.parts) as parts:
            for part in parts:
                if part:
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
                else:
                    self._check_client()
        self.wfile.write(b"0\r\n\r\n")

    def _awaited(self, lines: Lines) -> Reply:
        last = {}
        with contextlib.closing(lines):
            try:
                for line in lines:
                    last = line or last
                    if not line:
                        self._check_client()
            except ApiError as exc:
                return json_reply(exc.line, exc.status, JSON_OF_STREAM)
        return json_reply(last, content_type=JSON_OF_STREAM)

    def _check_client(self) -> None:
        """:raises ConnectionError: when the client has left"""
        readable, _writable, _failed = select.select([self.connection], [], [], 0)
        if readable and not self.connection.recv(1, socket.MSG_PEEK):
            raise ConnectionError("the client has left")


def _handled(handler: Handler, arguments: list[t.Any]) -> Reply:
    try:
        return handler(*arguments)
    except ApiError as exc:
        return error_reply(exc.status, exc.message)
    except StoreError as exc:
        return error_reply(500, str(exc))
    except ValueError as exc:
        return error_reply(400, str(exc))


def _setting(name: str, default: str) -> str:
    return os.environ.get(name, "").strip() or default


def _is_local(header: str) -> bool:
    """The server bound to loopback answers requests for names and addresses of the local network only."""
    host = (urlsplit(f"//{header}").hostname or "").lower()
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(host)
        return address.is_loopback or address.is_private or address.is_unspecified
    return host in ("", "localhost", socket.gethostname().lower()) or host.endswith(LOCAL_DOMAINS)
