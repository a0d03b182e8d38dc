# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option ``access``, which all modules that have it share, on a prompt."""

from __future__ import annotations

import pytest

from ansible_collections.selfhosted.llm.plugins.modules import openwebui_prompt

LIST = "/api/v1/prompts/"
GRANTS = f"{LIST}id/id-sum/access/update"
NAMED = {"read": {"groups": ["Staff"], "users": ["lee@example.com"]}, "write": {"groups": ["Staff"]}}


def grant(permission, kind, principal):
    return {"principal_type": kind, "principal_id": principal, "permission": permission}


STORED = [
    grant("read", "group", "id-staff"),
    grant("read", "user", "id-lee"),
    grant("write", "group", "id-staff"),
]
PUBLIC = grant("read", "user", "*")


class Script:
    """Expectations in the words of the API."""

    def __init__(self, server, recorded):
        self.server = server
        self.recorded = recorded

    def prompts(self, *grants):
        stored = [{**self.recorded["grant"], **each, "id": str(index)} for index, each in enumerate(grants)]
        row = {**self.recorded["prompt"], "id": "id-sum", "access_grants": stored}
        self.server.expect("GET", LIST, answer=[row])

    def groups(self, *more):
        names = {"id-staff": "Staff", "id-guests": "Guests", **dict(more)}
        rows = [{**self.recorded["group"], "id": identifier, "name": name} for identifier, name in names.items()]
        self.server.expect("GET", "/api/v1/groups/", answer=rows)

    def users(self):
        users = [{"id": "id-lee", "email": "lee@example.com"}, {"id": "id-kim", "email": "Kim@example.com"}]
        self.server.expect("GET", "/api/v1/users/all", answer={"users": users, "total": 2})

    def write(self, *grants):
        self.server.expect("POST", GRANTS, {"access_grants": list(grants)}, answer=self.recorded["prompt"])


@pytest.fixture
def api(server, recording):
    return Script(server, recording("openwebui_resources"))


@pytest.fixture
def run(server, run_module):
    def run_one(access, **how):
        params = {"url": server.url, "token": "token-in-use", "prompts": [{"command": "sum", "access": access}]}
        return run_module(openwebui_prompt, params, **how)

    return run_one


@pytest.fixture
def difference(run):
    def of_run(access, **how):
        diff = run(access, **how)["diff"]
        return diff["before"].get("sum.access"), diff["after"].get("sum.access")

    return of_run


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize(
    ("access", "grants"),
    [
        ("private", []),
        ({}, []),
        ({"read": {"groups": []}}, []),
        ("public", [PUBLIC]),
        ({"read": "public"}, [PUBLIC]),
        ({"read": "public", "write": "public"}, [PUBLIC, grant("write", "user", "*")]),
    ],
)
def test_without_names_nothing_else_is_read(run, api, access, grants, check):
    api.prompts(*grants)
    assert run(access, check=check)["changed"] is False


def test_opened_and_closed(difference, api):
    api.prompts()
    api.write(PUBLIC)
    api.prompts(PUBLIC)
    assert difference("public") == ("private", "public")
    api.prompts(PUBLIC)
    api.write()
    api.prompts()
    assert difference("private") == ("public", "private")


def test_names_become_identifiers(difference, run, api):
    api.prompts()
    api.groups()
    api.users()
    assert difference(NAMED, check=True) == ("private", NAMED)
    api.prompts()
    api.groups()
    api.users()
    api.write(*STORED)
    api.prompts(*STORED)
    assert difference(NAMED) == ("private", NAMED)
    for check in (False, True):
        api.prompts(*reversed(STORED))
        api.groups()
        api.users()
        assert run(NAMED, check=check)["changed"] is False


@pytest.mark.parametrize(
    ("access", "reads"),
    [
        ({"read": {"groups": ["Staff", "Staff"]}}, ["groups"]),
        ({"read": {"users": ["LEE@example.com"]}}, ["users"]),
        ({"read": {"users": ["kim@EXAMPLE.com"]}}, ["users"]),
    ],
)
def test_only_the_lists_that_are_needed_are_read(run, server, api, access, reads):
    wanted = {"groups": "id-staff", "users": "id-kim" if "kim" in str(access) else "id-lee"}[reads[0]]
    api.prompts(grant("read", reads[0][:-1], wanted))
    getattr(api, reads[0])()
    assert run(access)["changed"] is False


def test_who_may_write_may_read(run, api):
    both = [grant("read", "group", "id-staff"), grant("write", "group", "id-staff")]
    api.prompts(both[1])
    api.groups()
    api.write(*both)
    api.prompts(*both)
    result = run({"write": {"groups": ["Staff"]}})
    assert result["diff"] == {"before": {"sum.access.read": None}, "after": {"sum.access.read": {"groups": ["Staff"]}}}


def test_everybody_reads_and_some_write(run, api):
    api.prompts(PUBLIC, grant("read", "group", "id-staff"), grant("write", "group", "id-staff"))
    api.groups()
    assert run({"read": "public", "write": {"groups": ["Staff"]}})["changed"] is False


def test_what_is_not_named_is_taken_away_and_shown_by_name(run, api):
    api.prompts(*STORED)
    api.groups()
    api.users()
    api.write(grant("read", "group", "id-guests"))
    api.prompts(grant("read", "group", "id-guests"))
    assert run({"read": {"groups": ["Guests"]}})["diff"] == {
        "before": {
            "sum.access.read.groups": ["Staff"],
            "sum.access.read.users": ["lee@example.com"],
            "sum.access.write": {"groups": ["Staff"]},
        },
        "after": {"sum.access.read.groups": ["Guests"], "sum.access.read.users": None, "sum.access.write": None},
    }


def test_groups_and_accounts_that_are_gone_are_shown_by_their_identifiers(difference, api):
    api.prompts(grant("read", "group", "id-gone"), grant("write", "user", "id-gone-too"))
    api.groups()
    api.users()
    shown = {"read": {"groups": ["id-gone"]}, "write": {"users": ["id-gone-too"]}}
    assert difference("private", check=True) == (shown, "private")


def test_unknown_names_are_refused_before_the_first_write(run, server, api):
    api.prompts()
    api.groups()
    api.users()
    message = run({"read": {"groups": ["Staf", "Nobody"], "users": ["leh@example.com"]}}, fails=True)["msg"]
    assert message == (
        f"Nothing was changed on {server.url}: there is no group 'Staf' (did you mean 'Staff'?); there is no group "
        "'Nobody'; there is no account 'leh@example.com' (did you mean 'lee@example.com'?)."
    )


def test_an_earlier_task_may_be_about_to_create_them(run, api):
    api.prompts()
    api.groups()
    result = run({"read": {"groups": ["New"]}}, check=True)
    assert result["diff"]["after"] == {"sum.access": {"read": {"groups": ["New"]}}}
    assert "there is no group 'New'" in str(result["warnings"])


@pytest.mark.parametrize("check", [False, True])
def test_a_name_that_two_groups_have(run, api, check):
    api.prompts()
    api.groups(("id-staff-2", "Staff"))
    message = run({"read": {"groups": ["Staff"]}}, check=check, fails=True)["msg"]
    assert "2 of the groups are called 'Staff': id-staff, id-staff-2" in message


def test_a_list_that_the_server_empties(run, server, api):
    api.prompts(PUBLIC)
    api.groups()
    api.write(grant("read", "group", "id-staff"))
    api.prompts()
    message = run({"read": {"groups": ["Staff"]}}, fails=True)["msg"]
    assert f"{server.url} took the change of prompt 'sum', but does not have access as sent." in message


def test_without_the_option_access_stays_and_nobody_is_looked_up(run_module, server, api):
    params = {"url": server.url, "token": "token-in-use", "prompts": [{"command": "sum", "tags": ["new"]}]}
    api.prompts(*STORED)
    assert run_module(openwebui_prompt, params, check=True)["diff"]["after"] == {"sum.tags": ["new"]}
