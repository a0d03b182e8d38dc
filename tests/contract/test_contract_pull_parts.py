# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Large blobs come in parts: at once, resumed after a cut, after a client that left and after the end of the server."""

from __future__ import annotations

import json
import pathlib
import signal
import time

import pytest
from faults import RANGE
from ollama_client import Server, wait_until
from ollama_process import running, start
from shelf import Shelf
from three_parts import MEGABYTE, PART, wholes

SUCCESS = {"status": "success"}


def parts_on_disk(server: Server, digest: str) -> list[int]:
    """How far each part came, by its file; -1 for an empty file."""
    blob = server.blob(digest)
    texts = [path.read_text() for path in sorted(blob.parent.glob(f"{blob.name}-partial-*"))]
    return [json.loads(text)["Completed"] if text else -1 for text in texts]


def test_parts_come_at_once_and_survive_their_client(own_server: Server, shelf: Shelf, large: str) -> None:
    weights = shelf.weights(large)
    size = shelf.blob(weights).stat().st_size
    arrived = [60 * MEGABYTE, 60 * MEGABYTE, size - 2 * PART]
    # The last part is shorter than what comes before the stall.
    with shelf.registry.fault(weights, RANGE, stall_after=60 * MEGABYTE):
        stream = own_server.begin_pull(large)
        stream.arrive(sum(arrived))
        assert shelf.ranges(weights) == wholes(size)
        frozen = [next(stream.lines()) for _line in range(20)]
        line = {"status": f"pulling {weights[7:19]}", "digest": weights, "total": size, "completed": sum(arrived)}
        assert frozen == [line] * 20
        stream.leave()
        wait_until(lambda: parts_on_disk(own_server, weights) == arrived, "the parts to be written down")
    partial = own_server.blob(weights)
    assert partial.with_name(f"{partial.name}-partial").stat().st_size == size

    asked = len(shelf.requests())
    assert own_server.pull(large).lines[-1] == SUCCESS
    again = [request for request in shelf.requests()[asked:] if request[1] == weights]
    assert sorted(again) == sorted(
        [
            ("GET", weights, ""),
            ("GET", weights, f"{60 * MEGABYTE}-{PART - 1}"),
            ("GET", weights, f"{PART + 60 * MEGABYTE}-{2 * PART - 1}"),
        ]
    )
    assert shelf.sent(weights) == size


def test_a_cut_is_mended_by_the_server(own_server: Server, shelf: Shelf, large: str) -> None:
    weights = shelf.weights(large)
    size = shelf.blob(weights).stat().st_size
    with shelf.registry.fault(weights, RANGE, cut_after=30 * MEGABYTE, times=3):
        completed = [line.get("completed", 0) for line in own_server.pull(large).lines if line.get("digest") == weights]
    assert completed == sorted(completed)
    first, second = 30 * MEGABYTE, PART + 30 * MEGABYTE
    assert shelf.ranges(weights) == sorted([*wholes(size), f"{first}-{PART - 1}", f"{second}-{2 * PART - 1}"])
    assert shelf.sent(weights) == size
    assert large in own_server.tags()


def test_a_client_that_wants_one_answer_may_leave_as_well(own_server: Server, shelf: Shelf) -> None:
    name = shelf.add(width=64, seed=903)
    weights = shelf.weights(name)
    with shelf.registry.fault(weights, RANGE, stall_after=50_000):
        connection = own_server.connection()
        body = json.dumps({"model": name, "insecure": True, "stream": False})
        connection.request("POST", "/api/pull", body)
        wait_until(lambda: shelf.sent(weights) == 50_000, "the bytes to be sent")
        time.sleep(0.2)
        connection.close()
        wait_until(lambda: parts_on_disk(own_server, weights) == [50_000], "the part to be written down")


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_end_of_the_server(
    own_server: Server,
    shelf: Shelf,
    tmp_path: pathlib.Path,
    large: str,
    signum: signal.Signals,
) -> None:
    weights = shelf.weights(large)
    last_part = shelf.blob(weights).stat().st_size - 2 * PART
    with shelf.registry.fault(weights, RANGE, stall_after=20 * MEGABYTE):
        started = start(tmp_path)
        stream = started.server.begin_pull(large)
        stream.arrive(40 * MEGABYTE + last_part)
        started.process.send_signal(signum)
        started.process.wait(10)
        # The client sees a clean end, and no success.
        assert "status" in [{"status": ""}, *stream.lines()][-1]
        found = parts_on_disk(started.server, weights)
    assert found[2] == last_part
    if signum == signal.SIGKILL:
        assert found == [0, 0, last_part]
    else:
        # A race in the real server: written down, not written down, or an empty file, which fails every later pull.
        assert set(found[:2]) <= {20 * MEGABYTE, 0, -1}
    asked = len(shelf.requests())
    with running(tmp_path) as server:
        lines = server.pull(large).lines
        if -1 in found:
            assert lines[-1] == {"error": "EOF"}
            return
        assert lines[-1] == SUCCESS
    again = [wanted for _method, path, wanted in shelf.requests()[asked:] if path == weights]
    assert sorted(again) == ["", *sorted(f"{part * PART + found[part]}-{(part + 1) * PART - 1}" for part in range(2))]
