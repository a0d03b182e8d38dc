# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``/v1``: the shape of another service."""

from __future__ import annotations

import json
import typing as t
import uuid

import pytest
from ollama_client import Answer, Server

USER = [{"role": "user", "content": "alpha bravo"}]


def complete(server: Server, model: str, **fields: t.Any) -> Answer:
    body = {"model": model, "messages": USER, "max_tokens": 3, "temperature": 0, "seed": 1, **fields}
    return server.call("POST", "/v1/chat/completions", body)


def refusal(message: str, kind: str) -> dict[str, t.Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}


def test_models(server: Server, pulled: str) -> None:
    listed = server.call("GET", "/v1/models").json()
    assert listed["object"] == "list"
    item = next(item for item in listed["data"] if item["id"] == pulled)
    assert item.keys() == {"id", "object", "created", "owned_by"}
    assert item["object"] == "model"
    assert isinstance(item["created"], int)


def test_a_missing_model(server: Server) -> None:
    name = f"contract-{uuid.uuid4().hex}"
    shown = server.call("GET", f"/v1/models/{name}")
    assert (shown.status, shown.json()) == (404, refusal(f"model '{name}:latest' not found", "not_found_error"))
    asked = complete(server, name)
    assert (asked.status, asked.json()) == (404, refusal(f"model '{name}' not found", "not_found_error"))


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"model": "x", "messages": []}, "[] is too short - 'messages'"), ({"messages": USER}, "model is required")],
)
def test_what_a_completion_needs(server: Server, fields: dict[str, t.Any], message: str) -> None:
    answer = server.call("POST", "/v1/chat/completions", fields)
    assert (answer.status, answer.json()) == (400, refusal(message, "invalid_request_error"))


@pytest.mark.needs_inference
def test_a_completion(server: Server, chat_model: str) -> None:
    body = complete(server, chat_model).json()
    assert body.keys() == {"id", "object", "created", "model", "system_fingerprint", "choices", "usage"}
    assert (body["object"], body["model"]) == ("chat.completion", chat_model)
    (choice,) = body["choices"]
    assert (choice["index"], choice["finish_reason"]) == (0, "length")
    assert choice["message"]["role"] == "assistant"
    assert choice["message"]["content"]
    usage = body["usage"]
    assert usage["completion_tokens"] == 3
    assert usage["total_tokens"] == usage["prompt_tokens"] + 3


@pytest.mark.needs_inference
def test_a_streamed_completion(server: Server, chat_model: str) -> None:
    answer = complete(server, chat_model, stream=True, stream_options={"include_usage": True})
    assert answer.headers["content-type"] == "text/event-stream"
    *events, done = [line[len("data: ") :] for line in answer.text.splitlines() if line]
    assert done == "[DONE]"
    *pieces, end, usage = [json.loads(event) for event in events]
    assert pieces[0]["choices"][0]["delta"]["role"] == "assistant"
    assert "".join(piece["choices"][0]["delta"].get("content", "") for piece in pieces)
    assert [piece["choices"][0]["finish_reason"] for piece in pieces] == [None] * len(pieces)
    assert end["choices"][0]["finish_reason"] == "length"
    assert (usage["choices"], usage["usage"]["completion_tokens"]) == ([], 3)
