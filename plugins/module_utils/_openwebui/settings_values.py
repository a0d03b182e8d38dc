# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""Values of settings: as people nest them and as the server keeps them, of which types, and with which secrets."""

from __future__ import annotations

import copy
import re
import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.settings import SECTIONS, SETTINGS

HIDDEN = "(hidden)"
# Inside a value, and in settings that the table does not know, only the name tells.
SECRET_NAME = re.compile(r"key|secret|token|passw|credential|authorization|headers|client_info|webhook", re.IGNORECASE)
SECRET_URL = re.compile(r"\w://[^/\s@]*:[^/\s@]+@")
TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "list", dict: "dictionary"}
NEVER_NULL = {"boolean", "integer", "number"}

Place = tuple[t.Union[str, int], ...]
Settings = dict[str, t.Any]


def flattened(settings: Settings, known: t.Iterable[str]) -> list[tuple[str, t.Any]]:
    """The settings under their full names. What leads to no known name is given under the name that does not lead on.

    :arg settings: nested, flat or both; the value of a known name is its value, also when that is a dictionary
    """
    return list(_flattened(settings, "", frozenset(known)))


def _flattened(settings: Settings, prefix: str, known: frozenset[str]) -> t.Iterator[tuple[str, t.Any]]:
    for key, value in settings.items():
        name = f"{prefix}{key}"
        if name not in known and isinstance(value, dict) and any(other.startswith(f"{name}.") for other in known):
            yield from _flattened(value, f"{name}.", known)
        else:
            yield name, value


def nested(settings: Settings) -> Settings:
    """Full names as nested dictionaries, in alphabetical order."""
    root: Settings = {}
    for name, value in sorted(settings.items()):
        *sections, last = name.split(".")
        section = root
        for part in sections:
            section = section.setdefault(part, {})
        section[last] = value
    return root


def type_of(value: t.Any) -> str:
    """What JSON calls it."""
    return next((name for kind, name in TYPES.items() if isinstance(value, kind)), "null")


def types_of(name: str, current: t.Any) -> set[str]:
    """Of which types a setting may be. None at all: the server has no value yet, and the table does not know it."""
    known = set(SETTINGS[name].types) if name in SETTINGS else set()
    if current is not None:
        # The running program may be of another version than the table.
        known.add(type_of(current))
    if "number" in known or (name not in SETTINGS and "integer" in known):
        known |= {"integer", "number"}
    return known


def fits(value: t.Any, types: set[str]) -> bool:
    """Whether a value is of one of the types. Null is how the server says that a text, list or dictionary is unset."""
    if value is None:
        return not types or not types <= NEVER_NULL
    return not types or type_of(value) in types


def secrets(value: t.Any, path: Place = (), secret: bool = False) -> t.Iterator[tuple[Place, str]]:
    """Where the texts are that may not be shown.

    :arg path: of the value; the parts of a name, together or apart
    """
    name = ".".join(map(str, path))
    if name in SETTINGS:
        secret = "secret" in SETTINGS[name].marks
    elif path and name not in SECTIONS:
        secret = secret or bool(SECRET_NAME.search(str(path[-1])))
    if isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from secrets(item, (*path, key), secret)
    elif isinstance(value, str) and value and (secret or SECRET_URL.search(value)):
        yield path, value


def hidden(name: str, value: t.Any) -> t.Any:
    """A value as it may be shown."""
    shown = {name: copy.deepcopy(value)}
    for path, _text in secrets(value, (name,)):
        _at(shown, path[:-1])[path[-1]] = HIDDEN
    return shown[name]


def secret_places(name: str, value: t.Any) -> list[Place]:
    """Where the secrets of a setting are. One that is a secret as a whole has one place."""
    places = [path for path, _text in secrets(value, (name,))]
    return [(name,)] if places and name in SETTINGS and "secret" in SETTINGS[name].marks else places


def without_secrets(name: str, value: t.Any) -> tuple[Settings, list[str]]:
    """A setting without its secrets, and their names. It is left out when nothing else is in it."""
    places = secret_places(name, value)
    rest = {name: copy.deepcopy(value)}
    # From the end, because what follows in a list moves up.
    for path in reversed(places):
        del _at(rest, path[:-1])[path[-1]]
    return rest, [".".join(map(str, path)) for path in places]


def _at(value: t.Any, path: Place) -> t.Any:
    for step in path:
        value = value[step]
    return value
