# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One sign-in serves a whole run, whatever happens to the session meanwhile. The server's own log counts them."""

from __future__ import annotations

import itertools
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from serving import serving
from webui_server import ADMIN, Server, running

SESSION = "selfhosted.llm.openwebui_session"
CONFIG = "selfhosted.llm.openwebui_config"
SETTINGS = {"settings": {"ui.enable_signup": False}}
REGISTERED = {"token": "{{ session.token }}"}
SIGN_IN = "POST /api/v1/auths/signin 200"
VERSION = "GET /api/version 200"
# Whoever opens a session wants to know whether the version was tested.
SESSION_OPENED = [SIGN_IN, VERSION]
WHOAMI = "GET /api/v1/auths/"
READ = "GET /api/v1/configs/export"
NUMBERS = itertools.count()

Between = t.Callable[[t.Callable[[], t.Any]], dict[str, t.Any]]


class Administrator(t.NamedTuple):
    """One whose sessions a test may end."""

    server: Server
    id: str
    options: dict[str, str]

    def end_sessions(self) -> None:
        path = f"/api/v1/users/{self.id}/sessions/revoke"
        assert self.server.call("POST", path) == (200, True)

    def write_the_same_password(self) -> None:
        body = {"password": self.options["admin_password"]}
        assert self.server.call("POST", f"/api/v1/users/{self.id}/update", body)[0] == 200

    def api_key(self) -> str:
        status, session = self.server.sign_in(self.options["admin_email"], self.options["admin_password"])
        assert status == 200
        return self.server.call("POST", "/api/v1/auths/api_key", token=session["token"])[1]["api_key"]


def administrator(server: Server) -> Administrator:
    email = f"admin{next(NUMBERS)}@renewal.example.com"
    body = {"email": email, "password": "some secret words", "name": "Second", "role": "admin"}
    status, account = server.call("POST", "/api/v1/auths/add", body)
    assert status == 200
    options = {"url": server.url, "admin_email": email, "admin_password": body["password"]}
    return Administrator(server, account["id"], options)


@pytest.fixture
def second(webui: Server) -> Administrator:
    return administrator(webui)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Server]:
    """A server that a test may start anew with other settings."""
    with running(tmp_path_factory.mktemp("own")) as server:
        yield server


@pytest.fixture
def between() -> t.Iterator[Between]:
    """Gives a task that calls a function of the test in the middle of a play."""
    functions: list[t.Callable[[], t.Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            functions[int(self.path[1:])]()
            self.send_response(204)
            self.end_headers()

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as control:

        def task(function: t.Callable[[], t.Any]) -> dict[str, t.Any]:
            functions.append(function)
            url = f"http://127.0.0.1:{control.server_port}/{len(functions) - 1}"
            return {"ansible.builtin.uri": {"url": url, "method": "POST", "status_code": 204, "timeout": 120}}

        yield task


@pytest.fixture
def answered(play: t.Any) -> t.Callable[..., tuple[list[dict[str, t.Any]], list[str]]]:
    """The results of tasks, and what a server has answered meanwhile."""

    def run(server: Server, tasks: list[dict[str, t.Any]], *arguments: str) -> tuple[t.Any, list[str]]:
        before = len(server.requests())
        results = play(tasks, *arguments)
        return results, server.requests()[before:]

    return run


def succeeded(results: list[dict[str, t.Any]]) -> bool:
    return not any(result.get("failed") for result in results)


@pytest.mark.parametrize(
    ("end", "path", "arguments"),
    [
        (Administrator.end_sessions, "sessions/revoke", []),
        (Administrator.end_sessions, "sessions/revoke", ["--check"]),
        (Administrator.write_the_same_password, "update", []),
    ],
    ids=["run", "check", "password written"],
)
def test_a_session_that_ends_in_mid_play_is_renewed_once(
    answered: t.Any,
    between: Between,
    second: Administrator,
    end: t.Callable[[Administrator], None],
    path: str,
    arguments: list[str],
) -> None:
    both = {CONFIG: {**second.options, **REGISTERED, **SETTINGS}}
    tasks = [
        {SESSION: second.options, "register": "session"},
        both,
        {**between(lambda: end(second)), "check_mode": False},
        both,
        {**both, "loop": [1, 2]},
        {CONFIG: {"url": second.options["url"], **REGISTERED, **SETTINGS}},
        {SESSION: second.options, "register": "session"},
        both,
    ]
    results, requests = answered(second.server, tasks, *arguments)
    assert succeeded(results), results
    assert requests == [
        *SESSION_OPENED,
        f"{READ} 200",
        f"POST /api/v1/users/{second.id}/{path} 200",
        f"{READ} 401",
        f"{WHOAMI} 401",
        *SESSION_OPENED,
        *[f"{READ} 200"] * 4,
        f"{WHOAMI} 200",
        VERSION,
        f"{READ} 200",
    ]


def test_twenty_tasks_with_address_and_password_are_one_sign_in(answered: t.Any, second: Administrator) -> None:
    loop = {CONFIG: {**second.options, **SETTINGS}, "loop": list(range(20))}
    results, requests = answered(second.server, [loop])
    assert succeeded(results), results
    assert requests == [*SESSION_OPENED, *[f"{READ} 200"] * 20]


@pytest.mark.thorough
def test_async_shares_the_session_and_says_that_it_has_ended(
    answered: t.Any, between: Between, second: Administrator
) -> None:
    task = {CONFIG: {**second.options, **SETTINGS}, "async": 60, "poll": 1}
    (first, _between, ended, synchronous), requests = answered(
        second.server, [task, between(second.end_sessions), task, {**task, "async": 0}]
    )
    assert succeeded([first, synchronous])
    assert ended["failure"]["session_ended"] is True
    assert requests.count(SIGN_IN) == 2


def test_without_credentials_the_next_step_is_told(answered: t.Any, between: Between, second: Administrator) -> None:
    tasks = [
        {SESSION: second.options, "register": "session"},
        between(second.end_sessions),
        {CONFIG: {"url": second.options["url"], **REGISTERED, **SETTINGS}},
    ]
    results, requests = answered(second.server, tasks)
    assert "401: Invalid token. The token is wrong or its session has ended" in results[2]["msg"]
    assert "give admin_email and admin_password beside token: then the session is renewed" in results[2]["msg"]
    assert requests.count(SIGN_IN) == 1


def test_a_wrong_password_is_one_attempt(answered: t.Any, between: Between, second: Administrator) -> None:
    wrong = {**second.options, "admin_password": "some other words"}
    refused = ["POST /api/v1/auths/signin 400", "GET /api/config 200"]
    results, requests = answered(second.server, [{SESSION: wrong}])
    assert "This was the only attempt" in results[0]["msg"]
    assert requests == refused
    tasks = [
        {SESSION: second.options, "register": "session"},
        between(second.end_sessions),
        {CONFIG: {**wrong, **REGISTERED, **SETTINGS}},
    ]
    results, requests = answered(second.server, tasks)
    assert "401: Invalid token. POST " in results[2]["msg"]
    assert "This was the only attempt" in results[2]["msg"]
    assert requests[3:] == [f"{READ} 401", *refused]
    assert "words" not in str(results)


def test_somebody_who_is_no_administrator_is_not_signed_in_again(answered: t.Any, webui: Server) -> None:
    person = {"email": "person@renewal.example.com", "password": "some secret words", "name": "Person", "role": "user"}
    assert webui.call("POST", "/api/v1/auths/add", person)[0] == 200
    token = webui.sign_in(person["email"], person["password"])[1]["token"]
    options = {"url": webui.url, "admin_email": person["email"], "admin_password": person["password"], "token": token}
    results, requests = answered(webui, [{CONFIG: {**options, **SETTINGS}}])
    assert results[0]["msg"].endswith("The account needs the role admin.")
    assert requests == [f"{READ} 401"]


def test_an_api_key_is_proved_and_used_without_a_sign_in(answered: t.Any, second: Administrator) -> None:
    key = {"url": second.options["url"], "token": second.api_key()}
    names = "{{ session | dict2items | selectattr('key', 'in', ['user', 'expires_at']) | items2dict }}"
    tasks = [
        {SESSION: key, "register": "session"},
        {
            "ansible.builtin.set_fact": {"seen": names, "same": "{{ session.token == key }}"},
            "vars": {"key": key["token"]},
        },
        {CONFIG: {**key, **SETTINGS}},
        {SESSION: {**key, "token": f"{key['token']}0"}},
        {CONFIG: {**second.options, "token": f"{key['token']}0", **SETTINGS}},
    ]
    results, requests = answered(second.server, tasks)
    user = {"id": second.id, "email": second.options["admin_email"], "name": "Second", "role": "admin"}
    assert results[1]["ansible_facts"] == {"seen": {"user": user, "expires_at": None}, "same": True}
    assert results[3]["failure"]["session_ended"] is True
    assert succeeded([results[2], results[4]]), results
    whose = "GET /api/v1/users/user/status"
    proved = [f"{whose} 200", VERSION, f"{READ} 200"]
    assert requests == [*proved, f"{whose} 401", f"{READ} 401", *SESSION_OPENED, f"{READ} 200"]
    assert key["token"] not in str(results)


@pytest.mark.parametrize("connection", ["local", "ssh"])
def test_no_token_is_shown_when_one_is_renewed(
    playbook: t.Any, between: Between, over_ssh: dict[str, str], second: Administrator, tmp_path: Path, connection: str
) -> None:
    tasks: list[dict[str, t.Any]] = []
    for name in ("first", "second"):
        copy = {"content": "{{ session.token }}", "dest": str(tmp_path / name), "mode": "0600"}
        tasks += [
            {SESSION: second.options, "register": "session"},
            {"ansible.builtin.copy": copy, "no_log": True},
            between(second.end_sessions),
            {CONFIG: {**second.options, **REGISTERED, **SETTINGS}},
        ]
    output = playbook(tasks, "-vvvv", "--connection", connection, **over_ssh)
    assert output.status == 0, output.text
    tokens = [(tmp_path / name).read_text() for name in ("first", "second")]
    assert tokens[0] != tokens[1]
    for secret in (*tokens, second.options["admin_password"]):
        assert secret not in output.text.split("TASK [", 1)[1]


@pytest.mark.thorough
def test_a_server_that_starts_anew_in_mid_play(answered: t.Any, between: Between, own: Server) -> None:
    second = administrator(own)
    both = {CONFIG: {**second.options, **REGISTERED, **SETTINGS}}
    tasks = [
        {SESSION: second.options, "register": "session"},
        between(own.restart),
        both,
        between(lambda: own.restart(WEBUI_SECRET_KEY="another key, which is as long as the first one was")),
        both,
        both,
    ]
    results, requests = answered(own, tasks)
    assert succeeded(results), results
    ready = "GET /ready 200"
    assert requests == [
        *SESSION_OPENED,
        ready,
        f"{READ} 200",
        ready,
        f"{READ} 401",
        f"{WHOAMI} 401",
        *SESSION_OPENED,
        *[f"{READ} 200"] * 2,
    ]
    own.token = own.sign_in(**ADMIN)[1]["token"]


@pytest.mark.thorough
def test_a_server_that_wants_more_than_a_password_or_none_at_all(answered: t.Any, own: Server) -> None:
    second = administrator(own)
    key = {"url": own.url, "token": second.api_key()}
    assert own.call("POST", "/api/v1/configs/import", {"config": {"auth.mfa.enable": True}})[0] == 200
    tasks = [{SESSION: second.options}, {SESSION: key}, {CONFIG: {**key, **SETTINGS}}]
    results, requests = answered(own, tasks)
    assert "the server's next step is enroll. Multi-factor authentication is on: use an API key" in results[0]["msg"]
    assert succeeded(results[1:]), results
    assert requests[0] == SIGN_IN and requests.count(SIGN_IN) == 1
    own.restart(ENABLE_PASSWORD_AUTH="false")
    results, requests = answered(own, tasks)
    assert "Signing in with a password is switched off on this server" in results[0]["msg"]
    assert succeeded(results[1:]), results
    assert requests[0] == "POST /api/v1/auths/signin 403"
