# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Chat, generate, embed and the loaded models. What needs a runner is marked ``needs_inference``."""

from __future__ import annotations

import math
import typing as t
import uuid

import pytest
from ollama_client import Answer, Server, wait_until
from shelf import Shelf

USER = [{"role": "user", "content": "alpha bravo"}]
SHORT = {"num_predict": 4, "temperature": 0, "seed": 1}
COUNTS = {
    "total_duration",
    "load_duration",
    "prompt_eval_count",
    "prompt_eval_duration",
    "eval_count",
    "eval_duration",
}


@pytest.fixture
def missing() -> str:
    return f"contract-{uuid.uuid4().hex}"


@pytest.fixture
def embedding(server: Server, shelf: Shelf) -> str:
    name = shelf.add("embed", embedding=True)
    server.pull(name)
    return name


def chat(server: Server, model: str, **fields: t.Any) -> Answer:
    return server.call("POST", "/api/chat", {"model": model, "messages": USER, "options": SHORT, **fields})


def generate(server: Server, model: str, **fields: t.Any) -> Answer:
    return server.call("POST", "/api/generate", {"model": model, **fields})


def test_an_unknown_model(server: Server, missing: str) -> None:
    assert chat(server, missing).error == (404, f"model '{missing}' not found")
    assert generate(server, missing, prompt="a").error == (404, f"model '{missing}' not found")
    embedded = server.call("POST", "/api/embed", {"model": missing, "input": "a"})
    assert embedded.error == (404, f'model "{missing}" not found, try pulling it first')


def test_no_model(server: Server) -> None:
    assert chat(server, "").error == (400, "model is required")
    assert generate(server, "", prompt="a").error == (404, "model '' not found")
    assert server.call("POST", "/api/embed", {"input": "a"}).error == (404, "model '' not found")


def test_an_invalid_name(server: Server) -> None:
    assert chat(server, "a/b/c/d").error == (400, "invalid model name")
    assert generate(server, "a/b/c/d").error == (400, "invalid model name")


def test_an_embedding_model_does_not_talk(server: Server, embedding: str) -> None:
    assert chat(server, embedding).error == (400, f'"{embedding}" does not support chat')
    assert generate(server, embedding, prompt="a").error == (400, f'"{embedding}" does not support generate')
    assert generate(server, embedding).error == (400, f'"{embedding}" does not support generate')


def test_what_a_model_cannot_do(server: Server, pulled: str) -> None:
    assert chat(server, pulled, think=True).error == (400, f'"{pulled}" does not support thinking')
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
    assert chat(server, pulled, tools=[tool]).error == (400, f"{pulled} does not support tools")


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"keep_alive": "bogus"}, (400, 'time: invalid duration "bogus"')),
        ({"keep_alive": "10"}, (400, 'time: missing unit in duration "10"')),
        (
            {"messages": "alpha"},
            (400, "json: cannot unmarshal string into Go struct field ChatRequest.messages of type []api.Message"),
        ),
        ({"options": {"num_predict": "8"}}, (500, 'option "num_predict" must be of type integer')),
    ],
)
def test_malformed_fields(server: Server, pulled: str, fields: dict[str, t.Any], error: tuple[int, str]) -> None:
    assert chat(server, pulled, **fields).error == error


@pytest.mark.parametrize("value", [5, ["a", 5], {"a": 1}])
def test_embed_takes_texts(server: Server, embedding: str, value: t.Any) -> None:
    answer = server.call("POST", "/api/embed", {"model": embedding, "input": value})
    assert answer.error == (400, "invalid input type")


def test_unload_of_a_model_that_is_not_loaded(server: Server, pulled: str, missing: str) -> None:
    answer = generate(server, pulled, keep_alive=0)
    body = answer.json()
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json; charset=utf-8")
    assert body.pop("created_at")
    assert body == {"model": pulled, "response": "", "done": True, "done_reason": "unload"}
    assert pulled not in server.running()
    assert generate(server, missing, keep_alive=0).error == (404, f"model '{missing}' not found")


@pytest.mark.needs_inference
def test_a_streamed_chat(server: Server, chat_model: str) -> None:
    answer = chat(server, chat_model)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    *pieces, last = answer.lines
    assert pieces
    for piece in pieces:
        assert set(piece) == {"model", "created_at", "message", "done"}
        assert (piece["model"], piece["message"]["role"], piece["done"]) == (chat_model, "assistant", False)
    assert "".join(piece["message"]["content"] for piece in pieces)
    assert set(last) == {"model", "created_at", "message", "done", "done_reason"} | COUNTS
    assert last["message"] == {"role": "assistant", "content": ""}
    assert (last["done"], last["done_reason"], last["eval_count"]) == (True, "length", 4)
    assert all(isinstance(last[name], int) and last[name] > 0 for name in COUNTS)


@pytest.mark.needs_inference
def test_a_chat_in_one_piece(server: Server, chat_model: str) -> None:
    streamed = "".join(line["message"]["content"] for line in chat(server, chat_model).lines)
    answer = chat(server, chat_model, stream=False)
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    whole = answer.json()
    assert set(whole) == {"model", "created_at", "message", "done", "done_reason"} | COUNTS
    assert whole["message"] == {"role": "assistant", "content": streamed}


@pytest.mark.needs_inference
def test_generate(server: Server, chat_model: str) -> None:
    *pieces, last = generate(server, chat_model, prompt="alpha", options=SHORT).lines
    text = "".join(piece["response"] for piece in pieces)
    assert text
    assert (last["response"], last["done"], last["done_reason"]) == ("", True, "length")
    assert last.keys() >= COUNTS
    whole = generate(server, chat_model, prompt="alpha", options=SHORT, stream=False).json()
    assert whole["response"] == text


@pytest.mark.needs_inference
@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/api/generate", {"response": ""}),
        ("/api/chat", {"message": {"role": "assistant", "content": ""}}),
    ],
)
def test_load_and_unload(server: Server, chat_model: str, path: str, content: dict[str, t.Any]) -> None:
    for fields, reason in (({}, "load"), ({"keep_alive": 0}, "unload")):
        answer = server.call("POST", path, {"model": chat_model, **fields})
        body = answer.json()
        assert answer.headers["content-type"] == "application/json; charset=utf-8"
        assert body.pop("created_at")
        assert body == {"model": chat_model, **content, "done": True, "done_reason": reason}
        assert (chat_model in server.running()) == (reason == "load")


@pytest.mark.needs_inference
def test_a_loaded_model_is_listed(server: Server, chat_model: str) -> None:
    generate(server, chat_model, keep_alive="10m")
    item, listed = server.running()[chat_model], server.tags()[chat_model]
    assert set(item) == {"name", "model", "size", "digest", "details", "expires_at", "size_vram", "context_length"}
    assert (item["digest"], item["model"]) == (listed["digest"], chat_model)
    assert item["size"] > 0
    assert "context_length" not in item["details"]
    generate(server, chat_model, keep_alive=0)


@pytest.mark.needs_inference
def test_keep_alive_stays_what_it_was(server: Server, chat_model: str) -> None:
    generate(server, chat_model, keep_alive=-1)
    assert server.running()[chat_model]["expires_at"] > "2300"
    chat(server, chat_model)
    assert server.running()[chat_model]["expires_at"] > "2300"
    generate(server, chat_model, keep_alive="5m")
    # The list may lag behind an answer.
    wait_until(lambda: server.running()[chat_model]["expires_at"] < "2300", "the shorter time")
    chat(server, chat_model, keep_alive=0)
    assert chat_model not in server.running()


@pytest.mark.needs_inference
def test_the_context_is_what_is_asked_and_no_more_than_trained(server: Server, chat_model: str) -> None:
    trained = server.tags()[chat_model]["details"]["context_length"]
    for asked, given in ((1024, 1024), (10 * trained, trained)):
        generate(server, chat_model, options={"num_ctx": asked})
        assert server.running()[chat_model]["context_length"] == given
    generate(server, chat_model, keep_alive=0)


@pytest.mark.needs_inference
def test_a_deleted_model_stays_loaded(server: Server, shelf: Shelf, chat_model: str) -> None:
    if not chat_model.startswith(shelf.prefix):
        pytest.skip("the model is not one that this test may delete")
    publication = shelf.manifest(chat_model)
    generate(server, chat_model, keep_alive=-1)
    server.call("DELETE", "/api/delete", {"model": chat_model})
    assert chat_model in server.running()
    assert generate(server, chat_model, keep_alive=0).error == (404, f"model '{chat_model}' not found")
    assert server.pull(chat_model).lines[-1] == {"status": "success"}
    assert shelf.manifest(chat_model) == publication
    generate(server, chat_model, keep_alive=0)
    assert chat_model not in server.running()


@pytest.mark.needs_inference
def test_vectors_have_length_one(server: Server, embed_model: str) -> None:
    answer = server.call("POST", "/api/embed", {"model": embed_model, "input": ["alpha", "bravo charlie"]})
    body = answer.json()
    assert set(body) == {"model", "embeddings", "total_duration", "load_duration", "prompt_eval_count"}
    size = server.tags()[embed_model]["details"]["embedding_length"]
    assert [len(vector) for vector in body["embeddings"]] == [size, size]
    for vector in body["embeddings"]:
        assert math.isclose(sum(value * value for value in vector), 1, abs_tol=1e-5)
    again = server.call("POST", "/api/embed", {"model": embed_model, "input": "alpha"}).json()
    assert again["embeddings"][0] == pytest.approx(body["embeddings"][0], abs=1e-5)


@pytest.mark.needs_inference
def test_vectors_are_cut(server: Server, embed_model: str) -> None:
    body = {"model": embed_model, "input": "alpha", "dimensions": 4}
    (vector,) = server.call("POST", "/api/embed", body).json()["embeddings"]
    assert len(vector) == 4
    assert math.isclose(sum(value * value for value in vector), 1, abs_tol=1e-5)


@pytest.mark.needs_inference
@pytest.mark.parametrize("fields", [{}, {"input": ""}, {"input": []}, {"input": None}])
def test_nothing_to_embed_loads(server: Server, embed_model: str, fields: dict[str, t.Any]) -> None:
    answer = server.call("POST", "/api/embed", {"model": embed_model, **fields})
    assert (answer.status, answer.json()) == (200, {"model": embed_model, "embeddings": []})
    assert embed_model in server.running()
    generate(server, embed_model, keep_alive=0)
    assert embed_model not in server.running()


@pytest.mark.needs_inference
def test_a_chat_model_does_not_embed(server: Server, chat_model: str) -> None:
    answer = server.call("POST", "/api/embed", {"model": chat_model, "input": "alpha"})
    assert answer.error == (501, "This server does not support embeddings. Start it with `--embeddings`")
