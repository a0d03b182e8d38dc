# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""Replacing a model: a second name holds the old one until the new one is proved.

A runner is bound to the file of its weights. When a name has got other weights, the old runner cannot be ended by that
name any more (Ollama 0.33): only by a name that still has them.
"""

from __future__ import annotations

import contextlib
import hashlib
import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._http import ServiceError
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.client import OllamaClient
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.names import DEFAULT_HOST, ModelName

NAMESPACE = "selfhosted-llm-replaced"


def second_name(name: ModelName, owner: str) -> ModelName:
    """Where a model waits while it is replaced.

    :arg owner: whose runs exclude each other. The next one finds what an earlier one has left, and leaves alone what
        may be in use elsewhere.
    """
    return ModelName(DEFAULT_HOST, NAMESPACE, _short_hash(name.key), _short_hash(owner))


def is_second_name(name: ModelName) -> bool:
    return (name.host.casefold(), name.namespace.casefold()) == (DEFAULT_HOST, NAMESPACE)


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Replacement:
    """A context in which a model may be overwritten. Whatever ends it with an error leaves the old one.

    :arg owner: whose runs exclude each other
    :arg loaded: whether the model is in memory
    """

    def __init__(self, client: OllamaClient, name: ModelName, owner: str, loaded: bool) -> None:
        self.client = client
        self.name = str(name)
        self.second = str(second_name(name, owner))
        self.loaded = loaded
        self.only_copy = False

    def __enter__(self) -> Replacement:
        self.client.copy(self.name, self.second)
        return self

    def restore(self) -> None:
        """Bring the old model back; a copy alone would leave the files of the new one behind."""
        self.only_copy = True
        if all(item["name"] != self.second for item in self.client.models()):
            raise ServiceError(
                f"The old {self.name} is gone: somebody has removed {self.second}.",
                self.client.http.url("/api/delete"),
            )
        self.client.delete(self.name)
        self.client.copy(self.second, self.name)
        self.only_copy = False

    def __exit__(self, kind: t.Any, *_details: t.Any) -> None:
        if kind is None:
            if self.loaded:
                self.client.unload(self.second)
            self.client.delete(self.second)
        elif not self.only_copy:
            # The next run finds a leftover, and what went wrong before says more.
            with contextlib.suppress(ServiceError):
                self.client.delete(self.second)
