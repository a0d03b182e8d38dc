# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``openwebui_user`` on the real server: every state four times, sessions, and each rule that protects an account."""

from __future__ import annotations

import typing as t

import pytest
from webui_server import ADMIN, Server

USER = "selfhosted.llm.openwebui_user"
PICTURE = "data:image/png;base64,iVBORw0KGgo="
TEXT = '<script>alert("x")</script> \'; DROP TABLE user; -- %_\\ Ünï 你好 🦙 \u202eevil'
HOSTILE = "{{ '{{' }} 7 * 7 }} {% raw %}{%{% endraw %} " + TEXT


@pytest.fixture
def user_of(webui: Server) -> t.Callable[[str], dict[str, t.Any] | None]:
    """The server's own row of an address, None if there is none."""

    def find(email: str) -> dict[str, t.Any] | None:
        users = webui.call("GET", "/api/v1/users/all")[1]["users"]
        return next((user for user in users if user["email"] == email), None)

    return find


@pytest.fixture
def create(webui: Server) -> t.Callable[..., tuple[str, str]]:
    """Makes an account by hand and gives its id and a token of it."""

    def make(email: str, role: str) -> tuple[str, str]:
        body = {"email": email, "name": "By hand", "password": "made by hand", "role": role}
        status, answer = webui.call("POST", "/api/v1/auths/add", body)
        assert status == 200
        return answer["id"], answer["token"]

    return make


@pytest.fixture
def session_of(webui: Server) -> t.Callable[[str], int]:
    """What the server answers to a token."""
    return lambda token: webui.call("GET", "/api/v1/auths/", token=token)[0]


def test_list(four_times: t.Any, user_of: t.Any, webui: Server) -> None:
    users = [
        {"email": "Kim@Users.example.com", "name": HOSTILE, "password": "é" * 36},
        {"email": "lee@localhost", "role": "pending", "password": "secret of lee"},
        {"email": "b_b%'\"<i>@users.example.com", "role": "admin", "password": "{{ '{{' }} secret }} of 'b'"},
    ]
    result = four_times("openwebui_user", {"users": users})
    rows = result["users"]
    assert [(row["email"], row["role"], row["source"], row["action"]) for row in rows] == [
        ("kim@users.example.com", "user", "local", "created"),
        ("lee@localhost", "pending", "local", "created"),
        ("b_b%'\"<i>@users.example.com", "admin", "local", "created"),
    ]
    name = '{{ 7 * 7 }} {% <script>alert("x")</script> \'; DROP TABLE user; -- %_\\ Ünï 你好 🦙 \u202eevil'
    assert [row["name"] for row in rows] == [name, "lee", "b_b%'\"<i>"]
    for row in rows:
        stored = user_of(row["email"])
        assert (row["id"], row["name"], row["role"]) == (stored["id"], stored["name"], stored["role"])
    assert webui.sign_in("kim@users.example.com", "é" * 36)[0] == 200
    assert webui.sign_in("b_b%'\"<i>@users.example.com", "{{ secret }} of 'b'")[0] == 200
    assert result["diff"]["after"]["lee@localhost"] == {"email": "lee@localhost", "name": "lee", "role": "pending"}


def test_a_wildcard_is_no_pattern(four_times: t.Any, create: t.Any, user_of: t.Any) -> None:
    create("bob@wild.example.com", "user")
    create("b%b@wild.example.com", "user")
    four_times("openwebui_user", {"email": "b_b@wild.example.com", "password": "some words"})
    four_times("openwebui_user", {"email": "b%b@wild.example.com", "state": "absent"})
    assert user_of("bob@wild.example.com") and user_of("b_b@wild.example.com")
    assert not user_of("b%b@wild.example.com")


def test_change_of_name_and_role(four_times: t.Any, create: t.Any, user_of: t.Any, session_of: t.Any) -> None:
    _id, token = create("mo@users.example.com", "superuser")
    options = {"email": "MO@users.example.com", "name": "Mo", "role": "user"}
    result = four_times("openwebui_user", options)
    assert result["users"][0]["action"] == "updated"
    assert result["diff"] == {
        "before": {"mo@users.example.com.name": "By hand", "mo@users.example.com.role": "superuser"},
        "after": {"mo@users.example.com.name": "Mo", "mo@users.example.com.role": "user"},
    }
    stored = user_of("mo@users.example.com")
    assert (stored["name"], stored["role"]) == ("Mo", "user")
    assert session_of(token) == 200


def test_a_role_made_by_hand_stays_without_a_wish(play: t.Any, create: t.Any, webui: Server) -> None:
    create("super@users.example.com", "superuser")
    task = {USER: {"url": webui.url, "token": webui.token, "email": "super@users.example.com"}}
    result = play([task])[0]
    assert (result["changed"], result["users"][0]["role"]) == (False, "superuser")


def test_disable_and_come_back(
    four_times: t.Any, create: t.Any, user_of: t.Any, session_of: t.Any, webui: Server
) -> None:
    email = "leaver@users.example.com"
    _id, token = create(email, "admin")
    api_key = webui.call("POST", "/api/v1/auths/api_key", token=token)[1]["api_key"]
    assert webui.call("GET", "/api/v1/users/all", token=api_key)[0] == 200
    result = four_times("openwebui_user", {"email": email, "role": "pending"})
    assert result["users"][0]["action"] == "disabled"
    assert session_of(token) == 401
    assert webui.call("GET", "/api/v1/users/all", token=api_key)[0] == 403
    result = four_times("openwebui_user", {"email": email})
    assert (result["users"][0]["action"], user_of(email)["role"]) == ("updated", "user")
    assert session_of(token) == 401
    assert webui.sign_in(email, "made by hand")[1]["role"] == "user"


def test_a_stranger_with_somebody_elses_address(
    four_times: t.Any, create: t.Any, session_of: t.Any, webui: Server
) -> None:
    email = "boss@users.example.com"
    _id, token = create(email, "pending")
    result = four_times("openwebui_user", {"email": email, "role": "admin", "password": "words of the boss"})
    assert result["diff"]["after"] == {f"{email}.role": "admin", f"{email}.password": "as given"}
    assert session_of(token) == 401
    assert webui.sign_in(email, "made by hand")[0] == 400
    assert webui.sign_in(email, "words of the boss")[1]["role"] == "admin"


def test_delete(four_times: t.Any, create: t.Any, user_of: t.Any, session_of: t.Any, webui: Server) -> None:
    email = "gone@users.example.com"
    _id, token = create(email, "user")
    result = four_times("openwebui_user", {"email": email.upper(), "state": "absent"})
    assert result["users"][0]["action"] == "deleted"
    assert user_of(email) is None
    assert session_of(token) == 401
    # Nor does the token open the next account of the same address.
    create(email, "user")
    assert session_of(token) == 401


def test_pictures(four_times: t.Any, create: t.Any, webui: Server, session_of: t.Any) -> None:
    pictures = {"data": PICTURE, "url": "https://example.com/x.png", "none": "", "default": "/user.png"}
    accounts = {}
    for name in pictures:
        accounts[name] = create(f"{name}@pictures.example.com", "user")
        body = {"profile_image_url": "/favicon.png"}
        assert webui.call("POST", f"/api/v1/users/{accounts[name][0]}/update", body)[0] == 200
    existing = [{"email": f"{name}@pictures.example.com", "profile_image_url": url} for name, url in pictures.items()]
    new = [{**user, "email": f"new-{user['email']}", "password": "some words"} for user in existing]
    result = four_times("openwebui_user", {"users": [*existing, *new]})
    assert [row["action"] for row in result["users"]] == ["updated"] * 4 + ["created"] * 4
    for row, url in zip(result["users"], [*pictures.values()] * 2):
        stored = webui.call("GET", f"/api/v1/users/{row['id']}")[1]["profile_image_url"]
        assert stored == (url or f"/api/v1/users/{row['id']}/profile/image")
    assert {session_of(token) for _id, token in accounts.values()} == {200}


def test_password_is_set_only_when_it_does_not_fit(
    four_times: t.Any, create: t.Any, webui: Server, session_of: t.Any
) -> None:
    _id, token = create("pat@users.example.com", "user")
    options = {"email": "pat@users.example.com", "password": "another password", "update_password": "always"}
    result = four_times("openwebui_user", options)
    assert result["diff"]["after"] == {"pat@users.example.com.password": "as given"}
    assert webui.sign_in("pat@users.example.com", "another password")[0] == 200
    assert webui.sign_in("pat@users.example.com", "made by hand")[0] == 400
    assert session_of(token) == 401


def test_a_password_that_fits_keeps_the_session(play: t.Any, create: t.Any, webui: Server, session_of: t.Any) -> None:
    _id, token = create("fit@users.example.com", "user")
    options = {"email": "fit@users.example.com", "password": "made by hand", "update_password": "always"}
    result = play([{USER: {"url": webui.url, "token": webui.token, **options}}])[0]
    assert result["changed"] is False
    assert session_of(token) == 200


def test_password_of_an_existing_account_stays(play: t.Any, create: t.Any, webui: Server, session_of: t.Any) -> None:
    _id, token = create("stay@users.example.com", "user")
    options = {"email": "stay@users.example.com", "password": "another password"}
    result = play([{USER: {"url": webui.url, "token": webui.token, **options}}])[0]
    assert result["changed"] is False
    # Neither the password nor the session: a write of the same password would have ended it.
    assert session_of(token) == 200


def test_a_limit_of_attempts(play: t.Any, create: t.Any, webui: Server, session_of: t.Any) -> None:
    email = "limited@users.example.com"
    _id, token = create(email, "user")
    # The server counts 15 in three minutes, whoever they are from.
    assert 429 in [webui.sign_in(email, "wrong")[0] for _attempt in range(16)]
    users = [
        {"email": email, "password": "another password", "update_password": "always"},
        {"email": "beside@users.example.com", "password": "some words"},
    ]
    result = play([{USER: {"url": webui.url, "token": webui.token, "users": users}}])[0]
    assert [row["action"] for row in result["users"]] == ["failed", "created"]
    assert result["failed"] and result["changed"]
    assert "15 sign-ins per address in three minutes" in result["users"][0]["error"]
    assert session_of(token) == 200


BAD_LISTS = [
    ([{"email": "no-at-sign", "password": "some words"}], "'no-at-sign' is no e-mail address"),
    (
        [{"email": email, "password": "some words"} for email in ("two@bad.example", "TWO@bad.example")],
        "more than once",
    ),
    ([{"email": "long@bad.example", "password": "é" * 37}], "longer than 72 bytes"),
    ([{"email": "empty@bad.example", "password": ""}], "is empty or longer than 72 bytes"),
    ([{"email": "name@bad.example", "name": " ", "password": "some words"}], "has a name that is empty"),
    ([{"email": "always@bad.example", "update_password": "always"}], "has update_password always, and no password"),
    ([{"email": "role@bad.example", "password": "some words", "role": "superuser"}], "value of role must be one of"),
    (
        [{"email": "picture@bad.example", "profile_image_url": "javascript:alert(1)"}],
        "profile_image_url that is no URL",
    ),
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


def test_pictures_that_the_server_refuses_are_refused_here(create: t.Any, webui: Server, failures: t.Any) -> None:
    identifier, _token = create("image@users.example.com", "user")
    urls = [
        "javascript:alert(1)",
        "//example.com/x.png",
        "data:image/svg+xml;base64,AA",
        "/api/v1/users/all",
        "http://",
    ]
    for url in urls:
        body = {"profile_image_url": url}
        assert webui.call("POST", f"/api/v1/users/{identifier}/update", body)[0] == 422
    common = {"url": webui.url, "token": webui.token, "email": "image@users.example.com"}
    for message in failures("openwebui_user", *({**common, "profile_image_url": url} for url in urls)):
        assert "Nothing was sent" in message


def test_administrators_that_are_protected(
    failures: t.Any, webui: Server, create: t.Any, session_of: t.Any, user_of: t.Any
) -> None:
    _id, token = create("second@users.example.com", "admin")
    primary = {"url": webui.url, "token": webui.token, "email": ADMIN["email"]}
    second = {"url": webui.url, "token": token, "email": "second@users.example.com"}
    new = {"email": "never@users.example.com", "password": "some words"}
    cases = [
        ({**primary, "role": "user"}, "is the primary administrator (the oldest account), which cannot be demoted"),
        ({**primary, "role": "pending"}, "is the primary administrator (the oldest account), which cannot be demoted"),
        ({**primary, "state": "absent"}, "is the primary administrator (the oldest account), which cannot be demoted"),
        ({**primary, "password": "a new password", "update_password": "always"}, "whose session would end with its"),
        ({**second, "email": ADMIN["email"], "name": "Somebody"}, "which nobody but itself can change"),
        ({**second, "role": "user"}, "is the account in use, which cannot be demoted, disabled or deleted"),
        ({**second, "state": "absent"}, "is the account in use, which cannot be demoted, disabled or deleted"),
        ({**second, "password": "a new password", "update_password": "always"}, "whose session would end with its"),
    ]
    whole = {key: second[key] for key in ("url", "token")}
    cases.append(({**whole, "users": [new, {"email": second["email"], "role": "user"}]}, "is the account in use"))
    for message, (_options, words) in zip(failures("openwebui_user", *(options for options, _words in cases)), cases):
        assert words in message
    assert user_of("never@users.example.com") is None
    for kept in (webui.token, token):
        assert webui.call("GET", "/api/v1/auths/", token=kept)[1]["role"] == "admin"


def test_api_key(play: t.Any, webui: Server, create: t.Any, user_of: t.Any) -> None:
    _id, token = create("robot@users.example.com", "admin")
    status, answer = webui.call("POST", "/api/v1/auths/api_key", token=token)
    assert status == 200
    options = {"url": webui.url, "token": answer["api_key"], "password": "secret of ann"}
    created, demoted, refused = play(
        [
            {USER: {**options, "email": "ann@users.example.com", "role": "admin"}},
            {USER: {**options, "email": "ann@users.example.com", "role": "user"}},
            {USER: {**options, "email": "robot@users.example.com", "role": "user"}},
        ]
    )
    assert created["users"][0]["action"] == "created"
    assert demoted["users"][0]["action"] == "updated"
    assert "is the account in use" in refused["msg"]
    assert user_of("robot@users.example.com")["role"] == "admin"


def test_tokens_that_are_refused(failures: t.Any, webui: Server, create: t.Any) -> None:
    _id, token = create("plain@users.example.com", "user")
    options = {"url": webui.url, "email": "x@users.example.com"}
    ordinary, wrong = failures("openwebui_user", {**options, "token": token}, {**options, "token": "no.such.token"})
    assert "needs the role admin" in ordinary
    assert "Sign in again with selfhosted.llm.openwebui_session" in wrong
    assert "no.such.token" not in wrong


def test_passwords_are_never_shown(playbook: t.Any, webui: Server) -> None:
    users = [
        {"email": "hidden@users.example.com", "password": "sentinel-one"},
        {"email": "hidden2@users.example.com", "password": "sentinel-two", "update_password": "always"},
        {"email": "hidden3@users.example.com", "password": "sentinel-three", "update_password": "always"},
    ]
    task = {USER: {"url": webui.url, "token": webui.token, "users": users}}
    changed = {USER: {"url": webui.url, "token": webui.token, "users": [{**users[2], "password": "sentinel-four"}]}}
    output = playbook([task, task, changed], "-vvvv", "--diff")
    assert output.status == 0, output.text
    assert "changed=2" in output.text
    assert "sentinel" not in output.text.split("TASK [", 1)[1]
    assert webui.token not in output.text.split("TASK [", 1)[1]


def test_info(play: t.Any, webui: Server, create: t.Any) -> None:
    identifier, _token = create("member@info.example.com", "superuser")
    create("other@info.example.com", "user")
    group = {"name": "Physics %_ <b>", "description": "none"}
    group_id = webui.call("POST", "/api/v1/groups/create", group)[1]["id"]
    added = webui.call("POST", f"/api/v1/groups/id/{group_id}/users/add", {"user_ids": [identifier]})
    assert added[0] == 200
    options = {"url": webui.url, "token": webui.token}
    module = "selfhosted.llm.openwebui_user_info"
    wishes: list[dict[str, t.Any]] = [
        {"emails": ["MEMBER@info.example.com"]},
        {"groups": ["Physics %_ <b>"]},
        {"roles": ["superuser"], "emails": ["member@info.example.com"]},
        {"inactive_days": 1, "emails": ["member@info.example.com"]},
        {"emails": ["me_ber@info.example.com"]},
        {},
    ]
    results = play([{module: {**options, **wish}} for wish in wishes])
    (row,) = results[0]["users"]
    stored = webui.call("GET", f"/api/v1/users/{identifier}")[1]
    assert row == {
        "id": identifier,
        "email": "member@info.example.com",
        "name": "By hand",
        "role": "superuser",
        "groups": ["Physics %_ <b>"],
        "source": "local",
        "profile_image_url": "/user.png",
        **{key: stored[key] for key in ("created_at", "last_active_at")},
    }
    assert results[1]["users"] == [row]
    assert results[2]["users"] == [row]
    assert results[3]["users"] == results[4]["users"] == []
    assert len(results[5]["users"]) == webui.call("GET", "/api/v1/users/all")[1]["total"]
    assert not any(result["changed"] for result in results)
