# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pulls through a proxy, from registries that only it can reach, with a certificate of a private authority."""

from __future__ import annotations

import pathlib
import socket
import typing as t

import pytest
from ollama_client import Server
from ollama_process import running
from proxy import Proxy, make_certificate
from registry import ModelRegistry
from shelf import Shelf

HOST = "models.example.test"
PUBLIC = "registry.ollama.ai"
SUCCESS = {"status": "success"}
UNTRUSTED = "tls: failed to verify certificate: x509: certificate signed by unknown authority"


class Public(t.NamedTuple):
    """A registry that stands for public hosts behind a proxy."""

    registry: ModelRegistry
    proxy: Proxy
    certificate: str

    @property
    def environment(self) -> dict[str, str]:
        return {"HTTPS_PROXY": self.proxy.url, "SSL_CERT_FILE": self.certificate}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[pathlib.Path, pathlib.Path]:
    made = make_certificate(tmp_path_factory.mktemp("certificate"), HOST, PUBLIC)
    if not made:
        pytest.skip("openssl makes the certificate")
    return made


@pytest.fixture
def public(
    own_server: Server, certificate: tuple[pathlib.Path, pathlib.Path], tmp_path: pathlib.Path
) -> t.Iterator[Public]:
    registry = ModelRegistry(("127.0.0.1", 0), tmp_path / "registry", certificate[1])
    with registry.running(), Proxy(registry.server_address[1]).running() as proxy:
        yield Public(registry, proxy, str(certificate[0]))


@pytest.fixture
def model(public: Public) -> str:
    """Namespace and name of a model of the public registry."""
    shelf = Shelf(public.registry)
    shelf.add()
    return f"{shelf.namespace}/tiny"


def pull(server: Server, name: str, insecure: bool = False) -> dict[str, str]:
    """The last line."""
    return server.pull(name, insecure=insecure).lines[-1]


def test_a_pull_goes_through_the_proxy(public: Public, model: str, tmp_path: pathlib.Path) -> None:
    with running(tmp_path, **public.environment) as server:
        assert pull(server, f"{HOST}/{model}") == SUCCESS
    assert set(public.proxy.asked) == {f"CONNECT {HOST}:443"}


def test_a_canonical_name_after_a_mirror(public: Public, model: str, shelf: Shelf, tmp_path: pathlib.Path) -> None:
    """The mirror is on loopback and needs no proxy; the pull of the canonical name costs a manifest."""
    namespace = model.partition("/")[0]
    mirrored = shelf.add()
    with running(tmp_path, **public.environment) as server:
        assert pull(server, mirrored, insecure=True) == SUCCESS
        assert not public.proxy.asked
        for method, path, body in (
            ("POST", "/api/copy", {"source": mirrored, "destination": model}),
            ("DELETE", "/api/delete", {"model": mirrored}),
        ):
            assert server.call(method, path, body).status == 200
        before = server.tags()[f"{model}:latest"]["digest"]
        assert pull(server, model) == SUCCESS
        assert server.tags()[f"{model}:latest"]["digest"] == before == shelf.digest(mirrored)
    assert [request.path for request in public.registry.requests] == [f"/v2/{namespace}/tiny/manifests/latest"]
    assert set(public.proxy.asked) == {f"CONNECT {PUBLIC}:443"}


def test_a_create_pulls_its_base(public: Public, model: str, tmp_path: pathlib.Path) -> None:
    with running(tmp_path, **public.environment) as server:
        lines = server.call("POST", "/api/create", {"model": "made", "from": model, "system": "S"}).lines
        assert lines[0] == {"status": "pulling manifest"}
        # The success of the pull is not yet that of the create.
        assert lines.count(SUCCESS) == 2
        assert lines[-1] == SUCCESS
        assert set(server.tags()) == {"made:latest", f"{model}:latest"}
        parent = server.call("POST", "/api/show", {"model": "made"}).json()["details"]["parent_model"]
        assert parent == f"{model}:latest"


def test_a_private_authority_must_be_known(public: Public, model: str, tmp_path: pathlib.Path) -> None:
    url = f"https://{HOST}/v2/{model}/manifests/latest"
    with running(tmp_path, HTTPS_PROXY=public.proxy.url) as server:
        assert pull(server, f"{HOST}/{model}") == {"error": f'pull model manifest: Get "{url}": {UNTRUSTED}'}


@pytest.mark.parametrize(("variable", "scheme"), [("HTTPS_PROXY", "https"), ("HTTP_PROXY", "http")])
def test_a_proxy_that_is_down(own_server: Server, tmp_path: pathlib.Path, variable: str, scheme: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        with running(tmp_path, **{variable: f"http://{address}"}) as server:
            error = pull(server, f"{HOST}/library/tiny", insecure=scheme == "http")["error"]
    url = f"{scheme}://{HOST}/v2/library/tiny/manifests/latest"
    reason = f"proxyconnect tcp: dial tcp {address}: connect: connection refused"
    assert error == f'pull model manifest: Get "{url}": {reason}'


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy"])
def test_plain_http_has_a_proxy_of_its_own(
    own_server: Server, shelf: Shelf, tmp_path: pathlib.Path, variable: str
) -> None:
    """The registry of this run takes requests for other hosts, as a proxy does."""
    shelf.add()
    name = f"{HOST}/{shelf.namespace}/tiny"
    proxy = f"http://{shelf.registry.netloc}"
    with running(tmp_path, **{variable: proxy}) as server:
        assert pull(server, name, insecure=True) == SUCCESS
    asked = [request.path for request in shelf.registry.requests if shelf.namespace in request.path]
    assert all(path.startswith(f"http://{HOST}/v2/{shelf.namespace}/tiny/") for path in asked)


@pytest.mark.parametrize("exempt", [HOST, ".example.test", "*"])
def test_hosts_without_a_proxy(own_server: Server, shelf: Shelf, tmp_path: pathlib.Path, exempt: str) -> None:
    shelf.add()
    environment = {"HTTP_PROXY": f"http://{shelf.registry.netloc}", "NO_PROXY": exempt}
    with running(tmp_path, **environment) as server:
        error = pull(server, f"{HOST}/{shelf.namespace}/tiny", insecure=True)["error"]
    assert "dial tcp: lookup" in error
    assert not shelf.requests()
