# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""Models of the workspace, and the rows that say who may use a model of a connection and how."""

from __future__ import annotations

import functools
import re
import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui import access, pictures
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import OpenWebUI
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.names import Names
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.paging import all_pages
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.resource import Resource, Row

NEEDS = ("id", "name", "base_model_id", "params", "meta", "is_active", "access_grants")
IDENTIFIER = re.compile(r"[^\s\x00-\x1f\x7f]{1,256}")
# What has an option of its own and stands in ``meta``, with the value that means the same as nothing.
IN_META: Row = {
    "description": "",
    "profile_image_url": "",
    "capabilities": {},
    "tags": [],
    "suggestion_prompts": None,
    "knowledge": [],
    "tools": [],
}
# Where the server calls it otherwise.
FIELDS = {"tools": "toolIds"}
# Files of this server alone, and what it derives from the system prompt.
LEFT_ALONE = ("background_image_url", "voice_avatar", "chat_variables_schema")
COLLECTION = "collection"
NO_TITLE = ["", ""]
MERGED = ("params", "capabilities", "meta")


class Models(Resource):
    noun = "model"
    key = "id"
    reported = ("name", "base_model_id")

    def __init__(self, client: OpenWebUI) -> None:
        super().__init__(client)
        self.bases = Names("base model", lambda: [(identifier, identifier) for identifier in self._base_ids])
        self.knowledge = Names("knowledge collection", self._knowledge)
        self.tools = Names("tool", self._tools)

    def problems(self, entry: Row) -> t.Iterator[str]:
        if not IDENTIFIER.fullmatch(entry["id"]):
            yield "has an id that is empty, longer than 256 characters or holds blanks or control characters"
        if entry.get("base_model_id") in ("", entry["id"]):
            yield "cannot have itself or nothing as base_model_id: leave that out to manage a model of a connection"
        if "system" in entry.get("params", {}):
            yield "has system among its params: it is an option of its own"
        for option in IN_META:
            if FIELDS.get(option, option) in entry.get("meta", {}):
                yield f"has {FIELDS.get(option, option)} in meta: use {option}"
        for field in LEFT_ALONE:
            if field in entry.get("meta", {}):
                yield f"has {field} in meta, which this server alone can have"
        for name, value in entry.get("capabilities", {}).items():
            if not isinstance(value, (bool, type(None))):
                yield f"has the capability {name} with {value!r}, which is neither true nor false"
        if any(tag != tag.strip() or not tag for tag in entry.get("tags", [])):
            yield "has a tag that is empty, or begins or ends with blanks"
        if any(len(prompt.get("title") or NO_TITLE) != 2 for prompt in entry.get("suggestion_prompts", [])):
            yield "has a suggestion with a title that does not have two lines"
        yield from pictures.problems(entry.get("profile_image_url"))

    def listed(self, entries: list[Row] | None) -> list[Row]:
        path = "/api/v1/models/all"
        return self.checked_rows(path, self.client.get(path), NEEDS)

    def values(self, row: Row) -> Row:
        # The server fills up what is not there with null.
        meta = {name: value for name, value in row["meta"].items() if value is not None}
        params = {name: value for name, value in row["params"].items() if value is not None}
        return {
            **{field: row[field] for field in ("id", "name", "base_model_id", "is_active")},
            "system": params.pop("system", ""),
            "params": params,
            **{option: meta.pop(FIELDS.get(option, option), nothing) for option, nothing in IN_META.items()},
            "tags": [tag["name"] for tag in row["meta"].get("tags") or []],
            "knowledge": list(_collections(row)),
            "meta": {name: value for name, value in meta.items() if name not in LEFT_ALONE},
            "access": access.from_rows(row["access_grants"]),
        }

    def wanted(self, entry: Row, before: Row) -> Row:
        values = super().wanted(entry, before)
        for option in MERGED:
            if option in entry:
                merged = {**before.get(option, {}), **entry[option]}
                values = {**values, option: {name: value for name, value in merged.items() if value is not None}}
        if "knowledge" in entry:
            values = {**values, "knowledge": [self.knowledge.id(name) for name in entry["knowledge"]]}
        if "tools" in entry:
            known = before.get("tools", [])
            values = {**values, "tools": [name if name in known else self.tools.id(name) for name in entry["tools"]]}
        if "suggestion_prompts" in entry:
            prompts = [{**prompt, "title": prompt.get("title") or NO_TITLE} for prompt in entry["suggestion_prompts"]]
            values = {**values, "suggestion_prompts": prompts}
        base = entry.get("base_model_id")
        if base and base != before.get("base_model_id"):
            self.bases.id(base)
        if before:
            return values
        if base is None:
            self.bases.id(entry["id"])
        elif entry["id"] in self._base_ids:
            self.refused.append(self._problem(entry["id"], "would be hidden by the model of a connection with this id"))
        return {"name": entry["id"], **values}

    def shown(self, values: Row) -> Row:
        shown = super().shown(values)
        if "knowledge" in shown:
            shown = {**shown, "knowledge": [self.knowledge.name(identifier) for identifier in shown["knowledge"]]}
        return shown

    def names(self) -> tuple[Names, ...]:
        return (*super().names(), self.bases, self.knowledge, self.tools)

    def create(self, values: Row) -> Row:
        body = {**self._body({}, values), "access_grants": access.to_rows(values.get("access", frozenset()))}
        return self.client.post("/api/v1/models/create", body)

    def update(self, row: Row, values: Row, fields: list[str]) -> None:
        if set(fields) - {"access"}:
            self.client.post("/api/v1/models/model/update", self._body(row, values))
        if "access" in fields:
            # The other path ignores the grants, and says nothing.
            body = {"id": row["id"], "access_grants": access.to_rows(values["access"])}
            self.client.post("/api/v1/models/model/access/update", body)

    def delete(self, row: Row) -> None:
        self.client.post("/api/v1/models/model/delete", {"id": row["id"]})

    def _body(self, row: Row, values: Row) -> Row:
        """The whole, because the server replaces it: what has no option is the row's."""
        stored = row.get("meta", {})
        meta = {name: stored[name] for name in LEFT_ALONE if stored.get(name) is not None}
        meta.update(values.get("meta", {}))
        for option, nothing in IN_META.items():
            field = FIELDS.get(option, option)
            if values.get(option, nothing) != nothing or stored.get(field) is not None:
                meta[field] = values[option]
        if "tags" in meta:
            meta["tags"] = [{"name": tag} for tag in meta["tags"]]
        if "knowledge" in meta:
            attached = [item for item in stored.get("knowledge") or [] if item.get("type") != COLLECTION]
            known = _collections(row)
            meta["knowledge"] = attached + [known.get(each) or self._collection(each) for each in values["knowledge"]]
        # The server keeps the controls of the row unless it is told that there are none.
        params = {"model_controls": {}, **values.get("params", {})}
        if values.get("system"):
            params["system"] = values["system"]
        return {
            **{field: values[field] for field in ("id", "name")},
            "base_model_id": values.get("base_model_id"),
            "is_active": values.get("is_active", True),
            "meta": meta,
            "params": params,
        }

    def _collection(self, identifier: str) -> Row:
        return {"type": COLLECTION, "id": identifier, "name": self.knowledge.name(identifier)}

    @functools.cached_property
    def _base_ids(self) -> set[str]:
        return {row["id"] for row in self.client.get("/api/models/base", needs=("data",))["data"]}

    def _knowledge(self) -> t.Iterable[tuple[str, str]]:
        path = "/api/v1/knowledge/search?order_by=created_at&direction=asc"
        return [(row["name"], row["id"]) for row in all_pages(self.client, path, "items")]

    def _tools(self) -> t.Iterable[tuple[str, str]]:
        rows = self.client.get("/api/v1/tools/")
        return {(row[field], row["id"]) for row in rows for field in ("name", "id")}


def _collections(row: Row) -> dict[str, Row]:
    """The knowledge of a model without the files that are attached to it alone."""
    items = row.get("meta", {}).get("knowledge") or []
    return {item["id"]: item for item in items if item.get("type") == COLLECTION}
