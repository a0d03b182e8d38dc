# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""Connections to Ollama servers and to services with the OpenAI API: bringing the server's list to what is wanted."""

from __future__ import annotations

import re
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.selfhosted.llm.plugins.module_utils._http import EXCERPT, ApiError
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import InputError, OpenWebUI
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.connection_kinds import (
    SECRETS,
    Connection,
    Kind,
    public,
    stored,
)
from ansible_collections.selfhosted.llm.plugins.module_utils._reconcile import Changes

URL = re.compile(r"https?://[^\s/?#@]+(/[^\s?#@]*)?")
AZURE_V1 = re.compile(r"/openai/v1(/|$)")


class Step(t.NamedTuple):
    """What happens to one connection: ``before`` is None for a new one, ``after`` for one that goes."""

    before: Connection | None
    after: Connection | None

    @property
    def row(self) -> dict[str, t.Any]:
        """What a result says of it."""
        connection = t.cast(Connection, self.after or self.before)
        return {
            "url": public(connection.url),
            "prefix_id": connection.prefix,
            "enable": connection.config.get("enable", True),
            "owned": connection.owned,
            "action": self.action,
        }

    @property
    def action(self) -> str:
        """The word for it in a result."""
        if self.before is None:
            return "added"
        if self.after is None:
            return "removed"
        return "none" if self.before == self.after else "updated"


def ensure_connections(
    client: OpenWebUI,
    kind: Kind,
    connections: list[t.Any],
    exclusive: str,
    allow_empty: bool,
    verify: bool,
    check_mode: bool,
) -> dict[str, t.Any]:
    """Bring the connections of one kind to what is wanted.

    :arg kind: one of ``KINDS``
    :arg connections: URLs, or dicts with the options of the kind
    :arg exclusive: which of the others go: ``none``, ``owned`` or ``all``
    :arg verify: have the server ask those that are new or different before anything is written
    :raises InputError: an entry makes no sense, a connection is of no use, or the list would be emptied; nothing was
        written
    """
    wanted = _validated(client, kind, connections)
    answer = client.get(f"{kind.path}/config", needs=kind.fields)
    before = kind.connections(answer)
    steps = _steps(before, wanted, exclusive)
    after = [step.after for step in steps if step.after]
    if len(after) < len(steps) and not wanted and not allow_empty:
        raise InputError(
            f"The list of connections is empty, and {len(steps) - len(after)} of {client.http.base_url} would be "
            "removed.",
            client.http.base_url,
            hint="If that is meant, set allow_empty.",
        )
    _refuse_useless(client, kind, steps, verify)
    body = kind.body(after, bool(wanted) or answer[kind.enable])
    changes = _changes(steps)
    changes.compare("order", [entry.label for entry in before], [entry.label for entry in after])
    changes.compare(kind.enable, answer[kind.enable], body[kind.enable])
    if changes and not check_mode:
        client.post(f"{kind.path}/config/update", body)
        stored_now = client.get(f"{kind.path}/config", needs=kind.fields)
        lost = [field for field in kind.fields if stored_now[field] != body[field]]
        if lost:
            raise ApiError(
                f"{client.http.base_url} took the connections, but does not have {', '.join(lost)} as sent.",
                client.http.base_url,
                200,
                "If somebody else is changing the connections just now, run this again.",
            )
    # Those that go stand at the end.
    rows = [{"index": place if step.after else None, **step.row} for place, step in enumerate(steps)]
    return {**changes.result(), "connections": rows}


def _validated(client: OpenWebUI, kind: Kind, connections: list[t.Any]) -> list[Connection]:
    wanted: list[Connection] = []
    problems = []
    validator = ArgumentSpecValidator(kind.options)
    for item in connections:
        if not isinstance(item, (dict, str)):
            problems.append(f"an element of type {item.__class__.__name__} is neither a URL nor a dictionary")
            continue
        result = validator.validate(item if isinstance(item, dict) else {"url": item})
        if result.error_messages:
            problems += result.error_messages
            continue
        connection = stored(result.validated_parameters)
        problems += _problems(connection)
        if (connection.address, connection.prefix) in [(other.address, other.prefix) for other in wanted]:
            problems.append(f"{connection.label} is given more than once")
        wanted.append(connection)
    if problems:
        raise InputError(f"Nothing was sent to {client.http.base_url}: {'; '.join(problems)}.", client.http.base_url)
    return wanted


def _problems(connection: Connection) -> t.Iterator[str]:
    if not URL.fullmatch(connection.url):
        yield f"{public(connection.url)!r} is not a URL of the form http://gpu1:11434 without user and query"
    if re.search(r"\s", connection.prefix):
        yield f"{connection.label} has a prefix_id with blanks, so that nobody could be given access to its models"
    if not all(value.isprintable() for value in connection.secrets):
        yield f"{connection.label} has a key or header with a character that HTTP cannot carry, a line break perhaps"


def _steps(before: list[Connection], wanted: list[Connection], exclusive: str) -> list[Step]:
    """Those made by hand keep their places; the wanted ones take theirs and the end of the list, in their own order."""
    left = dict(enumerate(before))
    queue = []
    for connection in wanted:
        old = left.pop(_place(left, wanted, connection), None)
        config = {**(old.config if old else {}), **connection.config}
        queue.append(Step(old, Connection(connection.url, config)))
    steps, removed = [], []
    for index, connection in enumerate(before):
        if index not in left:
            steps.append(queue.pop(0))
        elif exclusive == "none" or (exclusive == "owned" and not connection.owned):
            steps.append(Step(connection, connection))
        else:
            removed.append(Step(connection, None))
    return steps + queue + removed


def _place(left: dict[int, Connection], wanted: list[Connection], connection: Connection) -> int:
    """Where a connection is among those that are left, or -1. A URL that is there several times goes by its prefix."""
    same = [index for index, other in left.items() if other.address == connection.address]
    exact = [index for index in same if left[index].prefix == connection.prefix]
    alone = sum(other.address == connection.address for other in wanted) == 1
    return next(iter(exact or (same if alone else [])), -1)


def _refuse_useless(client: OpenWebUI, kind: Kind, steps: list[Step], verify: bool) -> None:
    """What is new or different is asked by the server itself, if that is wanted.

    :raises InputError: with every connection that would be of no use
    """
    problems = []
    for connection in [step.after for step in steps if step.after and step.action != "none"]:
        config = connection.config
        if config.get("azure") and not config.get("model_ids") and not AZURE_V1.search(connection.url):
            problems.append(
                f"{connection.label}: Azure OpenAI does not list its deployments, so name them in model_ids"
            )
        elif verify and config.get("enable", True) and config.get("auth_type") != "system_oauth":
            problem = connection.without_secrets(_problem(client, kind, connection))
            problems += [f"{connection.label}: {problem}"] if problem else []
    if problems:
        raise InputError(
            f"Nothing was changed on {client.http.base_url}. It cannot use these connections: {'; '.join(problems)}.",
            client.http.base_url,
            hint="Correct the URL, the key or the other settings. For a server that is only down, set verify to false.",
        )


def _problem(client: OpenWebUI, kind: Kind, connection: Connection) -> str:
    """What the server says when it tries a connection, empty if all is well."""
    path = f"{kind.path}/verify"
    body = {"url": connection.url, "key": connection.config.get("key", ""), "config": kind.settings(connection)}
    try:
        answer = client.post(path, body)
    except ApiError as exc:
        # The status is that of the other server: not even a 401 is the end of our session.
        return exc.message[:EXCERPT].rstrip(".")
    if isinstance(answer, list) or (isinstance(answer, dict) and kind.proof in answer):
        return ""
    return f"POST {client.http.url(path)} brought an answer without {kind.proof}, so another service is there"


def _changes(steps: list[Step]) -> Changes:
    changes = Changes()
    for before, after in steps:
        if before is None and after is not None:
            changes.compare(f"added {after.label}", None, after.shown)
        elif before is not None and after is None:
            changes.compare(f"removed {before.label}", before.shown, None)
        elif before is not None and after is not None:
            changes.compare(f"{after.label} spelling", before.shown["url"], after.shown["url"])
            for name, value in after.config.items():
                values = (before.config.get(name), value)
                if name in SECRETS and values[0] != values[1]:
                    values = ("another one", "as given")
                changes.compare(f"{after.label} {name}", *values)
    return changes
