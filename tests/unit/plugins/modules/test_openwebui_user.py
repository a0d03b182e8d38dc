# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy

import pytest

from ansible_collections.selfhosted.llm.plugins.modules import openwebui_user

ALL = ("GET", "/api/v1/users/all")
ADD = ("POST", "/api/v1/auths/add")
FIRST = ("GET", "/api/v1/users/?order_by=created_at&direction=asc&page=1")
WHOAMI = ("GET", "/api/v1/auths/")
ADMIN_ID = "cb8c85a4-c065-4e17-a4dd-f086e7242a18"
ALICE_ID = "a54a5bf3-4ee3-4bed-acfe-1e6482f80d9f"
UPDATE_ALICE = ("POST", f"/api/v1/users/{ALICE_ID}/update")
UPDATE_ADMIN = ("POST", f"/api/v1/users/{ADMIN_ID}/update")
SIGN_IN = ("POST", "/api/v1/auths/signin")


@pytest.fixture
def recorded(recording):
    return recording("openwebui")


@pytest.fixture
def listed(recorded):
    """Builds an answer of ``/users/all``: ``listed(admin={}, alice={"role": "admin"})``."""
    template = recorded["users_all"]["users"][0]
    people = {
        "admin": {"id": ADMIN_ID, "email": "admin@example.com", "name": "Automation", "role": "admin"},
        "alice": {"id": ALICE_ID, "email": "alice@example.com", "name": "Alice", "role": "user"},
    }

    def build(**users):
        rows = [{**template, **people[name], **fields} for name, fields in users.items()]
        return {"users": rows, "total": len(rows)}

    return build


@pytest.fixture
def run(server, run_module):
    return lambda params, **how: run_module(
        openwebui_user, {"url": server.url, "token": "token-in-use", **params}, **how
    )


ALICE = {"email": "Alice@Example.com", "name": "Alice", "role": "user", "password": "secret words"}
CREATED = {"email": "alice@example.com", "name": "Alice", "role": "user", "password": "secret words"}


def test_create(run, server, recorded, listed):
    server.expect(*ALL, answer=listed(admin={}))
    server.expect(*ADD, CREATED, answer=recorded["add"])
    server.expect(*ALL, answer=listed(admin={}, alice={}))
    result = run(ALICE)
    row = {"email": "alice@example.com", "name": "Alice", "role": "user", "id": ALICE_ID, "action": "created"}
    assert (result["changed"], result["users"]) == (True, [row])
    shown = {"email": "alice@example.com", "name": "Alice", "role": "user"}
    assert result["diff"] == {"before": {"alice@example.com": None}, "after": {"alice@example.com": shown}}
    assert "signature" not in str(result)
    assert "secret words" not in str(result)


def test_create_in_check_mode(run, server, listed):
    server.expect(*ALL, answer=listed(admin={}))
    result = run(ALICE, check=True)
    row = {"email": "alice@example.com", "name": "Alice", "role": "user", "id": None, "action": "created"}
    assert (result["changed"], result["users"]) == (True, [row])


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize(
    "params", [ALICE, {"email": "ALICE@example.com"}, {"users": [ALICE, {"email": "admin@example.com"}]}]
)
def test_nothing_to_do_is_one_request(run, server, listed, params, check):
    server.expect(*ALL, answer=listed(alice={}, admin={}))
    result = run(params, check=check)
    assert result["changed"] is False
    assert {row["action"] for row in result["users"]} == {"none"}
    assert result["diff"] == {"before": {}, "after": {}}


def test_defaults_of_a_new_account(run, server, recorded, listed):
    body = {"email": "b_b%@localhost", "name": "b_b%", "role": "user", "password": "é" * 36}
    server.expect(*ALL, answer=listed())
    server.expect(*ADD, body, answer=recorded["add"])
    server.expect(*ALL, answer=listed(alice={"email": "b_b%@localhost", "name": "b_b%"}))
    assert run({"email": "b_b%@localhost", "password": "é" * 36})["users"][0]["action"] == "created"


def test_only_what_differs_is_sent(run, server, recorded, listed):
    server.expect(*ALL, answer=listed(alice={"role": "superuser"}))
    server.expect(*UPDATE_ALICE, {"role": "user"}, answer=recorded["update"])
    server.expect(*ALL, answer=listed(alice={}))
    result = run(ALICE)
    assert result["users"][0]["action"] == "updated"
    changed = {"before": {"alice@example.com.role": "superuser"}, "after": {"alice@example.com.role": "user"}}
    assert result["diff"] == changed


def test_update_in_check_mode(run, server, listed):
    server.expect(*ALL, answer=listed(alice={"name": "Other"}))
    result = run(ALICE, check=True)
    assert (result["changed"], result["users"][0]["name"]) == (True, "Alice")


def test_a_list_is_written_in_its_order_and_read_once(run, server, recorded, listed):
    server.expect(*ALL, answer=listed(admin={}, alice={"role": "pending"}))
    server.expect(*ADD, {**CREATED, "email": "new@example.com", "name": "new"}, answer=recorded["add"])
    server.expect(*UPDATE_ALICE, {"role": "user"}, answer=recorded["update"])
    new = {"email": "new@example.com", "name": "new", "role": "user", "id": "new-id"}
    after = listed(admin={}, alice={})
    after["users"].append(new)
    server.expect(*ALL, answer=after)
    users = [{"email": "new@example.com", "password": "secret words"}, ALICE, {"email": "admin@example.com"}]
    result = run({"users": users})
    assert [row["action"] for row in result["users"]] == ["created", "updated", "none"]


def test_a_role_that_the_server_ignored(run, server, recorded, listed):
    server.expect(*ALL, answer=listed(alice={}))
    server.expect(*UPDATE_ALICE, {"role": "admin"}, answer=recorded["update"])
    server.expect(*ALL, answer=listed(alice={}))
    message = run({"email": "alice@example.com", "role": "admin"}, fails=True)["msg"]
    assert "took the change of alice@example.com to {'role': 'admin'}, but now has {'role': 'user'}" in message


def test_an_account_that_was_made_meanwhile(run, server, recorded, listed):
    server.expect(*ALL, answer=listed())
    server.expect(*ADD, CREATED, **recorded["refusals"]["duplicate"])
    assert "This email is already registered" in run(ALICE, fails=True)["msg"]


ALWAYS = {"email": "alice@example.com", "password": "secret words", "update_password": "always"}
TRIED = {"email": "alice@example.com", "password": "secret words"}


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("answer", ["sign_in", "pending_sign_in", "second_factor"])
def test_a_password_that_fits_is_not_written(run, server, recorded, listed, answer, check):
    server.expect(*ALL, answer=listed(alice={}))
    server.expect(*SIGN_IN, TRIED, sent={"Authorization": None}, answer=recorded[answer])
    assert run(ALWAYS, check=check)["changed"] is False


def test_a_password_that_does_not_fit(run, server, recorded, listed):
    server.expect(*ALL, answer=listed(alice={}))
    server.expect(*SIGN_IN, TRIED, **recorded["refusals"]["wrong_password"])
    server.expect(*UPDATE_ALICE, {"password": "secret words"}, answer=recorded["update"])
    server.expect(*ALL, answer=listed(alice={}))
    result = run(ALWAYS)
    assert result["users"][0]["action"] == "updated"
    name = "alice@example.com.password"
    assert result["diff"] == {"before": {name: "another one"}, "after": {name: "as given"}}
    assert "secret words" not in str(result)


def test_a_password_that_does_not_fit_in_check_mode(run, server, recorded, listed):
    server.expect(*ALL, answer=listed(alice={}))
    server.expect(*SIGN_IN, TRIED, **recorded["refusals"]["wrong_password"])
    assert run(ALWAYS, check=True)["changed"] is True


@pytest.mark.parametrize("refusal", ["rate_limit", "protected"])
def test_a_password_that_cannot_be_tried(run, server, recorded, listed, refusal):
    server.expect(*ALL, answer=listed(alice={}))
    server.expect(*SIGN_IN, TRIED, **recorded["refusals"][refusal])
    assert run(ALWAYS, fails=True)["failure"]["status"] == recorded["refusals"][refusal]["status"]


def test_update_password_of_the_task_is_the_default_of_the_list(run, server, recorded, listed):
    users = [{"email": "alice@example.com", "password": "secret words"}]
    users.append({"email": "admin@example.com", "password": "secret words", "update_password": "on_create"})
    server.expect(*ALL, answer=listed(admin={}, alice={}))
    server.expect(*SIGN_IN, TRIED, answer=recorded["sign_in"])
    assert run({"users": users, "update_password": "always"})["changed"] is False


@pytest.mark.parametrize(
    ("users", "words"),
    [
        ([{"email": "no-at-sign"}], "'no-at-sign' is no e-mail address"),
        ([{"email": "two@@example.com"}], "'two@@example.com' is no e-mail address"),
        ([{"email": "a b@example.com"}], "'a b@example.com' is no e-mail address"),
        ([{"email": "x@host"}], "'x@host' is no e-mail address"),
        ([ALICE, {"email": "ALICE@example.com"}], "alice@example.com is given more than once"),
        ([{"email": "a@b.c", "password": ""}], "the password of a@b.c is empty or longer than 72 bytes"),
        ([{"email": "a@b.c", "password": "é" * 37}], "the password of a@b.c is empty or longer than 72 bytes"),
        ([{"email": "a@b.c", "name": " "}], "the name of a@b.c is empty"),
        ([{"email": "a@b.c", "update_password": "always"}], "always for a@b.c, and there is no password"),
        ([{"email": "a@b.c", "role": "superuser"}], "value of role must be one of"),
    ],
)
def test_bad_input_is_refused_for_the_whole_list_before_anything_is_sent(run, server, users, words):
    good = {"email": "good@example.com", "password": "secret words"}
    assert words in run({"users": [good, *users]}, fails=True)["msg"]
    assert server.requests == []


def test_a_new_account_without_password_is_refused_before_any_write(run, server, listed):
    server.expect(*ALL, answer=listed(admin={}))
    message = run({"users": [ALICE, {"email": "Bob@example.com"}]}, fails=True)["msg"]
    assert "have no password: Bob@example.com." in message


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, "one of the following is required: users, email"),
        ({"email": "a@b.c", "users": []}, "mutually exclusive: users|email"),
        ({"users": [], "role": "user"}, "mutually exclusive: users|role"),
        ({"email": "a@b.c", "admin_email": "x"}, "required together: admin_email, admin_password"),
    ],
)
def test_options_that_do_not_go_together(run, params, words):
    assert words in run(params, fails=True)["msg"]


def first_page(recorded, *users):
    page = copy.deepcopy(recorded["users_page"])
    template = page["users"][0]
    page["users"] = [{**template, **user} for user in users]
    return page


PRIMARY = {"id": ADMIN_ID, "created_at": 100}
SECOND = {"id": ALICE_ID, "created_at": 200}


@pytest.mark.parametrize(
    ("own", "first", "params", "words"),
    [
        (ADMIN_ID, PRIMARY, {"email": "admin@example.com", "role": "user"}, "whose role cannot be changed"),
        (ALICE_ID, PRIMARY, {"email": "admin@example.com", "name": "x"}, "which nobody but itself can change"),
        (ALICE_ID, PRIMARY, {"email": "alice@example.com", "role": "pending"}, "which would lose its rights"),
    ],
)
def test_protected_administrators(run, server, recorded, listed, own, first, params, words):
    server.expect(*ALL, answer=listed(admin={}, alice={"role": "admin"}))
    server.expect(*WHOAMI, answer={**recorded["whoami"], "id": own})
    server.expect(*FIRST, answer=first_page(recorded, first, SECOND))
    assert words in run(params, fails=True)["msg"]


def test_an_own_password_is_not_changed(run, server, recorded, listed):
    params = {"email": "admin@example.com", "password": "secret words", "update_password": "always"}
    server.expect(*ALL, answer=listed(admin={}))
    server.expect(*SIGN_IN, {**TRIED, "email": "admin@example.com"}, **recorded["refusals"]["wrong_password"])
    server.expect(*WHOAMI, answer=recorded["whoami"])
    server.expect(*FIRST, answer=first_page(recorded, PRIMARY))
    assert "whose session would end with its password" in run(params, fails=True)["msg"]


def test_the_primary_administrator_may_rename_itself(run, server, recorded, listed):
    server.expect(*ALL, answer=listed(admin={}))
    server.expect(*WHOAMI, answer=recorded["whoami"])
    server.expect(*FIRST, answer=first_page(recorded, PRIMARY))
    server.expect(*UPDATE_ADMIN, {"name": "Robot"}, answer=recorded["update"])
    server.expect(*ALL, answer=listed(admin={"name": "Robot"}))
    assert run({"email": "admin@example.com", "name": "Robot"})["changed"] is True


def test_another_administrator_can_be_demoted(run, server, recorded, listed):
    server.expect(*ALL, answer=listed(admin={}, alice={"role": "admin"}))
    server.expect(*WHOAMI, answer=recorded["whoami"])
    server.expect(*FIRST, answer=first_page(recorded, PRIMARY, SECOND))
    server.expect(*UPDATE_ALICE, {"role": "user"}, answer=recorded["update"])
    server.expect(*ALL, answer=listed(admin={}, alice={}))
    assert run({"email": "alice@example.com", "role": "user"})["changed"] is True


def test_an_administrator_wins_a_tie_of_ages(run, server, recorded, listed):
    older = {"id": "0", "role": "user", "created_at": 100}
    server.expect(*ALL, answer=listed(admin={}))
    server.expect(*WHOAMI, answer=recorded["whoami"])
    server.expect(*FIRST, answer=first_page(recorded, older, PRIMARY))
    message = run({"email": "admin@example.com", "role": "user"}, fails=True)["msg"]
    assert "is the primary administrator" in message


def test_an_api_key_does_not_tell_whose_it_is(run, server, recorded, listed):
    server.expect(*ALL, answer=listed(alice={"role": "admin"}))
    server.expect(*WHOAMI, **recorded["refusals"]["api_key_whoami"])
    assert "sign in with a password" in run({"email": "alice@example.com", "role": "user"}, fails=True)["msg"]


def test_signing_in_by_password_is_the_first_request(server, run_module, recorded, listed):
    server.expect(*SIGN_IN, {"email": "admin@example.com", "password": "admin words"}, answer=recorded["sign_in"])
    server.expect(*ALL, sent={"Authorization": "Bearer header.payload.signature"}, answer=listed(alice={}))
    params = {"url": server.url, "admin_email": "admin@example.com", "admin_password": "admin words"}
    assert run_module(openwebui_user, {**params, "email": "alice@example.com"})["changed"] is False


def test_no_way_to_sign_in(server, run_module):
    result = run_module(openwebui_user, {"url": server.url, "email": "a@b.c"}, fails=True)
    assert "one of the following is required: token, admin_email" in result["msg"]
