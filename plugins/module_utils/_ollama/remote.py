# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""Whether a server holds what a registry has, found out without a pull."""

from __future__ import annotations

import typing as t
from hashlib import sha256

from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.client import OllamaClient
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.comparison import blobs
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.registry import Layer, Manifest, in_parallel


def same_content(
    client: OllamaClient, item: dict[str, t.Any], manifest: Manifest, listed: t.Collection[t.Any] = ()
) -> bool:
    """Whether a listed model is that of a manifest, though its own manifest may be written differently.

    Servers before 0.19 wrote manifests anew, and a registry may do so. A doubt counts as a difference: the pull that
    follows fetches what is not there, which may be the manifest alone, and leaves equal digests.

    :arg item: the model in ``/api/tags``
    :arg listed: the digests of all models there
    """
    if item.get("digest") == manifest.digest:
        return True
    # Beside another model of this manifest its files are there anyway, and say nothing about this model.
    if manifest.digest in listed or item.get("size") != manifest.size or not manifest.weights:
        return False
    shown = client.show(item["name"])
    if shown is None or _weights(shown) != manifest.weights:
        return False
    for kind in ("template", "system"):
        digest = manifest.digest_of(kind)
        if digest and digest != f"sha256:{sha256(shown.get(kind, '').encode()).hexdigest()}":
            return False
    return not missing(client, manifest)


def missing(client: OllamaClient, manifest: Manifest) -> list[Layer]:
    """The files of a model that the store lacks, each once."""
    layers = {layer.digest: layer for layer in manifest.layers}
    stored = stored_blobs(client, layers)
    return [layer for digest, layer in layers.items() if digest not in stored]


def weights_shown(client: OllamaClient, name: str) -> bool:
    """Whether a model is there with the weights that it names. The server may remember what it has shown before."""
    shown = client.show(name)
    weights = _weights(shown) if shown else None
    return shown is not None and (weights is None or client.has_blob(weights))


def weights_present(client: OllamaClient, manifest: Manifest) -> bool:
    """Whether the weights are in the store: the server lists a model without them as well."""
    return manifest.weights is None or client.has_blob(manifest.weights)


def stored_blobs(client: OllamaClient, digests: t.Iterable[str]) -> set[str]:
    """Those of the digests that the store has files of. Asks for all at once."""
    distinct = sorted(set(digests))
    return {digest for digest, stored in zip(distinct, in_parallel(client.has_blob, distinct)) if stored}


def _weights(shown: dict[str, t.Any]) -> str | None:
    # A projector has a FROM line as well, behind the one of the weights.
    return next(iter(blobs(shown, "FROM")), None)
