# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each state: the run, the repetition, and both in check mode, as the exact list of requests; and what goes wrong."""

from __future__ import annotations

import pytest

from ansible_collections.selfhosted.llm.plugins.modules import openwebui_model

ALL = "/api/v1/models/all"
BASE = "llama3:latest"
EVERYBODY = {"principal_type": "user", "principal_id": "*", "permission": "read"}
WANTED = {
    "id": "r",
    "name": "Reviewer",
    "base_model_id": BASE,
    "system": "You review.",
    "params": {"temperature": 0.2},
    "description": "d",
    "capabilities": {"vision": False},
    "tags": ["x"],
    "access": "public",
}
# What the server has of it.
BODY = {
    "id": "r",
    "name": "Reviewer",
    "base_model_id": BASE,
    "is_active": True,
    "meta": {"description": "d", "capabilities": {"vision": False}, "tags": [{"name": "x"}]},
    "params": {"temperature": 0.2, "system": "You review."},
}


def sent(**fields):
    """A body as it is sent."""
    body = {**BODY, **fields}
    return {**body, "params": {"model_controls": {}, **body["params"]}}


class Server:
    """Expectations in the words of the API. Rows are the recorded one with some fields replaced."""

    def __init__(self, server, recorded):
        self.server = server
        self.recorded = recorded

    def row(self, grants=(), meta=None, **fields):
        recorded = self.recorded["model"]
        fillers = {name: value for name, value in recorded["meta"].items() if value is None}
        meta = {**fillers, **(BODY["meta"] if meta is None else meta)}
        row = {**recorded, **BODY, **fields, "meta": meta}
        return {**row, "access_grants": [{**self.recorded["grant"], **grant} for grant in grants]}

    def all(self, *rows):
        self.server.expect("GET", ALL, answer=list(rows))

    def bases(self, *ids):
        self.server.expect("GET", "/api/models/base", answer={"data": [{"id": identifier} for identifier in ids]})

    def create(self, body, **how):
        self.server.expect("POST", "/api/v1/models/create", body, **(how or {"answer": self.row(**body)}))

    def update(self, body, **how):
        self.server.expect("POST", "/api/v1/models/model/update", body, **(how or {"answer": {}}))

    def access(self, *grants, **how):
        body = {"id": "r", "access_grants": list(grants)}
        self.server.expect("POST", "/api/v1/models/model/access/update", body, **(how or {"answer": {}}))

    def delete(self, **how):
        self.server.expect("POST", "/api/v1/models/model/delete", {"id": "r"}, **(how or {"answer": True}))


@pytest.fixture
def api(server, recording):
    return Server(server, recording("openwebui_model"))


@pytest.fixture
def run(server, run_module):
    def run_one(*models, **how):
        params = {"url": server.url, "token": "token-in-use", "models": list(models)}
        return run_module(openwebui_model, params, **how)

    return run_one


def test_create(run, api):
    stored = api.row([EVERYBODY])
    api.all()
    api.bases(BASE)
    predicted = run(WANTED, check=True)
    api.all()
    api.bases(BASE)
    api.create({**sent(), "access_grants": [EVERYBODY]}, answer=stored)
    api.all(stored)
    result = run(WANTED)
    assert result["models"] == [{"id": "r", "name": "Reviewer", "base_model_id": BASE, "action": "created"}]
    assert predicted["models"] == result["models"]
    assert predicted["diff"] == result["diff"]
    assert result["diff"] == {"before": {"r": None}, "after": {"r": {name: WANTED[name] for name in WANTED}}}
    for check in (False, True):
        api.all(stored)
        again = run(WANTED, check=check)
        assert (again["changed"], again["diff"]) == (False, {"before": {}, "after": {}})


def test_create_with_nothing_but_a_base(run, api):
    body = {"id": "r", "name": "r", "base_model_id": BASE, "is_active": True, "meta": {}, "params": {}}
    stored = api.row(**body)
    api.all()
    api.bases(BASE)
    api.create({**sent(**body), "access_grants": []}, answer=stored)
    api.all(stored)
    assert run({"id": "r", "base_model_id": BASE})["changed"]


def test_open_a_model_of_a_connection(run, api):
    body = {"id": BASE, "name": BASE, "base_model_id": None, "is_active": True, "meta": {}, "params": {}}
    stored = api.row([EVERYBODY], **body)
    api.all()
    api.bases("other", BASE)
    api.create({**sent(**body), "access_grants": [EVERYBODY]}, answer=stored)
    api.all(stored)
    result = run({"id": BASE, "access": "public"})
    assert result["models"] == [{"id": BASE, "name": BASE, "base_model_id": None, "action": "created"}]
    api.all(stored)
    assert run({"id": BASE, "access": "public"})["changed"] is False


UPDATES = [
    ({"name": "N"}, {"name": "N"}),
    ({"base_model_id": "b"}, {"base_model_id": "b"}),
    ({"is_active": False}, {"is_active": False}),
    ({"system": "s"}, {"params": {**BODY["params"], "system": "s"}}),
    ({"system": ""}, {"params": {"temperature": 0.2}}),
    ({"params": {"top_k": 1}}, {"params": {**BODY["params"], "top_k": 1}}),
    ({"params": {"temperature": None}}, {"params": {"system": "You review."}}),
    ({"description": ""}, {"meta": {**BODY["meta"], "description": ""}}),
    ({"profile_image_url": "/user.png"}, {"meta": {**BODY["meta"], "profile_image_url": "/user.png"}}),
    ({"capabilities": {"usage": True}}, {"meta": {**BODY["meta"], "capabilities": {"vision": False, "usage": True}}}),
    ({"capabilities": {"vision": None}}, {"meta": {**BODY["meta"], "capabilities": {}}}),
    ({"tags": []}, {"meta": {**BODY["meta"], "tags": []}}),
    (
        {"suggestion_prompts": [{"content": "c"}]},
        {"meta": {**BODY["meta"], "suggestion_prompts": [{"content": "c", "title": ["", ""]}]}},
    ),
    ({"suggestion_prompts": []}, {"meta": {**BODY["meta"], "suggestion_prompts": []}}),
    ({"meta": {"filterIds": ["f"]}}, {"meta": {**BODY["meta"], "filterIds": ["f"]}}),
]


@pytest.mark.parametrize(("option", "after"), UPDATES)
def test_change_one_field(run, api, option, after):
    before, stored = api.row([EVERYBODY]), api.row([EVERYBODY], **after)
    entry = {"id": "r", **option}
    for check in (True, False):
        api.all(before)
        if "base_model_id" in option:
            api.bases(BASE, "b")
        if not check:
            api.update(sent(**after))
            api.all(stored)
        result = run(entry, check=check)
        assert result["models"][0]["action"] == "updated"
        ((name, _value),) = option.items()
        assert {field.split(".")[1] for field in result["diff"]["after"]} == {name}
    for check in (True, False):
        api.all(stored)
        assert run(entry, check=check)["changed"] is False


def test_what_others_put_there_is_sent_along(run, api):
    meta = {
        **BODY["meta"],
        "profile_image_url": "https://example.com/x.png",
        "background_image_url": "/api/v1/files/f/content",
        "voice_avatar": {"file_id": "f"},
        "filterIds": ["f"],
        "knowledge": [{"type": "file", "id": "f"}, {"type": "collection", "id": "k", "name": "K", "own": 1}],
        "toolIds": ["t"],
        "zz": 1,
    }
    params = {**BODY["params"], "model_controls": {"a": {}}, "zz": 1}
    before = api.row(meta=meta, params=params)
    api.all(before)
    api.update({**BODY, "name": "N", "meta": meta, "params": params})
    api.all({**before, "name": "N"})
    assert run({"id": "r", "name": "N"})["changed"]


def test_fields_of_the_server_alone_are_not_compared(run, api):
    row = api.row([EVERYBODY])
    api.all({**row, "version_id": "v", "updated_at": 1, "created_at": 1, "user": {"id": "x"}, "write_access": True})
    assert run(WANTED)["changed"] is False


def test_access_has_a_path_of_its_own(run, api):
    api.all(api.row())
    api.access(EVERYBODY)
    api.all(api.row([EVERYBODY]))
    result = run(WANTED)
    assert result["diff"] == {"before": {"r.access": "private"}, "after": {"r.access": "public"}}
    api.all(api.row())
    api.update(sent(name="N"))
    api.access(EVERYBODY)
    api.all(api.row([EVERYBODY], name="N"))
    assert run({**WANTED, "name": "N"})["models"][0]["action"] == "updated"


def test_grants_that_the_server_drops(run, api):
    api.all(api.row())
    api.access(EVERYBODY)
    api.all(api.row())
    message = run(WANTED, fails=True)["msg"]
    assert "took the change of model 'r', but does not have access as sent" in message


def test_a_field_that_the_server_drops(run, api):
    url = "https://example.com/a.png"
    api.all(api.row([EVERYBODY]))
    api.update(sent(meta={**BODY["meta"], "profile_image_url": url}, name="N"))
    api.all(api.row([EVERYBODY], name="N"))
    result = run({"id": "r", "name": "N", "profile_image_url": url}, fails=True)
    assert "but does not have profile_image_url as sent" in result["msg"]
    assert result["models"][0]["action"] == "failed"
    assert result["changed"]


def test_delete(run, api):
    entry = {"id": "r", "state": "absent"}
    api.all(api.row())
    predicted = run(entry, check=True)
    api.all(api.row())
    api.delete()
    api.all()
    result = run(entry)
    assert result["models"] == [{"id": "r", "name": "Reviewer", "base_model_id": BASE, "action": "deleted"}]
    assert predicted["diff"] == result["diff"]
    for check in (False, True):
        api.all()
        assert run(entry, check=check)["changed"] is False


def test_files_of_this_server_are_no_values(run, api):
    files = {"background_image_url": "/api/v1/files/f/content", "voice_avatar": {"file_id": "f"}}
    api.all(api.row(meta={**BODY["meta"], **files, "zz": 1}))
    result = run({"id": "r", "state": "absent"}, check=True)
    assert result["diff"]["before"]["r"]["meta"] == {"zz": 1}


def test_knowledge_and_tools_by_name(run, api, server):
    new = {"type": "collection", "id": "k2", "name": "Two"}
    attached = [{"type": "file", "id": "f", "name": "F"}, {"type": "collection", "id": "k1", "name": "old", "own": 1}]
    before = api.row(meta={**BODY["meta"], "knowledge": attached, "toolIds": ["gone"]})
    after = {**BODY["meta"], "knowledge": [*attached, new], "toolIds": ["gone", "t1", "server:2"]}
    entry = {"id": "r", "knowledge": ["One", "Two"], "tools": ["gone", "Tool", "server:2"]}

    def names(tools=True):
        items = [{"id": "k1", "name": "One"}, {"id": "k2", "name": "Two"}]
        path = "/api/v1/knowledge/search?order_by=created_at&direction=asc&page=1"
        server.expect("GET", path, answer={"items": items, "total": 2})
        if tools:
            rows = [{"id": "t1", "name": "Tool"}, {"id": "server:2", "name": "server:2"}]
            server.expect("GET", "/api/v1/tools/", answer=rows)

    api.all(before)
    names()
    api.update(sent(meta=after))
    api.all(api.row(meta=after))
    result = run(entry)
    assert result["diff"]["after"] == {"r.knowledge": ["One", "Two"], "r.tools": ["gone", "t1", "server:2"]}
    assert result["diff"]["before"] == {"r.knowledge": ["One"], "r.tools": ["gone"]}
    # By their identifiers the tools need not be looked up.
    api.all(api.row(meta=after))
    names(tools=False)
    assert run({"id": "r", "knowledge": ["One", "Two"], "tools": ["gone", "t1", "server:2"]})["changed"] is False


def test_what_the_server_does_not_have_is_refused_together(run, api, server):
    entries = [
        {"id": "a", "base_model_id": "lama3:latest"},
        {"id": "llama3"},
        {"id": BASE, "base_model_id": "other"},
        {"id": "r", "tools": ["Tol"], "access": {"read": {"groups": ["X"]}}},
    ]
    for _run in range(2):
        api.all(api.row())
        api.bases(BASE, "other")
        server.expect("GET", "/api/v1/groups/", answer=[])
        server.expect("GET", "/api/v1/tools/", answer=[{"id": "t", "name": "Tool"}])
    message = run(*entries, fails=True)["msg"]
    assert "there is no base model 'lama3:latest' (did you mean 'llama3:latest'?)" in message
    assert "there is no base model 'llama3' (did you mean 'llama3:latest'?)" in message
    assert f"model '{BASE}' would be hidden by the model of a connection with this id" in message
    assert "there is no tool 'Tol' (did you mean 'Tool'?)" in message
    assert "there is no group 'X'" in message
    # The id that hides another cannot be cured by an earlier task.
    assert "would be hidden" in run(*entries, check=True, fails=True)["msg"]


def test_a_base_that_an_earlier_task_may_pull_is_a_warning_in_check_mode(run, api):
    api.all()
    api.bases()
    result = run({"id": "r", "base_model_id": BASE}, check=True)
    assert result["models"][0]["action"] == "created"
    assert [warning for warning in result["warnings"] if "there is no base model" in str(warning)]


def test_a_base_that_is_down_matters_only_for_what_is_new(run, api):
    api.all(api.row())
    assert run({"id": "r", "base_model_id": BASE, "name": "Reviewer"})["changed"] is False


def test_another_run_was_faster(run, api):
    api.all()
    api.bases(BASE)
    api.create({**sent(), "access_grants": [EVERYBODY]}, status=401, answer=api.recorded["taken"])
    api.all(api.row([EVERYBODY]))
    assert run(WANTED)["models"][0]["action"] == "none"
    api.all(api.row())
    api.delete(status=401, answer=api.recorded["gone"])
    api.all()
    assert run({"id": "r", "state": "absent"})["models"][0]["action"] == "none"


def test_a_model_that_the_server_refuses_does_not_stop_the_others(run, api):
    controls = {"a": {"label": "", "options": {}}}
    api.all(api.row(), api.row(id="s"))
    api.update(sent(params={**BODY["params"], "model_controls": controls}), status=422, answer={"detail": "bad label"})
    api.update(sent(id="s", name="N"))
    api.all(api.row(), api.row(id="s", name="N"))
    result = run({"id": "r", "params": {"model_controls": controls}}, {"id": "s", "name": "N"}, fails=True)
    assert "bad label" in result["msg"]
    assert [row["action"] for row in result["models"]] == ["failed", "updated"]
    assert list(result["diff"]["after"]) == ["s.name"]


def test_controls_are_taken_away_by_name(run, api):
    before = {**BODY["params"], "model_controls": {"a": {}}}
    api.all(api.row(params=before))
    api.update(sent())
    api.all(api.row())
    assert run({"id": "r", "params": {"model_controls": None}})["changed"]


def test_rows_of_another_shape(run, server):
    server.expect("GET", ALL, answer=[{"id": "r", "name": "n"}])
    assert "answered without id, name, base_model_id" in run({"id": "r"}, fails=True)["msg"]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"id": "a b"}, "has an id that is empty, longer than 256"),
        ({"id": ""}, "has an id that is empty"),
        ({"id": "x" * 257}, "has an id that is empty, longer than 256"),
        ({"id": "a", "base_model_id": "a"}, "cannot have itself or nothing as base_model_id"),
        ({"id": "a", "base_model_id": ""}, "cannot have itself or nothing as base_model_id"),
        ({"id": "a", "suggestion_prompts": [{"content": "c", "title": ["t"]}]}, "that does not have two lines"),
        ({"id": "a", "params": {"system": "s"}}, "has system among its params"),
        ({"id": "a", "meta": {"toolIds": ["t"]}}, "has toolIds in meta: use tools"),
        ({"id": "a", "meta": {"description": "d"}}, "has description in meta: use description"),
        ({"id": "a", "meta": {"voice_avatar": {}}}, "has voice_avatar in meta, which this server alone can have"),
        ({"id": "a", "capabilities": {"vision": "yes"}}, "has the capability vision with 'yes'"),
        ({"id": "a", "tags": [" x"]}, "has a tag that is empty, or begins or ends with blanks"),
        ({"id": "a", "profile_image_url": "javascript:x"}, "has a profile_image_url that is no URL"),
        ({"id": "a", "access": "all"}, "has access 'all'"),
        ({"id": "good"}, "model 'good' is given more than once"),
        ({"id": "a", "suggestion_prompts": [{"title": ["t"]}]}, "missing required arguments: content"),
        ({"id": "a", "colour": "red"}, "colour"),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent(run, server, entry, words):
    assert words in run({"id": "good"}, entry, fails=True)["msg"]
    assert server.requests == []
