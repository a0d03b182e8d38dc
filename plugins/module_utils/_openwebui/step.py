# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""What has to be done for one entry of a list."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._http import ServiceError

Row = dict[str, t.Any]
Differences = dict[str, tuple[t.Any, t.Any]]


@dataclasses.dataclass
class Step:
    """What one entry asks for, and what came of it.

    :arg name: by which the entry and the server's row are recognised
    :arg row: the server's own, empty if there is none
    :arg before: its values in the form that they are compared in; None if there is none
    :arg after: the values that it shall have; None if it shall not exist
    :arg differences: the same for people: before and after, by the name that it has in a diff
    """

    name: str
    row: Row
    before: Row | None
    after: Row | None
    differences: Differences = dataclasses.field(default_factory=dict)
    sent: bool = False
    error: ServiceError | None = None

    @property
    def kind(self) -> str:
        """What is to be done, in the word for having done it."""
        if self.before is None:
            return "none" if self.after is None else "created"
        if self.after is None:
            return "deleted"
        return "updated" if self.fields else "none"

    @property
    def fields(self) -> list[str]:
        """The names of the values that differ."""
        before = self.before or {}
        return [field for field, value in (self.after or {}).items() if field not in before or before[field] != value]

    @property
    def due(self) -> bool:
        """Whether the server has yet to be told something."""
        return self.kind != "none" and not self.sent and not self.error

    def result(self, key: str, reported: tuple[str, ...], check_mode: bool) -> Row:
        """What the module tells of it.

        :arg key: the option that holds the name
        :arg reported: the names of the values to tell
        """
        values = {**(self.before or {}), **(self.after or {})}
        done = self.kind == "none" or self.sent or check_mode
        row = {
            "id": self.row.get("id"),
            key: self.name,
            **{field: values.get(field) for field in reported},
            "action": "failed" if self.error else self.kind if done else "skipped",
        }
        return {**row, "error": self.error.result()["msg"]} if self.error else row


def differences(name: str, before: t.Any, after: t.Any) -> t.Iterator[tuple[str, tuple[t.Any, t.Any]]]:
    """Only what differs of a dictionary, by its path."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in {**before, **after}:
            yield from differences(f"{name}.{key}", before.get(key), after.get(key))
    elif before != after:
        yield name, (before, after)
