# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``openwebui_user`` with whole lists, on a server of its own: 200 accounts, ``exclusive``, two runs, a killed run."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
import typing as t
from pathlib import Path

import pytest
from background import Plays
from webui_server import ADMIN, Server, running

USER = "selfhosted.llm.openwebui_user"


@pytest.fixture(scope="module")
def webui(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Server]:
    """A server whose accounts are those of this file, one test after another."""
    with running(tmp_path_factory.mktemp("webui-lists")) as server:
        yield server


@pytest.fixture(autouse=True)
def only_the_administrator(webui: Server) -> None:
    """Removes what the test before has made."""
    for user in accounts(webui).values():
        if user["email"] != ADMIN["email"]:
            assert webui.call("DELETE", f"/api/v1/users/{user['id']}") == (200, True)


def accounts(webui: Server) -> dict[str, dict[str, t.Any]]:
    return {user["email"]: user for user in webui.call("GET", "/api/v1/users/all")[1]["users"]}


def create(webui: Server, email: str, role: str = "user") -> str:
    """Makes an account by hand and gives a token of it."""
    body = {"email": email, "name": "By hand", "password": "made by hand", "role": role}
    status, answer = webui.call("POST", "/api/v1/auths/add", body)
    assert status == 200
    return answer["token"]


def mark(webui: Server, email: str, column: str) -> None:
    """Make an account look as an identity provider leaves it."""
    with sqlite3.connect(webui.data / "webui.db") as database:
        value = json.dumps({"provider": {"sub": "secret-sub", "external_id": "secret-sub"}})
        database.execute(f"UPDATE user SET {column} = ? WHERE email = ?", (value, email))


# Each new account takes the server a third of a second, for its password.
@pytest.mark.parametrize("number", [40, pytest.param(200, marks=pytest.mark.thorough)])
def test_many_accounts(play: t.Any, webui: Server, number: int) -> None:
    users = [{"email": f"user{n}@many.example.com", "name": f"Nüser {n}", "password": "words"} for n in range(number)]
    task = {USER: {"url": webui.url, "token": webui.token, "users": users}}
    predicted, first = play([{**task, "check_mode": True}, task])
    for result in (predicted, first):
        assert [row["email"] for row in result["users"]] == [user["email"] for user in users]
        assert {row["action"] for row in result["users"]} == {"created"}
    assert predicted["diff"] == first["diff"]
    assert "token" not in json.dumps(first["users"])
    stored = accounts(webui)
    assert len(stored) == number + 1
    assert all(stored[row["email"]]["id"] == row["id"] for row in first["users"])
    asked = len(webui.requests())
    second, checked = play([task, {**task, "check_mode": True}])
    assert webui.requests()[asked:] == ["GET /api/v1/users/all 200"] * 2
    for result in (second, checked):
        assert (result["changed"], {row["action"] for row in result["users"]}) == (False, {"none"})
    asked = len(webui.requests())
    info = play([{f"{USER}_info": {"url": webui.url, "token": webui.token}}])[0]
    assert len({user["id"] for user in info["users"]}) == number + 1
    # The server gives 30 at a time.
    pages = [
        f"GET /api/v1/users/?order_by=email&direction=asc&page={page} 200" for page in range(1, (number + 30) // 30 + 1)
    ]
    assert webui.requests()[asked:] == pages


def test_exclusive_disables(four_times: t.Any, webui: Server) -> None:
    tokens = {name: create(webui, f"{name}@users.example.com") for name in ("stay", "leave", "oauth", "scim")}
    create(webui, "boss@users.example.com", "admin")
    for source in ("oauth", "scim"):
        mark(webui, f"{source}@users.example.com", source)
    options = {"users": [{"email": "stay@users.example.com"}], "exclusive": True}
    result = four_times("openwebui_user", options)
    assert {row["email"]: row["action"] for row in result["users"]} == {
        "stay@users.example.com": "none",
        "boss@users.example.com": "disabled",
        "leave@users.example.com": "disabled",
    }
    status = {name: webui.call("GET", "/api/v1/auths/", token=token)[0] for name, token in tokens.items()}
    assert status == {"stay": 200, "leave": 401, "oauth": 200, "scim": 200}
    assert accounts(webui)[ADMIN["email"]]["role"] == "admin"
    # Back in the list is back at work.
    result = four_times(
        "openwebui_user",
        {**options, "users": [{"email": "stay@users.example.com"}, {"email": "leave@users.example.com"}]},
    )
    assert [row["role"] for row in result["users"]] == ["user", "user"]
    assert webui.sign_in("leave@users.example.com", "made by hand")[1]["role"] == "user"


def test_exclusive_deletes(four_times: t.Any, webui: Server) -> None:
    for name in ("stay", "leave", "oauth"):
        create(webui, f"{name}@users.example.com")
    create(webui, "waiting@users.example.com", "pending")
    mark(webui, "oauth@users.example.com", "oauth")
    options = {"users": [{"email": "stay@users.example.com"}], "exclusive": True, "exclusive_action": "delete"}
    four_times("openwebui_user", options)
    assert sorted(accounts(webui)) == [ADMIN["email"], "oauth@users.example.com", "stay@users.example.com"]
    result = four_times("openwebui_user", {**options, "users": [], "allow_empty": True})
    assert [row["action"] for row in result["users"]] == ["deleted"]
    assert sorted(accounts(webui)) == [ADMIN["email"], "oauth@users.example.com"]


def test_what_exclusive_refuses(failures: t.Any, webui: Server) -> None:
    for n in range(3):
        create(webui, f"user{n}@users.example.com")
    before = accounts(webui)
    common = {"url": webui.url, "token": webui.token, "exclusive": True}
    many = {**common, "users": [{"email": "user0@users.example.com", "name": "Changed"}], "exclusive_max": 1}
    empty = {**common, "users": [{"email": "user0@users.example.com", "state": "absent"}]}
    # What the server itself answers as ENABLE_LDAP is refused in silence, and switches LDAP off.
    switch = "/api/v1/auths/admin/config/ldap"
    assert webui.call("POST", switch, {"enable_ldap": True})[0] == 200
    try:
        (directory,) = failures("openwebui_user", {**many, "exclusive_max": 10})
    finally:
        assert webui.call("POST", switch, {"enable_ldap": False})[0] == 200
    too_many, nobody = failures("openwebui_user", many, empty)
    assert "people can sign in there by LDAP, which leaves no mark on an account" in directory
    assert "user1@users.example.com, user2@users.example.com." in directory
    assert "would disable 2 accounts, more than exclusive_max (1): user1@users.example.com, user2@" in too_many
    assert "no account is left in the list" in nobody
    assert {email: user["role"] for email, user in accounts(webui).items()} == {
        email: user["role"] for email, user in before.items()
    }
    assert accounts(webui)["user0@users.example.com"]["name"] == "By hand"


def test_an_account_that_an_identity_provider_manages(play: t.Any, webui: Server) -> None:
    token = create(webui, "oauth@users.example.com")
    mark(webui, "oauth@users.example.com", "oauth")
    options = {"url": webui.url, "token": webui.token, "email": "oauth@users.example.com", "name": "New name"}
    renamed, refused = play(
        [
            {USER: {**options, "profile_image_url": "/user.png"}},
            {USER: {**options, "password": "words", "update_password": "always"}},
        ]
    )
    assert (renamed["changed"], renamed["users"][0]["source"]) == (True, "oauth")
    assert "the account comes from OAUTH, where its password is" in refused["msg"]
    assert webui.call("GET", "/api/v1/auths/", token=token)[0] == 200
    assert "secret-sub" not in json.dumps([renamed, refused])


@pytest.fixture
def plays(tmp_path: Path) -> Plays:
    return Plays(tmp_path)


def family(pid: int) -> list[int]:
    """A process and all that come of it."""
    pids = [pid]
    # The list grows while it is read.
    for parent in pids:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            pids += map(int, task.read_text(encoding="utf-8").split())
    return pids


def wait_for_accounts(webui: Server, number: int) -> None:
    deadline = time.monotonic() + 60
    while len(accounts(webui)) < number:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_two_runs_at_once_on_the_same_list(plays: Plays, play: t.Any, webui: Server) -> None:
    users = [{"email": f"race{n}@users.example.com", "password": "words"} for n in range(24)]
    task = {USER: {"url": webui.url, "token": webui.token, "users": users}}
    results = [plays.result(process) for process in [plays.start(name, task) for name in ("one", "two")]]
    assert not any(result.get("failed") for result in results), results
    for rows in zip(*(result["users"] for result in results)):
        # Each account was made by exactly one of them.
        assert sorted(row["action"] for row in rows) == ["created", "none"]
        assert rows[0]["id"] == rows[1]["id"]
    assert len(accounts(webui)) == 25
    assert play([task])[0]["changed"] is False


@pytest.mark.thorough
def test_a_run_that_is_killed_is_finished_by_the_next(plays: Plays, play: t.Any, webui: Server) -> None:
    users = [{"email": f"cut{n}@users.example.com", "password": "words"} for n in range(60)]
    task = {USER: {"url": webui.url, "token": webui.token, "users": users}}
    process = plays.start("killed", task)
    wait_for_accounts(webui, 5)
    for pid in family(process.pid):
        os.kill(pid, signal.SIGKILL)
    process.communicate()
    before = len(accounts(webui)) - 1
    result, again = play([task, task])
    actions = [row["action"] for row in result["users"]]
    # Up to four were under way, and the server goes on with them.
    assert before <= actions.count("none") <= before + 4 < 60
    assert set(actions) == {"none", "created"}
    assert again["changed"] is False
    assert len(accounts(webui)) == 61


def test_a_server_that_restarts_in_the_middle(plays: Plays, play: t.Any, webui: Server) -> None:
    users = [{"email": f"cut{n}@users.example.com", "password": "words"} for n in range(60)]
    task = {USER: {"url": webui.url, "token": webui.token, "users": users}}
    process = plays.start("cut", task)
    wait_for_accounts(webui, 5)
    webui.restart()
    result = plays.result(process)
    actions = [row["action"] for row in result["users"]]
    assert result["failed"] and result["changed"]
    assert set(actions) == {"created", "failed", "skipped"}
    assert f"not reached: {actions.count('skipped')}." in result["msg"]
    made = {row["email"] for row in result["users"] if row["action"] == "created"}
    assert made == set(result["diff"]["after"]) <= set(accounts(webui))
    second, again = play([task, task])
    assert {row["email"] for row in second["users"] if row["action"] == "none"} >= made
    assert (second["changed"], again["changed"]) == (True, False)


def test_a_session_that_ends_in_the_middle(plays: Plays, webui: Server) -> None:
    second = {"email": "second@users.example.com", "password": "made by hand"}
    token = create(webui, second["email"], "admin")
    identifier = accounts(webui)[second["email"]]["id"]
    users = [{"email": f"ended{n}@users.example.com", "password": "words"} for n in range(40)]
    options = {"url": webui.url, "token": token, "users": users}
    without = plays.start("without", {USER: options})
    wait_for_accounts(webui, 5)
    assert webui.call("POST", f"/api/v1/users/{identifier}/sessions/revoke") == (200, True)
    result = plays.result(without)
    assert (result["failed"], result["changed"], result["failure"]["session_ended"]) == (True, True, True)
    assert {row["action"] for row in result["users"]} == {"created", "failed", "skipped"}
    made = {row["email"] for row in result["users"] if row["action"] == "created"}
    assert made == set(accounts(webui)) - {ADMIN["email"], second["email"]}
    # With the credentials beside the token that has ended, the rest is done in a new session.
    credentials = {"admin_email": second["email"], "admin_password": second["password"]}
    result = plays.result(plays.start("with", {USER: {**options, **credentials}}))
    assert result["changed"] and not result.get("failed")
    assert {row["email"] for row in result["users"] if row["action"] == "none"} == made
    assert len(accounts(webui)) == 42


@pytest.mark.thorough
def test_servers_that_take_no_passwords(failures: t.Any, webui: Server) -> None:
    token = create(webui, "kim@users.example.com")
    common = {"url": webui.url, "token": webui.token}
    always = {"email": "kim@users.example.com", "password": "another password", "update_password": "always"}
    try:
        webui.restart(ENABLE_PASSWORD_AUTH="false")
        (off,) = failures("openwebui_user", {**common, **always})
        webui.restart(WEBUI_AUTH_TRUSTED_EMAIL_HEADER="X-Email")
        header, exclusive = failures(
            "openwebui_user",
            {**common, **always, "headers": {"X-Email": ADMIN["email"]}},
            {**common, "users": [], "exclusive": True, "allow_empty": True},
        )
    finally:
        webui.restart()
    assert "Signing in with a password is switched off" in off
    assert "a proxy in front of the server signs people in by a trusted header" in header
    assert "people can sign in there by a trusted header, which leaves no mark on an account" in exclusive
    assert webui.call("GET", "/api/v1/auths/", token=token)[0] == 200
    assert webui.sign_in("kim@users.example.com", "made by hand")[0] == 200
