# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ollama_script import content, row

OLD, NEW, OTHER = content("old"), content("newer"), content("something else")
EMPTY = {"before": {}, "after": {}}


def pinned(ollama, digest=NEW.digest, check=False, fails=False, **params):
    return ollama.run(check, fails, **{"name": ollama.name("m"), "digest": digest, "insecure": True, **params})


class TestThere:
    @pytest.mark.parametrize("digest", [NEW.digest, f"sha256:{NEW.digest}", f" {NEW.digest.upper()}\n"])
    @pytest.mark.parametrize("state", ["present", "latest"])
    def test_it_is_one_request(self, ollama, digest, state):
        # A pinned model cannot be newer, so that the registry is not asked.
        name = ollama.name("m")
        ollama.lists({name: NEW})
        result = pinned(ollama, digest, state=state)
        assert (result["changed"], result["models"]) == (False, [row(name, "none", NEW, NEW)])


class TestChange:
    def plan(self, ollama, installed):
        ollama.lists(installed)
        ollama.registry_has(NEW)
        ollama.lacks(NEW.files)

    def test_change(self, ollama):
        name = ollama.name("m")
        second = ollama.second(name)
        self.plan(ollama, {name: OLD})
        ollama.has_in_memory()
        ollama.copies(name, second)
        ollama.pulls(name)
        ollama.lists({name: NEW, second: OLD})
        ollama.stores(NEW.files)
        ollama.deletes(second)
        result = pinned(ollama)
        assert result["models"] == [row(name, "updated", OLD, NEW, NEW.size)]
        assert result["diff"] == {"before": {name: OLD.digest}, "after": {name: NEW.digest}}

    def test_check(self, ollama):
        name = ollama.name("m")
        self.plan(ollama, {name: OLD})
        assert pinned(ollama, check=True)["models"] == [row(name, "updated", OLD, NEW, NEW.size)]

    def test_in_an_entry(self, ollama):
        name = ollama.name("m")
        self.plan(ollama, {})
        result = ollama.run(check=True, models=[{"name": name, "digest": NEW.digest}], insecure=True)
        assert result["models"] == [row(name, "pulled", None, NEW, NEW.size)]


class TestAnotherOne:
    @pytest.mark.parametrize("check", [False, True])
    @pytest.mark.parametrize("keep", ["keep", "fail"])
    def test_the_registry_has_another_one(self, ollama, check, keep):
        name = ollama.name("m")
        ollama.lists({name: OLD})
        ollama.registry_has(OTHER)
        result = pinned(ollama, check=check, fails=True, on_registry_error=keep)
        assert result["failure"]["error"] == (
            f"The registry {name.split('/')[0]} has {name} with the digest {OTHER.digest}, not with the wanted"
            f" {NEW.digest}."
        )
        assert result["models"] == [{**row(name, "failed", OLD, OLD, None), "error": result["msg"]}]
        assert (result["changed"], result["diff"]) == (False, EMPTY)

    def pull(self, ollama, before):
        """The registry is not asked, because it cannot be, and the server gets another model from it."""
        name = ollama.name("m")
        ollama.lists({name: before} if before else {})
        ollama.registry_has(None)
        ollama.has_in_memory()
        if before:
            ollama.copies(name, ollama.second(name))
        ollama.pulls(name)
        ollama.lists({name: OTHER})
        if before:
            ollama.lists({name: OTHER, ollama.second(name): OLD})
        ollama.deletes(name)
        return name

    def words(self, ollama, name):
        return f"The pull of {name} by {ollama.url} brought the digest {OTHER.digest}, not {NEW.digest}."

    def test_the_old_one_is_brought_back(self, ollama):
        name = self.pull(ollama, OLD)
        ollama.copies(ollama.second(name), name)
        ollama.deletes(ollama.second(name))
        result = pinned(ollama, fails=True)
        assert result["failure"]["error"] == self.words(ollama, name)
        assert result["models"] == [{**row(name, "failed", OLD, OLD, None), "error": result["msg"]}]

    def test_the_new_one_goes_where_nothing_was(self, ollama):
        name = self.pull(ollama, None)
        result = pinned(ollama, fails=True)
        assert result["failure"]["error"] == self.words(ollama, name)
        assert result["models"] == [{**row(name, "failed", None, None, None), "error": result["msg"]}]

    def test_the_old_one_cannot_be_brought_back_and_is_not_lost(self, ollama):
        # On a full disk a copy fails. The second name is then the only one that the old model has.
        name = self.pull(ollama, OLD)
        ollama.copies(ollama.second(name), name, status=500, answer={"error": "no space left on device"})
        assert pinned(ollama, fails=True)["failure"]["error"] == self.words(ollama, name)
