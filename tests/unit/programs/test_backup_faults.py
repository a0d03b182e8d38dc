# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Backups that are killed at every step, that run out of disk, and that run at the same time."""

from __future__ import annotations

import hashlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest
from backup_service import PROGRAM, Service, mounted

# Starts the program and kills it at the n-th of the steps that change something below a directory.
KILLED = """
import os, runpy, signal, sys
limit, root = int(sys.argv[1]), sys.argv[2]
WRITES = {"os.rename", "os.link", "os.mkdir", "os.rmdir", "os.remove", "os.utime", "os.chmod", "fcntl.flock",
          "sqlite3.connect", "subprocess.Popen"}
count = 0
def step(event, details):
    global count
    if event in WRITES or (event == "open" and root in str(details[0]) and isinstance(details[1], str)
                           and set("wax") & set(details[1])):
        count += 1
        if count == limit:
            os.kill(os.getpid(), 9)
sys.addaudithook(step)
sys.argv = sys.argv[3:]
sys.path.insert(0, sys.argv[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""
BIG = 300_000


@pytest.fixture
def service(tmp_path: Path) -> Service:
    service = Service(tmp_path)
    service.settings["keep"] = {"last": 2}
    service.chat("hello")
    service.upload("a.txt", b"text")
    for _number in range(2):
        service.take()
        service.set_back()
    service.upload("b.txt", b"more")
    return service


def killed_at(service: Service, step: int) -> int:
    """The exit status of a run that was killed there."""
    command = [sys.executable, "-c", KILLED, str(step), str(service.root), str(PROGRAM), "take", service.config()]
    return subprocess.run(command, env=service.environment(), capture_output=True, check=False).returncode


def check_whole(service: Service) -> None:
    """Whatever looks like a backup is one."""
    for name in service.ids():
        assert re.fullmatch(r"\d{8}T\d{6}Z", name)
        tree = service.store / name
        listed = {entry["path"]: entry["sha256"] for entry in json.loads((tree / "manifest.json").read_text())["files"]}
        files = [path for path in tree.rglob("*") if path.is_file() and path != tree / "manifest.json"]
        assert {str(path.relative_to(tree)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files} == listed


# Every step takes long; what lies between two of these is alike.
@pytest.mark.parametrize(
    "steps", [range(1, 60, 9), pytest.param(range(1, 60), marks=pytest.mark.thorough)], ids=["some", "every"]
)
def test_the_next_run_puts_right_what_a_killed_one_left(service: Service, steps: range) -> None:
    killed = 0
    for step in steps:
        before = set(service.ids())
        if killed_at(service, step) != -signal.SIGKILL:
            break
        killed += 1
        for partial in service.store.glob("*.partial"):
            partial.rename(service.root / "partial")
        check_whole(service)
        assert max(before) in service.ids()
        if (service.root / "partial").exists():
            (service.root / "partial").rename(service.store / "20200101T000000Z.partial")
        service.take()
        check_whole(service)
        assert len(service.ids()) == 2
        assert not list(service.store.glob("*.partial"))
        assert service.chats(service.latest() / "data/webui.db") == {"hello"}
    assert killed >= 4
    assert service.chats(service.database) == {"hello"}


def test_the_steps_reach_to_the_end(service: Service) -> None:
    """Else the test above would kill too early to show anything."""
    assert killed_at(service, 60) == 0
    assert killed_at(service, 25) == -signal.SIGKILL


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (BIG // 2, BIG // 2))


def test_a_write_that_fails_leaves_what_was_there(service: Service) -> None:
    service.upload("big.bin", os.urandom(BIG))
    before = service.ids()
    said = service.take(fails=True, preexec_fn=limited).said
    assert "open-webui on web1 was not made: File too large" in said
    assert service.ids() == before
    check_whole(service)
    service.take()
    assert (service.latest() / "data/uploads/big.bin").stat().st_size == BIG


@pytest.fixture
def small_disk(service: Service) -> t.Iterator[None]:
    """Backups go to a file system of 1 MiB."""
    service.directory = service.root / "small"
    service.directory.mkdir()
    with mounted(service.directory, "1m"):
        service.store = service.directory / "open-webui"
        service.settings["directory"] = str(service.directory)
        yield


@pytest.mark.usefixtures("small_disk")
def test_a_disk_that_is_too_small_is_refused_before_anything_is_written(service: Service) -> None:
    service.take()
    before = service.ids()
    service.upload("big.bin", os.urandom(4 * BIG))
    refusal = r"no room for a backup of open-webui on web1: it needs up to \d+ bytes, and \d+ are free"
    assert re.search(refusal, service.take(fails=True).said)
    assert re.search(refusal, service.run("take", service.config(), "--check", fails=True).said)
    assert service.ids() == before


@pytest.mark.usefixtures("small_disk")
def test_a_disk_that_fills_up_leaves_what_was_there(service: Service) -> None:
    service.take()
    before = service.ids()
    service.upload("c.bin", os.urandom(BIG))
    # Somebody else fills it, after the look beforehand and before the first file.
    others = service.directory / "others"
    service.program("docker", f'#!/bin/sh\nhead -c 700000 /dev/zero > "{others}"\nexit 1\n')
    said = service.take(fails=True).said
    assert "open-webui on web1 was not made: No space left on device" in said
    assert service.ids() == before
    check_whole(service)
    others.unlink()
    service.program("docker", "#!/bin/sh\nexit 1\n")
    service.take()
    check_whole(service)


def test_a_second_run_waits_for_the_first(service: Service) -> None:
    command = service.command("take", service.config())
    # The first one is held up where it looks for its container.
    service.program(
        "docker",
        f'#!/bin/sh\ntouch "{service.root}/held"\nuntil [ -e "{service.root}/go" ]; do sleep 0.05; done\nexit 1\n',
    )
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": service.environment()}
    first = subprocess.Popen(command, **pipes)
    while not (service.root / "held").exists():
        assert first.poll() is None
        time.sleep(0.02)
    second = subprocess.Popen(command, **pipes)
    assert second.stderr
    assert "waiting until it has ended" in second.stderr.readline()
    assert service.run("status", service.config()).answer["running"] is True
    (service.root / "go").touch()
    answers = [json.loads(process.communicate(timeout=60)[0]) for process in (first, second)]
    assert answers[0]["id"] < answers[1]["id"]
    check_whole(service)
    assert service.run("status", service.config()).answer["running"] is False


def test_a_run_that_is_ended_by_a_signal_leaves_nothing(service: Service) -> None:
    before = service.ids()
    service.program("docker", f'#!/bin/sh\ntouch "{service.root}/held"\nexec sleep 60\n')
    command = service.command("take", service.config())
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=service.environment())
    while not (service.root / "held").exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.terminate()
    assert "ended by a signal" in process.communicate(timeout=30)[1]
    assert process.returncode == 1
    assert service.ids() == before
