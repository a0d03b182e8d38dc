# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program: its commands, its environment, its end, and what the stand-in says of itself."""

from __future__ import annotations

import os
import pathlib
import signal
import socket
import subprocess

import pytest
from ollama_client import Server
from ollama_process import environment, start, stop
from shelf import Shelf

SERVER_IS_DOWN = "Error: could not connect to ollama server, run 'ollama serve' to start it\n"


def run(server: Server, home: pathlib.Path, host: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    assert server.command
    return subprocess.run(
        [*server.command, *arguments],
        env=environment(home, host),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def closed_port() -> str:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{unused.getsockname()[1]}"


def test_list_prints_a_table(own_server: Server, shelf: Shelf, pulled: str, tmp_path: pathlib.Path) -> None:
    listed = run(own_server, tmp_path, own_server.url, "list")
    header, *rows = [line.split() for line in listed.stdout.splitlines()]
    assert (listed.returncode, header) == (0, ["NAME", "ID", "SIZE", "MODIFIED"])
    (row,) = [row for row in rows if row[0] == pulled]
    assert row[1] == own_server.tags()[pulled]["digest"][:12]


def test_list_without_a_server(own_server: Server, tmp_path: pathlib.Path) -> None:
    listed = run(own_server, tmp_path, closed_port(), "list")
    assert (listed.returncode, listed.stdout, listed.stderr) == (1, "", SERVER_IS_DOWN)


def test_version(own_server: Server, tmp_path: pathlib.Path) -> None:
    version = own_server.call("GET", "/api/version").json()["version"]
    told = run(own_server, tmp_path, own_server.url, "--version")
    assert (told.returncode, told.stdout) == (0, f"ollama version is {version}\n")
    alone = run(own_server, tmp_path, closed_port(), "--version")
    assert alone.stdout.startswith(
        "Warning: could not connect to a running Ollama instance\nWarning: client version is "
    )


def test_pull_by_the_command(own_server: Server, shelf: Shelf, tmp_path: pathlib.Path) -> None:
    name = shelf.add()
    for _time in range(2):
        pulled = run(own_server, tmp_path, own_server.url, "pull", "--insecure", name)
        assert (pulled.returncode, pulled.stdout) == (0, "")
        assert "success" in pulled.stderr
    assert name in own_server.tags()
    refused = run(own_server, tmp_path, own_server.url, "pull", "--insecure", f"{shelf.prefix}/nosuch")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.endswith("Error: pull model manifest: file does not exist\n")
    assert shelf.requests()[-2:] == [("GET", "latest", ""), ("GET", "latest", "")]


def test_rm_by_the_command(own_server: Server, shelf: Shelf, tmp_path: pathlib.Path) -> None:
    names = [shelf.add(model, seed=1001) for model in ("first", "second")]
    for name in names:
        own_server.pull(name)
    removed = run(own_server, tmp_path, own_server.url, "rm", *names)
    assert (removed.returncode, removed.stdout) == (0, "".join(f"deleted '{name}'\n" for name in names))
    again = run(own_server, tmp_path, own_server.url, "rm", names[0])
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.endswith(f"Error: model '{names[0]}' not found\n")


def test_show_by_the_command(own_server: Server, pulled: str, tmp_path: pathlib.Path) -> None:
    shown = own_server.call("POST", "/api/show", {"model": pulled}).json()
    for text, end in (("modelfile", "\n"), ("parameters", "\n"), ("license", "\n"), ("template", ""), ("system", "")):
        told = run(own_server, tmp_path, own_server.url, "show", pulled, f"--{text}")
        assert (told.returncode, told.stdout) == (0, shown.get(text, "") + end)
    summary = run(own_server, tmp_path, own_server.url, "show", pulled)
    assert (summary.returncode, summary.stdout.splitlines()[0]) == (0, "  Model")
    missing = run(own_server, tmp_path, own_server.url, "show", f"{pulled}x")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert missing.stderr.endswith(f"model '{pulled}x' not found\n")


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server(own_server: Server, tmp_path: pathlib.Path, signum: signal.Signals) -> None:
    started = start(tmp_path)
    try:
        started.process.send_signal(signum)
        assert started.process.wait(10) == 0
    finally:
        stop(started)


@pytest.mark.needs_inference
def test_the_environment_sets_keep_alive_and_context(own_server: Server, shelf: Shelf, tmp_path: pathlib.Path) -> None:
    if not own_server.standin and os.environ.get("OLLAMA_CHAT_MODEL") != "tiny":
        pytest.skip("OLLAMA_CHAT_MODEL is not tiny, the model that a second server can pull")
    started = start(tmp_path, OLLAMA_KEEP_ALIVE="-1", OLLAMA_CONTEXT_LENGTH="512")
    try:
        name = shelf.add(width=64)
        started.server.pull(name)
        started.server.call("POST", "/api/generate", {"model": name})
        item = started.server.running()[name]
        assert item["expires_at"] > "2300"
        assert item["context_length"] == 512
    finally:
        stop(started)
