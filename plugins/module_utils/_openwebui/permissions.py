# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""What people may do: switches in sections, for everybody and for the members of a group."""

from __future__ import annotations

import functools
import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._http import ApiError
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import OpenWebUI
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.names import unknown
from ansible_collections.selfhosted.llm.plugins.module_utils._reconcile import Changes

PATH = "/api/v1/users/default/permissions"
SECTIONS = ("workspace", "sharing", "access_grants", "chat", "features", "settings")

Permissions = dict[str, dict[str, t.Any]]


def form_problems(permissions: dict[str, t.Any]) -> t.Iterator[str]:
    """What is wrong with the form of the option, without a look at the server."""
    for section, leaves in permissions.items():
        if not isinstance(leaves, dict):
            yield f"{section} is no dictionary of permissions"
            continue
        for leaf, value in leaves.items():
            if not isinstance(value, bool):
                yield f"{section}.{leaf} is neither true nor false"


def merged(before: Permissions, wanted: Permissions) -> Permissions:
    """Permissions with some of them replaced. What is no section, but stands in the place of one, goes."""
    old = {section: leaves for section, leaves in before.items() if isinstance(leaves, dict)}
    return {**before, **{section: {**old.get(section, {}), **leaves} for section, leaves in wanted.items()}}


class Defaults:
    """The permissions that everybody has, which is also the server's list of those that there are.

    :arg wanted: the option ``default_permissions``
    """

    def __init__(self, client: OpenWebUI, wanted: Permissions) -> None:
        self.client = client
        self.wanted = wanted

    @functools.cached_property
    def current(self) -> Permissions:
        """What the server has."""
        return self.client.get(PATH, needs=SECTIONS)

    def known(self, permissions: Permissions) -> Permissions:
        """Those that the server knows. A group may still have some of another version, which have no effect."""
        found = {
            section: {leaf: value for leaf, value in leaves.items() if leaf in self.current[section]}
            for section, leaves in permissions.items()
            if section in self.current and not list(form_problems({section: leaves}))
        }
        return {section: leaves for section, leaves in found.items() if leaves}

    def unknown(self, permissions: Permissions) -> t.Iterator[str]:
        """Problems of names that the server does not know. It would keep them in a group, and drop them here."""
        for section, leaves in permissions.items():
            if section not in self.current:
                yield unknown("section of permissions", section, self.current)
                continue
            for leaf in leaves:
                if leaf not in self.current[section]:
                    yield unknown(f"permission in {section}", leaf, self.current[section])

    def ensure(self, check_mode: bool) -> dict[str, t.Any]:
        """Bring them to what is wanted, which has no :func:`form_problems` and nothing :meth:`unknown`."""
        changes = Changes()
        for section, leaves in self.wanted.items():
            for leaf, value in leaves.items():
                changes.compare(f"default_permissions.{section}.{leaf}", self.current[section][leaf], value)
        if changes and not check_mode:
            # A section that is left out is refused, and a permission that is left out gets the program's default.
            self.client.post(PATH, merged(self.current, self.wanted))
            stored = self.client.get(PATH, needs=SECTIONS)
            lost = [
                f"{section}.{leaf}"
                for section, leaves in self.wanted.items()
                for leaf, value in leaves.items()
                if stored[section].get(leaf) != value
            ]
            if lost:
                url = self.client.http.base_url
                raise ApiError(f"{url} took the default permissions, but does not have {', '.join(lost)} as sent.", url)
        return changes.result()
