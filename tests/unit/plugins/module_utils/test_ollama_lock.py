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
    with lock.Lock(str(directory), URL).held(never):
        (path,) = directory.glob("*.lock")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "locked\n"
    return holder


class TestLocked:
    def test_free(self, tmp_path):
        for _again in range(2):
            with lock.Lock(str(tmp_path), URL).held(never) as waited:
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

        with lock.Lock(str(tmp_path), URL).held(waiting) as waited:
            assert waited is True
        assert waits[:2] == [None, None]
        holder.stdin.close()
        holder.stdout.close()

    def test_another_thread_has_it(self, tmp_path):
        events = []

        def run(number):
            with lock.Lock(str(tmp_path), URL).held(lambda: None):
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
        with (
            lock.Lock(str(tmp_path), URL).held(never),
            lock.Lock(str(tmp_path), "http://gpu1:11434").held(never) as waited,
        ):
            assert waited is False

    def test_an_error_gives_it_back(self, tmp_path):
        with pytest.raises(KeyError), lock.Lock(str(tmp_path), URL).held(never):
            raise KeyError
        with lock.Lock(str(tmp_path), URL).held(never) as waited:
            assert waited is False

    def test_an_error_ends_the_waiting(self, tmp_path):
        holder = other_process(tmp_path)

        def waiting():
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt), lock.Lock(str(tmp_path), URL).held(waiting):
            pytest.fail("another process has the lock")
        holder.communicate("")

    def test_one_that_another_run_had_meanwhile(self, tmp_path):
        mine = lock.Lock(str(tmp_path), URL)
        with lock.Lock(str(tmp_path), URL).held(never):
            pass
        with mine.held(never) as another_run:
            assert another_run is True
        with lock.Lock(str(tmp_path), URL).held(never) as another_run:
            assert another_run is False

    def test_no_place_for_it(self, tmp_path):
        (path := tmp_path / "other").write_text("")
        words = r"cannot be locked: Not a directory\. Set XDG_STATE_HOME"
        with pytest.raises(InvalidInput, match=words), lock.Lock(str(path), URL).held(never):
            pytest.fail("there is none")

    def test_an_error_of_who_has_it_stays_what_it_is(self, tmp_path):
        with pytest.raises(FileNotFoundError), lock.Lock(str(tmp_path), URL).held(never):
            raise FileNotFoundError


class TestServerKey:
    @pytest.mark.parametrize("url", ["http://localhost:11434", "HTTP://127.0.0.1:11434/", "http://[::1]:11434"])
    def test_one_server(self, url):
        assert lock.server_key(url) == "http://127.0.0.1:11434"

    @pytest.mark.parametrize(
        ("url", "key"), [("https://GPU1/ollama/", "https://gpu1:443/ollama"), ("http://a", "http://a:80")]
    )
    def test_what_the_scheme_means(self, url, key):
        assert lock.server_key(url) == key


class TestStateDirectory:
    @pytest.fixture(autouse=True)
    def places(self, monkeypatch, tmp_path):
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        monkeypatch.delenv("XDG_STATE_HOME", raising=False)
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))

    def test_it_is_in_the_home_and_nobody_else_reads_it(self, tmp_path):
        directory = tmp_path / "home" / ".local" / "state" / "selfhosted-llm"
        assert lock.state_directory(make=True) == lock.state_directory(make=True) == str(directory)
        assert directory.stat().st_mode & 0o777 == 0o700

    def test_check_mode_makes_none(self, tmp_path):
        directory = tmp_path / "home" / ".local" / "state" / "selfhosted-llm"
        assert lock.state_directory(make=False) == str(directory)
        assert not (tmp_path / "home").exists()

    def test_it_is_where_the_user_wants_such_things(self, monkeypatch, tmp_path):
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        assert lock.state_directory(make=True) == str(tmp_path / "state" / "selfhosted-llm")

    def test_a_user_without_a_home_has_one_for_himself(self, tmp_path):
        (tmp_path / "home").touch()
        directory = tmp_path / "tmp" / f"selfhosted-llm-{os.geteuid()}"
        assert lock.state_directory(make=True) == str(directory)
        assert directory.stat().st_mode & 0o777 == 0o700

    def test_one_that_somebody_else_has_made_is_not_used(self, monkeypatch, tmp_path):
        own = os.geteuid()
        (tmp_path / "home").touch()
        (tmp_path / "tmp" / f"selfhosted-llm-{own + 1}").mkdir(parents=True)
        monkeypatch.setattr(os, "geteuid", lambda: own + 1)
        with pytest.raises(InvalidInput, match="set XDG_STATE_HOME to a directory that can"):
            lock.state_directory(make=True)
