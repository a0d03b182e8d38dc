# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""What settings may not be. The server itself would store anything, and has no way to delete a setting again."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import OpenWebUI
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.names import unknown
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.session import API_KEY
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.settings import SETTINGS
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.settings_values import (
    Settings,
    fits,
    type_of,
    types_of,
)

OAUTH = "/api/v1/auths/admin/config/oauth"
PERSISTENT = "ENABLE_OAUTH_PERSISTENT_CONFIG"
OWNERS = {
    "connection": "belongs to selfhosted.llm.openwebui_connection",
    "group": "belongs to default_permissions of selfhosted.llm.openwebui_group",
}
# Values with which people cannot sign in, or get a role that means nothing. The admin panel drops them silently.
VALUES = {
    "auth.jwt_expiry": (r"-1|0|-?\d+(\.\d+)?(ms|s|m|h|d|w)", "a number with ms, s, m, h, d or w, such as 12h, or -1"),
    "channels.model_response_mode": ("thread|channel", "thread or channel"),
    "ui.default_user_role": ("pending|user|admin", "pending, user or admin"),
}
LASTING = r"-1|0|(?=.*[1-9])\d+(\.\d+)?[mhdw]"


def elsewhere(client: OpenWebUI, names: t.Iterable[str]) -> dict[str, str]:
    """The settings among some that cannot be managed here, with the reason."""
    reasons = {}
    oauth = []
    for name in names:
        marks = SETTINGS[name].marks if name in SETTINGS else ()
        owner = next((OWNERS[mark] for mark in marks if mark in OWNERS), "")
        if owner:
            reasons[name] = owner
        elif "environment" in marks:
            reasons[name] = f"is read from the environment{_variable(name)} when the server starts, and only there"
        elif name.startswith("oauth."):
            oauth.append(name)
    if oauth and not client.get(OAUTH, needs=(PERSISTENT,))[PERSISTENT]:
        for name in oauth:
            reasons[name] = f"comes from the environment{_variable(name)} unless {PERSISTENT} is true there"
    return reasons


def _variable(name: str) -> str:
    variables = SETTINGS[name].variables if name in SETTINGS else ()
    return f" ({variables[0]})" if variables else ""


def problems(client: OpenWebUI, wanted: list[tuple[str, t.Any]], current: Settings) -> t.Iterator[str]:
    """What is wrong with settings whatever the server has now."""
    names = [name for name, _value in wanted]
    yield from (f"{name} is given more than once" for name in dict.fromkeys(names) if names.count(name) > 1)
    reasons = elsewhere(client, (name for name in names if name in current))
    for name, value in wanted:
        types = types_of(name, current.get(name))
        pattern, words = VALUES.get(name, ("", ""))
        if name in reasons:
            yield f"{name} {reasons[name]}"
        elif name not in current and any(other.startswith(f"{name}.") for other in current):
            yield f"{name} is no setting, but what the names of several begin with"
        elif name not in current:
            yield unknown("setting", name, current)
        elif not fits(value, types):
            yield f"{name} is of type {' or '.join(sorted(types))}, not {type_of(value)}"
        elif pattern and not re.fullmatch(pattern, str(value)):
            yield f"{name} is {words}, not {value!r}"


def lockouts(client: OpenWebUI, current: Settings, different: Settings) -> t.Iterator[str]:
    """What a change of settings would take from the caller or from everybody."""
    after = {**current, **different}
    multi_factor = [name for name in different if name.startswith("auth.mfa.")]
    if multi_factor:
        rest = ", and no password alone would open another" if after.get("auth.mfa.enable") else ""
        yield f"{', '.join(multi_factor)} would end every session, this one included{rest}"
    if different.get("ui.enable_login_form") is False:
        yield "ui.enable_login_form would take the form for passwords from the sign-in page"
    if not re.fullmatch(LASTING, str(different.get("auth.jwt_expiry", "-1"))):
        yield f"auth.jwt_expiry {different['auth.jwt_expiry']} would end new sessions within seconds"
    if (client.http.token or "").startswith(API_KEY):
        if different.get("auth.enable_api_keys") is False:
            yield "auth.enable_api_keys would switch off the API key in use"
        endpoints = {"auth.api_key.endpoint_restrictions", "auth.api_key.allowed_endpoints"} & set(different)
        if endpoints and after.get("auth.api_key.endpoint_restrictions") and not _allowed(after):
            yield f"{', '.join(sorted(endpoints))} would keep the API key in use from the settings"


def _allowed(settings: Settings) -> bool:
    """Whether an API key could still read and write settings."""
    paths = [path.strip() for path in (settings.get("auth.api_key.allowed_endpoints") or "").split(",")]
    needed = ("/api/v1/configs/export/", "/api/v1/configs/import/")
    return all(any(path and one.startswith(f"{path}/") for path in paths) for one in needed)
