# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""What a list of accounts may ask for. All of it is checked before anything is sent."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui import pictures
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import InputError

CONTROL = "\x00-\x1f\x7f"
ADDRESS = re.compile(rf"[^@\s{CONTROL}]+@(localhost|[^@\s{CONTROL}]+\.[^@\s{CONTROL}]+)")
LONGEST_PASSWORD = 72


class Wanted(t.NamedTuple):
    """One entry of the list. None means: as it is."""

    email: str
    name: str | None
    role: str | None
    password: str | None
    update_password: str
    profile_image_url: str | None
    state: str


class Exclusive(t.NamedTuple):
    """What happens to accounts that are not in the list.

    :arg action: ``disable`` or ``delete``
    :arg most: more accounts than that are a mistake
    :arg allow_empty: whether that may be all accounts
    """

    action: str
    most: int
    allow_empty: bool


def checked(url: str, entries: list[dict[str, t.Any]], exclusive: Exclusive | None) -> list[Wanted]:
    """The entries, with addresses as the server stores them.

    :arg url: of the server, for the message
    :raises InputError: with every problem of the list
    """
    wanted = [Wanted(**{**entry, "email": entry["email"].lower()}) for entry in entries]
    problems = [f"{entry.email!r} {problem}" for entry in wanted for problem in _problems(entry)]
    addresses = [entry.email for entry in wanted]
    problems += [
        f"{email!r} is given more than once" for email in dict.fromkeys(addresses) if addresses.count(email) > 1
    ]
    if exclusive and not exclusive.allow_empty and not any(entry.state == "present" for entry in wanted):
        problems.append("no account is left in the list; if exclusive shall take them all, set allow_empty")
    if problems:
        raise InputError(f"Nothing was sent to {url}: {'; '.join(problems)}.", url)
    return wanted


def _problems(entry: Wanted) -> t.Iterator[str]:
    if not ADDRESS.fullmatch(entry.email):
        yield "is no e-mail address"
    if entry.name is not None and (not entry.name.strip() or re.search(f"[{CONTROL}]", entry.name)):
        yield "has a name that is empty or holds control characters"
    if entry.password is not None and not 1 <= len(entry.password.encode()) <= LONGEST_PASSWORD:
        yield f"has a password that is empty or longer than {LONGEST_PASSWORD} bytes"
    if entry.state == "present" and entry.update_password == "always" and entry.password is None:
        yield "has update_password always, and no password"
    yield from pictures.problems(entry.profile_image_url)
