# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Custom models whose bases are not what they should be yet."""

from __future__ import annotations

from ollama_script import content, row, shown

BASE, NEWER, BUILT, BUILT_AGAIN = content("base"), content("newer"), content("built"), content("again")
SYSTEM = {"system": "Be kind."}


def pull_base(ollama, listed, of=BASE):
    """The requests of a plan that pulls the base, and of the pull."""
    name = ollama.name("m")
    second = ollama.second(name)
    ollama.lists(listed)
    ollama.registry_has(of)
    ollama.lacks(of.files)
    ollama.has_in_memory()
    if name in listed:
        ollama.copies(name, second)
    ollama.pulls(name)
    ollama.lists({**listed, name: of})
    ollama.stores(of.files)
    if name in listed:
        ollama.deletes(second)
    return name


def build(ollama, listed, built, model="x:latest", base=None, of=BASE):
    """The requests of a build of a model that is not there, or is there under a second name."""
    base = base or ollama.name("m")
    ollama.creates({"model": model, "from": base, **SYSTEM})
    ollama.lists({**listed, model: built})
    ollama.shows(base, shown(of))
    ollama.shows(model, shown(of, base, **SYSTEM))


class TestMissing:
    def test_it_is_pulled_first_with_the_options_of_the_model(self, ollama):
        name = pull_base(ollama, {})
        ollama.lists({name: BASE})
        build(ollama, {name: BASE}, BUILT)
        result = ollama.run(name="x", insecure=True, **{"from": name}, **SYSTEM)
        assert result["models"] == [row("x:latest", "created", None, BUILT), row(name, "pulled", None, BASE, BASE.size)]
        assert result["diff"]["after"] == {"x:latest": BUILT.digest, name: BASE.digest}

    def test_check(self, ollama):
        name = ollama.name("m")
        ollama.lists({})
        ollama.registry_has(BASE)
        ollama.lacks(BASE.files)
        result = ollama.run(check=True, name="x", insecure=True, **{"from": name}, **SYSTEM)
        assert result["models"] == [row("x:latest", "created"), row(name, "pulled", None, BASE, BASE.size)]

    def test_its_failure_is_that_of_the_model(self, ollama, recording):
        name = ollama.name("m")
        ollama.lists({})
        ollama.registry_has(BASE)
        ollama.lacks(BASE.files)
        ollama.has_in_memory()
        ollama.pulls(name, lines=recording("ollama")["pull_errors"]["unknown tag"])
        result = ollama.run(name="x", insecure=True, fails=True, **{"from": name}, **SYSTEM)
        own, error = (model["error"] for model in result["models"])
        assert own == f"x:latest is made from {name}, which failed."
        assert "pull model manifest: file does not exist" in error
        assert result["msg"] == f"2 of 2 models failed. {own} {error}"
        assert result["failure"] == {"url": f"{ollama.url}/api/pull", "status": 200, "error": own}
        assert result["models"] == [
            {**row("x:latest", "failed", None, None, None), "error": own},
            {**row(name, "failed", None, None, None), "error": error},
        ]


class TestLatest:
    """``latest`` is said of the base."""

    def test_another_base_makes_another_model(self, ollama):
        name, before = ollama.name("m"), {ollama.name("m"): BASE, "x:latest": BUILT}
        pull_base(ollama, before, NEWER)
        after, second = {**before, name: NEWER}, ollama.second("x:latest")
        ollama.lists(after)
        ollama.shows("x:latest", shown(BASE, name, **SYSTEM))
        ollama.shows(name, shown(NEWER))
        ollama.copies("x:latest", second)
        build(ollama, after, BUILT_AGAIN, of=NEWER)
        ollama.deletes(second)
        result = ollama.run(name="x", state="latest", insecure=True, **{"from": name}, **SYSTEM)
        assert result["models"] == [
            row("x:latest", "updated", BUILT, BUILT_AGAIN),
            row(name, "updated", BASE, NEWER, NEWER.size),
        ]

    def test_check(self, ollama):
        name = ollama.name("m")
        ollama.lists({name: BASE, "x:latest": BUILT})
        ollama.registry_has(NEWER)
        ollama.lacks(NEWER.files)
        result = ollama.run(check=True, name="x", state="latest", insecure=True, **{"from": name}, **SYSTEM)
        assert result["models"] == [
            row("x:latest", "updated", BUILT),
            row(name, "updated", BASE, NEWER, NEWER.size),
        ]
        assert result["diff"]["after"] == {"x:latest": "present with other from", name: NEWER.digest}

    def test_repeat(self, ollama):
        name = ollama.name("m")
        ollama.lists({name: BASE, "x:latest": BUILT})
        ollama.registry_has(BASE)
        ollama.stores([BASE.weights])
        ollama.shows("x:latest", shown(BASE, name, **SYSTEM))
        ollama.shows(name, shown(BASE))
        result = ollama.run(name="x", state="latest", insecure=True, **{"from": name}, **SYSTEM)
        assert result["changed"] is False

    def test_a_registry_that_cannot_be_asked_fails_both(self, ollama):
        name = ollama.name("m")
        ollama.lists({name: BASE, "x:latest": BUILT})
        ollama.registry_has(None)
        result = ollama.run(name="x", state="latest", insecure=True, fails=True, **{"from": name}, **SYSTEM)
        assert [model["action"] for model in result["models"]] == ["failed", "failed"]
        assert result["models"][0]["digest"] == BUILT.digest


class TestOrder:
    def test_each_model_is_built_after_its_base_and_listed_where_it_was(self, ollama):
        base = {"b:latest": BASE}
        ollama.lists(base)
        ollama.has_in_memory()
        ollama.lists(base)
        build(ollama, base, BUILT, "y:latest", "b:latest")
        ollama.lists({**base, "y:latest": BUILT})
        ollama.creates({"model": "x:latest", "from": "y:latest", "template": "{{ .System }}"})
        ollama.lists({**base, "y:latest": BUILT, "x:latest": NEWER})
        ollama.shows("y:latest", shown(BASE, "b:latest", **SYSTEM))
        ollama.shows("x:latest", {**shown(BASE, "y:latest", **SYSTEM), "template": "{{ .System }}"})
        models = [
            {"name": "x", "from": "y", "template": "{{ .System }}"},
            {"name": "y", "from": "b", **SYSTEM},
        ]
        result = ollama.run(models=models)
        assert result["models"] == [
            row("x:latest", "created", None, NEWER),
            row("y:latest", "created", None, BUILT),
            row("b:latest", "none", BASE, BASE),
        ]

    def test_what_becomes_of_a_base_decides_wherever_it_is_listed(self, ollama):
        ollama.lists({"b:latest": BASE, "x:latest": BUILT, "y:latest": NEWER})
        ollama.shows("y:latest", shown(BASE, "b:latest", system="Be rude."))
        ollama.shows("b:latest", shown(BASE))
        models = [{"name": "x", "from": "y", "template": "{{ .System }}"}, {"name": "y", "from": "b", **SYSTEM}]
        result = ollama.run(check=True, models=models)
        assert result["models"] == [
            row("x:latest", "updated", BUILT),
            row("y:latest", "updated", NEWER),
            row("b:latest", "none", BASE, BASE),
        ]

    def test_a_listed_base_has_its_own_state(self, ollama):
        name = ollama.name("m")
        ollama.lists({name: BASE, "x:latest": BASE})
        models = [{"name": "x", "from": name}, {"name": name, "state": "present"}]
        assert ollama.run(models=models, state="latest")["changed"] is False

    def test_a_base_that_nobody_lists_and_two_want_differently(self, ollama):
        models = [{"name": "x", "from": "b"}, {"name": "y", "from": "b", "state": "latest"}]
        result = ollama.run(models=models, fails=True)
        assert result["msg"] == "Models want their base b:latest in different ways: list the base itself."
        assert ollama.server.requests == []
