# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The server itself: identity, routes, malformed requests, the Host header."""

from __future__ import annotations

import re

import pytest
from ollama_client import Server

JSON = "application/json; charset=utf-8"


def test_root_says_that_it_is_running(server: Server) -> None:
    answer = server.call("GET", "/")
    assert (answer.status, answer.text) == (200, "Ollama is running")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("path", ["/", "/api/version", "/api/tags"])
def test_head_is_get_without_a_body(server: Server, path: str) -> None:
    head, get = server.call("HEAD", path), server.call("GET", path)
    assert (head.status, head.text) == (200, "")
    assert head.headers["content-length"] == get.headers["content-length"]


def test_version_is_a_number(server: Server) -> None:
    answer = server.call("GET", "/api/version")
    assert (answer.status, answer.headers["content-type"]) == (200, JSON)
    assert list(answer.json()) == ["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", answer.json()["version"])


def test_status_tells_whether_the_cloud_is_off(own_server: Server) -> None:
    answer = own_server.call("GET", "/api/status")
    assert (answer.status, answer.json()) == (200, {"cloud": {"disabled": True, "source": "env"}})


@pytest.mark.parametrize("path", ["/api/tags", "/api/ps"])
def test_a_fresh_server_lists_nothing(fresh_server: Server, path: str) -> None:
    answer = fresh_server.call("GET", path)
    assert (answer.status, answer.headers["content-type"], answer.text) == (200, JSON, '{"models":[]}')


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/api/version", "HEAD, GET"),
        ("PUT", "/api/tags", "HEAD, GET"),
        ("GET", "/api/pull", "POST"),
        ("POST", "/api/delete", "DELETE"),
        ("GET", "/api/blobs/sha256:" + 64 * "0", "HEAD, POST"),
        ("GET", "/v1/chat/completions", "POST"),
    ],
)
def test_a_wrong_method_is_refused_in_plain_text(server: Server, method: str, path: str, allowed: str) -> None:
    answer = server.call(method, path)
    assert (answer.status, answer.text) == (405, "405 method not allowed")
    assert (answer.headers["allow"], answer.headers["content-type"]) == (allowed, "text/plain")


@pytest.mark.parametrize("path", ["/api/nosuch", "/nosuch", "/v1/nosuch", "/api/blobs/"])
def test_an_unknown_path_is_refused_in_plain_text(server: Server, path: str) -> None:
    answer = server.call("GET", path)
    assert (answer.status, answer.headers["content-type"], answer.text) == (404, "text/plain", "404 page not found")


WITH_BODY = [
    ("POST", "/api/pull"),
    ("POST", "/api/show"),
    ("POST", "/api/copy"),
    ("POST", "/api/generate"),
    ("POST", "/api/chat"),
    ("POST", "/api/embed"),
    ("DELETE", "/api/delete"),
]


@pytest.mark.parametrize(("method", "path"), WITH_BODY)
def test_a_body_is_needed(server: Server, method: str, path: str) -> None:
    assert server.call(method, path).error == (400, "missing request body")


@pytest.mark.parametrize(("method", "path"), WITH_BODY)
def test_bad_json_is_refused(server: Server, method: str, path: str) -> None:
    message = "invalid character 'b' looking for beginning of object key string"
    assert server.call(method, path, "{bad").error == (400, message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"model":', "unexpected EOF"),
        ("xx", "invalid character 'x' looking for beginning of value"),
        ('{"model":"x" "y"}', "invalid character '\"' after object key:value pair"),
        ("[]", "json: cannot unmarshal array into Go value of type api.PullRequest"),
        ('{"model":5}', "json: cannot unmarshal number into Go struct field PullRequest.model of type string"),
        ('{"insecure":"yes"}', "json: cannot unmarshal string into Go struct field PullRequest.insecure of type bool"),
    ],
)
def test_what_is_wrong_with_a_body_is_said(server: Server, text: str, message: str) -> None:
    assert server.call("POST", "/api/pull", text).error == (400, message)


def test_the_content_type_of_a_request_is_ignored(server: Server) -> None:
    answer = server.call("POST", "/api/show", '{"model":"nosuch"}', {"Content-Type": "text/css"})
    assert answer.error == (404, "model 'nosuch:latest' not found")


def test_a_foreign_host_header_is_refused_on_loopback(own_server: Server) -> None:
    answer = own_server.call("GET", "/api/version", headers={"Host": "evil.example.com"})
    assert (answer.status, answer.text) == (403, "")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "box.internal", "a.local", "10.0.0.7:11434", "127.0.0.9"])
def test_a_local_host_header_is_taken(own_server: Server, host: str) -> None:
    assert own_server.call("GET", "/api/version", headers={"Host": host}).status == 200
