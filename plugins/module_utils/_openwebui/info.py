# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""What a server has, as the other modules take it, so that another server can be given the same."""

from __future__ import annotations

import copy
import re
import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.access import PRIVATE
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import OpenWebUI
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.config import current_settings
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.connection_kinds import (
    KINDS,
    SECRETS,
    entries,
    public,
)
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.groups import Groups
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.models import Models
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.prompts import Prompts
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.resource import Resource, Row
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.settings_values import secret_places
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.user_list import UserList

SUBSETS = ("settings", "connections", "users", "groups", "models", "prompts")
ROLES = ("user", "admin", "pending")
# Of a model, what no module makes.
NOT_MADE = {"knowledge": "the collections", "tools": "the tools"}


class Description:
    """What one server has.

    :arg changed_only: leave out settings that have the default of the program
    """

    def __init__(self, client: OpenWebUI, changed_only: bool) -> None:
        self.client = client
        self.changed_only = changed_only
        self.found: dict[str, t.Any] = {}
        self.secrets: list[dict[str, t.Any]] = []
        self.warnings: list[str] = []

    def read(self, subsets: t.Iterable[str]) -> dict[str, t.Any]:
        """The subsets, where each secret is null, with the places of the secrets."""
        for subset in SUBSETS:
            if subset in subsets:
                getattr(self, f"_{subset}")()
        return {"changed": False, **self.found, "secrets": self.secrets, "warnings": self.warnings}

    def _settings(self) -> None:
        found = self.found["settings"] = {}
        for name, value in sorted(current_settings(self.client, self.changed_only).items()):
            found[name] = copy.deepcopy(value)
            for place in secret_places(name, value):
                self._hide(found, place, ["settings"])

    def _connections(self) -> None:
        for name, kind in (("ollama_connections", KINDS["ollama"]), ("connections", KINDS["openai"])):
            found = self.found[name] = []
            for entry in entries(self.client, kind):
                if public(entry["url"]) != entry["url"]:
                    self._warn("connection", public(entry["url"]), "has a user or a query in its URL and is left out")
                    continue
                for option in SECRETS:
                    value = entry.get(option)
                    for place in [(option, each) for each in value] if isinstance(value, dict) else [(option,)]:
                        if value:
                            self._hide(entry, place, [name, len(found)])
                found.append(entry)

    def _users(self) -> None:
        rows = UserList(self.client, complete=False).rows
        self.found["users"] = [
            # Any other role lets nobody do anything, and is no option.
            {"email": email, "name": row["name"], "role": row["role"] if row["role"] in ROLES else "pending"}
            for email, row in sorted(rows.items())
        ]

    def _groups(self) -> None:
        groups = Groups(self.client)
        self.found["default_permissions"] = groups.defaults.current
        self.found["groups"] = self._entries(groups)
        for entry in self.found["groups"]:
            entry["permissions"] = groups.defaults.known(entry["permissions"])

    def _models(self) -> None:
        models = Models(self.client)
        self.found["models"] = self._entries(models)
        for entry in self.found["models"]:
            self._drop_unknown_access(models, entry)
            for option, what in NOT_MADE.items():
                if entry.pop(option, None):
                    self._warn("model", entry["id"], f"is given without {what} that it uses")

    def _prompts(self) -> None:
        prompts = Prompts(self.client)
        self.found["prompts"] = self._entries(prompts)
        for entry in self.found["prompts"]:
            self._drop_unknown_access(prompts, entry)

    def _entries(self, resource: Resource) -> list[Row]:
        """Each that a module could make again, without options that say nothing."""
        found: dict[str, Row] = {}
        for entry in resource.entries():
            name = resource.name_of(entry)
            given = {option: value for option, value in entry.items() if value is not None}
            problems = [*resource.problems(given), *(["has the name of another one"] if name in found else [])]
            if problems:
                self._warn(resource.noun, name, f"{' and '.join(problems)}: it is left out")
            else:
                found[name] = {**given, resource.key: name}
        return [found[name] for name in sorted(found)]

    def _drop_unknown_access(self, resource: Resource, entry: Row) -> None:
        """Of groups and accounts that are gone the server keeps the identifiers."""
        if isinstance(entry["access"], str):
            return
        known = {"groups": resource.access.groups, "users": resource.access.users}
        there: dict[str, t.Any] = {}
        for permission, who in entry["access"].items():
            if isinstance(who, str):
                there[permission] = who
                continue
            for kind, names in who.items():
                left = [name for name in names if name in known[kind]]
                if left:
                    there.setdefault(permission, {})[kind] = left
                if left != names:
                    self._warn(resource.noun, entry[resource.key], f"is open to {kind} that are gone")
        entry["access"] = there or PRIVATE

    def _hide(self, root: t.Any, place: tuple[t.Any, ...], where: list[t.Any]) -> None:
        part = root
        for step in place[:-1]:
            part = part[step]
        part[place[-1]] = None
        full = [*where, *place]
        name = re.sub(r"\W+", "_", "_".join(map(str, full)), flags=re.ASCII).lower()
        taken = [secret["name"] for secret in self.secrets]
        self.secrets.append({"place": full, "name": name if name not in taken else f"{name}_{len(taken)}"})

    def _warn(self, noun: str, name: str, problem: str) -> None:
        self.warnings.append(f"The {noun} {name!r} {problem}.")
