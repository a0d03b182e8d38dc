# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What happens in the middle: refusals, an ended session, a lost connection, and another run on the same list."""

from __future__ import annotations

import pytest
from openwebui_people import ADMIN, ALICE, BOB

from ansible_collections.selfhosted.llm.plugins.modules import openwebui_user

NEW = {"email": "alice@example.com", "name": "Alice", "role": "user", "password": "secret words"}
WEAK = {"status": 400, "answer": {"detail": "The password is too weak."}}


@pytest.fixture
def run(people):
    return lambda params, **how: people.run(openwebui_user, params, **how)


def actions(result):
    return [row["action"] for row in result["users"]]


def test_one_that_is_refused_does_not_stop_the_others(run, people):
    people.all(ADMIN, BOB)
    with people.server.any_order():
        people.add(how=WEAK)
        people.update(BOB, {"name": "Bert"})
    people.all(ADMIN, {**BOB, "name": "Bert"})
    result = run({"users": [NEW, {"email": "bob@example.com", "name": "Bert"}]}, fails=True)
    assert (actions(result), result["changed"]) == (["failed", "updated"], True)
    assert "The password is too weak." in result["users"][0]["error"]
    assert "was answered with 400: The password is too weak." in result["msg"]
    assert result["failure"]["status"] == 400
    assert result["diff"]["after"] == {"bob@example.com.name": "Bert"}
    assert "secret words" not in str(result)


def test_several_that_are_refused(run, people):
    users = [{**NEW, "email": f"user{n}@example.com"} for n in range(6)]
    people.all(ADMIN)
    with people.server.any_order():
        for user in users:
            people.add(email=user["email"], how=WEAK)
    people.all(ADMIN)
    result = run({"users": users}, fails=True)
    assert (actions(result), result["changed"]) == (["failed"] * 6, False)
    assert "6 of 6 accounts of" in result["msg"]
    assert "user4@example.com: POST" in result["msg"]
    assert "user5@example.com" not in result["msg"]
    assert "The error of each account stands in users." in result["msg"]


@pytest.mark.parametrize("how", ["duplicate", "internal"])
def test_an_account_that_another_run_has_made_meanwhile(run, people, how):
    answers = {
        "duplicate": people.refusal("duplicate"),
        # Seen where both attempts pass the look for the address before either has stored it.
        "internal": {"status": 500, "answer": {"detail": "An internal error occurred while adding the user."}},
    }
    people.all(ADMIN)
    people.add(how=answers[how])
    people.all(ADMIN, ALICE)
    people.all(ADMIN, ALICE)
    result = run(NEW)
    assert (actions(result), result["changed"], result["users"][0]["id"]) == (["none"], False, "id-alice")
    assert result["diff"] == {"before": {}, "after": {}}


def test_an_account_that_another_run_has_made_otherwise(run, people):
    people.all(ADMIN)
    people.add(how=people.refusal("duplicate"))
    people.all(ADMIN, {**ALICE, "name": "Alicia"})
    people.update(ALICE, {"name": "Alice"})
    people.all(ADMIN, ALICE)
    result = run(NEW)
    assert actions(result) == ["updated"]
    assert result["diff"]["before"] == {"alice@example.com.name": "Alicia"}


def test_the_password_of_an_account_that_another_run_has_made(run, people):
    people.pages(ADMIN)
    people.add(how=people.refusal("duplicate"))
    people.pages(ADMIN, ALICE)
    people.config()
    people.sign_in(ALICE, people.refusal("wrong_password"))
    people.update(ALICE, {"password": "secret words"})
    people.pages(ADMIN, ALICE)
    assert actions(run({**NEW, "update_password": "always"})) == ["updated"]


def test_the_session_ends_in_the_middle(run, people):
    users = [{**NEW, "email": f"user{n}@example.com", "name": "N"} for n in range(8)]
    people.all(ADMIN)
    with people.server.any_order():
        people.add(email="user0@example.com", name="N")
        for n in range(1, 4):
            people.add(email=f"user{n}@example.com", name="N", how={**people.refusal("ended_session"), "delay": 0.3})
        people.add(email="user4@example.com", name="N", how={**people.refusal("ended_session"), "delay": 0.3})
    result = run({"users": users}, fails=True)
    assert actions(result) == ["created", *["failed"] * 4, *["skipped"] * 3]
    assert (result["changed"], list(result["diff"]["after"])) == (True, ["user0@example.com"])
    assert result["failure"]["session_ended"] is True
    assert "Accounts that failed: 4, not reached: 3." in result["msg"]
    assert result["users"][0]["name"] == "N"
    assert result["users"][7]["name"] is None


def test_the_session_ends_before_anything(run, people):
    people.all(**people.refusal("ended_session"))
    result = run(NEW, fails=True)
    assert (result["failure"]["session_ended"], "users" in result) == (True, False)


def test_the_connection_is_lost_in_the_middle(run, people):
    people.all(ADMIN)
    people.add(how={"drop": True})
    result = run(NEW, fails=True)
    assert (actions(result), result["changed"]) == (["failed"], False)
    assert "Accounts that failed: 1, not reached: 0." in result["msg"]


def test_too_many_creations_with_a_second_factor(run, people):
    people.all(ADMIN)
    people.add(how={"status": 429, "answer": {"detail": "Too many attempts. Please try again later."}})
    result = run(NEW, fails=True)
    assert actions(result) == ["failed"]
    assert "100 changes of accounts per host in 15 minutes" in result["msg"]


def test_the_session_ends_before_the_proof(run, people):
    people.all(ADMIN)
    people.add()
    people.all(**people.refusal("ended_session"))
    result = run(NEW, fails=True)
    assert (actions(result), result["changed"]) == (["created"], True)
    assert result["failure"]["session_ended"] is True


def test_sessions_are_ended_and_the_role_is_refused(run, people):
    people.all(ADMIN, ALICE)
    people.revoke(ALICE)
    people.update(ALICE, {"role": "pending"}, how={"status": 500, "answer": {"detail": "no"}})
    people.all(ADMIN, ALICE)
    result = run({"email": "alice@example.com", "role": "pending"}, fails=True)
    assert (actions(result), result["changed"], result["users"][0]["role"]) == (["failed"], True, "user")
    assert result["diff"]["after"] == {"alice@example.com.sessions": "ended"}


def test_a_role_that_the_server_ignored(run, people):
    people.all(ALICE, BOB)
    with people.server.any_order():
        people.update(ALICE, {"role": "admin"})
        people.update(BOB, {"role": "admin"})
    people.all(ALICE, {**BOB, "role": "admin"})
    users = [{"email": "alice@example.com", "role": "admin"}, {"email": "bob@example.com", "role": "admin"}]
    result = run({"users": users}, fails=True)
    assert actions(result) == ["failed", "updated"]
    assert "took the change of alice@example.com, but now has {'role': 'user'}" in result["msg"]


def test_a_new_account_that_is_not_there(run, people):
    people.all(ADMIN)
    people.add()
    people.all(ADMIN)
    assert "took the change of alice@example.com, but does not have it" in run(NEW, fails=True)["msg"]


def test_a_deleted_account_that_is_still_there(run, people):
    people.all(ALICE)
    people.delete(ALICE)
    people.all(ALICE)
    result = run({"email": "alice@example.com", "state": "absent"}, fails=True)
    assert "took the change of alice@example.com, but still has it" in result["msg"]


def test_somebody_made_a_deleted_account_anew(run, people):
    people.all(ALICE)
    people.delete(ALICE)
    people.all({**ALICE, "id": "id-other"})
    assert actions(run({"email": "alice@example.com", "state": "absent"})) == ["deleted"]


def test_accounts_that_come_and_go_while_they_are_read(run, people):
    rows = people.rows(*({**ALICE, "id": str(n), "email": f"{n:02}@example.com"} for n in range(40)))
    people.page(1, rows[:30], 40)
    # One of the first page has gone: what would have been the first row of the second page is missing.
    people.page(2, rows[31:], 39)
    people.page(1, rows[1:31], 39)
    people.page(2, rows[31:], 39)
    assert run({"email": "30@example.com", "profile_image_url": "/user.png"})["changed"] is False


def test_accounts_that_never_come_to_rest(run, people):
    for _attempt in range(3):
        people.page(1, people.rows(ALICE), 2)
        people.page(2, [], 2)
    message = run({"email": "alice@example.com", "profile_image_url": "/user.png"}, fails=True)["msg"]
    assert "changed while they were read, 3 times" in message


def test_a_start_page_where_accounts_belong(run, people):
    people.all(text="<!doctype html>", headers={"Content-Type": "text/html; charset=utf-8"})
    message = run(NEW, fails=True)["msg"]
    assert "answered with text/html instead of JSON" in message


def test_a_refusal_that_hides_its_reason(run, people):
    people.all(ADMIN)
    people.add(how=people.refusal("invalid_auth_body"))
    people.all(ADMIN)
    result = run(NEW, fails=True)
    assert "does not say which field of the request it refuses" in result["users"][0]["error"]
