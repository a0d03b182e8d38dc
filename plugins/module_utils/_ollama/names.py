# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""Model names: what a user writes, what the server stores, and when the two mean the same model."""

from __future__ import annotations

import re
import typing as t

DEFAULT_HOST = "registry.ollama.ai"
DEFAULT_NAMESPACE = "library"
DEFAULT_TAG = "latest"
PARTS = {
    "host": re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}"),
    "namespace": re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}"),
    "model": re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}"),
    "tag": re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}"),
}


class InvalidInput(ValueError):
    """What the user wrote makes no sense; found before anything was sent."""


class InvalidName(InvalidInput):
    """The server would refuse this name."""

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(
            f"{text!r} is not a model name: {reason}."
            " A name is MODEL, NAMESPACE/MODEL or HOST[:PORT]/NAMESPACE/MODEL, each with or without :TAG."
        )


class ModelName(t.NamedTuple):
    """A complete name. Its text is the shortest form, always with a tag, as the server lists it."""

    host: str
    namespace: str
    model: str
    tag: str

    def __str__(self) -> str:
        short = f"{self.model}:{self.tag}"
        if self.host.casefold() != DEFAULT_HOST:
            return f"{self.host}/{self.namespace}/{short}"
        return short if self.namespace.casefold() == DEFAULT_NAMESPACE else f"{self.namespace}/{short}"

    @property
    def key(self) -> str:
        """Equal for equal models: the server compares without case and adopts spellings from other models."""
        return "/".join(self).casefold()

    @property
    def addressable(self) -> bool:
        """Whether the API can reach the stored model: it takes ``:local`` off every name that it is given."""
        try:
            return parse(str(self)).key == self.key
        except InvalidName:
            return False


def parse(text: str) -> ModelName:
    """The model that the API takes a user's text for.

    :raises InvalidName: the server would answer 400
    """
    return _split(_without_source(text.strip()), text)


def parse_listed(text: str) -> ModelName:
    """The model that ``/api/tags`` lists under this text, where a suffix has no meaning of its own."""
    return _split(text, text)


def spelled_as(name: ModelName, stored: list[ModelName]) -> ModelName:
    """The name as the server will ask for it and store it: it adopts each part from any model that it has."""
    parts = []
    for position, part in enumerate(name):
        equal = (other[position] for other in stored if other[position].casefold() == part.casefold())
        parts.append(next(equal, part))
    return ModelName(*parts)


def _without_source(text: str) -> str:
    """``:local`` means nothing; ``:cloud`` is part of the tag that the server stores."""
    base, source = _cut_source(text)
    if source and _cut_source(base)[1]:
        raise InvalidName(text, "use either :local or :cloud, once")
    if source != "cloud":
        return base
    return f"{base}-cloud" if ":" in base.rpartition("/")[2] else f"{base}:cloud"


def _cut_source(text: str) -> tuple[str, str]:
    base, colon, suffix = text.rpartition(":")
    suffix = suffix.strip()
    if colon and suffix.lower() in ("cloud", "local"):
        return base, suffix.lower()
    if colon and "/" not in suffix and suffix.lower().endswith("-cloud"):
        return f"{base}:{suffix[: -len('-cloud')]}", "cloud"
    return text, ""


def _split(text: str, original: str) -> ModelName:
    path, tag = text, DEFAULT_TAG
    if ":" in text.rpartition("/")[2]:
        path, _colon, tag = text.rpartition(":")
    *rest, model = path.rsplit("/", 2)
    namespace = rest.pop() if rest else DEFAULT_NAMESPACE
    host = rest.pop().rpartition("://")[2] if rest else DEFAULT_HOST
    name = ModelName(host, namespace, model, tag)
    for kind, part in zip(PARTS, name):
        if not PARTS[kind].fullmatch(part):
            raise InvalidName(original, _reason(kind, part, text))
    return name


def _reason(kind: str, part: str, text: str) -> str:
    if not text:
        return "it is empty"
    if "@" in text:
        return "a model cannot be named by a digest"
    if kind == "host" and "/" in part:
        return "it has more than three parts, and a registry path cannot have a prefix"
    if kind == "host" and part.startswith("["):
        return "the host cannot be an IPv6 address"
    if kind == "namespace" and (":" in part or "." in part):
        return f"the namespace between the host and the model is missing, or {part!r} cannot be one"
    return f"its {kind} {part!r} is empty, too long or has a character that is not allowed there"
