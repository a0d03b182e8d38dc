# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""The host as this collection looks at it: files below a root, and programs that may be missing or hang."""

from __future__ import annotations

import os
import re
import typing as t

LINKS = 40


class Output(t.NamedTuple):
    """What a program said. The return code is None when it was stopped at the time limit."""

    rc: int | None
    out: str
    err: str


Run = t.Callable[..., "Output | None"]
"""Runs a program with its arguments and gives what it said, or None where it is not installed."""


class Host:
    """Reads files without ever failing: what cannot be read is as if it were not there."""

    def __init__(self, run: Run, root: str = "/") -> None:
        self.run = run
        self._root = root

    def path(self, path: str) -> str:
        """Where the path of the host lies for this process."""
        return os.path.join(self._root, path.lstrip("/"))

    def read(self, path: str) -> str:
        """The content of a file, or an empty string."""
        try:
            with open(self.path(path), encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    def names(self, path: str) -> list[str]:
        """The sorted names in a directory."""
        try:
            return sorted(os.listdir(self.path(path)))
        except OSError:
            return []

    def exists(self, path: str) -> bool:
        """Whether there is something at the path, when all links are followed."""
        return os.path.exists(self.path(self.resolve(path)))

    def link(self, path: str) -> str | None:
        """Where a link points, or None when it is none."""
        try:
            return os.readlink(self.path(path))
        except OSError:
            return None

    def resolve(self, path: str) -> str:
        """The path without links, which are followed as if the root were that of this process."""
        done, parts, links = "/", path.split("/"), 0
        while parts:
            part = parts.pop(0)
            target = self.link(os.path.join(done, part)) if part not in ("", ".", "..") else None
            if target is not None and links < LINKS:
                done, parts, links = "/" if target.startswith("/") else done, [*target.split("/"), *parts], links + 1
            else:
                done = os.path.normpath(os.path.join(done, part))
        return done


def version_key(text: str) -> list[tuple[int, int, str]]:
    """Sorts versions as package managers do: numbers by value, and what follows a tilde before all else."""
    parts = re.findall(r"\d+|[a-zA-Z]+|~", text)
    key = [(2, int(part), "") if part.isdigit() else (-1 if part == "~" else 1, 0, part) for part in parts]
    return [*key, (0, 0, "")]
