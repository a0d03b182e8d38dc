# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Creates that are refused, what is accepted in silence, and bases that are not there."""

from __future__ import annotations

import hashlib
import typing as t

import pytest
from conftest import Make
from ollama_client import Server, wait_until
from shelf import Shelf


def test_a_create_in_one_piece(server: Server, shelf: Shelf, make: Make, pulled: str) -> None:
    answer = make("mario", **{"from": pulled, "stream": False})
    assert (answer.status, answer.text) == (200, '{"status":"success"}')
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "fields",
    [
        {"files": {"x.gguf": f"sha256:{64 * '0'}"}},
        {"parameters": {"nonsense": 1}},
        {"messages": [{"role": "robot", "content": "x"}]},
        {"unknown": 1},
    ],
)
def test_what_is_accepted_in_silence(server: Server, make: Make, pulled: str, fields: dict[str, t.Any]) -> None:
    assert make("mario", **{**fields, "from": pulled}).lines[-1] == {"status": "success"}


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({}, (400, "neither 'from' or 'files' was specified")),
        ({"modelfile": "FROM a"}, (400, "neither 'from' or 'files' was specified")),
        ({"from": "bad name"}, (400, "invalid model name")),
        ({"from": "BASE", "template": "{{ .Bad"}, (400, "template error: template: :1: unclosed action")),
        ({"from": "BASE", "template": "{{ if .System }}x"}, (400, "template error: template: :1: unexpected EOF")),
        ({"from": "BASE", "license": 5}, (500, "json: cannot unmarshal number into Go value of type []string")),
        (
            {"from": "BASE", "quantize": "q4_K_M"},
            (500, "quantization is only supported for F16, BF16 and F32 models"),
        ),
        (
            {"from": "BASE", "quantize": "zz"},
            (500, "unsupported quantization type ZZ - supported types are F32, F16, Q4_K_S, Q4_K_M, Q8_0"),
        ),
        (
            {"from": "BASE", "parameters": "x"},
            (
                400,
                "json: cannot unmarshal string into Go struct field CreateRequest.parameters "
                "of type map[string]interface {}",
            ),
        ),
    ],
)
def test_refusals_before_the_first_step(
    server: Server, make: Make, pulled: str, fields: dict[str, t.Any], error: tuple[int, str]
) -> None:
    answer = make("refused", **{key: pulled if value == "BASE" else value for key, value in fields.items()})
    assert answer.error == error
    assert not [name for name in server.tags() if name.endswith("/refused:latest")]


def test_an_invalid_name(server: Server, pulled: str) -> None:
    for name in ("bad name", "", "a/b/c/d"):
        answer = server.call("POST", "/api/create", {"model": name, "from": pulled})
        assert answer.error == (400, "invalid model name")
    assert server.call("POST", "/api/create", "").error == (400, "missing request body")


def test_the_name_of_the_base_is_taken_as_it_is_written(server: Server, make: Make, pulled: str) -> None:
    upper = pulled.replace("/tiny:", "/TINY:")
    assert make("mario", **{"from": upper}).lines[0] == {"status": "pulling manifest"}
    assert make("mario", **{"from": f"{pulled}:local"}).lines[-1] == {"status": "success"}


@pytest.mark.parametrize("stream", [True, False])
def test_a_missing_base_is_pulled_over_https_only(own_server: Server, shelf: Shelf, make: Make, stream: bool) -> None:
    missing = f"{shelf.prefix}/nosuch"
    system = f"{shelf.namespace} is an orphan {stream}"
    answer = make("mario", **{"from": missing, "system": system, "stream": stream})
    url = f"https://{shelf.prefix.replace('/', '/v2/')}/nosuch/manifests/latest"
    message = f'pull model manifest: Get "{url}": tls: first record does not look like a TLS handshake'
    if stream:
        assert answer.lines == [{"status": "pulling manifest"}, {"error": message}]
    else:
        assert answer.error == (500, message)
    assert f"{shelf.namespace}/mario:latest" not in own_server.tags()
    orphan = own_server.blob(f"sha256:{hashlib.sha256(system.encode()).hexdigest()}")
    wait_until(orphan.exists, "the layer that was made nevertheless")
