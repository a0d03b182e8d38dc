# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands ``serve``, ``list`` and ``--version``."""

from __future__ import annotations

import argparse
import datetime
import http.client
import json
import os
import pathlib
import signal
import sys
import threading
import typing as t
from urllib.parse import urlsplit

from .server import OllamaServer

DEFAULT_VERSION = "0.32.15"
DEFAULT_PORTS = {"http": 80, "https": 443}
COLUMNS = ("NAME", "ID", "SIZE", "MODIFIED")


def main() -> int:
    parser = argparse.ArgumentParser(prog="ollama")
    parser.add_argument("-v", "--version", action="store_true", help="show the versions of server and client")
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("serve", help="start the server")
    commands.add_parser("list", aliases=["ls"], help="list the models")
    arguments = parser.parse_args()
    version = os.environ.get("OLLAMA_STANDIN_VERSION") or DEFAULT_VERSION
    if arguments.version:
        return show_version(version)
    if arguments.command == "serve":
        return serve(version)
    if arguments.command in ("list", "ls"):
        return show_list()
    parser.print_help()
    return 0


def address() -> tuple[str, int]:
    """``OLLAMA_HOST``: host, host:port, :port (every address) or a URL."""
    text = os.environ.get("OLLAMA_HOST", "").strip().strip("\"'")
    scheme, _separator, rest = text.rpartition("://")
    parts = urlsplit(f"//{rest}")
    host = parts.hostname or ("0.0.0.0" if rest.startswith(":") else "127.0.0.1")
    return host, parts.port or DEFAULT_PORTS.get(scheme, 11434)


def serve(version: str) -> int:
    home = pathlib.Path(os.environ.get("HOME") or pathlib.Path.home())
    server = OllamaServer(address(), pathlib.Path(os.environ.get("OLLAMA_MODELS") or home / ".ollama/models"), version)
    host, port = server.socket.getsockname()[:2]
    # As PID 1 of a container a process gets no default action for a signal.
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_arguments: threading.Thread(target=server.shutdown).start())
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    print(f'time={now} level=INFO source=standin msg="Listening on {host}:{port} (version {version})"', file=sys.stderr)
    server.serve_forever(poll_interval=0.1)
    server.downloads.cancel_all()
    return 0


def show_version(version: str) -> int:
    try:
        print(f"ollama version is {_get('/api/version')['version']}")
    except OSError:
        print("Warning: could not connect to a running Ollama instance")
        print(f"Warning: client version is {version}")
    return 0


def show_list() -> int:
    try:
        models = _get("/api/tags")["models"]
    except OSError:
        print("Error: could not connect to ollama server, run 'ollama serve' to start it", file=sys.stderr)
        return 1
    rows = [COLUMNS]
    rows += [(item["name"], item["digest"][:12], _size(item["size"]), item["modified_at"][:19]) for item in models]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    for row in rows:
        print("    ".join(cell.ljust(width) for cell, width in zip(row, widths)))
    return 0


def _get(path: str) -> t.Any:
    connection = http.client.HTTPConnection(*address(), timeout=10)
    try:
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def _size(count: int) -> str:
    value, unit = float(count), "B"
    for larger in ("KB", "MB", "GB"):
        if value >= 1000:
            value, unit = value / 1000, larger
    return f"{value:.3g} {unit}"
