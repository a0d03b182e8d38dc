# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest

from ansible_collections.selfhosted.llm.plugins.plugin_utils._openwebui_sessions import Sessions

SERVER = ["web1", "http://127.0.0.1:3001", "{}"]
ACCOUNT = ("admin@example.com", "secret words")


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "sessions"


@pytest.fixture
def sessions(directory):
    return Sessions(directory, SERVER)


def test_nothing_is_known_at_first(sessions):
    assert sessions.token(ACCOUNT) == ""
    assert sessions.current("given") == "given"
    assert sessions.current("") == ""


def test_other_tasks_of_the_run_know_it(sessions, directory):
    sessions.keep(ACCOUNT, "first")
    assert Sessions(directory, SERVER).token(ACCOUNT) == "first"
    sessions.keep(ACCOUNT, "second")
    assert Sessions(directory, SERVER).token(ACCOUNT) == "second"


def test_an_ended_token_stands_for_the_newest_one(sessions):
    sessions.keep(ACCOUNT, "second")
    sessions.replace("first", ACCOUNT)
    assert sessions.current("first") == "second"
    sessions.keep(ACCOUNT, "third")
    sessions.replace("second", ACCOUNT)
    assert [sessions.current(token) for token in ("first", "second", "third")] == ["third"] * 3


@pytest.mark.parametrize("server", [["web2", *SERVER[1:]], [SERVER[0], "http://127.0.0.1:3002", "{}"]])
def test_another_server_knows_nothing_of_it(sessions, directory, server):
    sessions.keep(ACCOUNT, "second")
    sessions.replace("first", ACCOUNT)
    other = Sessions(directory, server)
    assert other.token(ACCOUNT) == ""
    assert other.current("first") == "first"


def test_nobody_else_can_read_it(sessions, directory):
    sessions.keep(ACCOUNT, "second")
    sessions.replace("first", ACCOUNT)
    with sessions.locked(ACCOUNT):
        pass
    assert directory.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in directory.iterdir()] == [0o600] * 3
    assert all(len(name) == 64 for name in os.listdir(directory))


def test_a_directory_that_cannot_be_made_costs_no_task(tmp_path):
    sessions = Sessions(tmp_path / "missing" / "sessions", SERVER)
    with sessions.locked(ACCOUNT):
        sessions.keep(ACCOUNT, "second")
        sessions.replace("first", ACCOUNT)
    assert sessions.token(ACCOUNT) == ""
    assert sessions.current("first") == "first"
    assert list(tmp_path.iterdir()) == []
