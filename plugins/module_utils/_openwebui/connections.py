# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""Connections to Ollama servers: a list of URLs, and settings that the server keeps by the place in that list."""

from __future__ import annotations

import re
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.selfhosted.llm.plugins.module_utils._http import ApiError
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import InputError, OpenWebUI
from ansible_collections.selfhosted.llm.plugins.module_utils._reconcile import Changes

MARK = "selfhosted.llm"
URL = re.compile(r"https?://[^\s/?#@]+(/[^\s?#@]*)?")
ENTRY: dict[str, t.Any] = {
    "url": {"type": "str", "required": True},
    "enable": {"type": "bool", "default": True},
    "prefix_id": {"type": "str"},
    "model_ids": {"type": "list", "elements": "str"},
    "tags": {"type": "list", "elements": "str"},
    "key": {"type": "str", "no_log": True},
}
FIELDS = ("ENABLE_OLLAMA_API", "OLLAMA_BASE_URLS", "OLLAMA_API_CONFIGS")


class Connection(t.NamedTuple):
    """A URL as the server keeps it, and its settings with everything that somebody put there."""

    url: str
    config: dict[str, t.Any]

    @property
    def key(self) -> str:
        """By what two spellings of the same URL are recognised."""
        return self.url.rstrip("/")

    @property
    def owned(self) -> bool:
        """Whether this collection made it."""
        return self.config.get("managed_by") == MARK

    @property
    def shown(self) -> dict[str, t.Any]:
        """What may be seen of it; other settings can hold secrets."""
        fields = ("enable", "prefix_id", "model_ids", "tags")
        return {"url": _without_user(self.url), **{key: self.config[key] for key in fields if key in self.config}}


def secrets_of(connections: list[t.Any]) -> list[str]:
    """The keys in a module's O(connections)."""
    return [str(item["key"]) for item in connections if isinstance(item, dict) and item.get("key")]


def ensure_connections(
    client: OpenWebUI, connections: list[t.Any], exclusive: str, allow_empty: bool, check_mode: bool
) -> dict[str, t.Any]:
    """Bring the list of Ollama connections to what is wanted.

    :arg connections: URLs, or dicts after ``ENTRY``
    :arg exclusive: which of the others go: ``none``, ``owned`` or ``all``
    :raises InputError: an entry makes no sense, or the list would be emptied; nothing was written
    """
    wanted = _validated(client, connections)
    answer = client.get("/ollama/config", needs=FIELDS)
    before = _connections(answer)
    after = _arranged(before, wanted, exclusive)
    removed = _missing(before, after)
    if removed and not wanted and not allow_empty:
        raise InputError(
            f"The list of connections is empty, and {len(removed)} of {client.http.base_url} would be removed.",
            client.http.base_url,
            hint="If that is meant, set allow_empty.",
        )
    body = {
        "ENABLE_OLLAMA_API": bool(wanted) or answer["ENABLE_OLLAMA_API"],
        "OLLAMA_BASE_URLS": [connection.url for connection in after],
        "OLLAMA_API_CONFIGS": {str(i): connection.config for i, connection in enumerate(after) if connection.config},
    }
    changes = _changes(before, after, removed)
    changes.compare("ENABLE_OLLAMA_API", answer["ENABLE_OLLAMA_API"], body["ENABLE_OLLAMA_API"])
    if changes and not check_mode:
        # The server replaces the whole, and a field that is left out becomes null.
        client.post("/ollama/config/update", body)
        stored = client.get("/ollama/config", needs=FIELDS)
        lost = [field for field in FIELDS if stored[field] != body[field]]
        if lost:
            raise ApiError(
                f"{client.http.base_url} took the connections, but does not have {', '.join(lost)} as sent.",
                client.http.base_url,
                200,
                "If somebody else is changing the connections just now, run this again.",
            )
    return {**changes.result(), "connections": _rows(before, after, removed)}


def _validated(client: OpenWebUI, connections: list[t.Any]) -> list[Connection]:
    wanted: list[Connection] = []
    problems = []
    validator = ArgumentSpecValidator(ENTRY)
    for item in connections:
        result = validator.validate(item if isinstance(item, dict) else {"url": item})
        problems += result.error_messages
        entry = result.validated_parameters
        url = str(entry.get("url") or "").rstrip("/")
        if not URL.fullmatch(url):
            problems.append(f"{_without_user(url)!r} is no URL of the form http://gpu1:11434")
        if url in [connection.url for connection in wanted]:
            problems.append(f"{url} is given more than once")
        config = {key: value for key, value in entry.items() if key != "url" and value is not None}
        if "tags" in config:
            config["tags"] = [{"name": name} for name in config["tags"]]
        wanted.append(Connection(url, {**config, "managed_by": MARK}))
    if problems:
        raise InputError(f"Nothing was sent to {client.http.base_url}: {'; '.join(problems)}.", client.http.base_url)
    return wanted


def _connections(answer: dict[str, t.Any]) -> list[Connection]:
    configs = answer["OLLAMA_API_CONFIGS"] or {}
    # Old versions kept the settings by URL; the server still reads them so, and drops them when it writes.
    return [
        Connection(url, configs.get(str(index), configs.get(url, {})))
        for index, url in enumerate(answer["OLLAMA_BASE_URLS"] or [])
    ]


def _arranged(before: list[Connection], wanted: list[Connection], exclusive: str) -> list[Connection]:
    """Those made by hand keep their places; the wanted ones take theirs and the end of the list, in their own order."""
    present = _by_key(before)
    queue = [
        (
            Connection(connection.url, {**present[connection.url].config, **connection.config})
            if connection.url in present
            else connection
        )
        for connection in wanted
    ]
    places = {connection.url for connection in wanted}
    after = []
    for connection in before:
        if connection.key in places:
            places.remove(connection.key)
            after.append(queue.pop(0))
        elif exclusive == "none" or (exclusive == "owned" and not connection.owned):
            after.append(connection)
    return after + queue


def _by_key(connections: list[Connection]) -> dict[str, Connection]:
    found: dict[str, Connection] = {}
    for connection in connections:
        found.setdefault(connection.key, connection)
    return found


def _missing(before: list[Connection], after: list[Connection]) -> list[Connection]:
    left = [connection.key for connection in after]
    missing = []
    for connection in before:
        if connection.key in left:
            left.remove(connection.key)
        else:
            missing.append(connection)
    return missing


def _changes(before: list[Connection], after: list[Connection], removed: list[Connection]) -> Changes:
    changes = Changes()
    present = _by_key(before)
    for connection in removed:
        changes.compare(f"removed {connection.shown['url']}", connection.shown, None)
    for connection in after:
        old = present.get(connection.key)
        if connection in before:
            continue
        if old is None:
            changes.compare(f"added {connection.url}", None, connection.shown)
            continue
        changes.compare(f"{connection.shown['url']} spelling", old.shown["url"], connection.shown["url"])
        for field in connection.config:
            values = (old.config.get(field), connection.config[field])
            if field == "key" and values[0] != values[1]:
                values = ("another one", "as given")
            changes.compare(f"{connection.shown['url']} {field}", *values)
    order = [[entry.shown["url"] for entry in entries] for entries in (before, after)]
    changes.compare("order", *order)
    return changes


def _rows(before: list[Connection], after: list[Connection], removed: list[Connection]) -> list[dict[str, t.Any]]:
    present = _by_key(before)
    rows = []
    for index, connection in enumerate(after):
        old = present.get(connection.key)
        action = "added" if old is None else "none" if connection in before else "updated"
        rows.append(_row(index, connection, action))
    return rows + [_row(None, connection, "removed") for connection in removed]


def _row(index: int | None, connection: Connection, action: str) -> dict[str, t.Any]:
    return {
        "index": index,
        "url": connection.shown["url"],
        "enable": connection.config.get("enable", True),
        "owned": connection.owned,
        "action": action,
    }


def _without_user(url: str) -> str:
    return re.sub(r"//[^/]*@", "//", url)
