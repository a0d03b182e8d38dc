# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""A list of models as it should be: planned, carried out, and what came of each model."""

from __future__ import annotations

import functools
import socket
import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._ollama import custom
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.change import Changer
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.client import OllamaClient
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.lock import Lock, server_key, state_directory
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.names import parse
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.plan import Planner, Policy, Step, usable
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.progress import Reporter
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.pull import Puller
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.record import Records
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.registry import Registry
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.store import Store
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.wanted import wanted_models
from ansible_collections.selfhosted.llm.plugins.module_utils._reconcile import Changes

# Ollama's own desktop app waits five seconds for the same answer.
REGISTRY_TIMEOUT = 10.0


def reconcile(client: OllamaClient, params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    """Make the server hold what the options of the module ask for.

    :returns: the result of the module, and its ``warnings``
    :raises InvalidInput: the options make no sense; nothing was sent
    :raises ServiceError: the server could not be asked what it has
    :raises ControllerGone: nobody waits for the result any more
    """
    wanted = wanted_models(params)
    keep = [parse(name) for name in params["keep"]]
    for model in wanted:
        if model.custom and model.state != "absent":
            custom.check_files(model.custom)
    store = Store(params["models_dir"]) if params["models_dir"] else None
    report, key = Reporter().report, server_key(client.http.base_url)
    directory = state_directory(make=not check_mode)
    lock = Lock(directory, key)
    planner = Planner(
        client,
        Registry(params["registry_ca_path"], min(params["timeout"], REGISTRY_TIMEOUT)),
        Records(directory, key, report),
        store,
        Policy(
            keep_on_error=params["on_registry_error"] == "keep",
            check_blobs=params["check_blobs"],
            check_mode=check_mode,
            owner=f"{socket.gethostname()} {directory}",
        ),
    )
    steps = planner.steps(wanted, params["exclusive"], keep)
    if not check_mode and any(step.action not in ("none", "failed") for step in steps):
        with lock.held(functools.partial(report, "", "waiting for another run", 0, 0)) as another_run:
            if another_run:
                steps = planner.steps(wanted, params["exclusive"], keep)
            puller = Puller(client, params["stall_timeout"], params["retries"], report)
            Changer(client, planner, puller).apply(steps)
    return {**outcome(steps), "warnings": planner.warnings}


def outcome(steps: list[Step]) -> dict[str, t.Any]:
    """The result of the module: ``models``, ``changed``, ``diff``, and ``msg`` and ``failure`` when models failed."""
    changes = Changes()
    for step in steps:
        if step.action not in ("none", "failed"):
            changes.compare(str(step.name), _state_before(step), _state_after(step))
    result = {"models": [_row(step) for step in steps], **changes.result()}
    failed = [step.error.result() for step in steps if step.error]
    if failed:
        several = f"{len(failed)} of {len(steps)} models failed. " if len(failed) > 1 else ""
        result.update(failed[0], msg=several + " ".join(failure["msg"] for failure in failed))
    return result


def _state_before(step: Step) -> str:
    if not step.item and step.action != "removed":
        return "absent"
    return step.before if step.before and step.action != "pulled" else "incomplete"


def _state_after(step: Step) -> str:
    if step.action == "removed":
        return "absent"
    digest = _content(step)[0] or "present"
    return f"{digest} with other {', '.join(step.differences)}" if step.before and step.differences else digest


def _content(step: Step) -> tuple[str | None, int | None]:
    """The digest and the size that a model has now, or is to have as far as that is known."""
    if step.action == "removed":
        return None, None
    if step.after is not step.item or step.action in ("none", "failed"):
        return (step.after["digest"], step.after["size"]) if step.after and usable(step.after) else (None, None)
    return (step.manifest.digest, step.manifest.size) if step.manifest else (None, None)


def _row(step: Step) -> dict[str, t.Any]:
    digest, size = _content(step)
    return {
        "name": (step.after or {}).get("name", str(step.name)),
        "action": step.action,
        "before": step.before,
        "digest": digest,
        "size": size,
        "bytes_transferred": step.bytes_transferred,
        "duration": round(step.duration, 3),
        "error": step.error.result()["msg"] if step.error else None,
    }
