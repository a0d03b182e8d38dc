# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A pull that is interrupted and repeated: what the registry had to send each time, counted there in bytes.

Only ranged requests are counted: before them a server asks for the whole file, and leaves when it has seen the headers.
The figures of the last run stand in ``.cache/interrupted-pulls.txt``.
"""

from __future__ import annotations

import pathlib
import signal
import typing as t

import pytest
from faults import RANGE
from module_process import (
    ROOT,
    Module,
    Ollama,
    Result,
    Run,
    actions,
    bytes_kept,
    digests_of,
    part_files,
    succeeded,
    warnings,
)
from ollama_client import wait_until
from shelf import Shelf

# A server fetches files in parts of 100 MB.
ONE_PART = 40_000_000
TWO_PARTS = 160_000_000
FIRST_PART = 100_000_000
HALF = 24_000_000
MOST = 80_000_000

Note = t.Callable[..., None]


@pytest.fixture(scope="module")
def table() -> t.Iterator[list[str]]:
    rows = [f"{'interrupted by':45}{'file':>12}{'first run':>12}{'second run':>12}{'together / file':>17}"]
    yield rows
    path = ROOT / ".cache/interrupted-pulls.txt"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join([*rows, ""]), encoding="utf-8")
    print(*rows, sep="\n")


class Interrupted:
    """The pull of one large file.

    :arg parts: in which a server fetches it
    """

    def __init__(self, ollama: Ollama, module: Module, shelf: Shelf, padding: int, parts: int) -> None:
        self.ollama = ollama
        self.module = module
        self.shelf = shelf
        self.parts = parts
        self.name = shelf.add(padding=padding)
        self.digest = shelf.weights(self.name)
        self.size = shelf.blob(self.digest).stat().st_size

    def start(self, **options: t.Any) -> Run:
        common = {"url": self.ollama.url, "name": self.name, "insecure": True}
        return self.module.start(**common, **{"stall_timeout": 10, **options})

    def half_way(self, arrived: int = HALF, stall_after: int = HALF) -> Run:
        """A run whose pull waits for the rest of its file, for ever.

        :arg arrived: bytes that the server has by then
        """
        # An answer that goes on would write to a connection that the server has left, and be counted.
        self.shelf.registry.fault(self.digest, RANGE, stall_after=stall_after, times=self.parts)
        run = self.start()
        run.wait_for(f"pulling {self.digest[7:19]}", arrived)
        return run

    def sent(self) -> int:
        return self.shelf.sent(self.digest)

    def repeat(self, **options: t.Any) -> tuple[Result, int]:
        """Run again. Gives the result and what the registry sent for it."""
        before = self.sent()
        result = succeeded(self.start(**options).result())
        assert digests_of(self.ollama.server) == {self.name: self.shelf.digest(self.name)}
        assert self.ollama.server.blob(self.digest).stat().st_size == self.size
        assert not list(self.ollama.store.glob("blobs/*-partial*"))
        return result, self.sent() - before

    def kept(self) -> int:
        return bytes_kept(self.ollama.server, self.digest)

    def part_file(self) -> pathlib.Path:
        return part_files(self.ollama.server, self.digest)[0]


@pytest.fixture
def large(ollama: Ollama, module: Module, shelf: Shelf) -> Interrupted:
    return Interrupted(ollama, module, shelf, ONE_PART, parts=1)


@pytest.fixture
def larger(ollama: Ollama, module: Module, shelf: Shelf) -> Interrupted:
    return Interrupted(ollama, module, shelf, TWO_PARTS, parts=2)


@pytest.fixture
def note(table: list[str]) -> Note:
    def note(what: str, pull: Interrupted, second: int) -> None:
        first = pull.sent() - second
        share = (first + second) / pull.size
        table.append(f"{what:45}{pull.size:12}{first:12}{second:12}{share:17.3f}")
        print(table[0], table[-1], sep="\n")

    return note


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["SIGKILL", "SIGINT"])
def test_the_module_is_killed(large: Interrupted, note: Note, number: signal.Signals) -> None:
    large.half_way().kill(number)
    # The server keeps every byte when the last client leaves.
    wait_until(lambda: large.kept() == HALF, "the server to write down how far it came")
    result, second = large.repeat()
    note(f"module killed ({number.name})", large, second)
    assert second == large.size - HALF
    assert actions(result) == ["pulled"]


def test_the_server_is_stopped(large: Interrupted, note: Note) -> None:
    run = large.half_way()
    large.ollama.kill(signal.SIGTERM)
    run.kill()
    # A server has no time to write it down properly: in some runs it leaves an empty file.
    kept = large.kept()
    large.ollama.start()
    _result, second = large.repeat(models_dir=str(large.ollama.store))
    note(f"server stopped, {kept} bytes kept", large, second)
    assert second == large.size - kept


def test_the_server_is_stopped_and_leaves_an_empty_part_file(large: Interrupted, note: Note) -> None:
    run = large.half_way()
    large.ollama.kill(signal.SIGTERM)
    run.kill()
    part_file = large.part_file()
    part_file.write_bytes(b"")
    large.ollama.start()
    refused = large.start(retries=0).result()
    assert refused["failure"]["error"].endswith(f"could not pull {large.name}: EOF.")
    assert f"blobs/{large.digest.replace(':', '-')}-partial-*" in refused["msg"]
    result, second = large.repeat(models_dir=str(large.ollama.store))
    note("server stopped, empty part file", large, second)
    # Nothing tells any more which bytes of the file are there.
    assert second == large.size
    assert part_file.name in warnings(result)[0]


def test_the_server_is_killed(large: Interrupted, note: Note) -> None:
    run = large.half_way()
    large.ollama.kill(signal.SIGKILL)
    run.kill()
    large.ollama.start()
    _result, second = large.repeat()
    note("server killed", large, second)
    # It writes down how far a part came when its connection ends.
    assert second == large.size


def test_the_server_is_killed_when_one_of_two_parts_is_complete(larger: Interrupted, note: Note) -> None:
    run = larger.half_way(MOST + larger.size - FIRST_PART, stall_after=MOST)
    larger.ollama.kill(signal.SIGKILL)
    run.kill()
    larger.ollama.start()
    _result, second = larger.repeat()
    note("server killed, one of two parts complete", larger, second)
    assert second == FIRST_PART


def test_the_server_is_killed_and_comes_back(large: Interrupted, note: Note) -> None:
    run = large.half_way()
    large.ollama.kill(signal.SIGKILL)
    large.ollama.start()
    result = succeeded(run.result())
    note("server killed, started again at once", large, large.sent() - HALF)
    assert actions(result) == ["pulled"]
    assert large.sent() == HALF + large.size


def test_the_registry_goes_away(large: Interrupted, note: Note) -> None:
    large.shelf.registry.fault(large.digest, RANGE, cut_after=HALF, times=1)
    gone = large.shelf.registry.fault(large.digest, RANGE, status=503)
    failed = large.start(stall_timeout=1, retries=1).result()
    assert actions(failed) == ["failed"]
    assert "nothing moved for 1 seconds" in failed["msg"]
    gone.end()
    _result, second = large.repeat()
    note("registry gone", large, second)
    # A connection that ends too early costs nothing of what it brought.
    assert second == large.size - HALF


def test_a_transfer_stalls(large: Interrupted, note: Note) -> None:
    large.shelf.registry.fault(large.digest, RANGE, stall_after=HALF, times=1)
    result = succeeded(large.start(stall_timeout=1).result())
    note("transfer stalled, taken up by the module", large, large.sent() - HALF)
    # The server would fetch the first half again, after 30 seconds.
    assert large.sent() == large.size
    assert result["models"][0]["bytes_transferred"] > large.size
    assert result["models"][0]["duration"] < 10


def test_a_transfer_stalls_until_the_module_gives_up(large: Interrupted, note: Note) -> None:
    stalled = large.shelf.registry.fault(large.digest, RANGE, stall_after=1_000_000)
    failed = large.start(stall_timeout=0.5, retries=0).result()
    assert actions(failed) == ["failed"]
    assert "run the task again to go on" in failed["msg"]
    first = large.sent()
    # Its connection stays as it is: an answer that goes on would be counted.
    stalled.path = "nothing"
    _result, second = large.repeat()
    note("transfer stalled, module gave up", large, second)
    assert first == 1_000_000
    assert second == large.size - first


@pytest.mark.thorough
def test_the_server_itself_about_a_stalled_transfer(large: Interrupted, note: Note) -> None:
    large.shelf.registry.fault(large.digest, RANGE, stall_after=HALF, times=1)
    succeeded(large.start(stall_timeout=60).result())
    note("transfer stalled, left to the server", large, large.sent() - HALF)
    assert large.sent() == HALF + large.size
