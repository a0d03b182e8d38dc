# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""The change list: what differs between what is and what is wanted. ``changed`` and ``diff`` come from nowhere else."""

from __future__ import annotations

import typing as t


class Changes:
    """Collects (name, before, after) where before and after differ.

    A name is the path of a field, as a user would say it: ``connections``, ``admin@example.com.role``.
    """

    def __init__(self) -> None:
        self.before: dict[str, t.Any] = {}
        self.after: dict[str, t.Any] = {}

    def __bool__(self) -> bool:
        return bool(self.after)

    def compare(self, name: str, before: t.Any, after: t.Any) -> bool:
        """Note a field. Returns whether it differs."""
        if before == after:
            return False
        self.before[name] = before
        self.after[name] = after
        return True

    def result(self) -> dict[str, t.Any]:
        """``changed`` and ``diff`` for ``exit_json``."""
        return {"changed": bool(self), "diff": {"before": self.before, "after": self.after}}
