# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pulls from a registry that misbehaves."""

from __future__ import annotations

import hashlib
import json
import socket

import pytest
from faults import GET, HEAD, MANIFEST, RANGE
from ollama_client import Server
from shelf import Shelf

PULLING = {"status": "pulling manifest"}
SUCCESS = {"status": "success"}
HTML = b"<html>\n<head><title>502 Bad Gateway</title></head>\n</html>\n"
TOO_OLD = b'{"errors":[{"code":"MODEL_UNSUPPORTED","message":"requires a newer version of Ollama.\\n"}]}'
MEGABYTE = 10**6


def mismatch(digest: str, content: bytes) -> str:
    found = hashlib.sha256(content).hexdigest()
    return f"digest mismatch, file must be downloaded again: want {digest}, got sha256:{found}"


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (401, b"unauthorized", 'realm host "" does not match original host "{host}"'),
        (403, b"forbidden by proxy\n", "403: forbidden by proxy\n"),
        (412, TOO_OLD, f"412: {TOO_OLD.decode()}"),
        (429, b"rate limited", "429: rate limited"),
        (500, b"boom", "500: boom"),
        (502, HTML, f"502: {HTML.decode()}"),
        (503, b"", "503: "),
        (200, b"<html>sign in</html>", "invalid character '<' looking for beginning of value"),
        (200, b"", "unexpected end of JSON input"),
    ],
)
def test_a_manifest_that_is_refused(
    server: Server, shelf: Shelf, pulled: str, status: int, body: bytes, message: str
) -> None:
    before = server.tags()[pulled]
    with shelf.registry.fault(shelf.namespace, MANIFEST, status=status, body=body):
        answer = server.pull(pulled)
    expected = message.replace("{host}", shelf.registry.netloc)
    assert (answer.status, answer.lines) == (200, [PULLING, {"error": f"pull model manifest: {expected}"}])
    assert server.tags()[pulled] == before


def test_a_connection_that_ends_without_an_answer(server: Server, shelf: Shelf) -> None:
    name = shelf.add()
    url = f"http://{shelf.prefix.replace('/', '/v2/')}/tiny/manifests/latest"
    with shelf.registry.fault(shelf.namespace, MANIFEST, drops=True):
        assert server.pull(name).lines[-1] == {"error": f'pull model manifest: Get "{url}": EOF'}


@pytest.mark.parametrize("body", [b"{}", b'{"a": 1}'])
def test_a_manifest_of_nothing_is_a_success(server: Server, shelf: Shelf, body: bytes) -> None:
    name = shelf.add("empty")
    with shelf.registry.fault(f"{shelf.namespace}/empty/manifests", status=200, body=body):
        assert server.pull(name).lines == [
            PULLING,
            {"status": "verifying sha256 digest"},
            {"status": "writing manifest"},
            SUCCESS,
        ]
    item = server.tags()[name]
    details = {"parent_model": "", "format": "", "family": "", "families": None, "parameter_size": ""}
    assert (item["size"], item["digest"]) == (0, hashlib.sha256(body).hexdigest())
    assert item["details"] == {**details, "quantization_level": ""}
    assert server.pull(name).lines[-1] == SUCCESS
    assert server.tags()[name]["digest"] == shelf.digest(name)


def test_a_model_that_becomes_nothing_loses_its_blobs(own_server: Server, shelf: Shelf) -> None:
    name = shelf.add(seed=501)
    own_server.pull(name)
    with shelf.registry.fault(shelf.namespace, MANIFEST, status=200, body=b"{}"):
        assert own_server.pull(name).lines[-2:] == [{"status": "removing unused layers"}, SUCCESS]
    assert not own_server.blob(shelf.weights(name)).exists()


def test_a_manifest_of_tensors(server: Server, shelf: Shelf) -> None:
    name = shelf.add()
    manifest = shelf.manifest(name)
    manifest["layers"][0]["mediaType"] = "application/vnd.ollama.image.tensor"
    shelf.manifest_path(name).write_text(json.dumps(manifest))
    message = "this model requires MLX support, but the MLX runtime is not available"
    assert server.pull(name).lines == [PULLING, {"error": message}]


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (404, "file does not exist"),
        (401, 'realm host "" does not match original host "{host}"'),
        (403, "403: "),
        (500, "500: "),
    ],
)
def test_a_blob_whose_size_is_refused(server: Server, shelf: Shelf, status: int, message: str) -> None:
    name = shelf.add(seed=502)
    with shelf.registry.fault(shelf.namespace, HEAD, status=status):
        error = message.replace("{host}", shelf.registry.netloc)
        assert server.pull(name).lines == [PULLING, {"error": error}]
    assert server.pull(name).lines[-1] == SUCCESS


def test_a_blob_without_location(own_server: Server, shelf: Shelf) -> None:
    name = shelf.add(seed=503)
    blob = own_server.blob(shelf.weights(name))
    with shelf.registry.fault(shelf.namespace, GET, no_location=True):
        assert own_server.pull(name).lines == [PULLING, {"error": "http: no Location header in response"}]
    assert sorted(path.name for path in blob.parent.glob(f"{blob.name}*")) == [
        f"{blob.name}-partial",
        f"{blob.name}-partial-0",
    ]
    asked = len(shelf.requests())
    assert own_server.pull(name).lines[-1] == SUCCESS
    # The size is known from the first time.
    assert shelf.requests()[asked + 1][:2] == ("GET", shelf.weights(name))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_blob_that_lies_elsewhere(server: Server, shelf: Shelf, host: str) -> None:
    name = shelf.add(seed=504)
    with shelf.registry.fault(shelf.namespace, GET, redirect=host, times=1):
        assert server.pull(name).lines[-1] == SUCCESS
    gets = [request for request in shelf.requests() if request[1] == shelf.weights(name) and request[0] == "GET"]
    assert len(gets) == (2 if host == "localhost" else 3)


def test_a_size_without_length_means_an_empty_blob(server: Server, shelf: Shelf) -> None:
    name = shelf.add(seed=505)
    weights = shelf.weights(name)
    with shelf.registry.fault(weights, HEAD, no_length=True):
        assert server.pull(name).lines[-1] == {"error": mismatch(weights, b"")}
    assert name not in server.tags()
    assert server.pull(name).lines[-1] == SUCCESS


def test_blobs_without_length(server: Server, shelf: Shelf) -> None:
    name = shelf.add(seed=506)
    with shelf.registry.fault(shelf.namespace, GET, RANGE, no_length=True):
        assert server.pull(name).lines[-1] == SUCCESS
    assert server.tags()[name]["digest"] == shelf.digest(name)


def test_ranges_that_are_ignored(own_server: Server, shelf: Shelf) -> None:
    small, large = shelf.add("small", seed=507), shelf.add("large", seed=508, padding=110 * MEGABYTE)
    with shelf.registry.fault(shelf.namespace, RANGE, ignores_range=True):
        assert own_server.pull(small).lines[-1] == SUCCESS
        error = own_server.pull(large).lines[-1]["error"]
    assert error.startswith(f"digest mismatch, file must be downloaded again: want {shelf.weights(large)}, got sha256:")
    assert not own_server.blob(shelf.weights(large)).exists()


def test_a_failed_update_leaves_the_old_model(own_server: Server, shelf: Shelf, pulled: str) -> None:
    before = own_server.tags()[pulled]
    old = shelf.digests(pulled)
    shelf.add(seed=509)
    weights = shelf.weights(pulled)
    shelf.blob(weights).write_bytes(b"wrong")
    assert own_server.pull(pulled).lines[-1] == {"error": mismatch(weights, b"wrong")}
    assert own_server.tags()[pulled] == before
    assert all(own_server.blob(digest).exists() for digest in old)


def test_a_blob_is_trusted_by_its_name(own_server: Server, shelf: Shelf) -> None:
    name = shelf.add(seed=510)
    weights = shelf.weights(name)
    own_server.pull(name)
    own_server.blob(weights).write_bytes(bytes(10))
    answer = own_server.pull(name)
    line = {"status": f"pulling {weights[7:19]}", "digest": weights, "total": 10, "completed": 10}
    assert answer.lines[1] == line
    assert answer.lines[-1] == SUCCESS
    head = own_server.call("HEAD", f"/api/blobs/{weights}")
    assert (head.status, head.headers.get("content-length")) == (200, None)


def test_other_bytes_of_the_same_manifest(server: Server, shelf: Shelf, pulled: str) -> None:
    before = server.tags()[pulled]["digest"]
    shelf.manifest_path(pulled).write_text(json.dumps(shelf.manifest(pulled)))
    asked = len(shelf.requests())
    assert server.pull(pulled).lines[-1] == SUCCESS
    assert shelf.requests()[asked:] == [("GET", "latest", "")]
    assert server.tags()[pulled]["digest"] == shelf.digest(pulled) != before


@pytest.mark.parametrize(("blanks", "hashed"), [(100, True), (5000, False), (20000, False)])
def test_blanks_after_a_manifest(server: Server, shelf: Shelf, blanks: int, hashed: bool) -> None:
    """The digest covers what a JSON decoder reads: 512 bytes, 1536, 3584 and so on, until the object is complete."""
    name = shelf.add()
    raw = shelf.manifest_path(name).read_bytes()
    assert 512 < len(raw) < 1400
    shelf.manifest_path(name).write_bytes(raw + b" " * blanks)
    server.pull(name)
    whole = (raw + b" " * blanks)[: 1536 if not hashed else None]
    assert server.tags()[name]["digest"] == hashlib.sha256(whole).hexdigest()


def test_a_registry_that_is_down(server: Server, shelf: Shelf) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{unused.getsockname()[1]}"
        answer = server.pull(f"{host}/{shelf.namespace}/tiny")
    url = f"http://{host}/v2/{shelf.namespace}/tiny/manifests/latest"
    message = f'pull model manifest: Get "{url}": dial tcp {host}: connect: connection refused'
    assert answer.lines == [{"status": "pulling manifest"}, {"error": message}]
