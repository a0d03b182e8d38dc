# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program: ``serve`` and the commands that ask a server."""

from __future__ import annotations

import argparse
import datetime
import os
import pathlib
import signal
import sys
import threading

from . import commands
from .server import OllamaServer

DEFAULT_VERSION = "0.32.15"


def main() -> int:
    parser = _parser()
    arguments = parser.parse_args()
    version = os.environ.get("OLLAMA_STANDIN_VERSION") or DEFAULT_VERSION
    try:
        if arguments.version:
            commands.show_version(version)
        elif arguments.command == "serve":
            serve(version)
        elif arguments.command in ("list", "ls"):
            commands.show_list()
        elif arguments.command == "pull":
            commands.pull(arguments.model, arguments.insecure)
        elif arguments.command == "rm":
            commands.remove(arguments.models)
        elif arguments.command == "show":
            commands.show(arguments.model, arguments.wanted)
        else:
            parser.print_help()
    except commands.CommandError as exc:
        print(f"Error: {exc}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ollama")
    parser.add_argument("-v", "--version", action="store_true", help="show the versions of server and client")
    subparsers = parser.add_subparsers(dest="command")
    subparsers.add_parser("serve", help="start the server")
    subparsers.add_parser("list", aliases=["ls"], help="list the models")
    pull = subparsers.add_parser("pull", help="pull a model from a registry")
    pull.add_argument("model")
    pull.add_argument("--insecure", action="store_true", help="use plain http")
    subparsers.add_parser("rm", help="remove models").add_argument("models", nargs="+")
    show = subparsers.add_parser("show", help="tell about a model")
    show.add_argument("model")
    for text in commands.TEXTS:
        show.add_argument(f"--{text}", dest="wanted", action="store_const", const=text, default="")
    return parser


def serve(version: str) -> None:
    home = pathlib.Path(os.environ.get("HOME") or pathlib.Path.home())
    models = pathlib.Path(os.environ.get("OLLAMA_MODELS") or home / ".ollama/models")
    server = OllamaServer(commands.address(), models, version)
    host, port = server.socket.getsockname()[:2]
    # As PID 1 of a container a process gets no default action for a signal.
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_arguments: threading.Thread(target=server.shutdown).start())
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    print(f'time={now} level=INFO source=standin msg="Listening on {host}:{port} (version {version})"', file=sys.stderr)
    server.serve_forever(poll_interval=0.1)
    server.downloads.cancel_all()
