# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each state: the run, the repetition, and both in check mode, as the exact list of requests; and what goes wrong."""

from __future__ import annotations

import copy
import math

import pytest

from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui import groups
from ansible_collections.selfhosted.llm.plugins.modules import openwebui_group

LIST = "/api/v1/groups/"
DEFAULTS = "/api/v1/users/default/permissions"
ID = "id-staff"
MODELS = {"workspace": {"models": True}}


class Script:
    """Expectations in the words of the API. Rows are the recorded ones with some fields replaced."""

    def __init__(self, server, recorded, account):
        self.server = server
        self.recorded = recorded
        self.account = account
        self.defaults = recorded["default_permissions"]

    def row(self, name="Staff", **fields):
        return {**self.recorded["group"], "id": f"id-{name.lower()}", "name": name, **fields}

    def groups(self, *rows):
        self.server.expect("GET", LIST, answer=list(rows))

    def permissions(self, changed=None):
        self.server.expect("GET", DEFAULTS, answer=changed or self.defaults)

    def create(self, answer, **body):
        self.server.expect("POST", f"{LIST}create", {"description": "", **body}, answer=answer)

    def update(self, body, identifier=ID, **how):
        self.server.expect("POST", f"{LIST}id/{identifier}/update", body, **(how or {"answer": self.row()}))

    def delete(self, identifier=ID, **how):
        self.server.expect("DELETE", f"{LIST}id/{identifier}/delete", **(how or {"answer": True}))

    def members(self, verb, *names, identifier=ID):
        body = {"user_ids": [f"id-{name}" for name in names]}
        self.server.expect("POST", f"{LIST}id/{identifier}/users/{verb}", body, answer=self.row())

    def users(self, *names):
        rows = [{"id": f"id-{name}", "email": f"{name}@example.com"} for name in names]
        self.server.expect("GET", "/api/v1/users/all", answer={"users": rows, "total": len(rows)})

    def export(self, *names, identifier=ID):
        answer = {**self.row(), "user_ids": [f"id-{name}" for name in names]}
        self.server.expect("GET", f"{LIST}id/{identifier}/export", answer=answer)

    def pages(self, member_of):
        """The full rows, by address: who is in which groups."""
        rows = [
            {**self.account, "id": f"id-{name}", "email": f"{name}@example.com", "group_ids": ids}
            for name, ids in sorted(member_of.items())
        ]
        for page in range(math.ceil(len(rows) / 30)):
            path = f"/api/v1/users/?order_by=email&direction=asc&page={page + 1}"
            self.server.expect("GET", path, answer={"users": rows[page * 30 : page * 30 + 30], "total": len(rows)})


@pytest.fixture
def api(server, recording):
    return Script(server, recording("openwebui_resources"), recording("openwebui")["users_page"]["users"][0])


@pytest.fixture
def run(server, run_module):
    def run_one(*entries, **how):
        options = {"default_permissions": how.pop("default_permissions", {}), "groups": list(entries)}
        return run_module(openwebui_group, {"url": server.url, "token": "token-in-use", **options}, **how)

    return run_one


@pytest.fixture
def pauses(monkeypatch):
    """The seconds that would have been waited."""
    found = []
    monkeypatch.setattr(groups.time, "sleep", found.append)
    return found


def actions(result):
    return [row["action"] for row in result["groups"]]


def changed(result):
    return result["diff"]["before"], result["diff"]["after"]


def test_create(run, api, pauses):
    wanted = {"name": "Staff", "description": "People", "permissions": MODELS, "members": ["KIM@example.com"]}
    stored = api.row(description="People", permissions=MODELS)
    shown = {**wanted, "members": ["kim@example.com"]}
    api.groups()
    api.permissions()
    api.users("kim", "lee")
    predicted = run(wanted, check=True)
    assert predicted["groups"] == [{"id": None, "name": "Staff", "action": "created"}]
    api.groups()
    api.permissions()
    api.users("kim", "lee")
    api.create(stored, name="Staff", description="People", permissions=MODELS)
    api.members("add", "kim")
    api.groups(stored)
    api.groups(stored)
    api.export("kim")
    result = run(wanted)
    assert result["groups"] == [{"id": ID, "name": "Staff", "action": "created"}]
    assert changed(result) == changed(predicted) == ({"Staff": None}, {"Staff": shown})
    for check in (False, True):
        api.groups(stored)
        api.users("kim", "lee")
        api.export("kim")
        api.permissions()
        again = run(wanted, check=check)
        assert (again["changed"], actions(again), changed(again)) == (False, ["none"], ({}, {}))
    assert pauses == [0.0]


def test_the_server_wants_a_description(run, api, pauses):
    api.groups()
    api.create(api.row(), name="Staff")
    api.groups(api.row())
    api.groups(api.row())
    assert actions(run({"name": "Staff"})) == ["created"]


def test_the_description_alone(run, api):
    api.groups(api.row(permissions=MODELS))
    api.update({"name": "Staff", "description": "New"})
    api.groups(api.row(permissions=MODELS, description="New"))
    result = run({"name": "Staff", "description": "New"})
    assert changed(result) == ({"Staff.description": ""}, {"Staff.description": "New"})


@pytest.mark.parametrize("stored", [None, {}, {"chat": {}}])
def test_no_permissions_are_no_permissions(run, api, stored):
    api.groups(api.row(permissions=stored))
    assert run({"name": "Staff", "permissions": {}, "permissions_exclusive": True})["changed"] is False


def test_permissions_that_are_not_named_stay(run, api):
    before = {"chat": {"call": False}, "workspace": {"tools": True}}
    after = {"chat": {"call": False}, "workspace": {"tools": True, "models": True}}
    api.groups(api.row(permissions=before))
    api.permissions()
    api.update({"name": "Staff", "description": "", "permissions": after})
    api.groups(api.row(permissions=after))
    result = run({"name": "Staff", "permissions": MODELS})
    assert changed(result) == (
        {"Staff.permissions.workspace.models": None},
        {"Staff.permissions.workspace.models": True},
    )


def test_junk_stays_or_goes_with_the_rest(run, api):
    junk = {"nonsense": {"x": 1}, "chat": {"file_upload": "yes"}}
    api.groups(api.row(permissions=junk))
    api.permissions()
    result = run({"name": "Staff", "permissions": {"chat": {"call": True}}}, check=True)
    assert result["diff"]["after"] == {"Staff.permissions.chat.call": True}
    api.groups(api.row(permissions=junk))
    api.permissions()
    api.update({"name": "Staff", "description": "", "permissions": MODELS})
    api.groups(api.row(permissions=MODELS))
    assert actions(run({"name": "Staff", "permissions": MODELS, "permissions_exclusive": True})) == ["updated"]


def test_a_section_by_hand_that_is_none(run, api):
    api.groups(api.row(permissions={"chat": True}))
    api.permissions()
    api.update({"name": "Staff", "description": "", "permissions": {"chat": {"call": True}}})
    api.groups(api.row(permissions={"chat": {"call": True}}))
    assert actions(run({"name": "Staff", "permissions": {"chat": {"call": True}}})) == ["updated"]


def test_members_are_added(run, api):
    api.groups(api.row())
    api.users("kim", "lee", "pat")
    api.export("pat")
    api.members("add", "kim", "lee")
    api.groups(api.row())
    api.export("pat", "lee", "kim")
    result = run({"name": "Staff", "members": ["lee@example.com", "kim@example.com", "lee@example.com"]})
    everybody = ["kim@example.com", "lee@example.com", "pat@example.com"]
    assert changed(result) == ({"Staff.members": ["pat@example.com"]}, {"Staff.members": everybody})


def test_members_that_are_not_listed_go(run, api):
    api.groups(api.row())
    api.users("kim", "lee", "pat")
    api.export("pat", "lee")
    api.members("add", "kim")
    api.members("remove", "lee")
    api.groups(api.row())
    api.export("pat", "kim")
    wanted = {"name": "Staff", "members": ["kim@example.com", "pat@example.com"], "members_exclusive": True}
    assert actions(run(wanted)) == ["updated"]


@pytest.mark.parametrize("exclusive", [False, True])
def test_a_member_twice_and_one_more_than_listed(run, api, exclusive):
    api.groups(api.row())
    api.users("kim", "lee")
    api.export("kim", "lee")
    wanted = {"name": "Staff", "members": ["KIM@example.com", "kim@example.com"], "members_exclusive": exclusive}
    assert run(wanted, check=True)["changed"] is exclusive


def test_a_member_that_the_server_drops(run, server, api):
    api.groups(api.row())
    api.users("kim")
    api.export()
    api.members("add", "kim")
    api.groups(api.row())
    api.export()
    message = run({"name": "Staff", "members": ["kim@example.com"]}, fails=True)["msg"]
    assert f"{server.url} took the change of group 'Staff', but does not have members as sent." in message


def test_fifty_groups_with_two_hundred_members_that_are_right(run, api):
    names = [f"user{n:03}" for n in range(200)]
    rows = [api.row(f"G{n}", permissions=MODELS) for n in range(50)]
    entries = [
        {
            "name": row["name"],
            "description": "",
            "permissions": MODELS,
            "members": [f"{name}@example.com" for name in names[index::50]],
            "members_exclusive": True,
        }
        for index, row in enumerate(rows)
    ]
    for check in (False, True):
        api.groups(*rows)
        api.users(*names)
        api.pages({name: [rows[index % 50]["id"], "id-other"] for index, name in enumerate(names)})
        api.permissions()
        assert actions(run(*entries, check=check)) == ["none"] * 50
    assert len(api.server.requests) == 2 * (3 + 7)


def test_groups_without_members_in_the_list_are_one_request(run, api):
    api.groups(*(api.row(f"G{n}") for n in range(200)))
    assert actions(run(*({"name": f"G{n}", "description": ""} for n in range(200)))) == ["none"] * 200


@pytest.mark.parametrize(
    ("before", "change", "config"),
    [
        ({}, {"share": "nobody"}, {"share": False}),
        ({}, {"share": "members"}, {"share": "members"}),
        ({"share": "members"}, {"share": "anyone"}, {"share": True}),
        ({"share": True}, {"default_models": [" b ", "a", "b"]}, {"default_models": ["b", "a"]}),
        ({"default_models": ["a"], "share": False}, {"default_models": []}, {"default_models": []}),
    ],
)
def test_what_stands_in_the_configuration_of_a_group(run, api, before, change, config):
    stored = api.row(data={"other": 1, "config": before})
    api.groups(stored)
    api.update({"name": "Staff", "description": "", "data": {"config": config}})
    api.groups(api.row(data={"other": 1, "config": {**before, **config}}))
    result = run({"name": "Staff", **change})
    assert list(result["diff"]["after"]) == [f"Staff.{field}" for field in change]
    api.groups(api.row(data={"other": 1, "config": {**before, **config}}))
    assert run({"name": "Staff", **change})["changed"] is False


@pytest.mark.parametrize(
    ("data", "share"),
    [
        (None, "anyone"),
        ({}, "anyone"),
        ({"config": {"share": "true"}}, "anyone"),
        ({"config": {"share": True}}, "anyone"),
        ({"config": {"share": "members"}}, "members"),
        ({"config": {"share": False}}, "nobody"),
        ({"config": {"share": "false"}}, "nobody"),
        ({"config": {"share": "junk"}}, "nobody"),
    ],
)
def test_who_may_share_as_the_server_understands_it(run, api, data, share):
    api.groups(api.row(data=data))
    assert run({"name": "Staff", "share": share})["changed"] is False


def test_a_parent_and_a_child_in_one_list(run, api, pauses):
    child = api.row("Child", parent_group_id=ID)
    api.groups()
    api.create(api.row(), name="Staff")
    api.create(child, name="Child", parent_group_id=ID)
    api.groups(api.row(), child)
    api.groups(api.row(), child)
    entries = [{"name": "Staff"}, {"name": "Child", "parent": "Staff"}]
    assert actions(run(*entries)) == ["created", "created"]
    api.groups(child, api.row())
    assert run(*entries)["changed"] is False


def test_a_group_gets_another_parent_and_none(run, api):
    other = api.row("Other")
    api.groups(api.row(parent_group_id="id-gone"), other)
    api.update({"name": "Staff", "description": "", "parent_group_id": "id-other"})
    api.groups(api.row(parent_group_id="id-other"), other)
    assert run({"name": "Staff", "parent": "Other"})["diff"]["after"] == {"Staff.parent": "Other"}
    api.groups(api.row(parent_group_id="id-other"), other)
    api.update({"name": "Staff", "description": "", "parent_group_id": None})
    api.groups(api.row(), other)
    result = run({"name": "Staff", "parent": ""})
    assert changed(result) == ({"Staff.parent": "Other"}, {"Staff.parent": ""})


def test_parents_that_are_refused(run, api):
    api.groups(api.row())
    message = run({"name": "A", "parent": "B"}, {"name": "B"}, {"name": "C", "parent": "staff"}, fails=True)["msg"]
    assert "group 'A' has a bad parent: there is no group 'B'; it has to stand before its children" in message
    assert "group 'C' has a bad parent: there is no group 'staff' (did you mean 'Staff'?)" in message


def test_delete(run, api):
    api.groups(api.row(), api.row("Others"))
    assert actions(run({"name": "Staff", "state": "absent"}, check=True)) == ["deleted"]
    api.groups(api.row(), api.row("Others"))
    api.delete()
    api.groups(api.row("Others"))
    result = run({"name": "Staff", "state": "absent", "members": ["kim@example.com"]})
    assert result["groups"] == [{"id": ID, "name": "Staff", "action": "deleted"}]
    shown = {"name": "Staff", "description": "", "parent": "", "share": "members", "default_models": []}
    assert changed(result) == ({"Staff": {**shown, "permissions": {}}}, {"Staff": None})
    for check in (False, True):
        api.groups(api.row("Others"))
        assert actions(run({"name": "Staff", "state": "absent"}, check=check)) == ["none"]


def test_two_groups_of_the_same_name(run, api):
    api.groups(api.row(), api.row(id="id-twin"), api.row("Others"))
    message = run({"name": "Staff", "state": "absent"}, {"name": "Others"}, fails=True)["msg"]
    assert "group 'Staff' is there 2 times, as id-staff, id-twin: rename or remove one" in message
    api.groups(api.row(), api.row(id="id-twin"), api.row("Others"))
    assert run({"name": "Others"})["changed"] is False


def test_upper_and_lower_case_are_different_groups(run, api, pauses):
    api.groups(api.row())
    api.create(api.row("staff", id="id-lower"), name="staff")
    api.groups(api.row(), api.row("staff", id="id-lower"))
    api.groups(api.row(), api.row("staff", id="id-lower"))
    result = run({"name": "Staff"}, {"name": "staff"})
    assert [(row["id"], row["action"]) for row in result["groups"]] == [(ID, "none"), ("id-lower", "created")]


def test_another_run_made_the_group_before(run, api, pauses):
    """Names are not unique: the server has both."""
    ours, theirs = api.row(id="id-ours", created_at=2), api.row(id="id-theirs", created_at=1, description="Theirs")
    api.groups()
    api.create(ours, name="Staff", description="Ours")
    api.groups(ours, theirs)
    api.delete("id-ours")
    api.groups(theirs)
    api.update({"name": "Staff", "description": "Ours"}, "id-theirs")
    api.groups({**theirs, "description": "Ours"})
    result = run({"name": "Staff", "description": "Ours"})
    assert result["groups"] == [{"id": "id-theirs", "name": "Staff", "action": "updated"}]
    assert changed(result) == ({"Staff.description": "Theirs"}, {"Staff.description": "Ours"})


def test_a_twin_that_came_after_all_was_settled_is_not_taken_for_ours(run, api, pauses):
    ours, theirs = api.row(id="id-ours", created_at=1), api.row(id="id-theirs", created_at=2, description="Theirs")
    api.groups()
    api.create(ours, name="Staff")
    api.groups(ours)
    api.groups(theirs, ours)
    assert run({"name": "Staff"})["groups"] == [{"id": "id-ours", "name": "Staff", "action": "created"}]


def test_another_run_gives_way(run, api, pauses):
    ours, theirs = api.row(id="id-1", created_at=1), api.row(id="id-2", created_at=1)
    api.groups()
    api.create(ours, name="Staff")
    api.groups(ours, theirs)
    api.groups(ours)
    api.groups(ours)
    result = run({"name": "Staff"})
    assert result["groups"] == [{"id": "id-1", "name": "Staff", "action": "created"}]
    assert [1 <= pause <= 2 for pause in pauses] == [False, True]


def test_another_run_of_the_same_second_is_over_already(run, api, pauses):
    ours, theirs = api.row(id="id-1", created_at=1), api.row(id="id-2", created_at=1)
    api.groups()
    api.create(ours, name="Staff")
    api.groups(ours, theirs)
    api.groups(ours, theirs)
    api.delete("id-1")
    api.groups(theirs)
    result = run({"name": "Staff"})
    assert (result["changed"], result["groups"]) == (False, [{"id": "id-2", "name": "Staff", "action": "none"}])


def test_both_runs_give_way(run, api, pauses):
    theirs = api.row(id="id-0", created_at=1)
    api.groups()
    for attempt in range(3):
        ours = api.row(id=f"id-{attempt + 1}", created_at=1)
        api.create(ours, name="Staff")
        api.groups(ours, theirs)
        api.delete(ours["id"])
        api.groups()
    result = run({"name": "Staff"}, fails=True)
    assert result["msg"] == (
        "group 'Staff' was changed by somebody else, 3 times. Run this again when nobody else changes it."
    )
    assert (result["changed"], actions(result)) == (False, ["failed"])


def test_somebody_removed_the_group_meanwhile(run, api, pauses):
    api.groups(api.row())
    api.update({"name": "Staff", "description": "New"}, status=404, answer=api.recorded["group_gone"])
    api.groups()
    api.create(api.row(description="New"), name="Staff", description="New")
    api.groups(api.row(description="New"))
    api.groups(api.row(description="New"))
    assert actions(run({"name": "Staff", "description": "New"})) == ["created"]


def test_a_group_that_is_made_without_its_members(run, api, pauses):
    api.groups()
    api.users("kim")
    api.create(api.row(), name="Staff")
    path = f"{LIST}id/{ID}/users/add"
    api.server.expect("POST", path, {"user_ids": ["id-kim"]}, status=500, text="Internal Server Error")
    api.groups(api.row())
    api.export()
    result = run({"name": "Staff", "members": ["kim@example.com"]}, fails=True)
    assert f"{path} was answered with 500: Internal Server Error" in result["msg"]
    assert (result["changed"], actions(result), result["groups"][0]["id"]) == (True, ["failed"], ID)


def test_default_permissions(run, api):
    """Whole, since the server would give those that are left out the program's default."""
    after = copy.deepcopy(api.defaults)
    after["chat"]["export"] = False
    wanted = {"chat": {"export": False, "call": True}}
    api.permissions()
    predicted = run(default_permissions=wanted, check=True)
    api.permissions()
    api.server.expect("POST", DEFAULTS, after, answer=after)
    api.permissions(after)
    result = run(default_permissions=wanted)
    shown = ({"default_permissions.chat.export": True}, {"default_permissions.chat.export": False})
    assert changed(result) == changed(predicted) == shown
    assert (result["changed"], result["groups"]) == (True, [])
    for check in (False, True):
        api.permissions(after)
        assert run(default_permissions=wanted, check=check)["changed"] is False


def test_a_default_permission_that_the_server_drops(run, server, api, pauses):
    api.permissions()
    api.groups()
    api.create(api.row(), name="Staff")
    api.groups(api.row())
    api.groups(api.row())
    after = copy.deepcopy(api.defaults)
    after["features"]["api_keys"] = True
    api.server.expect("POST", DEFAULTS, after, answer=after)
    api.permissions()
    result = run({"name": "Staff"}, default_permissions={"features": {"api_keys": True}}, fails=True)
    assert f"{server.url} took the default permissions, but does not have features.api_keys as sent." in result["msg"]
    assert (result["changed"], actions(result)) == (True, ["created"])


def test_default_permissions_in_another_shape(run, api):
    del api.defaults["sharing"]
    api.permissions()
    message = run(default_permissions={"chat": {"export": False}}, fails=True)["msg"]
    assert "default/permissions answered without sharing" in message


def test_unknown_names_are_refused_before_the_first_write(run, server, api):
    entry = {
        "name": "Staff",
        "description": "New",
        "permissions": {"chats": {"call": True}, "workspace": {"model": True}},
        "members": ["kym@example.com"],
    }
    api.permissions()
    api.groups(api.row())
    api.users("kim")
    api.export()
    message = run(entry, default_permissions={"chat": {"calls": True}}, fails=True)["msg"]
    assert message == (
        f"Nothing was changed on {server.url}: "
        "default_permissions: there is no permission in chat 'calls' (did you mean 'call'?); "
        "group 'Staff': there is no section of permissions 'chats' (did you mean 'chat'?); "
        "group 'Staff': there is no permission in workspace 'model' (did you mean 'models'?); "
        "there is no account 'kym@example.com' (did you mean 'kim@example.com'?)."
    )


def test_an_earlier_task_may_be_about_to_create_the_accounts(run, api):
    api.groups()
    api.users("kim")
    result = run({"name": "Staff", "members": ["New@example.com", "kim@example.com"]}, check=True)
    assert result["diff"]["after"]["Staff"]["members"] == ["New@example.com", "kim@example.com"]
    assert "there is no account 'New@example.com'" in str(result["warnings"])


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"name": " \t"}, "has a name that is blank or holds control characters"),
        ({"name": "a\nb"}, "has a name that is blank or holds control characters"),
        ({"name": "Staff"}, "group 'Staff' is given more than once"),
        ({"name": "x", "default_models": ["a", " "]}, "has default_models without a name"),
        ({"name": "x", "permissions": {"chat": True}}, "group 'x' has bad permissions: chat is no dictionary"),
        ({"name": "x", "permissions": {"chat": {"call": "yes"}}}, "chat.call is neither true nor false"),
        ({"name": "x", "permissions": {"chat": {"call": None}}}, "chat.call is neither true nor false"),
    ],
)
def test_bad_input_is_refused_for_the_whole_list_before_anything_is_sent(run, server, entry, words):
    wrong = {"chat": {"export": 1}}
    message = run({"name": "Staff"}, {"name": "\x7f"}, entry, default_permissions=wrong, fails=True)["msg"]
    assert words in message
    assert "default_permissions: chat.export is neither true nor false" in message
    assert "'\\x7f' has a name" in message
    assert server.requests == []
