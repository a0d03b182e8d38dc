# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The scripted server has to notice every difference: all other tests lean on it."""

from __future__ import annotations

import http.client
import json
from unittest import mock

import pytest


@pytest.fixture
def scripted(server):
    """A second server, whose problems are for the test to look at."""
    other = type(server)()
    yield other
    other.close()


def send(server, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=5)
    connection.request(method, path, None if body is None else json.dumps(body), headers or {})
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status


@pytest.mark.parametrize(
    ("expected", "sent", "problem"),
    [
        (("GET", "/a"), ("GET", "/b"), "path '/b' instead of '/a'"),
        (("GET", "/a"), ("HEAD", "/a"), "method 'HEAD' instead of 'GET'"),
        (("GET", "/a"), ("GET", "/a", {}), "body {} instead of None"),
        (("POST", "/a", {"x": 1}), ("POST", "/a"), "body None instead of {'x': 1}"),
        (("POST", "/a", {"x": 1}), ("POST", "/a", {"x": 1, "y": 2}), "body {'x': 1, 'y': 2} instead of {'x': 1}"),
        (("GET", "/a?b=1"), ("GET", "/a?b=2"), "path '/a?b=2' instead of '/a?b=1'"),
    ],
)
def test_a_different_request_is_a_problem(scripted, expected, sent, problem):
    scripted.expect(*expected)
    assert send(scripted, *sent) == 599
    scripted.close()
    assert problem in scripted.problems[0]
    assert scripted.problems[1].startswith(f"never sent: {expected[0]} {expected[1]}")


@pytest.mark.parametrize("sent", [{}, {"X-A": "2"}, {"X-A": "1", "X-B": "1"}])
def test_a_different_header_is_a_problem(scripted, sent):
    scripted.expect("GET", "/a", sent={"X-A": "1", "X-B": None})
    assert send(scripted, "GET", "/a", headers=sent) == 599


def test_an_extra_request_is_a_problem(scripted):
    scripted.expect("GET", "/a")
    assert [send(scripted, "GET", "/a"), send(scripted, "GET", "/a")] == [200, 599]
    assert scripted.problems == ["not in the script: GET /a None (nothing was expected any more)"]


def test_the_order_counts_unless_told_otherwise(scripted):
    for path in ("/a", "/b"):
        scripted.expect("GET", path)
    assert send(scripted, "GET", "/b") == 599
    scripted.ordered = False
    assert [send(scripted, "GET", "/b"), send(scripted, "GET", "/a")] == [200, 200]


def test_a_part_of_the_script_may_come_in_any_order(scripted):
    scripted.expect("GET", "/first")
    with scripted.any_order():
        scripted.expect("GET", "/a")
        scripted.expect("GET", "/b")
    scripted.expect("GET", "/last")
    assert [send(scripted, "GET", path) for path in ("/a", "/first", "/last", "/b")] == [599, 200, 599, 200]
    assert [send(scripted, "GET", path) for path in ("/last", "/a", "/last")] == [599, 200, 200]


def test_what_was_sent_is_recorded(server):
    server.expect("POST", "/a", mock.ANY)
    server.expect("GET", "/b", status=204)
    assert [send(server, "POST", "/a", {"x": 1}), send(server, "GET", "/b")] == [200, 204]
    assert server.sent == [("POST", "/a", {"x": 1}), ("GET", "/b")]
