# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""Who may read and write something: the option ``access`` of every module that has it, and the server's grants."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import OpenWebUI
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.names import Names

PUBLIC = "public"
PRIVATE = "private"
EVERYBODY = "*"
PERMISSIONS = ("read", "write")
KINDS = {"groups": "group", "users": "user"}


class Grant(t.NamedTuple):
    """One line of the server's list."""

    permission: str
    principal_type: str
    principal_id: str


Grants = frozenset[Grant]


def problems(access: t.Any) -> t.Iterator[str]:
    """What is wrong with the form of the option, without a look at the server."""
    if isinstance(access, str):
        if access not in (PUBLIC, PRIVATE):
            yield f"has access {access!r}, which is neither {PUBLIC} nor {PRIVATE} nor a dictionary"
        return
    if not isinstance(access, dict):
        yield f"has an access that is neither {PUBLIC} nor {PRIVATE} nor a dictionary"
        return
    for permission, who in access.items():
        if permission not in PERMISSIONS:
            yield f"has access.{permission}, where only read and write are known"
        elif isinstance(who, dict):
            for kind, names in who.items():
                if kind not in KINDS:
                    yield f"has access.{permission}.{kind}, where only groups and users are known"
                elif not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
                    yield f"has access.{permission}.{kind} that is no list of names"
        elif who != PUBLIC:
            yield f"has access.{permission} that is neither {PUBLIC} nor a dictionary of groups and users"


def from_rows(rows: t.Iterable[dict[str, t.Any]]) -> Grants:
    """The server's grants of something, without those that mean nothing beside others."""
    return _reduced({Grant(row["permission"], row["principal_type"], row["principal_id"]) for row in rows})


def to_rows(grants: Grants) -> list[dict[str, str]]:
    """What the server is sent."""
    return [grant._asdict() for grant in sorted(grants)]


class Access:
    """Translates between the option and the grants of one server.

    :arg groups: the groups by name
    :arg users: the accounts by e-mail address
    """

    def __init__(self, client: OpenWebUI) -> None:
        self.groups = Names("group", lambda: [(row["name"], row["id"]) for row in client.get("/api/v1/groups/")])
        self.users = Names("account", lambda: [(row["email"], row["id"]) for row in _accounts(client)], str.lower)

    def grants(self, access: t.Any) -> Grants:
        """What the option means. Names that the server does not have are noted as missing.

        :arg access: without :func:`problems`
        """
        if access == PRIVATE:
            return frozenset()
        wanted = {"read": PUBLIC} if access == PUBLIC else access
        granted = {grant for permission, who in wanted.items() for grant in self._who(permission, who)}
        # Open WebUI shows nobody what they may write and not read.
        return _reduced(granted | {grant._replace(permission="read") for grant in granted})

    def shown(self, grants: Grants) -> t.Any:
        """The option that means these grants."""
        if not grants:
            return PRIVATE
        if grants == {_everybody("read")}:
            return PUBLIC
        access: dict[str, t.Any] = {}
        for grant in sorted(grants):
            if grant == _everybody(grant.permission):
                access[grant.permission] = PUBLIC
                continue
            kind, names = ("groups", self.groups) if grant.principal_type == "group" else ("users", self.users)
            access.setdefault(grant.permission, {}).setdefault(kind, []).append(names.name(grant.principal_id))
        for who in access.values():
            for names_of_kind in who.values() if isinstance(who, dict) else ():
                names_of_kind.sort()
        return access

    def _who(self, permission: str, who: t.Any) -> t.Iterator[Grant]:
        if who == PUBLIC:
            yield _everybody(permission)
            return
        for kind, names in who.items():
            known = {"groups": self.groups, "users": self.users}[kind]
            for name in names:
                yield Grant(permission, KINDS[kind], known.id(name))


def _accounts(client: OpenWebUI) -> list[dict[str, t.Any]]:
    return client.get("/api/v1/users/all", needs=("users",))["users"]


def _everybody(permission: str) -> Grant:
    return Grant(permission, "user", EVERYBODY)


def _reduced(grants: set[Grant]) -> Grants:
    return frozenset(
        grant for grant in grants if grant == _everybody(grant.permission) or _everybody(grant.permission) not in grants
    )
