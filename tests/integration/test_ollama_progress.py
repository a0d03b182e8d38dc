# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one sees of a pull, and what is left when one has seen enough. In real time."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import typing as t
from datetime import datetime
from pathlib import Path

import ansible_runner
import pytest
from ollama_client import wait_until
from ollama_process import Server, running
from registry import ModelRegistry
from shelf import Shelf
from webui_server import ROOT

SIZE = 33_000_000
# A pull of 22 seconds: the visits of its 11th and 21st second show a line.
RATE = 1_500_000


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[ModelRegistry]:
    with ModelRegistry(("127.0.0.1", 0), tmp_path_factory.mktemp("registry")).running() as registry:
        yield registry


@pytest.fixture
def shelf(registry: ModelRegistry) -> t.Iterator[Shelf]:
    shelf = Shelf(registry)
    yield shelf
    registry.faults.clear()
    shelf.remove()


@pytest.fixture
def servers(tmp_path: Path) -> t.Iterator[dict[str, Server]]:
    """One for each host of the play."""
    with contextlib.ExitStack() as stack:
        homes = {host: tmp_path / host for host in ("gpu1", "gpu2", "gpu3")}
        for home in homes.values():
            home.mkdir()
        yield {host: stack.enter_context(running(home)) for host, home in homes.items()}


@pytest.fixture
def inventory(servers: dict[str, Server], tmp_path: Path) -> dict[str, t.Any]:
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    hosts = {
        host: {"url": server.url, "ansible_remote_tmp": str(tmp_path / host / "remote")}
        for host, server in servers.items()
    }
    return {"all": {"vars": local, "hosts": hosts}}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "OLLAMA_"))}
    return {
        **kept,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
    }


def play(name: str, **task: t.Any) -> list[dict[str, t.Any]]:
    module = {"url": "{{ url }}", "name": name, "insecure": True}
    tasks = [{"selfhosted.llm.ollama_model": module, "register": "result", **task}]
    return [{"hosts": "all", "gather_facts": False, "tasks": tasks}]


def test_lines_in_the_terminal_and_as_events(registry, shelf, servers, inventory, environment, tmp_path):
    name = shelf.add("large", padding=SIZE)
    registry.fault(shelf.weights(name), "range", rate=RATE)
    (tmp_path / "runner").mkdir()
    run = ansible_runner.run(
        private_data_dir=str(tmp_path / "runner"),
        # gpu3 does without an onlooker.
        playbook=play(name, **{"async": "{{ 60 if inventory_hostname == 'gpu3' else 0 }}", "poll": 1}),
        inventory=inventory,
        envvars=environment,
        quiet=True,
    )
    terminal = run.stdout.read()
    assert run.rc == 0, terminal
    events = list(run.events)
    started = min(seconds(event) for event in events if event["event"] == "runner_on_start")
    size = shelf.blob(shelf.weights(name)).stat().st_size
    line = re.compile(
        rf"(gpu\d): {re.escape(name)} (\d+) %, (\d+\.\d) of {size / 1e6:.1f} MB, (\d+\.\d) MB/s, (\d+) s left"
    )
    shown: dict[str, list[tuple[float, re.Match[str]]]] = {}
    for event in events:
        match = line.fullmatch(event["stdout"])
        if match:
            assert event["event"] == "verbose"
            assert event["stdout"] in terminal
            shown.setdefault(match[1], []).append((seconds(event) - started, match))
    assert set(shown) == {"gpu1", "gpu2"}
    for lines in shown.values():
        (first_at, first), (second_at, second) = lines
        assert first_at >= 10
        assert second_at - first_at >= 10
        assert 0 < int(first[2]) < int(second[2]) < 100
        for _at, match in lines:
            assert int(match[2]) == pytest.approx(float(match[3]) * 1e8 / size, abs=1.5)
            # What else this machine has to do can only slow it down.
            assert 0.3 * RATE < float(match[4]) * 1e6 < 1.3 * RATE
            left = (size - float(match[3]) * 1e6) / (float(match[4]) * 1e6)
            assert int(match[5]) == pytest.approx(left, rel=0.1, abs=1)
    assert [list(server.tags()) for server in servers.values()] == [[name]] * 3
    # Core's own directory of an async task goes some seconds later.
    assert [list(tmp_path.glob(f"{host}/remote/*")) for host in ("gpu1", "gpu2")] == [[], []]


def seconds(event: dict[str, t.Any]) -> float:
    return datetime.fromisoformat(event["created"]).timestamp()


@pytest.fixture
def playbook(inventory, environment, tmp_path):
    """Starts a play on gpu1 as a shell does, in a process group of its own."""
    processes = []

    def start(plays: list[dict[str, t.Any]], *arguments: str) -> subprocess.Popen[str]:
        files = {"play.json": plays, "inventory.json": inventory}
        for name, content in files.items():
            (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")
        paths = ["--inventory", str(tmp_path / "inventory.json"), str(tmp_path / "play.json")]
        command = ["ansible-playbook", "--limit", "gpu1", *arguments, *paths]
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, text=True, stdout=pipe, stderr=pipe, start_new_session=True
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_check_mode_looks_at_nothing(shelf, servers, playbook):
    name = shelf.add("small")
    process = playbook(play(name), "--check")
    stdout, stderr = process.communicate()
    assert process.returncode == 0, stdout + stderr
    assert "changed=1" in stdout
    assert name not in stderr
    assert servers["gpu1"].tags() == {}


@pytest.mark.thorough
def test_ctrl_c(registry, shelf, servers, playbook):
    name = shelf.add("large", padding=SIZE)
    weights = shelf.weights(name)
    size = shelf.blob(weights).stat().st_size
    mark = f"MARK={shelf.namespace}".encode()
    task = play(name, environment={"MARK": shelf.namespace})
    with registry.fault(weights, "range", stall_after=size // 2):
        process = playbook(task)
        wait_until(lambda: shelf.sent(weights) >= size // 2, "half of the model")
        assert modules(mark)
        os.killpg(process.pid, signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
        assert process.returncode == 99, stdout + stderr
        wait_until(lambda: not modules(mark), "the end of the module")
        assert servers["gpu1"].tags() == {}
    process = playbook(task)
    stdout, stderr = process.communicate()
    assert process.returncode == 0, stdout + stderr
    assert list(servers["gpu1"].tags()) == [name]
    # Once from the beginning would be a half more.
    assert shelf.sent(weights) < 1.2 * size


def modules(mark: bytes) -> list[int]:
    """The processes that have a variable in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
    return found
