# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What registries hold (registry.py), and whether a server holds the same (remote.py)."""

from __future__ import annotations

import json
import socket
import time

import pytest

from ansible_collections.selfhosted.llm.plugins.module_utils._http import (
    ApiError,
    ConnectError,
    HttpClient,
    ServiceError,
)
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama import registry as registry_module
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.client import OllamaClient
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.names import parse
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.registry import Layer, Registry, parse_manifest
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.remote import (
    missing,
    same_content,
    weights_present,
)

ACCEPT = "application/vnd.docker.distribution.manifest.v2+json"
KIND = "application/vnd.ollama.image."
WEIGHTS = "sha256:118a54affd6d8c6b265f3cbf22320979acc8eb97211a2e2cf9e0977d694d23f8"
TEMPLATE = "sha256:b507b9c2f6ca642bffcd06665ea7c91f235fd32daeefdf875a0f938db05fb315"
LICENSE = "sha256:8a25340c2297563ab4f3e3bfc611622fcd76c86f92686608199f43b62eb7fc79"
SYSTEM = "sha256:15d6cc3672414cc43b7557e04cbdcf5de584ee9a0bd1c8a2e77f4169e9fdd216"
PARAMS = "sha256:5091756ed670b914eaa641d8c8079ef00d26f69b870a4bfcd5b40450645540f7"
CONFIG = "sha256:1abffa4ded78f892054d67f21e70a7b80e706492d200172384efaf964061f79d"
# The file that a real server wrote for a model made from "a" with the system prompt "You are Mario.".
RAW = (
    f'{{"schemaVersion":2,"mediaType":"{ACCEPT}",'
    f'"config":{{"mediaType":"application/vnd.docker.container.image.v1+json","digest":"{CONFIG}","size":151}},"layers":['
    f'{{"mediaType":"{KIND}model","digest":"{WEIGHTS}","size":47520,"from":"a:latest"}},'
    f'{{"mediaType":"{KIND}template","digest":"{TEMPLATE}","size":13,"from":"a:latest"}},'
    f'{{"mediaType":"{KIND}license","digest":"{LICENSE}","size":10,"from":"a:latest"}},'
    f'{{"mediaType":"{KIND}system","digest":"{SYSTEM}","size":14}},'
    f'{{"mediaType":"{KIND}params","digest":"{PARAMS}","size":59}}]}}\n'
).encode()
# What sha256sum says of it.
DIGEST = "b6b47a0d76b9968222a7637e5b7ad864907ca938d196efd7d5dc977656ecabad"
LAYERS = [WEIGHTS, TEMPLATE, LICENSE, SYSTEM, PARAMS, CONFIG]


@pytest.fixture
def host(server):
    return server.url.rpartition("/")[2]


@pytest.fixture
def registry():
    return Registry(None, 5)


def edited(**changes):
    return json.dumps({**json.loads(RAW), **changes}).encode()


def layer(**changes):
    return {"mediaType": f"{KIND}model", "digest": WEIGHTS, "size": 5, **changes}


class TestParse:
    def test_what_a_real_server_wrote(self):
        manifest = parse_manifest(RAW)
        assert manifest.digest == DIGEST
        assert [entry.digest for entry in manifest.layers] == LAYERS
        assert manifest.layers[0] == Layer(f"{KIND}model", WEIGHTS, 47520)
        assert (manifest.size, manifest.weights) == (47520 + 13 + 10 + 14 + 59 + 151, WEIGHTS)
        assert (manifest.digest_of("system"), manifest.digest_of("adapter")) == (SYSTEM, None)

    @pytest.mark.parametrize("layers", [None, []])
    def test_a_model_in_the_cloud_has_only_a_configuration(self, layers):
        manifest = parse_manifest(edited(layers=layers))
        assert ([entry.digest for entry in manifest.layers], manifest.weights) == ([CONFIG], None)

    @pytest.mark.parametrize("config", [None, {}, {"mediaType": "", "digest": "", "size": 0}])
    def test_the_configuration_may_be_left_out(self, config):
        assert [entry.digest for entry in parse_manifest(edited(config=config)).layers] == LAYERS[:-1]

    @pytest.mark.parametrize(
        ("raw", "reason"),
        [
            (b"", "it is not JSON"),
            (RAW[:300], "it is not JSON"),
            (b"<html>Sign in</html>", "it is not JSON"),
            (b"[" * 100_000, "it is not JSON"),
            (b"\xff{}", "it is not JSON"),
            (b"[]", "it is no JSON object"),
            (b"null", "it is no JSON object"),
            (b"{}", "it has no layers"),
            (b'{"layers": [], "config": {}}', "it has no layers"),
            (b'{"schemaVersion": 2, "manifests": [{"digest": "sha256:00"}]}', "it has no layers"),
            (edited(layers={"a": 1}), "its layers make no sense"),
            (edited(layers=["a"]), "its layers make no sense"),
            (edited(config="a"), "its layers make no sense"),
        ],
    )
    def test_no_manifest(self, raw, reason):
        with pytest.raises(ValueError, match=f"^{reason}$"):
            parse_manifest(raw)

    @pytest.mark.parametrize(
        "digest",
        [
            None,
            7,
            "",
            "sha256:../../../../etc/passwd",
            f"sha256:{'a' * 63}",
            f"sha256:{'a' * 65}",
            f"sha256:{'a' * 64}\n",
            f"sha256:{'A' * 64}",
            f"sha256-{'a' * 64}",
            f"sha512:{'a' * 64}",
            f"../{'a' * 64}",
        ],
    )
    def test_a_digest_that_would_make_a_path(self, digest):
        with pytest.raises(ValueError, match="it has a layer with the digest"):
            parse_manifest(edited(layers=[layer(digest=digest)]))

    @pytest.mark.parametrize("size", [None, "5", -1, True, 1.5])
    def test_a_size_that_is_none(self, size):
        with pytest.raises(ValueError, match="it has a layer with the size"):
            parse_manifest(edited(layers=[layer(size=size)]))


class TestManifest:
    def test_one(self, server, host, registry):
        server.expect(
            "GET",
            "/v2/library/m/manifests/1b",
            text=RAW,
            sent={"Accept": ACCEPT, "Authorization": None},
            headers={"content-type": "text/plain"},
        )
        assert registry.manifest(parse(f"{host}/library/m:1b"), insecure=True) == parse_manifest(RAW)

    def test_the_tag_as_it_is_written(self, server, host, registry):
        server.expect("GET", "/v2/User_1/M-GGUF/manifests/Q4_K_M", text=RAW)
        registry.manifest(parse(f"{host}/User_1/M-GGUF:Q4_K_M"), insecure=True)

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_a_redirection_is_followed(self, server, host, registry, status):
        server.expect("GET", "/v2/u/m/manifests/x", status=status, headers={"Location": "/api/m?tag=x#part"})
        server.expect(
            "GET", "/api/m?tag=x", status=307, headers={"Location": f"http://localhost:{host.rpartition(':')[2]}/m"}
        )
        server.expect("GET", "/m", text=RAW, sent={"Accept": ACCEPT})
        assert registry.manifest(parse(f"{host}/u/m:x"), insecure=True).digest == DIGEST

    def test_redirections_without_end(self, server, host, registry):
        for _hop in range(4):
            server.expect("GET", "/v2/u/m/manifests/x", status=307, headers={"Location": "/v2/u/m/manifests/x"})
        with pytest.raises(ApiError, match="redirects again and again"):
            registry.manifest(parse(f"{host}/u/m:x"), insecure=True)

    @pytest.mark.parametrize("location", ["", "file:///etc/passwd", "ftp://example.com/m"])
    def test_a_redirection_to_something_else(self, server, host, registry, location):
        server.expect("GET", "/v2/u/m/manifests/x", status=302, headers={"Location": location})
        with pytest.raises(ApiError, match="which is not followed") as caught:
            registry.manifest(parse(f"{host}/u/m:x"), insecure=True)
        assert caught.value.status == 302

    @pytest.mark.parametrize("status", [302, 308])
    def test_a_redirection_that_is_no_url(self, server, host, registry, status):
        server.expect("GET", "/v2/u/m/manifests/x", status=status, headers={"Location": "http://[::1/m"})
        with pytest.raises(ServiceError, match="did not give the manifest"):
            registry.manifest(parse(f"{host}/u/m:x"), insecure=True)

    def test_a_redirection_with_credentials(self, server, host, registry):
        server.expect("GET", "/v2/u/m/manifests/x", status=302, headers={"Location": f"http://u:secret@{host}/m"})
        with pytest.raises(ConnectError) as caught:
            registry.manifest(parse(f"{host}/u/m:x"), insecure=True)
        assert "secret" not in str(caught.value.result())

    def test_no_redirection_from_https_to_http(self, monkeypatch, registry):
        answer = registry_module.Response("https://r.example.com/v2", 307, {"location": "http://r.example.com/v2"}, b"")
        monkeypatch.setattr(HttpClient, "request", lambda *_args: answer)
        with pytest.raises(ApiError, match="which is not followed"):
            registry.manifest(parse("r.example.com/u/m:x"), insecure=False)

    def test_the_public_registry_is_asked_by_https(self, monkeypatch, registry):
        asked = []

        def request(client, method, path):
            asked.append((method, client.base_url, path, client.token, client.headers))
            return registry_module.Response("", 200, {}, RAW)

        monkeypatch.setattr(HttpClient, "request", request)
        registry.manifest(parse("llama3.2"), insecure=False)
        assert asked == [
            ("GET", "https://registry.ollama.ai", "/v2/library/llama3.2/manifests/latest", None, {"Accept": ACCEPT})
        ]


class TestErrors:
    @pytest.mark.parametrize(
        ("status", "text", "hint"),
        [
            (404, '{"errors":[{"code":"MANIFEST_UNKNOWN"}]}', "Check the spelling and the tag: the registry {} has no"),
            (401, "", "The registry {} wants credentials, which Ollama cannot send, or has no such model."),
            (403, "no", "The registry {} wants credentials, which Ollama cannot send, or has no such model."),
            (
                400,
                "Client sent an HTTP request to an HTTPS server.",
                "The registry {} speaks TLS: set insecure to false.",
            ),
            (412, "requires a newer version of Ollama", "Update the Ollama server: the model needs a newer version."),
            (429, "slow down", "The registry {} is busy or limits requests: run the task again later."),
            (503, "", "The registry {} is busy or limits requests: run the task again later."),
            (418, "tea", "Check what answers as {}: it may be the sign-in page of a proxy"),
            (200, "{}", "Check what answers as {}: it may be the sign-in page of a proxy"),
            (200, "<html>", "Check what answers as {}: it may be the sign-in page of a proxy"),
            (204, "", "Check what answers as {}: it may be the sign-in page of a proxy"),
        ],
    )
    def test_an_answer(self, server, host, registry, status, text, hint):
        server.expect("GET", "/v2/u/m/manifests/x", status=status, text=text)
        with pytest.raises(ApiError) as caught:
            registry.manifest(parse(f"{host}/u/m:x"), insecure=True)
        error = caught.value
        assert error.message.startswith(f"The registry {host} did not give the manifest of {host}/u/m:x: ")
        assert f"GET {server.url}/v2/u/m/manifests/x answered" in error.message
        assert text in error.message
        assert error.hint.startswith(hint.format(host))
        assert (error.status, error.url) == (status, f"{server.url}/v2/u/m/manifests/x")

    def test_what_is_wrong_with_a_manifest_is_told(self, server, host, registry):
        server.expect("GET", "/v2/u/m/manifests/x", text="{}")
        with pytest.raises(ApiError, match=r"is no manifest: it has no layers \('\{\}'\)\.$"):
            registry.manifest(parse(f"{host}/u/m:x"), insecure=True)

    def test_plain_http_where_tls_was_expected(self, server, host, registry):
        with pytest.raises(ConnectError) as caught:
            registry.manifest(parse(f"{host}/u/m"), insecure=False)
        assert caught.value.hint == f"The registry {host} speaks plain HTTP: set insecure to true."
        assert server.requests == []

    def test_nobody_there(self, registry):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            host = f"127.0.0.1:{unused.getsockname()[1]}"
            with pytest.raises(ConnectError) as caught:
                registry.manifest(parse(f"{host}/u/m"), insecure=True)
        assert "Connection refused" in caught.value.message
        assert caught.value.hint.startswith(f"Check that the host that runs the module reaches {host}")

    def test_silence(self, server, host):
        server.expect("GET", "/v2/u/m/manifests/latest", text=RAW, delay=5)
        started = time.monotonic()
        with pytest.raises(ConnectError, match=r"brought nothing for 0\.2 seconds") as caught:
            Registry(None, 0.2).manifest(parse(f"{host}/u/m"), insecure=True)
        assert time.monotonic() - started < 2
        assert caught.value.hint.startswith(f"Check that the host that runs the module reaches {host}")

    def test_a_cut_answer(self, server, host, registry):
        server.expect("GET", "/v2/u/m/manifests/latest", drop=True)
        with pytest.raises(ConnectError, match="did not give the manifest"):
            registry.manifest(parse(f"{host}/u/m"), insecure=True)

    def test_a_ca_file_that_is_not_there(self, server, host, tmp_path):
        with pytest.raises(ConnectError, match=r"The CA file .* cannot be used") as caught:
            Registry(str(tmp_path / "none.pem"), 5).manifest(parse(f"{host}/u/m"), insecure=False)
        assert caught.value.hint == "Check registry_ca_path."

    def test_an_untrusted_certificate(self, monkeypatch, registry):
        def refuse(*_args):
            raise ConnectError("GET https://r failed: [SSL: CERTIFICATE_VERIFY_FAILED] self-signed.", "https://r")

        monkeypatch.setattr(HttpClient, "request", refuse)
        with pytest.raises(ConnectError) as caught:
            registry.manifest(parse("r.example.com/u/m"), insecure=False)
        assert caught.value.hint.endswith("registry_ca_path.")


class TestManifests:
    def test_many_at_once(self, server, host, registry):
        server.ordered = False
        names = [parse(f"{host}/library/m{number}") for number in range(30)]
        for name in names:
            server.expect("GET", f"/v2/library/{name.model}/manifests/latest", text=RAW, delay=0.2)
        started = time.monotonic()
        answers = registry.manifests([(name, True) for name in names])
        # Two rounds of 16 threads; one after the other they would take 6 seconds.
        assert time.monotonic() - started < 2
        assert list(answers) == [name.key for name in names]
        assert {answer.digest for answer in answers.values()} == {DIGEST}

    def test_equal_ones_are_asked_for_once(self, server, host, registry):
        server.expect("GET", "/v2/library/m/manifests/latest", text=RAW)
        name = parse(f"{host}/library/m")
        assert list(registry.manifests([(name, True), (name._replace(tag="LATEST"), True)][::-1])) == [name.key]

    def test_one_that_fails_does_not_stop_the_others(self, server, host, registry):
        server.ordered = False
        server.expect("GET", "/v2/library/a/manifests/latest", text=RAW)
        server.expect("GET", "/v2/library/b/manifests/latest", status=404)
        a, b = (parse(f"{host}/library/{name}") for name in "ab")
        answers = registry.manifests([(a, True), (b, True)])
        assert answers[a.key] == parse_manifest(RAW)
        assert (type(answers[b.key]), answers[b.key].status) == (ApiError, 404)

    def test_nothing_to_ask(self, registry):
        assert registry.manifests([]) == {}


class TestSameContent:
    # As /api/tags and /api/show tell it of the model above, whose manifest is written differently here.
    ITEM = {"name": "m1:latest", "digest": "0" * 64, "size": 47767}  # noqa: RUF012
    SHOWN = {  # noqa: RUF012
        "modelfile": '# Modelfile generated by "ollama show"\n# To build a new Modelfile based on this, replace FROM'
        f" with:\n# FROM m1:latest\n\nFROM /root/.ollama/models/blobs/{WEIGHTS.replace(':', '-')}\n"
        "TEMPLATE {{ .Prompt }}\nSYSTEM You are Mario.\n",
        "template": "{{ .Prompt }}",
        "system": "You are Mario.",
    }

    @pytest.fixture
    def client(self, server):
        return OllamaClient(HttpClient(server.url))

    def show(self, server, **changes):
        server.expect("POST", "/api/show", {"model": "m1:latest"}, answer={**self.SHOWN, **changes})

    def test_an_equal_digest_needs_no_request(self, server, client):
        assert same_content(client, {**self.ITEM, "digest": DIGEST, "size": 1}, parse_manifest(RAW))
        assert server.requests == []

    def test_the_same_files(self, server, client):
        self.show(server)
        server.ordered = False
        for digest in LAYERS:
            server.expect("HEAD", f"/api/blobs/{digest}")
        assert same_content(client, self.ITEM, parse_manifest(RAW))

    def test_a_file_is_not_there(self, server, client):
        self.show(server)
        server.ordered = False
        for digest in LAYERS:
            server.expect("HEAD", f"/api/blobs/{digest}", status=404 if digest == PARAMS else 200)
        assert not same_content(client, self.ITEM, parse_manifest(RAW))

    @pytest.mark.parametrize(
        "changes",
        [
            {"modelfile": "# FROM m1:latest\n\nFROM /models/blobs/sha256-" + "a" * 64 + "\n"},
            {"modelfile": f"FROM /m/blobs/sha256-{'a' * 64}\nFROM /m/blobs/{WEIGHTS.replace(':', '-')}\n"},
            {"modelfile": "# FROM m1:latest\n\nFROM m1:latest\n"},
            {"modelfile": ""},
            {"template": "{{ .System }}"},
            {"system": "You are Luigi."},
        ],
    )
    def test_something_differs(self, server, client, changes):
        self.show(server, **changes)
        assert not same_content(client, self.ITEM, parse_manifest(RAW))

    def test_the_weights_are_gone(self, server, client):
        server.expect("POST", "/api/show", {"model": "m1:latest"}, status=404, answer={"error": "not found"})
        assert not same_content(client, self.ITEM, parse_manifest(RAW))

    @pytest.mark.parametrize(
        ("item", "raw", "listed"),
        [
            ({"size": 47768}, RAW, []),
            ({}, RAW, ["1" * 64, DIGEST]),
            ({"size": 151}, edited(layers=[]), []),
        ],
        ids=["another size", "another model holds the files", "no weights"],
    )
    def test_no_request_can_tell(self, server, client, item, raw, listed):
        assert not same_content(client, {**self.ITEM, **item}, parse_manifest(raw), listed)
        assert server.requests == []

    @pytest.mark.parametrize("status", [200, 404])
    def test_the_weights(self, server, client, status):
        server.expect("HEAD", f"/api/blobs/{WEIGHTS}", status=status)
        assert weights_present(client, parse_manifest(RAW)) is (status == 200)

    def test_a_model_in_the_cloud_has_its_weights_elsewhere(self, server, client):
        assert weights_present(client, parse_manifest(edited(layers=[])))

    def test_a_missing_file_counts_once(self, server, client):
        manifest = parse_manifest(edited(layers=[layer(), layer()]))
        server.ordered = False
        server.expect("HEAD", f"/api/blobs/{WEIGHTS}", status=404)
        server.expect("HEAD", f"/api/blobs/{CONFIG}")
        assert missing(client, manifest) == [Layer(f"{KIND}model", WEIGHTS, 5)]
