# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""What is refused after a look at the server: whom nobody may touch, and who may be somebody else's."""

from __future__ import annotations

from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import InputError, OpenWebUI
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.user_change import ADMIN, PENDING, Account
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.user_entries import Exclusive
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.user_list import UserList, source


def refuse_missing_passwords(client: OpenWebUI, accounts: list[Account]) -> None:
    """The server would refuse them one by one, in the middle of the list.

    :raises InputError: with every new account that has none
    """
    missing = [account.email for account in accounts if account.body.get("password", "") is None]
    if missing:
        raise InputError(
            f"These accounts do not exist on {client.http.base_url} and have no password: {', '.join(missing)}.",
            client.http.base_url,
            hint="Open WebUI needs a password to create an account.",
        )


def surplus(known: UserList, listed: set[str], exclusive: Exclusive) -> list[Account]:
    """The accounts that ``exclusive`` takes. The protected ones and those that others manage are kept.

    :arg listed: the addresses that stay, or go by an entry of their own
    :raises InputError: it cannot be told which, or there are too many
    """
    url = known.client.http.base_url
    found = []
    for email, row in sorted(known.rows.items()):
        done = exclusive.action == "disable" and row["role"] == PENDING
        if email in listed or done or source(row) != "local" or row["id"] == known.primary_id:
            continue
        if row["role"] == ADMIN and row["id"] == known.own_id:
            continue
        account = Account(email, None, row, deletes=exclusive.action == "delete")
        if not account.deletes:
            account.body = {"role": PENDING}
        found.append(account)
    names = ", ".join(account.email for account in found)
    elsewhere = {"enable_ldap": "LDAP", "auth_trusted_header": "a trusted header"}
    managers = [name for feature, name in elsewhere.items() if found and known.features.get(feature)]
    if managers:
        raise InputError(
            f"Nothing was changed on {url}: people can sign in there by {' and '.join(managers)}, which leaves no mark "
            f"on an account, so that exclusive cannot tell whose these are: {names}.",
            url,
            hint="Add them to the list, or set exclusive to false and remove accounts with state absent.",
        )
    if len(found) > exclusive.most:
        raise InputError(
            f"Nothing was changed on {url}: exclusive would {exclusive.action} {len(found)} accounts, more than "
            f"exclusive_max ({exclusive.most}): {names}.",
            url,
            hint="If that is meant, raise exclusive_max.",
        )
    return found


def refuse_lockout(known: UserList, accounts: list[Account]) -> None:
    """One administrator that must not be touched refuses the whole list.

    :raises InputError: with the rule for each of them
    """
    touched = [account for account in accounts if account.before.get("role") == ADMIN and account.changes]
    admins = sum(row["role"] == ADMIN for row in known.rows.values())
    left = admins - sum(account.demotes for account in touched)
    problems = []
    for account in touched:
        primary = account.before["id"] == known.primary_id
        if primary and account.demotes:
            problem = "is the primary administrator (the oldest account), which cannot be demoted, disabled or deleted"
        elif primary and known.own_id not in (None, known.primary_id):
            problem = "is the primary administrator (the oldest account), which nobody but itself can change"
        elif account.demotes and not left:
            problem = "is one of the last administrators, and one has to remain"
        elif account.demotes and known.own_id is None:
            problem = (
                "may be the account in use, because this server does not tell whose an API key is: sign in with a "
                "password to demote, disable or delete administrators"
            )
        elif account.demotes and account.before["id"] == known.own_id:
            problem = "is the account in use, which cannot be demoted, disabled or deleted"
        else:
            continue
        problems.append(f"{account.email} {problem}")
    if problems:
        url = known.client.http.base_url
        raise InputError(f"Nothing was changed on {url}: {'; '.join(problems)}.", url)
