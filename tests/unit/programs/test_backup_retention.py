# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which backups stay. The expected ones follow restic's documentation of ``forget``, not this program."""

from __future__ import annotations

import datetime
import json
import os
import runpy
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
from backup_service import PROGRAM

KEPT = runpy.run_path(str(PROGRAM / "retention.py"))["kept"]

# Two on some days, gaps, and the turn of a year within a week: 2026-12-28 and 2027-01-03 are both of week 53.
TIMES = [
    "2026-11-01 03:00",
    "2026-11-30 03:00",
    "2026-12-20 03:00",
    "2026-12-27 03:00",
    "2026-12-28 03:00",
    "2026-12-31 03:00",
    "2027-01-01 03:00",
    "2027-01-03 03:00",
    "2027-01-03 15:00",
    "2027-01-04 03:00",
    "2027-01-04 04:00",
]
CASES: list[tuple[dict[str, int], list[str]]] = [
    ({}, TIMES),
    ({"last": 1}, ["2027-01-04 04:00"]),
    ({"last": 3}, ["2027-01-03 15:00", "2027-01-04 03:00", "2027-01-04 04:00"]),
    ({"last": 99}, TIMES),
    # The newest of each of the last days that have one.
    ({"daily": 3}, ["2027-01-01 03:00", "2027-01-03 15:00", "2027-01-04 04:00"]),
    ({"weekly": 3}, ["2026-12-27 03:00", "2027-01-03 15:00", "2027-01-04 04:00"]),
    ({"monthly": 2}, ["2026-12-31 03:00", "2027-01-04 04:00"]),
    # There are three months only, so the oldest stays as well.
    ({"monthly": 5}, ["2026-11-01 03:00", "2026-11-30 03:00", "2026-12-31 03:00", "2027-01-04 04:00"]),
    # Each rule counts for itself.
    (
        {"last": 2, "daily": 2, "monthly": 2},
        ["2026-12-31 03:00", "2027-01-03 15:00", "2027-01-04 03:00", "2027-01-04 04:00"],
    ),
]


def moment(text: str) -> datetime.datetime:
    return datetime.datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=datetime.timezone.utc)


@pytest.mark.parametrize(("keep", "stay"), CASES, ids=str)
def test_the_rules(keep: dict[str, int], stay: list[str]) -> None:
    times = [moment(text) for text in TIMES]
    assert KEPT(times[::2] + times[1::2], keep) == {moment(text) for text in stay}


def test_the_only_one_stays() -> None:
    (only,) = times = [moment("2026-11-01 03:00")]
    assert KEPT(times, {"monthly": 1}) == {only}
    assert KEPT([], {"last": 1}) == set()


@pytest.mark.thorough
@pytest.mark.skipif(not shutil.which("restic"), reason="restic is not installed")
def test_restic_keeps_the_same(tmp_path: Path) -> None:
    """But for the oldest one, which it keeps since 0.16."""
    environment = {**os.environ, "TZ": "UTC", "RESTIC_REPOSITORY": str(tmp_path / "r"), "RESTIC_PASSWORD": "x"}
    environment["RESTIC_CACHE_DIR"] = str(tmp_path / "cache")

    def restic(*arguments: t.Any) -> str:
        return subprocess.run(
            ["restic", *arguments], env=environment, check=True, capture_output=True, text=True
        ).stdout

    restic("init")
    (tmp_path / "file").touch()
    for text in TIMES:
        restic("backup", "--time", f"{text}:00", str(tmp_path / "file"))
    for keep, stay in [case for case in CASES if case[0] and case[0] != {"monthly": 5}]:
        rules = [word for rule, number in keep.items() for word in (f"--keep-{rule}", str(number))]
        (group,) = json.loads(restic("forget", "--dry-run", "--json", *rules))
        assert sorted(snapshot["time"][:16].replace("T", " ") for snapshot in group["keep"]) == stay, keep
