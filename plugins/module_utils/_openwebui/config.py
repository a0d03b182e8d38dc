# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""Settings of the admin panel, which the server exports and imports by full names with JSON values."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._http import ApiError
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import InputError, OpenWebUI
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.names import Names
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.settings import SETTINGS
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.settings_effects import HYBRID, write
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.settings_rules import (
    elsewhere,
    lockouts,
    problems,
)
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.settings_values import (
    HIDDEN,
    Settings,
    flattened,
    hidden,
    nested,
    without_secrets,
)
from ansible_collections.selfhosted.llm.plugins.module_utils._reconcile import Changes

EXPORT = "/api/v1/configs/export"
GROUP = "ui.default_group_id"
OPTIONAL = {name: setting.default for name, setting in SETTINGS.items() if "optional" in setting.marks}


def ensure_settings(client: OpenWebUI, settings: Settings, allow_lockout: bool, check_mode: bool) -> dict[str, t.Any]:
    """Bring some of the server's settings to the wanted values.

    :arg settings: nested, by full names, or both
    :raises InputError: a setting cannot be that, or would lock somebody out; nothing was written
    """
    current = {**OPTIONAL, **_exported(client)}
    pairs = flattened(settings, current)
    found = list(problems(client, pairs, current))
    wanted = dict(pairs)
    groups = _groups(client)
    if GROUP in wanted:
        wanted[GROUP] = _group_id(groups, wanted[GROUP])
        found += groups.problems if check_mode else [*groups.problems, *groups.missing]
    _refuse(client, found)
    different = {name: value for name, value in wanted.items() if current[name] != value}
    if not allow_lockout:
        hint = "If that is meant, set allow_lockout."
        _refuse(client, list(lockouts(client, current, different)), hint)
    changes = Changes()
    for name, value in different.items():
        changes.compare(name, *_shown(name, current[name], value))
    if different and not check_mode:
        _carry_out(client, current, different)
    outcome = {**changes.result(), "settings": sorted(different)}
    # Only in check mode a group can be missing here: an earlier task of the run may be about to create it.
    return {**outcome, "warnings": groups.missing} if groups.missing else outcome


def describe_settings(client: OpenWebUI, changed_only: bool) -> dict[str, t.Any]:
    """The settings as :func:`ensure_settings` takes them, and the names of the secrets that are left out."""
    settings: Settings = {}
    secrets: list[str] = []
    for name, value in current_settings(client, changed_only).items():
        rest, left_out = without_secrets(name, value)
        settings.update(rest)
        secrets += left_out
    return {"changed": False, "settings": nested(settings), "secrets": sorted(secrets)}


def current_settings(client: OpenWebUI, changed_only: bool) -> Settings:
    """The settings that can be managed here, by full names, secrets included."""
    exported = _exported(client)
    others = elsewhere(client, exported)
    groups = _groups(client)
    return {
        name: groups.name(value) if name == GROUP and value else value
        for name, value in exported.items()
        if name not in others and not (changed_only and name in SETTINGS and SETTINGS[name].is_default(value))
    }


def _exported(client: OpenWebUI) -> Settings:
    return client.get(EXPORT, needs=("ui.enable_signup",))


def _groups(client: OpenWebUI) -> Names:
    return Names("group", lambda: [(group["name"], group["id"]) for group in client.get("/api/v1/groups/")])


def _group_id(groups: Names, value: t.Any) -> t.Any:
    """The server wants the identifier; a name means the same group on every server."""
    is_name = isinstance(value, str) and value and groups.name(value) == value
    return groups.id(value) if is_name else value


def _refuse(client: OpenWebUI, found: list[str], hint: str = "") -> None:
    if found:
        url = client.http.base_url
        raise InputError(f"Nothing was changed on {url}: {'; '.join(found)}.", url, hint=hint)


def _carry_out(client: OpenWebUI, current: Settings, different: Settings) -> None:
    stored = write(client, current, different)
    if not any(name.startswith("auth.mfa.") for name in different):
        # Else there is no session any more that could read, and the answer to the write has to do.
        stored = client.get(EXPORT, needs=tuple(different))
    lost = [name for name, value in different.items() if stored[name] != value]
    if lost:
        url = client.http.base_url
        raise ApiError(
            f"{url} took the settings, but does not have {', '.join(lost)} as sent.",
            url,
            200,
            (
                "Hybrid search goes off again when its reranking model cannot be loaded: see the server's log."
                if HYBRID in lost
                else "If somebody else is changing the settings just now, run this again."
            ),
        )


def _shown(name: str, before: t.Any, after: t.Any) -> tuple[t.Any, t.Any]:
    shown = (hidden(name, before), hidden(name, after))
    return shown if shown[0] != shown[1] else (f"{HIDDEN} another value", f"{HIDDEN} as given")
