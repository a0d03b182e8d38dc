# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An Open WebUI as the people see it who use it."""

from __future__ import annotations

import json
import time
import typing as t
import urllib.error
import urllib.request

READY_SECONDS = 300


class Person(t.NamedTuple):
    name: str
    email: str
    password: str


class Server:
    """:arg url: where people reach it"""

    def __init__(self, url: str) -> None:
        self.url = url
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def call(self, method: str, path: str, body: t.Any = None, token: str = "") -> tuple[int, t.Any]:
        """Status and decoded answer of a request."""
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with self._opener.open(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as exc:
            return exc.code, exc.read().decode()

    def wait(self) -> None:
        """Until the server is ready."""
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                assert self.call("GET", "/ready")[0] == 200
                return
            except (OSError, ValueError, AssertionError):
                assert time.monotonic() < deadline, f"{self.url} was not ready within {READY_SECONDS} seconds"
                time.sleep(0.3)

    def sign_up(self, person: Person) -> tuple[int, t.Any]:
        return self.call("POST", "/api/v1/auths/signup", person._asdict())

    def sign_in(self, person: Person) -> tuple[int, t.Any]:
        return self.call("POST", "/api/v1/auths/signin", {"email": person.email, "password": person.password})

    def token(self, person: Person) -> str:
        status, answer = self.sign_in(person)
        assert status == 200, answer
        return answer["token"]

    def write_chat(self, token: str, title: str) -> None:
        message = {"id": "1", "role": "user", "content": f"Tell me about {title}."}
        chat = {"title": title, "history": {"messages": {"1": message}, "currentId": "1"}, "messages": [message]}
        status, answer = self.call("POST", "/api/v1/chats/new", {"chat": chat}, token)
        assert status == 200, answer

    def chats(self, token: str) -> dict[str, str]:
        """The first message of each of a person's chats, by their titles."""
        status, listed = self.call("GET", "/api/v1/chats/", token=token)
        assert status == 200, listed
        chats = [self.call("GET", f"/api/v1/chats/{row['id']}", token=token)[1] for row in listed]
        return {chat["title"]: chat["chat"]["messages"][0]["content"] for chat in chats}
