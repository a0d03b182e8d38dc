# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Stores that are not whole."""

from __future__ import annotations

import os

import pytest
from ollama_script import TEMPLATE, content, row, shown

from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.store import Store

A, NEW = content("a"), content("newer")
EMPTY_PART = "an empty part file (as SIGTERM can leave it) is in the store"


@pytest.fixture
def models_dir(tmp_path):
    (tmp_path / "models" / "blobs").mkdir(parents=True)
    return tmp_path / "models"


def keep(models_dir, name, of, without=()):
    """Put a model into a directory."""
    path = models_dir / "manifests" / name.replace(":latest", "/latest")
    path.parent.mkdir(parents=True)
    path.write_text(of.manifest, encoding="utf-8")
    for digest, size in of.files.items():
        if digest not in without:
            blob = models_dir / "blobs" / digest.replace(":", "-")
            blob.touch()
            os.truncate(blob, size)


class TestCheckBlobs:
    @pytest.mark.parametrize("check", [False, True])
    def test_a_whole_model(self, ollama, check):
        ollama.lists({"a:latest": A})
        ollama.shows("a:latest", shown(A))
        ollama.stores([A.weights])
        result = ollama.run(check, name="a", check_blobs=True)
        assert (result["changed"], result["models"]) == (False, [row("a:latest", "none", A, A)])

    def plan(self, ollama, remembered=False):
        # Recorded: a model without its weights is listed, and unknown to show. Unless it was shown before.
        name = ollama.name("m")
        ollama.lists({name: NEW})
        ollama.shows(name, shown(NEW) if remembered else None)
        if remembered:
            ollama.stores([NEW.weights], lacks=[NEW.weights])
        ollama.registry_has(NEW)
        ollama.stores(NEW.files, lacks=[NEW.weights])
        return name

    def test_change(self, ollama):
        name = self.plan(ollama)
        second = ollama.second(name)
        ollama.has_in_memory()
        ollama.copies(name, second)
        ollama.pulls(name)
        ollama.lists({name: NEW, second: NEW})
        ollama.stores(NEW.files)
        ollama.deletes(second)
        result = ollama.run(name=name, insecure=True, check_blobs=True)
        assert result["models"] == [row(name, "pulled", NEW, NEW, 5000)]
        assert result["diff"] == {"before": {name: "incomplete"}, "after": {name: NEW.digest}}

    @pytest.mark.parametrize("remembered", [False, True])
    def test_check(self, ollama, remembered):
        name = self.plan(ollama, remembered)
        result = ollama.run(check=True, name=name, insecure=True, check_blobs=True)
        assert result["models"] == [row(name, "pulled", NEW, NEW, 5000)]


class TestLostInThePull:
    """Recorded: another pull or removal can take a file that this pull has found in the store."""

    def pull(self, ollama, again=True, lacks=()):
        name = ollama.name("m")
        ollama.lists({})
        ollama.registry_has(NEW)
        ollama.lacks(NEW.files)
        ollama.has_in_memory()
        ollama.pulls(name)
        ollama.lists({name: NEW})
        ollama.stores(NEW.files, lacks=[NEW.weights])
        ollama.pulls(name)
        ollama.lists({name: NEW})
        ollama.stores(NEW.files, lacks)
        return name

    def test_one_more_pull_mends_it(self, ollama):
        name = self.pull(ollama)
        result = ollama.run(name=name, insecure=True)
        assert result["models"] == [row(name, "pulled", None, NEW, NEW.size)]

    def test_and_not_a_third(self, ollama):
        name = self.pull(ollama, lacks=[NEW.weights])
        ollama.deletes(name)
        result = ollama.run(name=name, insecure=True, fails=True)
        error = f"{ollama.url} said success to the pull of {name}, but lacks a file of it."
        assert result["failure"]["error"] == error
        assert result["models"] == [{**row(name, "failed", None, None, None), "error": result["msg"]}]

    def test_where_only_the_server_can_tell(self, ollama):
        ollama.lists({})
        ollama.has_in_memory()
        ollama.pulls("m:latest", insecure=False)
        ollama.lists({"m:latest": NEW})
        ollama.shows("m:latest", None)
        ollama.pulls("m:latest", insecure=False)
        ollama.lists({"m:latest": NEW})
        ollama.shows("m:latest", shown(NEW))
        ollama.stores([NEW.weights])
        assert ollama.run(name="m")["models"] == [row("m:latest", "pulled", None, NEW, 0)]


class TestModelsDir:
    def test_files_are_looked_at_without_a_request(self, ollama, models_dir):
        name = ollama.name("m")
        keep(models_dir, name, NEW)
        ollama.lists({name: NEW})
        result = ollama.run(name=name, models_dir=str(models_dir))
        assert (result["changed"], result["models"]) == (False, [row(name, "none", NEW, NEW)])

    def test_latest_costs_no_look_at_the_weights(self, ollama, models_dir):
        name = ollama.name("m")
        keep(models_dir, name, NEW)
        ollama.lists({name: NEW})
        ollama.registry_has(NEW)
        result = ollama.run(name=name, state="latest", insecure=True, models_dir=str(models_dir))
        assert (result["changed"], result["models"]) == (False, [row(name, "none", NEW, NEW)])

    @pytest.mark.parametrize("state", ["present", "latest"])
    def test_check_of_a_truncated_file(self, ollama, models_dir, state):
        name = ollama.name("m")
        keep(models_dir, name, NEW, without=[NEW.weights])
        (models_dir / "blobs" / NEW.weights.replace(":", "-")).write_bytes(bytes(10))
        ollama.lists({name: NEW})
        ollama.registry_has(NEW)
        result = ollama.run(check=True, name=name, state=state, insecure=True, models_dir=str(models_dir))
        assert result["models"] == [row(name, "pulled", NEW, NEW, 5000)]

    def test_a_truncated_file_is_removed_and_pulled_again(self, ollama, models_dir):
        # The server trusts every file by its name, whatever its size.
        name = ollama.name("m")
        keep(models_dir, name, NEW)
        blob = models_dir / "blobs" / NEW.weights.replace(":", "-")
        os.truncate(blob, 10)
        second = ollama.second(name)
        ollama.lists({name: NEW})
        ollama.registry_has(NEW)
        ollama.has_in_memory()
        ollama.copies(name, second)
        ollama.pulls(name)
        ollama.lists({name: NEW, second: NEW})
        ollama.pulls(name)
        ollama.lists({name: NEW, second: NEW})
        ollama.lists({name: NEW, second: NEW})
        ollama.deletes(name)
        ollama.copies(second, name)
        ollama.deletes(second)
        result = ollama.run(name=name, insecure=True, models_dir=str(models_dir), fails=True)
        # The scripted server has written nothing, which the second look finds as well.
        assert "but lacks a file of it" in result["msg"]
        assert result["warnings"] == [f"Removed what made {name} unusable: {blob}."]
        assert not blob.exists()

    def test_another_directory_than_that_of_the_server(self, ollama, models_dir):
        ollama.lists({"a:latest": A})
        result = ollama.run(name="a", models_dir=str(models_dir), fails=True)
        assert result["msg"] == (
            f"{ollama.url} lists a:latest, and {models_dir} has no manifest of it. Check that models_dir is the"
            " directory of this server, on the host that runs the module."
        )
        assert result["models"] == [{**row("a:latest", "failed", A, A, None), "error": result["msg"]}]

    def test_an_empty_manifest_is_removed_where_the_model_is_to_be_absent(self, ollama, models_dir):
        # The server does not list it, and answers its removal with EOF.
        path = models_dir / "manifests" / "registry.ollama.ai" / "library" / "a" / "latest"
        path.parent.mkdir(parents=True)
        path.touch()
        for check in (True, False):
            ollama.lists({})
            if not check:
                ollama.has_in_memory()
                ollama.lists({})
            result = ollama.run(check, name="a", state="absent", models_dir=str(models_dir))
            assert result["models"] == [row("a:latest", "removed")]
            assert result["changed"] is True
        assert not path.exists()
        ollama.lists({})
        assert ollama.run(name="a", state="absent", models_dir=str(models_dir))["changed"] is False


class TestSpace:
    @pytest.mark.parametrize("check", [False, True])
    def test_too_little(self, ollama, models_dir, monkeypatch, check):
        name = ollama.name("m")
        monkeypatch.setattr(Store, "free", lambda _store: NEW.size - 1)
        ollama.lists({})
        ollama.registry_has(NEW)
        result = ollama.run(check, name=name, insecure=True, models_dir=str(models_dir), fails=True)
        assert result["failure"]["error"] == (
            f"{name} needs {NEW.size} more bytes where {ollama.url} keeps its models, and {NEW.size - 1} bytes are free"
            " there."
        )
        assert result["models"] == [{**row(name, "failed", None, None, None), "error": result["msg"]}]

    @pytest.mark.parametrize("spare", [0, -1])
    def test_each_model_takes_of_it_and_a_shared_file_once(self, ollama, models_dir, monkeypatch, spare):
        one, two = names = [ollama.name(model) for model in ("one", "two")]
        rest = A.size - len(TEMPLATE)
        monkeypatch.setattr(Store, "free", lambda _store: NEW.size + rest + spare)
        ollama.lists({})
        with ollama.server.any_order():
            ollama.registry_has(NEW, "one")
            ollama.registry_has(A, "two")
        result = ollama.run(check=True, name=names, insecure=True, models_dir=str(models_dir), fails=bool(spare))
        assert [model["action"] for model in result["models"]] == ["pulled", "failed" if spare else "pulled"]
        assert result["models"][0] == row(one, "pulled", None, NEW, NEW.size)
        if spare:
            assert f"{two} needs {rest} more bytes" in result["msg"]

    def test_what_an_unfinished_download_has_is_not_needed_again(self, ollama, models_dir, monkeypatch):
        name = ollama.name("m")
        part = models_dir / "blobs" / f"{NEW.weights.replace(':', '-')}-partial-0"
        part.write_text('{"N": 0, "Offset": 0, "Size": 5000, "Completed": 4000}', encoding="utf-8")
        monkeypatch.setattr(Store, "free", lambda _store: NEW.size - 4000)
        ollama.lists({})
        ollama.registry_has(NEW)
        result = ollama.run(check=True, name=name, insecure=True, models_dir=str(models_dir))
        assert result["models"] == [row(name, "pulled", None, NEW, NEW.size - 4000)]


class TestEmptyPart:
    """Recorded: a server that is stopped in a pull can leave a file over which it stumbles for ever."""

    def pull(self, ollama, recording):
        name = ollama.name("m")
        ollama.has_in_memory()
        ollama.pulls(name, lines=recording("ollama")["pull_errors"][EMPTY_PART])
        return name

    def test_the_error_names_the_files(self, ollama, recording):
        ollama.lists({})
        ollama.registry_has(NEW)
        ollama.lacks(NEW.files)
        name = self.pull(ollama, recording)
        result = ollama.run(name=name, insecure=True, retries=5, fails=True)
        files = ", ".join(sorted(f"blobs/{digest.replace(':', '-')}-partial-*" for digest in NEW.files))
        assert result["msg"] == (
            f"{ollama.url} could not pull {name}: EOF. A server that was stopped in a pull can leave an empty part"
            f" file. Give its directory as models_dir and run the task again, or remove {files} there."
        )

    def test_as_far_as_they_are_known(self, ollama, recording):
        ollama.lists({})
        ollama.registry_has(None)
        name = self.pull(ollama, recording)
        result = ollama.run(name=name, insecure=True, fails=True)
        assert result["msg"].endswith("or remove the empty blobs/sha256-*-partial-* files there.")

    def test_with_the_directory_it_is_removed(self, ollama, models_dir):
        name = ollama.name("m")
        part = models_dir / "blobs" / f"{NEW.weights.replace(':', '-')}-partial-0"
        part.touch()
        ollama.lists({})
        ollama.registry_has(NEW)
        ollama.has_in_memory()
        ollama.pulls(name, lines=[{"status": "pulling manifest"}, {"error": "pull model manifest: 412: newer version"}])
        result = ollama.run(name=name, insecure=True, models_dir=str(models_dir), fails=True)
        assert result["warnings"] == [f"Removed what made {name} unusable: {part}."]
        assert not part.exists()
