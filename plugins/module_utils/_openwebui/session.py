# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""Sessions: one sign-in whose token the tasks of a play share."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._http import ApiError
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import OpenWebUI


def open_session(client: OpenWebUI, email: str, password: str) -> dict[str, t.Any]:
    """Sign an administrator in.

    :raises ServiceError: the account cannot sign in, or is no administrator
    """
    answer = client.sign_in(email, password)
    if answer["role"] != "admin":
        raise ApiError(
            f"{answer['email']} signed in to {client.http.base_url}, but has the role {answer['role']}.",
            client.http.base_url,
            200,
            "Give the address of an administrator.",
        )
    return {
        "changed": False,
        "token": answer["token"],
        "expires_at": answer["expires_at"],
        "user": {key: answer[key] for key in ("id", "email", "name", "role")},
    }
