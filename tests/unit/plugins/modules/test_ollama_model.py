# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.selfhosted.llm.plugins.modules import ollama_model

A, B, C = (f"{letter}:latest" for letter in "abc")
TAGS = ("GET", "/api/tags")


@pytest.fixture
def recorded(recording):
    """What a real server answered."""
    return recording("ollama")


@pytest.fixture
def stored(recorded):
    """``/api/tags`` with only the models of these names, out of the three recorded ones."""
    return lambda *names: {"models": [item for item in recorded["tags"]["models"] if item["name"] in names]}


@pytest.fixture
def run(server, run_module):
    return lambda params, **how: run_module(ollama_model, {"url": server.url, **params}, **how)


def row(name, digest, size, action):
    return {"name": name, "digest": digest, "size": size, "action": action}


DIGESTS = {
    A: "066db6dbfd9caf87e62a7ec1efeaa2b841b8fe7084c12e4e980cc93eba71e2a7",
    B: "54e27f41064b6a955187246238264af87645bbc6a547d1465298005cc3947ba2",
    C: "efb765a7d017bf8cdaaa7c9bdf3e463bcd4c5cdbf2a67d0909e366c7c06b0a2d",
}


def there(name, action="none"):
    return row(name, DIGESTS[name], 2983, action)


def pull_body(name, insecure=False):
    return {"model": name, "insecure": insecure, "stream": True}


def diff(before, after):
    return {"before": before, "after": after}


class TestPresent:
    PARAMS: t.ClassVar = {"name": ["a", "b"]}
    DIFF: t.ClassVar = diff({A: "absent"}, {A: "present"})

    def test_change(self, run, server, stored, recorded):
        server.expect(*TAGS, answer=stored(B))
        server.expect("POST", "/api/pull", pull_body(A), lines=recorded["pull"]["fresh"])
        server.expect(*TAGS, answer=stored(A, B))
        result = run(self.PARAMS)
        assert (result["changed"], result["diff"]) == (True, self.DIFF)
        assert result["models"] == [there(A, "pulled"), there(B)]

    @pytest.mark.parametrize("check", [False, True])
    def test_repeat_is_one_request(self, run, server, stored, check):
        server.expect(*TAGS, answer=stored(A, B, C))
        result = run(self.PARAMS, check=check)
        assert (result["changed"], result["diff"]) == (False, diff({}, {}))
        assert result["models"] == [there(A), there(B)]

    def test_check(self, run, server, stored):
        server.expect(*TAGS, answer=stored(B))
        result = run(self.PARAMS, check=True)
        assert (result["changed"], result["diff"]) == (True, self.DIFF)
        assert result["models"] == [row(A, None, None, "pulled"), there(B)]

    def test_on_an_empty_server(self, run, server, stored, recorded):
        server.expect(*TAGS, answer=recorded["tags_empty"])
        server.expect("POST", "/api/pull", pull_body(A), lines=recorded["pull"]["fresh"])
        server.expect("POST", "/api/pull", pull_body(B), lines=recorded["pull"]["nothing_new"])
        server.expect(*TAGS, answer=stored(A, B))
        assert run(self.PARAMS)["models"] == [there(A, "pulled"), there(B, "pulled")]

    def test_an_empty_list_of_an_older_server(self, run, server):
        server.expect(*TAGS, answer={"models": None})
        assert run({"name": "a", "state": "absent"})["changed"] is False

    def test_an_empty_list_is_nothing_to_do(self, run, server, stored):
        server.expect(*TAGS, answer=stored(A))
        assert run({"name": []})["models"] == []

    def test_the_whole_name_of_a_registry_is_sent_and_plain_http_asked_for(self, run, server, recorded):
        name = "127.0.0.1:5000/library/one:latest"
        server.expect(*TAGS, answer=recorded["tags_empty"])
        server.expect("POST", "/api/pull", pull_body(name, True), lines=recorded["pull"]["fresh"])
        server.expect(*TAGS, answer=recorded["tags_after_pull"])
        result = run({"name": "http://127.0.0.1:5000/library/one", "insecure": True})
        assert result["models"] == [
            row(name, "8134e83353b9c7ed13b7090a3c48df5071d4584064067de2712cc05889e4b4d5", 3058, "pulled")
        ]

    def test_connection_options(self, run, server, stored):
        server.expect(*TAGS, sent={"Authorization": "Bearer t0ken", "X-Proxy": "yes"}, answer=stored(A))
        run({"name": "a", "token": "t0ken", "headers": {"X-Proxy": "yes"}})

    def test_the_url_of_the_environment(self, run_module, server, stored, monkeypatch):
        server.expect(*TAGS, answer=stored(A))
        monkeypatch.setenv("OLLAMA_URL", server.url)
        assert run_module(ollama_model, {"name": "a"})["models"] == [there(A)]


class TestNames:
    @pytest.mark.parametrize("name", ["a", "A:LATEST", "library/a", "registry.ollama.ai/Library/A", "a:local", " a "])
    def test_a_model_is_found_however_it_is_written(self, run, server, stored, name):
        server.expect(*TAGS, answer=stored(A))
        assert run({"name": name})["models"] == [there(A)]

    @pytest.mark.parametrize("name", ["a:1b", "someone/a", "h.dot/library/a", "aa"])
    def test_and_not_taken_for_another(self, run, server, stored, name):
        server.expect(*TAGS, answer=stored(A))
        assert run({"name": name}, check=True)["models"][0]["action"] == "pulled"

    def test_a_spelling_that_the_server_took_from_another_model(self, run, server, stored, recorded):
        adopted = json.loads(json.dumps(recorded["tags_after_pull"]).replace("one:latest", "b:Q4_K_M"))
        server.expect(*TAGS, answer=recorded["tags_empty"])
        server.expect(
            "POST", "/api/pull", pull_body("127.0.0.1:5000/library/b:q4_k_m", True), lines=recorded["pull"]["fresh"]
        )
        server.expect(*TAGS, answer=adopted)
        result = run({"name": "127.0.0.1:5000/library/b:q4_k_m", "insecure": True})
        assert result["models"][0]["name"] == "127.0.0.1:5000/library/b:Q4_K_M"
        server.expect(*TAGS, answer=adopted)
        assert run({"name": "127.0.0.1:5000/library/b:q4_k_m", "insecure": True})["changed"] is False


class TestAbsent:
    PARAMS: t.ClassVar = {"name": ["a", "nosuch"], "state": "absent"}
    DIFF: t.ClassVar = diff({A: "present"}, {A: "absent"})
    ROWS: t.ClassVar = [there(A, "removed"), row("nosuch:latest", None, None, "none")]

    def test_change(self, run, server, stored):
        server.expect(*TAGS, answer=stored(A, B))
        server.expect("DELETE", "/api/delete", {"model": A})
        server.expect(*TAGS, answer=stored(B))
        result = run(self.PARAMS)
        assert (result["changed"], result["diff"], result["models"]) == (True, self.DIFF, self.ROWS)

    def test_check(self, run, server, stored):
        server.expect(*TAGS, answer=stored(A, B))
        result = run(self.PARAMS, check=True)
        assert (result["changed"], result["diff"], result["models"]) == (True, self.DIFF, self.ROWS)

    @pytest.mark.parametrize("check", [False, True])
    def test_repeat(self, run, server, stored, check):
        server.expect(*TAGS, answer=stored(B))
        result = run(self.PARAMS, check=check)
        assert (result["changed"], result["diff"]) == (False, diff({}, {}))
        assert result["models"] == [row(name, None, None, "none") for name in (A, "nosuch:latest")]

    def test_somebody_else_was_faster(self, run, server, stored, recorded):
        gone = recorded["delete_twice"]
        server.expect(*TAGS, answer=stored(A))
        server.expect("DELETE", "/api/delete", {"model": A}, status=gone["status"], answer=gone["body"])
        server.expect(*TAGS, answer=stored())
        assert run(self.PARAMS)["models"] == self.ROWS

    def test_still_listed_is_a_failure(self, run, server, stored):
        server.expect(*TAGS, answer=stored(A))
        server.expect("DELETE", "/api/delete", {"model": A})
        server.expect(*TAGS, answer=stored(A))
        assert f"{server.url} still lists a:latest after its removal." in run(self.PARAMS, fails=True)["msg"]

    def test_an_error_of_the_server(self, run, server, stored, recorded):
        broken = recorded["delete_empty_manifest"]
        server.expect(*TAGS, answer=stored(A))
        server.expect("DELETE", "/api/delete", {"model": A}, status=broken["status"], answer=broken["body"])
        result = run(self.PARAMS, fails=True)
        assert result["msg"] == f"DELETE {server.url}/api/delete answered 500: EOF."
        assert result["failure"]["status"] == 500


class TestModels:
    PARAMS: t.ClassVar = {
        "models": ["a", {"name": "b", "state": "absent"}, {"name": "h:5000/library/c", "insecure": True}]
    }

    def test_each_entry_has_its_own_state(self, run, server, stored, recorded):
        mirrored = json.loads(json.dumps(stored(C)).replace(C, "h:5000/library/c:latest"))
        after = {"models": stored(A)["models"] + mirrored["models"]}
        server.expect(*TAGS, answer=stored(A, B))
        server.expect("POST", "/api/pull", pull_body("h:5000/library/c:latest", True), lines=recorded["pull"]["fresh"])
        server.expect("DELETE", "/api/delete", {"model": B})
        server.expect(*TAGS, answer=after)
        result = run(self.PARAMS)
        assert result["models"] == [
            there(A),
            there(B, "removed"),
            row("h:5000/library/c:latest", DIGESTS[C], 2983, "pulled"),
        ]
        server.expect(*TAGS, answer=after)
        assert run(self.PARAMS)["changed"] is False

    def test_the_options_of_the_task_are_the_defaults(self, run, server, stored):
        server.expect(*TAGS, answer=stored(A, B))
        result = run({"models": ["a", {"name": "b", "state": "present"}], "state": "absent"}, check=True)
        assert [item["action"] for item in result["models"]] == ["removed", "none"]

    def test_a_model_that_is_listed_twice_the_same_way_counts_once(self, run, server, stored):
        server.expect(*TAGS, answer=stored(A))
        assert run({"models": ["a", {"name": "A:latest"}, "library/a"]})["models"] == [there(A)]

    @pytest.mark.parametrize(
        ("params", "words"),
        [
            ({"models": ["a", {"name": "A", "state": "absent"}]}, "A:latest is listed twice"),
            ({"models": ["a", {"name": "a", "insecure": True}]}, "a:latest is listed twice"),
            ({"models": ["a", 7]}, "7 is neither the name of a model nor a dictionary"),
            ({"models": ["a", ["b"]]}, "['b'] is neither the name of a model"),
            ({"models": ["a", {"state": "absent"}]}, "missing required arguments: name"),
            ({"models": ["a", {"name": "b", "tag": "x"}]}, "tag"),
            ({"models": ["a", {"name": "b", "state": "latest"}]}, "value of state must be one of: present, absent"),
            ({"models": ["a", {"name": "b", "insecure": "perhaps"}]}, "insecure"),
            ({"models": ["a", "x:"]}, "'x:' is not a model name"),
            ({"name": ["a", "bad name"]}, "'bad name' is not a model name"),
            ({"name": ["a"], "models": ["b"]}, "mutually exclusive"),
            ({}, "one of the following is required: name, models"),
            ({"name": "a", "stall_timeout": 0}, "stall_timeout must be more than 0 seconds"),
            ({"name": "a", "state": "latest"}, "value of state must be one of: present, absent"),
        ],
    )
    @pytest.mark.parametrize("check", [False, True])
    def test_what_makes_no_sense_is_refused_before_anything_is_sent(self, run, server, params, words, check):
        assert words in run(params, check=check, fails=True)["msg"]
        assert server.requests == []


class TestExclusive:
    PARAMS: t.ClassVar = {"name": ["b"], "exclusive": True}
    DIFF: t.ClassVar = diff({A: "present", C: "present"}, {A: "absent", C: "absent"})
    ROWS: t.ClassVar = [there(B), there(A, "removed"), there(C, "removed")]

    def test_change(self, run, server, stored):
        server.expect(*TAGS, answer=stored(A, B, C))
        server.expect("DELETE", "/api/delete", {"model": A})
        server.expect("DELETE", "/api/delete", {"model": C})
        server.expect(*TAGS, answer=stored(B))
        result = run(self.PARAMS)
        assert (result["changed"], result["diff"], result["models"]) == (True, self.DIFF, self.ROWS)

    def test_check(self, run, server, stored):
        server.expect(*TAGS, answer=stored(A, B, C))
        result = run(self.PARAMS, check=True)
        assert (result["changed"], result["diff"], result["models"]) == (True, self.DIFF, self.ROWS)

    @pytest.mark.parametrize("check", [False, True])
    def test_repeat(self, run, server, stored, check):
        server.expect(*TAGS, answer=stored(B))
        result = run(self.PARAMS, check=check)
        assert (result["changed"], result["models"]) == (False, [there(B)])

    def test_nothing_is_removed_when_a_pull_fails(self, run, server, stored, recorded):
        server.expect(*TAGS, answer=stored(A, C))
        server.expect("POST", "/api/pull", pull_body(B), lines=recorded["pull_errors"]["unknown model, registry 404"])
        assert "could not pull b:latest" in run(self.PARAMS, fails=True)["msg"]

    @pytest.mark.parametrize("models", [[], [{"name": "a", "state": "absent"}]])
    def test_a_list_that_would_empty_the_server_is_refused(self, run, server, models):
        assert "allow_empty permits it" in run({"models": models, "exclusive": True}, fails=True)["msg"]
        assert server.requests == []

    def test_unless_it_is_permitted(self, run, server, stored, recorded):
        server.expect(*TAGS, answer=stored(A))
        server.expect("DELETE", "/api/delete", {"model": A})
        server.expect(*TAGS, answer=recorded["tags_empty"])
        assert run({"models": [], "exclusive": True, "allow_empty": True})["models"] == [there(A, "removed")]

    @pytest.mark.parametrize("check", [False, True])
    def test_a_model_that_the_api_cannot_remove_stops_it_before_any_change(self, run, server, stored, check):
        # DELETE of z:local would remove z:latest.
        server.expect(*TAGS, answer=json.loads(json.dumps(stored(A, C)).replace(C, "z:local")))
        result = run(self.PARAMS, check=check, fails=True)
        assert f"{server.url} cannot remove z:local" in result["msg"]


class TestFailures:
    def test_success_without_a_model(self, run, server, stored, recorded):
        server.expect(*TAGS, answer=stored(B))
        server.expect("POST", "/api/pull", pull_body(A), lines=recorded["pull"]["fresh"])
        server.expect(*TAGS, answer=stored(B))
        assert f"{server.url} said success to the pull of a:latest" in run({"name": "a"}, fails=True)["msg"]

    def test_a_registry_that_answers_braces_fails_now_and_is_pulled_again_next_time(self, run, server, recorded):
        name = "127.0.0.1:5000/library/empty:latest"
        params = {"name": name, "insecure": True}
        for before in (recorded["tags_empty"], recorded["tags_after_empty_manifest"]):
            server.expect(*TAGS, answer=before)
            server.expect("POST", "/api/pull", pull_body(name, True), lines=recorded["pull"]["manifest_of_braces"])
            server.expect(*TAGS, answer=recorded["tags_after_empty_manifest"])
            assert f"said success to the pull of {name}" in run(params, fails=True)["msg"]
        server.expect(*TAGS, answer=recorded["tags_after_empty_manifest"])
        result = run(params, check=True)
        assert result["diff"] == diff({name: "incomplete"}, {name: "present"})
        assert result["models"] == [row(name, None, None, "pulled")]

    def test_a_failed_pull_says_which_model_where_and_what_to_do(self, run, server, stored, recorded):
        server.expect(*TAGS, answer=stored())
        server.expect("POST", "/api/pull", pull_body(A), lines=recorded["pull"]["fresh"])
        server.expect("POST", "/api/pull", pull_body("nosuch:latest"), lines=recorded["pull_errors"]["unknown tag"])
        result = run({"name": ["a", "nosuch", "b"]}, fails=True)
        assert result["msg"] == (
            f"{server.url} could not pull nosuch:latest: pull model manifest: file does not exist."
            " Check the spelling and the tag: the registry registry.ollama.ai has no such model."
        )
        assert result["failure"]["url"] == f"{server.url}/api/pull"

    def test_a_stall(self, run, server, recorded, stored):
        frozen = server.repeat(recorded["pull"]["frozen_line"], 0.06)
        server.expect(*TAGS, answer=stored())
        server.expect("POST", "/api/pull", pull_body(A), lines=[frozen])
        result = run({"name": "a", "stall_timeout": 0.3}, fails=True)
        assert "nothing moved for 0.3 seconds" in result["msg"]

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
    def test_a_listing_that_fails(self, run, server, answer, words, check):
        server.expect(*TAGS, **answer)
        result = run({"name": "a"}, check=check, fails=True)
        assert words in result["msg"]
        assert f"{server.url}/api/tags" in result["msg"]

    def test_a_slow_listing(self, run, server):
        server.expect(*TAGS, delay=3)
        assert "brought nothing for 0.2 seconds" in run({"name": "a", "timeout": 0.2}, fails=True)["msg"]

    def test_a_token_is_never_shown(self, run, server):
        server.expect(*TAGS, status=401, text="token t0ken is bad, key k3y as well")
        result = run({"name": "a", "token": "t0ken", "headers": {"X-Key": "k3y"}}, fails=True)
        assert "t0ken" not in str(result)
        assert "k3y" not in str(result)
