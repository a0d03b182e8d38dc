# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several pulls at once, and who joins whom."""

from __future__ import annotations

import pathlib
import threading
import time

from faults import HEAD, RANGE
from ollama_client import Answer, Server, wait_until
from ollama_process import start, stop
from shelf import Shelf

SUCCESS = {"status": "success"}


def test_two_pulls_share_the_download_of_a_blob(server: Server, shelf: Shelf) -> None:
    names = [shelf.add("first", width=64, seed=61), shelf.add("second", width=64, seed=61)]
    weights = shelf.digests(names[0])[0]
    stall = shelf.registry.fault(weights, RANGE, stall_after=50_000)
    last: dict[str, dict[str, object]] = {}

    def pull(name: str) -> None:
        for line in server.stream("/api/pull", {"model": name, "insecure": True}).lines():
            last[name] = line

    threads = [threading.Thread(target=pull, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    wait_until(lambda: [last.get(name, {}).get("completed") for name in names] == [50_000] * 2, "both to wait")
    stall.end()
    for thread in threads:
        thread.join(20)
    assert [last[name] for name in names] == [{"status": "success"}] * 2
    assert len([digest for _method, digest, byte_range in shelf.requests() if digest == weights and byte_range]) == 1


def test_many_pulls_at_once(server: Server, shelf: Shelf) -> None:
    names = [shelf.add(f"model{number}", seed=100 + number) for number in range(10)]
    answers: dict[str, Answer] = {}
    threads = [threading.Thread(target=lambda name=name: answers.update({name: server.pull(name)})) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert [answers[name].lines[-1] for name in names] == [{"status": "success"}] * len(names)
    tags = server.tags()
    for name in names:
        assert tags[name]["digest"] == shelf.digest(name)


def test_who_leaves_in_a_pause_spoils_the_next_pull(own_server: Server, shelf: Shelf) -> None:
    """After a cut the server waits, and whoever comes before the end of this pause joins what is over."""
    name = shelf.add(width=64, seed=902)
    weights = shelf.weights(name)
    with shelf.registry.fault(weights, RANGE, cut_after=50_000, times=1):
        stream = own_server.begin_pull(name)
        stream.arrive(50_000)
        stream.leave()
        time.sleep(0.3)
        assert own_server.pull(name).lines[-1]["error"].endswith("context canceled")
    assert own_server.pull(name).lines[-1] == SUCCESS


def test_the_second_of_two_goes_on_alone(own_server: Server, shelf: Shelf) -> None:
    names = [shelf.add(model, width=64, seed=904) for model in ("first", "second")]
    weights = shelf.weights(names[0])
    with shelf.registry.fault(weights, RANGE, stall_after=50_000) as stall:
        first, second = (own_server.begin_pull(name) for name in names)
        for stream in (first, second):
            stream.arrive(50_000)
        first.leave()
        time.sleep(0.3)
        stall.end()
        assert list(second.lines())[-1] == SUCCESS
    assert len(shelf.ranges(weights)) == 1


def test_a_second_waiter_hangs_for_ever_and_takes_the_server_with_it(
    own_server: Server, shelf: Shelf, tmp_path: pathlib.Path
) -> None:
    """When the size is refused to the first one. The server ends as soon as the client of the second one leaves."""
    names = [shelf.add(model, seed=905) for model in ("first", "second")]
    weights = shelf.weights(names[0])
    started = start(tmp_path)
    try:
        with shelf.registry.fault(weights, HEAD, status=500, latency=1, times=1):
            first = started.server.begin_pull(names[0])
            wait_until(shelf.requests, "the first one to ask for the size")
            time.sleep(0.3)
            second = started.server.begin_pull(names[1])
            assert list(first.lines())[-1] == {"error": "500: "}
        line = {"status": f"pulling {weights[7:19]}", "digest": weights}
        found = [next(second.lines()) for _line in range(40)]
        assert found == [{"status": "pulling manifest"}, *[line] * 39]
        assert started.server.pull(names[0]).lines[-1] == SUCCESS
        assert [next(second.lines()) for _line in range(5)] == [line] * 5
        second.leave()
        assert started.process.wait(10) == 2
    finally:
        stop(started)
