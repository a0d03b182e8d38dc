# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``update_password: always``: one attempt to sign in, and no write if it fits."""

from __future__ import annotations

import pytest
from openwebui_people import ADMIN, ALICE, BOB, BOSS

from ansible_collections.selfhosted.llm.plugins.modules import openwebui_user

ALWAYS = {"email": "alice@example.com", "password": "secret words", "update_password": "always"}


@pytest.fixture
def run(people):
    return lambda params, **how: people.run(openwebui_user, params, **how)


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("answer", ["sign_in", "pending_sign_in", "second_factor"])
def test_a_password_that_fits_is_not_written(run, people, answer, check):
    people.pages(ALICE)
    people.config()
    people.sign_in(ALICE, {"answer": people.recorded[answer]})
    result = run(ALWAYS, check=check)
    assert (result["changed"], result["users"][0]["source"]) == (False, "local")


def test_a_password_that_fits_where_a_second_factor_waits_for_a_role(run, people):
    people.pages({**ALICE, "role": "pending"})
    people.config()
    people.sign_in(ALICE, {"answer": {"next_step": "pending"}})
    assert run({**ALWAYS, "role": "pending"})["changed"] is False


def test_a_password_that_does_not_fit(run, people):
    people.pages(ALICE)
    people.config()
    people.sign_in(ALICE, people.refusal("wrong_password"))
    people.update(ALICE, {"password": "secret words"})
    people.pages(ALICE)
    result = run(ALWAYS)
    assert result["users"][0]["action"] == "updated"
    name = "alice@example.com.password"
    assert result["diff"] == {"before": {name: "another one"}, "after": {name: "as given"}}
    assert "secret words" not in str(result)


def test_a_password_that_does_not_fit_in_check_mode(run, people):
    people.pages(ALICE)
    people.config()
    people.sign_in(ALICE, people.refusal("wrong_password"))
    assert run(ALWAYS, check=True)["changed"] is True


def test_a_new_account_has_nothing_to_try(run, people):
    people.pages(ADMIN)
    people.add(name="alice")
    people.pages(ADMIN, {**ALICE, "name": "alice"})
    assert run(ALWAYS)["users"][0]["action"] == "created"


def test_an_account_that_goes_has_nothing_to_try(run, people):
    people.pages(ALICE)
    people.delete(ALICE)
    people.pages(ADMIN)
    assert run({**ALWAYS, "state": "absent"})["users"][0]["action"] == "deleted"


def test_update_password_of_the_task_is_the_default_of_the_list(run, people):
    users = [{"email": "alice@example.com", "password": "secret words"}]
    users.append({"email": "bob@example.com", "password": "secret words", "update_password": "on_create"})
    people.pages(ALICE, BOB)
    people.config()
    people.sign_in(ALICE, {"answer": people.recorded["sign_in"]})
    assert run({"users": users, "update_password": "always"})["changed"] is False


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize(
    ("refusal", "words"),
    [("rate_limit", "15 sign-ins per address in three minutes"), ("protected", "password is switched off")],
)
def test_a_password_that_cannot_be_tried_is_not_written(run, people, refusal, words, check):
    people.pages(ALICE)
    people.config()
    people.sign_in(ALICE, people.refusal(refusal))
    result = run({**ALWAYS, "name": "Alex"}, check=check, fails=True)
    (row,) = result["users"]
    assert (row["action"], row["name"], result["changed"]) == ("failed", "Alice", False)
    assert words in row["error"]
    assert words in result["msg"]
    assert result["failure"]["status"] == people.refusal(refusal)["status"]


@pytest.mark.parametrize(
    ("fields", "features", "words"),
    [
        ({"oauth": {"oidc": {"sub": "1"}}}, {}, "comes from OAUTH, where its password is"),
        ({"scim": {"okta": {"external_id": "1"}}}, {}, "comes from SCIM, where its password is"),
        ({}, {"auth_trusted_header": True}, "signs people in by a trusted header"),
        ({}, {"auth": False}, "lets everybody in without a password"),
    ],
)
def test_no_attempt_where_it_would_tell_nothing(run, people, fields, features, words):
    people.pages({**ALICE, **fields})
    if not fields:
        people.config(**features)
    result = run(ALWAYS, fails=True)
    assert result["users"][0]["action"] == "failed"
    assert words in result["msg"]
    assert "Set update_password to on_create for it." in result["msg"]


def test_the_others_are_done_beside_one_that_cannot_be_tried(run, people):
    people.pages(ALICE, BOB)
    people.config()
    with people.server.any_order():
        people.sign_in(ALICE, people.refusal("rate_limit"))
        people.sign_in(BOB, people.refusal("wrong_password"))
    people.update(BOB, {"password": "secret words"})
    people.pages(ALICE, BOB)
    result = run({"users": [ALWAYS, {**ALWAYS, "email": "bob@example.com"}]}, fails=True)
    assert [row["action"] for row in result["users"]] == ["failed", "updated"]
    assert (result["changed"], list(result["diff"]["after"])) == (True, ["bob@example.com.password"])


def test_the_own_password_fits(run, people):
    people.pages(ADMIN)
    people.config()
    people.sign_in(ADMIN, {"answer": people.recorded["sign_in"]})
    assert run({**ALWAYS, "email": "admin@example.com"})["changed"] is False


def test_the_own_password_is_not_changed(run, people):
    people.pages(ADMIN)
    people.config()
    people.sign_in(ADMIN, people.refusal("wrong_password"))
    people.whoami(ADMIN)
    result = run({**ALWAYS, "email": "admin@example.com"}, fails=True)
    assert "admin@example.com is the account in use, whose session would end with its password" in result["msg"]
    assert result["users"][0]["action"] == "failed"


def test_a_server_that_goes_away_while_passwords_are_tried(run, people):
    people.pages(ALICE)
    people.config()
    people.sign_in(ALICE, {"drop": True})
    result = run(ALWAYS, fails=True)
    assert "/api/v1/auths/signin failed" in result["msg"]
    assert "users" not in result


def test_the_password_of_the_primary_administrator_is_its_own_affair(run, people):
    people.pages(ADMIN, BOSS)
    people.config()
    people.sign_in(ADMIN, people.refusal("wrong_password"))
    people.whoami(BOSS)
    people.oldest(ADMIN, BOSS)
    result = run({**ALWAYS, "email": "admin@example.com"}, fails=True)
    assert "admin@example.com is the primary administrator (the oldest account), whose password nobody" in result["msg"]
    assert (result["changed"], result["users"][0]["action"]) == (False, "failed")
