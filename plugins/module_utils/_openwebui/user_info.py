# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""Accounts as an administrator looks at them: who is there, since when, and who has not been here for long."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import OpenWebUI
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.user_list import (
    Row,
    UserList,
    shown_picture,
    source,
)

DAY = 24 * 60 * 60


def describe_users(
    client: OpenWebUI,
    emails: list[str] | None,
    roles: list[str] | None,
    groups: list[str] | None,
    inactive_days: int | None,
) -> list[Row]:
    """The accounts that pass every filter that is not None, by address.

    Only what is named here goes out: the server's rows also hold settings and the identifiers of identity providers.
    """
    rows = UserList(client, complete=True).rows
    addresses = None if emails is None else {email.lower() for email in emails}
    names = _group_names(client, rows.values())
    latest = None if inactive_days is None else time.time() - inactive_days * DAY
    found = []
    for email, row in sorted(rows.items()):
        member_of = sorted(names[group] for group in row["group_ids"] if group in names)
        if (
            (addresses is None or email in addresses)
            and (roles is None or row["role"] in roles)
            and (groups is None or not set(groups).isdisjoint(member_of))
            and (latest is None or row["last_active_at"] <= latest)
        ):
            found.append(
                {
                    **{key: row[key] for key in ("id", "email", "name", "role", "last_active_at", "created_at")},
                    "groups": member_of,
                    "source": source(row),
                    "profile_image_url": shown_picture(row["profile_image_url"]),
                }
            )
    return found


def _group_names(client: OpenWebUI, rows: t.Iterable[Row]) -> dict[str, str]:
    if not any(row["group_ids"] for row in rows):
        return {}
    return {group["id"]: group["name"] for group in client.get("/api/v1/groups/")}
