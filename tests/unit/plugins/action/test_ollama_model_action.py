# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import time
import typing as t
from unittest import mock

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.loader import connection_loader

from ansible_collections.selfhosted.llm.plugins.action import ollama_model
from ansible_collections.selfhosted.llm.plugins.action.ollama_model import ActionModule, Ticker
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.progress import Reporter

GB = 1_000_000_000


def pulling(at: float, completed: float, total: float = 5 * GB, model: str = "qwen3:8b", layer: str = "1") -> t.Any:
    return {"model": model, "status": f"pulling {layer}", "completed": int(completed), "total": int(total), "at": at}


def saying(status: str, model: str = "qwen3:8b") -> t.Any:
    return {"model": model, "status": status, "completed": 0, "total": 0, "at": 0.0}


@pytest.fixture
def lines():
    """What is shown of the states at some seconds of a task on gpu1."""

    def run(*states: tuple[float, t.Any]) -> list[tuple[float, str]]:
        ticker = Ticker("gpu1", 0.0)
        shown = [(now, ticker.line(state, now)) for now, state in states]
        return [(now, line) for now, line in shown if line]

    return run


def test_a_line_with_all_in_it(lines):
    assert lines((1, pulling(7, 1.25 * GB)), (11, pulling(17, 2.1 * GB))) == [
        (11, "gpu1: qwen3:8b 42 %, 2.1 of 5.0 GB, 85 MB/s, 34 s left")
    ]


def test_a_short_task_shows_nothing(lines):
    assert lines(*((now, pulling(now, now * 0.5 * GB)) for now in (1, 6, 9.9))) == []


def test_ten_seconds_and_ten_percent(lines):
    states = [(now, pulling(now, now / 100 * 5 * GB)) for now in range(1, 41)]
    assert [now for now, _line in lines(*states)] == [10, 20, 30, 40]
    states = [(now, pulling(now, now / 200 * 5 * GB)) for now in range(1, 51)]
    assert [now for now, _line in lines(*states)] == [10, 30, 50]


def test_a_slow_pull_shows_a_line_a_minute(lines):
    states = [(now, pulling(now, 1e6 * now)) for now in range(1, 200, 5)]
    assert [now for now, _line in lines(*states)] == [11, 71, 131, 191]


def test_a_new_phase_or_model_waits_for_its_ten_seconds_only(lines):
    assert lines(
        (1, saying("waiting for another run", model="")),
        (11, saying("waiting for another run", model="")),
        (16, saying("pulling manifest")),
        (21, saying("pulling manifest")),
        (26, saying("verifying sha256 digest")),
        (31, saying("verifying sha256 digest")),
        (41, saying("verifying sha256 digest")),
        (46, pulling(46, 0, model="smollm2:135m", total=8_200_000)),
    ) == [
        (11, "gpu1: waiting for another run"),
        (21, "gpu1: qwen3:8b pulling manifest"),
        (31, "gpu1: qwen3:8b verifying"),
        (46, "gpu1: smollm2:135m 0 %, 0.0 of 8.2 MB"),
    ]


def test_layers_of_one_model_are_one_pull(lines):
    states = [
        (1, pulling(1, 0, layer="a")),
        (11, pulling(11, 0.1 * GB, layer="b")),
        (21, pulling(21, 0.2 * GB, layer="c")),
    ]
    assert lines(*states) == [(11, "gpu1: qwen3:8b 2 %, 0.1 of 5.0 GB, 10 MB/s, 8 min left")]


def test_bytes_may_be_thrown_away(lines):
    assert lines((1, pulling(1, 3 * GB)), (11, pulling(11, 2 * GB)), (71, pulling(71, 2.6 * GB))) == [
        (11, "gpu1: qwen3:8b 40 %, 2.0 of 5.0 GB, 0 B/s"),
        (71, "gpu1: qwen3:8b 52 %, 2.6 of 5.0 GB, 10 MB/s, 4 min left"),
    ]


def test_a_module_that_says_nothing_new(lines):
    assert lines((1, None), (11, pulling(9, GB)), (71, pulling(9, GB))) == [
        (11, "gpu1: qwen3:8b 20 %, 1.0 of 5.0 GB"),
        (71, "gpu1: qwen3:8b 20 %, 1.0 of 5.0 GB, 0 B/s"),
    ]


@pytest.mark.parametrize(
    ("total", "before", "after", "line"),
    [
        (400 * GB, 0, 8 * GB, "2 %, 8.0 of 400.0 GB, 800 MB/s, 8 min left"),
        (400 * GB, 0, 0.05 * GB, "0 %, 0.1 of 400.0 GB, 5.0 MB/s, 22 h left"),
        (60 * GB, 0, 0.04 * GB, "0 %, 0.0 of 60.0 GB, 4.0 MB/s, 4.2 h left"),
        (9 * GB, 0, 15 * GB / 2, "83 %, 7.5 of 9.0 GB, 750 MB/s, 2 s left"),
        (45_000, 0, 15_000, "33 %, 15.0 of 45.0 kB, 1.5 kB/s, 20 s left"),
        (900, 0, 450, "50 %, 450.0 of 900.0 B, 45 B/s, 10 s left"),
        (5 * GB, 0, 5 * GB - 1, "99 %, 5.0 of 5.0 GB, 500 MB/s, 0 s left"),
    ],
)
def test_figures(lines, total, before, after, line):
    assert lines((1, pulling(1, before, total)), (11, pulling(11, after, total))) == [(11, f"gpu1: qwen3:8b {line}")]


class Shown:
    """In place of the display."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, bool]] = []
        self.details: list[str] = []

    def display(self, line: str, stderr: bool = False) -> None:
        self.lines.append((line, stderr))

    def vvv(self, line: str, host: str) -> None:
        self.details.append(line)


@pytest.fixture
def shown(monkeypatch):
    shown = Shown()
    monkeypatch.setattr(ollama_model, "display", shown)
    return shown


@pytest.fixture
def remote_tmp(tmp_path, monkeypatch):
    """Where the directory is made. Visits follow each other at once, and so do lines."""
    for name, seconds in {"FIRST_VISIT": 0.01, "VISIT_EVERY": 0.02, "QUIET": 0.0}.items():
        monkeypatch.setattr(ollama_model, name, seconds)
    monkeypatch.setattr(ollama_model.os, "getppid", lambda: 1)
    return tmp_path / "with a space"


@pytest.fixture
def action(remote_tmp, monkeypatch):
    """The plugin of a task over the local connection, with a function in place of its module."""

    def make(module: t.Callable[[], dict[str, t.Any]], **attributes: t.Any) -> tuple[ActionModule, mock.Mock]:
        task = Task()
        task.environment = [{"OTHER": "kept"}]
        for name, value in attributes.items():
            setattr(task, name, value)
        context = PlayContext()
        context.connection = "local"
        connection = connection_loader.get("local", context)
        connection.set_options()
        connection._shell.set_options(direct={"remote_tmp": str(remote_tmp)})
        plugin = ActionModule(task, connection, context, DataLoader(), None)

        def execute(**_arguments: t.Any) -> dict[str, t.Any]:
            for variables in task.environment:
                for name, value in variables.items():
                    monkeypatch.setenv(name, value)
            return module()

        executed = mock.Mock(side_effect=execute)
        monkeypatch.setattr(plugin, "_execute_module", executed)
        return plugin, executed

    return make


def until(condition: t.Callable[[], t.Any]) -> None:
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)


@pytest.mark.parametrize("no_log", [False, True])
def test_what_the_module_reports_is_shown(action, shown, remote_tmp, monkeypatch, no_log):
    seen: list[int] = []
    lines: list[str | None] = []
    line = Ticker.line
    monkeypatch.setattr(Ticker, "line", lambda *arguments: lines.append(line(*arguments)) or lines[-1])

    def module() -> dict[str, t.Any]:
        reporter = Reporter()
        until(lambda: remote_tmp.is_dir() and os.listdir(remote_tmp))
        (directory,) = remote_tmp.iterdir()
        until(lambda: len(os.listdir(directory)) == 2)
        reporter.report("", "waiting for another run", 0, 0)
        until(lambda: any(lines))
        seen.extend(path.stat().st_mode & 0o777 for path in (remote_tmp, directory, *directory.iterdir()))
        return {"changed": True}

    plugin, executed = action(module, no_log=no_log)
    assert plugin.run(task_vars={"inventory_hostname": "gpu1"}) == {"changed": True}
    executed.assert_called_once_with(task_vars={"inventory_hostname": "gpu1"})
    assert shown.lines == ([] if no_log else [("gpu1: waiting for another run", True)])
    assert seen == [0o700, 0o700, 0o600, 0o600]
    assert os.listdir(remote_tmp) == []
    assert plugin._task.environment == [{"OTHER": "kept"}]
    assert shown.details == []


def test_a_task_that_is_over_at_once_needs_no_second_connection(action, shown, remote_tmp, monkeypatch):
    monkeypatch.setattr(ollama_model, "FIRST_VISIT", 1.0)
    monkeypatch.setattr(ollama_model, "connection_loader", None)
    plugin, _executed = action(lambda: {"changed": False})
    assert plugin.run(task_vars={}) == {"changed": False}
    assert not remote_tmp.exists()
    assert shown.details == []


@pytest.mark.parametrize(
    ("attributes", "wrap_async"), [({"check_mode": True}, 0), ({"async_val": 60}, True)], ids=["check", "async"]
)
def test_nobody_looks_on(action, shown, remote_tmp, monkeypatch, attributes, wrap_async):
    monkeypatch.setattr(ollama_model, "threading", None)
    plugin, executed = action(lambda: {"changed": True}, **attributes)
    assert plugin.run(task_vars={}) == {"changed": True}
    executed.assert_called_once_with(task_vars={}, wrap_async=wrap_async)


def test_a_connection_that_cannot_be_had_twice(action, shown, monkeypatch):
    def module() -> dict[str, t.Any]:
        until(lambda: shown.details)
        return {"changed": True}

    plugin, _executed = action(module)
    monkeypatch.setattr(ollama_model.connection_loader, "get", mock.Mock(side_effect=RuntimeError("only one")))
    assert plugin.run(task_vars={"inventory_hostname": "gpu1"}) == {"changed": True}
    assert shown.details == ["no progress will be shown: only one"]


def test_a_directory_that_cannot_be_made(action, shown, remote_tmp):
    remote_tmp.write_text("a file is in the way")

    def module() -> dict[str, t.Any]:
        until(lambda: shown.details)
        return {"changed": True}

    plugin, _executed = action(module)
    assert plugin.run(task_vars={"inventory_hostname": "gpu1"}) == {"changed": True}
    assert [detail.partition(":")[0] for detail in shown.details] == ["no progress will be shown"]


def test_a_visit_that_fails_is_followed_by_others(action, shown, remote_tmp):
    def module() -> dict[str, t.Any]:
        until(lambda: remote_tmp.is_dir() and os.listdir(remote_tmp))
        (directory,) = remote_tmp.iterdir()
        until(lambda: os.listdir(directory))
        (directory / "progress").write_text("{")
        until(lambda: shown.details)
        Reporter().report("qwen3:8b", "verifying sha256 digest", 0, 0)
        until(lambda: shown.lines)
        return {"changed": True}

    plugin, _executed = action(module)
    assert plugin.run(task_vars={"inventory_hostname": "gpu1"}) == {"changed": True}
    assert shown.lines == [("gpu1: qwen3:8b verifying", True)]
    assert {detail.partition(":")[0] for detail in shown.details} == {"no progress at this time"}


def test_a_module_that_fails_leaves_nothing_either(action, shown, remote_tmp):
    def module() -> dict[str, t.Any]:
        until(lambda: remote_tmp.is_dir() and os.listdir(remote_tmp))
        raise TimeoutError("the task's own timeout")

    plugin, _executed = action(module)
    with pytest.raises(TimeoutError):
        plugin.run(task_vars={})
    assert os.listdir(remote_tmp) == []
    assert plugin._task.environment == [{"OTHER": "kept"}]
