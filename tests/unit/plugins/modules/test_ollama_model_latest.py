# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time

import pytest
from ollama_script import Content, content, row, sha256, shown

from ansible_collections.selfhosted.llm.plugins.module_utils._ollama import models

OLD, NEW = content("old"), content("newer")
# The same files behind other bytes: an old server or another registry wrote the manifest.
REWRITTEN = content("old", indent=3)
EMPTY = {"before": {}, "after": {}}


def latest(ollama, check=False, fails=False, **params):
    return ollama.run(check, fails, **{"name": ollama.name("m"), "state": "latest", "insecure": True, **params})


class TestEqual:
    @pytest.mark.parametrize("check", [False, True])
    def test_it_is_one_request_to_the_registry_and_a_look_at_the_weights(self, ollama, check):
        name = ollama.name("m")
        ollama.lists({name: OLD})
        ollama.registry_has(OLD)
        ollama.stores([OLD.weights])
        result = latest(ollama, check)
        assert (result["changed"], result["diff"]) == (False, EMPTY)
        assert result["models"] == [row(name, "none", OLD, OLD)]

    @pytest.mark.parametrize("check", [False, True])
    def test_other_bytes_with_the_same_content_are_no_change(self, ollama, check):
        name = ollama.name("m")
        ollama.lists({name: OLD})
        ollama.registry_has(REWRITTEN)
        ollama.shows(name, shown(OLD))
        ollama.stores(OLD.files)
        ollama.stores([OLD.weights])
        result = latest(ollama, check)
        assert (result["changed"], result["models"]) == (False, [row(name, "none", OLD, OLD)])

    def test_all_are_asked_for_at_once(self, ollama, server):
        names = [ollama.name(f"m{number}") for number in range(5)]
        ollama.lists(dict.fromkeys(names, OLD))
        with server.any_order():
            for number in range(5):
                server.expect("GET", f"/v2/ns/m{number}/manifests/latest", text=OLD.manifest, delay=0.2)
                server.expect("HEAD", f"/api/blobs/{OLD.weights}", delay=0.2)
        started = time.monotonic()
        result = latest(ollama, name=names)
        assert time.monotonic() - started < 1
        assert result["models"] == [row(name, "none", OLD, OLD) for name in names]

    def test_a_model_in_the_cloud_has_no_weights_to_look_for(self, ollama):
        name, config = ollama.name("m"), f"sha256:{sha256('cloud')}"
        cloud = Content(f'{{"layers": null, "config": {{"digest": "{config}", "size": 300}}}}', {config: 300})
        ollama.lists({name: cloud})
        ollama.registry_has(cloud)
        assert latest(ollama)["models"] == [row(name, "none", cloud, cloud)]


class TestChange:
    DIFF = staticmethod(lambda name: {"before": {name: OLD.digest}, "after": {name: NEW.digest}})

    def plan(self, ollama):
        ollama.lists({ollama.name("m"): OLD})
        ollama.registry_has(NEW)
        # The template is the old one's.
        ollama.stores(NEW.files, lacks=[NEW.weights])

    def replace(self, ollama, in_memory=()):
        name = ollama.name("m")
        second = ollama.second(name)
        self.plan(ollama)
        ollama.has_in_memory(*in_memory)
        ollama.copies(name, second)
        ollama.pulls(name)
        ollama.lists({name: NEW, second: OLD})
        ollama.stores(NEW.files)
        return name, second

    def test_change(self, ollama):
        name, second = self.replace(ollama)
        ollama.deletes(second)
        result = latest(ollama)
        assert (result["changed"], result["diff"]) == (True, self.DIFF(name))
        assert result["models"] == [row(name, "updated", OLD, NEW, 5000)]

    def test_check(self, ollama):
        name = ollama.name("m")
        self.plan(ollama)
        result = latest(ollama, check=True)
        assert (result["changed"], result["diff"]) == (True, self.DIFF(name))
        assert result["models"] == [row(name, "updated", OLD, NEW, 5000)]

    def test_what_is_in_memory_is_ended_by_the_name_that_still_has_the_old_weights(self, ollama):
        # As recorded: the server cannot end the old runner by the name of the new model.
        name, second = self.replace(ollama, in_memory=["other:latest", ollama.name("m")])
        ollama.unloads(second)
        ollama.deletes(second)
        assert latest(ollama)["models"] == [row(name, "updated", OLD, NEW, 5000)]

    def test_all_files_are_there_because_another_model_has_them(self, ollama):
        name, other = ollama.name("m"), ollama.name("other")
        second = ollama.second(name)
        ollama.lists({name: OLD, other: NEW})
        ollama.registry_has(NEW)
        ollama.stores(NEW.files)
        ollama.has_in_memory()
        ollama.copies(name, second)
        ollama.pulls(name)
        ollama.lists({name: NEW, other: NEW, second: OLD})
        ollama.stores(NEW.files)
        ollama.deletes(second)
        assert latest(ollama)["models"] == [row(name, "updated", OLD, NEW, 0)]

    def test_a_model_that_is_not_there_is_pulled(self, ollama):
        name = ollama.name("m")
        ollama.lists({})
        ollama.registry_has(NEW)
        ollama.lacks(NEW.files)
        assert latest(ollama, check=True)["models"] == [row(name, "pulled", None, NEW, NEW.size)]

    def test_the_tag_moved_between_the_look_and_the_pull(self, ollama):
        name, newest = ollama.name("m"), content("newest")
        ollama.lists({})
        ollama.registry_has(NEW)
        ollama.lacks(NEW.files)
        ollama.has_in_memory()
        ollama.pulls(name)
        ollama.lists({name: newest})
        ollama.registry_has(newest)
        ollama.stores(newest.files)
        result = latest(ollama)
        assert [model["digest"] for model in result["models"]] == [newest.digest]
        assert result["diff"]["after"] == {name: newest.digest}

    def test_a_server_that_writes_its_own_manifest(self, ollama):
        # Servers before 0.19 do.
        name = ollama.name("m")
        ollama.lists({})
        ollama.registry_has(OLD)
        ollama.lacks(OLD.files)
        ollama.has_in_memory()
        ollama.pulls(name)
        ollama.lists({name: REWRITTEN})
        ollama.shows(name, shown(OLD))
        ollama.stores(OLD.files)
        ollama.stores(OLD.files)
        assert latest(ollama)["models"] == [row(name, "pulled", None, REWRITTEN, OLD.size)]

    def test_a_pull_that_brings_what_the_registry_does_not_have(self, ollama):
        name, other = ollama.name("m"), content("strange")
        second = ollama.second(name)
        self.plan(ollama)
        ollama.has_in_memory()
        ollama.copies(name, second)
        ollama.pulls(name)
        ollama.lists({name: other, second: OLD})
        ollama.registry_has(NEW)
        ollama.lists({name: other, second: OLD})
        ollama.deletes(name)
        ollama.copies(second, name)
        ollama.deletes(second)
        result = latest(ollama, fails=True)
        words = f"The pull of {name} by {ollama.url} brought the digest {other.digest}, not {NEW.digest}."
        assert result["failure"]["error"] == words
        assert result["models"] == [{**row(name, "failed", OLD, OLD, None), "error": result["msg"]}]
        assert (result["changed"], result["diff"]) == (False, EMPTY)


class TestWeightsGone:
    """The server goes on listing a model without its weights."""

    def plan(self, ollama):
        ollama.lists({ollama.name("m"): OLD})
        ollama.registry_has(OLD)
        ollama.lacks([OLD.weights])
        ollama.stores(OLD.files, lacks=[OLD.weights])

    def test_change(self, ollama):
        name = ollama.name("m")
        second = ollama.second(name)
        self.plan(ollama)
        ollama.has_in_memory()
        ollama.copies(name, second)
        ollama.pulls(name)
        ollama.lists({name: OLD, second: OLD})
        ollama.stores(OLD.files)
        ollama.deletes(second)
        result = latest(ollama)
        assert result["models"] == [row(name, "pulled", OLD, OLD, 3000)]
        assert result["diff"] == {"before": {name: "incomplete"}, "after": {name: OLD.digest}}

    def test_check(self, ollama):
        name = ollama.name("m")
        self.plan(ollama)
        result = latest(ollama, check=True)
        assert result["models"] == [row(name, "pulled", OLD, OLD, 3000)]
        assert result["diff"] == {"before": {name: "incomplete"}, "after": {name: OLD.digest}}

    def test_behind_other_bytes_of_the_manifest(self, ollama):
        name = ollama.name("m")
        ollama.lists({name: OLD})
        ollama.registry_has(REWRITTEN)
        ollama.shows(name, None)
        ollama.stores(OLD.files, lacks=[OLD.weights])
        assert latest(ollama, check=True)["models"] == [row(name, "updated", OLD, REWRITTEN, 3000)]


class TestRegistryError:
    @pytest.mark.parametrize("check", [False, True])
    def test_fail_is_the_default(self, ollama, check):
        name = ollama.name("m")
        ollama.lists({name: OLD, "other:latest": NEW})
        ollama.registry_has(None)
        entries = [name, {"name": "other", "state": "present"}]
        result = ollama.run(check, fails=True, models=entries, state="latest", insecure=True)
        message = (
            f"The registry {name.split('/')[0]} did not give the manifest of {name}: GET {ollama.url}"
            "/v2/ns/m/manifests/latest answered 404: not found. Check the spelling and the tag: the registry"
            f" {name.split('/')[0]} has no such model."
        )
        assert result["msg"] == message
        assert result["failure"]["status"] == 404
        assert result["models"] == [
            {**row(name, "failed", OLD, OLD, None), "error": message},
            row("other:latest", "none", NEW, NEW),
        ]

    @pytest.mark.parametrize("check", [False, True])
    def test_keep(self, ollama, check):
        name = ollama.name("m")
        ollama.lists({name: OLD})
        ollama.registry_has(None)
        result = latest(ollama, check, on_registry_error="keep")
        assert (result["changed"], result["models"]) == (False, [row(name, "none", OLD, OLD)])
        assert len(result["warnings"]) == 1
        assert result["warnings"][0].endswith(f" has no such model. Kept as they are: {name}.")

    def test_a_slow_one_does_not_hold_up_a_fleet(self, ollama, server, monkeypatch):
        monkeypatch.setattr(models, "REGISTRY_TIMEOUT", 0.2)
        name = ollama.name("m")
        ollama.lists({name: OLD})
        server.expect("GET", "/v2/ns/m/manifests/latest", delay=3)
        result = latest(ollama, fails=True)
        assert f"GET {ollama.url}/v2/ns/m/manifests/latest brought nothing for 0.2 seconds" in result["msg"]

    def test_one_warning_for_each_registry(self, ollama):
        one, two = (ollama.name(model) for model in ("one", "two"))
        ollama.lists({one: OLD, two: OLD})
        with ollama.server.any_order():
            ollama.registry_has(None, "one")
            ollama.registry_has(None, "two")
        result = ollama.run(name=[two, one], insecure=True, state="latest", on_registry_error="keep")
        assert len(result["warnings"]) == 1
        assert f"did not give the manifest of {one}:" in result["warnings"][0]
        assert result["warnings"][0].endswith(f"Kept as they are: {one}, {two}.")

    def test_keep_pulls_what_is_not_there(self, ollama):
        ollama.lists({})
        ollama.server.expect("GET", "/v2/ns/m/manifests/latest", status=503)
        result = latest(ollama, check=True, on_registry_error="keep")
        assert result["models"] == [row(ollama.name("m"), "pulled", None, None, None)]

    def test_keep_does_not_keep_what_is_not_whole(self, ollama):
        name = ollama.name("m")
        ollama.lists({name: OLD})
        ollama.registry_has(None)
        ollama.shows(name, None)
        result = latest(ollama, check=True, on_registry_error="keep", check_blobs=True)
        assert result["models"] == [row(name, "pulled", OLD, None, None)]
        assert result["warnings"][0].endswith(
            f"The Ollama server is to pull them all the same, without a look at their size before: {name}."
        )
