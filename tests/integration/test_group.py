# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``openwebui_group`` against the real server: permissions as members have them, and names that are not unique."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from background import Plays
from webui_server import Server

from ansible_collections.selfhosted.llm.plugins.module_utils._http import HttpClient
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import OpenWebUI
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.groups import Groups

GROUP = "selfhosted.llm.openwebui_group"
PERMISSIONS = "/api/v1/users/default/permissions"


@pytest.fixture
def plays(tmp_path: Path) -> Plays:
    return Plays(tmp_path)


@pytest.fixture
def stored(webui: Server) -> t.Callable[[], dict[str, dict[str, t.Any]]]:
    """What the server has, by name, with the members."""

    def read() -> dict[str, dict[str, t.Any]]:
        groups = webui.call("GET", "/api/v1/groups/")[1]
        return {group["name"]: webui.call("GET", f"/api/v1/groups/id/{group['id']}/export")[1] for group in groups}

    return read


@pytest.fixture(autouse=True)
def as_before(webui: Server) -> t.Iterator[None]:
    """No test leaves a group, or other default permissions."""
    defaults = webui.call("GET", PERMISSIONS)[1]
    yield
    for group in webui.call("GET", "/api/v1/groups/")[1]:
        assert webui.call("DELETE", f"/api/v1/groups/id/{group['id']}/delete")[0] == 200
    assert webui.call("POST", PERMISSIONS, defaults)[0] == 200


@pytest.fixture
def people(webui: Server) -> t.Iterator[dict[str, str]]:
    """Identifiers of three accounts by address; their password is their address."""
    ids = {}
    for name in ("kim", "lee", "pat"):
        email = f"{name}@example.com"
        account = {"email": email, "name": name, "password": email, "role": "user"}
        status, row = webui.call("POST", "/api/v1/auths/add", account)
        assert status == 200, row
        ids[email] = row["id"]
    yield ids
    for identifier in ids.values():
        assert webui.call("DELETE", f"/api/v1/users/{identifier}")[0] == 200


def test_life_of_a_group(four_times: t.Any, stored: t.Any, people: dict[str, str], webui: Server) -> None:
    group = {
        "name": "Devs ☃ 日本 {{ '{{' }} x }} ' OR 1=1 --",
        "description": "<b>Ünïcode</b>",
        "permissions": {"workspace": {"models": True}},
        "members": ["KIM@example.com"],
    }
    name = group["name"].replace("{{ '{{' }}", "{{")
    created = four_times("openwebui_group", {"groups": [group]})
    row = stored()[name]
    assert created["groups"] == [{"id": row["id"], "name": name, "action": "created"}]
    assert row["description"] == "<b>Ünïcode</b>"
    assert row["permissions"] == {"workspace": {"models": True}}
    assert row["user_ids"] == [people["kim@example.com"]]
    token = webui.sign_in("kim@example.com", "kim@example.com")[1]["token"]
    assert webui.call("GET", "/api/v1/users/permissions", token=token)[1]["workspace"]["models"] is True

    def change(**options: t.Any) -> dict[str, t.Any]:
        result = four_times("openwebui_group", {"groups": [{"name": group["name"], **options}]})
        assert [row["action"] for row in result["groups"]] == ["updated"]
        return result["diff"]["after"]

    assert change(description="") == {f"{name}.description": ""}
    assert change(permissions={"chat": {"export": True}}) == {f"{name}.permissions.chat": {"export": True}}
    assert stored()[name]["permissions"] == {"workspace": {"models": True}, "chat": {"export": True}}
    assert change(permissions={"chat": {"call": False}}, permissions_exclusive=True) == {
        f"{name}.permissions.workspace": None,
        f"{name}.permissions.chat.export": None,
        f"{name}.permissions.chat.call": False,
    }
    assert stored()[name]["permissions"] == {"chat": {"call": False}}
    change(permissions={}, permissions_exclusive=True)
    assert stored()[name]["permissions"] == {}
    assert change(share="nobody", default_models=["b", "a"]) == {
        f"{name}.share": "nobody",
        f"{name}.default_models": ["b", "a"],
    }
    assert stored()[name]["data"]["config"] == {"share": False, "default_models": ["b", "a"]}
    change(members=["lee@example.com", "pat@example.com", "lee@example.com"])
    assert set(stored()[name]["user_ids"]) == set(people.values())
    change(members=["pat@example.com"], members_exclusive=True)
    assert stored()[name]["user_ids"] == [people["pat@example.com"]]
    change(members=[], members_exclusive=True)
    assert stored()[name]["user_ids"] == []
    four_times("openwebui_group", {"groups": [{"name": group["name"], "state": "absent"}]})
    assert stored() == {}


def test_what_everybody_may(four_times: t.Any, people: dict[str, str], webui: Server) -> None:
    before = webui.call("GET", PERMISSIONS)[1]
    token = webui.sign_in("kim@example.com", "kim@example.com")[1]["token"]
    wanted = {"chat": {"import": False, "call": True}, "workspace": {"prompts": True}, "settings": {"interface": False}}
    result = four_times("openwebui_group", {"default_permissions": wanted})
    assert result["diff"]["after"] == {
        "default_permissions.chat.import": False,
        "default_permissions.workspace.prompts": True,
        "default_permissions.settings.interface": False,
    }
    after = webui.call("GET", PERMISSIONS)[1]
    assert after == {**before, **{section: {**before[section], **leaves} for section, leaves in wanted.items()}}
    assert webui.call("GET", "/api/v1/users/permissions", token=token)[1]["chat"]["import"] is False


def test_what_is_refused_leaves_everything_as_it_is(failures: t.Any, stored: t.Any, webui: Server) -> None:
    """The server itself would keep permissions that do not exist, and take a name twice."""
    for description in ("first", "second"):
        assert webui.call("POST", "/api/v1/groups/create", {"name": "Twin", "description": description})[0] == 200
    assert webui.call("POST", "/api/v1/groups/create", {"name": "Good", "description": ""})[0] == 200
    before = stored()
    common = {"url": webui.url, "token": webui.token}
    changed = {"name": "Good", "description": "changed"}
    bad = [
        ({"name": "Twin", "description": "x"}, "group 'Twin' is there 2 times"),
        ({"name": "New", "members": ["automaton@localhost"]}, "did you mean 'automation@localhost'?"),
        ({"name": "New", "permissions": {"chat": {"fileupload": True}}}, "did you mean 'file_upload'?"),
    ]
    messages = failures(
        "openwebui_group",
        *({**common, "groups": [changed, entry]} for entry, _words in bad),
        {**common, "groups": [changed], "default_permissions": {"chats": {"call": True}}},
    )
    for (_entry, words), message in zip(bad, messages):
        assert words in message
    assert "default_permissions: there is no section of permissions 'chats' (did you mean 'chat'?)" in messages[-1]
    assert stored() == before


def test_what_was_changed_by_hand_is_shown_and_cured(
    four_times: t.Any, stored: t.Any, people: dict[str, str], webui: Server
) -> None:
    wanted = {
        "groups": [
            {
                "name": "Devs",
                "description": "People",
                "permissions": {"chat": {"call": True}},
                "members": ["kim@example.com"],
                "members_exclusive": True,
            }
        ],
        "default_permissions": {"features": {"api_keys": True}},
    }
    four_times("openwebui_group", wanted)
    row = stored()["Devs"]
    by_hand = {"name": "Devs", "description": "By hand", "permissions": {"nonsense": {"x": 1}}, "data": {"mine": 1}}
    path = f"/api/v1/groups/id/{row['id']}"
    assert webui.call("POST", f"{path}/update", by_hand)[0] == 200
    for verb, name in (("add", "lee"), ("remove", "kim")):
        assert webui.call("POST", f"{path}/users/{verb}", {"user_ids": [people[f"{name}@example.com"]]})[0] == 200
    defaults = webui.call("GET", PERMISSIONS)[1]
    defaults["features"]["api_keys"] = False
    assert webui.call("POST", PERMISSIONS, defaults)[0] == 200
    result = four_times("openwebui_group", wanted)
    assert result["diff"]["before"] == {
        "Devs.description": "By hand",
        "Devs.permissions.chat": None,
        "Devs.members": ["lee@example.com"],
        "default_permissions.features.api_keys": False,
    }
    now = stored()["Devs"]
    assert now["permissions"] == {"nonsense": {"x": 1}, "chat": {"call": True}}
    assert now["user_ids"] == [people["kim@example.com"]]
    assert now["data"] == {**row["data"], "mine": 1, "config": row["data"]["config"]}


def test_a_child_has_the_permissions_of_its_parent(
    four_times: t.Any, failures: t.Any, stored: t.Any, people: dict[str, str], webui: Server
) -> None:
    groups = [
        {"name": "Parent", "permissions": {"workspace": {"tools": True}}},
        {"name": "Child", "parent": "Parent", "members": ["kim@example.com"]},
    ]
    four_times("openwebui_group", {"groups": groups})
    token = webui.sign_in("kim@example.com", "kim@example.com")[1]["token"]
    assert webui.call("GET", "/api/v1/users/permissions", token=token)[1]["workspace"]["tools"] is True
    options = {"url": webui.url, "token": webui.token, "groups": [{"name": "Parent", "parent": "Child"}]}
    assert "A group cannot be its own parent" in failures("openwebui_group", options)[0]
    four_times("openwebui_group", {"groups": [{"name": "Child", "parent": ""}]})
    assert stored()["Child"]["parent_group_id"] is None


def test_entries_reproduce_what_was_made_by_hand(
    play: t.Any, stored: t.Any, people: dict[str, str], webui: Server
) -> None:
    by_hand = [
        {"name": "A ☃", "description": "x", "permissions": {"workspace": {"models": True}, "nonsense": {"x": 1}}},
        {"name": "B", "description": "", "data": {"config": {"share": False, "default_models": ["m"]}}},
    ]
    ids = [webui.call("POST", "/api/v1/groups/create", body)[1]["id"] for body in by_hand]
    body = {**by_hand[0], "parent_group_id": ids[1]}
    assert webui.call("POST", f"/api/v1/groups/id/{ids[0]}/update", body)[0] == 200
    members = {"user_ids": list(people.values())}
    assert webui.call("POST", f"/api/v1/groups/id/{ids[0]}/users/add", members)[0] == 200
    before = stored()
    entries = Groups(OpenWebUI(HttpClient(webui.url, token=webui.token))).entries()
    for identifier in ids:
        assert webui.call("DELETE", f"/api/v1/groups/id/{identifier}/delete")[0] == 200
    task = {GROUP: {"url": webui.url, "token": webui.token, "groups": entries}}
    applied, again = play([task, task])
    assert ([row["action"] for row in applied["groups"]], again["changed"]) == (["created", "created"], False)
    after = stored()
    assert after["A ☃"]["permissions"] == {"workspace": {"models": True}}
    assert after["A ☃"]["parent_group_id"] == after["B"]["id"]
    for name, group in after.items():
        assert group["description"] == before[name]["description"]
        no_defaults = {"default_models": []}
        assert {**no_defaults, **group["data"]["config"]} == {**no_defaults, **before[name]["data"]["config"]}
        assert sorted(group["user_ids"]) == sorted(before[name]["user_ids"])


def test_two_hundred_groups_and_their_members(play: t.Any, stored: t.Any, people: t.Any, webui: Server) -> None:
    groups = [{"name": f"Gröup {n}", "description": "x", "permissions": {"chat": {"call": True}}} for n in range(200)]
    for index, name in enumerate(("kim", "lee", "pat")):
        groups[index]["members"] = [f"{name}@example.com", "automation@localhost"]
    task = {GROUP: {"url": webui.url, "token": webui.token, "groups": groups}}
    gone = {GROUP: {**task[GROUP], "groups": [{"name": group["name"], "state": "absent"} for group in groups]}}
    first = play([task])[0]
    assert {row["action"] for row in first["groups"]} == {"created"}
    assert len(stored()["Gröup 1"]["user_ids"]) == 2
    asked = len(webui.requests())
    second, checked = play([task, {**task, "check_mode": True}])
    reads = ["groups/", "users/all", "users/?order_by=email&direction=asc&page=1", "users/default/permissions"]
    assert webui.requests()[asked:] == [f"GET /api/v1/{path} 200" for path in reads] * 2
    assert (second["changed"], checked["changed"]) == (False, False)
    deleted, again = play([gone, gone])
    assert [row["id"] for row in deleted["groups"]] == [row["id"] for row in first["groups"]]
    assert (deleted["changed"], again["changed"]) == (True, False)


def test_two_runs_at_once(plays: Plays, play: t.Any, people: dict[str, str], webui: Server) -> None:
    groups = [{"name": f"Race {n}", "members": list(people), "description": "x"} for n in range(24)]
    task = {GROUP: {"url": webui.url, "token": webui.token, "groups": groups}}
    results = plays.at_once(task)
    assert not any(result.get("failed") for result in results), results
    for rows in zip(*(result["groups"] for result in results)):
        assert rows[0]["id"] == rows[1]["id"]
    assert len(webui.call("GET", "/api/v1/groups/")[1]) == 24
    assert play([task])[0]["changed"] is False
