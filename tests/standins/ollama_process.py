# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Starts and stops Ollama servers for tests: the stand-in, or the real program that ``OLLAMA_BIN`` names."""

from __future__ import annotations

import contextlib
import os
import pathlib
import socket
import subprocess
import sys
import typing as t

from ollama_client import Server, wait_until

STANDIN = pathlib.Path(__file__).resolve().with_name("ollama")
KEPT_VARIABLES = ("PATH", "TMPDIR", "LD_LIBRARY_PATH")
START_ATTEMPTS = 3


class Started(t.NamedTuple):
    server: Server
    process: subprocess.Popen[bytes]


def command() -> list[str]:
    program = os.environ.get("OLLAMA_BIN")
    return [program] if program else [sys.executable, str(STANDIN)]


def environment(home: pathlib.Path, host: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    models = str(home / "models")
    return {**kept, "HOME": str(home), "OLLAMA_HOST": host, "OLLAMA_MODELS": models, "OLLAMA_NO_CLOUD": "1"}


def start(home: pathlib.Path, **variables: str) -> Started:
    """Start a server whose store is ``home/models`` and whose output goes to ``home/log``.

    :arg variables: of its environment, such as ``OLLAMA_KEEP_ALIVE="-1"``
    """
    # Another program may take the free port before the server does: then the next one is tried.
    for _attempt in range(START_ATTEMPTS):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            host = f"127.0.0.1:{probe.getsockname()[1]}"
        with (home / "log").open("ab") as log:
            everything = {**environment(home, host), **variables}
            process = subprocess.Popen([*command(), "serve"], env=everything, stdout=log, stderr=log)
        server = Server(f"http://{host}", home / "models", command(), "OLLAMA_BIN" not in os.environ)
        started = Started(server, process)
        if _runs(started):
            return started
    raise AssertionError(f"the server does not start: {(home / 'log').read_text()[-2000:]}")


def stop(started: Started) -> None:
    started.process.terminate()
    try:
        started.process.wait(10)
    except subprocess.TimeoutExpired:
        started.process.kill()
        started.process.wait()


@contextlib.contextmanager
def running(home: pathlib.Path, **variables: str) -> t.Iterator[Server]:
    """A server that is stopped at the end of the block."""
    started = start(home, **variables)
    try:
        yield started.server
    finally:
        stop(started)


def _runs(started: Started) -> bool:
    process = started.process
    wait_until(lambda: process.poll() is not None or _answers(started.server), "the server to answer")
    return process.poll() is None


def _answers(server: Server) -> bool:
    """A port listens a moment before the server can be stopped properly."""
    with contextlib.suppress(OSError):
        return server.call("GET", "/").status == 200
    return False
