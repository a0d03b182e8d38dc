# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time

import pytest

from ansible_collections.selfhosted.llm.plugins.module_utils._ollama import lock
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.names import InvalidInput

URL = "http://127.0.0.1:11434"
HOLDER = """
import fcntl, sys
file = open(sys.argv[1])
fcntl.flock(file, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(lock, "POLL_SECONDS", 0.02)


def never():
    pytest.fail("nobody else has the lock")


def other_process(directory):
    """Another process that holds the lock of URL."""
    with lock.locked(str(directory), URL, never):
        (path,) = directory.glob("*.lock")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "locked\n"
    return holder


class TestLocked:
    def test_free(self, tmp_path):
        for _again in range(2):
            with lock.locked(str(tmp_path), URL, never) as waited:
                assert waited is False

    @pytest.mark.parametrize("end", ["its end", "its death"])
    def test_another_process_has_it(self, tmp_path, end):
        holder = other_process(tmp_path)
        waits = []

        def waiting():
            waits.append(holder.poll())
            if len(waits) == 2:
                if end == "its death":
                    holder.kill()
                else:
                    holder.stdin.close()
                holder.wait()

        with lock.locked(str(tmp_path), URL, waiting) as waited:
            assert waited is True
        assert waits[:2] == [None, None]
        holder.stdin.close()
        holder.stdout.close()

    def test_another_thread_has_it(self, tmp_path):
        events = []

        def run(number):
            with lock.locked(str(tmp_path), URL, lambda: None):
                events.append(("begins", number))
                time.sleep(0.05)
                events.append(("ends", number))

        threads = [threading.Thread(target=run, args=[number]) for number in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        pairs = [(events[position], events[position + 1]) for position in (0, 2, 4)]
        assert all(begun == ("begins", ended[1]) for begun, ended in pairs)

    def test_each_server_has_its_own(self, tmp_path):
        with lock.locked(str(tmp_path), URL, never), lock.locked(str(tmp_path), "http://gpu1:11434", never) as waited:
            assert waited is False

    def test_an_error_gives_it_back(self, tmp_path):
        with pytest.raises(KeyError), lock.locked(str(tmp_path), URL, never):
            raise KeyError
        with lock.locked(str(tmp_path), URL, never) as waited:
            assert waited is False

    def test_an_error_ends_the_waiting(self, tmp_path):
        holder = other_process(tmp_path)

        def waiting():
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt), lock.locked(str(tmp_path), URL, waiting):
            pytest.fail("another process has the lock")
        holder.communicate("")


class TestStateDirectory:
    @pytest.fixture(autouse=True)
    def places(self, monkeypatch, tmp_path):
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        monkeypatch.delenv("XDG_STATE_HOME", raising=False)
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))

    def test_it_is_in_the_home_and_nobody_else_reads_it(self, tmp_path):
        directory = tmp_path / "home" / ".local" / "state" / "selfhosted-llm"
        assert lock.state_directory() == lock.state_directory() == str(directory)
        assert directory.stat().st_mode & 0o777 == 0o700

    def test_it_is_where_the_user_wants_such_things(self, monkeypatch, tmp_path):
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        assert lock.state_directory() == str(tmp_path / "state" / "selfhosted-llm")

    def test_a_user_without_a_home_has_one_for_himself(self, tmp_path):
        (tmp_path / "home").touch()
        directory = tmp_path / "tmp" / f"selfhosted-llm-{os.geteuid()}"
        assert lock.state_directory() == str(directory)
        assert directory.stat().st_mode & 0o777 == 0o700

    def test_one_that_somebody_else_has_made_is_not_used(self, monkeypatch, tmp_path):
        own = os.geteuid()
        (tmp_path / "home").touch()
        (tmp_path / "tmp" / f"selfhosted-llm-{own + 1}").mkdir(parents=True)
        monkeypatch.setattr(os, "geteuid", lambda: own + 1)
        with pytest.raises(InvalidInput, match="set XDG_STATE_HOME to a directory that can"):
            lock.state_directory()
