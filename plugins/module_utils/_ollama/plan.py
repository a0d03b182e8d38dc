# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""What has to happen to each model. Only reads, so that it serves check mode as well."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._http import ApiError, ServiceError
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama import custom, remote
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.client import OllamaClient
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.names import ModelName, parse_listed, spelled_as
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.record import Records
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.registry import (
    Layer,
    Manifest,
    Registry,
    in_parallel,
)
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.replace import is_second_name, second_name
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.store import Store
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.wanted import Wanted, in_order

Item = dict[str, t.Any]
KEPT = "Kept as they are"
UNSEEN = "The Ollama server is to pull them all the same, without a look at their size before"


def usable(item: Item | None) -> bool:
    """A registry that answers ``{}`` for a manifest leaves a model of size 0 behind."""
    return bool(item and item.get("size"))


def listed_models(client: OllamaClient) -> dict[str, Item]:
    """What the server lists, by the key of the name."""
    return {parse_listed(item["name"]).key: item for item in client.models()}


class Step:
    """What has to happen to one model, and what came of it.

    :arg item: what the server lists of it at first
    :arg name: in the server's spelling
    """

    def __init__(self, wanted: Wanted, item: Item | None, name: ModelName) -> None:
        self.wanted = wanted
        self.item = item
        self.name = name
        self.action = "none"
        self.differences: list[str] = []
        self.certain = True
        self.manifest: Manifest | None = None
        self.missing: list[Layer] = []
        self.error: ServiceError | None = None
        self.bytes_transferred: int | None = 0
        self.duration = 0.0
        self.after: Item | None = item

    @property
    def before(self) -> str | None:
        return self.item["digest"] if self.item and usable(self.item) else None

    def fail(self, error: ServiceError) -> None:
        self.action, self.error, self.bytes_transferred = "failed", error, None


def base_failed(step: Step, base: Step) -> ServiceError:
    """Why a model cannot be built."""
    error = t.cast("ServiceError", base.error)
    return ServiceError(f"{step.name} is made from {base.name}, which failed.", error.url, error.status)


def spare_unlisted(steps: list[Step]) -> None:
    """Nothing is removed unasked when a model fails: what was to go may be needed still."""
    if any(step.error for step in steps):
        for step in steps:
            if step.action == "removed" and not step.wanted.listed:
                step.action = "none"


class Policy(t.NamedTuple):
    """How to decide."""

    keep_on_error: bool
    """Keep a model whose registry cannot be asked, with a warning."""
    check_blobs: bool
    """Look whether the files of installed models are there."""
    check_mode: bool
    owner: str
    """Whose runs exclude each other."""


class Planner:
    """Decides what has to be done.

    :arg store: the directory of models, where it is in reach
    """

    def __init__(
        self,
        client: OllamaClient,
        registry: Registry,
        records: Records,
        store: Store | None,
        policy: Policy,
    ) -> None:
        self.client = client
        self.registry = registry
        self.records = records
        self.store = store
        self.policy = policy
        self.warnings: list[str] = []
        self.listed: dict[str, Item] = {}
        self.silent: dict[tuple[str, str], dict[str, str]] = {}
        """Registries that could not be asked, what follows from that, and why by the name of the model."""

    def steps(self, wanted: list[Wanted], exclusive: bool, keep: list[ModelName]) -> list[Step]:
        """One step for each wanted model in its order, then one for each that goes because nobody wants it.

        :arg keep: models that ``exclusive`` leaves alone
        """
        self.warnings.clear()
        self.silent.clear()
        self.listed = listed_models(self.client)
        spellings = [parse_listed(item["name"]) for item in self.listed.values()]
        steps = [Step(model, self.listed.get(model.name.key), spelled_as(model.name, spellings)) for model in wanted]
        by_key = {step.wanted.name.key: step for step in steps}
        in_parallel(lambda step: self._look(step, by_key), [step for step in steps if not step.wanted.custom])
        for model in in_order(wanted):
            # What becomes of a custom model depends on its base.
            if model.custom:
                self._look(by_key[model.name.key], by_key)
        for (_host, what), models in sorted(self.silent.items()):
            # One registry that is down would fill the screen of a fleet.
            self.warnings.append(f"{models[min(models)]} {what}: {', '.join(sorted(models))}.")
        if self.store:
            self._check_space(steps, self.store.free())
        for model in in_order(wanted):
            step, base = by_key[model.name.key], by_key.get(model.base.key) if model.base else None
            if base and base.error and not step.error:
                step.fail(base_failed(step, base))
        self._look_at_unwanted(steps, by_key, exclusive, keep)
        spare_unlisted(steps)
        return steps

    def _look_at_unwanted(
        self, steps: list[Step], by_key: dict[str, Step], exclusive: bool, keep: list[ModelName]
    ) -> None:
        known = [*(parse_listed(item["name"]) for item in self.listed.values()), *(step.name for step in steps)]
        replaced = {second_name(name, self.policy.owner).key for name in known}
        spared = {*by_key, *(name.key for name in keep)}
        for key in sorted(self.listed.keys() - spared):
            name = parse_listed(self.listed[key]["name"])
            if key in replaced or (exclusive and not is_second_name(name)):
                steps.append(Step(Wanted(name, "absent", listed=False), self.listed[key], name))
                self._look(steps[-1], by_key)
            elif is_second_name(name):
                self.warnings.append(
                    f"{name} is what a run from elsewhere is replacing, or what an interrupted one has left of a model"
                    " that is gone. If no other run is going on, copy it to a name of yours or remove it."
                )

    def look_at_custom(self, step: Step) -> None:
        """Decide about a model that the server builds, when its base is in place.

        :raises ServiceError: it cannot be decided
        """
        model = t.cast("custom.Custom", step.wanted.custom)
        findings = custom.plan(self.client, step.name, model, self.listed, self.records)
        if findings.certain and not findings.differences and self._whole(step):
            step.action = "none"
            return
        step.action = "copied" if custom.is_copy(model) else "updated" if step.before else "created"
        step.certain = bool(findings.certain or findings.differences)
        step.differences = findings.differences or (["files"] if findings.certain else [])

    def _look(self, step: Step, by_key: dict[str, Step]) -> None:
        try:
            if step.wanted.state == "absent":
                self._look_at_removal(step)
            elif step.wanted.custom:
                self._look_at_build(step, by_key)
            else:
                self._look_at_pull(step)
        except ServiceError as exc:
            step.fail(exc)

    def _look_at_build(self, step: Step, by_key: dict[str, Step]) -> None:
        base = by_key[step.wanted.base.key] if step.wanted.base else None
        if base and base.error:
            raise base_failed(step, base)
        if base and base.action != "none":
            copied = custom.is_copy(t.cast("custom.Custom", step.wanted.custom))
            step.action = "copied" if copied else "updated" if step.before else "created"
            step.differences = ["from"]
            if step.before and base.action == "pulled":
                self.warnings.append(
                    f"It cannot be known whether {step.name} has to be built again before {base.name} is mended."
                )
        else:
            self.look_at_custom(step)
            if not step.certain:
                self.warnings.append(
                    f"It cannot be known whether {step.name} has to be built again: what it was made from is not on"
                    " record here. Building it will show, by its digest."
                )

    def _look_at_removal(self, step: Step) -> None:
        if not step.item and not (self.store and self.store.unreadable(step.name)):
            return
        step.action = "removed"
        if not step.name.addressable:
            # DELETE of x:local would remove x:latest.
            raise ApiError(
                f"{self.client.http.base_url} cannot remove {step.name}: its API takes :local off every name.",
                self.client.http.url("/api/delete"),
                hint="Copy it to another name if it is needed, and remove its manifest file from the model directory.",
            )

    def _look_at_pull(self, step: Step) -> None:
        wanted, item = step.wanted, step.item
        fits = item is not None and usable(item) and wanted.digest in (None, item["digest"])
        # A pinned model cannot be newer.
        follows = fits and wanted.state == "latest" and not wanted.digest
        if fits and not follows and self._whole(step):
            return
        try:
            step.manifest = self.registry.manifest(step.name, wanted.insecure)
        except ServiceError as exc:
            # What the registry does not have, the server will not get either; but it may see another registry.
            unknown = exc.status == 404 and self.policy.check_mode and not usable(item)
            if unknown or (follows and not self.policy.keep_on_error):
                raise
            kept = follows and self._whole(step)
            self.silent.setdefault((step.name.host, KEPT if kept else UNSEEN), {})[str(step.name)] = exc.result()["msg"]
            step.action, step.bytes_transferred = ("none", 0) if kept else ("pulled", None)
            return
        if wanted.digest and step.manifest.digest != wanted.digest:
            raise ApiError(
                f"The registry {step.name.host} has {step.name} with the digest {step.manifest.digest}, not with the"
                f" wanted {wanted.digest}.",
                self.client.http.url("/api/pull"),
                hint="See what has changed and write the new digest, or name a registry that has the wanted one.",
            )
        if follows and self._same(step):
            return
        step.action = "updated" if usable(item) and step.manifest.digest != step.before else "pulled"
        step.missing = self.missing(step.manifest)
        step.bytes_transferred = self._bytes_of(step.missing)

    def _same(self, step: Step) -> bool:
        """Whether the installed model is the registry's, and its weights are there."""
        item, manifest = t.cast("Item", step.item), t.cast("Manifest", step.manifest)
        if not remote.same_content(self.client, item, manifest, {other["digest"] for other in self.listed.values()}):
            return False
        return self._whole(step) and (bool(self.store) or remote.weights_present(self.client, manifest))

    def _whole(self, step: Step) -> bool:
        """Whether the files of an installed model are there, as far as that can be seen and is asked for."""
        if self.store:
            manifest = self.store.manifest(step.name)
            if manifest is None:
                raise ApiError(
                    f"{self.client.http.base_url} lists {step.name}, and {self.store.path} has no manifest of it.",
                    self.client.http.url("/api/tags"),
                    hint="Check that models_dir is the directory of this server, on the host that runs the module.",
                )
            return not self.store.missing(manifest)
        return not self.policy.check_blobs or remote.weights_shown(self.client, str(step.name))

    def missing(self, manifest: Manifest) -> list[Layer]:
        """The files of a model that the store lacks."""
        if self.store:
            return self.store.missing(manifest)
        return remote.missing(self.client, manifest)

    def _bytes_of(self, layers: list[Layer]) -> int:
        return sum(layer.size - (self.store.partial_bytes(layer) if self.store else 0) for layer in layers)

    def _check_space(self, steps: list[Step], free: int) -> None:
        coming: set[str] = set()
        for step in steps:
            needed = self._bytes_of([layer for layer in step.missing if layer.digest not in coming])
            if needed <= free:
                free -= needed
                coming.update(layer.digest for layer in step.missing)
                continue
            step.fail(
                ApiError(
                    f"{step.name} needs {needed} more bytes where {self.client.http.base_url} keeps its models, and"
                    f" {free} bytes are free there.",
                    self.client.http.url("/api/pull"),
                    hint="Remove models that are not needed any more, or give the directory more space.",
                )
            )
