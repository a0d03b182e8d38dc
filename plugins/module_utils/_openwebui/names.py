# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""Names that people use, for what the server knows by identifiers."""

from __future__ import annotations

import difflib
import functools
import typing as t


def unknown(noun: str, name: str, known: t.Iterable[str]) -> str:
    """Says that there is no such thing, and which one may have been meant."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"there is no {noun} {name!r}" + (f" (did you mean {near[0]!r}?)" if near else "")


class Names:
    """The things of one kind that a server has. They are read when the first is asked for, and once.

    :arg noun: what one is called in messages
    :arg read: gives the name and the identifier of each
    :arg fold: brings two spellings of the same name together
    """

    def __init__(
        self,
        noun: str,
        read: t.Callable[[], t.Iterable[tuple[str, str]]],
        fold: t.Callable[[str], str] = str,
    ) -> None:
        self.noun = noun
        self.problems: list[str] = []
        self.missing: list[str] = []
        """Problems that an earlier task of the same run can solve."""
        self._read = read
        self._fold = fold

    def id(self, name: str) -> str:
        """The identifier. Of a name that nothing or more than one thing has, a problem is noted, and it stands for
        itself."""
        found = self._ids.get(self._fold(name), [])
        if len(found) == 1:
            return found[0]
        if found:
            self.problems.append(f"{len(found)} of the {self.noun}s are called {name!r}: {', '.join(sorted(found))}")
        else:
            self.missing.append(unknown(self.noun, name, self._ids))
        return name

    def name(self, identifier: str) -> str:
        """The name, or the identifier of something that is not there any more."""
        return self._names.get(identifier, identifier)

    def __contains__(self, name: str) -> bool:
        return self._fold(name) in self._ids

    def __len__(self) -> int:
        return len(self._pairs)

    @functools.cached_property
    def _pairs(self) -> list[tuple[str, str]]:
        return [(self._fold(name), identifier) for name, identifier in self._read()]

    @functools.cached_property
    def _names(self) -> dict[str, str]:
        return {identifier: name for name, identifier in self._pairs}

    @functools.cached_property
    def _ids(self) -> dict[str, list[str]]:
        ids: dict[str, list[str]] = {}
        for name, identifier in self._pairs:
            ids.setdefault(name, []).append(identifier)
        return ids
