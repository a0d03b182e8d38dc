# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The handlers of ``/api``: what is stored, and pulls."""

from __future__ import annotations

import os
import typing as t

from . import names
from .binding import bind
from .create import Creator, check_files
from .listing import Listing
from .pull import Puller
from .reply import ApiError, Reply, error_reply, json_reply, progress_reply

CLOUD_DISABLED = "ollama cloud is disabled: remote model details are unavailable"


class ModelApi:
    def __init__(self, listing: Listing, puller: Puller, version: str) -> None:
        self.listing = listing
        self.store = listing.store
        self.puller = puller
        self.creator = Creator(listing, puller)
        self.version_number = version

    def root(self) -> Reply:
        return Reply(body=b"Ollama is running", content_type="text/plain; charset=utf-8")

    def version(self) -> Reply:
        return json_reply({"version": self.version_number})

    def status(self) -> Reply:
        disabled = os.environ.get("OLLAMA_NO_CLOUD", "").lower() in ("1", "true")
        return json_reply({"cloud": {"disabled": disabled, "source": "env" if disabled else "none"}})

    def tags(self) -> Reply:
        return json_reply({"models": self.listing.items()})

    def show(self, raw: bytes) -> Reply:
        body = bind("ShowRequest", raw)
        asked = _model(body)
        if not asked.strip():
            raise ApiError(400, "model is required")
        base, source = names.split_source(asked.strip())
        if not names.parse(base).valid:
            raise ApiError(400, "invalid model name")
        if source == "cloud":
            raise ApiError(403, CLOUD_DISABLED)
        name = self.store.existing(names.parse(base))
        try:
            return json_reply(self.listing.show(name, body.get("verbose", False)))
        except FileNotFoundError:
            raise ApiError(404, f"model '{name.short}' not found") from None

    def pull(self, raw: bytes) -> Reply:
        body = bind("PullRequest", raw)
        asked = _model(body).strip()
        name = names.parse(names.storage_name(asked))
        if not asked or not name.valid:
            raise ApiError(400, "invalid model name")
        lines = self.puller.pull(self.store.existing(name), body.get("insecure", False))
        return progress_reply(lines, body.get("stream", True))

    def create(self, raw: bytes) -> Reply:
        body = bind("CreateRequest", raw)
        check_files(body)
        name = names.parse(_model(body))
        if not name.valid:
            raise ApiError(400, "invalid model name")
        return progress_reply(self.creator.create(self.store.existing(name), body), body.get("stream", True))

    def delete(self, raw: bytes) -> Reply:
        asked = _model(bind("DeleteRequest", raw))
        if not asked.strip():
            raise ApiError(400, "model is required")
        name = names.parse(names.storage_name(asked.strip()))
        if not name.valid:
            raise ApiError(400, f'name "{asked}" is invalid')
        try:
            self.store.delete(self.store.get(self.store.existing(name)))
        except FileNotFoundError:
            raise ApiError(404, f"model '{asked}' not found") from None
        return Reply()

    def copy(self, raw: bytes) -> Reply:
        body = bind("CopyRequest", raw)
        pair = []
        for field in ("source", "destination"):
            name = names.parse(body.get(field, ""))
            if not name.valid:
                escaped = body.get(field, "").replace("\n", "\\n")
                raise ApiError(400, f'{field} "{escaped}" is invalid')
            pair.append(self.store.existing(name))
        try:
            self.store.copy(*pair)
        except FileNotFoundError:
            raise ApiError(404, f'model "{body["source"]}" not found') from None
        self.listing.refresh(pair[1])
        return Reply()

    def head_blob(self, digest: str) -> Reply:
        if self.store.blob_path(digest).exists():
            return Reply()
        return error_reply(404, f'blob "{digest}" not found')

    def post_blob(self, digest: str, chunks: t.Iterable[bytes]) -> Reply:
        if self.store.blob_path(digest).exists():
            return Reply()
        stored, _is_new = self.store.add_blob(chunks)
        if stored != digest:
            raise ApiError(400, f'digest mismatch, expected "{digest}", got "{stored}"')
        return Reply(201)


def _model(body: dict[str, t.Any]) -> str:
    """``name`` is the older spelling of the field and still taken."""
    return body.get("model") or body.get("name") or ""
