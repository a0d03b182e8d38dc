# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""Lists that the server gives out in pages of 30, whatever is asked for."""

from __future__ import annotations

import itertools
import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._http import ApiError
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import OpenWebUI

PAGE = 30
ATTEMPTS = 3


def all_pages(client: OpenWebUI, path: str, field: str) -> list[dict[str, t.Any]]:
    """Everything that a paged list holds.

    :arg path: with a query that fixes the order
    :arg field: under which an answer has its rows, beside ``total``
    :raises ApiError: the list changed while it was read, each time
    """
    for _attempt in range(ATTEMPTS):
        rows: dict[str, dict[str, t.Any]] = {}
        totals = set()
        for page in itertools.count(1):
            answer = client.get(f"{path}&page={page}", needs=(field, "total"))
            rows.update({row["id"]: row for row in answer[field]})
            totals.add(answer["total"])
            if len(rows) >= answer["total"] or not answer[field]:
                break
        # Where rows have the same place in the order, two pages may hold the same one.
        if totals == {len(rows)}:
            return list(rows.values())
    raise ApiError(
        f"The {field} of {client.http.base_url} changed while they were read, {ATTEMPTS} times.",
        client.http.base_url,
        hint=f"Run this again when nobody else changes {field}.",
    )
