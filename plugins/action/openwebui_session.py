# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the module of the same name and keeps its result, which holds a token, from being shown."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Hides what ``no_log`` of a module's options cannot hide: its result. A failure is shown, it holds no secret."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        # Before ansible-core 2.22 the ssh connection shows a module's whole output at -vvv unless this is set.
        self._connection._play_context.no_log = True
        result = self._execute_module(task_vars=task_vars)
        if not result.get("failed"):
            result["_ansible_no_log"] = True
        return result
