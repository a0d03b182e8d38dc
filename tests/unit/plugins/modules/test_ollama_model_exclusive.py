# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


from __future__ import annotations

import typing as t

import pytest
from ollama_script import content, item, row

A, B, C = content("a"), content("bb"), content("ccc")
NEW = content("new")
EMPTY = {"before": {}, "after": {}}


class TestAbsent:
    ROWS = (row("a:latest", "removed", A), row("nosuch:latest", "none"))
    DIFF: t.ClassVar = {"before": {"a:latest": A.digest}, "after": {"a:latest": "absent"}}

    def run(self, ollama, check=False, fails=False):
        return ollama.run(check, fails, name=["a", "nosuch"], state="absent")

    def test_change(self, ollama):
        ollama.lists({"a:latest": A, "b:latest": B})
        ollama.has_in_memory("b:latest")
        ollama.deletes("a:latest")
        ollama.lists({"b:latest": B})
        result = self.run(ollama)
        assert (result["changed"], result["diff"], result["models"]) == (True, self.DIFF, list(self.ROWS))

    def test_check(self, ollama):
        ollama.lists({"a:latest": A, "b:latest": B})
        result = self.run(ollama, check=True)
        assert (result["changed"], result["diff"], result["models"]) == (True, self.DIFF, list(self.ROWS))

    @pytest.mark.parametrize("check", [False, True])
    def test_repeat(self, ollama, check):
        ollama.lists({"b:latest": B})
        result = self.run(ollama, check)
        assert (result["changed"], result["diff"]) == (False, EMPTY)
        assert result["models"] == [row(name, "none") for name in ("a:latest", "nosuch:latest")]

    def test_what_is_in_memory_is_ended_first(self, ollama):
        # Recorded: the server does not end it, and without its name nobody can.
        ollama.lists({"a:latest": A})
        ollama.has_in_memory("A:latest")
        ollama.unloads("a:latest")
        ollama.deletes("a:latest")
        ollama.lists({})
        assert self.run(ollama)["models"] == list(self.ROWS)

    def test_somebody_else_was_faster(self, ollama, recording):
        gone = recording("ollama")["delete_twice"]
        ollama.lists({"a:latest": A})
        ollama.has_in_memory()
        ollama.deletes("a:latest", status=gone["status"], answer=gone["body"])
        ollama.lists({})
        assert self.run(ollama)["models"] == list(self.ROWS)

    def test_still_listed_is_a_failure(self, ollama):
        ollama.lists({"a:latest": A})
        ollama.has_in_memory()
        ollama.deletes("a:latest")
        ollama.lists({"a:latest": A})
        result = self.run(ollama, fails=True)
        assert result["failure"]["error"] == f"{ollama.url}: a:latest: still lists it after its removal."
        assert result["models"][0] == {**row("a:latest", "failed", A, A, None), "error": result["msg"]}
        assert (result["changed"], result["diff"]) == (False, EMPTY)

    def test_an_error_of_the_server_does_not_stop_the_others(self, ollama, recording):
        broken = recording("ollama")["delete_empty_manifest"]
        ollama.lists({"a:latest": A, "b:latest": B})
        ollama.has_in_memory()
        ollama.deletes("a:latest", status=broken["status"], answer=broken["body"])
        ollama.deletes("b:latest")
        ollama.lists({"a:latest": A})
        result = ollama.run(name=["a", "b"], state="absent", fails=True)
        assert result["msg"] == f"DELETE {ollama.url}/api/delete answered 500: EOF."
        assert result["failure"]["status"] == 500
        assert result["models"] == [
            {**row("a:latest", "failed", A, A, None), "error": result["msg"]},
            row("b:latest", "removed", B),
        ]
        assert (result["changed"], result["diff"]["after"]) == (True, {"b:latest": "absent"})


class TestExclusive:
    ROWS = (row("b:latest", "none", B, B), row("a:latest", "removed", A), row("c:latest", "removed", C))
    DIFF: t.ClassVar = {
        "before": {"a:latest": A.digest, "c:latest": C.digest},
        "after": {"a:latest": "absent", "c:latest": "absent"},
    }

    def test_change(self, ollama):
        ollama.lists({"c:latest": C, "a:latest": A, "b:latest": B})
        ollama.has_in_memory()
        ollama.deletes("a:latest")
        ollama.deletes("c:latest")
        ollama.lists({"b:latest": B})
        result = ollama.run(name="b", exclusive=True)
        assert (result["changed"], result["diff"], result["models"]) == (True, self.DIFF, list(self.ROWS))

    def test_check(self, ollama):
        ollama.lists({"c:latest": C, "a:latest": A, "b:latest": B})
        result = ollama.run(check=True, name="b", exclusive=True)
        assert (result["changed"], result["diff"], result["models"]) == (True, self.DIFF, list(self.ROWS))

    @pytest.mark.parametrize("check", [False, True])
    def test_repeat(self, ollama, check):
        ollama.lists({"b:latest": B})
        result = ollama.run(check, name="b", exclusive=True)
        assert (result["changed"], result["models"]) == (False, [row("b:latest", "none", B, B)])

    def test_keep_need_not_be_there(self, ollama):
        ollama.lists({"A:Latest": A, "b:latest": B})
        result = ollama.run(name="b", exclusive=True, keep=["a", "c"])
        assert (result["changed"], result["models"]) == (False, [row("b:latest", "none", B, B)])

    def test_the_bases_of_listed_models_stay(self, ollama):
        ollama.lists({"a:latest": A, "b:latest": A, "c:latest": C})
        result = ollama.run(check=True, models=[{"name": "b", "from": "a"}], exclusive=True)
        assert result["models"] == [
            row("b:latest", "none", A, A),
            row("a:latest", "none", A, A),
            row("c:latest", "removed", C),
        ]

    def test_all_of_them_when_it_is_permitted(self, ollama):
        ollama.lists({"a:latest": A})
        ollama.has_in_memory()
        ollama.deletes("a:latest")
        ollama.lists({})
        result = ollama.run(models=[], exclusive=True, allow_empty=True)
        assert result["models"] == [row("a:latest", "removed", A)]

    def test_a_model_that_fails_spares_the_unlisted_ones_and_not_those_that_are_listed_as_absent(
        self, ollama, recording
    ):
        name = ollama.name("m")
        ollama.lists({"a:latest": A, "c:latest": C})
        ollama.registry_has(NEW)
        ollama.lacks(NEW.files)
        ollama.has_in_memory()
        ollama.pulls(name, lines=recording("ollama")["pull_errors"]["unknown model, registry 404"])
        ollama.deletes("c:latest")
        ollama.lists({"a:latest": A})
        models = [{"name": name, "insecure": True}, {"name": "c", "state": "absent"}]
        result = ollama.run(models=models, exclusive=True, fails=True)
        assert result["models"] == [
            {**row(name, "failed", None, None, None), "error": result["msg"]},
            row("c:latest", "removed", C),
            row("a:latest", "none", A, A),
        ]

    @pytest.mark.parametrize("check", [False, True])
    def test_a_model_that_the_api_cannot_remove(self, ollama, check):
        # DELETE of z:local would remove z:latest.
        ollama.lists({"a:latest": A, "b:latest": B, "z:local": C})
        result = ollama.run(check, name="b", exclusive=True, fails=True)
        assert result["msg"] == (
            f"{ollama.url} cannot remove z:local: its API takes :local off every name. Copy it to another name if it is"
            " needed, and remove its manifest file from the model directory."
        )
        assert result["models"] == [
            row("b:latest", "none", B, B),
            row("a:latest", "none", A, A),
            {**row("z:local", "failed", C, C, None), "error": result["msg"]},
        ]

    def test_and_that_is_nothing_to_other_tasks(self, ollama):
        ollama.lists({"b:latest": B, "z:local": C})
        assert ollama.run(name="b")["models"] == [row("b:latest", "none", B, B)]


class TestLeftovers:
    """A run that was killed leaves a second name behind, over weights that may be in memory still."""

    def test_change(self, ollama):
        second = ollama.second("a:latest")
        ollama.lists({"a:latest": A, second: B})
        ollama.has_in_memory("a:latest")
        ollama.unloads(second)
        ollama.deletes(second)
        ollama.lists({"a:latest": A})
        result = ollama.run(name="a")
        assert result["models"] == [row("a:latest", "none", A, A), row(second, "removed", B)]
        assert result["diff"] == {"before": {second: B.digest}, "after": {second: "absent"}}

    def test_check(self, ollama):
        second = ollama.second("a:latest")
        ollama.lists({"a:latest": A, second: B})
        result = ollama.run(check=True, name="a")
        assert result["models"] == [row("a:latest", "none", A, A), row(second, "removed", B)]

    @pytest.mark.parametrize("exclusive", [False, True])
    def test_what_is_not_ours_stays_and_is_told_of(self, ollama, exclusive):
        # Another host may be replacing a right now.
        foreign = ollama.second("a:latest").partition(":")[0] + ":0123456789abcdef"
        ollama.lists({"a:latest": A, foreign: B})
        result = ollama.run(name="a", exclusive=exclusive)
        assert (result["changed"], result["models"]) == (False, [row("a:latest", "none", A, A)])
        assert result["warnings"][0].startswith(f"{foreign} is what a run from elsewhere is replacing")

    def test_the_only_copy_of_a_model_that_nobody_names_stays(self, ollama):
        ollama.lists({"a:latest": A, ollama.second("precious:latest"): B})
        result = ollama.run(name="a", exclusive=True)
        assert (result["changed"], len(result["warnings"])) == (False, 1)

    def test_it_stays_when_a_model_fails_because_it_may_be_all_that_is_left(self, ollama, recording):
        name = ollama.name("m")
        second = ollama.second(name)
        ollama.lists({second: A})
        ollama.registry_has(NEW)
        ollama.lacks(NEW.files)
        ollama.has_in_memory()
        ollama.pulls(name, lines=recording("ollama")["pull_errors"]["unknown tag"])
        result = ollama.run(name=name, insecure=True, fails=True)
        assert result["models"][1] == row(second, "none", A, A)


def test_a_model_of_size_0_is_removed_as_any_other(ollama, server):
    # A registry that answers {} for a manifest leaves one behind.
    server.expect("GET", "/api/tags", answer={"models": [{**item("a:latest", A), "size": 0}]})
    ollama.has_in_memory()
    ollama.deletes("a:latest")
    ollama.lists({})
    result = ollama.run(name="a", state="absent")
    assert result["models"] == [row("a:latest", "removed")]
    assert result["diff"] == {"before": {"a:latest": "incomplete"}, "after": {"a:latest": "absent"}}
