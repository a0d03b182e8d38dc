# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names and fields of pulls: the scheme, the spelling, what is refused."""

from __future__ import annotations

import pytest
from ollama_client import Server
from shelf import Shelf


def test_old_unknown_and_oddly_spelled_fields(server: Server, shelf: Shelf) -> None:
    body = {"NAME": shelf.add(), "Insecure": True, "nonsense": {"a": 1}}
    assert server.call("POST", "/api/pull", body).lines[-1] == {"status": "success"}


@pytest.mark.parametrize("name", ["a/b/c/d", "x@sha256:" + 64 * "a", "x:", "bad name", "", "[::1]:5000/library/a"])
def test_an_invalid_name_is_refused_before_the_stream(server: Server, name: str) -> None:
    assert server.pull(name).error == (400, "invalid model name")


@pytest.mark.parametrize("scheme", ["", "http://"])
def test_https_is_used_unless_insecure(server: Server, shelf: Shelf, scheme: str) -> None:
    answer = server.pull(scheme + shelf.add(), insecure=False)
    url = f"https://{shelf.prefix.replace('/', '/v2/')}/tiny/manifests/latest"
    message = f'pull model manifest: Get "{url}": tls: first record does not look like a TLS handshake'
    assert answer.lines[-1] == {"error": message}


def test_insecure_wins_over_the_scheme(server: Server, shelf: Shelf) -> None:
    name = shelf.add()
    assert server.pull(f"https://{name}").lines[-1] == {"status": "success"}
    assert name in server.tags()


def test_names_are_spelled_as_what_is_stored(server: Server, shelf: Shelf) -> None:
    stored = shelf.add("Tiny", "Q4")
    server.pull(stored)
    assert server.pull(f"{shelf.prefix}/tiny:q4").lines[-1] == {"status": "success"}
    assert [name for name in server.tags() if name.startswith(shelf.prefix)] == [stored]
    assert shelf.requests()[-1] == ("GET", "Q4", "")


def test_a_part_of_a_name_is_spelled_as_that_of_any_model(server: Server, shelf: Shelf) -> None:
    unrelated, wanted = shelf.add("unrelated", "Q8_k_m"), shelf.add("wanted", "Q8_k_m")
    server.pull(unrelated)
    assert server.pull(wanted.replace("Q8_k_m", "q8_K_M")).lines[-1] == {"status": "success"}
    asked = [
        request.path for request in shelf.registry.requests if f"{shelf.namespace}/wanted/manifests" in request.path
    ]
    assert asked == [f"/v2/{shelf.namespace}/wanted/manifests/Q8_k_m"]
    assert {unrelated, wanted} <= set(server.tags())


def test_a_host_by_name(own_server: Server, shelf: Shelf) -> None:
    name = f"localhost:{shelf.registry.server_address[1]}/{shelf.namespace}/tiny:latest"
    shelf.add()
    assert own_server.pull(name).lines[-1] == {"status": "success"}
    assert name in own_server.tags()
    assert own_server.call("DELETE", "/api/delete", {"model": name}).status == 200


def test_names_of_a_cloud_keep_a_mark(server: Server, shelf: Shelf) -> None:
    shelf.add()
    not_found = {"error": "pull model manifest: file does not exist"}
    assert server.pull(f"{shelf.prefix}/tiny:cloud").lines[-1] == not_found
    assert server.pull(f"{shelf.prefix}/tiny:20b:cloud").lines[-1] == not_found
    assert server.pull(f"{shelf.prefix}/tiny:latest:local").lines[-1] == {"status": "success"}
    assert [tag for _method, tag, _range in shelf.requests()][:3] == ["cloud", "20b-cloud", "latest"]


def test_model_wins_over_name(server: Server, shelf: Shelf) -> None:
    name = shelf.add()
    body = {"model": name, "name": f"{shelf.prefix}/nosuch", "insecure": True}
    assert server.call("POST", "/api/pull", body).lines[-1] == {"status": "success"}
