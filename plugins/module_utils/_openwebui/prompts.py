# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""Prompts of the workspace, which people write into a chat by a command."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._http import ApiError
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui import access
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import REFUSALS, Refusal
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.paging import all_pages
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.resource import Resource, Row

NEEDS = ("id", "command", "name", "content", "tags", "is_active", "access_grants")
COMMAND = re.compile(r"/?[^\s/\x00-\x1f\x7f]+")
TAKEN = Refusal(
    400,
    "Uh-oh! This command is already registered",
    ApiError,
    "Either another run has just created the prompt: run this again. Or it is another account's, and this server keeps "
    "it from administrators (BYPASS_ADMIN_ACCESS_CONTROL): its owner has to delete or share it.",
)


class Prompts(Resource):
    noun = "prompt"
    key = "command"
    needed = ("content",)
    reported = ("name",)

    def problems(self, entry: Row) -> t.Iterator[str]:
        if not COMMAND.fullmatch(entry["command"]):
            yield "has a command that is empty or holds blanks, control characters or slashes"

    def name_of(self, values: Row) -> str:
        return values["command"].lstrip("/")

    def listed(self, entries: list[Row] | None) -> list[Row]:
        path = "/api/v1/prompts/"
        rows = self.checked_rows(path, self.client.get(path), NEEDS)
        if entries is None or {self.name_of(entry) for entry in entries} - {self.name_of(row) for row in rows}:
            # Those that are switched off stand only here, 30 per request.
            path = "/api/v1/prompts/list?order_by=created_at&direction=asc"
            rows = self.checked_rows(path, all_pages(self.client, path, "items"), NEEDS)
        return rows

    def values(self, row: Row) -> Row:
        return {
            **{field: row[field] for field in ("command", "name", "content", "is_active")},
            "tags": row["tags"] or [],
            "access": access.from_rows(row["access_grants"]),
        }

    def wanted(self, entry: Row, before: Row) -> Row:
        command = self.name_of(entry)
        return {**({} if before else {"name": command}), **super().wanted(entry, before), "command": command}

    def create(self, values: Row) -> Row:
        body = {**_body(values), "access_grants": access.to_rows(values.get("access", frozenset()))}
        return self.client.call("POST", "/api/v1/prompts/create", body, refusals=(TAKEN, *REFUSALS))

    def complete(self, row: Row, values: Row) -> None:
        self._switch(row, values.get("is_active", True))

    def update(self, row: Row, values: Row, fields: list[str]) -> None:
        # One path per thing: this one ignores the switch and the grants, and says nothing.
        if set(fields) - {"is_active", "access"}:
            self.client.post(f"/api/v1/prompts/id/{row['id']}/update", _body(values))
        if "access" in fields:
            body = {"access_grants": access.to_rows(values["access"])}
            self.client.post(f"/api/v1/prompts/id/{row['id']}/access/update", body)
        self._switch(row, values["is_active"])

    def delete(self, row: Row) -> None:
        self.client.call("DELETE", f"/api/v1/prompts/id/{row['id']}/delete")

    def _switch(self, row: Row, active: bool) -> None:
        # The server only knows how to flip it, and another run may have done that meanwhile.
        for _flip in range(2):
            if row["is_active"] != active:
                row = self.client.post(f"/api/v1/prompts/id/{row['id']}/toggle", None)


def _body(values: Row) -> Row:
    return {field: values[field] for field in ("command", "name", "content", "tags") if field in values}
