# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""The REST interface of an Ollama server: one function per call, errors as :class:`ServiceError`."""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._http import (
    EXCERPT,
    ApiError,
    HttpClient,
    Lines,
    Response,
)
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.names import parse_listed


class OllamaClient:
    """Talks to one server. Knows paths and answers, and decides nothing."""

    def __init__(self, http: HttpClient) -> None:
        self.http = http

    def version(self) -> str:
        """The version of the server."""
        return self._field("/api/version", "version")

    def models(self) -> list[dict[str, t.Any]]:
        """The models in the store, in no particular order: within a second of ``modified_at`` it is random."""
        return self._models("/api/tags")

    def running(self) -> list[dict[str, t.Any]]:
        """The models in memory. One whose store has changed since is listed with the digest that it was loaded with."""
        return self._models("/api/ps")

    def show(self, name: str) -> dict[str, t.Any] | None:
        """What a model is made of. None when there is none of this name, or its weights are gone."""
        response = self.http.request("POST", "/api/show", {"model": name})
        if response.status == 404:
            return None
        if response.status != 200:
            raise self._refusal("POST", response, DAMAGED if response.status == 500 else "")
        try:
            shown = _filled(response.json(), SHOWN)
            shown["details"] = _filled(shown["details"], DETAILS)
            shown["messages"] = [_filled(message, MESSAGE) for message in shown["messages"]]
        except ValueError as exc:
            raise self._senseless(response.url, name) from exc
        return shown

    def has_blob(self, digest: str) -> bool:
        """Whether the store holds a file of this digest; it may be a truncated one."""
        response = self.http.request("HEAD", f"/api/blobs/{digest}")
        if response.status == 404:
            return False
        self._check("HEAD", response)
        return True

    def upload_blob(self, digest: str, path: str) -> None:
        """Send a file; the server compares its digest."""
        self._check("POST", self.http.upload(f"/api/blobs/{digest}", path), 200, 201)

    def copy(self, source: str, destination: str) -> None:
        """Give a model another name; whatever had it before is gone, and its files stay until the server restarts."""
        self._check("POST", self.http.request("POST", "/api/copy", {"source": source, "destination": destination}))

    def unload(self, name: str) -> bool:
        """End the runner of a model when its answers are complete. Returns False when there is no such model."""
        response = self.http.request("POST", "/api/generate", {"model": name, "keep_alive": 0, "stream": False})
        if response.status == 404:
            return False
        self._check("POST", response)
        return True

    def delete(self, name: str) -> bool:
        """Remove a model. Returns False when there is none of this name."""
        response = self.http.request("DELETE", "/api/delete", {"model": name})
        if response.status == 404:
            return False
        self._check("DELETE", response)
        return True

    @contextlib.contextmanager
    def pull(self, name: str, insecure: bool, timeout: float) -> t.Iterator[Lines]:
        """The progress lines of a pull. Leaving the context ends the pull; the server keeps what it has.

        :arg insecure: plain HTTP to the registry
        :arg timeout: seconds of silence
        """
        with self._stream("/api/pull", {"model": name, "insecure": insecure, "stream": True}, timeout) as lines:
            yield lines

    @contextlib.contextmanager
    def create(self, body: dict[str, t.Any], timeout: float) -> t.Iterator[Lines]:
        """The progress lines of a creation. An error before the first of them has a status and is raised.

        :arg timeout: seconds of silence
        """
        with self._stream("/api/create", {**body, "stream": True}, timeout) as lines:
            yield lines

    @contextlib.contextmanager
    def _stream(self, path: str, body: dict[str, t.Any], timeout: float) -> t.Iterator[Lines]:
        with self.http.stream("POST", path, body, timeout) as answer:
            if isinstance(answer, Response):
                raise self._refusal("POST", answer)
            yield answer

    def _models(self, path: str) -> list[dict[str, t.Any]]:
        # A Go server without a model may write null for an empty list.
        models = self._field(path, "models") or []
        if not isinstance(models, list):
            raise self._senseless(self.http.url(path), models)
        for model in models:
            try:
                parse_listed(_filled(model, LISTED)["name"])
                sound = bool(model.get("digest"))
            except ValueError:
                sound = False
            if not sound:
                raise self._senseless(self.http.url(path), model)
        return models

    def _field(self, path: str, field: str) -> t.Any:
        response = self.http.request("GET", path)
        self._check("GET", response)
        answer = response.json()
        if not isinstance(answer, dict) or field not in answer:
            raise ApiError(
                f"{response.url} answered without {field!r}: {response.excerpt()!r}.",
                response.url,
                response.status,
                "Check that the URL is that of an Ollama server.",
            )
        return answer[field]

    @staticmethod
    def _senseless(url: str, what: t.Any) -> ApiError:
        return ApiError(
            f"{url} answered with a model that makes no sense: {str(what)[:EXCERPT]!r}.",
            url,
            200,
            "Check that the URL is that of an Ollama server, and its log for what is wrong with this model.",
        )

    def _check(self, method: str, response: Response, *accepted: int) -> None:
        if response.status not in (accepted or (200,)):
            raise self._refusal(method, response)

    @staticmethod
    def _refusal(method: str, response: Response, hint: str = "") -> ApiError:
        try:
            words = str(response.json()["error"])
        except (ApiError, KeyError, TypeError):
            words = response.excerpt() or "no text"
        return ApiError(
            f"{method} {response.url} answered {response.status}: {words.strip()}.",
            response.url,
            response.status,
            hint or HINTS.get(response.status, ""),
        )


def byte_count(line: dict[str, t.Any], field: str) -> int:
    """A number of bytes in a line of progress, 0 when there is none."""
    count = line.get(field)
    return count if isinstance(count, int) else 0


def _filled(answer: t.Any, defaults: dict[str, t.Any]) -> dict[str, t.Any]:
    """An object of an answer with all these fields: a Go server leaves out what is empty, or writes null.

    :raises ValueError: it is none, or one of these fields has another type than its default
    """
    if not isinstance(answer, dict):
        raise ValueError
    filled = {**defaults, **{field: value for field, value in answer.items() if value is not None}}
    if not all(isinstance(filled[field], type(default)) for field, default in defaults.items()):
        raise ValueError
    return filled


LISTED: dict[str, t.Any] = {"name": "", "digest": "", "size": 0, "details": {}}
SHOWN: dict[str, t.Any] = {
    **dict.fromkeys(("modelfile", "parameters", "template", "system", "license"), ""),
    "details": {},
    "messages": [],
}
DETAILS = dict.fromkeys(("parent_model", "family", "quantization_level"), "")
MESSAGE = dict.fromkeys(("role", "content"), "")
DAMAGED = (
    "If a file of the model is damaged, give the server's directory as models_dir and run the task again, or remove the"
    " model with state absent and pull it anew."
)
HINTS = {
    401: "Give the token that the proxy before the server wants.",
    403: "A server bound to loopback refuses foreign host names: use its address, or let the proxy set Host.",
    404: "Check that the URL is that of the Ollama server, without /api or /v1.",
    405: "Check that the URL is that of the Ollama server, without /api or /v1.",
}
