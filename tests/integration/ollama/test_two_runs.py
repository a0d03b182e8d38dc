# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs at the same time: those of one host wait for each other, those of several hosts share a download."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from faults import RANGE, Fault
from module_process import Module, Ollama, Run, actions, bytes_kept, digests_of, succeeded
from ollama_client import wait_until
from shelf import Shelf

PADDING = 20_000_000
HALF = 10_000_000


class Download:
    """A model whose pull waits for the second half of its weights until ``stalled`` ends."""

    def __init__(self, ollama: Ollama, shelf: Shelf) -> None:
        self.ollama = ollama
        self.shelf = shelf
        self.name = shelf.add(padding=PADDING)
        self.weights = shelf.weights(self.name)
        self.status = f"pulling {self.weights[7:19]}"
        self.stalled: Fault = shelf.registry.fault(self.weights, RANGE, stall_after=HALF, times=1)

    def start(self, module: Module, **options: t.Any) -> Run:
        return module.start(url=self.ollama.url, name=self.name, insecure=True, stall_timeout=30, **options)

    def assert_fetched_once(self) -> None:
        assert digests_of(self.ollama.server) == {self.name: self.shelf.digest(self.name)}
        assert self.shelf.sent(self.weights) == self.shelf.blob(self.weights).stat().st_size


@pytest.fixture
def download(ollama: Ollama, shelf: Shelf) -> Download:
    return Download(ollama, shelf)


def test_the_second_run_waits_and_finds_nothing_to_do(download: Download, module: Module) -> None:
    first = download.start(module)
    first.wait_for(download.status, HALF)
    second = download.start(module)
    second.wait_for("waiting for another run")
    # One that changes nothing need not wait.
    looked = download.start(module, check=True).result()
    assert actions(looked) == ["pulled"]
    download.stalled.end()
    pulled, waited = succeeded(first.result()), succeeded(second.result())
    assert (pulled["changed"], actions(pulled)) == (True, ["pulled"])
    assert (waited["changed"], actions(waited)) == (False, ["none"])
    assert waited["models"][0]["bytes_transferred"] == 0
    assert waited["models"][0]["digest"] == pulled["models"][0]["digest"]
    download.assert_fetched_once()


def test_a_run_on_another_host_joins_the_download(download: Download, module: Module, tmp_path: pathlib.Path) -> None:
    first = download.start(module)
    first.wait_for(download.status, HALF)
    elsewhere = download.start(Module(tmp_path / "elsewhere"))
    elsewhere.wait_for(download.status, HALF)
    download.stalled.end()
    # Neither can know that it was not alone.
    assert [actions(succeeded(run.result())) for run in (first, elsewhere)] == [["pulled"], ["pulled"]]
    download.assert_fetched_once()


def test_the_one_who_joined_goes_on_alone(download: Download, module: Module, tmp_path: pathlib.Path) -> None:
    first = download.start(module)
    first.wait_for(download.status, HALF)
    elsewhere = download.start(Module(tmp_path / "elsewhere"))
    elsewhere.wait_for(download.status, HALF)
    first.kill()
    download.stalled.end()
    assert actions(succeeded(elsewhere.result())) == ["pulled"]
    download.assert_fetched_once()


def test_the_one_who_waited_takes_over_from_a_killed_run(download: Download, module: Module) -> None:
    first = download.start(module)
    first.wait_for(download.status, HALF)
    second = download.start(module)
    second.wait_for("waiting for another run")
    first.kill()
    assert actions(succeeded(second.result())) == ["pulled"]
    download.assert_fetched_once()


def test_runs_for_other_servers_do_not_wait(
    download: Download, module: Module, shelf: Shelf, tmp_path: pathlib.Path
) -> None:
    other = Ollama(tmp_path / "other")
    try:
        first = download.start(module)
        first.wait_for(download.status, HALF)
        small = shelf.add("small")
        result = succeeded(module(url=other.url, name=small, insecure=True))
        assert actions(result) == ["pulled"]
        assert first.process.poll() is None
    finally:
        other.stop()
    first.kill()
    wait_until(lambda: bytes_kept(download.ollama.server, download.weights), "the server to write down how far it came")
