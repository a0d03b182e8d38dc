# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Two runs at once."""

from __future__ import annotations

import contextlib
import threading

import pytest
from ollama_script import content, row

from ansible_collections.selfhosted.llm.plugins.module_utils._ollama import lock, progress

NEW = content("newer")


@contextlib.contextmanager
def another_run(ollama, requests=None):
    """Has the lock until the server has seen so many requests and a moment longer, or else until the end."""
    held, over = threading.Event(), threading.Event()

    def hold():
        with lock.Lock(lock.state_directory(make=True), lock.server_key(ollama.url)).held(pytest.fail):
            held.set()
            while not over.wait(0.1) and (requests is None or len(ollama.server.requests) < requests):
                pass
            over.wait(0.1)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(5)
    yield
    over.set()
    thread.join()


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(lock, "POLL_SECONDS", 0.02)


def plan(ollama):
    ollama.lists({})
    ollama.registry_has(NEW)
    ollama.lacks(NEW.files)
    return 2 + len(NEW.files)


def test_the_second_waits_and_looks_again(ollama):
    name = ollama.name("m")
    planned = plan(ollama)
    ollama.lists({name: NEW})
    ollama.has_in_memory()
    with another_run(ollama, planned):
        result = ollama.run(name=name, insecure=True)
    assert (result["changed"], result["models"]) == (False, [row(name, "none", NEW, NEW)])


def test_warnings_are_those_of_the_second_look(ollama):
    ollama.lists({})
    ollama.lists({"m:latest": NEW})
    ollama.has_in_memory()
    with another_run(ollama, 1):
        result = ollama.run(name="m")
    assert (result["models"], result["warnings"]) == ([row("m:latest", "none", NEW, NEW)], [])


@pytest.mark.parametrize("check", [False, True])
def test_who_changes_nothing_does_not_wait(ollama, check):
    ollama.lists({"m:latest": NEW})
    with another_run(ollama):
        assert ollama.run(check, name="m", state="absent" if check else "present")["changed"] is check


def test_who_waits_for_nobody_stops(ollama, monkeypatch, tmp_path):
    (tmp_path / "controller").touch()
    monkeypatch.setenv("SELFHOSTED_LLM_PROGRESS", str(tmp_path))
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    plan(ollama)
    with another_run(ollama):
        result = ollama.run(name=ollama.name("m"), insecure=True, fails=True)
    assert result["msg"].startswith("The controller has gone.")
