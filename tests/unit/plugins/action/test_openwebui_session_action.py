# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.loader import connection_loader

from ansible_collections.selfhosted.llm.plugins.action import openwebui_session
from ansible_collections.selfhosted.llm.plugins.action.openwebui_session import SESSION, ActionModule

USER = "selfhosted.llm.openwebui_user"
KEY = "selfhosted.llm.openwebui_api_key"
URL = {"url": "http://127.0.0.1:3001"}
CREDENTIALS = {**URL, "admin_email": "admin@example.com", "admin_password": "secret words"}
ENDED = {
    "failed": True,
    "msg": "Ended.",
    "failure": {"url": "u", "status": 401, "error": "It ended.", "session_ended": True},
}


class Target:
    """In place of the modules: a server that knows some tokens, and the calls of its modules."""

    def __init__(self) -> None:
        self.honoured: set[str] = set()
        self.calls: list[tuple[str, str]] = []
        self.sign_ins = 0
        self.arguments: list[dict[str, t.Any]] = []
        self.no_log: list[bool] = []
        self.wrap_async: list[t.Any] = []
        self.refusal: dict[str, t.Any] | None = None
        self.version = {"version": "0.12.4"}
        self.results: dict[str, t.Any] = {"changed": False}
        self.before_sign_in: t.Callable[[dict[str, t.Any]], None] = lambda arguments: None

    def execute(self, task: Task, play_context: PlayContext, module: str | None, arguments: t.Any) -> dict[str, t.Any]:
        name = (module or task.action).rpartition("_")[2]
        token = arguments.get("token", "")
        self.calls.append((name, token))
        self.arguments.append({**arguments})
        self.no_log.append(play_context.no_log)
        # As the real one does it.
        arguments["_ansible_check_mode"] = False
        if name != "session":
            return {**self.results} if token in self.honoured else {**self.results, **ENDED}
        if token in self.honoured:
            return {"changed": False, "token": token, **self.version}
        if "admin_password" not in arguments:
            return {**ENDED}
        self.before_sign_in(arguments)
        if self.refusal:
            return {**self.refusal}
        self.sign_ins += 1
        token = f"session {self.sign_ins}"
        self.honoured.add(token)
        return {"changed": False, "token": token, **self.version}


@pytest.fixture
def target():
    return Target()


@pytest.fixture
def run(target, tmp_path, monkeypatch):
    """Runs a task of a run: ``run(module, arguments, host)``."""
    monkeypatch.setattr(openwebui_session.constants, "DEFAULT_LOCAL_TMP", str(tmp_path))

    def run(module: str, arguments: dict[str, t.Any], host: str = "web1", **attributes: t.Any) -> dict[str, t.Any]:
        task = Task()
        task.action = task._resolved_action = module
        task.args = dict(arguments)
        for name, value in attributes.items():
            setattr(task, name, value)
        context = PlayContext()
        connection = connection_loader.get("local", context)
        plugin = ActionModule(task, connection, context, DataLoader(), None)

        def execute(module_name=None, module_args=None, task_vars=None, wrap_async=False):
            assert task_vars == {"inventory_hostname": host}
            target.wrap_async.append(wrap_async)
            return target.execute(task, connection._play_context, module_name, module_args)

        plugin._execute_module = execute
        result = plugin.run(task_vars={"inventory_hostname": host})
        assert task.args == arguments
        assert connection._play_context.no_log is False
        return result

    return run


def test_a_second_session_is_the_first_one(run, target):
    first, second = (run(SESSION, CREDENTIALS) for _task in range(2))
    expected = {"changed": False, "token": "session 1", "_ansible_no_log": True, **target.version}
    assert first == second == expected
    assert target.calls == [("session", ""), ("session", "session 1")]
    assert target.sign_ins == 1
    assert target.no_log == [True, True]


def test_a_second_session_is_a_new_one_where_the_first_has_ended(run, target):
    run(SESSION, CREDENTIALS)
    target.honoured.clear()
    assert run(SESSION, CREDENTIALS)["token"] == "session 2"


@pytest.mark.parametrize("module", [SESSION, USER])
@pytest.mark.parametrize(("version", "warnings"), [("0.12.4", 0), ("0.13.0", 1), (None, 0)])
def test_a_version_that_was_not_tested_is_warned_of(run, target, monkeypatch, module, version, warnings):
    said: list[str] = []
    monkeypatch.setattr(openwebui_session.display, "warning", said.append)
    target.version = {"version": version}
    run(module, CREDENTIALS)
    run(USER, CREDENTIALS)
    assert len(said) == warnings
    assert all(f"{URL['url']} is Open WebUI 0.13.0" in words for words in said)


@pytest.mark.parametrize(
    ("change", "host"),
    [
        ({}, "web2"),
        ({"url": "http://127.0.0.1:3002"}, "web1"),
        ({"headers": {"Host": "chat.example.com"}}, "web1"),
        ({"admin_email": "other@example.com"}, "web1"),
        ({"admin_password": "other words"}, "web1"),
    ],
    ids=["host", "url", "headers", "address", "password"],
)
def test_whatever_differs_has_a_session_of_its_own(run, target, change, host):
    run(SESSION, CREDENTIALS)
    run(SESSION, {**CREDENTIALS, **change}, host)
    assert target.calls == [("session", "")] * 2
    assert target.sign_ins == 2


def test_what_is_only_written_differently_is_the_same(run, target):
    run(SESSION, {**CREDENTIALS, "headers": {"X-One": 1, "X-Two": "2"}})
    different = {"url": "http://127.0.0.1:3001/", "admin_email": "Admin@Example.COM"}
    run(SESSION, {**CREDENTIALS, **different, "headers": {"X-Two": "2", "X-One": 1}})
    assert target.sign_ins == 1


def test_a_failure_is_shown(run, target):
    target.refusal = {"failed": True, "msg": "The password is wrong."}
    assert run(SESSION, CREDENTIALS) == target.refusal
    assert target.calls == [("session", "")]


def test_an_api_key_stays_what_it_is(run, target):
    target.honoured.add("sk-1")
    assert run(SESSION, {**URL, "token": "sk-1"})["token"] == "sk-1"
    assert run(SESSION, {**CREDENTIALS, "token": "sk-1"})["token"] == "sk-1"
    # It is not the session of the account that was named beside it.
    assert run(SESSION, CREDENTIALS)["token"] == "session 1"


def test_a_mistake_in_the_options_reaches_the_module(run, target):
    run(SESSION, {**CREDENTIALS, "admin": "?"})
    assert target.arguments == [{**CREDENTIALS, "admin": "?"}]


def test_a_task_with_a_session_that_lasts(run, target):
    target.honoured.add("given")
    target.results = {"changed": True}
    assert run(USER, {**CREDENTIALS, "token": "given", "email": "a@b.c"}) == {"changed": True}
    assert target.arguments == [{**CREDENTIALS, "token": "given", "email": "a@b.c"}]
    assert target.no_log == [False]


@pytest.mark.parametrize("changed", [(False, False), (True, False), (False, True)])
def test_a_session_that_ends_is_renewed_once_for_the_run(run, target, changed):
    target.results = {"changed": changed[0]}
    target.before_sign_in = lambda arguments: target.results.update(changed=changed[1])
    options = {**CREDENTIALS, "token": "given", "email": "a@b.c"}
    assert run(USER, options) == {"changed": any(changed)}
    assert target.calls == [("user", "given"), ("session", ""), ("user", "session 1")]
    assert target.arguments[1] == CREDENTIALS
    assert target.arguments[2] == {**options, "token": "session 1"}
    assert target.no_log == [False, True, False]
    del target.calls[:]
    run(USER, options)
    run(USER, {**URL, "token": "given"})
    assert run(SESSION, {**URL, "token": "given"})["token"] == "session 1"
    assert target.calls == [("user", "session 1")] * 2 + [("session", "session 1")]
    assert target.sign_ins == 1


def test_what_was_done_before_a_renewal_is_told(run, target):
    target.results = {"changed": True, "diff": {"before": {"a@b.c": None}, "after": {"a@b.c": {}}}}
    later = {"changed": True, "diff": {"before": {"d@e.f": None}, "after": {"d@e.f": {}}}}
    target.before_sign_in = lambda arguments: target.results.update(later)
    together = {"before": {"a@b.c": None, "d@e.f": None}, "after": {"a@b.c": {}, "d@e.f": {}}}
    assert run(USER, {**CREDENTIALS, "token": "given"}) == {"changed": True, "diff": together}


def test_a_renewed_session_that_ends_is_renewed_again(run, target):
    options = {**CREDENTIALS, "token": "given"}
    run(USER, options)
    target.honoured.clear()
    assert run(USER, options) == {"changed": False}
    assert target.calls[3:] == [("user", "session 1"), ("session", "session 1"), ("user", "session 2")]
    del target.calls[:]
    run(USER, options)
    run(USER, {**CREDENTIALS, "token": "session 1"})
    assert target.calls == [("user", "session 2")] * 2


def test_a_session_of_the_run_is_no_second_sign_in(run, target):
    run(SESSION, CREDENTIALS)
    run(USER, {**CREDENTIALS, "token": "an older one"})
    assert target.calls[1:] == [("user", "an older one"), ("session", "session 1"), ("user", "session 1")]
    assert target.sign_ins == 1


def test_without_credentials_the_next_step_is_the_users(run, target):
    assert run(USER, {**URL, "token": "given"}) == {**ENDED, "changed": False}
    assert target.calls == [("user", "given")]


def test_credentials_alone_are_one_sign_in_for_the_run(run, target):
    for _task in range(3):
        assert run(USER, CREDENTIALS) == {"changed": False}
    assert target.calls == [("session", "")] + [("user", "session 1")] * 3
    target.honoured.clear()
    run(USER, CREDENTIALS)
    assert target.sign_ins == 2


def test_credentials_that_are_wrong_are_one_attempt(run, target):
    target.refusal = {"failed": True, "msg": "The password is wrong."}
    assert run(USER, CREDENTIALS) == target.refusal
    assert target.calls == [("session", "")]


def test_a_renewal_that_fails_says_both(run, target):
    target.results = {"changed": True, "users": ["made before"]}
    target.refusal = {"failed": True, "changed": False, "msg": "The password is wrong.", "failure": {"status": 400}}
    assert run(USER, {**CREDENTIALS, "token": "given"}) == {
        "failed": True,
        "changed": True,
        "users": ["made before"],
        "msg": "It ended. The password is wrong.",
        "failure": {"status": 400},
    }
    assert target.calls == [("user", "given"), ("session", "")]


def test_there_is_no_third_attempt(run, target, monkeypatch):
    monkeypatch.setattr(target, "honoured", set())
    target.before_sign_in = lambda arguments: monkeypatch.setattr(target, "honoured", Forgetful())
    assert run(USER, {**CREDENTIALS, "token": "given"}) == {**ENDED, "changed": False}
    assert target.calls == [("user", "given"), ("session", ""), ("user", "session 1")]


class Forgetful(set[str]):
    """Takes tokens and knows none."""

    def add(self, _token: str) -> None:
        pass


@pytest.mark.parametrize("missing", ["url", "admin_email", "admin_password"])
def test_what_the_environment_of_the_target_completes_is_left_to_the_module(run, target, missing):
    options = {name: value for name, value in CREDENTIALS.items() if name != missing}
    for _task in range(2):
        run(USER, {**options, "token": "given"})
        run(USER, options)
    assert target.calls == [("user", "given"), ("user", "")] * 2


def test_delegated_tasks_share_the_session_of_their_host(run, target):
    run(USER, CREDENTIALS, "gpu1", delegate_to="web1")
    run(USER, CREDENTIALS, "gpu2", delegate_to="web1")
    run(USER, CREDENTIALS, "web1")
    assert target.sign_ins == 1


def test_async_uses_the_session_and_does_not_renew_it(run, target):
    run(USER, CREDENTIALS, async_val=60)
    run(USER, {**CREDENTIALS, "token": "given"}, async_val=0)
    assert target.wrap_async == [False, True, 0, False, 0]


@pytest.mark.parametrize("module", [SESSION, KEY])
def test_a_secret_is_not_left_in_a_file_by_async(run, target, module):
    with pytest.raises(AnsibleActionFail, match="does not support async"):
        run(module, CREDENTIALS, async_val=60)
    assert target.calls == []


def test_a_result_that_holds_a_key_is_hidden(run, target):
    target.results = {"changed": True, "key": "sk-1"}
    hidden = {"changed": True, "key": "sk-1", "_ansible_no_log": True}
    assert run(KEY, CREDENTIALS) == hidden
    assert target.no_log == [True, True]
    target.honoured.clear()
    # Also when the session was renewed meanwhile.
    assert run(KEY, CREDENTIALS) == hidden
    target.results = {"changed": True, "key": None, "warnings": ["?"]}
    assert run(KEY, CREDENTIALS) == target.results


def test_without_a_place_to_keep_it_every_task_signs_in(run, target, tmp_path, monkeypatch):
    monkeypatch.setattr(openwebui_session.constants, "DEFAULT_LOCAL_TMP", str(tmp_path / "missing"))
    for number in (1, 2):
        assert run(SESSION, CREDENTIALS)["token"] == f"session {number}"
        assert run(USER, {**CREDENTIALS, "token": f"session {number}"}) == {"changed": False}
    assert run(USER, {**CREDENTIALS, "token": "given"}) == {"changed": False}


def at_once(*functions: t.Callable[[], t.Any]) -> None:
    with ThreadPoolExecutor() as pool:
        for running in [pool.submit(function) for function in functions]:
            running.result()


def test_processes_that_find_the_end_together_sign_in_once(run, target):
    both_know = threading.Barrier(2)
    execute = target.execute

    def waiting(task, context, module, arguments):
        result = execute(task, context, module, arguments)
        if result.get("failed"):
            both_know.wait(10)
        return result

    target.execute = waiting
    options = {**CREDENTIALS, "token": "given"}
    at_once(*(lambda name=name: run(USER, options, name, delegate_to="web1") for name in ("gpu1", "gpu2")))
    assert target.sign_ins == 1
    assert sorted(target.calls) == sorted(
        [("user", "given")] * 2 + [("session", ""), ("session", "session 1")] + [("user", "session 1")] * 2
    )


def test_hosts_do_not_wait_for_each_other(run, target):
    both_sign_in = threading.Barrier(2)
    target.before_sign_in = lambda arguments: both_sign_in.wait(10)
    at_once(*(lambda name=name: run(USER, CREDENTIALS, name) for name in ("web1", "web2")))
    assert target.sign_ins == 2
