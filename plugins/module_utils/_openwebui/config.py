# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""Settings of the admin panel, as the server exports and imports them: flat keys with JSON values."""

from __future__ import annotations

import difflib
import re
import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._http import ApiError
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import InputError, OpenWebUI
from ansible_collections.selfhosted.llm.plugins.module_utils._reconcile import Changes

SECRET = re.compile(r"key|secret|token|passw|credential", re.IGNORECASE)
HIDDEN = "(hidden)"


def secrets_in(value: t.Any, name: str = "") -> list[str]:
    """The texts that stand, at any depth, under a name that looks like that of a secret."""
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in secrets_in(item, _inner(name, key))]
    if isinstance(value, list):
        return [text for item in value for text in secrets_in(item, name)]
    return [value] if isinstance(value, str) and value and SECRET.search(name) else []


def ensure_settings(client: OpenWebUI, settings: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    """Bring some of the server's settings to the wanted values.

    :raises InputError: an unknown key or a value of another type; nothing was written
    """
    current = client.get("/api/v1/configs/export", needs=("ui.enable_signup",))
    _refuse_bad_settings(client, settings, current)
    different = {key: value for key, value in settings.items() if current[key] != value}
    changes = Changes()
    for key, value in different.items():
        changes.compare(key, *_shown(key, current[key], value))
    if different and not check_mode:
        client.post("/api/v1/configs/import", {"config": different})
        stored = client.get("/api/v1/configs/export", needs=tuple(different))
        lost = [key for key, value in different.items() if stored[key] != value]
        if lost:
            raise ApiError(
                f"{client.http.base_url} took the settings, but does not have {', '.join(lost)} as sent.",
                client.http.base_url,
                200,
            )
    return {**changes.result(), "settings": sorted(different)}


def _refuse_bad_settings(client: OpenWebUI, settings: dict[str, t.Any], current: dict[str, t.Any]) -> None:
    problems = []
    for key, value in settings.items():
        if key not in current:
            near = difflib.get_close_matches(key, current, n=1)
            problems.append(f"there is no setting {key}" + (f" (did you mean {near[0]}?)" if near else ""))
        elif not _fits(current[key], value):
            problems.append(f"{key} is of type {_type(current[key])}, not {_type(value)}")
        elif key == "auth.mfa.enable" and value and not current[key]:
            problems.append(f"{key} would end every session, this one included: switch it on in the admin panel")
    if problems:
        # The server itself would store anything, and has no way to delete a key again.
        raise InputError(f"Nothing was changed on {client.http.base_url}: {'; '.join(problems)}.", client.http.base_url)


def _fits(current: t.Any, value: t.Any) -> bool:
    """Whether a value can stand where this one stands. Null is how the server says that a text or a list is not set."""
    if current is None or (value is None and not isinstance(current, (bool, int, float))):
        return True
    return _type(current) == _type(value)


def _type(value: t.Any) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return "number"
    names = {bool: "boolean", str: "string", list: "list", dict: "dictionary", type(None): "null"}
    return next(name for kind, name in names.items() if isinstance(value, kind))


def _shown(key: str, before: t.Any, after: t.Any) -> tuple[t.Any, t.Any]:
    shown = (_masked(before, key), _masked(after, key))
    return shown if shown[0] != shown[1] else (f"{HIDDEN} another value", f"{HIDDEN} as given")


def _masked(value: t.Any, name: str) -> t.Any:
    if isinstance(value, dict):
        return {key: _masked(item, _inner(name, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(item, name) for item in value]
    return HIDDEN if secrets_in(value, name) else value


def _inner(name: str, key: str) -> str:
    """A secret-looking name covers everything below it."""
    return name if SECRET.search(name) else key
