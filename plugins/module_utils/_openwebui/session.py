# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""Sessions: one sign-in whose token the tasks of a run share, and whose account they act as."""

from __future__ import annotations

import contextlib
import re
import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._http import ApiError, ServiceError
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import (
    REFUSALS,
    OpenWebUI,
    Refusal,
    SessionEnded,
    WrongPassword,
)

ACCOUNT = ("id", "email", "name", "role")
# The server tells API keys from sessions by it.
API_KEY = "sk-"
# The collection's tests ran with the first and the last of these. What else is known of versions is said by
# roles/container/vars/main/versions.yml.
TESTED = ("0.12.0", "0.12.4")


def open_session(client: OpenWebUI) -> dict[str, t.Any]:
    """The session of the client's token, or a new one where there is none or it has ended.

    :raises ServiceError: the account cannot sign in, or is no administrator
    """
    if client.http.token:
        try:
            return _present(client, client.http.token)
        except SessionEnded:
            if not client.email:
                raise
    try:
        answer = client.sign_in(client.email, client.password)
    except WrongPassword as exc:
        with contextlib.suppress(ServiceError):
            if OpenWebUI(client.http).get("/api/config").get("onboarding"):
                exc.hint = "The server has no account at all: it waits for its first visitor to become administrator."
        raise
    return _session(client, answer["token"], answer["expires_at"], answer)


def remark(version: str | None, url: str) -> str:
    """What to say of a server's version: nothing if it lies in the tested range, or if the server tells none.

    :arg version: as the server tells it
    """
    if not version or _number(TESTED[0]) <= _number(version) <= _number(TESTED[1]):
        return ""
    return (
        f"{url} is Open WebUI {version}, and this collection was tested with {TESTED[0]} to {TESTED[1]}. The run goes "
        "on; a task fails where that version no longer answers as expected. Then look for a newer release of the "
        "collection."
    )


def _number(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)[:3]]


def own_account(client: OpenWebUI, refusals: tuple[Refusal, ...] = REFUSALS) -> dict[str, t.Any] | None:
    """The account that the client acts as, or None: an API key on a server that does not tell whose it is.

    :arg refusals: what the server's refusals of a key mean
    """
    if not (client.http.token or "").startswith(API_KEY):
        return client.get("/api/v1/auths/", needs=ACCOUNT)
    try:
        return client.call("GET", "/api/v1/users/user/status", needs=ACCOUNT, refusals=refusals)
    except ApiError as exc:
        # The path hangs on a switch (users.enable_status), may be closed to keys, and older versions have another one.
        if exc.status not in (200, 403):
            raise
        return None


def _present(client: OpenWebUI, token: str) -> dict[str, t.Any]:
    account = own_account(client)
    if account is None:
        client.get("/api/v1/auths/admin/config", needs=("ENABLE_SIGNUP",))
        return _session(client, token, None, None)
    return _session(client, token, account.get("expires_at"), account)


def _session(
    client: OpenWebUI, token: str, expires_at: int | None, account: dict[str, t.Any] | None
) -> dict[str, t.Any]:
    if account and account["role"] != "admin":
        raise ApiError(
            f"{account['email']} signed in to {client.http.base_url}, but has the role {account['role']}.",
            client.http.base_url,
            200,
            "Give the address or the API key of an administrator.",
        )
    user = {key: account[key] for key in ACCOUNT} if account else None
    version = None
    # It is only for a warning.
    with contextlib.suppress(ServiceError):
        version = OpenWebUI(client.http).get("/api/version", needs=("version",))["version"]
    return {"changed": False, "token": token, "expires_at": expires_at, "user": user, "version": version}
