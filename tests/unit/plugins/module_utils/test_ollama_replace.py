# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


from __future__ import annotations

import pytest

from ansible_collections.selfhosted.llm.plugins.module_utils._http import ApiError, HttpClient, ServiceError
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.client import OllamaClient
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.names import parse, parse_listed
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.replace import (
    Replacement,
    is_second_name,
    second_name,
)

NAME = "a:latest"
OWNER = "host /root/.local/state/selfhosted-llm"
# printf registry.ollama.ai/library/a/latest | sha256sum, and the same of the owner
SECOND = "selfhosted-llm-replaced/8b955b68f2d8a4fd:056b843dbedc59d5"
LIST = ("GET", "/api/tags")
COPY = ("POST", "/api/copy", {"source": NAME, "destination": SECOND})
BACK = ("POST", "/api/copy", {"source": SECOND, "destination": NAME})
UNLOAD = ("POST", "/api/generate", {"model": SECOND, "keep_alive": 0, "stream": False})
DELETE = ("DELETE", "/api/delete", {"model": NAME})
DELETE_SECOND = ("DELETE", "/api/delete", {"model": SECOND})


def replacement(server, loaded=False):
    return Replacement(OllamaClient(HttpClient(server.url)), parse(NAME), OWNER, loaded)


def expect(server, *requests):
    for request in requests:
        server.expect(*request)


def test_a_second_name_is_the_same_in_each_run_and_for_each_spelling():
    spellings = ("a", "registry.ollama.ai/Library/A:LATEST")
    assert {str(second_name(parse(spelling), OWNER)) for spelling in spellings} == {SECOND}
    assert second_name(parse("a:1b"), OWNER) != second_name(parse("a"), OWNER)
    assert second_name(parse("a"), "another host") != second_name(parse("a"), OWNER)


@pytest.mark.parametrize(
    ("name", "is_one"),
    [(SECOND, True), (SECOND.upper(), True), (NAME, False), (f"127.0.0.1:5000/{SECOND}", False), ("x/a:latest", False)],
)
def test_a_second_name_is_known_again(name, is_one):
    assert is_second_name(parse_listed(name)) is is_one


@pytest.mark.parametrize("loaded", [False, True])
def test_a_success(server, loaded):
    expect(server, COPY, *([UNLOAD] if loaded else []), DELETE_SECOND)
    with replacement(server, loaded):
        pass


@pytest.mark.parametrize("loaded", [False, True])
def test_an_error_before_anything_was_replaced(server, loaded):
    # The old runner still serves the model.
    expect(server, COPY, DELETE_SECOND)
    with pytest.raises(KeyboardInterrupt), replacement(server, loaded):
        raise KeyboardInterrupt


def listed(name):
    return {"models": [{"name": name, "digest": 64 * "0"}]}


def test_a_restoration(server):
    expect(server, COPY)
    server.expect(*LIST, answer=listed(SECOND))
    expect(server, DELETE, BACK, DELETE_SECOND)
    with pytest.raises(ServiceError, match="mine"), replacement(server, True) as running:
        running.restore()
        raise ServiceError("mine", "")


def test_a_restoration_that_fails_leaves_the_only_copy(server):
    expect(server, COPY)
    server.expect(*LIST, answer=listed(SECOND))
    expect(server, DELETE)
    server.expect(*BACK, status=500, answer={"error": "no space left on device"})
    with pytest.raises(ApiError, match="no space left on device"), replacement(server) as running:
        running.restore()


def test_a_second_name_that_is_gone_costs_nothing_more(server):
    expect(server, COPY)
    server.expect(*LIST, answer=listed(NAME))
    words = f"The old {NAME} is gone: somebody has removed {SECOND}"
    with pytest.raises(ServiceError, match=words), replacement(server) as running:
        running.restore()


def test_no_copy_no_replacement(server):
    server.expect(*COPY, status=404, answer={"error": 'model "a" not found'})
    with pytest.raises(ApiError, match="not found"), replacement(server):
        pytest.fail("the model may not be touched")


def test_an_error_is_not_hidden_by_one_of_tidying_up(server):
    server.expect(*COPY)
    server.expect(*DELETE_SECOND, drop=True)
    with pytest.raises(ServiceError, match="mine"), replacement(server):
        raise ServiceError("mine", "")
