# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a handler gives back to the HTTP server."""

from __future__ import annotations

import contextlib
import json
import typing as t

JSON = "application/json; charset=utf-8"
# Set before a streamed answer is known to be one object, the type has no charset.
JSON_OF_STREAM = "application/json"
NDJSON = "application/x-ndjson"
ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


Lines = t.Generator[dict[str, t.Any], None, None]


class Reply(t.NamedTuple):
    """``parts``, when given, is sent in chunks as it comes; ``body`` is sent with its length otherwise."""

    status: int = 200
    body: bytes = b""
    content_type: str = ""
    parts: t.Generator[bytes, None, None] | None = None


class ApiError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def encode(value: t.Any) -> bytes:
    """JSON as Go writes it: no blanks, and characters of HTML escaped."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).translate(ESCAPES).encode()


def json_reply(value: t.Any, status: int = 200, content_type: str = JSON) -> Reply:
    return Reply(status, encode(value), content_type)


def error_reply(status: int, message: str) -> Reply:
    return json_reply({"error": message}, status)


def stream_reply(lines: Lines) -> Reply:
    return Reply(content_type=NDJSON, parts=_encoded_lines(lines))


def _encoded_lines(lines: Lines) -> t.Generator[bytes, None, None]:
    with contextlib.closing(lines):
        for line in lines:
            yield encode(line) + b"\n"
