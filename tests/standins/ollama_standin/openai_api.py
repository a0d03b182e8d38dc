# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The handlers of ``/v1``, the API in the shape of another service."""

from __future__ import annotations

import datetime
import time
import typing as t

from . import names
from .binding import bind
from .gojson import dump
from .inference_api import Fields, InferenceApi, Line, message
from .listing import Listing
from .reply import JSON_OF_STREAM, ApiError, Reply, json_reply

ERROR_TYPES = {400: "invalid_request_error", 404: "not_found_error"}
EVENT_STREAM = "text/event-stream"


class OpenAiApi:
    def __init__(self, listing: Listing, inference: InferenceApi) -> None:
        self.listing = listing
        self.inference = inference

    def models(self) -> Reply:
        items = [_model(item["name"], item["modified_at"]) for item in self.listing.items()]
        return json_reply({"object": "list", "data": items}, content_type=JSON_OF_STREAM)

    def model(self, asked: str) -> Reply:
        name = self.listing.store.existing(names.parse(asked))
        for item in self.listing.items():
            if item["name"] == name.short:
                return json_reply(_model(asked, item["modified_at"]), content_type=JSON_OF_STREAM)
        return openai_error(ApiError(404, f"model '{name.short}' not found"))

    def chat_completions(self, raw: bytes) -> Reply:
        try:
            body = bind("ChatCompletionRequest", raw)
            return self._completed(body)
        except ApiError as exc:
            return openai_error(exc)
        except ValueError as exc:
            return openai_error(ApiError(400, str(exc)))

    def _completed(self, body: Fields) -> Reply:
        messages = body.get("messages", [])
        if not messages:
            raise ApiError(400, "[] is too short - 'messages'")
        if not body.get("model"):
            raise ApiError(400, "model is required")
        asked = {"model": body["model"], "options": {"num_predict": body.get("max_tokens", 0)}}
        lines = self.inference.answer(asked, "chat", str(messages[-1].get("content", "")))
        if body.get("stream", False):
            return Reply(content_type=EVENT_STREAM, parts=_events(body, lines))
        collected = list(lines)
        choice = {"index": 0, "message": message("".join(line.text for line in collected))}
        choice["finish_reason"] = collected[-1].fields["done_reason"]
        whole = {**_head(body, "chat.completion"), "choices": [choice], "usage": _usage(collected[-1])}
        return json_reply(whole, content_type=JSON_OF_STREAM)


def openai_error(exc: ApiError) -> Reply:
    kind = ERROR_TYPES.get(exc.status, "api_error")
    error = {"message": exc.message, "type": kind, "param": None, "code": None}
    return json_reply({"error": error}, exc.status, JSON_OF_STREAM)


def _model(name: str, modified_at: str) -> Fields:
    moment = datetime.datetime.strptime(modified_at[:19], "%Y-%m-%dT%H:%M:%S")
    created = int(moment.replace(tzinfo=datetime.timezone.utc).timestamp())
    return {"id": name, "object": "model", "created": created, "owned_by": names.parse(name).namespace}


def _head(body: Fields, kind: str) -> Fields:
    now = int(time.time())
    fields = {"id": f"chatcmpl-{now % 1000}", "object": kind, "created": now, "model": body["model"]}
    return {**fields, "system_fingerprint": "fp_ollama"}


def _usage(last: Line) -> Fields:
    prompt, completion = last.fields["prompt_eval_count"], last.fields["eval_count"]
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _events(body: Fields, lines: t.Iterator[Line]) -> t.Generator[bytes, None, None]:
    head = _head(body, "chat.completion.chunk")
    first = True
    for line in lines:
        delta: Fields = {} if line.fields["done"] else {"content": line.text}
        if first:
            delta = {"role": "assistant", **delta}
        first = False
        choice = {"index": 0, "delta": delta, "finish_reason": line.fields.get("done_reason")}
        yield _event({**head, "choices": [choice]})
    if body.get("stream_options", {}).get("include_usage"):
        yield _event({**head, "choices": [], "usage": _usage(line)})
    yield b"data: [DONE]\n\n"


def _event(value: Fields) -> bytes:
    return b"data: " + dump(value) + b"\n\n"
