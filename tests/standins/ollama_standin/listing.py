# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the server says of its models, remembered as long as the manifest of a model keeps its digest."""

from __future__ import annotations

import threading
import typing as t

from .describe import Model
from .manifest import Manifest
from .names import Name
from .store import Store, StoreError

Item = dict[str, t.Any]


class Listing:
    """For ``/api/tags`` and ``/api/show``. What was remembered outlives blobs that were lost meanwhile."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.lock = threading.Lock()
        self.listed: dict[Name, tuple[str, int, Item]] = {}
        self.shown: dict[tuple[Name, bool], tuple[str, Item]] = {}
        self.items()

    def items(self) -> list[Item]:
        """Newest first, by whole seconds; a model whose config or template cannot be read is left out."""
        with self.lock:
            manifests = {manifest.name: manifest for manifest in self.store.manifests()}
            for name in set(self.listed) - set(manifests):
                del self.listed[name]
            for name, manifest in manifests.items():
                if name not in self.listed or self.listed[name][0] != manifest.digest:
                    self._list(manifest)
            found = sorted(self.listed.values(), key=lambda entry: entry[1] // 10**9, reverse=True)
        return [item for _digest, _modified, item in found]

    def refresh(self, name: Name) -> None:
        """The server has changed this model."""
        with self.lock:
            self.listed.pop(name, None)
            try:
                self._list(self.store.get(name))
            except (FileNotFoundError, StoreError):
                return

    def show(self, name: Name, verbose: bool) -> Item:
        """:raises FileNotFoundError: when there is no such model or something of it is missing"""
        manifest = self.store.get(name)
        digest, item = self.shown.get((name, verbose), ("", {}))
        if digest != manifest.digest:
            item = Model(self.store, manifest).shown(verbose)
            self.shown[name, verbose] = (manifest.digest, item)
        return item

    def _list(self, manifest: Manifest) -> None:
        self.listed.pop(manifest.name, None)
        try:
            item = Model(self.store, manifest).listed()
        except (FileNotFoundError, ValueError):
            return
        self.listed[manifest.name] = (manifest.digest, manifest.modified_ns, item)
