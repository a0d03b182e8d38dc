# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from openwebui_people import ADMIN, ALICE

from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui import api_key
from ansible_collections.selfhosted.llm.plugins.modules import openwebui_api_key

CI = {"id": "id-ci", "email": "ci@localhost", "name": "ci", "role": "user", "created_at": 500}
SETTINGS = {
    "auth.enable_api_keys": True,
    "auth.mfa.enable": False,
    "ui.default_group_id": "",
    "user.permissions": {"features": {"api_keys": False}},
}
MAY = {"features": {"api_keys": True}}
TOP = {"id": "g-top", "name": "top", "permissions": MAY, "parent_group_id": None}
BELOW = {"id": "g-below", "name": "below", "permissions": None, "parent_group_id": "g-top"}
PLAIN = {"id": "g-plain", "name": "plain", "permissions": {"features": {"notes": True}}, "parent_group_id": None}
GROUPS = [TOP, BELOW, PLAIN]
OLD = "sk-old"
NEW = "sk-new"
PASSWORD = "Aa1!random"
GONE = {"status": 401, "answer": {"detail": "Your session has expired or the token is invalid. Please sign in again."}}
OFF = {"status": 403, "answer": {"detail": "Use of API key is not enabled in the environment."}}


class Script:
    """Expectations in the words of the API."""

    def __init__(self, people):
        self.people = people
        self.server = people.server

    def run(self, check=False, fails=False, **params):
        params = {"email": "CI@localhost", **params}
        return self.people.run(openwebui_api_key, params, check=check, fails=fails)

    def accounts(self, *rows):
        self.people.all(ADMIN, ALICE, *rows)

    def owner(self, key, **how):
        how = how or {"answer": {**CI}}
        self.server.expect("GET", "/api/v1/users/user/status", sent={"Authorization": f"Bearer {key}"}, **how)

    def member_of(self, *groups):
        self.server.expect("GET", "/api/v1/users/id-ci/groups", answer=list(groups))

    def groups(self):
        self.server.expect("GET", "/api/v1/groups/", answer=GROUPS)

    def settings(self, **changes):
        self.server.expect("GET", "/api/v1/configs/export", answer={**SETTINGS, **changes})

    def add(self, name="ci", token="token of ci"):
        body = {"email": "ci@localhost", "name": name, "role": "user", "password": PASSWORD}
        self.server.expect("POST", "/api/v1/auths/add", body, answer={"id": "id-ci", "token": token})

    def join(self, group):
        self.server.expect("POST", f"/api/v1/groups/id/{group}/users/add", {"user_ids": ["id-ci"]}, answer={})

    def update(self, **body):
        self.server.expect("POST", "/api/v1/users/id-ci/update", body, answer=CI)

    def sign_in(self, **how):
        how = how or {"answer": {"token": "token of ci", "role": "user"}}
        self.people.sign_in(CI, how, password=PASSWORD)

    def make(self, method="POST", **how):
        how = how or {"answer": {"api_key": NEW}}
        sent = {"Authorization": "Bearer token of ci"}
        self.server.expect(method, "/api/v1/auths/api_key", sent=sent, **how)


@pytest.fixture
def script(people, monkeypatch):
    monkeypatch.setattr(api_key.secrets, "token_urlsafe", lambda length: "random")
    return Script(people)


def test_a_new_program(script):
    for check in (True, False):
        script.accounts()
        script.groups()
        script.settings()
        if not check:
            script.add()
            script.join("g-below")
            script.make()
            script.accounts(CI)
            script.member_of(BELOW)
            script.owner(NEW)
        result = script.run(check=check, groups=["below", "below"])
        assert result["changed"]
        assert result["diff"] == {
            "before": {
                "ci@localhost": None,
                "ci@localhost.groups": [],
                "ci@localhost.api_key": "none that works",
            },
            "after": {
                "ci@localhost": {"name": "ci", "role": "user"},
                "ci@localhost.groups": ["below"],
                "ci@localhost.api_key": "one that works",
            },
        }
        assert (result["id"], result["key"]) == ((None, None) if check else ("id-ci", NEW))


@pytest.mark.parametrize("check", [True, False])
def test_a_key_that_works_costs_two_requests(script, check):
    script.accounts(CI)
    script.owner(OLD)
    result = script.run(key=OLD, check=check)
    assert (result["changed"], result["id"], result["key"]) == (False, "id-ci", OLD)


def test_memberships_cost_one_more(script):
    script.accounts(CI)
    script.member_of(PLAIN, BELOW)
    script.owner(OLD)
    assert not script.run(key=OLD, groups=["below"])["changed"]


@pytest.mark.parametrize("refusal", [GONE, OFF], ids=["unknown", "not allowed"])
def test_a_key_that_does_not_work_is_replaced(script, refusal):
    script.accounts(CI)
    script.owner(OLD, **refusal)
    script.groups()
    script.settings()
    script.member_of(BELOW)
    script.update(password=PASSWORD)
    script.sign_in()
    script.make()
    script.accounts(CI)
    script.owner(NEW)
    result = script.run(key=OLD)
    assert result["key"] == NEW
    assert result["diff"] == {
        "before": {"ci@localhost.api_key": "none that works"},
        "after": {"ci@localhost.api_key": "one that works"},
    }


def test_a_pending_account_gets_its_role_with_a_new_key(script):
    pending = {**CI, "role": "pending"}
    script.accounts(pending)
    # What the server says to the key of an account without a role.
    script.owner(OLD, status=401, answer={"detail": "You do not have permission to access this resource."})
    script.groups()
    script.settings(**{"user.permissions": MAY})
    script.member_of()
    script.update(role="user", name="CI of the team", password=PASSWORD)
    script.sign_in()
    script.make()
    script.accounts({**CI, "name": "CI of the team"})
    script.owner(NEW)
    result = script.run(key=OLD, name="CI of the team")
    assert result["diff"]["after"] == {
        "ci@localhost.role": "user",
        "ci@localhost.name": "CI of the team",
        "ci@localhost.api_key": "one that works",
    }


def test_a_name_alone_leaves_password_and_key(script):
    script.accounts(CI)
    script.owner(OLD)
    script.update(name="Builds")
    script.accounts({**CI, "name": "Builds"})
    script.owner(OLD)
    assert script.run(key=OLD, name="Builds")["key"] == OLD


def test_a_membership_alone_leaves_password_and_key(script):
    script.accounts(CI)
    script.member_of(PLAIN)
    script.owner(OLD)
    script.groups()
    script.join("g-below")
    script.accounts(CI)
    script.member_of(PLAIN, BELOW)
    script.owner(OLD)
    result = script.run(key=OLD, groups=["below"])
    assert result["diff"] == {
        "before": {"ci@localhost.groups": ["plain"]},
        "after": {"ci@localhost.groups": ["below", "plain"]},
    }


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 403, "answer": {"detail": "The requested action has been restricted as a security measure."}},
        {"status": 403, "answer": {"detail": "You do not have permission to access this resource."}},
        {"text": "<html>", "headers": {"content-type": "text/html"}},
    ],
    ids=["users.enable_status", "endpoint restrictions", "another version"],
)
def test_a_key_that_works_where_the_server_does_not_tell_whose_it_is(script, answer):
    script.accounts(CI)
    script.owner(OLD, **answer)
    assert not script.run(key=OLD)["changed"]


def test_a_key_of_somebody_else_is_refused(script):
    script.accounts(CI)
    script.owner(OLD, answer=ALICE)
    message = script.run(key=OLD, fails=True)["msg"]
    assert "the key given is not that of ci@localhost, but of alice@example.com" in message
    script.accounts()
    script.owner(OLD, status=403, answer={"detail": "The requested action has been restricted"})
    assert "but of another account" in script.run(key=OLD, fails=True)["msg"]


@pytest.mark.parametrize("email", ["kim@example.com", "@localhost", "a b@localhost", "ci@localhost.example.com"])
@pytest.mark.parametrize("state", ["present", "absent"])
def test_an_address_of_a_person_is_refused_before_anything_is_sent(script, email, state):
    message = script.run(email=email, state=state, fails=True)["msg"]
    assert "may be the address of a person" in message and "ends in @localhost" in message


@pytest.mark.parametrize("state", ["present", "absent"])
def test_an_administrator_is_refused(script, state):
    script.accounts({**CI, "role": "admin"})
    assert "ci@localhost is an administrator" in script.run(state=state, fails=True)["msg"]


@pytest.mark.parametrize("key", ["-----BEGIN PRIVATE KEY-----", "sk-", "sk-two words", "sk-line\n"])
def test_what_is_no_key_is_refused_before_anything_is_sent(script, key):
    result = script.run(key=key, fails=True)
    assert "no API key of Open WebUI" in result["msg"]
    assert key not in str(result)


@pytest.mark.parametrize("check", [True, False])
def test_everything_that_is_in_the_way_is_said_at_once(script, check):
    script.accounts()
    script.groups()
    script.settings(**{"auth.enable_api_keys": False, "auth.mfa.enable": True})
    message = script.run(groups=["plian"], check=check, fails=True)["msg"]
    for problem in (
        "there is no group 'plian' (did you mean 'plain'?)",
        "API keys are switched off: set auth.enable_api_keys to true (open_webui_api_keys of the role)",
        "with multi-factor authentication",
        "ci@localhost may not have an API key: give a group the permission features.api_keys",
    ):
        assert problem in message


@pytest.mark.parametrize(
    ("row", "member_of", "settings"),
    [
        (CI, [BELOW], {}),
        (CI, [], {"user.permissions": MAY}),
        (None, [], {"ui.default_group_id": "g-top"}),
    ],
    ids=["a group above", "everybody", "the group of new accounts"],
)
def test_where_the_permission_can_come_from(script, row, member_of, settings):
    script.accounts(*([row] if row else []))
    script.groups()
    script.settings(**settings)
    if row:
        script.member_of(*member_of)
    assert script.run(check=True)["changed"]


def test_a_key_that_the_server_does_not_have_afterwards(script):
    script.accounts(CI)
    script.groups()
    script.settings(**{"user.permissions": MAY})
    script.member_of()
    script.update(password=PASSWORD)
    script.sign_in()
    script.make()
    script.accounts(CI)
    script.owner(NEW, **GONE)
    result = script.run(fails=True)
    assert "does not have ci@localhost.api_key as sent" in result["msg"]
    assert NEW not in str(result)


@pytest.mark.parametrize("where", ["password", "session"])
def test_two_runs_at_once(script, where):
    script.accounts(CI)
    script.groups()
    script.settings(**{"user.permissions": MAY})
    script.member_of()
    script.update(password=PASSWORD)
    if where == "password":
        script.sign_in(**script.people.refusal("wrong_password"))
    else:
        script.sign_in()
        script.make(**script.people.refusal("ended_session"))
    result = script.run(fails=True)
    assert result["msg"].endswith("a key at the same time. Run this again.")
    # It is not the administrator's session that has ended.
    assert "session_ended" not in result["failure"]


def test_revoking(script):
    pending = {**CI, "role": "pending"}
    for check in (True, False):
        script.accounts(CI)
        if not check:
            script.update(password=PASSWORD)
            script.sign_in()
            script.make("DELETE", answer=True)
            script.server.expect("POST", "/api/v1/users/id-ci/sessions/revoke", answer=True)
            script.update(role="pending")
            script.accounts(pending)
        result = script.run(state="absent", check=check)
        assert result["diff"] == {"before": {"ci@localhost.role": "user"}, "after": {"ci@localhost.role": "pending"}}
        assert result["key"] is None and "warnings" not in result
    for row in ([pending], []):
        for check in (True, False):
            script.accounts(*row)
            assert not script.run(state="absent", key=OLD, check=check)["changed"]


@pytest.mark.parametrize(
    "refusal",
    [
        {"status": 403, "answer": {"detail": "The requested action has been restricted as a security measure."}},
        {"answer": {"next_step": "enroll"}},
    ],
    ids=["passwords off", "multi-factor"],
)
def test_access_goes_also_where_the_key_cannot_be_deleted(script, refusal):
    script.accounts(CI)
    script.update(password=PASSWORD)
    script.sign_in(**refusal)
    script.server.expect("POST", "/api/v1/users/id-ci/sessions/revoke", answer=True)
    script.update(role="pending")
    script.accounts({**CI, "role": "pending"})
    (warning,) = script.run(state="absent")["warnings"]
    assert "keeps the API key of ci@localhost, for when somebody gives the account a role again" in str(warning)


def test_a_role_that_stays_is_a_failure(script):
    script.accounts(CI)
    script.update(password=PASSWORD)
    script.sign_in()
    script.make("DELETE", answer=True)
    script.server.expect("POST", "/api/v1/users/id-ci/sessions/revoke", answer=True)
    script.update(role="pending")
    script.accounts(CI)
    assert "does not have ci@localhost.role as sent" in script.run(state="absent", fails=True)["msg"]


def test_passwords_are_never_the_same():
    first, second = (api_key._password() for _attempt in range(2))
    assert first != second
    assert all(any(test(letter) for letter in first) for test in (str.islower, str.isupper, str.isdigit))
    assert 40 < len(first) <= 72
