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
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / ".cache" / "reports"
# The longest first, as two run at a time.
CHECK = ["sanity", "ansible-lint", "tests(unit)", "docs", "code", "yamllint", "antsibull-nox-config"]
CHECK += ["license-check", "extra-checks"]
HERE = "--no-venv"
CONTRACT = [HERE, "--session", "tests(contract)"]
ALL = [
    [HERE, "--parallel=2", "--allow-parallel", "--session", *CHECK],
    CONTRACT,
    [HERE, "--parallel=2", "--allow-parallel", "--session", "molecule", "tests(integration)"],
    [HERE, "--session", "tests(system)"],
]
QUICK = ["--", "-m", "not thorough"]
SETS = {
    "check": ALL[:1],
    "contract": [CONTRACT],
    "test": [ALL[0], *([*part, *QUICK] for part in ALL[1:])],
    "test-all": [*ALL, ["--session", "unit-matrix", "sanity-matrix"]],
}


def figures(session: dict[str, str]) -> Counter[str]:
    """How many tests of a session passed, failed and were skipped."""
    if session["result"] == "skipped":  # its interpreter is not at hand
        return Counter(skipped=1)
    fine = session["result"] == "success"
    report = REPORTS / f"{session['signatures'][0]}.xml"
    if not report.exists():
        return Counter(passed=1) if fine else Counter(failed=1)
    counts = Counter[str]()
    for suite in ET.parse(report).getroot().iter("testsuite"):
        tests, *rest = (int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped"))
        counts += Counter(passed=tests - sum(rest), failed=rest[0] + rest[1], skipped=rest[2])
    if not fine and not counts["failed"]:
        counts["failed"] = 1
    return counts


def run(part: list[str], number: int) -> Counter[str]:
    report = REPORTS / f"{number}.json"
    nox = ROOT / ".venv" / "bin" / "nox"
    code = subprocess.run([nox, "--report", report, *part], cwd=ROOT, check=False).returncode
    sessions = json.loads(report.read_text())["sessions"] if report.exists() else []
    counts = sum((figures(session) for session in sessions), Counter[str]())
    # nox itself failed, or a session that it did not report.
    if code and not counts["failed"]:
        counts["failed"] = 1
    return counts


def main() -> int:
    shutil.rmtree(REPORTS, ignore_errors=True)
    REPORTS.mkdir(parents=True)
    started = time.monotonic()
    counts = Counter[str]()
    parts = SETS[sys.argv[1]]
    for number, part in enumerate(parts, start=1):
        counts += run(part, number)
        if counts["failed"]:
            for left in parts[number:]:
                print("not run:", *itertools.takewhile("--".__ne__, left[left.index("--session") + 1 :]))
            break
    minutes, seconds = divmod(round(time.monotonic() - started), 60)
    print(f"{sys.argv[1]}: {minutes} min {seconds} s, {counts['skipped']} skipped")
    print(f"{counts['passed']} passed, {counts['failed']} failed", flush=True)
    return 1 if counts["failed"] or not counts["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
