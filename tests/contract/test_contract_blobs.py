# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Uploads: what is stored under which digest."""

from __future__ import annotations

import hashlib
import http.client
from urllib.parse import urlsplit

import pytest
from ollama_client import Server, wait_until


def test_a_blob_is_uploaded_once(own_server: Server) -> None:
    content = b"hello blob\n"
    path = f"/api/blobs/sha256:{hashlib.sha256(content).hexdigest()}"
    assert own_server.call("HEAD", path).status == 404
    uploaded = own_server.call("POST", path, content)
    assert (uploaded.status, uploaded.text) == (201, "")
    assert own_server.call("HEAD", path).status == 200
    again = own_server.call("POST", path, b"")
    assert (again.status, again.text) == (200, "")
    assert own_server.blob(path.rpartition("/")[2]).read_bytes() == content


def test_a_blob_is_uploaded_in_chunks(own_server: Server) -> None:
    digest = f"sha256:{hashlib.sha256(b'onetwo').hexdigest()}"
    assert own_server.call("POST", f"/api/blobs/{digest}", iter([b"one", b"two"])).status == 201
    assert own_server.blob(digest).read_bytes() == b"onetwo"


def test_a_blob_under_a_wrong_digest(own_server: Server) -> None:
    wanted, found = f"sha256:{64 * '0'}", f"sha256:{hashlib.sha256(b'other').hexdigest()}"
    answer = own_server.call("POST", f"/api/blobs/{wanted}", b"other")
    assert answer.error == (400, f'digest mismatch, expected "{wanted}", got "{found}"')
    assert own_server.call("HEAD", f"/api/blobs/{wanted}").status == 404
    assert own_server.call("HEAD", f"/api/blobs/{found}").status == 200


@pytest.mark.parametrize(
    ("digest", "status"),
    [
        ("sha256-" + 64 * "0", 404),
        ("sha256:" + 64 * "A", 404),
        ("sha256:" + 63 * "0", 400),
        ("sha256:xyz", 400),
        ("md5:abc", 400),
        (64 * "0", 400),
    ],
)
def test_the_form_of_a_digest(server: Server, digest: str, status: int) -> None:
    assert server.call("HEAD", f"/api/blobs/{digest}").status == status


def test_an_upload_under_a_malformed_digest(server: Server) -> None:
    assert server.call("POST", "/api/blobs/sha256:xyz", b"bytes").error == (400, "invalid digest format")


def test_an_upload_that_is_cut_leaves_nothing(own_server: Server) -> None:
    digest = f"sha256:{hashlib.sha256(b'cut').hexdigest()}"
    before = set(own_server.stored("blobs").iterdir())
    connection = http.client.HTTPConnection(urlsplit(own_server.url).netloc, timeout=10)
    connection.putrequest("POST", f"/api/blobs/{digest}")
    connection.putheader("Content-Length", "1000")
    connection.endheaders(b"cu")
    wait_until(lambda: set(own_server.stored("blobs").iterdir()) != before, "the upload to begin")
    connection.close()
    wait_until(lambda: set(own_server.stored("blobs").iterdir()) == before, "the upload to be dropped")
