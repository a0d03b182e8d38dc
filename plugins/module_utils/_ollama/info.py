# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""What an Ollama server is, holds and has in memory, and what its registries have."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._http import ServiceError
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.client import OllamaClient
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.names import DEFAULT_HOST, parse, parse_listed
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.registry import Manifest, Registry
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.remote import same_content, stored_blobs

Item = dict[str, t.Any]


def describe(
    client: OllamaClient, names: list[str] | None, registry: Registry | None = None, insecure: bool = False
) -> dict[str, t.Any]:
    """The version of the server, and its models in the store and in memory, sorted by name.

    :arg names: only these models; None: all
    :arg registry: to be asked what it has of these models
    :arg insecure: plain HTTP to the registries, except the public one
    :raises InvalidName: one of the names is none
    """
    wanted = None if names is None else {parse(name).key for name in names}
    version = client.version()
    stored = client.models()
    digests = {_key(item): item.get("digest") for item in stored}
    models = _chosen(stored, wanted)
    running = _chosen(client.running(), wanted)
    remotes: list[Item] = [{} for _item in models]
    warnings = []
    if registry:
        answers = registry.manifests(
            (name, insecure and name.host.casefold() != DEFAULT_HOST)
            for name in (parse_listed(item["name"]) for item in models)
        )
        remotes = [{"remote": remote} for remote in _remotes(client, models, answers, digests.values())]
        unknown = [item["name"] for item in models if _no_answer(answers[_key(item)])]
        if unknown:
            warnings = [f"It is not known what the registry has of {', '.join(unknown)}: see remote.error there."]
    return {
        "version": version,
        "models": [{**_described(item), **remote} for item, remote in zip(models, remotes)],
        "running": [_running(item, digests.get(_key(item))) for item in running],
        "warnings": warnings,
    }


def _remotes(
    client: OllamaClient,
    models: list[Item],
    answers: dict[str, Manifest | ServiceError],
    digests: t.Collection[str | None],
) -> list[Item]:
    same: dict[str, bool] = {}
    needed: dict[str, dict[str, int]] = {}
    for item in models:
        key, manifest = _key(item), answers[_key(item)]
        if isinstance(manifest, Manifest):
            same[key] = same_content(client, item, manifest, digests)
            # A model that lost its weights is listed all the same: of an unchanged one they are looked for.
            needed[key] = {
                layer.digest: layer.size
                for layer in manifest.layers
                if not same[key] or layer.digest == manifest.weights
            }
    stored = stored_blobs(client, (digest for files in needed.values() for digest in files))
    rows = []
    for item in models:
        key, answer = _key(item), answers[_key(item)]
        row: Item = dict.fromkeys(("digest", "size", "missing", "action", "error"))
        if isinstance(answer, Manifest):
            missing = [size for digest, size in needed[key].items() if digest not in stored]
            action = "none" if same[key] and not missing else "updated"
            row.update(digest=answer.digest, size=answer.size, missing=sum(missing), action=action)
        else:
            row["error"] = answer.result()["msg"]
        rows.append(row)
    return rows


def _no_answer(answer: Manifest | ServiceError) -> bool:
    """A registry that does not have a model, one that was made here perhaps, is nothing to warn about."""
    return isinstance(answer, ServiceError) and answer.status != 404


def _chosen(items: list[Item], wanted: set[str] | None) -> list[Item]:
    chosen = (item for item in items if wanted is None or _key(item) in wanted)
    return sorted(chosen, key=lambda item: str(item["name"]))


def _key(item: Item) -> str:
    return parse_listed(item["name"]).key


def _described(item: Item) -> Item:
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


def _running(item: Item, stored_digest: str | None) -> Item:
    fields = ("name", "digest", "size", "size_vram", "context_length", "expires_at")
    return {**{field: item.get(field) for field in fields}, "outdated": item.get("digest") != stored_digest}
