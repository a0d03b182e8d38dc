# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``/api/pull``: manifest, blobs, verification, manifest file, clean-up; each step as a line of progress."""

from __future__ import annotations

import hashlib
import json
import pathlib
import typing as t

from .download import DownloadError
from .downloads import Downloads, Progress, progress
from .listing import Listing
from .manifest import Blob, blobs_of, parse_manifest
from .names import Name
from .registry_client import RegistryClient, RegistryError
from .reply import ApiError, Lines

TENSOR_TYPE = "application/vnd.ollama.image.tensor"


class Puller:
    """:arg prune: whether blobs that only the old manifest used are removed"""

    def __init__(self, listing: Listing, downloads: Downloads, version: str, prune: bool) -> None:
        self.listing = listing
        self.store = listing.store
        self.downloads = downloads
        self.version = version
        self.prune = prune

    def pull(self, name: Name, insecure: bool) -> Lines:
        """:raises ApiError: when it fails; the answer has begun with status 200 by then"""
        try:
            yield from self._steps(name, insecure)
        except ConnectionError:
            raise
        except (RegistryError, DownloadError, OSError, ValueError) as exc:
            raise ApiError(500, str(exc)) from exc

    def _steps(self, name: Name, insecure: bool) -> t.Iterator[Progress]:
        old = self.store.digests(name)
        scheme = "http" if insecure else "https"
        client = RegistryClient(f"{scheme}://{name.host}", f"{name.namespace}/{name.model}", self.version)
        yield {"status": "pulling manifest"}
        raw, layers, config = _manifest(client, name.tag)
        if any(layer.get("mediaType") == TENSOR_TYPE for layer in layers):
            raise RegistryError("this model requires MLX support, but the MLX runtime is not available")
        digests = blobs_of(layers, config)
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
        self.listing.refresh(name)
        yield {"status": "success"}


def _manifest(client: RegistryClient, tag: str) -> tuple[bytes, list[Blob], Blob]:
    try:
        raw = client.manifest(tag)
        return (raw, *parse_manifest(raw))
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
