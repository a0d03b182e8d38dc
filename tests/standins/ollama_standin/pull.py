# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``/api/pull``: manifest, blobs, verification, manifest file, clean-up; each step as a line of progress."""

from __future__ import annotations

import hashlib
import json
import pathlib
import typing as t

from .download import DownloadError, Downloads, Progress, progress
from .names import Name
from .registry_client import RegistryClient, RegistryError
from .store import Store, StoreError, blob_digests, parse_manifest


class Puller:
    def __init__(self, store: Store, downloads: Downloads, version: str, prune: bool) -> None:
        self.store = store
        self.downloads = downloads
        self.version = version
        self.prune = prune

    def pull(self, name: Name, insecure: bool) -> t.Generator[Progress, None, None]:
        """The lines of a pull; a failure is the last one, as the answer has begun with status 200 by then."""
        try:
            yield from self._steps(name, insecure)
        except (RegistryError, DownloadError, OSError, ValueError) as exc:
            yield {"error": str(exc)}

    def _steps(self, name: Name, insecure: bool) -> t.Iterator[Progress]:
        old = self._digests(name)
        scheme = "http" if insecure else "https"
        client = RegistryClient(f"{scheme}://{name.host}", f"{name.namespace}/{name.model}", self.version)
        yield {"status": "pulling manifest"}
        raw, digests = _manifest(client, name.tag)
        fetched = []
        for digest in digests:
            path = self.store.blob_path(digest)
            if path.exists():
                yield progress(digest, path.stat().st_size, path.stat().st_size)
            else:
                yield from self.downloads.fetch(digest, path, client)
                fetched.append(digest)
        yield {"status": "verifying sha256 digest"}
        for digest in fetched:
            _verify(digest, self.store.blob_path(digest))
        yield {"status": "writing manifest"}
        self.store.write(name, raw)
        unused = old - set(digests)
        if self.prune and unused:
            yield {"status": "removing unused layers"}
            self.store.remove_unused(unused)
        yield {"status": "success"}

    def _digests(self, name: Name) -> set[str]:
        try:
            return self.store.get(name).digests
        except (FileNotFoundError, StoreError):
            return set()


def _manifest(client: RegistryClient, tag: str) -> tuple[bytes, list[str]]:
    try:
        raw = client.manifest(tag)
        return raw, blob_digests(*parse_manifest(raw))
    except RegistryError as exc:
        raise RegistryError(f"pull model manifest: {exc}") from exc
    except json.JSONDecodeError as exc:
        words = f"invalid character '{exc.doc[exc.pos]}' looking for beginning of value" if exc.doc[exc.pos :] else ""
        raise RegistryError(f"pull model manifest: {words or 'unexpected end of JSON input'}") from exc


def _verify(digest: str, path: pathlib.Path) -> None:
    found = hashlib.sha256()
    with path.open("rb") as stream:
        for chunk in iter(lambda: stream.read(1 << 20), b""):
            found.update(chunk)
    if f"sha256:{found.hexdigest()}" != digest:
        path.unlink()
        raise DownloadError(
            "digest mismatch, file must be downloaded again: " f"want {digest}, got sha256:{found.hexdigest()}"
        )
