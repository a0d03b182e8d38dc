# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""Groups: what their members may do, and who is one."""

from __future__ import annotations

import math
import random
import re
import time
import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._http import ServiceError
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import Incomplete, OpenWebUI
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.names import unknown
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.paging import PAGE, all_pages
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.permissions import (
    Defaults,
    form_problems,
    merged,
)
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.resource import Resource, Row, Step

PATH = "/api/v1/groups/"
NEEDS = ("id", "name", "description", "permissions", "data", "created_at")
SHARE = {"anyone": True, "members": "members", "nobody": False}
STORED_SHARE = {"none": "anyone", "true": "anyone", "1": "anyone", "members": "members"}
NAME = re.compile(r"(?=.*\S)[^\x00-\x1f\x7f]+")


def ensure_groups(
    client: OpenWebUI, groups: list[Row], default_permissions: dict[str, t.Any], check_mode: bool
) -> dict[str, t.Any]:
    """Bring groups, and what everybody may do, to what is wanted.

    :raises InputError: something makes no sense; nothing was written
    :raises Incomplete: some of it is not as wanted
    """
    defaults = Defaults(client, default_permissions)
    outcome = Groups(client, defaults).ensure(groups, check_mode)
    try:
        result = defaults.ensure(check_mode)
    except ServiceError as exc:
        raise Incomplete(exc, outcome) from exc
    diff = {part: {**result["diff"][part], **outcome["diff"][part]} for part in ("before", "after")}
    return {**outcome, "changed": outcome["changed"] or result["changed"], "diff": diff}


class Groups(Resource):
    noun = "group"
    key = "name"

    def __init__(self, client: OpenWebUI, defaults: Defaults | None = None) -> None:
        super().__init__(client)
        self.defaults = defaults or Defaults(client, {})
        self._ids: dict[str, str] = {}
        self._made: set[str] = set()
        self._planned: set[str] = set()

    def checked(self, entries: list[Row]) -> list[Row]:
        self.refused += [f"default_permissions: {problem}" for problem in form_problems(self.defaults.wanted)]
        entries = super().checked(entries)
        self.refused += [f"default_permissions: {problem}" for problem in self.defaults.unknown(self.defaults.wanted)]
        return entries

    def problems(self, entry: Row) -> t.Iterator[str]:
        if not NAME.fullmatch(entry["name"]):
            yield "has a name that is blank or holds control characters"
        for problem in form_problems(entry.get("permissions", {})):
            yield f"has bad permissions: {problem}"
        if not all(model.strip() for model in entry.get("default_models", [])):
            yield "has default_models without a name"

    def entry(self, values: Row) -> Row:
        return {**super().entry(values), "permissions": self.defaults.known(values["permissions"])}

    def entries(self) -> list[Row]:
        entries = {entry["name"]: entry for entry in super().entries()}
        ordered: dict[str, Row] = {}
        for name in entries:
            line = [name]
            while (parent := entries[line[0]]["parent"]) and parent not in line:
                line.insert(0, parent)
            # A parent has to stand before its children.
            ordered.update({each: entries[each] for each in line})
        return list(ordered.values())

    def listed(self, entries: list[Row] | None) -> list[Row]:
        rows = self.checked_rows(PATH, self.client.get(PATH), NEEDS)
        # Another run may have made a twin since this one settled, and is about to take it back: ours comes first.
        rows.sort(key=lambda row: row["id"] not in self._made)
        self._ids = {row["name"]: row["id"] for row in reversed(rows)}
        asked = [entry["name"] for entry in entries or () if "members" in entry and entry["state"] == "present"]
        self._read_members([row for row in rows if entries is None or row["name"] in asked])
        return rows

    def values(self, row: Row) -> Row:
        config = (row["data"] or {}).get("config") or {}
        names = {identifier: name for name, identifier in self._ids.items()}
        values = {
            "name": row["name"],
            "description": row["description"],
            "parent": names.get(row.get("parent_group_id", ""), ""),
            "share": STORED_SHARE.get(str(config.get("share")).lower(), "nobody"),
            "default_models": config.get("default_models") or [],
            "permissions": {section: leaves for section, leaves in (row["permissions"] or {}).items() if leaves != {}},
        }
        return {**values, "members": frozenset(row["user_ids"])} if "user_ids" in row else values

    def wanted(self, entry: Row, before: Row) -> Row:
        wanted: Row = {} if before else {"description": ""}
        same = ("name", "description", "parent", "share")
        wanted.update({field: entry[field] for field in same if field in entry})
        if entry.get("parent") and entry["parent"] not in {*self._ids, *self._planned}:
            problem = unknown("group", entry["parent"], self._ids)
            self.refused.append(
                f"group {entry['name']!r} has a bad parent: {problem}; it has to stand before its children"
            )
        self._planned.add(entry["name"])
        if "default_models" in entry:
            wanted["default_models"] = list(dict.fromkeys(model.strip() for model in entry["default_models"]))
        if "permissions" in entry:
            permissions = {section: leaves for section, leaves in entry["permissions"].items() if leaves}
            for problem in self.defaults.unknown(permissions):
                self.refused.append(f"group {entry['name']!r}: {problem}")
            old = {} if entry["permissions_exclusive"] else before.get("permissions", {})
            wanted["permissions"] = merged(old, permissions)
        if "members" in entry:
            members = frozenset(map(self.access.users.id, entry["members"]))
            wanted["members"] = members if entry["members_exclusive"] else members | before.get("members", frozenset())
        return wanted

    def shown(self, values: Row) -> Row:
        if "members" not in values:
            return values
        return {**values, "members": sorted(map(self.access.users.name, values["members"]))}

    def create(self, values: Row) -> Row:
        row = self.client.post(f"{PATH}create", self._body(values, list(values)))
        self._ids[values["name"]] = row["id"]
        self._made.add(row["id"])
        return row

    def complete(self, row: Row, values: Row) -> None:
        self._write_members({**row, "user_ids": []}, values)

    def update(self, row: Row, values: Row, fields: list[str]) -> None:
        if set(fields) - {"members"}:
            self.client.post(f"{PATH}id/{row['id']}/update", self._body(values, fields))
        if "members" in fields:
            self._write_members(row, values)

    def delete(self, row: Row) -> None:
        self.client.call("DELETE", f"{PATH}id/{row['id']}/delete")

    def settle(self, created: list[Step]) -> None:
        # The server takes a name twice. Times have a resolution of one second, so that the one which looks older may
        # have been made later, and its twin's run be over: who still sees a twin after a while gives way in any case.
        for pause in (0.0, 1 + random.random()):
            if not created:
                return
            time.sleep(pause)
            rows = self.client.get(PATH)
            contested = []
            for step in created:
                twins = [row for row in rows if row["name"] == step.name]
                oldest = min(twins, key=lambda row: (row["created_at"], row["id"]), default=step.row)
                if len(twins) > 1 and (pause or oldest["id"] != step.row["id"]):
                    self.delete(step.row)
                    step.sent = False
                elif len(twins) > 1:
                    contested.append(step)
            created = contested

    def _body(self, values: Row, fields: list[str]) -> Row:
        """What is left out stays, but name and description are required."""
        body: Row = {"name": values["name"], "description": values["description"]}
        if "permissions" in fields:
            body["permissions"] = values["permissions"]
        if "parent" in fields:
            body["parent_group_id"] = self._ids.get(values["parent"])
        config: Row = {"share": SHARE[values["share"]]} if "share" in fields else {}
        if "default_models" in fields:
            config["default_models"] = values["default_models"]
        return {**body, "data": {"config": config}} if config else body

    def _read_members(self, rows: list[Row]) -> None:
        """Whichever is less: one request per group, or the pages of all accounts, which know their groups."""
        if len(rows) <= math.ceil(len(self.access.users) / PAGE if rows else 0):
            for row in rows:
                path = f"{PATH}id/{row['id']}/export"
                row["user_ids"] = self.client.get(path, needs=("user_ids",))["user_ids"]
            return
        members: dict[str, list[str]] = {row["id"]: [] for row in rows}
        for account in all_pages(self.client, "/api/v1/users/?order_by=email&direction=asc", "users"):
            for group in set(account["group_ids"]) & set(members):
                members[group].append(account["id"])
        for row in rows:
            row["user_ids"] = members[row["id"]]

    def _write_members(self, row: Row, values: Row) -> None:
        wanted = values.get("members", frozenset())
        for verb, ids in (("add", wanted.difference(row["user_ids"])), ("remove", set(row["user_ids"]) - wanted)):
            if ids:
                self.client.post(f"{PATH}id/{row['id']}/users/{verb}", {"user_ids": sorted(ids)})
