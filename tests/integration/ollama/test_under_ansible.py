# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A long pull as the task of a play: what the user sees of it, and what an end of the controller leaves behind."""

from __future__ import annotations

import contextlib
import pathlib
import re
import signal

import pytest
from faults import RANGE
from module_process import Module, Ollama, actions, bytes_kept, succeeded
from ollama_client import wait_until
from plays import start
from shelf import Shelf

HALF = 10_000_000
TASK = """\
- selfhosted.llm.ollama_model:
    url: {url}
    name: {name}
    insecure: true
"""


def processes(folder: pathlib.Path) -> set[int]:
    """Those that were started with this directory in their environment: a play, its workers and its modules."""
    found = set()
    for path in pathlib.Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if str(folder).encode() in path.read_bytes():
                found.add(int(path.parent.name))
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_the_controller_ends(
    ollama: Ollama, module: Module, shelf: Shelf, tmp_path: pathlib.Path, number: signal.Signals
) -> None:
    name = shelf.add(padding=2 * HALF)
    weights = shelf.weights(name)
    shelf.registry.fault(weights, RANGE, stall_after=HALF, times=1)
    folder = tmp_path / "play"
    play = start(folder, TASK.format(url=ollama.url, name=name))
    wait_until(lambda: shelf.sent(weights) == HALF, "the first half to be sent", 60)
    # The module notices by itself: no signal reaches one on another host.
    play.send_signal(number)
    play.communicate(timeout=60)
    wait_until(lambda: not processes(folder), "the module to end")
    wait_until(lambda: bytes_kept(ollama.server, weights) == HALF, "the server to write down how far it came")
    assert actions(succeeded(module(url=ollama.url, name=name, insecure=True))) == ["pulled"]
    assert shelf.sent(weights) == shelf.blob(weights).stat().st_size


@pytest.mark.thorough
def test_the_user_sees_how_far_it_is(ollama: Ollama, shelf: Shelf, tmp_path: pathlib.Path) -> None:
    name = shelf.add(padding=2 * HALF)
    shelf.registry.fault(shelf.weights(name), RANGE, rate=1_000_000)
    play = start(tmp_path / "play", TASK.format(url=ollama.url, name=name))
    output, errors = play.communicate(timeout=120)
    assert play.returncode == 0, output
    line = rf"localhost: {re.escape(name)} \d+ %, \d+\.\d of 20\.1 MB"
    assert re.search(line, errors), errors
    # Twenty seconds of work, and at most one line every ten.
    assert len(re.findall(line, errors)) <= 2
