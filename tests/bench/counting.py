# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server in front of an Ollama server that notes what it is asked for."""

from __future__ import annotations

import contextlib
import typing as t
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ollama_client import Server
from serving import serving


class Counting(ThreadingHTTPServer):
    """:arg target: gets every request, and its answer goes back whole"""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, target: Server) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.target = target
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.requests: Counter[str] = Counter()
        """How often which method with which path; a digest in a path is left out."""


class Handler(BaseHTTPRequestHandler):
    server: Counting

    def answer(self) -> None:
        self.server.requests[f"{self.command} {self.path.partition('sha256:')[0]}"] += 1
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = self.server.target.call(self.command, self.path, body or None)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers.get("content-type", ""))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.text.encode())

    do_GET = do_HEAD = do_POST = do_DELETE = answer

    def log_message(self, *_arguments: t.Any) -> None:
        """Requests are counted, not printed."""


@contextlib.contextmanager
def counting(target: Server) -> t.Iterator[Counting]:
    with serving(Counting(target)) as server:
        yield server
