# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


from __future__ import annotations

import pytest
from ollama_script import SUCCESS, content, item, row

from ansible_collections.selfhosted.llm.plugins.module_utils._ollama import progress

A, OLD, NEW = content("a"), content("old"), content("newer")
EMPTY = {"before": {}, "after": {}}


def plan(ollama, installed, models=("m",)):
    ollama.lists(installed)
    with ollama.server.any_order():
        for model in models:
            ollama.server.expect("GET", f"/v2/ns/{model}/manifests/latest", text=NEW.manifest)
            for digest in NEW.files:
                ollama.server.expect("HEAD", f"/api/blobs/{digest}", status=404)
    ollama.has_in_memory()


def failed(result, name, before=None, after=None):
    return {**row(name, "failed", before, after, None), "error": result["msg"]}


class TestOnePull:
    def test_it_says_which_model_failed_where_and_what_to_do(self, ollama, recording):
        name = ollama.name("m")
        plan(ollama, {})
        ollama.pulls(name, lines=recording("ollama")["pull_errors"]["unknown tag"])
        result = ollama.run(name=name, insecure=True, fails=True)
        assert result["msg"] == (
            f"{ollama.url} could not pull {name}: pull model manifest: file does not exist. Check the spelling and the"
            f" tag: the registry {name.split('/')[0]} has no such model."
        )
        url = f"{ollama.url}/api/pull"
        error = f"{ollama.url} could not pull {name}: pull model manifest: file does not exist."
        assert result["failure"] == {"url": url, "status": 200, "error": error}
        assert result["models"] == [failed(result, name)]
        assert (result["changed"], result["diff"]) == (False, EMPTY)

    def test_an_update_that_fails_leaves_the_old_one(self, ollama, recording):
        name = ollama.name("m")
        plan(ollama, {name: OLD})
        ollama.copies(name, ollama.second(name))
        ollama.pulls(name, lines=recording("ollama")["pull_errors"]["blob HEAD answers 403"])
        ollama.deletes(ollama.second(name))
        result = ollama.run(name=name, state="latest", insecure=True, fails=True)
        assert "could not pull" in result["msg"]
        assert result["models"] == [failed(result, name, OLD, OLD)]

    def test_a_lost_connection_after_success_throws_nothing_away(self, ollama):
        name = ollama.name("m")
        plan(ollama, {})
        ollama.pulls(name)
        ollama.server.expect("GET", "/api/tags", drop=True)
        result = ollama.run(name=name, insecure=True, fails=True)
        assert f"GET {ollama.url}/api/tags failed" in result["msg"]
        assert result["models"] == [failed(result, name)]

    def test_what_cannot_be_tidied_up_does_not_hide_what_went_wrong(self, ollama):
        name = ollama.name("m")
        plan(ollama, {name: OLD})
        ollama.copies(name, ollama.second(name))
        ollama.pulls(name, lines=[*SUCCESS[:2], ollama.server.CUT])
        ollama.deletes(ollama.second(name), drop=True)
        result = ollama.run(name=name, state="latest", insecure=True, fails=True)
        assert result["msg"].startswith(f"{ollama.url} could not pull {name}: the answer ended before success")

    def test_a_model_that_cannot_be_copied_is_not_touched(self, ollama):
        # As recorded on a full disk.
        name = ollama.name("m")
        plan(ollama, {name: OLD})
        ollama.copies(name, ollama.second(name), status=500, answer={"error": "no space left on device"})
        result = ollama.run(name=name, state="latest", insecure=True, fails=True)
        assert result["msg"] == f"POST {ollama.url}/api/copy answered 500: no space left on device."
        assert result["models"] == [failed(result, name, OLD, OLD)]

    def test_a_stall_is_a_lost_connection(self, ollama, recording):
        name, pulls = ollama.name("m"), recording("ollama")["pull"]
        plan(ollama, {})
        ollama.pulls(name, lines=[SUCCESS[0], ollama.server.repeat(pulls["frozen_line"], 0.06)])
        ollama.pulls(name, lines=pulls["resumed"])
        ollama.lists({name: NEW})
        ollama.stores(NEW.files)
        result = ollama.run(name=name, insecure=True, stall_timeout=0.3, retries=1)
        assert result["models"] == [row(name, "pulled", None, NEW, NEW.size)]

    def test_no_retry(self, ollama, recording):
        name = ollama.name("m")
        plan(ollama, {})
        frozen = recording("ollama")["pull"]["frozen_line"]
        ollama.pulls(name, lines=[ollama.server.repeat(frozen, 0.06)])
        result = ollama.run(name=name, insecure=True, stall_timeout=0.3, fails=True)
        assert f"{ollama.url} could not pull {name}: nothing moved for 0.3 seconds" in result["msg"]

    def test_success_without_a_model(self, ollama):
        name = ollama.name("m")
        plan(ollama, {})
        ollama.pulls(name)
        ollama.lists({})
        ollama.deletes(name, status=404, answer={"error": "not found"})
        result = ollama.run(name=name, insecure=True, fails=True)
        error = f"{ollama.url} said success to the pull of {name}, but lists no content of it."
        assert result["failure"]["error"] == error
        assert result["models"] == [failed(result, name)]

    def test_a_controller_that_has_gone_ends_it_and_what_was_there_stays(self, ollama, monkeypatch, tmp_path):
        name = ollama.name("m")
        (tmp_path / "controller").touch()
        monkeypatch.setenv("SELFHOSTED_LLM_PROGRESS", str(tmp_path))
        monkeypatch.setattr(progress, "PATIENCE", 0.0)
        plan(ollama, {name: OLD})
        ollama.copies(name, ollama.second(name))
        ollama.pulls(name, lines=[SUCCESS[0], ollama.server.STALL])
        ollama.deletes(ollama.second(name))
        result = ollama.run(name=name, state="latest", insecure=True, fails=True)
        assert result["msg"] == (
            "The controller has gone. What has been downloaded is kept: run the task again to go on."
        )


class TestSeveral:
    def test_one_does_not_stop_the_others(self, ollama, recording):
        one, two, three = names = [ollama.name(model) for model in ("one", "two", "three")]
        plan(ollama, {"a:latest": A}, ("one", "two", "three"))
        ollama.pulls(one, lines=recording("ollama")["pull_errors"]["unknown tag"])
        ollama.pulls(two)
        ollama.lists({"a:latest": A, two: NEW})
        ollama.stores(NEW.files)
        ollama.pulls(three, lines=recording("ollama")["pull_errors"]["manifest GET answers 412"])
        result = ollama.run(name=["a", *names], insecure=True, fails=True)
        first, second = result["models"][1]["error"], result["models"][3]["error"]
        assert "file does not exist" in first
        assert "requires a newer version of Ollama" in second
        assert result["msg"] == f"2 of 4 models failed. {first} {second}"
        assert result["failure"]["error"] == first.partition(" Check the spelling")[0]
        assert result["models"] == [
            row("a:latest", "none", A, A),
            {**row(one, "failed", None, None, None), "error": first},
            row(two, "pulled", None, NEW, NEW.size),
            {**row(three, "failed", None, None, None), "error": second},
        ]
        assert (result["changed"], result["diff"]["after"]) == (True, {two: NEW.digest})

    def test_those_that_were_done_before_the_server_went_are_reported(self, ollama):
        one, two = names = [ollama.name(model) for model in ("one", "two")]
        plan(ollama, {}, ("one", "two"))
        ollama.pulls(one)
        ollama.lists({one: NEW})
        ollama.stores(NEW.files)
        ollama.pulls(two, drop=True)
        result = ollama.run(name=names, insecure=True, fails=True)
        assert [model["action"] for model in result["models"]] == ["pulled", "failed"]
        assert "Remote end closed connection" in result["msg"]


class TestSizeZero:
    """A registry that answers {} for a manifest leaves a model of size 0 behind, as recorded."""

    EMPTY_MODEL = content("")._replace(files={})

    def lists(self, ollama):
        ollama.server.expect("GET", "/api/tags", answer={"models": [item(ollama.name("m"), self.EMPTY_MODEL)]})

    def test_it_is_no_success_and_does_not_stay(self, ollama):
        name = ollama.name("m")
        ollama.lists({})
        ollama.server.expect("GET", "/v2/ns/m/manifests/latest", text="{}")
        ollama.has_in_memory()
        ollama.pulls(name)
        self.lists(ollama)
        ollama.deletes(name)
        result = ollama.run(name=name, insecure=True, fails=True)
        assert f"said success to the pull of {name}, but lists no content of it." in result["msg"]
        assert result["models"] == [failed(result, name)]

    @pytest.mark.parametrize("state", ["present", "latest"])
    def test_one_from_before_is_pulled_again(self, ollama, state):
        # There is nothing to keep under a second name.
        name = ollama.name("m")
        self.lists(ollama)
        ollama.registry_has(NEW)
        ollama.lacks(NEW.files)
        ollama.has_in_memory()
        ollama.pulls(name)
        ollama.lists({name: NEW})
        ollama.stores(NEW.files)
        result = ollama.run(name=name, state=state, insecure=True)
        assert result["models"] == [row(name, "pulled", None, NEW, NEW.size)]
        assert result["diff"] == {"before": {name: "incomplete"}, "after": {name: NEW.digest}}


class TestListing:
    @pytest.mark.parametrize("check", [False, True])
    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            ({"status": 401, "text": "no"}, "answered 401: no. Give the token"),
            ({"status": 403}, "answered 403: no text. A server bound to loopback refuses foreign host names"),
            ({"status": 404, "text": "404 page not found"}, "answered 404: 404 page not found. Check that the URL"),
            ({"status": 307, "headers": {"Location": "/x"}}, "answered 307"),
            ({"status": 500, "answer": {"error": "boom\n"}}, "answered 500: boom."),
            ({"text": "<html>"}, "something that is not JSON: '<html>'"),
            ({"answer": ["x"]}, "answered without 'models'"),
            ({"answer": {"data": []}}, "Check that the URL is that of an Ollama server."),
            ({"drop": True}, "Remote end closed connection"),
        ],
    )
    def test_it_fails(self, ollama, answer, words, check):
        ollama.server.expect("GET", "/api/tags", **answer)
        result = ollama.run(check, name="a", fails=True)
        assert words in result["msg"]
        assert f"{ollama.url}/api/tags" in result["msg"]
        assert "models" not in result

    def test_it_is_slow(self, ollama):
        ollama.server.expect("GET", "/api/tags", delay=3)
        assert "brought nothing for 0.2 seconds" in ollama.run(name="a", timeout=0.2, fails=True)["msg"]

    def test_a_token_is_never_shown(self, ollama):
        ollama.server.expect("GET", "/api/tags", status=401, text="token t0ken is bad, key k3y as well")
        result = ollama.run(name="a", token="t0ken", headers={"X-Key": "k3y"}, fails=True)
        assert "t0ken" not in str(result)
        assert "k3y" not in str(result)

    def test_what_is_in_memory_cannot_be_asked(self, ollama):
        ollama.lists({"a:latest": A})
        ollama.server.expect("GET", "/api/ps", status=500, answer={"error": "boom"})
        result = ollama.run(name="a", state="absent", fails=True)
        assert result["msg"] == f"GET {ollama.url}/api/ps answered 500: boom."


class TestOutcomes:
    """Whatever fails, each model's outcome is told."""

    def test_the_look_at_what_is_in_memory(self, ollama):
        ollama.lists({"a:latest": A, "b:latest": OLD})
        ollama.server.expect("GET", "/api/ps", drop=True)
        result = ollama.run(models=["a", {"name": "b", "state": "absent"}], fails=True)
        assert [(model["name"], model["action"]) for model in result["models"]] == [
            ("a:latest", "none"),
            ("b:latest", "failed"),
        ]
        assert result["changed"] is False

    def test_the_look_after_removals(self, ollama):
        ollama.lists({"a:latest": A, "b:latest": OLD})
        ollama.has_in_memory()
        ollama.deletes("b:latest")
        ollama.server.expect("GET", "/api/tags", drop=True)
        result = ollama.run(models=["a", {"name": "b", "state": "absent"}], fails=True)
        assert [model["action"] for model in result["models"]] == ["none", "failed"]


def test_a_name_that_the_registry_does_not_know_fails_in_check_mode(ollama):
    name = ollama.name("m")
    ollama.lists({})
    ollama.registry_has(None)
    result = ollama.run(check=True, name=name, insecure=True, fails=True)
    assert result["models"] == [failed(result, name)]
    assert f"the registry {name.split('/')[0]} has no such model" in result["msg"]
