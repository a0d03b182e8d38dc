# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""How Open WebUI keeps connections: a list of URLs, and settings by the place in that list. Two kinds of it."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import OpenWebUI

MARK = "selfhosted.llm"
# What the program itself begins with, for an account that nobody has given it.
SEED = "https://api.openai.com/v1"
SECRETS = ("key", "headers")
COMMON: dict[str, t.Any] = {
    "url": {"type": "str", "required": True},
    "enable": {"type": "bool", "default": True},
    "key": {"type": "str", "no_log": True},
    "auth_type": {"type": "str", "choices": ["bearer", "none", "session", "system_oauth", "microsoft_entra_id"]},
    "headers": {"type": "dict", "no_log": True},
    "prefix_id": {"type": "str"},
    "model_ids": {"type": "list", "elements": "str"},
    "tags": {"type": "list", "elements": "str"},
    "connection_type": {"type": "str", "choices": ["local", "external"]},
}
OPENAI: dict[str, t.Any] = {
    **COMMON,
    "provider": {"type": "str", "choices": ["default", "azure", "llama.cpp", "lmstudio", "litellm"]},
    "api_version": {"type": "str"},
    "api_type": {"type": "str", "choices": ["chat_completions", "responses"]},
    "forward_cookies": {"type": "bool"},
    "passthrough_params": {"type": "list", "elements": "str"},
}
SHOWN = [name for name in OPENAI if name not in (*SECRETS, "url")]
# The server has no word for what is the case without one.
UNNAMED = {"provider": "default", "api_type": "chat_completions"}


class Connection(t.NamedTuple):
    """A URL as the server keeps it, and its settings with everything that somebody put there, the key among them."""

    url: str
    config: dict[str, t.Any]

    @property
    def address(self) -> str:
        """By what two spellings of the same URL are recognised."""
        return self.url.rstrip("/")

    @property
    def prefix(self) -> str:
        """By what two connections with the same URL are told apart."""
        return self.config.get("prefix_id") or ""

    @property
    def label(self) -> str:
        """What a message calls it."""
        return public(self.address) + (f" ({self.prefix})" if self.prefix else "")

    @property
    def untouched(self) -> bool:
        """Whether it is only what the program begins with."""
        return self.address == SEED and not any(self.config.values())

    @property
    def owned(self) -> bool:
        """Whether this collection made it, or nobody did."""
        return self.untouched or self.config.get("managed_by") == MARK

    @property
    def shown(self) -> dict[str, t.Any]:
        """What may be seen of it. What others have put there can hold secrets."""
        return {"url": public(self.url), **{name: self.config[name] for name in SHOWN if name in self.config}}

    @property
    def secrets(self) -> list[str]:
        """The key and the values of the headers."""
        headers = self.config.get("headers")
        values = [self.config.get("key"), *(headers.values() if isinstance(headers, dict) else ())]
        return [str(value) for value in values if value]

    def without_secrets(self, text: str) -> str:
        """The words of a server, which may repeat what it was given."""
        # Of "Bearer abc" they may repeat the token alone. The longest first: one may be a part of another.
        words = {word for value in self.secrets for word in value.split() if len(word) > 2}
        for word in sorted(words, key=len, reverse=True):
            text = text.replace(word, "********")
        return text


class Kind(t.NamedTuple):
    """Where the server keeps the connections of one type.

    :attr path: of its API
    :attr options: what an entry may have
    :attr keys: the field for the keys, empty where they stand among the settings
    :attr proof: what the answer of a server of this type has
    """

    path: str
    options: dict[str, t.Any]
    enable: str
    urls: str
    configs: str
    keys: str
    proof: str

    @property
    def fields(self) -> tuple[str, ...]:
        """What the server's answer must have."""
        return tuple(filter(None, (self.enable, self.urls, self.configs, self.keys)))

    def connections(self, answer: dict[str, t.Any]) -> list[Connection]:
        """What the server has."""
        urls, configs = answer[self.urls] or [], answer[self.configs] or {}
        # Old versions kept the settings by URL; the server still reads them so, and drops them when it writes.
        found = [Connection(url, configs.get(str(index), configs.get(url, {}))) for index, url in enumerate(urls)]
        if not self.keys:
            return found
        keys = [*(answer[self.keys] or []), *([""] * len(urls))]
        return [Connection(url, {**config, "key": key}) for (url, config), key in zip(found, keys)]

    def body(self, connections: list[Connection], enable: bool) -> dict[str, t.Any]:
        """What the server is sent. It replaces the whole, and a field that is left out becomes null."""
        configs = [self.settings(connection) for connection in connections]
        body = {
            self.enable: enable,
            self.urls: [connection.url for connection in connections],
            self.configs: {str(index): config for index, config in enumerate(configs) if config},
        }
        if self.keys:
            body[self.keys] = [connection.config.get("key", "") for connection in connections]
        return body

    def settings(self, connection: Connection) -> dict[str, t.Any]:
        """The settings of a connection as the server keeps them by its place."""
        return {name: value for name, value in connection.config.items() if name != "key" or not self.keys}


KINDS = {
    "ollama": Kind(
        "/ollama", COMMON, "ENABLE_OLLAMA_API", "OLLAMA_BASE_URLS", "OLLAMA_API_CONFIGS", keys="", proof="version"
    ),
    "openai": Kind(
        "/openai",
        OPENAI,
        "ENABLE_OPENAI_API",
        "OPENAI_API_BASE_URLS",
        "OPENAI_API_CONFIGS",
        keys="OPENAI_API_KEYS",
        proof="data",
    ),
}


def stored(entry: dict[str, t.Any]) -> Connection:
    """The connection that an entry describes, in the server's words."""
    config = {name: value for name, value in entry.items() if name != "url" and value is not None}
    for name, word in UNNAMED.items():
        if config.get(name) == word:
            config[name] = ""
    if "provider" in config:
        # The server reads either of the two.
        config["azure"] = config["provider"] == "azure"
    if "tags" in config:
        config["tags"] = [{"name": name} for name in config["tags"]]
    if "headers" in config:
        config["headers"] = {str(name): str(value) for name, value in config["headers"].items()}
    return Connection(str(entry.get("url") or "").rstrip("/"), {**config, "managed_by": MARK})


def entries(client: OpenWebUI, kind: Kind) -> list[dict[str, t.Any]]:
    """What the server has, in the form of the module's options, secrets included."""
    answer = client.get(f"{kind.path}/config", needs=kind.fields)
    used = bool(answer[kind.enable])
    return [_entry(kind, connection, used) for connection in kind.connections(answer) if not connection.untouched]


def _entry(kind: Kind, connection: Connection, used: bool) -> dict[str, t.Any]:
    """Only what differs from a connection without settings."""
    config = connection.config
    entry = {name: config[name] for name in kind.options if name != "enable" and config.get(name)}
    if config.get("azure"):
        entry["provider"] = "azure"
    if "tags" in entry:
        entry["tags"] = [tag["name"] for tag in entry["tags"]]
    if not (used and config.get("enable", True)):
        entry["enable"] = False
    return {"url": connection.address, **entry}


def public(url: str) -> str:
    """A URL without what can be secret in it."""
    return re.sub(r"//[^/]*@", "//", url).partition("?")[0]
