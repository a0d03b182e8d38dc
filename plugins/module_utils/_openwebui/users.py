# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""Accounts: bringing a whole list to what is wanted, without locking anybody out."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.selfhosted.llm.plugins.module_utils._http import ApiError, ConnectError, ServiceError
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import (
    Incomplete,
    InputError,
    NoSession,
    OpenWebUI,
    RateLimited,
    SessionEnded,
    WrongPassword,
)
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.user_change import (
    ADMIN,
    Account,
    compared,
    lets_in,
)
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.user_entries import Exclusive, checked
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.user_list import UserList, source
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.user_rules import (
    refuse_lockout,
    refuse_missing_passwords,
    surplus,
)
from ansible_collections.selfhosted.llm.plugins.module_utils._reconcile import Changes

# Most of a creation is the server's hashing of the password, which it does in threads.
THREADS = 4
SHOWN = 5
# After these every other account would fail as well.
STOPS = (SessionEnded, RateLimited, ConnectError)


def ensure_users(
    client: OpenWebUI, entries: list[dict[str, t.Any]], exclusive: Exclusive | None, check_mode: bool
) -> dict[str, t.Any]:
    """Bring accounts to what is wanted.

    :arg entries: the fields of :class:`Wanted` each
    :arg exclusive: what happens to accounts that are not listed; None leaves them alone
    :raises InputError: an entry makes no sense, or would lock somebody out; nothing was written
    :raises Incomplete: some accounts are not as wanted
    """
    wanted = checked(client.http.base_url, entries, exclusive)
    always = any(entry.update_password == "always" for entry in wanted)
    pictures = any(entry.profile_image_url is not None for entry in wanted)
    known = UserList(client, complete=bool(exclusive) or always or pictures)
    if not known.complete and any(lets_in(entry, known.rows.get(entry.email, {})) for entry in wanted):
        # Only there it stands whether the account has a password at all.
        known = UserList(client, complete=True)
    accounts = [compared(entry, known.rows.get(entry.email, {})) for entry in wanted]
    refuse_missing_passwords(client, accounts)
    if exclusive:
        accounts += surplus(known, {entry.email for entry in wanted}, exclusive)
    refuse_lockout(known, accounts)
    _try_passwords(known, accounts)
    stop = None
    if check_mode:
        for account in accounts:
            account.done = [] if account.error else list(account.differences())
    else:
        stop = _carry_out(client, accounts, always or pictures)
    return _reported(client, accounts, stop)


def _try_passwords(known: UserList, accounts: list[Account]) -> None:
    """Writing a password ends the person's sessions, even if it is the one that they have: so it is tried first."""
    tried = [account for account in accounts if account.password_to_try]
    for account in tried:
        reason = _untriable(known, account)
        if reason:
            account.error = InputError(
                f"Whether {account.email} has the password given cannot be found out: {reason}.",
                known.client.http.base_url,
                hint="Set update_password to on_create for it.",
            )
    _in_threads(lambda account: _try_password(known.client, account), [each for each in tried if not each.error])
    for account in tried:
        if account.before["role"] != ADMIN or "password" not in account.body:
            continue
        if account.before["id"] == known.own_id:
            problem = "is the account in use, whose session would end with its password"
            hint = "Change it as another administrator, or in the settings of the account itself."
        elif account.before["id"] == known.primary_id:
            problem = "is the primary administrator (the oldest account), whose password nobody but itself can change"
            hint = "Change it in the settings of the account itself."
        else:
            continue
        account.error = InputError(f"{account.email} {problem}.", known.client.http.base_url, hint=hint)


def _untriable(known: UserList, account: Account) -> str:
    manager = source(account.before)
    if manager != "local":
        return f"the account comes from {str(manager).upper()}, where its password is"
    if known.features.get("auth_trusted_header"):
        return "a proxy in front of the server signs people in by a trusted header"
    if not known.features.get("auth", True):
        return "the server lets everybody in without a password (WEBUI_AUTH)"
    return ""


def _try_password(client: OpenWebUI, account: Account) -> None:
    try:
        client.sign_in(account.email, str(account.password_to_try))
    except WrongPassword:
        account.body["password"] = account.password_to_try
    except NoSession:
        # The password is right, and something else is missing.
        pass
    except ApiError as exc:
        account.error = exc


def _carry_out(client: OpenWebUI, accounts: list[Account], complete: bool) -> ServiceError | None:
    """Send everything, and read it again. Returns what made an early end of it."""
    if not any(account.to_send for account in accounts):
        return None
    stop = _send(client, accounts)
    if stop:
        return stop
    try:
        known = UserList(client, complete)
        taken_over = _take_over(known, accounts)
        if taken_over:
            stop = _send(client, taken_over)
            known = UserList(client, complete)
    except ServiceError as exc:
        return exc
    for account in accounts:
        account.after = known.rows.get(account.email, {})
        if account.done and not account.error:
            account.prove(client.http.base_url)
    return stop


def _send(client: OpenWebUI, accounts: list[Account]) -> ServiceError | None:
    stops: list[ServiceError] = []

    def send(account: Account) -> None:
        if stops:
            return
        try:
            account.send(client)
        except ServiceError as exc:
            account.error = exc
            if isinstance(exc, STOPS):
                stops.append(exc)

    _in_threads(send, [account for account in accounts if account.to_send])
    return stops[0] if stops else None


def _take_over(known: UserList, accounts: list[Account]) -> list[Account]:
    """Another run can create an account between our reading and our attempt: then it is one that exists."""
    taken_over = []
    for index, account in enumerate(accounts):
        if account.error and account.wanted and not account.before and account.email in known.rows:
            accounts[index] = compared(account.wanted, known.rows[account.email])
            taken_over.append(accounts[index])
    _try_passwords(known, taken_over)
    return taken_over


def _in_threads(function: t.Callable[[Account], None], accounts: list[Account]) -> None:
    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        list(pool.map(function, accounts))


def _reported(client: OpenWebUI, accounts: list[Account], stop: ServiceError | None) -> dict[str, t.Any]:
    changes = Changes()
    for account in accounts:
        for name, values in account.differences().items():
            if name in account.done:
                changes.compare(name, *values)
    outcome = {**changes.result(), "users": [account.row() for account in accounts]}
    failed = [account for account in accounts if account.error]
    if stop:
        left = sum(account.action == "skipped" for account in accounts)
        stop.message += f" Accounts that failed: {len(failed)}, not reached: {left}."
        raise Incomplete(stop, outcome)
    if failed:
        raise Incomplete(_summary(client.http.base_url, failed, len(accounts)), outcome)
    return outcome


def _summary(url: str, failed: list[Account], total: int) -> ServiceError:
    errors = [account.error for account in failed if account.error]
    if len(errors) == 1:
        return errors[0]
    shown = "; ".join(f"{account.email}: {error.message}" for account, error in zip(failed, errors[:SHOWN]))
    return ApiError(
        f"{len(errors)} of {total} accounts of {url} failed: {shown}",
        url,
        errors[0].status,
        "The others are as wanted. The error of each account stands in users.",
    )
