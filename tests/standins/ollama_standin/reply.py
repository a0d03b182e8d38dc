# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a handler gives back to the HTTP server."""

from __future__ import annotations

import contextlib
import itertools
import typing as t

from .gojson import dump

JSON = "application/json; charset=utf-8"
# Set before a streamed answer is known to be one object, the type has no charset.
JSON_OF_STREAM = "application/json"
NDJSON = "application/x-ndjson"


Lines = t.Generator[dict[str, t.Any], None, None]


class Reply(t.NamedTuple):
    """``parts``, when given, is sent in chunks as it comes, an empty one only asks whether the client is still there.

    ``pending``, when given: the last of these lines is the answer. Else ``body`` is sent with its length.
    """

    status: int = 200
    body: bytes = b""
    content_type: str = ""
    parts: t.Generator[bytes, None, None] | None = None
    pending: Lines | None = None


class ApiError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message

    @property
    def line(self) -> dict[str, str]:
        return {"error": self.message}


def json_reply(value: t.Any, status: int = 200, content_type: str = JSON) -> Reply:
    return Reply(status, dump(value), content_type)


def error_reply(status: int, message: str) -> Reply:
    return json_reply(ApiError(status, message).line, status)


def stream_reply(lines: Lines) -> Reply:
    return Reply(content_type=NDJSON, parts=_encoded_lines(lines))


def progress_reply(lines: Lines, stream: bool) -> Reply:
    """The steps of a pull or a create, or only the last one. An error that comes first has a status."""
    if not stream:
        return Reply(pending=lines)
    try:
        first = next(lines)
    except ApiError as exc:
        return Reply(exc.status, content_type=JSON_OF_STREAM, parts=(dump(part) for part in [exc.line]))
    return Reply(content_type=NDJSON, parts=_encoded_lines(lines, first))


def _encoded_lines(lines: Lines, *before: dict[str, t.Any]) -> t.Generator[bytes, None, None]:
    with contextlib.closing(lines):
        try:
            for line in itertools.chain(before, lines):
                yield dump(line) + b"\n" if line else b""
        except ApiError as exc:
            yield dump(exc.line) + b"\n"
