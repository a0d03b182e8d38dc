# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Model names: ``[scheme://][host/][namespace/]model[:tag]``."""

from __future__ import annotations

import re
import typing as t

DEFAULT_HOST = "registry.ollama.ai"
DEFAULT_NAMESPACE = "library"
DEFAULT_TAG = "latest"

FIRST = "[A-Za-z0-9_]"
PATTERNS = (
    re.compile(FIRST + r"[A-Za-z0-9_.:-]{0,349}"),
    re.compile(FIRST + r"[A-Za-z0-9_-]{0,79}"),
    re.compile(FIRST + r"[A-Za-z0-9_.-]{0,79}"),
    re.compile(FIRST + r"[A-Za-z0-9_.-]{0,79}"),
)


class Name(t.NamedTuple):
    host: str
    namespace: str
    model: str
    tag: str

    @property
    def valid(self) -> bool:
        return all(pattern.fullmatch(part) for pattern, part in zip(PATTERNS, self))

    @property
    def full(self) -> str:
        return f"{self.host}/{self.namespace}/{self.model}:{self.tag}"

    @property
    def short(self) -> str:
        if self.host.lower() != DEFAULT_HOST:
            return self.full
        if self.namespace.lower() != DEFAULT_NAMESPACE:
            return f"{self.namespace}/{self.model}:{self.tag}"
        return f"{self.model}:{self.tag}"


def parse(text: str) -> Name:
    """Split from the right. The scheme is dropped, as the server does for every name that comes over its API."""
    host, namespace, tag = DEFAULT_HOST, DEFAULT_NAMESPACE, DEFAULT_TAG
    if text.rfind(":") > text.rfind("/"):
        text, _colon, tag = text.rpartition(":")
    rest, slash, model = text.rpartition("/")
    if slash:
        rest, slash, namespace = rest.rpartition("/")
        if slash:
            host = rest.partition("://")[2] or rest
    return Name(host, namespace, model, tag)


def split_source(raw: str) -> tuple[str, str]:
    """Take ``:local``, ``:cloud`` or ``-cloud`` off a name: (name, "", "local" or "cloud")."""
    base, source = _source_suffix(raw)
    if source and _source_suffix(base)[1]:
        raise ValueError(f'use either :local or :cloud, not both: "{raw}"')
    return base, source


def _source_suffix(raw: str) -> tuple[str, str]:
    before, colon, suffix = raw.rpartition(":")
    lowered = suffix.strip().lower()
    if colon and lowered in ("local", "cloud"):
        return before, lowered
    if colon and "/" not in suffix and lowered.endswith("-cloud"):
        return raw[: -len("-cloud")], "cloud"
    return raw, ""


def storage_name(raw: str) -> str:
    """The name under which a pull stores what the user asked for: a cloud model keeps a mark in its tag."""
    base, source = split_source(raw)
    if source != "cloud":
        return base
    return f"{base}-cloud" if base.rfind(":") > base.rfind("/") else f"{base}:cloud"
