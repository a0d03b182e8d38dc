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
import uuid

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
        data = None if body is None else json.dumps(body).encode()
        return self._send(
            urllib.request.Request(self.url + path, data, _headers(token, "application/json"), method=method)
        )

    def _send(self, request: urllib.request.Request) -> tuple[int, t.Any]:
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

    def upload(self, token: str, name: str, content: str, process: bool = True) -> tuple[int, t.Any]:
        """:arg process: find its passages at once, which wants an embedding model"""
        border = uuid.uuid4().hex
        head = f'Content-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: text/plain'
        data = f"--{border}\r\n{head}\r\n\r\n{content}\r\n--{border}--\r\n".encode()
        query = "process=true&process_in_background=false" if process else "process=false"
        headers = _headers(token, f"multipart/form-data; boundary={border}")
        return self._send(urllib.request.Request(f"{self.url}/api/v1/files/?{query}", data, headers))

    def download(self, token: str, file: str) -> str:
        """The content of an uploaded file, or the words of a refusal."""
        request = urllib.request.Request(f"{self.url}/api/v1/files/{file}/content", headers=_headers(token))
        try:
            with self._opener.open(request, timeout=60) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as exc:
            return f"{exc.code} {exc.read().decode()}"

    def embed_with(self, token: str, model: str) -> None:
        """Find passages by an embedding model of the first Ollama server."""
        url = self.call("GET", "/ollama/config", token=token)[1]["OLLAMA_BASE_URLS"][0]
        body = {
            "RAG_EMBEDDING_ENGINE": "ollama",
            "RAG_EMBEDDING_MODEL": model,
            "ollama_config": {"url": url, "key": ""},
        }
        status, answer = self.call("POST", "/api/v1/retrieval/embedding/update", body, token)
        assert status == 200, answer

    def collect(self, token: str, name: str, texts: t.Iterable[str]) -> str:
        """Make a collection of knowledge from texts, and return its identifier."""
        status, made = self.call("POST", "/api/v1/knowledge/create", {"name": name, "description": name}, token)
        assert status == 200, made
        for number, text in enumerate(texts):
            status, file = self.upload(token, f"{name}-{number}.txt", text)
            assert status == 200, file
            status, answer = self.call(
                "POST", f"/api/v1/knowledge/{made['id']}/file/add", {"file_id": file["id"]}, token
            )
            assert status == 200, answer
        return made["id"]

    def find(self, token: str, collection: str, question: str) -> list[str]:
        """The passages of a collection that are nearest to a question, the best first."""
        body = {"collection_names": [collection], "query": question, "k": 3}
        status, answer = self.call("POST", "/api/v1/retrieval/query/collection", body, token)
        assert status == 200, answer
        return answer["documents"][0]

    def chats(self, token: str) -> dict[str, str]:
        """The first message of each of a person's chats, by their titles."""
        status, listed = self.call("GET", "/api/v1/chats/", token=token)
        assert status == 200, listed
        chats = [self.call("GET", f"/api/v1/chats/{row['id']}", token=token)[1] for row in listed]
        return {chat["title"]: chat["chat"]["messages"][0]["content"] for chat in chats}


def _headers(token: str, content_type: str | None = None) -> dict[str, str]:
    authorization = {"Authorization": f"Bearer {token}"} if token else {}
    return {**authorization, **({"Content-Type": content_type} if content_type else {})}
