# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``openwebui_config``: settings that the running program follows only through endpoints of their own."""

from __future__ import annotations

import pytest

from ansible_collections.selfhosted.llm.plugins.modules import openwebui_config

READ = ("GET", "/api/v1/configs/export")
WRITE = ("POST", "/api/v1/configs/import")
EMBEDDING = "/api/v1/retrieval/embedding"
RETRIEVAL = "/api/v1/retrieval/config/update"
TOOLS = "/api/v1/configs/tool_servers"
TERMINALS = "/api/v1/configs/terminal_servers"
AUDIO = "/api/v1/audio/config"
IMAGES = "/api/v1/images/config"

SETTINGS = {
    "rag.embedding_engine": "",
    "rag.embedding_model": "sentence-transformers/all-MiniLM-L6-v2",
    "rag.ollama.base_url": "http://localhost:11434",
    "rag.ollama.api_key": "",
    "rag.enable_hybrid_search": False,
    "rag.reranking_engine": "",
    "rag.reranking_model": "",
    "rag.top_k": 3,
    "tool_server.connections": [],
    "terminal_server.connections": [],
    "audio.stt.engine": "",
    "audio.stt.whisper_model": "base",
    "image_generation.engine": "openai",
    "image_generation.model": "",
}
# What the endpoints answer where the settings are those.
EMBEDDING_BODY = {
    "status": True,
    "RAG_EMBEDDING_ENGINE": "",
    "RAG_EMBEDDING_MODEL": "sentence-transformers/all-MiniLM-L6-v2",
    "RAG_EMBEDDING_BATCH_SIZE": 1,
    "ENABLE_ASYNC_EMBEDDING": True,
    "RAG_EMBEDDING_CONCURRENT_REQUESTS": 0,
    "openai_config": {"url": "https://api.openai.com/v1", "key": "kept"},
    "ollama_config": {"url": "http://localhost:11434", "key": ""},
    "azure_openai_config": {"url": "", "key": "", "version": ""},
}
AUDIO_BODY = {"tts": {"ENGINE": "", "API_KEY": "kept"}, "stt": {"ENGINE": "", "WHISPER_MODEL": "base", "MODEL": ""}}
IMAGES_BODY = {"IMAGE_GENERATION_ENGINE": "openai", "IMAGE_GENERATION_MODEL": "", "IMAGE_STEPS": 50}


@pytest.fixture
def export(recording):
    return {**recording("openwebui")["export"], **SETTINGS}


@pytest.fixture
def run(server, run_module):
    common = {"url": server.url, "token": "token-in-use"}
    return lambda settings, **how: run_module(openwebui_config, {**common, "settings": settings}, **how)


CASES = [
    (
        {"rag.embedding_engine": "ollama", "rag.embedding_model": "m", "rag.ollama.base_url": "http://a:1"},
        ("GET", EMBEDDING, EMBEDDING_BODY),
        f"{EMBEDDING}/update",
        {
            **EMBEDDING_BODY,
            "RAG_EMBEDDING_ENGINE": "ollama",
            "RAG_EMBEDDING_MODEL": "m",
            "ollama_config": {"url": "http://a:1", "key": ""},
        },
    ),
    # The endpoint ignores what belongs to an engine that is not in use, and the import stores it.
    (
        {"rag.ollama.api_key": "new"},
        ("GET", EMBEDDING, EMBEDDING_BODY),
        f"{EMBEDDING}/update",
        {**EMBEDDING_BODY, "ollama_config": {"url": "http://localhost:11434", "key": "new"}},
    ),
    (
        {"rag.reranking_model": "r", "rag.reranking_engine": "external"},
        None,
        RETRIEVAL,
        {"RAG_RERANKING_MODEL": "r", "RAG_RERANKING_ENGINE": "external"},
    ),
    (
        {"tool_server.connections": [{"url": "http://t"}]},
        ("GET", TOOLS, {"TOOL_SERVER_CONNECTIONS": []}),
        TOOLS,
        {"TOOL_SERVER_CONNECTIONS": [{"url": "http://t"}]},
    ),
    (
        {"terminal_server.connections": [{"url": "http://t"}]},
        ("GET", TERMINALS, {"TERMINAL_SERVER_CONNECTIONS": []}),
        TERMINALS,
        {"TERMINAL_SERVER_CONNECTIONS": [{"url": "http://t"}]},
    ),
    (
        {"audio.stt.engine": "openai"},
        ("GET", AUDIO, AUDIO_BODY),
        f"{AUDIO}/update",
        {**AUDIO_BODY, "stt": {"ENGINE": "openai", "WHISPER_MODEL": "base", "MODEL": ""}},
    ),
    (
        {"image_generation.model": "sdxl", "image_generation.engine": "automatic1111"},
        ("GET", IMAGES, IMAGES_BODY),
        f"{IMAGES}/update",
        {"IMAGE_GENERATION_ENGINE": "automatic1111", "IMAGE_GENERATION_MODEL": "sdxl", "IMAGE_STEPS": 50},
    ),
]


@pytest.mark.parametrize(("settings", "reading", "write", "body"), CASES)
def test_the_endpoint_comes_first(run, server, export, settings, reading, write, body):
    after = {**export, **settings, "rag.top_k": 5}
    server.expect(*READ, answer=export)
    if reading:
        server.expect(*reading[:2], answer=reading[2])
    server.expect("POST", write, body, answer={"status": True})
    server.expect(*WRITE, {"config": {**settings, "rag.top_k": 5}}, answer=after)
    server.expect(*READ, answer=after)
    assert run({**settings, "rag.top_k": 5})["settings"] == sorted({*settings, "rag.top_k"})
    server.expect(*READ, answer=after)
    assert run({**settings, "rag.top_k": 5})["changed"] is False


@pytest.mark.parametrize(("settings", "reading", "write", "body"), CASES)
def test_a_dry_run_only_reads_settings(run, server, export, settings, reading, write, body):
    server.expect(*READ, answer=export)
    assert run(settings, check=True)["settings"] == sorted(settings)


@pytest.mark.parametrize(("settings", "reading", "write", "body"), CASES)
def test_what_an_endpoint_stores_and_fails_with_is_put_back(run, server, export, settings, reading, write, body):
    server.expect(*READ, answer=export)
    if reading:
        server.expect(*reading[:2], answer=reading[2])
    server.expect("POST", write, body, status=500, answer={"detail": "No module named 'faster_whisper'"})
    server.expect(*WRITE, {"config": {name: export[name] for name in settings}}, answer=export)
    message = run({**settings, "rag.top_k": 5}, fails=True)["msg"]
    assert f"POST {server.url}{write} was answered with 500: No module named 'faster_whisper'" in message


def test_hybrid_search_that_the_server_switches_off_again(run, server, export):
    settings = {"rag.enable_hybrid_search": True, "rag.reranking_model": "no such model"}
    stored = {**export, "rag.reranking_model": "no such model"}
    body = {"ENABLE_RAG_HYBRID_SEARCH": True, "RAG_RERANKING_MODEL": "no such model"}
    server.expect(*READ, answer=export)
    server.expect("POST", RETRIEVAL, body, answer={"ENABLE_RAG_HYBRID_SEARCH": False})
    server.expect(*WRITE, {"config": {"rag.reranking_model": "no such model"}}, answer=stored)
    server.expect(*READ, answer=stored)
    message = run(settings, fails=True)["msg"]
    assert "does not have rag.enable_hybrid_search as sent. Hybrid search goes off again" in message


def test_the_failure_counts_when_nothing_can_be_put_back(run, server, export):
    server.expect(*READ, answer=export)
    server.expect("POST", RETRIEVAL, {"RAG_RERANKING_MODEL": "r"}, drop=True)
    server.expect(*WRITE, {"config": {"rag.reranking_model": ""}}, drop=True)
    assert f"POST {server.url}{RETRIEVAL} failed" in run({"rag.reranking_model": "r"}, fails=True)["msg"]


def test_an_endpoint_of_another_shape(run, server, export):
    server.expect(*READ, answer=export)
    server.expect("GET", AUDIO, answer={"tts": {}})
    server.expect(*WRITE, {"config": {"audio.stt.engine": ""}}, answer=export)
    message = run({"audio.stt.engine": "openai"}, fails=True)["msg"]
    assert f"GET {server.url}{AUDIO} answered without stt" in message
