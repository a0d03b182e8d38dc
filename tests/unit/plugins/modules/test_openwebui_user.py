# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each state: the run, the repetition, and both in check mode, as the exact list of requests."""

from __future__ import annotations

import pytest
from openwebui_people import ADMIN, ALICE, BOB

from ansible_collections.selfhosted.llm.plugins.modules import openwebui_user

WANTED = {"email": "Alice@Example.com", "name": "Alice", "role": "user", "password": "secret words"}
PICTURE = "data:image/png;base64,iVBORw0KGgo="
PICTURE_SHOWN = "data:image/png;base64,... (34 characters, SHA-256 "


@pytest.fixture
def run(people):
    return lambda params, **how: people.run(openwebui_user, params, **how)


def actions(result):
    return [row["action"] for row in result["users"]]


def test_create(run, people):
    people.all(ADMIN)
    people.add()
    people.all(ADMIN, ALICE)
    result = run(WANTED)
    row = {"id": "id-alice", "email": "alice@example.com", "name": "Alice", "role": "user", "source": "local"}
    assert (result["changed"], result["users"]) == (True, [{**row, "action": "created"}])
    shown = {"email": "alice@example.com", "name": "Alice", "role": "user"}
    assert result["diff"] == {"before": {"alice@example.com": None}, "after": {"alice@example.com": shown}}
    assert "signature" not in str(result)
    assert "secret words" not in str(result)


def test_create_in_check_mode(run, people):
    people.all(ADMIN)
    result = run(WANTED, check=True)
    row = {"id": None, "email": "alice@example.com", "name": "Alice", "role": "user", "source": "local"}
    assert (result["changed"], result["users"]) == (True, [{**row, "action": "created"}])
    assert result["diff"]["after"]["alice@example.com"]["role"] == "user"


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize(
    "params",
    [
        WANTED,
        {"email": "ALICE@example.com"},
        {"email": "carol@example.com", "state": "absent"},
        {"users": [{"email": "carol@example.com", "state": "absent"}, {"email": "alice@example.com"}]},
        {"users": [WANTED, {"email": "admin@example.com"}]},
        {"users": []},
    ],
)
def test_nothing_to_do_is_one_request(run, people, params, check):
    people.all(ALICE, ADMIN)
    result = run(params, check=check)
    assert result["changed"] is False
    assert set(actions(result)) <= {"none"}
    assert result["diff"] == {"before": {}, "after": {}}


def test_two_hundred_accounts_that_are_right_are_one_request(run, people):
    wanted = [{"email": f"user{n}@example.com", "name": f"User {n}", "password": "secret words"} for n in range(200)]
    people.all(ADMIN, *({**ALICE, **entry, "id": str(n)} for n, entry in enumerate(wanted)))
    result = run({"users": wanted})
    assert (result["changed"], actions(result)) == (False, ["none"] * 200)
    assert {row["source"] for row in result["users"]} == {None}


def test_defaults_of_a_new_account(run, people):
    stored = {**ALICE, "email": "b_b%@localhost", "name": "b_b%"}
    people.all()
    people.add(email="b_b%@localhost", name="b_b%", password="é" * 36)
    people.all(stored)
    assert actions(run({"email": "b_b%@localhost", "password": "é" * 36})) == ["created"]


def test_only_what_differs_is_sent(run, people):
    people.all({**ALICE, "role": "superuser"})
    people.update(ALICE, {"role": "user"})
    people.all(ALICE)
    result = run(WANTED)
    assert actions(result) == ["updated"]
    changed = {"before": {"alice@example.com.role": "superuser"}, "after": {"alice@example.com.role": "user"}}
    assert result["diff"] == changed


def test_update_in_check_mode(run, people):
    people.all({**ALICE, "name": "Other"})
    result = run(WANTED, check=True)
    assert (result["changed"], result["users"][0]["name"], actions(result)) == (True, "Alice", ["updated"])


@pytest.mark.parametrize("role", ["admin", "superuser", "user"])
def test_without_a_role_every_role_but_pending_stays(run, people, role):
    people.all({**ALICE, "role": role})
    result = run({"email": "alice@example.com"})
    assert (actions(result), result["users"][0]["role"]) == (["none"], role)


def test_who_comes_back_to_the_list_has_access_again(run, people):
    people.all({**ALICE, "role": "pending"})
    people.update(ALICE, {"role": "user"})
    people.all(ALICE)
    result = run({"email": "alice@example.com"})
    assert (actions(result), result["users"][0]["role"]) == (["updated"], "user")


@pytest.mark.parametrize("role", [{}, {"role": "admin"}])
@pytest.mark.parametrize("when", ["on_create", "always"])
def test_who_signed_up_with_somebody_elses_address_does_not_get_in(run, people, role, when):
    read = people.all if when == "on_create" else people.pages
    if when == "on_create":
        people.all({**ALICE, "role": "pending"})
    people.pages({**ALICE, "role": "pending"})
    now = role.get("role", "user")
    people.update(ALICE, {"role": now, "password": "secret words"})
    read({**ALICE, "role": now})
    result = run({"email": "alice@example.com", "password": "secret words", "update_password": when, **role})
    assert actions(result) == ["updated"]
    assert result["diff"]["after"] == {"alice@example.com.role": now, "alice@example.com.password": "as given"}


def test_a_pending_account_of_oauth_gets_no_password(run, people):
    waiting = {**ALICE, "role": "pending", "oauth": {"google": {"sub": "1"}}}
    people.all(waiting)
    people.pages(waiting)
    people.update(ALICE, {"role": "user"})
    people.all(ALICE)
    assert actions(run({"email": "alice@example.com", "password": "secret words"})) == ["updated"]


def test_a_password_of_an_account_that_stays_pending_is_left_alone(run, people):
    people.all({**ALICE, "role": "pending"})
    assert actions(run({"email": "alice@example.com", "role": "pending", "password": "secret words"})) == ["none"]


def test_an_account_that_shall_be_pending_stays_so(run, people):
    people.all({**ALICE, "role": "pending"})
    assert actions(run({"email": "alice@example.com", "role": "pending"})) == ["none"]


def test_disable_ends_the_sessions_first(run, people):
    people.all(ALICE)
    people.revoke(ALICE)
    people.update(ALICE, {"role": "pending"})
    people.all({**ALICE, "role": "pending"})
    result = run({"email": "alice@example.com", "role": "pending"})
    assert (actions(result), result["users"][0]["role"]) == (["disabled"], "pending")
    assert result["diff"] == {
        "before": {"alice@example.com.sessions": "open", "alice@example.com.role": "user"},
        "after": {"alice@example.com.sessions": "ended", "alice@example.com.role": "pending"},
    }


def test_disable_in_check_mode(run, people):
    people.all(ALICE)
    result = run({"email": "alice@example.com", "role": "pending"}, check=True)
    assert (result["changed"], actions(result)) == (True, ["disabled"])
    assert result["diff"]["after"]["alice@example.com.sessions"] == "ended"


def test_delete(run, people):
    people.all(ADMIN, ALICE)
    people.delete(ALICE)
    people.all(ADMIN)
    result = run({"email": "ALICE@example.com", "state": "absent"})
    row = {"id": "id-alice", "email": "alice@example.com", "name": "Alice", "role": "user", "source": None}
    assert (result["changed"], result["users"]) == (True, [{**row, "action": "deleted"}])
    shown = {"email": "alice@example.com", "name": "Alice", "role": "user"}
    assert result["diff"] == {"before": {"alice@example.com": shown}, "after": {"alice@example.com": None}}


def test_delete_in_check_mode(run, people):
    people.all(ADMIN, ALICE)
    result = run({"email": "alice@example.com", "state": "absent"}, check=True)
    assert (result["changed"], actions(result)) == (True, ["deleted"])


def test_an_account_that_is_gone_needs_no_password(run, people):
    people.pages(ADMIN)
    params = {"email": "alice@example.com", "state": "absent", "update_password": "always"}
    assert actions(run(params)) == ["none"]


def test_create_an_account_that_waits(run, people):
    people.all(ADMIN)
    people.add(role="pending")
    people.all(ADMIN, {**ALICE, "role": "pending"})
    assert actions(run({**WANTED, "role": "pending"})) == ["created"]


def test_rows_have_the_order_of_the_list(run, people):
    people.all(ADMIN, {**ALICE, "role": "superuser"}, BOB)
    with people.server.any_order():
        people.add(email="new@example.com", name="new")
        people.update(ALICE, {"role": "user"})
        people.delete(BOB)
    people.all(ADMIN, ALICE, {**ALICE, "email": "new@example.com", "name": "new", "id": "id-new"})
    users = [{"email": "new@example.com", "password": "secret words"}, WANTED, {"email": "admin@example.com"}]
    result = run({"users": [*users, {"email": "bob@example.com", "state": "absent"}]})
    assert actions(result) == ["created", "updated", "none", "deleted"]
    assert [row["id"] for row in result["users"]] == ["id-new", "id-alice", "id-admin", "id-bob"]


def test_picture(run, people):
    people.pages(ADMIN, ALICE)
    people.update(ALICE, {"profile_image_url": PICTURE})
    people.pages(ADMIN, {**ALICE, "profile_image_url": PICTURE})
    result = run({"email": "alice@example.com", "profile_image_url": PICTURE})
    assert actions(result) == ["updated"]
    assert result["diff"]["before"] == {"alice@example.com.profile_image_url": "/user.png"}
    assert result["diff"]["after"]["alice@example.com.profile_image_url"].startswith(PICTURE_SHOWN)
    assert result["users"][0]["source"] == "local"


def test_another_picture_of_the_same_size(run, people):
    people.pages({**ALICE, "profile_image_url": PICTURE.replace("i", "j")})
    result = run({"email": "alice@example.com", "profile_image_url": PICTURE}, check=True)
    assert result["changed"] is True
    assert result["diff"]["before"] != result["diff"]["after"]


@pytest.mark.parametrize(
    ("wanted", "stored"),
    [
        (PICTURE, PICTURE),
        ("https://example.com/a.png", "https://example.com/a.png"),
        ("", "/api/v1/users/id-alice/profile/image"),
    ],
)
def test_a_picture_that_is_there(run, people, wanted, stored):
    people.pages({**ALICE, "profile_image_url": stored})
    assert actions(run({"email": "alice@example.com", "profile_image_url": wanted})) == ["none"]


def test_create_with_a_picture(run, people):
    people.pages(ADMIN)
    people.add(profile_image_url="https://example.com/a.png")
    people.pages(ADMIN, {**ALICE, "profile_image_url": "https://example.com/a.png"})
    assert actions(run({**WANTED, "profile_image_url": "https://example.com/a.png"})) == ["created"]


@pytest.mark.parametrize(
    ("fields", "source"),
    [({"oauth": {"oidc": {"sub": "secret-sub"}}}, "oauth"), ({"scim": {"okta": {"external_id": "1"}}}, "scim")],
)
def test_name_and_role_of_an_account_that_others_manage(run, people, fields, source):
    people.pages({**ALICE, **fields, "profile_image_url": "/user.png"})
    people.update(ALICE, {"name": "Alex", "role": "admin"})
    people.pages({**ALICE, **fields, "name": "Alex", "role": "admin"})
    params = {"email": "alice@example.com", "name": "Alex", "role": "admin", "profile_image_url": "/user.png"}
    result = run(params)
    assert result["users"][0]["source"] == source
    assert "secret-sub" not in str(result)


def test_signing_in_by_password_is_the_first_request(people, run_module):
    people.sign_in(ADMIN, {"answer": people.recorded["sign_in"]}, password="admin words")
    people.all(ALICE)
    params = {"url": people.server.url, "admin_email": "admin@example.com", "admin_password": "admin words"}
    assert run_module(openwebui_user, {**params, "email": "alice@example.com"})["changed"] is False
    assert people.server.requests[1].headers["authorization"] == "Bearer header.payload.signature"


def test_no_way_to_sign_in(people, run_module):
    result = run_module(openwebui_user, {"url": people.server.url, "email": "a@b.c"}, fails=True)
    assert "one of the following is required: token, admin_email" in result["msg"]
