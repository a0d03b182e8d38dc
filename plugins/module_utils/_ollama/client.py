# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""The REST interface of an Ollama server: one function per call, errors as :class:`ServiceError`."""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._http import ApiError, HttpClient, Lines, Response


class OllamaClient:
    """Talks to one server. Knows paths and answers, and decides nothing."""

    def __init__(self, http: HttpClient) -> None:
        self.http = http

    def version(self) -> str:
        """The version of the server."""
        return self._field("/api/version", "version")

    def models(self) -> list[dict[str, t.Any]]:
        """The models in the store, in no particular order: within a second of ``modified_at`` it is random."""
        # A Go server without a model may write null for an empty list.
        return self._field("/api/tags", "models") or []

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
        body = {"model": name, "insecure": insecure, "stream": True}
        with self.http.stream("POST", "/api/pull", body, timeout) as answer:
            if isinstance(answer, Response):
                raise self._refusal("POST", answer)
            yield answer

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

    def _check(self, method: str, response: Response) -> None:
        if response.status != 200:
            raise self._refusal(method, response)

    @staticmethod
    def _refusal(method: str, response: Response) -> ApiError:
        try:
            words = str(response.json()["error"])
        except (ApiError, KeyError, TypeError):
            words = response.excerpt() or "no text"
        return ApiError(
            f"{method} {response.url} answered {response.status}: {words.strip()}.",
            response.url,
            response.status,
            HINTS.get(response.status, ""),
        )


HINTS = {
    401: "Give the token that the proxy before the server wants.",
    403: "A server bound to loopback refuses foreign host names: use its address, or let the proxy set Host.",
    404: "Check that the URL is that of the Ollama server, without /api or /v1.",
    405: "Check that the URL is that of the Ollama server, without /api or /v1.",
}
