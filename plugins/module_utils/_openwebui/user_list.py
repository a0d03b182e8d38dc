# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""The accounts that a server has, read in as few requests as the question allows."""

from __future__ import annotations

import functools
import hashlib
import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import OpenWebUI
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.paging import all_pages
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.session import own_account

Row = dict[str, t.Any]


class UserList:
    """All accounts, as they were when this was made.

    :arg complete: with what stands in the paged list only, 30 accounts per request: picture, source and times
    """

    def __init__(self, client: OpenWebUI, complete: bool) -> None:
        self.client = client
        self.complete = complete
        if complete:
            # By address, because no two accounts have the same: the order of equal times may differ between requests.
            rows = all_pages(client, "/api/v1/users/?order_by=email&direction=asc", "users")
        else:
            rows = client.get("/api/v1/users/all", needs=("users",))["users"]
        self.rows: dict[str, Row] = {row["email"].lower(): row for row in rows}
        """By the address in lower case."""

    @functools.cached_property
    def primary_id(self) -> str:
        """Of the account that only itself may change, and that nobody may demote or delete."""
        path = "/api/v1/users/?order_by=created_at&direction=asc&page=1"
        users = self.client.get(path, needs=("users",))["users"]
        # The server's own rule: times have a resolution of one second, and an administrator wins a tie.
        return min(users, key=lambda user: (user["created_at"], user["role"] != "admin", user["id"]))["id"]

    @functools.cached_property
    def own_id(self) -> str | None:
        """Of the account in use. None under an API key on a server that does not tell whose it is."""
        account = own_account(self.client)
        return account["id"] if account else None

    @functools.cached_property
    def features(self) -> dict[str, t.Any]:
        """What is switched on at the server."""
        return self.client.get("/api/config", needs=("features",))["features"]


def source(row: Row) -> str | None:
    """Who made the account: ``local``, ``oauth`` or ``scim``; None for a row that does not tell.

    Accounts of LDAP and of a proxy's trusted header have no mark: they are local ones.
    """
    if "oauth" not in row:
        return None
    return "oauth" if row["oauth"] else "scim" if row["scim"] else "local"


def shown_picture(url: str | None) -> str | None:
    """A picture's URL, short and still different from others: a picture can be inside its own URL."""
    if not url or not url.startswith("data:"):
        return url
    digest = hashlib.sha256(url.encode()).hexdigest()
    return f"{url.partition(',')[0]},... ({len(url)} characters, SHA-256 {digest[:16]})"
