# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server is not stopped while a model is pulled."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "roles/ollama/files/pulls.py"


@pytest.fixture
def part(tmp_path: Path) -> Path:
    part = tmp_path / "models/blobs/sha256-aa-partial-0"
    part.parent.mkdir(parents=True)
    part.touch()
    return part


def wait(folder: Path, seconds: str) -> subprocess.CompletedProcess[str]:
    environment = {"XDG_STATE_HOME": str(folder / "state"), "TMPDIR": str(folder)}
    command = [sys.executable, str(SCRIPT), str(folder / "models"), seconds]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_a_part_that_grows_is_a_pull(tmp_path: Path, part: Path) -> None:
    refused = wait(tmp_path, "0")
    assert refused.returncode == 1
    assert str(part) in refused.stderr


def test_a_part_that_was_left_is_none(tmp_path: Path, part: Path) -> None:
    os.utime(part, (time.time() - 60, time.time() - 60))
    assert wait(tmp_path, "0").returncode == 0


def test_a_pull_may_end(tmp_path: Path, part: Path) -> None:
    os.utime(part, (time.time() - 8, time.time() - 8))
    assert wait(tmp_path, "20").returncode == 0


def test_a_run_of_ours_that_changes_models_counts(tmp_path: Path) -> None:
    lock = tmp_path / "state/selfhosted-llm/0123.lock"
    lock.parent.mkdir(parents=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        refused = wait(tmp_path, "0")
    assert refused.returncode == 1
    assert str(lock) in refused.stderr
    assert wait(tmp_path, "0").returncode == 0


def test_without_models_nobody_pulls(tmp_path: Path) -> None:
    assert wait(tmp_path, "0").returncode == 0
