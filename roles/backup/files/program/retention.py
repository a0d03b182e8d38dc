# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which backups stay: the rules of ``restic forget``."""

from __future__ import annotations

import datetime
import typing as t

PERIODS: dict[str, t.Callable[[datetime.datetime], t.Any]] = {
    "last": lambda time: time,
    "daily": lambda time: time.date(),
    "weekly": lambda time: tuple(time.isocalendar())[:2],
    "monthly": lambda time: (time.year, time.month),
}


def kept(times: t.Collection[datetime.datetime], keep: dict[str, int]) -> set[datetime.datetime]:
    """Of each of the last so many days, weeks and months that have a backup the newest one, and the last ones.

    A period that has not seen enough backups yet keeps the oldest as well. The newest always stays; without rules, all.
    """
    if not any(keep.values()):
        return set(times)
    newest_first = sorted(times, reverse=True)
    stay = set(newest_first[:1])
    for period, number in keep.items():
        former = None
        for time in newest_first:
            if number and (PERIODS[period](time) != former or time is newest_first[-1]):
                stay.add(time)
                former = PERIODS[period](time)
                number -= 1
    return stay
