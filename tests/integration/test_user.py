# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``openwebui_user`` against the real server: every state twice, and each rule that protects an account."""

from __future__ import annotations

import typing as t

import pytest
from webui_server import ADMIN, Server

USER = "selfhosted.llm.openwebui_user"


@pytest.fixture
def user_of(webui: Server) -> t.Callable[[str], dict[str, t.Any]]:
    """The server's own row of an address."""

    def find(email: str) -> dict[str, t.Any]:
        users = webui.call("GET", "/api/v1/users/all")[1]["users"]
        return next(user for user in users if user["email"] == email)

    return find


@pytest.fixture
def create(webui: Server, user_of: t.Any) -> t.Callable[..., tuple[str, str]]:
    """Makes an account by hand and gives its id and a token of it."""

    def make(email: str, role: str) -> tuple[str, str]:
        body = {"email": email, "name": "By hand", "password": "made by hand", "role": role}
        status, answer = webui.call("POST", "/api/v1/auths/add", body)
        assert status == 200
        return answer["id"], answer["token"]

    return make


def test_list(four_times: t.Any, user_of: t.Any, webui: Server) -> None:
    users = [
        {"email": "Kim@Users.example.com", "name": "Kim {{ '{{' }} 1 }} <b>\"Ü\"</b>", "password": "é" * 36},
        {"email": "lee@localhost", "role": "pending", "password": "secret of lee"},
        {"email": "b_b%@users.example.com", "role": "admin", "password": "secret of b"},
    ]
    result = four_times("openwebui_user", {"users": users})
    rows = result["users"]
    assert [(row["email"], row["role"], row["action"]) for row in rows] == [
        ("kim@users.example.com", "user", "created"),
        ("lee@localhost", "pending", "created"),
        ("b_b%@users.example.com", "admin", "created"),
    ]
    assert [row["name"] for row in rows] == ['Kim {{ 1 }} <b>"Ü"</b>', "lee", "b_b%"]
    for row in rows:
        stored = user_of(row["email"])
        assert (row["id"], row["name"], row["role"]) == (stored["id"], stored["name"], stored["role"])
    assert webui.sign_in("kim@users.example.com", "é" * 36)[0] == 200
    assert result["diff"]["after"]["lee@localhost"] == {"email": "lee@localhost", "name": "lee", "role": "pending"}


def test_change_of_name_and_role(four_times: t.Any, create: t.Any, user_of: t.Any) -> None:
    create("mo@users.example.com", "superuser")
    options = {"email": "MO@users.example.com", "name": "Mo", "role": "user"}
    result = four_times("openwebui_user", options)
    assert result["users"][0]["action"] == "updated"
    assert result["diff"] == {
        "before": {"mo@users.example.com.name": "By hand", "mo@users.example.com.role": "superuser"},
        "after": {"mo@users.example.com.name": "Mo", "mo@users.example.com.role": "user"},
    }
    stored = user_of("mo@users.example.com")
    assert (stored["name"], stored["role"]) == ("Mo", "user")


def test_password_is_set_only_when_it_does_not_fit(four_times: t.Any, create: t.Any, webui: Server) -> None:
    _id, token = create("pat@users.example.com", "user")
    options = {"email": "pat@users.example.com", "password": "another password", "update_password": "always"}
    result = four_times("openwebui_user", options)
    assert result["diff"]["after"] == {"pat@users.example.com.password": "as given"}
    assert webui.sign_in("pat@users.example.com", "another password")[0] == 200
    assert webui.sign_in("pat@users.example.com", "made by hand")[0] == 400
    assert webui.call("GET", "/api/v1/auths/", token=token)[0] == 401


def test_password_of_an_existing_account_stays(play: t.Any, create: t.Any, webui: Server, admin: t.Any) -> None:
    _id, token = create("stay@users.example.com", "user")
    result = play([{USER: {**admin, "email": "stay@users.example.com", "password": "another password"}}])[0]
    assert result["changed"] is False
    # Neither the password nor the session: a write of the same password would have ended it.
    assert webui.call("GET", "/api/v1/auths/", token=token)[0] == 200


BAD_LISTS = [
    ([{"email": "no-at-sign", "password": "some words"}], "'no-at-sign' is no e-mail address"),
    (
        [{"email": email, "password": "some words"} for email in ("two@bad.example", "TWO@bad.example")],
        "more than once",
    ),
    ([{"email": "long@bad.example", "password": "é" * 37}], "longer than 72 bytes"),
    ([{"email": "empty@bad.example", "password": ""}], "is empty or longer than 72 bytes"),
    ([{"email": "name@bad.example", "name": " ", "password": "some words"}], "the name of name@bad.example is empty"),
    ([{"email": "always@bad.example", "update_password": "always"}], "and there is no password"),
    ([{"email": "role@bad.example", "password": "some words", "role": "superuser"}], "value of role must be one of"),
    ([{"email": "none@bad.example"}], "have no password: none@bad.example"),
]


def test_bad_input_writes_nothing(failures: t.Any, webui: Server) -> None:
    before = webui.call("GET", "/api/v1/users/all")[1]["total"]
    good = {"email": "good@bad.example", "password": "some words"}
    common = {"url": webui.url, "token": webui.token}
    messages = failures("openwebui_user", *({**common, "users": [good, *users]} for users, _words in BAD_LISTS))
    for (_users, words), message in zip(BAD_LISTS, messages):
        assert words in message
    assert webui.call("GET", "/api/v1/users/all")[1]["total"] == before


def test_administrators_that_are_protected(failures: t.Any, webui: Server, create: t.Any) -> None:
    _id, token = create("second@users.example.com", "admin")
    primary = {"url": webui.url, "token": webui.token, "email": ADMIN["email"]}
    second = {"url": webui.url, "token": token, "email": "second@users.example.com"}
    messages = failures(
        "openwebui_user",
        {**primary, "role": "user"},
        {**primary, "password": "a new password", "update_password": "always"},
        {**second, "email": ADMIN["email"], "name": "Somebody"},
        {**second, "role": "user"},
        {**second, "password": "a new password", "update_password": "always"},
    )
    assert "is the primary administrator (the oldest account), whose role cannot be changed" in messages[0]
    assert "is the account in use, whose session would end with its password" in messages[1]
    assert "is the primary administrator (the oldest account), which nobody but itself can change" in messages[2]
    assert "is the account in use, which would lose its rights" in messages[3]
    assert "is the account in use, whose session would end with its password" in messages[4]
    for kept in (webui.token, token):
        assert webui.call("GET", "/api/v1/auths/", token=kept)[1]["role"] == "admin"


def test_api_key(play: t.Any, webui: Server, create: t.Any) -> None:
    _id, token = create("robot@users.example.com", "admin")
    status, answer = webui.call("POST", "/api/v1/auths/api_key", token=token)
    assert status == 200
    options = {"url": webui.url, "token": answer["api_key"], "password": "secret of ann"}
    created, refused = play(
        [
            {USER: {**options, "email": "ann@users.example.com", "role": "admin"}},
            {USER: {**options, "email": "ann@users.example.com", "role": "user"}},
        ]
    )
    assert created["users"][0]["action"] == "created"
    assert "An API key does not tell whose it is" in refused["msg"]


def test_tokens_that_are_refused(failures: t.Any, webui: Server, create: t.Any) -> None:
    _id, token = create("plain@users.example.com", "user")
    options = {"url": webui.url, "email": "x@users.example.com"}
    ordinary, wrong = failures("openwebui_user", {**options, "token": token}, {**options, "token": "no.such.token"})
    assert "needs the role admin" in ordinary
    assert "Sign in again with selfhosted.llm.openwebui_session" in wrong
    assert "no.such.token" not in wrong


def test_passwords_are_never_shown(playbook: t.Any, admin: t.Any) -> None:
    users = [
        {"email": "hidden@users.example.com", "password": "sentinel-one"},
        {"email": "hidden2@users.example.com", "password": "sentinel-two", "update_password": "always"},
    ]
    output = playbook([{USER: {**admin, "users": users}}] * 2, "-vvvv", "--diff")
    assert output.status == 0, output.text
    assert "sentinel" not in output.text.split("TASK [", 1)[1]
