# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a set of nox sessions up to the first part that fails, and closes with what passed and what failed.

A session that ran pytest counts its tests, any other counts as one.
"""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
import time
import typing as t
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / ".cache" / "reports"
# Of each list the longest first, as two run at a time.
CHECK = ["sanity", "ansible-lint", "tests(unit)", "docs", "code", "yamllint", "antsibull-nox-config"]
CHECK += ["license-check", "extra-checks"]
TWO = ["--parallel=2", "--allow-parallel", "--session"]
# Alone, because it measures times.
CONTRACT = ["--session", "tests(contract)"]
QUICK = ["--", "-m", "not thorough"]


def everything(*matrix: str) -> list[list[str]]:
    return [
        [*TWO, *CHECK],
        CONTRACT,
        # Tests that interrupt transfers do not go beside the hosts of the system tests, which take both cores at times.
        [*TWO, "tests(integration)", "molecule", *matrix, "unit-target"],
        [*TWO, "tests(system)", "tests(people)"],
    ]


PARTS = [[*part, *QUICK] for part in everything("unit-matrix(newest)")]
SETS = {
    "check": PARTS[:1],
    "contract": [CONTRACT],
    "test": PARTS,
    "test-all": everything("sanity-matrix", "unit-matrix"),
}


class Outcome(t.NamedTuple):
    """Of a session: how many of its tests passed, failed and were skipped, and the seconds that each took."""

    name: str
    seconds: float
    counts: Counter[str]
    tests: dict[str, float]


def outcome(session: dict[str, t.Any], reports: Path = REPORTS) -> Outcome:
    """Of a session in the report of nox."""
    name = session["signatures"][0] if session["signatures"] else session["name"]
    fine = session["result"] == "success"
    counts = Counter[str]()
    tests: dict[str, float] = {}
    # A session that runs pytest several times has a report for each.
    found = [ET.parse(path).getroot() for path in reports.glob(f"{name}*.xml")]
    if session["result"] == "skipped":  # its interpreter is not at hand
        counts["skipped"] = 1
    elif not found:
        counts["passed" if fine else "failed"] = 1
    else:
        for suite in itertools.chain.from_iterable(root.iter("testsuite") for root in found):
            total, *rest = (int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped"))
            counts += Counter(passed=total - sum(rest), failed=rest[0] + rest[1], skipped=rest[2])
            for case in suite.iter("testcase"):
                tests[f"{name} {case.get('classname')}.{case.get('name')}"] = float(case.get("time", 0))
        if not fine and not counts["failed"]:
            counts["failed"] = 1
    return Outcome(name, session["duration"] or 0, counts, tests)


def run(part: list[str], number: int) -> list[Outcome]:
    report = REPORTS / f"{number}.json"
    nox = ROOT / ".venv" / "bin" / "nox"
    code = subprocess.run([nox, "--report", report, *part], cwd=ROOT, check=False).returncode
    outcomes = [outcome(session) for session in json.loads(report.read_text())["sessions"]] if report.exists() else []
    # nox itself failed, or a session that it did not report.
    if code and not any(done.counts["failed"] for done in outcomes):
        outcomes.append(Outcome("nox", 0, Counter(failed=1), {}))
    return outcomes


def slowest(outcomes: list[Outcome]) -> t.Iterator[str]:
    """Lines of a table: every session, then the ten slowest tests, each group from slow to fast."""
    sessions = {done.name: done.seconds for done in outcomes}
    tests = {name: seconds for done in outcomes for name, seconds in done.tests.items()}
    for title, times, most in (("sessions:", sessions, None), ("slowest tests:", tests, 10)):
        yield title
        for name, seconds in sorted(times.items(), key=lambda item: -item[1])[:most]:
            yield f"{seconds:7.1f} s  {name}"


def main() -> int:
    shutil.rmtree(REPORTS, ignore_errors=True)
    REPORTS.mkdir(parents=True)
    started = time.monotonic()
    outcomes: list[Outcome] = []
    parts = SETS[sys.argv[1]]
    for number, part in enumerate(parts, start=1):
        done = run(part, number)
        outcomes += done
        if any(one.counts["failed"] for one in done):
            for left in parts[number:]:
                print("not run:", *itertools.takewhile("--".__ne__, left[left.index("--session") + 1 :]))
            break
    counts = sum((done.counts for done in outcomes), Counter[str]())
    minutes, seconds = divmod(round(time.monotonic() - started), 60)
    print(*slowest(outcomes), sep="\n")
    print(f"{sys.argv[1]}: {minutes} min {seconds} s, {counts['skipped']} skipped")
    print(f"{counts['passed']} passed, {counts['failed']} failed", flush=True)
    return 1 if counts["failed"] or not counts["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
