# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each state: the run, the repetition, and both in check mode, as the exact list of requests; and what goes wrong."""

from __future__ import annotations

import pytest

from ansible_collections.selfhosted.llm.plugins.modules import openwebui_prompt

LIST = "/api/v1/prompts/"
ID = "id-sum"
WANTED = {"command": "sum", "name": "Summary", "content": "Summarise", "tags": ["a", "b"], "access": "public"}
BODY = {"command": "sum", "name": "Summary", "content": "Summarise", "tags": ["a", "b"]}
EVERYBODY = {"principal_type": "user", "principal_id": "*", "permission": "read"}


class Server:
    """Expectations in the words of the API. Rows are the recorded one with some fields replaced."""

    def __init__(self, server, recorded):
        self.server = server
        self.recorded = recorded

    def row(self, **fields):
        grants = [{**self.recorded["grant"], **grant} for grant in fields.pop("grants", [])]
        return {**self.recorded["prompt"], "id": ID, **fields, "access_grants": grants}

    def active(self, *rows):
        self.server.expect("GET", LIST, answer=list(rows))

    def pages(self, *rows, total=None):
        answer = {"items": list(rows), "total": len(rows) if total is None else total}
        self.server.expect("GET", f"{LIST}list?order_by=created_at&direction=asc&page=1", answer=answer)

    def all(self, *rows):
        """The reading where one that is asked for is switched off or missing."""
        self.active(*(row for row in rows if row["is_active"]))
        self.pages(*rows)

    def create(self, body, **how):
        self.server.expect("POST", f"{LIST}create", body, **(how or {"answer": self.row(**body, grants=[])}))

    def write(self, what, body, answer=None, **how):
        how = how or {"answer": answer or self.row()}
        self.server.expect("POST", f"{LIST}id/{ID}/{what}", body, **how)

    def delete(self, **how):
        self.server.expect("DELETE", f"{LIST}id/{ID}/delete", **(how or {"answer": True}))


@pytest.fixture
def api(server, recording):
    return Server(server, recording("openwebui_resources"))


@pytest.fixture
def run(server, run_module):
    def run_one(*prompts, **how):
        params = {"url": server.url, "token": "token-in-use", "prompts": list(prompts)}
        return run_module(openwebui_prompt, params, **how)

    return run_one


def actions(result):
    return [row["action"] for row in result["prompts"]]


def changed(result):
    return result["diff"]["before"], result["diff"]["after"]


def test_create(run, api):
    stored = api.row(**BODY, grants=[EVERYBODY])
    api.all()
    predicted = run(WANTED, check=True)
    api.all()
    api.create({**BODY, "access_grants": [EVERYBODY]})
    api.active(stored)
    result = run(WANTED)
    assert result["prompts"] == [{"id": ID, "command": "sum", "name": "Summary", "action": "created"}]
    assert predicted["prompts"] == [{"id": None, "command": "sum", "name": "Summary", "action": "created"}]
    assert changed(result) == changed(predicted) == ({"sum": None}, {"sum": WANTED})
    for check in (False, True):
        api.active(stored)
        again = run(WANTED, check=check)
        assert (again["changed"], actions(again), changed(again)) == (False, ["none"], ({}, {}))


def test_a_new_prompt_needs_only_its_text(run, api):
    body = {"command": "sum", "name": "sum", "content": "x"}
    api.all()
    api.create({**body, "access_grants": []})
    api.active(api.row(**body))
    assert actions(run({"command": "/sum", "content": "x"})) == ["created"]


def test_create_one_that_is_switched_off(run, api):
    body = {"command": "sum", "name": "sum", "content": "x"}
    api.all()
    api.create({**body, "access_grants": []})
    api.write("toggle", None, api.row(is_active=False))
    api.all(api.row(**body, is_active=False))
    assert actions(run({"command": "sum", "content": "x", "is_active": False})) == ["created"]


@pytest.mark.parametrize(
    ("change", "shown"),
    [({"content": "New"}, "New"), ({"name": "日本"}, "日本"), ({"tags": []}, []), ({"tags": ["b", "a"]}, ["b", "a"])],
)
def test_one_field_is_sent_with_those_that_the_server_requires(run, api, change, shown):
    (field,) = change
    before = api.row(**BODY, grants=[EVERYBODY])
    api.active(before)
    api.write("update", {**BODY, **change})
    api.active({**before, **change})
    result = run({"command": "sum", **change})
    assert actions(result) == ["updated"]
    assert changed(result) == ({f"sum.{field}": BODY[field]}, {f"sum.{field}": shown})


def test_update_in_check_mode(run, api):
    api.active(api.row(**BODY))
    result = run({"command": "sum", "name": "Other"}, check=True)
    assert (actions(result), result["prompts"][0]["name"]) == (["updated"], "Other")


def test_what_is_left_out_stays(run, api):
    api.active(api.row(**BODY, data={"x": 1}, meta={"y": 2}, grants=[EVERYBODY]))
    assert run({"command": "sum"})["changed"] is False


@pytest.mark.parametrize("active", [True, False])
def test_the_switch_has_a_path_of_its_own(run, api, active):
    (api.active if not active else api.all)(api.row(**BODY, is_active=not active))
    api.write("toggle", None, api.row(is_active=active))
    (api.active if active else api.all)(api.row(**BODY, is_active=active))
    result = run({"command": "sum", "is_active": active})
    assert changed(result) == ({"sum.is_active": not active}, {"sum.is_active": active})


def test_a_switch_that_another_run_has_flipped_is_flipped_back(run, api):
    api.active(api.row(**BODY))
    api.write("toggle", None, api.row(is_active=True))
    api.write("toggle", None, api.row(is_active=False))
    api.all(api.row(**BODY, is_active=False))
    assert actions(run({"command": "sum", "is_active": False})) == ["updated"]


def test_delete(run, api):
    api.active(api.row(**BODY))
    assert actions(run({"command": "sum", "state": "absent"}, check=True)) == ["deleted"]
    api.active(api.row(**BODY))
    api.delete()
    api.all()
    result = run({"command": "/sum", "state": "absent"})
    assert result["prompts"] == [{"id": ID, "command": "sum", "name": "Summary", "action": "deleted"}]
    assert changed(result) == ({"sum": {**WANTED, "access": "private", "is_active": True}}, {"sum": None})
    for check in (False, True):
        api.all()
        again = run({"command": "sum", "state": "absent"}, check=check)
        assert again["prompts"] == [{"id": None, "command": "sum", "name": None, "action": "none"}]


def test_a_prompt_that_is_switched_off_is_found_and_deleted(run, api):
    api.all(api.row(**BODY, is_active=False))
    api.delete()
    api.all()
    assert actions(run({"command": "sum", "state": "absent"})) == ["deleted"]


def test_two_hundred_that_are_right_are_one_request(run, api):
    prompts = [{"command": f"p{n}", "name": f"Prompt {n}", "content": "x", "access": "public"} for n in range(200)]
    api.active(*(api.row(**{**entry, "id": entry["command"], "grants": [EVERYBODY]}) for entry in prompts))
    assert actions(run(*prompts)) == ["none"] * 200


def test_rows_have_the_order_of_the_list(run, api):
    other = {**api.row(command="other", name="Other", content="x"), "id": "id-other"}
    api.all(other, api.row(**BODY))
    api.create({"command": "new", "name": "new", "content": "n", "access_grants": []})
    api.write("update", {**BODY, "content": "y"})
    api.active(
        {**api.row(command="new", name="new", content="n"), "id": "id-new"}, other, api.row(**{**BODY, "content": "y"})
    )
    entries = [{"command": "new", "content": "n"}, {"command": "sum", "content": "y"}, {"command": "other"}]
    result = run(*entries)
    assert actions(result) == ["created", "updated", "none"]
    assert [row["id"] for row in result["prompts"]] == ["id-new", ID, "id-other"]


def test_a_command_stored_with_a_slash_is_the_same_and_loses_it(run, api):
    api.active(api.row(**{**BODY, "command": "/sum"}))
    api.write("update", BODY)
    api.active(api.row(**BODY))
    result = run({"command": "sum"})
    assert changed(result) == ({"sum.command": "/sum"}, {"sum.command": "sum"})


def test_two_spellings_that_are_both_there(run, api):
    api.active(api.row(**BODY), {**api.row(**{**BODY, "command": "/sum"}), "id": "id-slash"})
    message = run({"command": "sum", "content": "x"}, fails=True)["msg"]
    assert "prompt 'sum' is there 2 times, as id-slash, id-sum: rename or remove one" in message


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ({"command": "With Space", "content": "x"}, "'With Space' has a command that is empty or holds blanks"),
        ({"command": "", "content": "x"}, "'' has a command that is empty"),
        ({"command": "//", "content": "x"}, "'//' has a command that is empty or holds blanks"),
        ({"command": "a\u0000b"}, "control characters"),
        ({"command": "/good"}, "prompt 'good' is given more than once"),
        ({"command": "sum", "access": "everybody"}, "has access 'everybody', which is neither public nor private"),
        ({"command": "sum", "access": ["public"]}, "has an access that is neither public nor private"),
        ({"command": "sum", "access": {"execute": "public"}}, "has access.execute, where only read and write"),
        ({"command": "sum", "access": {"read": "private"}}, "has access.read that is neither public nor a dictionary"),
        (
            {"command": "sum", "access": {"read": {"group": ["a"]}}},
            "has access.read.group, where only groups and users",
        ),
        (
            {"command": "sum", "access": {"write": {"users": "a@b.c"}}},
            "has access.write.users that is no list of names",
        ),
        ({"command": "sum", "access": {"write": {"groups": [7]}}}, "has access.write.groups that is no list of names"),
    ],
)
def test_bad_input_is_refused_for_the_whole_list_before_anything_is_sent(run, server, prompt, words):
    message = run({"command": "good", "content": "x"}, {"command": "a b"}, prompt, fails=True)["msg"]
    assert f"Nothing was changed on {server.url}: " in message
    assert words in message
    assert "'a b' has a command" in message
    assert server.requests == []


def test_what_only_the_server_can_tell_is_refused_before_the_first_write(run, api):
    api.all(api.row(**BODY))
    message = run({"command": "sum", "content": "new"}, {"command": "b"}, {"command": "c"}, fails=True)["msg"]
    assert "prompt 'b' does not exist and cannot be created without content; prompt 'c' does not exist" in message


def test_the_list_in_another_shape(run, server, api):
    row = api.row(**BODY)
    del row["access_grants"]
    api.active(row)
    message = run({"command": "sum"}, fails=True)["msg"]
    assert (
        f"GET {server.url}{LIST} answered without id, command, name, content, tags, is_active, access_grants" in message
    )
    api.server.expect("GET", LIST, answer={"detail": "something else"})
    assert (
        "This version of Open WebUI is not one that this collection knows." in run({"command": "s"}, fails=True)["msg"]
    )


def test_a_field_that_the_server_drops(run, server, api):
    api.active(api.row(**BODY))
    api.write("update", {**BODY, "content": "new", "tags": []})
    api.active(api.row(**{**BODY, "content": "new"}))
    result = run({"command": "sum", "content": "new", "tags": []}, fails=True)
    assert f"{server.url} took the change of prompt 'sum', but does not have tags as sent." in result["msg"]
    assert (actions(result), result["changed"]) == (["failed"], True)


def test_a_created_prompt_that_is_not_there(run, api):
    api.all()
    api.create({"command": "sum", "name": "sum", "content": "x", "access_grants": []})
    api.all()
    assert "but does not have it" in run({"command": "sum", "content": "x"}, fails=True)["msg"]


@pytest.mark.parametrize("other", [False, True], ids=["the same", "made anew by somebody"])
def test_a_deleted_prompt_that_is_still_there(run, api, other):
    api.active(api.row(**BODY))
    api.delete()
    api.active({**api.row(**BODY), "id": "id-other" if other else ID})
    result = run({"command": "sum", "state": "absent"}, fails=not other)
    assert actions(result) == (["deleted"] if other else ["failed"])


def test_a_prompt_that_is_refused_does_not_stop_the_others(run, api):
    api.all()
    api.create(
        {"command": "a", "name": "a", "content": "x", "access_grants": []}, status=500, text="Internal Server Error"
    )
    api.create({**BODY, "access_grants": [EVERYBODY]})
    api.all(api.row(**BODY, grants=[EVERYBODY]))
    result = run({"command": "a", "content": "x"}, WANTED, fails=True)
    assert actions(result) == ["failed", "created"]
    assert "create was answered with 500: Internal Server Error" in result["msg"]
    assert changed(result)[1] == {"sum": WANTED}


def test_a_change_of_which_the_server_takes_one_half(run, api):
    api.active(api.row(**BODY))
    api.write("update", {**BODY, "content": "new"})
    api.write("access/update", {"access_grants": [EVERYBODY]}, status=500, text="Internal Server Error")
    api.active(api.row(**{**BODY, "content": "new"}))
    result = run({"command": "sum", "content": "new", "access": "public"}, fails=True)
    assert (result["changed"], actions(result)) == (True, ["failed"])
    assert changed(result) == ({"sum.content": "Summarise"}, {"sum.content": "new"})


def test_several_that_are_refused(run, api):
    api.all()
    for command in ("a", "b"):
        body = {"command": command, "name": command, "content": "x", "access_grants": []}
        api.create(body, status=500, text=f"no {command}")
    api.all()
    result = run({"command": "a", "content": "x"}, {"command": "b", "content": "x"}, fails=True)
    assert f"2 of 2 prompts of {api.server.url} failed: " in result["msg"]
    assert "no a" in result["msg"]
    assert "no b" in result["prompts"][1]["error"]


def test_another_run_was_faster_and_made_the_same(run, api):
    api.all()
    api.create({**BODY, "access_grants": [EVERYBODY]}, status=400, answer=api.recorded["command_taken"])
    api.active(api.row(**BODY, grants=[EVERYBODY]))
    result = run(WANTED)
    assert (result["changed"], actions(result), result["prompts"][0]["id"]) == (False, ["none"], ID)


def test_another_run_was_faster_and_made_something_else(run, api):
    api.all()
    api.create({**BODY, "access_grants": [EVERYBODY]}, status=400, answer=api.recorded["command_taken"])
    api.active(api.row(**BODY))
    api.write("access/update", {"access_grants": [EVERYBODY]})
    api.active(api.row(**BODY, grants=[EVERYBODY]))
    result = run(WANTED)
    assert changed(result) == ({"sum.access": "private"}, {"sum.access": "public"})


def test_somebody_deleted_it_meanwhile(run, api):
    api.active(api.row(**BODY))
    api.delete(status=404, answer=api.recorded["prompt_gone"])
    api.all()
    assert (run({"command": "sum", "state": "absent"}))["changed"] is False


def test_somebody_changes_it_again_and_again(run, api):
    gone = {"status": 404, "answer": api.recorded["prompt_gone"]}
    api.active(api.row(**BODY))
    for reading in (api.all, api.active, api.all):
        if reading == api.all:
            api.write("update", {**BODY, "content": "x"}, **gone)
            reading()
        else:
            create = {"command": "sum", "name": "sum", "content": "x", "access_grants": []}
            api.create(create, status=400, answer=api.recorded["command_taken"])
            reading(api.row(**BODY))
    result = run({"command": "sum", "content": "x"}, fails=True)
    assert "prompt 'sum' was changed by somebody else, 3 times. Run this again" in result["msg"]
    assert (result["changed"], actions(result)) == (False, ["failed"])


def test_a_prompt_that_this_administrator_may_not_see(run, api):
    api.all()
    api.create({**BODY, "access_grants": [EVERYBODY]}, status=400, answer=api.recorded["command_taken"])
    api.all()
    message = run(WANTED, fails=True)["msg"]
    assert "This command is already registered" in message
    assert "BYPASS_ADMIN_ACCESS_CONTROL" in message


def test_a_session_that_ends_in_the_middle(run, api):
    api.all(api.row(**BODY))
    api.write("update", {**BODY, "content": "new"})
    ended = {"status": 401, "answer": {"detail": "Invalid token"}}
    api.create({"command": "b", "name": "b", "content": "x", "access_grants": []}, **ended)
    result = run({"command": "sum", "content": "new"}, *({"command": c, "content": "x"} for c in "bc"), fails=True)
    assert result["failure"]["session_ended"] is True
    assert (result["changed"], actions(result)) == (True, ["updated", "failed", "skipped"])
    assert changed(result) == ({"sum.content": "Summarise"}, {"sum.content": "new"})


def test_a_server_that_is_gone_after_the_writes(run, api):
    api.active(api.row(**BODY))
    api.delete()
    api.server.expect("GET", LIST, drop=True)
    result = run({"command": "sum", "state": "absent"}, fails=True)
    assert "failed" in result["msg"]
    assert (result["changed"], actions(result)) == (True, ["deleted"])


def test_prompts_that_come_and_go_while_they_are_read(run, api):
    api.active()
    for _attempt in range(3):
        api.pages(api.row(**BODY, is_active=False), total=2)
        api.server.expect(
            "GET", f"{LIST}list?order_by=created_at&direction=asc&page=2", answer={"items": [], "total": 2}
        )
    assert "changed while they were read, 3 times" in run({"command": "sum"}, fails=True)["msg"]
