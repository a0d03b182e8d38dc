# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


from __future__ import annotations

import hashlib
import shutil

import pytest
from ollama_script import content, row, shown

A, OTHER, BUILT, NEW = content("a"), content("other"), content("built"), content("newer")
OPTIONS = {
    "from": "a",
    "system": "Be kind.",
    "parameters": {"temperature": "0.3", "num_ctx": 8192, "stop": ["###"]},
    "messages": [{"role": "user", "content": "Hello"}],
}
BODY = {**OPTIONS, "from": "a:latest", "parameters": {**OPTIONS["parameters"], "temperature": 0.3}}
SYSTEM = {"system": "Be kind."}
PARAMETERS = 'temperature                    0.3\nnum_ctx                        8192\nstop "###"'
HELPDESK = shown(A, "a:latest", parameters=PARAMETERS, messages=OPTIONS["messages"], **SYSTEM)
CREATED = {"before": {"x:latest": "absent"}, "after": {"x:latest": BUILT.digest}}
UPDATED = {"before": {"x:latest": OTHER.digest}, "after": {"x:latest": f"{BUILT.digest} with other system"}}


def prove(ollama, listed, built=None):
    ollama.lists(listed)
    ollama.shows("a:latest", shown(A))
    ollama.shows("x:latest", built or HELPDESK)


class TestNew:
    @pytest.mark.parametrize("way", ["task", "entry", "modelfile"])
    def test_change(self, ollama, way):
        params = {"name": "x", **OPTIONS}
        if way == "entry":
            params = {"models": [params]}
        elif way == "modelfile":
            text = (
                "FROM a\nSYSTEM Be kind.\nPARAMETER temperature 0.3\nPARAMETER num_ctx 8192\nPARAMETER stop ###\n"
                "MESSAGE user Hello\n"
            )
            params = {"name": "x", "modelfile": text}
        ollama.lists({"a:latest": A})
        ollama.has_in_memory()
        ollama.lists({"a:latest": A})
        ollama.creates({"model": "x:latest", **BODY})
        prove(ollama, {"a:latest": A, "x:latest": BUILT})
        result = ollama.run(**params)
        assert (result["changed"], result["diff"]) == (True, CREATED)
        assert result["models"] == [row("x:latest", "created", None, BUILT), row("a:latest", "none", A, A)]

    def test_check(self, ollama):
        ollama.lists({"a:latest": A})
        result = ollama.run(check=True, name="x", **OPTIONS)
        assert result["diff"] == {"before": {"x:latest": "absent"}, "after": {"x:latest": "present"}}
        assert result["models"] == [row("x:latest", "created"), row("a:latest", "none", A, A)]

    @pytest.mark.parametrize("check", [False, True])
    def test_repeat(self, ollama, check):
        ollama.lists({"a:latest": A, "x:latest": BUILT})
        ollama.shows("x:latest", HELPDESK)
        ollama.shows("a:latest", shown(A))
        result = ollama.run(check, name="x", **OPTIONS)
        assert result["changed"] is False
        assert result["models"] == [row("x:latest", "none", BUILT, BUILT), row("a:latest", "none", A, A)]

    def test_a_creation_that_is_refused(self, ollama):
        # As recorded for a bad template: an error before the first line has a status.
        ollama.lists({"a:latest": A})
        ollama.has_in_memory()
        ollama.lists({"a:latest": A})
        body = {"model": "x:latest", "from": "a:latest", "template": "{{ .Bad"}
        ollama.creates(body, status=400, answer={"error": "template error: template: :1: unclosed action"})
        ollama.deletes("x:latest", status=404, answer={"error": "model 'x:latest' not found"})
        result = ollama.run(name="x", **{"from": "a", "template": "{{ .Bad"}, fails=True)
        assert result["failure"]["status"] == 400
        assert result["msg"] == (
            f"{ollama.url} could not create x:latest: POST {ollama.url}/api/create answered 400: template error:"
            " template: :1: unclosed action. Check the Go template: Jinja reads its braces first, unless it is marked"
            " with !unsafe."
        )
        assert result["models"][0] == {**row("x:latest", "failed", None, None, None), "error": result["msg"]}


class TestOther:
    """A model that differs. Each time it is built from its base: built from itself it would keep what it has."""

    OLD = shown(A, "a:latest", system="Be rude.")

    def plan(self, ollama, old=None, in_memory=None):
        listed = {"a:latest": A, "x:latest": OTHER}
        for _look in range(1 if in_memory is None else 2):
            ollama.lists(listed)
            ollama.shows("x:latest", old or self.OLD)
            ollama.shows("a:latest", shown(A))
            if in_memory is not None and _look == 0:
                ollama.has_in_memory(*in_memory)

    @pytest.mark.parametrize("in_memory", [[], ["x:latest"]])
    def test_change(self, ollama, in_memory):
        second = ollama.second("x:latest")
        self.plan(ollama, in_memory=in_memory)
        ollama.copies("x:latest", second)
        ollama.creates({"model": "x:latest", "from": "a:latest", **SYSTEM})
        prove(ollama, {"a:latest": A, "x:latest": BUILT, second: OTHER}, built=shown(A, "a:latest", **SYSTEM))
        if in_memory:
            ollama.unloads(second)
        ollama.deletes(second)
        result = ollama.run(name="x", **{"from": "a"}, **SYSTEM)
        assert (result["changed"], result["diff"]) == (True, UPDATED)
        assert result["models"] == [row("x:latest", "updated", OTHER, BUILT), row("a:latest", "none", A, A)]

    def test_check(self, ollama):
        self.plan(ollama)
        result = ollama.run(check=True, name="x", **{"from": "a"}, **SYSTEM)
        assert result["diff"]["after"] == {"x:latest": "present with other system"}
        assert result["models"][0] == row("x:latest", "updated", OTHER)

    def test_a_parameter_that_the_task_no_longer_has(self, ollama):
        self.plan(ollama, shown(A, "a:latest", parameters="top_k                          20", **SYSTEM))
        result = ollama.run(check=True, name="x", **{"from": "a"}, **SYSTEM)
        assert result["diff"]["after"] == {"x:latest": "present with other parameters.top_k"}

    def test_one_whose_weights_are_gone_is_built_again_and_that_is_a_change(self, ollama):
        listed, second = {"a:latest": A, "x:latest": BUILT}, ollama.second("x:latest")
        for look in range(2):
            ollama.lists(listed)
            ollama.shows("x:latest", None)
            if not look:
                ollama.has_in_memory()
        ollama.copies("x:latest", second)
        ollama.creates({"model": "x:latest", "from": "a:latest", **SYSTEM})
        prove(ollama, {**listed, second: BUILT}, built=shown(A, "a:latest", **SYSTEM))
        ollama.deletes(second)
        result = ollama.run(name="x", **{"from": "a"}, **SYSTEM)
        assert result["changed"] is True
        assert result["models"][0] == row("x:latest", "updated", BUILT, BUILT)

    @pytest.mark.parametrize("lacks", [False, True])
    def test_its_files_are_looked_for(self, ollama, lacks):
        ollama.lists({"a:latest": A, "x:latest": BUILT})
        ollama.shows("a:latest", shown(A))
        ollama.stores([A.weights])
        ollama.shows("x:latest", HELPDESK)
        ollama.shows("a:latest", shown(A))
        ollama.shows("x:latest", HELPDESK)
        ollama.stores([A.weights], lacks=[A.weights] if lacks else [])
        result = ollama.run(check=True, name="x", check_blobs=True, **OPTIONS)
        assert result["models"][0]["action"] == ("updated" if lacks else "none")
        assert result["diff"]["after"] == ({"x:latest": "present with other files"} if lacks else {})

    def test_what_fails_leaves_the_old_one(self, ollama):
        second = ollama.second("x:latest")
        self.plan(ollama, in_memory=[])
        ollama.copies("x:latest", second)
        ollama.creates(
            {"model": "x:latest", "from": "a:latest", **SYSTEM}, lines=[{"error": "no space left on device"}]
        )
        ollama.lists({"a:latest": A, "x:latest": OTHER, second: OTHER})
        ollama.deletes("x:latest")
        ollama.copies(second, "x:latest")
        ollama.deletes(second)
        result = ollama.run(name="x", **{"from": "a"}, **SYSTEM, fails=True)
        assert f"{ollama.url} could not create x:latest: no space left on device." in result["msg"]
        assert result["models"][0] == {**row("x:latest", "failed", OTHER, OTHER, None), "error": result["msg"]}

    def test_success_without_the_wanted_content(self, ollama):
        second = ollama.second("x:latest")
        self.plan(ollama, in_memory=[])
        ollama.copies("x:latest", second)
        ollama.creates({"model": "x:latest", "from": "a:latest", **SYSTEM})
        prove(ollama, {"a:latest": A, "x:latest": OTHER, second: OTHER}, built=self.OLD)
        ollama.lists({"a:latest": A, "x:latest": OTHER, second: OTHER})
        ollama.deletes("x:latest")
        ollama.copies(second, "x:latest")
        ollama.deletes(second)
        result = ollama.run(name="x", **{"from": "a"}, **SYSTEM, fails=True)
        assert "said success to the creation of x:latest, which still has another system than wanted." in result["msg"]


ALIAS = {"name": "x", "from": "a"}


class TestAlias:
    """A model that is only another name."""

    def test_change(self, ollama):
        ollama.lists({"a:latest": A})
        ollama.has_in_memory()
        ollama.lists({"a:latest": A})
        ollama.copies("a:latest", "x:latest")
        ollama.lists({"a:latest": A, "x:latest": A})
        result = ollama.run(**ALIAS)
        assert result["models"] == [row("x:latest", "copied", None, A), row("a:latest", "none", A, A)]
        assert result["diff"] == {"before": {"x:latest": "absent"}, "after": {"x:latest": A.digest}}

    def test_of_another_model_before(self, ollama):
        # Copied over it, its files would stay for ever.
        second = ollama.second("x:latest")
        ollama.lists({"a:latest": A, "x:latest": OTHER})
        ollama.has_in_memory()
        ollama.lists({"a:latest": A, "x:latest": OTHER})
        ollama.copies("x:latest", second)
        ollama.deletes("x:latest")
        ollama.copies("a:latest", "x:latest")
        ollama.lists({"a:latest": A, "x:latest": A, second: OTHER})
        ollama.deletes(second)
        result = ollama.run(**ALIAS)
        assert result["models"] == [row("x:latest", "copied", OTHER, A), row("a:latest", "none", A, A)]

    def test_check(self, ollama):
        ollama.lists({"a:latest": A, "x:latest": OTHER})
        assert ollama.run(check=True, **ALIAS)["models"][0] == row("x:latest", "copied", OTHER)

    @pytest.mark.parametrize("check", [False, True])
    def test_repeat_is_one_request(self, ollama, check):
        ollama.lists({"a:latest": A, "x:latest": A})
        assert ollama.run(check, **ALIAS)["changed"] is False


class TestFiles:
    """The server rewrites a file, so that only a record on the host can tell what a model was made of."""

    SHOWN = shown(OTHER)

    @pytest.fixture
    def gguf(self, tmp_path):
        path = tmp_path / "m.gguf"
        path.write_bytes(b"GGUF and weights")
        return path

    def build(self, ollama, gguf, before=None, has_blob=False, after=BUILT):
        digest = f"sha256:{hashlib.sha256(gguf.read_bytes()).hexdigest()}"
        listed, second = {"x:latest": before} if before else {}, ollama.second("x:latest")
        for _look in range(2):
            ollama.lists(listed)
            if before:
                ollama.shows("x:latest", self.SHOWN)
            if _look == 0:
                ollama.has_in_memory()
        if before:
            ollama.copies("x:latest", second)
        ollama.stores([digest], lacks=[] if has_blob else [digest])
        if not has_blob:
            ollama.server.expect("POST", f"/api/blobs/{digest}", gguf.read_bytes(), status=201)
        ollama.creates({"model": "x:latest", "files": {"m.gguf": digest}})
        ollama.lists({"x:latest": after})
        ollama.shows("x:latest", self.SHOWN)
        if before:
            ollama.deletes(second)
        return ollama.run(name="x", files=[str(gguf)])

    def look(self, ollama, gguf, **how):
        ollama.lists({"x:latest": BUILT})
        ollama.shows("x:latest", self.SHOWN)
        return ollama.run(name="x", files=[str(gguf)], **how)

    def test_change_and_repeat(self, ollama, gguf):
        assert self.build(ollama, gguf)["models"] == [row("x:latest", "created", None, BUILT, 16)]
        for check in (False, True):
            result = self.look(ollama, gguf, check=check)
            assert (result["changed"], result["warnings"]) == (False, [])
            assert result["models"] == [row("x:latest", "none", BUILT, BUILT)]

    def test_another_file(self, ollama, gguf):
        self.build(ollama, gguf)
        gguf.write_bytes(b"GGUF and other weights")
        result = self.look(ollama, gguf, check=True)
        assert result["diff"]["after"] == {"x:latest": "present with other files"}
        result = self.build(ollama, gguf, before=BUILT, after=NEW)
        assert result["models"] == [row("x:latest", "updated", BUILT, NEW, 22)]

    def test_without_a_record_building_shows(self, ollama, gguf, tmp_path):
        self.build(ollama, gguf)
        shutil.rmtree(tmp_path / "state")
        result = self.look(ollama, gguf, check=True)
        assert (result["changed"], result["models"]) == (True, [row("x:latest", "updated", BUILT)])
        assert "It cannot be known whether x:latest has to be built again" in result["warnings"][0]
        # The same files give the same digest.
        result = self.build(ollama, gguf, before=BUILT, has_blob=True)
        assert (result["changed"], result["models"]) == (False, [row("x:latest", "none", BUILT, BUILT)])
        assert self.look(ollama, gguf)["changed"] is False
