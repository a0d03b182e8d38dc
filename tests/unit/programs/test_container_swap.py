# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The change of containers in which the old one stays, killed at each call of the engine and run again."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "roles/container/files/swap.py"
# An engine whose containers are a file: name -> [what it is, whether it runs]. At a given call it kills its caller.
ENGINE = """#!{python}
import json, os, pathlib, signal, sys
here = pathlib.Path(__file__).parent
containers = json.loads((here / "containers.json").read_text())
left = int((here / "left").read_text())
if left == 0:
    os.kill(os.getppid(), signal.SIGKILL)
    sys.exit(9)
(here / "left").write_text(str(left - 1))
words = [word for word in sys.argv[1:] if word not in ("container", "--force", "--time")]
command, name = words[0], words[1] if words[0] in ("rename",) else words[-1]
if name not in containers:
    sys.exit("No such container: " + name)
if command == "inspect":
    print(json.dumps([{{"State": {{"Running": containers[name][1]}}}}]))
elif command in ("start", "stop"):
    containers[name][1] = command == "start"
elif command == "rm":
    del containers[name]
elif command == "rename":
    if words[2] in containers:
        sys.exit("The name is taken")
    containers[words[2]] = containers.pop(name)
elif command == "logs":
    print("the log of", containers[name][0])
(here / "containers.json").write_text(json.dumps(containers))
"""
CALLS = range(12)


class Engine:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        program = folder / "docker"
        program.write_text(ENGINE.format(python=sys.executable))
        program.chmod(0o755)

    def have(self, **containers: tuple[str, bool]) -> None:
        (self.folder / "containers.json").write_text(json.dumps(containers))

    @property
    def containers(self) -> dict[str, list[t.Any]]:
        return dict(json.loads((self.folder / "containers.json").read_text()))

    def swap(self, *arguments: str, dies_at: int = -1) -> subprocess.CompletedProcess[str]:
        (self.folder / "left").write_text(str(dies_at))
        command = [sys.executable, str(SCRIPT), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": str(self.folder)})


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(tmp_path)


def command(status: int) -> list[str]:
    return [sys.executable, "-c", f"print('the command'); raise SystemExit({status})"]


def test_the_old_one_goes_aside_and_comes_back(engine: Engine) -> None:
    engine.have(web=("old", True))
    assert engine.swap("aside", "web", "web-before", "60", *command(0)).stdout == "the command\n"
    assert engine.containers == {"web-before": ["old", False]}
    engine.have(**{"web-before": ("old", False), "web": ("new", True)})
    log = engine.folder / "logs" / "new.log"
    assert engine.swap("back", "web", "web-before", str(log), "start", *command(0)).returncode == 0
    assert engine.containers == {"web": ["old", True]}
    assert log.read_text() == "the log of new\n"
    assert log.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("status", [1, 3])
def test_a_command_that_fails_leaves_the_old_one_running(engine: Engine, status: int) -> None:
    engine.have(web=("old", True))
    assert engine.swap("aside", "web", "web-before", "60", *command(status)).returncode == status
    assert engine.containers == {"web": ["old", True]}


def test_a_command_that_refuses_the_way_back_leaves_the_new_one_running(engine: Engine) -> None:
    engine.have(**{"web-before": ("old", False), "web": ("new", True)})
    assert engine.swap("back", "web", "web-before", "/dev/null", "start", *command(3)).returncode == 3
    assert engine.containers == {"web-before": ["old", False], "web": ["new", True]}


@pytest.mark.parametrize("dies_at", CALLS)
def test_killed_on_its_way_aside(engine: Engine, dies_at: int) -> None:
    engine.have(web=("old", True))
    engine.swap("aside", "web", "web-before", "60", dies_at=dies_at)
    assert engine.swap("back", "web", "web-before", "/dev/null", "start").returncode == 0
    assert engine.containers == {"web": ["old", True]}


@pytest.mark.parametrize("dies_at", CALLS)
def test_killed_on_its_way_back(engine: Engine, dies_at: int) -> None:
    engine.have(**{"web-before": ("old", False), "web": ("new", True)})
    arguments = ("back", "web", "web-before", str(engine.folder / "log"), "start")
    engine.swap(*arguments, dies_at=dies_at)
    assert engine.swap(*arguments).returncode == 0
    assert engine.containers == {"web": ["old", True]}


def test_a_container_that_did_not_run_is_not_started(engine: Engine) -> None:
    engine.have(web=("old", False))
    assert engine.swap("aside", "web", "web-before", "60").returncode == 0
    assert engine.swap("back", "web", "web-before", "/dev/null", "leave").returncode == 0
    assert engine.containers == {"web": ["old", False]}


def test_commit_removes_the_old_one_only(engine: Engine) -> None:
    engine.have(**{"web-before": ("old", False), "web": ("new", True)})
    for _time in range(2):
        assert engine.swap("commit", "web", "web-before").returncode == 0
        assert engine.containers == {"web": ["new", True]}


def test_without_a_container_only_the_command_runs(engine: Engine) -> None:
    engine.have()
    assert engine.swap("aside", "web", "web-before", "60", *command(0)).stdout == "the command\n"
    assert engine.containers == {}
