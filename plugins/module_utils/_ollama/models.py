# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""A list of models as it should be: what has to be pulled and removed, done and proved."""

from __future__ import annotations

import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.selfhosted.llm.plugins.module_utils._http import ApiError
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.client import OllamaClient
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.names import (
    InvalidInput,
    ModelName,
    parse,
    parse_listed,
)
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.pull import pull
from ansible_collections.selfhosted.llm.plugins.module_utils._reconcile import Changes

STATES = ("present", "absent")


class Wanted(t.NamedTuple):
    """How one model should be."""

    name: ModelName
    state: str
    insecure: bool


def wanted_models(params: dict[str, t.Any]) -> list[Wanted]:
    """Read the options of the module, the whole list before anything is sent.

    :raises InvalidInput: an entry that makes no sense, or a list that would empty the server unasked
    """
    if params["stall_timeout"] <= 0:
        raise InvalidInput("stall_timeout must be more than 0 seconds.")
    wanted: dict[str, Wanted] = {}
    for entry in params["models"] if params["name"] is None else params["name"]:
        fields = _fields(entry, params)
        model = Wanted(parse(fields["name"]), fields["state"], fields["insecure"])
        if wanted.setdefault(model.name.key, model)[1:] != model[1:]:
            raise InvalidInput(f"{model.name} is listed twice, and not the same way: keep one of the two.")
    if params["exclusive"] and not params["allow_empty"] and not any(m.state == "present" for m in wanted.values()):
        raise InvalidInput("exclusive with no model that is to be present removes them all: allow_empty permits it.")
    return list(wanted.values())


def _fields(entry: t.Any, params: dict[str, t.Any]) -> dict[str, t.Any]:
    if isinstance(entry, str):
        entry = {"name": entry}
    if not isinstance(entry, dict):
        raise InvalidInput(f"{entry!r} is neither the name of a model nor a dictionary with one.")
    result = ArgumentSpecValidator(
        {
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": list(STATES), "default": params["state"]},
            "insecure": {"type": "bool", "default": params["insecure"]},
        }
    ).validate(entry)
    if result.error_messages:
        raise InvalidInput(f"The entry {entry!r} makes no sense: {'; '.join(result.error_messages)}.")
    return result.validated_parameters


class Step(t.NamedTuple):
    """What has to happen to one model. ``item`` is what the server lists of it now, if anything."""

    name: ModelName
    action: str
    insecure: bool
    item: dict[str, t.Any] | None


def reconcile(
    client: OllamaClient, wanted: list[Wanted], exclusive: bool, stall_timeout: float, check_mode: bool
) -> dict[str, t.Any]:
    """Make the server hold what is wanted. Returns ``models``, ``changed`` and ``diff``.

    :arg exclusive: remove every model that is not wanted
    """
    steps = _steps(client, wanted, exclusive)
    changes = Changes()
    for step in steps:
        before = "present" if _usable(step.item) else "incomplete" if step.item else "absent"
        after = {"pulled": "present", "removed": "absent"}.get(step.action, before)
        changes.compare(str(step.name), before, after)
    listed = {_key(step.item): step.item for step in steps if step.item}
    if changes and not check_mode:
        # First what can fail: a failed pull leaves the models that were to go.
        for step in steps:
            if step.action == "pulled":
                pull(client, step.name, step.insecure, stall_timeout)
        for step in steps:
            if step.action == "removed":
                client.delete(str(step.name))
        listed = _proved(client, steps)
    return {"models": [_row(step, listed) for step in steps], **changes.result()}


def _steps(client: OllamaClient, wanted: list[Wanted], exclusive: bool) -> list[Step]:
    listed = {_key(item): item for item in client.models()}
    steps = []
    for model in wanted:
        item = listed.pop(model.name.key, None)
        action = "none"
        if model.state == "absent" and item:
            action = "removed"
        elif model.state == "present" and not _usable(item):
            action = "pulled"
        steps.append(Step(parse_listed(item["name"]) if item else model.name, action, model.insecure, item))
    if exclusive:
        # The server's order is random.
        steps.extend(Step(parse_listed(item["name"]), "removed", False, item) for _key, item in sorted(listed.items()))
    for step in steps:
        if step.action == "removed" and not step.name.addressable:
            # DELETE of x:local would remove x:latest.
            raise ApiError(
                f"{client.http.base_url} cannot remove {step.name}: its API takes :local off every name.",
                client.http.url("/api/delete"),
                hint="Copy it to another name if it is needed, and remove its manifest file from the model directory.",
            )
    return steps


def _proved(client: OllamaClient, steps: list[Step]) -> dict[str, dict[str, t.Any]]:
    listed = {_key(item): item for item in client.models()}
    for step in steps:
        if step.action == "pulled" and not _usable(listed.get(step.name.key)):
            raise ApiError(
                f"{client.http.base_url} said success to the pull of {step.name}, but does not list it with a content.",
                client.http.url("/api/tags"),
                hint=f"Check what {step.name.host} answers for its manifest: a proxy may have answered instead.",
            )
        if step.action == "removed" and step.name.key in listed:
            raise ApiError(
                f"{client.http.base_url} still lists {step.name} after its removal.",
                client.http.url("/api/tags"),
                hint="Another task or person may have pulled it meanwhile: run the task again.",
            )
    return listed


def _row(step: Step, listed: dict[str, dict[str, t.Any]]) -> dict[str, t.Any]:
    # Of a removed model the result says what it was, of one to be pulled nothing is known yet.
    item = (step.item if step.action == "removed" else listed.get(step.name.key)) or {}
    known = step.action == "removed" or _usable(item)
    return {
        "name": item.get("name", str(step.name)),
        "digest": item.get("digest") if known else None,
        "size": item.get("size") if known else None,
        "action": step.action,
    }


def _usable(item: dict[str, t.Any] | None) -> bool:
    """A registry that answers ``{}`` for a manifest leaves a model of size 0 behind."""
    return bool(item and item.get("size"))


def _key(item: dict[str, t.Any]) -> str:
    return parse_listed(item["name"]).key
