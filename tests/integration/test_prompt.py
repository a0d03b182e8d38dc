# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``openwebui_prompt`` against the real server: what people see, what somebody changed by hand, and many at once."""

from __future__ import annotations

import time
import typing as t
from pathlib import Path

import pytest
from background import Plays
from webui_server import Server

from ansible_collections.selfhosted.llm.plugins.module_utils._http import HttpClient
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import OpenWebUI
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.prompts import Prompts

PROMPT = "selfhosted.llm.openwebui_prompt"
PUBLIC = {"principal_type": "user", "principal_id": "*", "permission": "read"}


@pytest.fixture
def plays(tmp_path: Path) -> Plays:
    return Plays(tmp_path)


@pytest.fixture
def stored(webui: Server) -> t.Callable[[], dict[str, dict[str, t.Any]]]:
    """What the server has, switched off ones too, by command."""
    return lambda: {row["command"]: row for row in webui.call("GET", "/api/v1/prompts/list")[1]["items"]}


@pytest.fixture(autouse=True)
def no_prompts(webui: Server, stored: t.Any) -> t.Iterator[None]:
    """No test leaves a prompt."""
    yield
    while rows := stored():
        for row in rows.values():
            assert webui.call("DELETE", f"/api/v1/prompts/id/{row['id']}/delete")[0] == 200


def grants(row: dict[str, t.Any]) -> set[tuple[str, str, str]]:
    return {(grant["permission"], grant["principal_type"], grant["principal_id"]) for grant in row["access_grants"]}


def test_life_of_a_prompt(four_times: t.Any, stored: t.Any) -> None:
    prompt = {"command": "sum", "name": "Summary", "content": "Summarize", "tags": ["a", "b"], "access": "public"}
    created = four_times("openwebui_prompt", {"prompts": [prompt]})["prompts"]
    row = stored()["sum"]
    assert created == [{"id": row["id"], "command": "sum", "name": "Summary", "action": "created"}]
    assert {**prompt, **row, "access": "public"} == {**row, "access": "public"}
    assert grants(row) == {("read", "user", "*")}
    changes = [
        {"content": "Another\ntext"},
        {"name": "Ünïcode ☃ 日本"},
        {"tags": []},
        {"is_active": False},
        {"is_active": True},
        {"access": "private"},
    ]
    for change in changes:
        result = four_times("openwebui_prompt", {"prompts": [{"command": "/sum", **change}]})
        ((field, value),) = change.items()
        assert [row["action"] for row in result["prompts"]] == ["updated"]
        assert result["diff"]["after"] == {f"sum.{field}": value}
        assert grants(stored()["sum"]) == set() if field == "access" else stored()["sum"][field] == value
    result = four_times("openwebui_prompt", {"prompts": [{"command": "sum", "state": "absent"}]})
    assert [row["action"] for row in result["prompts"]] == ["deleted"]
    assert stored() == {}


@pytest.fixture
def team(webui: Server) -> t.Iterator[dict[str, str]]:
    """Tokens of three people by name. Kim is in the group Devs."""
    tokens = {}
    ids = []
    group = webui.call("POST", "/api/v1/groups/create", {"name": "Devs ☃", "description": ""})[1]["id"]
    for name in ("kim", "lee", "pat"):
        account = {"email": f"{name}@example.com", "name": name, "password": "some words", "role": "user"}
        row = webui.call("POST", "/api/v1/auths/add", account)[1]
        tokens[name] = row["token"]
        ids.append(row["id"])
    assert webui.call("POST", f"/api/v1/groups/id/{group}/users/add", {"user_ids": ids[:1]})[0] == 200
    yield tokens
    for identifier in ids:
        assert webui.call("DELETE", f"/api/v1/users/{identifier}")[0] == 200
    assert webui.call("DELETE", f"/api/v1/groups/id/{group}/delete")[0] == 200


def test_who_sees_and_who_changes_a_prompt(
    four_times: t.Any, stored: t.Any, team: dict[str, str], webui: Server
) -> None:
    def readers() -> set[str]:
        return {name for name, token in team.items() if webui.call("GET", "/api/v1/prompts/", token=token)[1]}

    def writers() -> set[str]:
        prompt = stored()["sum"]
        path = f"/api/v1/prompts/id/{prompt['id']}/update"
        return {name for name, token in team.items() if webui.call("POST", path, prompt, token=token)[0] == 200}

    def share(access: t.Any) -> tuple[set[str], set[str]]:
        result = four_times("openwebui_prompt", {"prompts": [{"command": "sum", "content": "x", "access": access}]})
        assert "id" not in str(result["diff"]["after"])
        return readers(), writers()

    assert share({"read": {"groups": ["Devs ☃"]}}) == ({"kim"}, set())
    assert share({"read": {"groups": ["Devs ☃"]}, "write": {"users": ["LEE@example.com"]}}) == ({"kim", "lee"}, {"lee"})
    assert share({"read": "public", "write": {"groups": ["Devs ☃"]}}) == ({"kim", "lee", "pat"}, {"kim"})
    assert share("private") == (set(), set())


def test_what_is_refused_leaves_everything_as_it_is(failures: t.Any, stored: t.Any, webui: Server) -> None:
    """The server itself would store grants to nobody, and commands that nobody can write."""
    for command in ("good", "/slash", "slash"):
        body = {"command": command, "name": "By hand", "content": "x"}
        assert webui.call("POST", "/api/v1/prompts/create", body)[0] == 200
    before = stored()
    common = {"url": webui.url, "token": webui.token}
    changed = {"command": "good", "name": "Changed"}
    bad = [
        ({"command": "With Space", "content": "x"}, "'With Space' has a command that is empty or holds blanks"),
        ({"command": "new"}, "prompt 'new' does not exist and cannot be created without content"),
        ({"command": "new", "content": "x", "access": {"read": {"groups": ["Devs"]}}}, "there is no group 'Devs'"),
        (
            {"command": "new", "content": "x", "access": {"write": {"users": ["automaton@localhost"]}}},
            "there is no account 'automaton@localhost' (did you mean 'automation@localhost'?)",
        ),
        ({"command": "slash"}, "prompt 'slash' is there 2 times"),
    ]
    messages = failures("openwebui_prompt", *({**common, "prompts": [changed, entry]} for entry, _words in bad))
    for (_entry, words), message in zip(bad, messages):
        assert words in message
    assert stored() == before


def test_what_was_changed_by_hand_is_shown_and_cured(four_times: t.Any, stored: t.Any, webui: Server) -> None:
    prompts = [
        {"command": "日本-☃", "content": "{{CLIPBOARD}} ' \" \\ \u2028 <script>" * 2000, "name": "<b>x</b>"},
        {"command": "ü.1_a", "content": "x", "access": "public", "tags": ["ä"]},
    ]
    # Braces would be Ansible's own.
    prompts[0]["content"] = prompts[0]["content"].replace("{{", "{ {")
    four_times("openwebui_prompt", {"prompts": prompts})
    rows = stored()
    assert rows["日本-☃"]["content"] == prompts[0]["content"]
    by_hand = [
        (f"{rows['日本-☃']['id']}/update", {"command": "日本-☃", "name": "By hand", "content": "gone"}),
        (f"{rows['日本-☃']['id']}/access/update", {"access_grants": [PUBLIC, {**PUBLIC, "permission": "write"}]}),
        (f"{rows['ü.1_a']['id']}/toggle", None),
        (f"{rows['ü.1_a']['id']}/access/update", {"access_grants": []}),
    ]
    for path, body in by_hand:
        assert webui.call("POST", f"/api/v1/prompts/id/{path}", body)[0] == 200
    result = four_times(
        "openwebui_prompt", {"prompts": [{**prompts[0], "access": "private"}, {**prompts[1], "is_active": True}]}
    )
    assert result["diff"]["before"] == {
        "日本-☃.name": "By hand",
        "日本-☃.content": "gone",
        "日本-☃.access": {"read": "public", "write": "public"},
        "ü.1_a.is_active": False,
        "ü.1_a.access": "private",
    }


def test_entries_reproduce_what_was_made_by_hand(play: t.Any, stored: t.Any, team: t.Any, webui: Server) -> None:
    group = webui.call("GET", "/api/v1/groups/")[1][0]["id"]
    grant = {"principal_type": "group", "principal_id": group, "permission": "read"}
    by_hand = [
        {"command": "one", "name": "One", "content": "Ein { {Text} }", "tags": ["ä"], "access_grants": [PUBLIC]},
        {"command": "two", "name": "Zwei", "content": "x", "access_grants": [grant, {**grant, "permission": "write"}]},
    ]
    ids = [webui.call("POST", "/api/v1/prompts/create", body)[1]["id"] for body in by_hand]
    assert webui.call("POST", f"/api/v1/prompts/id/{ids[0]}/toggle")[0] == 200
    before = stored()
    entries = Prompts(OpenWebUI(HttpClient(webui.url, token=webui.token))).entries()
    for identifier in ids:
        assert webui.call("DELETE", f"/api/v1/prompts/id/{identifier}/delete")[0] == 200
    task = {PROMPT: {"url": webui.url, "token": webui.token, "prompts": entries}}
    applied, again = play([task, task])
    assert ([row["action"] for row in applied["prompts"]], again["changed"]) == (["created", "created"], False)
    after = stored()
    for command, row in before.items():
        assert grants(after[command]) == grants(row)
        same = ("name", "content", "tags", "is_active")
        assert [after[command][field] for field in same] == [row[field] for field in same]


def test_two_hundred_prompts(play: t.Any, webui: Server) -> None:
    prompts = [{"command": f"p{n}", "name": f"Prömpt {n}", "content": "x", "access": "public"} for n in range(200)]
    task = {PROMPT: {"url": webui.url, "token": webui.token, "prompts": prompts}}
    gone = {PROMPT: {**task[PROMPT], "prompts": [{"command": f"p{n}", "state": "absent"} for n in range(200)]}}
    first = play([task])[0]
    assert {row["action"] for row in first["prompts"]} == {"created"}
    asked = len(webui.requests())
    second, checked = play([task, {**task, "check_mode": True}])
    assert webui.requests()[asked:] == ["GET /api/v1/prompts/ 200"] * 2
    assert (second["changed"], checked["changed"]) == (False, False)
    deleted, again = play([gone, gone])
    assert [row["id"] for row in deleted["prompts"]] == [row["id"] for row in first["prompts"]]
    assert (deleted["changed"], again["changed"]) == (True, False)


def test_two_runs_at_once(plays: Plays, play: t.Any, stored: t.Any, webui: Server) -> None:
    prompts = [{"command": f"race{n}", "content": "x", "access": "public", "is_active": False} for n in range(24)]
    task = {PROMPT: {"url": webui.url, "token": webui.token, "prompts": prompts}}
    results = plays.at_once(task)
    assert not any(result.get("failed") for result in results), results
    for rows in zip(*(result["prompts"] for result in results)):
        assert rows[0]["id"] == rows[1]["id"]
    assert {(row["is_active"], len(row["access_grants"])) for row in stored().values()} == {(False, 1)}
    assert len(stored()) == 24
    assert play([task])[0]["changed"] is False


def test_a_server_that_restarts_in_the_middle(plays: Plays, play: t.Any, stored: t.Any, webui: Server) -> None:
    prompts = [{"command": f"cut{n}", "content": "x", "tags": ["a"], "access": "public"} for n in range(200)]
    task = {PROMPT: {"url": webui.url, "token": webui.token, "prompts": prompts}}
    process = plays.start("cut", task)
    deadline = time.monotonic() + 60
    while len(stored()) < 5:
        assert time.monotonic() < deadline
    webui.restart()
    result = plays.result(process)
    made = {row["command"] for row in result["prompts"] if row["action"] == "created"}
    assert result["failed"] and result["changed"]
    assert made == set(result["diff"]["after"])
    assert {row["action"] for row in result["prompts"]} == {"created", "failed", "skipped"}
    second, again = play([task, task])
    assert {row["command"] for row in second["prompts"] if row["action"] == "none"} >= made
    assert (second["changed"], again["changed"]) == (True, False)
