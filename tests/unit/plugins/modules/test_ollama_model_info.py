# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import json

import pytest
import yaml

from ansible_collections.selfhosted.llm.plugins.doc_fragments import _ollama, _ollama_registry
from ansible_collections.selfhosted.llm.plugins.module_utils._http import ApiError
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.registry import Registry
from ansible_collections.selfhosted.llm.plugins.modules import ollama_model_info

LISTINGS = [("GET", "/api/version"), ("GET", "/api/tags"), ("GET", "/api/ps")]
# As a real server told of a loaded model.
RUNNING = {
    "name": "a:latest",
    "model": "a:latest",
    "size": 230686,
    "digest": "066db6dbfd9caf87e62a7ec1efeaa2b841b8fe7084c12e4e980cc93eba71e2a7",
    "details": {"parent_model": "", "format": "gguf", "family": "llama", "families": ["llama"]},
    "expires_at": "2319-03-04T17:27:39.438044861Z",
    "size_vram": 0,
    "context_length": 128,
}


@pytest.fixture
def run(server, run_module):
    return lambda params, **how: run_module(ollama_model_info, {"url": server.url, **params}, **how)


def expect_listings(server, recorded, tags="tags", running=()):
    server.expect("GET", "/api/version", answer=recorded["version"])
    server.expect("GET", "/api/tags", answer=recorded[tags])
    server.expect("GET", "/api/ps", answer={"models": list(running)})


@pytest.mark.parametrize("check", [False, True])
def test_everything_sorted_by_name(run, server, recording, check):
    expect_listings(server, recording("ollama"))
    result = run({}, check=check)
    assert (result["changed"], result["version"], result["running"]) == (False, "0.0.0", [])
    assert [model["name"] for model in result["models"]] == ["a:latest", "b:latest", "c:latest"]
    assert result["models"][0] == {
        "name": "a:latest",
        "digest": "066db6dbfd9caf87e62a7ec1efeaa2b841b8fe7084c12e4e980cc93eba71e2a7",
        "size": 2983,
        "modified_at": "2026-11-22T17:40:09.935569092Z",
        "family": "llama",
        "parameter_size": "0K",
        "quantization": "F32",
        "capabilities": ["completion"],
    }


@pytest.mark.parametrize(
    ("name", "found"),
    [("B", ["b:latest"]), (["c", "nosuch", "A:LATEST"], ["a:latest", "c:latest"]), ("a:1b", []), ([], [])],
)
def test_only_some(run, server, recording, name, found):
    expect_listings(server, recording("ollama"), running=[RUNNING, {**RUNNING, "name": "c:latest"}])
    result = run({"name": name})
    assert [model["name"] for model in result["models"]] == found
    assert [model["name"] for model in result["running"]] == [name for name in found if name != "b:latest"]


def test_an_empty_server(run, server, recording):
    expect_listings(server, recording("ollama"), "tags_empty")
    result = run({"check_remote": True})
    assert (result["models"], result["running"]) == ([], [])
    assert server.sent == LISTINGS


def test_a_server_that_says_less(run, server, recording):
    # As recorded of a model whose manifest was "{}": no capabilities, empty details.
    expect_listings(server, recording("ollama"), "tags_after_empty_manifest")
    model = run({})["models"][0]
    assert (model["name"], model["size"], model["capabilities"]) == ("127.0.0.1:5000/library/empty:latest", 0, None)


def test_a_bad_name_is_refused_before_anything_is_sent(run, server):
    assert "'x:' is not a model name" in run({"name": ["a", "x:"]}, fails=True)["msg"]
    assert server.requests == []


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"timeout": 0}, "timeout must be more than 0 seconds and at most a day."),
        ({"timeout": "inf"}, "timeout must be more than 0 seconds and at most a day."),
        ({"timeout": "nan"}, "timeout must be more than 0 seconds and at most a day."),
        ({"registry_ca_path": "/nosuch.pem"}, "registry_ca_path: /nosuch.pem cannot be read on the host"),
    ],
)
def test_transport_options_that_make_no_sense_are_refused_before_anything_is_sent(run, server, params, words):
    assert words in run(params, fails=True)["msg"]
    assert server.requests == []


@pytest.mark.parametrize("failing", [path for _method, path in LISTINGS])
def test_an_error(run, server, recording, failing):
    answers = {"/api/version": recording("ollama")["version"], "/api/tags": recording("ollama")["tags"]}
    for _method, path in LISTINGS[: LISTINGS.index(("GET", failing))]:
        server.expect("GET", path, answer=answers[path])
    server.expect("GET", failing, status=500, answer={"error": "boom"})
    result = run({}, fails=True)
    assert result["msg"] == f"GET {server.url}{failing} answered 500: boom."
    assert result["failure"] == {
        "url": f"{server.url}{failing}",
        "status": 500,
        "error": f"GET {server.url}{failing} answered 500: boom.",
    }


def test_something_else_than_ollama(run, server):
    server.expect("GET", "/api/version", answer="1.0")
    assert "Check that the URL is that of an Ollama server." in run({}, fails=True)["msg"]


EXAMPLES = [
    task["selfhosted.llm.ollama_model_info"] or {}
    for task in yaml.safe_load(ollama_model_info.EXAMPLES)
    if "selfhosted.llm.ollama_model_info" in task
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_each_example_runs(run, server, recording, monkeypatch, tmp_path, example):
    def manifests(_registry, models):
        return {name.key: ApiError("no", "https://registry.ollama.ai", 404) for name, _insecure in models}

    monkeypatch.setattr(Registry, "manifests", manifests)
    expect_listings(server, recording("ollama"))
    if "registry_ca_path" in example:
        (tmp_path / "ca.pem").touch()
        example = {**example, "registry_ca_path": str(tmp_path / "ca.pem")}
    result = run({**example, "url": server.url})
    assert [("remote" in model) for model in result["models"]] == [
        example.get("check_remote", False) for _model in result["models"]
    ]
    assert server.sent == LISTINGS


def test_each_option_has_an_example():
    fragments = (_ollama.ModuleDocFragment, _ollama_registry.ModuleDocFragment)
    texts = [ollama_model_info.DOCUMENTATION, *(fragment.DOCUMENTATION for fragment in fragments)]
    options = {option for text in texts for option in yaml.safe_load(text)["options"]}
    assert {option for example in EXAMPLES for option in example} == options


class TestRunning:
    def test_a_current_one(self, run, server, recording):
        expect_listings(server, recording("ollama"), running=[{**RUNNING, "name": "A:latest"}])
        assert run({})["running"] == [
            {
                "name": "A:latest",
                "digest": RUNNING["digest"],
                "size": 230686,
                "size_vram": 0,
                "context_length": 128,
                "expires_at": "2319-03-04T17:27:39.438044861Z",
                "outdated": False,
            }
        ]

    def test_the_old_weights_beside_the_new(self, run, server, recording):
        # After an update of a loaded model a real server lists its name twice.
        expect_listings(server, recording("ollama"), running=[{**RUNNING, "digest": "0" * 64}, RUNNING])
        running = run({})["running"]
        assert [(item["name"], item["outdated"]) for item in running] == [("a:latest", True), ("a:latest", False)]

    def test_a_model_that_was_removed_from_the_store(self, run, server, recording):
        expect_listings(server, recording("ollama"), "tags_empty", [RUNNING])
        assert run({})["running"][0]["outdated"] is True

    def test_a_filter_does_not_make_one_outdated(self, run, server, recording):
        expect_listings(server, recording("ollama"), running=[RUNNING])
        assert run({"name": "a"})["running"][0]["outdated"] is False


class TestRemote:
    """One server is Ollama and the registry of its models."""

    @staticmethod
    def digest(content):
        return f"sha256:{hashlib.sha256(content).hexdigest()}"

    def manifest(self, **files):
        """The manifest of a model with files of this content."""
        layers = [
            {"mediaType": f"application/vnd.ollama.image.{kind}", "digest": self.digest(file), "size": len(file)}
            for kind, file in files.items()
        ]
        return json.dumps({"layers": layers}).encode()

    @pytest.fixture
    def host(self, server):
        return server.url.rpartition("/")[2]

    @pytest.fixture
    def stored(self, server, host):
        """Scripts the listings: models by name, each with the digest and the size of a manifest."""

        def script(**manifests):
            server.ordered = False
            models = [
                {
                    "name": f"{host}/library/{name}:latest",
                    "digest": hashlib.sha256(raw).hexdigest(),
                    "size": sum(layer["size"] for layer in json.loads(raw)["layers"]),
                }
                for name, raw in manifests.items()
            ]
            server.expect("GET", "/api/version", answer={"version": "0.0.0"})
            server.expect("GET", "/api/tags", answer={"models": models})
            server.expect("GET", "/api/ps", answer={"models": []})

        return script

    def offer(self, server, name, **answer):
        server.expect("GET", f"/v2/library/{name}/manifests/latest", sent={"Authorization": None}, **answer)

    def expect_blobs(self, server, stored=(), missing=()):
        for files, status in ((stored, 200), (missing, 404)):
            for file in files:
                server.expect("HEAD", f"/api/blobs/{self.digest(file)}", status=status)

    def remotes(self, result):
        return [model["remote"] for model in result["models"]]

    def row(self, raw, action, missing):
        size = sum(layer["size"] for layer in json.loads(raw)["layers"])
        digest = hashlib.sha256(raw).hexdigest()
        return {"digest": digest, "size": size, "missing": missing, "action": action, "error": None}

    def test_nothing_new(self, run, server, stored):
        one, two = self.manifest(model=b"one"), self.manifest(model=b"two", system=b"s")
        stored(one=one, two=two)
        self.offer(server, "one", text=one)
        self.offer(server, "two", text=two)
        self.expect_blobs(server, stored=[b"one", b"two"])
        result = run({"check_remote": True, "insecure": True, "token": "s3cret", "headers": {"X-Key": "k"}})
        assert self.remotes(result) == [self.row(one, "none", 0), self.row(two, "none", 0)]
        # One listing of each kind, a manifest and a look at the weights per model.
        assert server.sent[:3] == LISTINGS
        assert len(server.sent) == 3 + 2 + 2
        assert "warnings" not in result

    def test_an_update(self, run, server, stored):
        old, new = self.manifest(model=b"old", system=b"s"), self.manifest(model=b"newer", system=b"s", license=b"l")
        stored(one=old)
        self.offer(server, "one", text=new)
        self.expect_blobs(server, stored=[b"s"], missing=[b"newer", b"l"])
        result = run({"check_remote": True, "insecure": True})
        assert self.remotes(result) == [self.row(new, "updated", len(b"newer") + len(b"l"))]

    def test_a_file_of_several_models_is_asked_for_once(self, run, server, stored):
        new = [self.manifest(model=b"shared", system=name) for name in (b"1", b"2")]
        stored(one=self.manifest(model=b"a"), two=self.manifest(model=b"b"))
        self.offer(server, "one", text=new[0])
        self.offer(server, "two", text=new[1])
        self.expect_blobs(server, stored=[b"1", b"2"], missing=[b"shared"])
        result = run({"check_remote": True, "insecure": True})
        assert self.remotes(result) == [self.row(raw, "updated", len(b"shared")) for raw in new]

    def test_the_same_files_by_another_manifest(self, run, server, stored, host):
        raw = self.manifest(model=b"weights", system=b"Be kind.")
        stored(one=raw + b" ")
        self.offer(server, "one", text=raw)
        weights = self.digest(b"weights").replace(":", "-")
        shown = {"modelfile": f"# FROM one\n\nFROM /models/blobs/{weights}\n", "system": "Be kind."}
        server.expect("POST", "/api/show", {"model": f"{host}/library/one:latest"}, answer=shown)
        self.expect_blobs(server, stored=[b"weights", b"Be kind."])
        # Once more for the weights, with those of all other models.
        self.expect_blobs(server, stored=[b"weights"])
        assert self.remotes(run({"check_remote": True, "insecure": True})) == [self.row(raw, "none", 0)]

    def test_the_files_are_there_for_another_model(self, run, server, stored):
        old, new = self.manifest(model=b"a", params=b"1"), self.manifest(model=b"a", params=b"2")
        stored(one=old, two=new)
        self.offer(server, "one", text=new)
        self.offer(server, "two", text=new)
        self.expect_blobs(server, stored=[b"a", b"2"])
        result = run({"check_remote": True, "insecure": True})
        assert self.remotes(result) == [self.row(new, "updated", 0), self.row(new, "none", 0)]

    def test_a_listed_model_without_weights(self, run, server, stored):
        raw = self.manifest(model=b"weights", system=b"s")
        stored(one=raw)
        self.offer(server, "one", text=raw)
        self.expect_blobs(server, missing=[b"weights"])
        result = run({"check_remote": True, "insecure": True})
        assert self.remotes(result) == [self.row(raw, "updated", len(b"weights"))]

    @pytest.mark.parametrize(("answer", "warns"), [({"status": 503}, True), ({"status": 404}, False)])
    def test_a_registry_that_does_not_tell(self, run, server, stored, host, answer, warns):
        raw = self.manifest(model=b"weights")
        stored(one=raw, two=raw)
        self.offer(server, "one", **answer)
        self.offer(server, "two", text=raw)
        self.expect_blobs(server, stored=[b"weights"])
        result = run({"check_remote": True, "insecure": True})
        unknown, known = self.remotes(result)
        assert known == self.row(raw, "none", 0)
        error = unknown.pop("error")
        assert error.startswith(f"The registry {host} did not give the manifest of {host}/library/one:latest: GET ")
        assert unknown == dict.fromkeys(("digest", "size", "missing", "action"))
        # A model that was made on the server is in no registry. How a warning is wrapped depends on ansible-core.
        warning = f"It is not known what the registry has of {host}/library/one:latest: see remote.error there."
        assert (warning in json.dumps(result.get("warnings"))) is warns

    def test_only_some_are_asked_for(self, run, server, stored, host):
        raw = self.manifest(model=b"weights")
        stored(one=raw, two=raw)
        self.offer(server, "two", text=raw)
        self.expect_blobs(server, stored=[b"weights"])
        result = run({"check_remote": True, "insecure": True, "name": f"{host}/library/TWO"})
        assert self.remotes(result) == [self.row(raw, "none", 0)]

    def test_plain_http_is_never_for_the_public_registry(self, run, server, recording, monkeypatch):
        asked = []

        def manifests(_registry, models):
            asked.extend(models)
            return {name.key: ApiError("no", "https://registry.ollama.ai", 404) for name, _insecure in asked}

        monkeypatch.setattr(Registry, "manifests", manifests)
        expect_listings(server, recording("ollama"))
        assert run({"check_remote": True, "insecure": True, "name": "a"})["models"][0]["remote"]["error"] == "no"
        assert [(str(name), insecure) for name, insecure in asked] == [("a:latest", False)]

    def test_where_and_how_long_to_ask(self, run, server, recording, monkeypatch, tmp_path):
        made = []
        monkeypatch.setattr(ollama_model_info, "Registry", lambda *arguments: made.append(arguments))
        expect_listings(server, recording("ollama"))
        (tmp_path / "ca.pem").touch()
        ca_path = str(tmp_path / "ca.pem")
        run({"check_remote": True, "registry_ca_path": ca_path, "ca_path": "/o.pem", "timeout": 10})
        assert made == [(ca_path, 10.0)]
