# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How tests talk to an Ollama server: plain requests, streams that can be cut, polling with a deadline."""

from __future__ import annotations

import contextlib
import http.client
import json
import pathlib
import socket
import time
import typing as t
from urllib.parse import urlsplit

TIMEOUT = 30
LONGEST_STREAM = 120


class Answer(t.NamedTuple):
    status: int
    headers: dict[str, str]
    text: str

    def json(self) -> t.Any:
        return json.loads(self.text)

    @property
    def error(self) -> tuple[int, t.Any]:
        """Status and message of a refusal."""
        return self.status, self.json().get("error")

    @property
    def lines(self) -> list[dict[str, t.Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


class Stream:
    """An answer that is read line by line and may be left before its end."""

    def __init__(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        self.socket = connection.sock
        self.response = response
        self.deadline = time.monotonic() + LONGEST_STREAM

    def lines(self) -> t.Iterator[dict[str, t.Any]]:
        while True:
            line = self.response.readline()
            if not line:
                return
            # A server may send lines of no progress for ever.
            assert time.monotonic() < self.deadline, f"no end after {LONGEST_STREAM} s: {line!r}"
            yield json.loads(line)

    def arrive(self, completed: int) -> None:
        """Read until so many bytes of a pull are there."""
        next(line for line in self.lines() if line.get("completed", 0) >= completed)

    def leave(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.response.close()
        self.socket.close()


class Server:
    """A server under test.

    :arg store: its directory of models, when it is one that this run started
    :arg command: the program that started it
    :arg standin: whether it is the stand-in
    """

    def __init__(
        self, url: str, store: pathlib.Path | None = None, command: list[str] | None = None, standin: bool = False
    ) -> None:
        self.url = url
        self.store = store
        self.command = command
        self.standin = standin

    def call(
        self,
        method: str,
        path: str,
        body: t.Any = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """:arg body: text and bytes are sent as they are, an iterator in chunks, everything else as JSON"""
        connection = self.connection()
        try:
            connection.request(method, path, _encoded(body), headers or {})
            response = connection.getresponse()
            sent = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, sent, response.read().decode())
        finally:
            connection.close()

    def stream(self, path: str, body: t.Any) -> Stream:
        connection = self.connection()
        connection.request("POST", path, _encoded(body))
        return Stream(connection, connection.getresponse())

    def begin_pull(self, name: str) -> Stream:
        return self.stream("/api/pull", {"model": name, "insecure": True})

    def pull(self, name: str, **fields: t.Any) -> Answer:
        return self.call("POST", "/api/pull", {"model": name, "insecure": True, **fields})

    def tags(self) -> dict[str, dict[str, t.Any]]:
        return {item["name"]: item for item in self.call("GET", "/api/tags").json()["models"]}

    def running(self) -> dict[str, dict[str, t.Any]]:
        return {item["name"]: item for item in self.call("GET", "/api/ps").json()["models"]}

    def stored(self, *parts: str) -> pathlib.Path:
        assert self.store, "only for a server that this run started"
        return self.store.joinpath(*parts)

    def blob(self, digest: str) -> pathlib.Path:
        return self.stored("blobs", digest.replace(":", "-"))

    def connection(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        return kind(parts.netloc, timeout=TIMEOUT)


def _encoded(body: t.Any) -> t.Any:
    if body is None or isinstance(body, (str, bytes, t.Iterator)):
        return body
    return json.dumps(body)


def wait_until(condition: t.Callable[[], t.Any], what: str, seconds: float = 60) -> t.Any:
    """Poll until the condition holds and give its value back."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.01)
