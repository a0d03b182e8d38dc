# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An upgrade whose run is killed in the middle of each of its steps, one after the other, while people write.

The table of what was found is written to .cache/reports/killed-upgrades.md.
"""

from __future__ import annotations

import os
import re
import signal
import time
import typing as t

import pytest
from conftest import Service
from runs import another_version, succeeded, to_version, version

from tests.testbed.people import Server
from tests.testbed.shell import ROOT
from tests.testbed.user import Fleet
from tests.testbed.writer import lost

pytestmark = pytest.mark.thorough

REPORT = ROOT / ".cache" / "reports" / "killed-upgrades.md"
TASK = re.compile(r"^TASK \[(?:[\w.]+ : )?(.+?)\] \*+$")
# What only reads is left out, unless it waits for something meanwhile.
LONG = 2
FIRST, LAST = "Copy what keeps the data", "Say what was done"


class Step(t.NamedTuple):
    """A task of an upgrade, and how often one of that name came before it."""

    task: str
    before: int
    seconds: float


def played(fleet: Fleet, version: str, until: Step | None = None) -> list[tuple[str, float, bool]]:
    """Upgrade, and kill the run in the middle of a step.

    Gives of each task that was begun its name, its seconds and whether it changed something.
    """
    arguments = ["playbooks/upgrade.yml", "-e", f"open_webui_version={version}"]
    run = fleet.started(*arguments, start_new_session=True)
    found: list[tuple[str, float, bool]] = []
    for line in t.cast("t.TextIO", run.stdout):
        if match := TASK.match(line):
            found.append((match[1], time.monotonic(), False))
            if until and until.task == match[1] and [task for task, *_rest in found].count(match[1]) > until.before:
                time.sleep(until.seconds / 2)
                os.killpg(run.pid, signal.SIGKILL)
                break
        elif line.startswith("changed: "):
            found[-1] = (*found[-1][:2], True)
    run.wait()
    assert run.returncode == (-signal.SIGKILL if until else 0)
    ends = [*(start for _task, start, _changed in found[1:]), time.monotonic()]
    return [(task, end - start, changed) for (task, start, changed), end in zip(found, ends)]


def steps(tasks: list[tuple[str, float, bool]]) -> list[Step]:
    names = [task for task, *_rest in tasks]
    first, last = names.index(FIRST), len(names) - 1 - names[::-1].index(LAST)
    return [
        Step(task, names[:number].count(task), seconds)
        for number, (task, seconds, changed) in enumerate(tasks)
        if (changed or seconds > LONG) and first <= number <= last
    ]


def state(fleet: Fleet) -> str:
    command = "docker ps --all --format '{{.Names}} {{.Image}} {{.State}}' | grep open-webui | sed 's|[^ ]*/||'"
    return ", ".join(sorted(fleet.execute("first", command).splitlines()))


def test_every_step_can_be_killed(first: Fleet, service: Service, servers: dict[str, Server]) -> None:
    server = servers["first"]
    todo = steps(played(first, another_version(server)))
    assert len(todo) > 5, todo
    rows = [("step", "found after the kill", "after the next run", "writes acknowledged", "lost")]
    for step in todo:
        wanted, before = another_version(server), len(service.writer.notes)
        with service.writer.writing():
            played(first, wanted, until=step)
            time.sleep(2)
            found = state(first)
            run = to_version(first, wanted)
            server.wait()
        succeeded(run)
        notes = service.writer.notes[before:]
        gone = lost(server, notes, service.writer.tokens)
        rows.append((step.task, found, state(first), str(len(notes)), str(len(gone))))
        REPORT.parent.mkdir(exist_ok=True)
        REPORT.write_text("".join(f"| {' | '.join(row)} |\n" for row in rows), encoding="utf-8")
        assert gone == [], step
        assert state(first) == f"open-webui open-webui:v{wanted} running", step
        assert version(server) == wanted, step
    print(REPORT.read_text(encoding="utf-8"))
    service.complete(server)
