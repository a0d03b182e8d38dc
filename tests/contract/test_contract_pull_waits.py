# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What takes the server half a minute or more, and what it does then."""

from __future__ import annotations

import threading
import time
import typing as t

import pytest
from faults import GET, RANGE
from ollama_client import Server
from shelf import Shelf
from three_parts import MEGABYTE, PART, wholes

SUCCESS = {"status": "success"}


def pull_in_thread(server: Server, name: str, outcome: dict[str, t.Any]) -> threading.Thread:
    """Collects the lines, and the seconds that they took."""

    def pull() -> None:
        begun = time.monotonic()
        lines = list(server.begin_pull(name).lines())
        outcome[name] = lines, time.monotonic() - begun

    thread = threading.Thread(target=pull)
    thread.start()
    return thread


def test_half_a_minute(own_server: Server, shelf: Shelf, large: str) -> None:
    """What takes the server 30 seconds: a stall, whose bytes it throws away, and a blob that is not where it was."""
    lost = shelf.add("lost", seed=906)
    weights = shelf.weights(large)
    size = shelf.blob(weights).stat().st_size
    outcome: dict[str, t.Any] = {}
    shelf.registry.fault(weights, RANGE, stall_after=60 * MEGABYTE, times=3)
    shelf.registry.fault(shelf.weights(lost), GET, status=404)
    for thread in [pull_in_thread(own_server, name, outcome) for name in (large, lost)]:
        thread.join(60)

    lines, seconds = outcome[large]
    assert lines[-1] == SUCCESS
    assert 29 < seconds < 40
    completed = [line.get("completed", 0) for line in lines if line.get("digest") == weights]
    before = 120 * MEGABYTE + size - 2 * PART
    assert completed.count(before) > 300
    assert min(completed[completed.index(before) :]) < before
    assert shelf.ranges(weights) == sorted(wholes(size) + wholes(size)[:2])
    assert shelf.sent(weights) == size + 120 * MEGABYTE

    lines, seconds = outcome[lost]
    assert lines[-1] == {"error": "context deadline exceeded"}
    assert 29 < seconds < 40
    weights = shelf.weights(lost)
    total = shelf.blob(weights).stat().st_size
    assert lines[-2] == {"status": f"pulling {weights[7:19]}", "digest": weights, "total": total}
    assert len(shelf.requests()) > 10


@pytest.mark.thorough
def test_a_minute(own_server: Server, shelf: Shelf) -> None:
    """A part that is refused is asked for six times; the status of the refusal is not told."""
    name = shelf.add(seed=907)
    weights = shelf.weights(name)
    begun = time.monotonic()
    with shelf.registry.fault(weights, RANGE, status=500, body=b"boom"):
        lines = list(own_server.begin_pull(name).lines())
    assert lines[-1] == {"error": "max retries exceeded: EOF"}
    assert 60 < time.monotonic() - begun < 70
    assert len(shelf.ranges(weights)) == 6
