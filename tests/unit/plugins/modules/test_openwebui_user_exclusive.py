# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Taking away the accounts that are not in the list, and none too many."""

from __future__ import annotations

import pytest
from openwebui_people import ADMIN, ALICE, BOB, BOSS

from ansible_collections.selfhosted.llm.plugins.modules import openwebui_user

OAUTH = {**BOB, "id": "id-oauth", "email": "oauth@example.com", "oauth": {"oidc": {"sub": "1"}}}
SCIM = {**BOB, "id": "id-scim", "email": "scim@example.com", "scim": {"okta": {"external_id": "1"}}}
LISTED = {"users": [{"email": "alice@example.com"}], "exclusive": True}
DELETE = {**LISTED, "exclusive_action": "delete"}


@pytest.fixture
def run(people):
    return lambda params, **how: people.run(openwebui_user, params, **how)


def actions(result):
    return {row["email"]: row["action"] for row in result["users"]}


def test_disable(run, people):
    people.pages(ADMIN, ALICE, BOB, OAUTH, SCIM)
    people.oldest(ADMIN)
    people.config()
    people.revoke(BOB)
    people.update(BOB, {"role": "pending"})
    people.all(ADMIN, ALICE, {**BOB, "role": "pending"}, OAUTH, SCIM)
    result = run(LISTED)
    assert actions(result) == {"alice@example.com": "none", "bob@example.com": "disabled"}
    assert (result["users"][1]["role"], result["users"][1]["source"]) == ("pending", "local")
    assert result["diff"]["after"] == {"bob@example.com.sessions": "ended", "bob@example.com.role": "pending"}


def test_disable_in_check_mode(run, people):
    people.pages(ADMIN, ALICE, BOB)
    people.oldest(ADMIN)
    people.config()
    result = run(LISTED, check=True)
    assert (result["changed"], actions(result)["bob@example.com"]) == (True, "disabled")


@pytest.mark.parametrize("check", [False, True])
def test_who_is_disabled_stays_so(run, people, check):
    people.pages(ADMIN, ALICE, {**BOB, "role": "pending"}, OAUTH, SCIM)
    people.oldest(ADMIN)
    result = run(LISTED, check=check)
    assert (result["changed"], actions(result)) == (False, {"alice@example.com": "none"})


def test_delete(run, people):
    carol = {**BOB, "id": "id-carol", "email": "carol@example.com", "role": "pending"}
    people.pages(ADMIN, ALICE, BOB, carol, OAUTH, SCIM)
    people.oldest(ADMIN)
    people.config()
    with people.server.any_order():
        people.delete(BOB)
        people.delete(carol)
    people.all(ADMIN, ALICE, OAUTH, SCIM)
    result = run(DELETE)
    assert [row["email"] for row in result["users"]] == ["alice@example.com", "bob@example.com", "carol@example.com"]
    assert set(actions(result).values()) == {"none", "deleted"}


@pytest.mark.parametrize("check", [False, True])
def test_nothing_is_left_to_delete(run, people, check):
    people.pages(ADMIN, ALICE, OAUTH, SCIM)
    people.oldest(ADMIN)
    assert run(DELETE, check=check)["changed"] is False


def test_the_account_in_use_and_the_primary_administrator_are_kept(run, people):
    third = {**BOSS, "id": "id-third", "email": "third@example.com"}
    people.pages(ADMIN, BOSS, third, ALICE)
    people.oldest(ADMIN)
    people.whoami(BOSS)
    people.config()
    people.delete(third)
    people.all(ADMIN, BOSS, ALICE)
    assert actions(run(DELETE)) == {"alice@example.com": "none", "third@example.com": "deleted"}


def test_no_other_administrator_goes_under_an_unknown_api_key(run, people):
    people.pages(ADMIN, BOSS, ALICE)
    people.oldest(ADMIN)
    people.owner_of_the_key()
    people.config()
    message = run({**DELETE, "token": "sk-key"}, fails=True)["msg"]
    assert "boss@example.com may be the account in use" in message


def test_too_many(run, people):
    others = [{**BOB, "id": f"id-{n}", "email": f"user{n}@example.com"} for n in range(3)]
    people.pages(ADMIN, ALICE, *others)
    people.oldest(ADMIN)
    people.config()
    message = run({**LISTED, "exclusive_max": 2}, fails=True)["msg"]
    assert "exclusive would disable 3 accounts, more than exclusive_max (2)" in message
    assert "user0@example.com, user1@example.com, user2@example.com" in message


def test_as_many_as_are_allowed(run, people):
    people.pages(ADMIN, ALICE, BOB)
    people.oldest(ADMIN)
    people.config()
    assert run({**LISTED, "exclusive_max": 1}, check=True)["changed"] is True


def test_ten_is_the_most_that_goes_without_a_word(run, people):
    others = [{**BOB, "id": f"id-{n}", "email": f"user{n}@example.com"} for n in range(11)]
    people.pages(ADMIN, ALICE, *others)
    people.oldest(ADMIN)
    people.config()
    assert "exclusive would delete 11 accounts, more than exclusive_max (10)" in run(DELETE, fails=True)["msg"]


@pytest.mark.parametrize("users", [[], [{"email": "bob@example.com", "state": "absent"}]])
def test_a_list_of_nobody_is_refused(run, people, users):
    message = run({"users": users, "exclusive": True}, fails=True)["msg"]
    assert "no account is left in the list; if exclusive shall take them all, set allow_empty" in message
    assert people.server.requests == []


def test_a_list_of_nobody_that_is_meant(run, people):
    people.pages(ADMIN, BOB)
    people.oldest(ADMIN)
    people.config()
    people.delete(BOB)
    people.all(ADMIN)
    result = run({"users": [], "exclusive": True, "exclusive_action": "delete", "allow_empty": True})
    assert actions(result) == {"bob@example.com": "deleted"}


@pytest.mark.parametrize(
    ("feature", "words"), [("enable_ldap", "by LDAP"), ("auth_trusted_header", "by a trusted header")]
)
def test_accounts_whose_source_cannot_be_told(run, people, feature, words):
    people.pages(ADMIN, ALICE, BOB, OAUTH)
    people.oldest(ADMIN)
    people.config(**{feature: True})
    message = run(DELETE, fails=True)["msg"]
    assert f"people can sign in there {words}, which leaves no mark on an account" in message
    assert "exclusive cannot tell whose these are: bob@example.com." in message


def test_an_entry_and_exclusive_in_one_run(run, people):
    people.pages(ADMIN, ALICE, BOB)
    people.oldest(ADMIN)
    people.config()
    with people.server.any_order():
        people.add(email="carol@example.com", name="carol")
        people.delete(ALICE)
        people.revoke(BOB)
        people.update(BOB, {"role": "pending"})
    carol = {**ALICE, "id": "id-carol", "email": "carol@example.com", "name": "carol"}
    people.all(ADMIN, carol, {**BOB, "role": "pending"})
    users = [{"email": "carol@example.com", "password": "secret words"}, {"email": ALICE["email"], "state": "absent"}]
    assert actions(run({**LISTED, "users": users})) == {
        "carol@example.com": "created",
        "alice@example.com": "deleted",
        "bob@example.com": "disabled",
    }
