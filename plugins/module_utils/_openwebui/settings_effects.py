# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""Settings that the running program holds on to: only their own endpoints make it follow before its next start."""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._http import ServiceError
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import OpenWebUI

HYBRID = "rag.enable_hybrid_search"
IMPORT = "/api/v1/configs/import"

Settings = dict[str, t.Any]


class Endpoint(t.NamedTuple):
    """Where a group of settings is written.

    :arg read: gives the whole body that ``write`` wants; none where ``write`` takes a part of it
    :arg places: where in the body a setting stands
    """

    read: str
    write: str
    places: dict[str, tuple[str, ...]]


ENDPOINTS = (
    # Builds the function that embeds documents and questions, and loads a local model.
    Endpoint(
        "/api/v1/retrieval/embedding",
        "/api/v1/retrieval/embedding/update",
        {
            "rag.embedding_engine": ("RAG_EMBEDDING_ENGINE",),
            "rag.embedding_model": ("RAG_EMBEDDING_MODEL",),
            "rag.embedding_batch_size": ("RAG_EMBEDDING_BATCH_SIZE",),
            "rag.embedding_concurrent_requests": ("RAG_EMBEDDING_CONCURRENT_REQUESTS",),
            "rag.enable_async_embedding": ("ENABLE_ASYNC_EMBEDDING",),
            "rag.openai.api_base_url": ("openai_config", "url"),
            "rag.openai.api_key": ("openai_config", "key"),
            "rag.ollama.base_url": ("ollama_config", "url"),
            "rag.ollama.api_key": ("ollama_config", "key"),
            "rag.azure_openai.base_url": ("azure_openai_config", "url"),
            "rag.azure_openai.api_key": ("azure_openai_config", "key"),
            "rag.azure_openai.api_version": ("azure_openai_config", "version"),
        },
    ),
    # Builds the function that ranks what a hybrid search finds, and loads a local model.
    Endpoint(
        "",
        "/api/v1/retrieval/config/update",
        {
            HYBRID: ("ENABLE_RAG_HYBRID_SEARCH",),
            "rag.bypass_embedding_and_retrieval": ("BYPASS_EMBEDDING_AND_RETRIEVAL",),
            "rag.reranking_engine": ("RAG_RERANKING_ENGINE",),
            "rag.reranking_model": ("RAG_RERANKING_MODEL",),
            "rag.reranking_batch_size": ("RAG_RERANKING_BATCH_SIZE",),
            "rag.external_reranker_url": ("RAG_EXTERNAL_RERANKER_URL",),
            "rag.external_reranker_api_key": ("RAG_EXTERNAL_RERANKER_API_KEY",),
            "rag.external_reranker_timeout": ("RAG_EXTERNAL_RERANKER_TIMEOUT",),
        },
    ),
    # Fetch what the servers offer, and register at those that want OAuth.
    Endpoint(
        "/api/v1/configs/tool_servers",
        "/api/v1/configs/tool_servers",
        {"tool_server.connections": ("TOOL_SERVER_CONNECTIONS",)},
    ),
    Endpoint(
        "/api/v1/configs/terminal_servers",
        "/api/v1/configs/terminal_servers",
        {"terminal_server.connections": ("TERMINAL_SERVER_CONNECTIONS",)},
    ),
    # Loads the local Whisper model, or drops it.
    Endpoint(
        "/api/v1/audio/config",
        "/api/v1/audio/config/update",
        {"audio.stt.engine": ("stt", "ENGINE"), "audio.stt.whisper_model": ("stt", "WHISPER_MODEL")},
    ),
    # Has a server of Automatic1111 change its model, and refuses sizes that the model does not have.
    Endpoint(
        "/api/v1/images/config",
        "/api/v1/images/config/update",
        {
            "image_generation.engine": ("IMAGE_GENERATION_ENGINE",),
            "image_generation.model": ("IMAGE_GENERATION_MODEL",),
            "image_generation.size": ("IMAGE_SIZE",),
            "image_generation.automatic1111.base_url": ("AUTOMATIC1111_BASE_URL",),
            "image_generation.automatic1111.api_auth": ("AUTOMATIC1111_API_AUTH",),
        },
    ),
)


def write(client: OpenWebUI, current: Settings, different: Settings) -> Settings:
    """Write settings, where they have a place of their own and then all of them.

    :returns: everything the server has then
    :raises ServiceError: the server refuses; what it refuses is as before, and what would have followed too
    """
    for endpoint in ENDPOINTS:
        touched = {name: different[name] for name in endpoint.places if name in different}
        if touched:
            try:
                _send(client, endpoint, touched)
            except ServiceError:
                # Some endpoints store first and fail then: without this the next run would find nothing to do.
                with contextlib.suppress(ServiceError):
                    client.post(IMPORT, {"config": {name: current[name] for name in touched}})
                raise
    # The endpoints leave out and complete this and that. Hybrid search is theirs alone: they switch it off again when
    # the model that it needs cannot be loaded.
    rest = {name: value for name, value in different.items() if name != HYBRID}
    return client.post(IMPORT, {"config": rest})


def _send(client: OpenWebUI, endpoint: Endpoint, settings: Settings) -> None:
    needs = tuple(dict.fromkeys(endpoint.places[name][0] for name in settings))
    body = client.get(endpoint.read, needs) if endpoint.read else {}
    for name, value in settings.items():
        *sections, field = endpoint.places[name]
        part = body
        for section in sections:
            part = part[section]
        part[field] = value
    client.post(endpoint.write, body)
