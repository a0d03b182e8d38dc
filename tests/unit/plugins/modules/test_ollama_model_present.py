# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ollama_script import content, row, shown

from ansible_collections.selfhosted.llm.plugins.modules import ollama_model

A, B = content("a"), content("bb")
NEW = content("new")
EMPTY = {"before": {}, "after": {}}


class TestChange:
    DIFF = staticmethod(lambda name: {"before": {name: "absent"}, "after": {name: NEW.digest}})

    def plan(self, ollama):
        ollama.lists({"a:latest": A})
        ollama.registry_has(NEW)
        ollama.lacks(NEW.files)

    def test_change(self, ollama):
        name = ollama.name("m")
        self.plan(ollama)
        ollama.has_in_memory()
        ollama.pulls(name)
        ollama.lists({"a:latest": A, name: NEW})
        ollama.stores(NEW.files)
        result = ollama.run(name=["a", name], insecure=True)
        assert (result["changed"], result["diff"]) == (True, self.DIFF(name))
        assert result["models"] == [row("a:latest", "none", A, A), row(name, "pulled", None, NEW, NEW.size)]
        assert result["warnings"] == []

    def test_check(self, ollama):
        name = ollama.name("m")
        self.plan(ollama)
        result = ollama.run(check=True, name=["a", name], insecure=True)
        assert (result["changed"], result["diff"]) == (True, self.DIFF(name))
        assert result["models"] == [row("a:latest", "none", A, A), row(name, "pulled", None, NEW, NEW.size)]

    @pytest.mark.parametrize("check", [False, True])
    def test_repeat_is_one_request(self, ollama, check):
        name = ollama.name("m")
        ollama.lists({"a:latest": A, "b:latest": B, name: NEW})
        result = ollama.run(check=check, name=["a", name], insecure=True)
        assert (result["changed"], result["diff"]) == (False, EMPTY)
        assert result["models"] == [row("a:latest", "none", A, A), row(name, "none", NEW, NEW)]

    def test_only_what_the_store_lacks_counts_as_transferred(self, ollama):
        name = ollama.name("m")
        ollama.lists({})
        ollama.registry_has(NEW)
        ollama.stores(NEW.files, lacks=[NEW.weights])
        assert ollama.run(check=True, name=name, insecure=True)["models"] == [row(name, "pulled", None, NEW, 3000)]

    def test_an_empty_list_of_an_older_server(self, ollama, server):
        server.expect("GET", "/api/tags", answer={"models": None})
        assert ollama.run(name="a", state="absent")["models"] == [row("a:latest", "none")]

    def test_an_empty_list_is_nothing_to_do(self, ollama):
        ollama.lists({"a:latest": A})
        assert ollama.run(name=[])["models"] == []


class TestRegistryOutOfReach:
    """The server may reach a registry that the host of the module does not."""

    WARNING = (
        "The registry registry.ollama.ai did not give the manifest of m:latest: GET"
        " https://registry.ollama.ai/v2/library/m/manifests/latest failed: [Errno 111] Connection refused."
        " Check that the host that runs the module reaches registry.ollama.ai, which may need a proxy."
        " The Ollama server is to pull them all the same, without a look at their size before: m:latest."
    )

    def test_it_is_pulled_all_the_same(self, ollama, recording):
        ollama.lists({})
        ollama.has_in_memory()
        ollama.pulls("m:latest", insecure=False, lines=recording("ollama")["pull"]["resumed"])
        ollama.lists({"m:latest": NEW})
        ollama.shows("m:latest", shown(NEW))
        ollama.stores([NEW.weights])
        result = ollama.run(name="m")
        assert result["models"] == [row("m:latest", "pulled", None, NEW, 210766560)]
        assert result["warnings"] == [self.WARNING]
        assert result["diff"] == {"before": {"m:latest": "absent"}, "after": {"m:latest": NEW.digest}}

    def test_check(self, ollama):
        ollama.lists({})
        result = ollama.run(check=True, name="m")
        assert result["models"] == [row("m:latest", "pulled", None, None, None)]
        assert result["diff"] == {"before": {"m:latest": "absent"}, "after": {"m:latest": "present"}}
        assert result["warnings"] == [self.WARNING]

    def test_whether_the_server_has_it_decides(self, ollama):
        # A registry of the server's own network, or one that wants the key of the server.
        name = ollama.name("m")
        ollama.lists({})
        ollama.registry_has(None)
        ollama.has_in_memory()
        ollama.pulls(name)
        ollama.lists({name: NEW})
        ollama.shows(name, shown(NEW))
        ollama.stores([NEW.weights])
        result = ollama.run(name=name, insecure=True)
        assert result["models"] == [row(name, "pulled", None, NEW, 0)]
        assert len(result["warnings"]) == 1


class TestNames:
    @pytest.mark.parametrize("name", ["a", "A:LATEST", "library/a", "registry.ollama.ai/Library/A", "a:local", " a "])
    def test_a_model_is_found_however_it_is_written(self, ollama, name):
        ollama.lists({"a:latest": A})
        assert ollama.run(name=name)["models"] == [row("a:latest", "none", A, A)]

    @pytest.mark.parametrize("name", ["a:1b", "someone/a", "h.invalid/library/a", "aa"])
    def test_and_not_taken_for_another(self, ollama, name):
        ollama.lists({"a:latest": A})
        assert ollama.run(check=True, name=name)["models"][0]["action"] == "pulled"

    def test_a_spelling_that_the_server_takes_from_another_model(self, ollama, server):
        # Recorded: it asks the registry for the tag Q4_K_M and stores that.
        base = ollama.name("m").removesuffix(":latest")
        other = {"x:Q4_K_M": A}
        ollama.lists(other)
        server.expect("GET", "/v2/ns/m/manifests/Q4_K_M", text=NEW.manifest)
        ollama.lacks(NEW.files)
        ollama.has_in_memory()
        ollama.pulls(f"{base}:Q4_K_M")
        ollama.lists({**other, f"{base}:Q4_K_M": NEW})
        ollama.stores(NEW.files)
        result = ollama.run(name=f"{base}:q4_k_m", insecure=True)
        assert result["models"] == [row(f"{base}:Q4_K_M", "pulled", None, NEW, NEW.size)]
        assert list(result["diff"]["after"]) == [f"{base}:Q4_K_M"]
        ollama.lists({**other, f"{base}:Q4_K_M": NEW})
        assert ollama.run(name=f"{base}:q4_k_m", insecure=True)["changed"] is False


class TestEntries:
    def test_each_has_its_own_options(self, ollama):
        name = ollama.name("m")
        models = ["a", {"name": "b", "state": "absent"}, {"name": f"http://{name}", "insecure": True}]
        ollama.lists({"a:latest": A, "b:latest": B})
        ollama.registry_has(NEW)
        ollama.lacks(NEW.files)
        ollama.has_in_memory()
        ollama.pulls(name)
        ollama.lists({"a:latest": A, "b:latest": B, name: NEW})
        ollama.stores(NEW.files)
        ollama.deletes("b:latest")
        ollama.lists({"a:latest": A, name: NEW})
        result = ollama.run(models=models)
        assert result["models"] == [
            row("a:latest", "none", A, A),
            row("b:latest", "removed", B),
            row(name, "pulled", None, NEW, NEW.size),
        ]
        assert result["diff"] == {
            "before": {"b:latest": B.digest, name: "absent"},
            "after": {"b:latest": "absent", name: NEW.digest},
        }
        ollama.lists({"a:latest": A, name: NEW})
        assert ollama.run(models=models)["changed"] is False

    def test_the_options_of_the_task_are_the_defaults(self, ollama):
        ollama.lists({"a:latest": A, "b:latest": B})
        result = ollama.run(check=True, models=["a", {"name": "b", "state": "present"}], state="absent")
        assert [model["action"] for model in result["models"]] == ["removed", "none"]

    def test_a_model_that_is_listed_twice_the_same_way_counts_once(self, ollama):
        ollama.lists({"a:latest": A})
        assert ollama.run(models=["a", {"name": "A:latest"}, "library/a"])["models"] == [row("a:latest", "none", A, A)]


class TestConnection:
    def test_the_token_is_for_the_server_and_not_for_the_registry(self, ollama, server):
        secrets = {"Authorization": "Bearer t0ken", "X-Proxy": "yes"}
        server.expect("GET", "/api/tags", sent=secrets, answer={"models": []})
        server.expect("GET", "/v2/ns/m/manifests/latest", sent=dict.fromkeys(secrets), text=NEW.manifest)
        with server.any_order():
            for digest in NEW.files:
                server.expect("HEAD", f"/api/blobs/{digest}", sent=secrets, status=404)
        ollama.run(check=True, name=ollama.name("m"), insecure=True, token="t0ken", headers={"X-Proxy": "yes"})

    def test_the_url_of_the_environment(self, ollama, run_module, monkeypatch):
        monkeypatch.setenv("OLLAMA_URL", ollama.url)
        ollama.lists({"a:latest": A})
        assert run_module(ollama_model, {"name": "a"})["models"][0]["action"] == "none"
