# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""Carrying out a plan: what is pulled, built and removed is proved, and what fails leaves what was there."""

from __future__ import annotations

import contextlib
import time
import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._http import ApiError, ServiceError
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama import custom, remote
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.client import OllamaClient
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.names import parse_listed
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.plan import (
    Item,
    Planner,
    Step,
    base_failed,
    listed_models,
    spare_unlisted,
    usable,
)
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.pull import Puller
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.replace import Replacement, is_second_name
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.store import part_files
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.wanted import in_order

EMPTY_PART_HINT = (
    "A server that was stopped in a pull can leave an empty part file. Give its directory as models_dir and run the"
    " task again, or remove {files} there."
)


class WrongContent(ApiError):
    """A pull has brought something else than it should."""


class Changer:
    """Carries out a plan.

    :arg planner: made the plan, and decides again about custom models when their bases are done
    """

    def __init__(self, client: OllamaClient, planner: Planner, puller: Puller) -> None:
        self.client = client
        self.planner = planner
        self.puller = puller
        self.loaded: set[str] = set()

    def apply(self, steps: list[Step]) -> None:
        """Do what the steps say, and note in them what came of it."""
        try:
            self.loaded = {parse_listed(item["name"]).key for item in self.client.running()}
        except ServiceError as exc:
            for step in steps:
                if step.action not in ("none", "failed"):
                    step.fail(exc)
        by_key = {step.wanted.name.key: step for step in steps}
        ordered = [by_key[model.name.key] for model in in_order([step.wanted for step in steps])]
        # First what can fail: a failed pull leaves the models that were to go.
        for step in ordered:
            if step.wanted.state != "absent":
                self._timed(step, self._build if step.wanted.custom else self._pull, by_key)
        spare_unlisted(steps)
        self._apply_removals([step for step in steps if step.action == "removed"])

    def _apply_removals(self, steps: list[Step]) -> None:
        for step in steps:
            self._timed(step, self._remove, {})
        removed = [step for step in steps if step.action == "removed"]
        try:
            listed = listed_models(self.client) if removed else {}
        except ServiceError as exc:
            for step in removed:
                step.fail(exc)
            return
        for step in removed:
            step.after = listed.get(step.wanted.name.key)
            if step.after:
                step.fail(self._error(step, "still lists it after its removal", "Another task may have pulled it."))

    def _timed(self, step: Step, change: t.Callable[[Step, dict[str, Step]], None], by_key: dict[str, Step]) -> None:
        if step.action in ("none", "failed"):
            return
        started = time.monotonic()
        try:
            change(step, by_key)
        except ServiceError as exc:
            step.fail(exc)
        step.duration = time.monotonic() - started

    def _pull(self, step: Step, _by_key: dict[str, Step]) -> None:
        self._heal(step)
        with self._replacing(step) as replacement:
            self._pull_once(step)
            try:
                self._prove_digest(step)
                if self._incomplete(step):
                    # Another pull or removal took a file that this pull had found in the store.
                    self._pull_once(step)
                    self._prove_digest(step)
                    self._prove_completeness(step)
            except WrongContent:
                # A lost connection proves nothing, and the next run looks again.
                self._undo(step, replacement)
                raise

    def _pull_once(self, step: Step) -> None:
        files = part_files(step.missing) if step.missing else ["the empty blobs/sha256-*-partial-* files"]
        seen = self.puller.pull(step.name, step.wanted.insecure, EMPTY_PART_HINT.format(files=", ".join(files)))
        if step.bytes_transferred is None:
            # A small file comes without a line of progress, so that what was planned is better where it is known.
            step.bytes_transferred = seen

    def _heal(self, step: Step) -> None:
        """Remove what an earlier stop has left unusable: the server trusts every file by its name."""
        removed = self.planner.store.heal(step.name, step.manifest) if self.planner.store else []
        if removed:
            self.planner.warnings.append(f"Removed what made {step.name} unusable: {', '.join(removed)}.")

    def _prove_digest(self, step: Step) -> None:
        """Only ``success`` and the expected digest count.

        :raises ApiError: the server has something else now
        """
        step.after = listed_models(self.client).get(step.wanted.name.key)
        url = self.client.http.url("/api/tags")
        if not step.after or not usable(step.after):
            raise WrongContent(
                f"{self.client.http.base_url} said success to the pull of {step.name}, but lists no content of it.",
                url,
                hint=f"Check what {step.name.host} answers for its manifest: a proxy may have answered instead.",
            )
        found = step.after["digest"]
        expected = step.wanted.digest or self._expected(step, step.after)
        if expected != found:
            raise WrongContent(
                f"The pull of {step.name} by {self.client.http.base_url} brought the digest {found}, not {expected}.",
                url,
                hint="See what has changed in the registry or on the way. The task puts back what was there before.",
            )

    def _expected(self, step: Step, item: Item) -> str:
        if not step.manifest or step.manifest.digest == item["digest"]:
            return item["digest"]
        if remote.same_content(self.client, item, step.manifest):
            return item["digest"]
        # The tag may have moved since we looked.
        step.manifest = self.planner.registry.manifest(step.name, step.wanted.insecure)
        return step.manifest.digest

    def _incomplete(self, step: Step) -> bool:
        if step.manifest:
            return bool(self.planner.missing(step.manifest))
        return not remote.weights_shown(self.client, str(step.name))

    def _prove_completeness(self, step: Step) -> None:
        if self._incomplete(step):
            raise WrongContent(
                f"{self.client.http.base_url} said success to the pull of {step.name}, but lacks a file of it.",
                self.client.http.url("/api/tags"),
                hint="Another task or person may be removing models: run the task again.",
            )

    def _build(self, step: Step, by_key: dict[str, Step]) -> None:
        base = by_key[step.wanted.base.key] if step.wanted.base else None
        if base and base.error:
            raise base_failed(step, base)
        self.planner.listed = listed_models(self.client)
        self.planner.look_at_custom(step)
        if step.action == "none":
            return
        model = t.cast("custom.Custom", step.wanted.custom)
        with self._replacing(step) as replacement:
            try:
                if replacement and custom.is_copy(model):
                    # A copy over it would leave its files behind.
                    self.client.delete(str(step.name))
                built = custom.build(
                    self.client,
                    step.name,
                    model,
                    self.planner.listed,
                    self.planner.records,
                    self.puller.report,
                    self.puller.stall_timeout,
                )
            except ServiceError:
                self._undo(step, replacement)
                raise
        step.after, step.bytes_transferred = built.item, sum(built.uploaded.values())
        if self.planner.store:
            # The server stores other bytes than those that it was sent, and keeps both.
            self.planner.store.remove_unnamed(built.uploaded)
        if not step.certain and built.item["digest"] == step.before:
            step.action = "none"

    def _undo(self, step: Step, replacement: Replacement | None) -> None:
        """Bring back what was there. What prevents that now is mended by the next run."""
        step.after = None
        with contextlib.suppress(ServiceError):
            if replacement:
                replacement.restore()
                step.after = step.item
            else:
                self.client.delete(str(step.name))

    def _remove(self, step: Step, _by_key: dict[str, Step]) -> None:
        if step.item:
            if step.name.key in self.loaded or is_second_name(step.name):
                # Without its name a runner cannot be ended any more.
                self.client.unload(str(step.name))
            self.client.delete(str(step.name))
        elif self.planner.store:
            self.planner.store.heal(step.name, None)

    def _error(self, step: Step, what: str, hint: str) -> ApiError:
        message = f"{self.client.http.base_url}: {step.name}: {what}."
        return ApiError(message, self.client.http.url("/api/tags"), hint=hint)

    def _replacing(self, step: Step) -> t.ContextManager[Replacement | None]:
        if not usable(step.item):
            return contextlib.nullcontext()
        return Replacement(self.client, step.name, self.planner.policy.owner, step.name.key in self.loaded)
