# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""Accounts of programs: the server gives an API key to nobody but its owner, so that we sign in as it for a moment."""

from __future__ import annotations

import copy
import re
import secrets
import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._http import ApiError, ServiceError
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import (
    REFUSALS,
    InputError,
    OpenWebUI,
    Refusal,
    SessionEnded,
    WrongPassword,
)
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.names import Names
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.session import own_account
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.user_list import Row, UserList
from ansible_collections.selfhosted.llm.plugins.module_utils._reconcile import Changes

API_KEY = "/api/v1/auths/api_key"
KEY = re.compile(r"sk-[!-~]+")
# Nobody gets mail there, and no directory signs anybody in as it: so what we take over is no person's account.
ADDRESS = re.compile(r"[^@\s\x00-\x1f\x7f]+@localhost")
ROLE = "user"
DISABLED = "pending"


class Unusable(ServiceError):
    """The server takes the key from nobody."""


# The key of a pending account is refused as one of nobody is.
KEY_REFUSALS = (
    Refusal(401, "", Unusable, ""),
    Refusal(403, "Use of API key is not enabled", Unusable, ""),
    *REFUSALS,
)


class Found(t.NamedTuple):
    """What the server has.

    :arg row: the account, empty if there is none
    :arg groups: those that it is a member of, without the groups above these; empty unless some are wanted
    :arg works: whether the program's key is that of the account
    """

    row: Row
    groups: list[Row]
    works: bool


class Program:
    """The account of one program.

    :arg client: an administrator
    :raises InputError: the address can be that of a person
    """

    def __init__(self, client: OpenWebUI, email: str) -> None:
        self.client = client
        self.url = client.http.base_url
        self.email = email.lower()
        if not ADDRESS.fullmatch(self.email):
            raise self._refusal(
                f"{email!r} may be the address of a person, who could not sign in any more",
                "Give an address that ends in @localhost, which no person has and no directory knows.",
            )

    def ensure(self, name: str | None, groups: list[str], key: str, check_mode: bool) -> dict[str, t.Any]:
        """Make the account, its memberships and a key, as far as they are missing.

        :arg name: as which it is shown; None: as it is
        :arg groups: names of groups of which it is to be a member
        :arg key: what the program has, or an empty string
        :raises InputError: it cannot get a key, or has somebody else's; nothing was written
        """
        if key and not KEY.fullmatch(key):
            raise self._refusal("what is given as key is no API key of Open WebUI")
        found = self._found(groups, key)
        changes = self._changes(found, name, groups)
        joined = [group for group in dict.fromkeys(groups) if group not in {row["name"] for row in found.groups}]
        ids = self._allowed_groups(found, joined) if joined or not found.works else []
        if changes and not check_mode:
            key = self._make(found, name, ids) or key
            found = self._found(groups, key)
            self._prove(list(self._changes(found, name, groups).after))
        return {**changes.result(), "id": found.row.get("id"), "key": key if found.works else None}

    def revoke(self, check_mode: bool) -> dict[str, t.Any]:
        """Take the key and the access away. What the account has made stays."""
        row = self._row()
        changes = Changes()
        changes.compare(f"{self.email}.role", row.get("role", DISABLED), DISABLED)
        outcome = {**changes.result(), "id": row.get("id"), "key": None}
        if check_mode or not changes:
            return outcome
        path = f"/api/v1/users/{row['id']}"
        password = _password()
        # The account loses its role last: a run that is cut off before is done again as a whole.
        self.client.post(f"{path}/update", {"password": password})
        try:
            self._as(self.client.sign_in(self.email, password)["token"]).call("DELETE", API_KEY)
        except ApiError as exc:
            kept = f"{self.url} keeps the API key of {self.email}, for when somebody gives the account a role again"
            outcome["warnings"] = [f"{kept}: {exc.message}"]
        self.client.post(f"{path}/sessions/revoke", None)
        self.client.post(f"{path}/update", {"role": DISABLED})
        self._prove([f"{self.email}.role"] if self._row().get("role", DISABLED) != DISABLED else [])
        return outcome

    def _prove(self, lost: list[str]) -> None:
        if lost:
            message = f"{self.url} took the change of {self.email}, but does not have {', '.join(lost)} as sent."
            raise ApiError(message, self.url, 200, "If somebody else is changing it just now, run this again.")

    def _row(self) -> Row:
        row = UserList(self.client, complete=False).rows.get(self.email, {})
        if row.get("role") == "admin":
            raise self._refusal(f"{self.email} is an administrator", "Give a program an account of its own.")
        return row

    def _found(self, groups: list[str], key: str) -> Found:
        row = self._row()
        member_of = self.client.get(f"/api/v1/users/{row['id']}/groups") if row and groups else []
        return Found(row, member_of, bool(key) and self._owns(row, key))

    def _owns(self, row: Row, key: str) -> bool:
        try:
            owner = own_account(self._as(key), KEY_REFUSALS)
        except Unusable:
            return False
        # Where the server does not tell, a key that works counts as the account's.
        owner = owner or {"id": row.get("id"), "email": "another account"}
        if owner["id"] != row.get("id") or not row:
            raise self._refusal(f"the key given is not that of {self.email}, but of {owner['email']}")
        return True

    def _changes(self, found: Found, name: str | None, groups: list[str]) -> Changes:
        changes = Changes()
        row = found.row
        if not row:
            changes.compare(self.email, None, {"name": self._name(name), "role": ROLE})
        else:
            changes.compare(f"{self.email}.role", row["role"], ROLE)
            changes.compare(f"{self.email}.name", row["name"], row["name"] if name is None else name)
        names = {group["name"] for group in found.groups}
        changes.compare(f"{self.email}.groups", sorted(names), sorted(names.union(groups)))
        changes.compare(
            f"{self.email}.api_key", "one that works" if found.works else "none that works", "one that works"
        )
        return changes

    def _allowed_groups(self, found: Found, joined: list[str]) -> list[str]:
        """The identifiers of the groups to join.

        :raises InputError: with everything that is in the way
        """
        groups = {row["id"]: row for row in self.client.get("/api/v1/groups/")}
        names = Names("group", lambda: [(row["name"], row["id"]) for row in groups.values()])
        ids = [names.id(name) for name in joined]
        problems = [*names.missing, *names.problems]
        if not found.works:
            problems += self._problems(found, groups, ids)
        if problems:
            raise self._refusal("; ".join(problems))
        return ids

    def _problems(self, found: Found, groups: dict[str, Row], ids: list[str]) -> t.Iterator[str]:
        """What keeps the account from having a key."""
        settings = self.client.get("/api/v1/configs/export", needs=("auth.enable_api_keys", "user.permissions"))
        if not settings["auth.enable_api_keys"]:
            yield "API keys are switched off: set auth.enable_api_keys to true (open_webui_api_keys of the role)"
        if settings.get("auth.mfa.enable"):
            yield "with multi-factor authentication nobody can sign in as a program: make the key by hand"
        if found.row:
            above = [*ids, *(row["id"] for row in self.client.get(f"/api/v1/users/{found.row['id']}/groups"))]
        else:
            above = [*ids, settings.get("ui.default_group_id")]
        permissions = [settings["user.permissions"]]
        while above:
            # Members have what the groups above theirs have, too.
            group = groups.pop(above.pop(), None)
            if group:
                permissions.append(group["permissions"] or {})
                above.append(group.get("parent_group_id"))
        if not any(each.get("features", {}).get("api_keys") for each in permissions):
            yield f"{self.email} may not have an API key: give a group the permission features.api_keys, and name it"

    def _make(self, found: Found, name: str | None, ids: list[str]) -> str:
        """Send what is missing. Returns the new key, or an empty string if there is no need for one."""
        row = found.row
        password = _password()
        token = ""
        if not row:
            body = {"email": self.email, "name": self._name(name), "role": ROLE, "password": password}
            row = self.client.call("POST", "/api/v1/auths/add", body, needs=("id", "token"))
            token = row["token"]
        else:
            wanted = {"role": ROLE, "name": row["name"] if name is None else name}
            body = {field: value for field, value in wanted.items() if row[field] != value}
            if not found.works:
                body["password"] = password
            if body:
                self.client.post(f"/api/v1/users/{row['id']}/update", body)
        for group in ids:
            self.client.post(f"/api/v1/groups/id/{group}/users/add", {"user_ids": [row["id"]]})
        if found.works:
            return ""
        try:
            token = token or self.client.sign_in(self.email, password)["token"]
            return self._as(token).call("POST", API_KEY, needs=("api_key",))["api_key"]
        except (SessionEnded, WrongPassword) as exc:
            message = f"Another run gives {self.email} of {self.url} a key at the same time."
            raise ApiError(message, self.url, exc.status, "Run this again.") from exc

    def _name(self, name: str | None) -> str:
        return self.email.partition("@")[0] if name is None else name

    def _as(self, token: str) -> OpenWebUI:
        client = OpenWebUI(copy.copy(self.client.http))
        client.http.token = token
        return client

    def _refusal(self, problem: str, hint: str = "") -> InputError:
        return InputError(f"Nothing was changed on {self.url}: {problem}.", self.url, hint=hint)


def _password() -> str:
    """One that nobody keeps, with each kind of character that a server can insist on."""
    return f"Aa1!{secrets.token_urlsafe(32)}"
