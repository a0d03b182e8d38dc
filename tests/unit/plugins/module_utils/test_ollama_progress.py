# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import time
import typing as t

import pytest

from ansible_collections.selfhosted.llm.plugins.module_utils._ollama import progress
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.progress import ControllerGone, Reporter


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


class Controller:
    """Does on the target what the action plugin does there."""

    def __init__(self, directory) -> None:
        self.directory = directory
        self._visits = 0

    def visit(self) -> None:
        self.directory.mkdir(mode=0o700, exist_ok=True)
        (self.directory / "controller").touch()
        self._visits += 1
        os.utime(self.directory / "controller", (self._visits, self._visits))

    def read(self) -> t.Any:
        return json.loads((self.directory / "progress").read_text())


@pytest.fixture
def controller(tmp_path, monkeypatch):
    monkeypatch.setenv("SELFHOSTED_LLM_PROGRESS", "$PARENT/work")
    monkeypatch.setenv("PARENT", str(tmp_path))
    return Controller(tmp_path / "work")


def test_word_is_left_for_a_controller(controller, clock):
    controller.visit()
    Reporter().report("qwen3:8b", "pulling dde5aa3fc5ff", 241970, 2019377376)
    assert controller.read() == {
        "model": "qwen3:8b",
        "status": "pulling dde5aa3fc5ff",
        "completed": 241970,
        "total": 2019377376,
        "at": 1000.0,
    }
    assert sorted(os.listdir(controller.directory)) == ["controller", "progress"]
    assert (controller.directory / "progress").stat().st_mode & 0o777 == 0o600


def test_once_a_second_and_every_new_status_at_once(controller, clock):
    controller.visit()
    reporter = Reporter()
    seen = []
    for later, model, status, completed in [
        (0.0, "a:1", "pulling 1", 1),
        (0.5, "a:1", "pulling 1", 2),
        (0.4, "a:1", "pulling 1", 3),
        (0.1, "a:1", "pulling 1", 4),
        (0.1, "a:1", "verifying sha256 digest", 5),
        (0.1, "b:1", "verifying sha256 digest", 6),
    ]:
        clock.now += later
        reporter.report(model, status, completed, 9)
        seen.append(controller.read()["completed"])
    assert seen == [1, 1, 1, 4, 5, 6]


def test_without_a_controller_nothing_is_written_and_nothing_ends(controller, clock):
    reporter = Reporter()
    for _minute in range(3):
        reporter.report("a:1", "pulling 1", 1, 2)
        clock.now += 60
    assert not controller.directory.exists()


def test_a_plain_call_of_the_module(monkeypatch, clock, tmp_path):
    monkeypatch.delenv("SELFHOSTED_LLM_PROGRESS", raising=False)
    monkeypatch.chdir(tmp_path)
    Reporter().report("a:1", "pulling 1", 1, 2)
    assert os.listdir(tmp_path) == []


def test_a_controller_that_comes_later(controller, clock):
    reporter = Reporter()
    reporter.report("a:1", "pulling 1", 1, 2)
    controller.visit()
    clock.now += 1
    reporter.report("a:1", "pulling 1", 2, 2)
    assert controller.read()["completed"] == 2


def test_a_directory_of_somebody_else_is_left_alone(controller, clock, monkeypatch):
    controller.visit()
    monkeypatch.setattr(progress.os, "geteuid", lambda: os.getuid() + 1)
    Reporter().report("a:1", "pulling 1", 1, 2)
    assert os.listdir(controller.directory) == ["controller"]


def test_a_link_is_not_followed(controller, clock, tmp_path, monkeypatch):
    elsewhere = Controller(tmp_path / "elsewhere")
    elsewhere.visit()
    controller.directory.symlink_to(elsewhere.directory)
    # The link is somebody else's, what it points to is ours.
    real = os.lstat
    monkeypatch.setattr(progress.os, "lstat", lambda path: os.stat_result([*real(path)[:4], 4242, *real(path)[5:]]))
    Reporter().report("a:1", "pulling 1", 1, 2)
    assert os.listdir(elsewhere.directory) == ["controller"]


def test_a_full_disk_is_no_error(controller, clock, monkeypatch):
    controller.visit()

    def full(*_arguments: t.Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(progress.os, "replace", full)
    Reporter().report("a:1", "pulling 1", 1, 2)


def test_a_controller_that_stays_away_for_a_minute(controller, clock):
    controller.visit()
    reporter = Reporter()
    reporter.report("a:1", "pulling 1", 1, 2)
    clock.now += 59.9
    reporter.report("a:1", "pulling 1", 1, 2)
    controller.visit()
    clock.now += 1
    reporter.report("a:1", "pulling 1", 1, 2)
    clock.now += 59.9
    reporter.report("a:1", "pulling 1", 1, 2)
    clock.now += 1
    with pytest.raises(ControllerGone) as caught:
        reporter.report("a:1", "pulling 1", 1, 2)
    assert str(caught.value) == (
        "The controller has gone. What has been downloaded is kept: run the task again to go on."
    )
    assert not controller.directory.exists()


def test_minutes_of_silence_are_no_absence(controller, clock):
    controller.visit()
    reporter = Reporter()
    reporter.report("a:1", "verifying sha256 digest", 0, 0)
    controller.visit()
    clock.now += 300
    reporter.report("a:1", "writing manifest", 0, 0)
    assert controller.read()["status"] == "writing manifest"


def test_a_controller_that_takes_its_leave(controller, clock):
    controller.visit()
    reporter = Reporter()
    reporter.report("a:1", "pulling 1", 1, 2)
    (controller.directory / "controller").unlink()
    clock.now += 1
    with pytest.raises(ControllerGone):
        reporter.report("a:1", "pulling 1", 1, 2)


@pytest.mark.parametrize("hung_up", [True, False])
def test_a_reader_of_the_result_that_hangs_up(controller, clock, hung_up):
    reader, writer = os.pipe()
    stdout = os.dup(1)
    os.dup2(writer, 1)
    try:
        if hung_up:
            os.close(reader)
            with pytest.raises(ControllerGone):
                Reporter().report("a:1", "pulling 1", 1, 2)
        else:
            Reporter().report("a:1", "pulling 1", 1, 2)
            os.close(reader)
    finally:
        os.dup2(stdout, 1)
        os.close(stdout)
        os.close(writer)


def test_it_is_cheap(controller):
    controller.visit()
    reporter = Reporter()
    started = time.process_time()
    for completed in range(1000):
        reporter.report("a:1", "pulling 1", completed, 1000)
    # A minute of lines in less than a tenth of a second.
    assert time.process_time() - started < 0.1
