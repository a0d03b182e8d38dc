# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""Keeping values out of a module's output that no option marks as secret."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule

try:
    from ansible.module_utils.secrets import register_secret
except ImportError:
    # ansible-core before 2.22 knows only the module's own list.
    register_secret = None


def pass_on(module: AnsibleModule, value: str) -> None:
    """Let a secret be part of the result, even if it was an option. The action plugin keeps that from being shown."""
    module.no_log_values.discard(value)
    _register(value)


def _register(value: str) -> None:
    """Have ansible-core mask what it shows, and not what it passes on."""
    if register_secret:
        register_secret(value)


class DiscreetModule(AnsibleModule):
    """A module that repeats its options nowhere, also when they are refused: no option marks the secrets inside them.

    Masking them by value would not do. A key is often a word like "ollama", which the result's URLs hold as well.
    """

    def _log_invocation(self) -> None:
        # It would write the options to the journal of the target. The argument no_log does not keep it from that: the
        # task's own no_log takes its place.
        self.log("Invoked")

    def exit_json(self, **kwargs: t.Any) -> t.NoReturn:
        super().exit_json(invocation={}, **kwargs)

    def fail_json(self, msg: str, **kwargs: t.Any) -> t.NoReturn:
        super().fail_json(msg, invocation={}, **kwargs)
