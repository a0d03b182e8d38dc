# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands that ask a running server: ``list``, ``pull``, ``rm``, ``show`` and ``--version``."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import sys
import typing as t
from urllib.parse import urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443}
COLUMNS = ("NAME", "ID", "SIZE", "MODIFIED")
TEXTS = ("license", "modelfile", "parameters", "system", "template")


class CommandError(Exception):
    """What is printed after ``Error:``."""


def address() -> tuple[str, int]:
    """``OLLAMA_HOST``: host, host:port, :port (every address) or a URL."""
    text = os.environ.get("OLLAMA_HOST", "").strip().strip("\"'")
    scheme, _separator, rest = text.rpartition("://")
    parts = urlsplit(f"//{rest}")
    host = parts.hostname or ("0.0.0.0" if rest.startswith(":") else "127.0.0.1")
    return host, parts.port or DEFAULT_PORTS.get(scheme, 11434)


def show_version(version: str) -> None:
    try:
        print(f"ollama version is {_last('GET', '/api/version')['version']}")
    except CommandError:
        print("Warning: could not connect to a running Ollama instance")
        print(f"Warning: client version is {version}")


def show_list() -> None:
    _last("HEAD", "/")
    models = _last("GET", "/api/tags")["models"]
    rows = [COLUMNS]
    rows += [(item["name"], item["digest"][:12], _size(item["size"]), item["modified_at"][:19]) for item in models]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    for row in rows:
        print("    ".join(cell.ljust(width) for cell, width in zip(row, widths)))


def pull(model: str, insecure: bool) -> None:
    """Progress goes to stderr, one line for each new step."""
    _last("HEAD", "/")
    status = ""
    for line in _lines("POST", "/api/pull", {"model": model, "insecure": insecure}):
        if line.get("status") != status:
            status = line.get("status", "")
            print(status, file=sys.stderr)


def remove(models: list[str]) -> None:
    _last("HEAD", "/")
    for model in models:
        with contextlib.suppress(CommandError):
            _last("POST", "/api/generate", {"model": model, "keep_alive": 0})
        _last("DELETE", "/api/delete", {"model": model})
        print(f"deleted '{model}'")


def show(model: str, wanted: str) -> None:
    """:arg wanted: one of ``TEXTS``, or nothing for a summary"""
    _last("HEAD", "/")
    shown = _last("POST", "/api/show", {"model": model})
    if wanted:
        print(shown.get(wanted, ""), end="" if wanted in ("system", "template") else "\n")
        return
    print("  Model")
    for key, value in shown["details"].items():
        if value:
            print(f"    {key.replace('_', ' '):<20}    {value if isinstance(value, str) else ', '.join(value)}")


def _last(method: str, path: str, body: t.Any = None) -> t.Any:
    return ([{}, *_lines(method, path, body)])[-1]


def _lines(method: str, path: str, body: t.Any = None) -> t.Iterator[t.Any]:
    """:raises CommandError: when the server is not there or tells of an error"""
    connection = http.client.HTTPConnection(*address())
    try:
        connection.request(method, path, json.dumps(body) if body else None)
        for line in connection.getresponse():
            content = json.loads(line)
            if "error" in content:
                raise CommandError(content["error"])
            yield content
    except OSError:
        raise CommandError("could not connect to ollama server, run 'ollama serve' to start it") from None
    finally:
        connection.close()


def _size(count: int) -> str:
    value, unit = float(count), "B"
    for larger in ("KB", "MB", "GB"):
        if value >= 1000:
            value, unit = value / 1000, larger
    return f"{value:.3g} {unit}"
