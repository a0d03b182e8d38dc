# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The administrators that nobody may lose."""

from __future__ import annotations

import pytest
from openwebui_people import ADMIN, ALICE, BOSS

from ansible_collections.selfhosted.llm.plugins.modules import openwebui_user

GONE = {"state": "absent"}
PRIMARY = "is the primary administrator (the oldest account), which cannot be demoted, disabled or deleted"
IN_USE = "is the account in use, which cannot be demoted, disabled or deleted"


@pytest.fixture
def run(people):
    return lambda params, **how: people.run(openwebui_user, params, **how)


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("wish", [{"role": "user"}, {"role": "pending"}, GONE])
def test_the_primary_administrator(run, people, wish, check):
    people.all(ADMIN, BOSS, ALICE)
    people.oldest(ADMIN, BOSS, ALICE)
    users = [{"email": "alice@example.com", "name": "Alex"}, {"email": "admin@example.com", **wish}]
    assert f"admin@example.com {PRIMARY}" in run({"users": users}, check=check, fails=True)["msg"]


@pytest.mark.parametrize("wish", [{"role": "user"}, {"role": "pending"}, GONE])
def test_the_account_in_use(run, people, wish):
    people.all(ADMIN, BOSS)
    people.oldest(ADMIN, BOSS)
    people.whoami(BOSS)
    assert f"boss@example.com {IN_USE}" in run({"email": "boss@example.com", **wish}, fails=True)["msg"]


def test_nobody_else_changes_the_primary_administrator(run, people):
    people.all(ADMIN, BOSS)
    people.oldest(ADMIN, BOSS)
    people.whoami(BOSS)
    message = run({"email": "admin@example.com", "name": "x"}, fails=True)["msg"]
    assert "admin@example.com is the primary administrator (the oldest account), which nobody but itself" in message


def test_the_last_administrators(run, people):
    # The oldest account is no administrator, and of an API key it may not be known whose it is.
    people.all(BOSS, {**ADMIN, "id": "id-second", "email": "second@example.com"}, ALICE)
    people.oldest({**ALICE, "created_at": 1})
    users = [{"email": "boss@example.com", "role": "user"}, {"email": "second@example.com", "state": "absent"}]
    message = run({"users": users}, fails=True)["msg"]
    assert "boss@example.com is one of the last administrators, and one has to remain" in message
    assert "second@example.com is one of the last administrators, and one has to remain" in message


def test_every_rule_is_named_at_once(run, people):
    people.all(ADMIN, BOSS, {**BOSS, "id": "id-third", "email": "third@example.com"})
    people.oldest(ADMIN, BOSS)
    people.whoami(BOSS)
    users = [{"email": row["email"], "role": "user"} for row in (ADMIN, BOSS)]
    message = run({"users": users}, fails=True)["msg"]
    assert f"admin@example.com {PRIMARY}; boss@example.com {IN_USE}." in message


def test_the_primary_administrator_may_rename_itself(run, people):
    people.all(ADMIN)
    people.oldest(ADMIN)
    people.whoami(ADMIN)
    people.update(ADMIN, {"name": "Robot"})
    people.all({**ADMIN, "name": "Robot"})
    assert run({"email": "admin@example.com", "name": "Robot"})["changed"] is True


def test_another_administrator_may_be_renamed(run, people):
    people.all(ADMIN, BOSS)
    people.oldest(ADMIN, BOSS)
    people.update(BOSS, {"name": "Boris"})
    people.all(ADMIN, {**BOSS, "name": "Boris"})
    assert run({"email": "boss@example.com", "name": "Boris"})["changed"] is True


def test_another_administrator_can_be_demoted(run, people):
    people.all(ADMIN, BOSS)
    people.oldest(ADMIN, BOSS)
    people.whoami(ADMIN)
    people.update(BOSS, {"role": "user"})
    people.all(ADMIN, {**BOSS, "role": "user"})
    assert run({"email": "boss@example.com", "role": "user"})["changed"] is True


def test_an_administrator_wins_a_tie_of_ages(run, people):
    people.all(ADMIN, BOSS)
    people.oldest({**ALICE, "id": "0", "created_at": 100}, ADMIN)
    assert PRIMARY in run({"email": "admin@example.com", "role": "user"}, fails=True)["msg"]


KEY = {"token": "sk-key"}


def test_an_api_key_whose_owner_is_not_told(run, people):
    people.all(ADMIN, BOSS)
    people.oldest(ADMIN, BOSS)
    people.owner_of_the_key()
    message = run({**KEY, "email": "boss@example.com", "role": "user"}, fails=True)["msg"]
    assert "boss@example.com may be the account in use, because this server does not tell whose an API key" in message


def test_the_owner_of_the_api_key_in_use(run, people):
    people.all(ADMIN, BOSS)
    people.oldest(ADMIN, BOSS)
    people.owner_of_the_key(BOSS)
    message = run({**KEY, "email": "boss@example.com", "role": "user"}, fails=True)["msg"]
    assert f"boss@example.com {IN_USE}" in message


def test_another_administrator_is_demoted_by_an_api_key(run, people):
    people.all(ADMIN, BOSS)
    people.oldest(ADMIN, BOSS)
    people.owner_of_the_key(ADMIN)
    people.update(BOSS, {"role": "user"})
    people.all(ADMIN, {**BOSS, "role": "user"})
    assert run({**KEY, "email": "boss@example.com", "role": "user"})["changed"] is True


def test_the_server_says_whether_an_unknown_key_is_of_the_primary_administrator(run, people):
    people.all(ADMIN)
    people.oldest(ADMIN)
    people.owner_of_the_key()
    people.update(ADMIN, {"name": "Robot"}, how=people.refusal("protected"))
    people.all(ADMIN)
    result = run({**KEY, "email": "admin@example.com", "name": "Robot"}, fails=True)
    assert result["users"][0]["action"] == "failed"
    assert "restricted as a security measure" in result["msg"]


def test_an_ended_session_is_told_by_the_question_whose_it_is(run, people):
    people.all(ADMIN, BOSS)
    people.oldest(ADMIN, BOSS)
    people.server.expect("GET", "/api/v1/auths/", **people.refusal("ended_session"))
    result = run({"email": "boss@example.com", "role": "user"}, fails=True)
    assert result["failure"]["session_ended"] is True
