# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""Accounts: who is there, and with which name, role and password."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._http import ApiError
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import (
    InputError,
    NoSession,
    OpenWebUI,
    WrongPassword,
)
from ansible_collections.selfhosted.llm.plugins.module_utils._reconcile import Changes

ADDRESS = re.compile(r"[^@\s]+@(localhost|[^@\s]+\.[^@\s]+)")
LONGEST_PASSWORD = 72


class Account(t.NamedTuple):
    """One wanted account beside what the server has (empty: it does not exist), and what has to be sent to it."""

    email: str
    before: dict[str, t.Any]
    body: dict[str, t.Any]

    @property
    def action(self) -> str:
        """What is to do with it, as the module reports it."""
        if not self.body:
            return "none"
        return "updated" if self.before else "created"


def ensure_users(client: OpenWebUI, entries: list[dict[str, t.Any]], check_mode: bool) -> dict[str, t.Any]:
    """Bring accounts to the wanted name, role and password.

    :arg entries: ``email``, ``name``, ``role``, ``password``, ``update_password`` each; None is left as it is
    :raises InputError: an entry makes no sense, or would lock somebody out; nothing was written
    """
    _refuse_bad_entries(client, entries)
    known = _read(client)
    _refuse_missing_passwords(client, entries, known)
    accounts = [_compared(client, entry, known.get(entry["email"].lower(), {})) for entry in entries]
    _refuse_lockout(client, accounts)
    changes = _changes(accounts)
    if changes and not check_mode:
        for account in accounts:
            _write(client, account)
        known = _read(client)
        _prove(client, accounts, known)
    return {**changes.result(), "users": [_row(account, known.get(account.email, {})) for account in accounts]}


def _read(client: OpenWebUI) -> dict[str, dict[str, t.Any]]:
    users = client.get("/api/v1/users/all", needs=("users",))["users"]
    return {user["email"].lower(): user for user in users}


def _refuse_bad_entries(client: OpenWebUI, entries: list[dict[str, t.Any]]) -> None:
    problems = []
    seen = set()
    for entry in entries:
        email = entry["email"].lower()
        if not ADDRESS.fullmatch(email):
            problems.append(f"{entry['email']!r} is no e-mail address")
        if email in seen:
            problems.append(f"{email} is given more than once")
        seen.add(email)
        if entry["name"] is not None and not entry["name"].strip():
            problems.append(f"the name of {email} is empty")
        if entry["password"] is not None and not 1 <= len(entry["password"].encode()) <= LONGEST_PASSWORD:
            problems.append(f"the password of {email} is empty or longer than {LONGEST_PASSWORD} bytes")
        if entry["update_password"] == "always" and entry["password"] is None:
            problems.append(f"update_password is always for {email}, and there is no password")
    if problems:
        raise InputError(f"Nothing was sent to {client.http.base_url}: {'; '.join(problems)}.", client.http.base_url)


def _refuse_missing_passwords(client: OpenWebUI, entries: list[dict[str, t.Any]], known: dict[str, t.Any]) -> None:
    missing = [entry["email"] for entry in entries if entry["password"] is None and entry["email"].lower() not in known]
    if missing:
        raise InputError(
            f"These accounts do not exist on {client.http.base_url} and have no password: {', '.join(missing)}.",
            client.http.base_url,
            hint="Open WebUI needs a password to create an account.",
        )


def _compared(client: OpenWebUI, entry: dict[str, t.Any], before: dict[str, t.Any]) -> Account:
    email = entry["email"].lower()
    if not before:
        body = {
            "email": email,
            "name": entry["name"] or email.partition("@")[0],
            "role": entry["role"] or "user",
            "password": entry["password"],
        }
        return Account(email, before, body)
    body = {key: entry[key] for key in ("name", "role") if entry[key] is not None and entry[key] != before[key]}
    # Writing a password ends the person's sessions, even if it is the one that they have: so it is tried first.
    if entry["update_password"] == "always" and not _password_fits(client, email, entry["password"]):
        body["password"] = entry["password"]
    return Account(email, before, body)


def _password_fits(client: OpenWebUI, email: str, password: str) -> bool:
    try:
        client.sign_in(email, password)
    except WrongPassword:
        return False
    except NoSession:
        pass
    return True


def _refuse_lockout(client: OpenWebUI, accounts: list[Account]) -> None:
    admins = [account for account in accounts if account.body and account.before.get("role") == "admin"]
    if not admins:
        return
    own = _own_id(client)
    primary = _primary_id(client)
    for email, before, body in admins:
        if primary == before["id"] and "role" in body:
            problem = "is the primary administrator (the oldest account), whose role cannot be changed"
        elif primary == before["id"] and own != primary:
            problem = "is the primary administrator (the oldest account), which nobody but itself can change"
        elif own == before["id"] and "role" in body:
            problem = "is the account in use, which would lose its rights"
        elif own == before["id"] and "password" in body:
            problem = "is the account in use, whose session would end with its password"
        else:
            continue
        raise InputError(f"Nothing was changed on {client.http.base_url}: {email} {problem}.", client.http.base_url)


def _own_id(client: OpenWebUI) -> str:
    try:
        return client.get("/api/v1/auths/", needs=("id",))["id"]
    except ApiError as exc:
        if exc.status == 403:
            exc.hint = "An API key does not tell whose it is: to change an administrator, sign in with a password."
        raise


def _primary_id(client: OpenWebUI) -> str:
    path = "/api/v1/users/?order_by=created_at&direction=asc&page=1"
    users = client.get(path, needs=("users",))["users"]
    # The server's own rule: times have a resolution of one second, and an administrator wins a tie.
    return min(users, key=lambda user: (user["created_at"], user["role"] != "admin", user["id"]))["id"]


def _changes(accounts: list[Account]) -> Changes:
    changes = Changes()
    for email, before, body in accounts:
        shown = {key: value for key, value in body.items() if key != "password"}
        if not before:
            changes.compare(email, None, shown)
            continue
        for key, value in shown.items():
            changes.compare(f"{email}.{key}", before[key], value)
        if "password" in body:
            changes.compare(f"{email}.password", "another one", "as given")
    return changes


def _write(client: OpenWebUI, account: Account) -> None:
    if account.action == "created":
        client.post("/api/v1/auths/add", account.body)
    elif account.action == "updated":
        client.post(f"/api/v1/users/{account.before['id']}/update", account.body)


def _prove(client: OpenWebUI, accounts: list[Account], known: dict[str, t.Any]) -> None:
    for email, _before, body in accounts:
        wanted = {key: value for key, value in body.items() if key in ("name", "role")}
        stored = {key: known.get(email, {}).get(key) for key in wanted}
        if stored != wanted:
            raise ApiError(
                f"{client.http.base_url} took the change of {email} to {wanted}, but now has {stored}.",
                client.http.base_url,
                200,
            )


def _row(account: Account, user: dict[str, t.Any]) -> dict[str, t.Any]:
    row = {"id": None, "email": account.email, "name": None, "role": None, "action": account.action}
    for source in (user, account.body):
        row.update({key: source[key] for key in ("id", "name", "role") if key in source})
    return row
