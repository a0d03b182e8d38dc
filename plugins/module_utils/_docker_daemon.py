# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""The configuration file of the Docker Engine: how options are merged, and what a change asks of the engine."""

from __future__ import annotations

import json
import re
import typing as t

# What SIGHUP makes the engine read again, from Docker's documentation of dockerd ("Configuration reload behavior").
RELOADABLE = frozenset(
    (
        "allow-nondistributable-artifacts",
        "authorization-plugins",
        "debug",
        "default-runtime",
        "features",
        "insecure-registries",
        "labels",
        "live-restore",
        "max-concurrent-downloads",
        "max-concurrent-uploads",
        "max-download-attempts",
        "registry-mirrors",
        "runtimes",
        "shutdown-timeout",
    )
)
# The other reloadable options keep their last value when they are gone from the file.
RESET_WHEN_REMOVED = frozenset(
    (
        "authorization-plugins",
        "features",
        "max-concurrent-downloads",
        "max-concurrent-uploads",
        "max-download-attempts",
    )
)
# The engine reads all features again, but acts upon most (cdi, containerd-snapshotter) only when it starts.
RELOADABLE_FEATURES = frozenset(("buildkit",))

SECRET_NAME = re.compile(r"pass|secret|token|credential", re.IGNORECASE)
URL_CREDENTIALS = re.compile(r"//[^/@\s]+@")


class InvalidConfig(ValueError):
    """The file is not what the engine would read."""


def parse(content: bytes, path: str) -> dict[str, t.Any]:
    """The options in the content of a configuration file; the engine takes an empty file for an empty object.

    :raises InvalidConfig: it is not a JSON object
    """
    try:
        text = content.decode("utf-8-sig")
        config = json.loads(text) if text.strip() else {}
    except ValueError as exc:
        raise InvalidConfig(f"{path} is not JSON: {exc}. Nothing was changed: repair or remove the file.") from exc
    if not isinstance(config, dict):
        raise InvalidConfig(f"{path} is not a JSON object. Nothing was changed: repair or remove the file.")
    return config


def merge(current: dict[str, t.Any], options: dict[str, t.Any]) -> dict[str, t.Any]:
    """The options put over the current ones: objects key by key, lists as a whole, None removes."""
    merged = dict(current)
    for key, value in options.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            before = merged.get(key)
            inner = merge(before if isinstance(before, dict) else {}, value)
            # Removing something from an object that is not there does not make the object.
            if inner or not value or key in merged:
                merged[key] = inner
        else:
            merged[key] = value
    return merged


def render(config: dict[str, t.Any]) -> bytes:
    """The content of the file."""
    return (json.dumps(config, indent=2, ensure_ascii=False) + "\n").encode()


def needs_restart(before: dict[str, t.Any], after: dict[str, t.Any]) -> bool:
    """Whether a reload of the engine is not enough for the change."""
    for key in _changed(before, after):
        if key not in RELOADABLE or (key not in after and key not in RESET_WHEN_REMOVED):
            return True
    features = (config.get("features") for config in (before, after))
    # An engine would not have started with anything but an object there.
    objects = [value if isinstance(value, dict) else {} for value in features]
    return bool(_changed(*objects) - RELOADABLE_FEATURES)


def masked(value: t.Any, name: str = "") -> t.Any:
    """The value as it may be shown: log drivers take tokens as options, and proxy URLs hold passwords."""
    if isinstance(value, dict):
        return {key: masked(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [masked(inner, name) for inner in value]
    if value is not None and SECRET_NAME.search(name):
        return "********"
    return URL_CREDENTIALS.sub("//********@", value) if isinstance(value, str) else value


def _changed(before: dict[str, t.Any], after: dict[str, t.Any]) -> set[str]:
    return {key for key in {**before, **after} if before.get(key) != after.get(key)}
