# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The handlers of ``/api`` that use a model: chat, generate, embed and the list of the loaded ones."""

from __future__ import annotations

import time
import typing as t

from . import names
from .binding import bind, duration_seconds
from .describe import Model, timestamp
from .inference import answer, count_tokens, embed, unit
from .reply import ApiError, Lines, Reply, json_reply, stream_reply
from .runners import Runners
from .store import Store

Fields = dict[str, t.Any]
NO_EMBEDDINGS = "This server does not support embeddings. Start it with `--embeddings`"


class Line(t.NamedTuple):
    """A piece of an answer and what else its line says."""

    text: str
    fields: Fields


class InferenceApi:
    def __init__(self, store: Store, runners: Runners) -> None:
        self.store = store
        self.runners = runners

    def running(self) -> Reply:
        return json_reply({"models": self.runners.listed()})

    def chat(self, raw: bytes) -> Reply:
        body = bind("ChatRequest", raw)
        if not body.get("model"):
            raise ApiError(400, "model is required")
        messages = body.get("messages", [])
        prompt = str(messages[-1].get("content", "")) if messages else None
        lines = self.answer(body, "chat", prompt)
        shaped = (_shaped(body, line, {"message": message(line.text)}) for line in lines)
        return _reply(body, shaped, prompt)

    def generate(self, raw: bytes) -> Reply:
        body = bind("GenerateRequest", raw)
        prompt = body.get("prompt") or None
        lines = self.answer(body, "generate", prompt)
        return _reply(body, (_shaped(body, line, {"response": line.text}) for line in lines), prompt)

    def embed(self, raw: bytes) -> Reply:
        body = bind("EmbedRequest", raw)
        asked = body.get("model", "")
        texts = body.get("input") or []
        texts = [texts] if isinstance(texts, str) else texts
        if not asked:
            raise ApiError(404, "model '' not found")
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise ApiError(400, "invalid input type")
        model = self.model(asked, f'model "{asked}" not found, try pulling it first')
        self._load(body, model)
        if not texts:
            return json_reply({"model": asked, "embeddings": []})
        if "embedding" not in model.capabilities or model.header is None:
            raise ApiError(501, NO_EMBEDDINGS)
        vectors = [embed(text, model.header.get("embedding_length")) for text in texts]
        if body.get("dimensions"):
            vectors = [unit(vector[: body["dimensions"]]) for vector in vectors]
        counts = {"total_duration": 2, "load_duration": 1, "prompt_eval_count": sum(map(count_tokens, texts))}
        return json_reply({"model": asked, "embeddings": vectors, **counts})

    def answer(self, body: Fields, purpose: str, prompt: str | None) -> t.Iterator[Line]:
        """The lines of an answer; without a prompt the model is only loaded or unloaded.

        Everything that can be refused is refused here, before the first line.
        """
        asked = body.get("model", "")
        model = self.model(asked, f"model '{asked}' not found")
        if prompt is None and "keep_alive" in body and duration_seconds(body["keep_alive"]) == 0:
            self.runners.unload(model)
            return iter([Line("", {"done": True, "done_reason": "unload"})])
        _check(body, purpose, model)
        self._load(body, model)
        if prompt is None:
            return iter([Line("", {"done": True, "done_reason": "load"})])
        return _spoken(body, prompt)

    def model(self, asked: str, missing: str) -> Model:
        base, source = names.split_source(asked.strip())
        name = names.parse(base)
        if source == "cloud":
            raise ApiError(403, "ollama cloud is disabled: remote model is unavailable")
        if asked and not name.valid:
            raise ApiError(400, "invalid model name")
        try:
            if not asked:
                raise FileNotFoundError
            return Model(self.store, self.store.get(self.store.existing(name)))
        except FileNotFoundError:
            raise ApiError(404, missing) from None

    def _load(self, body: Fields, model: Model) -> None:
        keep_alive = duration_seconds(body["keep_alive"]) if "keep_alive" in body else None
        options = {**model.parameters, **body.get("options", {})}
        self.runners.load(model, keep_alive, options.get("num_ctx"))


def message(text: str) -> Fields:
    return {"role": "assistant", "content": text}


def _check(body: Fields, purpose: str, model: Model) -> None:
    if "completion" not in model.capabilities:
        raise ApiError(400, f'"{body["model"]}" does not support {purpose}')
    if body.get("think") and "thinking" not in model.capabilities:
        raise ApiError(400, f'"{body["model"]}" does not support thinking')
    if body.get("tools") and "tools" not in model.capabilities:
        raise ApiError(400, f"{model.manifest.name.full} does not support tools")
    for option in ("num_predict", "num_ctx"):
        if not isinstance(body.get("options", {}).get(option, 0), (int, float)):
            raise ApiError(500, f'option "{option}" must be of type integer')


def _spoken(body: Fields, prompt: str) -> t.Iterator[Line]:
    started = time.monotonic_ns()
    pieces, reason = answer(body["model"], prompt, body.get("options", {}).get("num_predict", 0))
    for piece in pieces:
        yield Line(piece, {"done": False})
    spent = max(time.monotonic_ns() - started, 4)
    durations = dict.fromkeys(("load_duration", "prompt_eval_duration", "eval_duration"), spent // 4)
    counts = {"prompt_eval_count": count_tokens(prompt), "eval_count": len(pieces)}
    yield Line("", {"done": True, "done_reason": reason, "total_duration": spent, **durations, **counts})


def _shaped(body: Fields, line: Line, content: Fields) -> Fields:
    return {"model": body["model"], "created_at": timestamp(time.time_ns()), **content, **line.fields}


def _reply(body: Fields, lines: Lines, prompt: str | None) -> Reply:
    if prompt is not None and body.get("stream", True):
        return stream_reply(lines)
    collected = list(lines)
    whole = collected[-1]
    if "message" in whole:
        whole["message"] = message("".join(line["message"]["content"] for line in collected))
    else:
        whole["response"] = "".join(line["response"] for line in collected)
    return json_reply(whole)
