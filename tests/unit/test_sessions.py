# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `make test` counts and lists: a wrong figure there would hide a test that failed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / ".ci"))

import sessions

REPORT = """\
<testsuites><testsuite tests="5" failures="1" errors="1" skipped="1">
<testcase classname="tests.unit.test_a" name="test_one[x]" time="1.500"/>
<testcase classname="tests.unit.test_a" name="test_two" time="20.000"/>
</testsuite></testsuites>
"""


def session(result: str) -> dict[str, object]:
    return {"name": "tests", "signatures": ["tests(unit)"], "result": result, "duration": 30.25}


@pytest.mark.parametrize(
    ("result", "report", "expected"),
    [
        ("success", None, {"passed": 1}),
        ("failed", None, {"failed": 1}),
        ("aborted", None, {"failed": 1}),
        ("skipped", None, {"skipped": 1}),
        ("failed", REPORT, {"passed": 2, "failed": 2, "skipped": 1}),
        # pytest itself may fail although no test has.
        ("failed", '<testsuites><testsuite tests="2"/></testsuites>', {"passed": 2, "failed": 1}),
    ],
)
def test_counts(tmp_path: Path, result: str, report: str | None, expected: dict[str, int]) -> None:
    if report:
        (tmp_path / "tests(unit).xml").write_text(report)
    assert dict(+sessions.outcome(session(result), tmp_path).counts) == expected


def test_counts_of_several_reports(tmp_path: Path) -> None:
    (tmp_path / "tests(unit) fresh.xml").write_text(REPORT)
    (tmp_path / "tests(unit) upgrade.xml").write_text(REPORT)
    (tmp_path / "tests(system).xml").write_text(REPORT)
    done = sessions.outcome(session("failed"), tmp_path)
    assert dict(+done.counts) == {"passed": 4, "failed": 4, "skipped": 2}


def test_tables(tmp_path: Path) -> None:
    (tmp_path / "tests(unit).xml").write_text(REPORT)
    done = sessions.outcome(session("success"), tmp_path)
    others = sessions.Outcome("tests(system)", 400.0, done.counts, {f"test_{number}": number for number in range(10)})
    assert list(sessions.slowest([done, others])) == [
        "sessions:",
        "  400.0 s  tests(system)",
        "   30.2 s  tests(unit)",
        "slowest tests:",
        "   20.0 s  tests(unit) tests.unit.test_a.test_two",
        *(f"    {number}.0 s  test_{number}" for number in range(9, 1, -1)),
        "    1.5 s  tests(unit) tests.unit.test_a.test_one[x]",
    ]
