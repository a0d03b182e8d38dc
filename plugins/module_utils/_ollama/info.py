# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""What an Ollama server is and holds."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.client import OllamaClient
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.names import parse, parse_listed


def describe(client: OllamaClient, names: list[str] | None) -> dict[str, t.Any]:
    """The version of the server and its models, sorted by name.

    :arg names: only these models; None: all
    :raises InvalidName: one of the names is none
    """
    wanted = None if names is None else {parse(name).key for name in names}
    version = client.version()
    models = [
        _described(item)
        for item in sorted(client.models(), key=lambda item: item["name"])
        if wanted is None or parse_listed(item["name"]).key in wanted
    ]
    return {"version": version, "models": models}


def _described(item: dict[str, t.Any]) -> dict[str, t.Any]:
    details = item.get("details") or {}
    return {
        "name": item["name"],
        "digest": item.get("digest"),
        "size": item.get("size"),
        "modified_at": item.get("modified_at"),
        "family": details.get("family"),
        "parameter_size": details.get("parameter_size"),
        "quantization": details.get("quantization_level"),
        "capabilities": item.get("capabilities"),
    }
