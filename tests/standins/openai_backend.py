# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service with the OpenAI API, as little of it as Open WebUI needs: a list of models, chats, and a key for both."""

from __future__ import annotations

import argparse
import contextlib
import json
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from serving import serving


class Asked(t.NamedTuple):
    """A request that came in. Header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: t.Any


class OpenAiBackend(ThreadingHTTPServer):
    """Serves below any path that ends as the API's paths do, and remembers what came in (``asked``).

    :arg address: host and port
    :arg key: the Bearer token or ``api-key`` that it wants; empty: it wants none
    :arg models: their ids
    """

    daemon_threads = True

    def __init__(self, address: tuple[str, int], key: str, models: list[str]) -> None:
        self.key = key
        self.models = models
        self.asked: list[Asked] = []
        super().__init__(address, _Handler)

    @property
    def url(self) -> str:
        """The base URL as a user of the API would write it."""
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}/v1"

    @contextlib.contextmanager
    def running(self) -> t.Iterator[OpenAiBackend]:
        """Serve in a thread."""
        with serving(self):
            yield self


class _Handler(BaseHTTPRequestHandler):
    server: OpenAiBackend

    def log_message(self, format: str, *args: t.Any) -> None:
        """Keep the test's output free of access lines."""

    def do_GET(self) -> None:
        self._note(None)
        if self._has_key():
            if self._path().endswith("/models"):
                models = [{"id": name, "object": "model", "owned_by": "stand-in"} for name in self.server.models]
                self._send(200, {"object": "list", "data": models})
            else:
                self._send(404, {"detail": "Not Found"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._note(body)
        if self._has_key():
            # In Azure's form of the API the model stands in the path alone.
            body.setdefault("model", self._path().partition("/deployments/")[2].partition("/")[0])
            text = f"This is {body['model']}, which has nothing to say."
            if self._path().endswith("/chat/completions"):
                self._chat(body, text)
            elif self._path().endswith("/responses"):
                content = [{"type": "output_text", "text": text}]
                output = [{"type": "message", "role": "assistant", "content": content}]
                self._send(200, {"id": "1", "object": "response", "model": body["model"], "output": output})
            else:
                self._send(404, {"detail": "Not Found"})

    def _path(self) -> str:
        return self.path.partition("?")[0]

    def _note(self, body: t.Any) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append(Asked(self.command, self.path, headers, body))

    def _has_key(self) -> bool:
        """Whether it came with the key. The refusal repeats what came, as some services do."""
        came = self.headers.get("api-key") or self.headers.get("Authorization", "").removeprefix("Bearer ")
        if came == self.server.key or not self.server.key:
            return True
        message = f"Incorrect API key provided: {came}."
        self._send(401, {"error": {"message": message, "type": "invalid_request_error", "code": "invalid_api_key"}})
        return False

    def _chat(self, body: dict[str, t.Any], text: str) -> None:
        head = {"id": "1", "created": 0, "model": body["model"]}
        if not body.get("stream"):
            choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            self._send(200, {**head, "object": "chat.completion", "choices": [choice]})
            return
        chunks = [{"delta": {"role": "assistant", "content": text}}, {"delta": {}, "finish_reason": "stop"}]
        events = [{**head, "object": "chat.completion.chunk", "choices": [{"index": 0, **each}]} for each in chunks]
        lines = [*(json.dumps(event) for event in events), "[DONE]"]
        self._reply(200, "text/event-stream", "".join(f"data: {line}\n\n" for line in lines))

    def _send(self, status: int, body: t.Any) -> None:
        self._reply(status, "application/json", json.dumps(body))

    def _reply(self, status: int, media: str, text: str) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", media)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--key", default="", help="the key that it wants")
    parser.add_argument("models", nargs="+", help="ids of models")
    options = parser.parse_args()
    OpenAiBackend((options.host, options.port), options.key, options.models).serve_forever()


if __name__ == "__main__":
    main()
