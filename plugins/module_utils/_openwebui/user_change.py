# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""What has to be done with one account, and what came of it."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._http import ApiError, ServiceError
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import OpenWebUI
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.user_entries import Wanted
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.user_list import Row, shown_picture, source

ADMIN = "admin"
PENDING = "pending"


@dataclasses.dataclass
class Account:
    """One account of the server, or one that it shall get.

    :arg wanted: its entry in the list, if it has one
    :arg before: what the server has; empty if it does not exist
    :arg body: the fields to send
    """

    email: str
    wanted: Wanted | None
    before: Row
    body: Row = dataclasses.field(default_factory=dict)
    deletes: bool = False
    error: ServiceError | None = None
    done: list[str] = dataclasses.field(default_factory=list)
    """The names of the differences that the server took."""
    after: Row = dataclasses.field(default_factory=dict)

    @property
    def changes(self) -> bool:
        """Whether there is anything to do."""
        return self.deletes or bool(self.body)

    @property
    def to_send(self) -> bool:
        """Whether the server has to be told something."""
        return self.changes and not self.error

    @property
    def password_to_try(self) -> str | None:
        """The password that only an attempt to sign in can compare."""
        if not self.before or not self.wanted or self.wanted.state != "present" or "password" in self.body:
            return None
        return self.wanted.password if self.wanted.update_password == "always" else None

    @property
    def demotes(self) -> bool:
        """Whether an administrator would lose the rights of one."""
        return self.before.get("role") == ADMIN and (self.deletes or self.body.get("role", ADMIN) != ADMIN)

    @property
    def disables(self) -> bool:
        """Whether an account that exists would lose its access."""
        return self.body.get("role") == PENDING

    @property
    def action(self) -> str:
        """What was done with it, as the module reports it."""
        if self.error:
            return "failed"
        if not self.changes:
            return "none"
        if not self.done:
            return "skipped"
        if not self.before:
            return "created"
        return "deleted" if self.deletes else "disabled" if self.disables else "updated"

    def differences(self) -> dict[str, tuple[t.Any, t.Any]]:
        """Everything to be done: before and after, by the name that it has in a diff."""
        if not self.changes:
            return {}
        if self.deletes:
            return {self.email: (_shown(self.before), None)}
        if not self.before:
            return {self.email: (None, _shown({"email": self.email, **self.body}))}
        found = {self._name("sessions"): ("open", "ended")} if self.disables else {}
        for field, value in _shown(self.body).items():
            found[self._name(field)] = (_shown(self.before)[field], value)
        if "password" in self.body:
            found[self._name("password")] = ("another one", "as given")
        return found

    def send(self, client: OpenWebUI) -> None:
        """Do it, and note what was done.

        :raises ServiceError: the server refused, or cannot be reached
        """
        names = list(self.differences())
        if not self.before:
            client.post("/api/v1/auths/add", {"email": self.email, **self.body})
        elif self.deletes:
            client.call("DELETE", f"/api/v1/users/{self.before['id']}")
        else:
            if self.disables:
                # Before the role: a run that is cut off in between finds the role as it was, and does both again.
                client.post(f"/api/v1/users/{self.before['id']}/sessions/revoke", None)
                self.done.append(names.pop(0))
            client.post(f"/api/v1/users/{self.before['id']}/update", self.body)
        self.done += names

    def prove(self, url: str) -> None:
        """Note an error where the server has not what it took.

        :arg url: of the server, for the message
        """
        wanted = {} if self.deletes else {field: value for field, value in self.body.items() if field in self.after}
        if self.deletes and self.after.get("id") == self.before["id"]:
            found = "still has it"
        elif not self.deletes and not self.after:
            found = "does not have it"
        elif lost := [field for field, value in wanted.items() if not _same(field, value, self.after)]:
            found = f"now has {_shown({field: self.after[field] for field in lost})}"
        else:
            return
        self.error = ApiError(
            f"{url} took the change of {self.email}, but {found}.",
            url,
            200,
            "If somebody else is changing accounts just now, run this again.",
        )

    def row(self) -> Row:
        """What the module tells of it."""
        sent = self.body if self._sent_all() else {}
        known = {**self.before, **sent, **self.after}
        row = {
            "id": known.get("id"),
            "email": self.email,
            "name": known.get("name"),
            "role": known.get("role"),
            "source": source(known) if self.before else "local",
            "action": self.action,
        }
        return {**row, "error": self.error.result()["msg"]} if self.error else row

    def _sent_all(self) -> bool:
        return bool(self.done) and self.done == list(self.differences())

    def _name(self, field: str) -> str:
        return f"{self.email}.{field}"


def compared(wanted: Wanted, before: Row) -> Account:
    """What an entry asks of an account."""
    account = Account(wanted.email, wanted, before)
    if wanted.state == "absent":
        account.deletes = bool(before)
        return account
    fields = {"name": wanted.name, "role": wanted.role, "profile_image_url": wanted.profile_image_url}
    if not before:
        # The server's own default would be an account that may do nothing.
        defaults = {"name": wanted.email.partition("@")[0], "role": "user", "password": wanted.password}
        account.body = {**defaults, **{field: value for field, value in fields.items() if value is not None}}
        return account
    if wanted.role is None and before["role"] == PENDING:
        # Who comes back to the list has been disabled when leaving it, and shall have access again.
        fields["role"] = "user"
    account.body = {
        field: value for field, value in fields.items() if value is not None and not _same(field, value, before)
    }
    if lets_in(wanted, before) and source(before) == "local":
        # Where sign-up is open, anybody can have made an account with this address and a password of their own.
        account.body["password"] = wanted.password
    return account


def lets_in(wanted: Wanted, before: Row) -> bool:
    """Whether a pending account gets access by an entry that has a password for it."""
    listed = wanted.state == "present" and wanted.role != PENDING
    return listed and before.get("role") == PENDING and wanted.password is not None


def _same(field: str, value: str, row: Row) -> bool:
    if field == "profile_image_url" and not value:
        # What the server shows of an account without a picture.
        value = f"/api/v1/users/{row['id']}/profile/image"
    return row[field] == value


def _shown(row: Row) -> Row:
    shown: Row = {field: row[field] for field in ("email", "name", "role", "profile_image_url") if field in row}
    if "profile_image_url" in shown:
        shown["profile_image_url"] = shown_picture(shown["profile_image_url"])
    return shown
