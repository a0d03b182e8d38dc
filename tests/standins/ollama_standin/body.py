# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The body of a request, with a length or in chunks."""

from __future__ import annotations

import email.message
import io
import typing as t

CHUNK = 1 << 20
DRAIN_LIMIT = 256 * 1024


class Body:
    def __init__(self, stream: io.BufferedIOBase, headers: email.message.Message) -> None:
        self.stream = stream
        self.chunked = headers.get("Transfer-Encoding", "").lower() == "chunked"
        self.left = int(headers.get("Content-Length") or 0)

    def chunks(self) -> t.Iterator[bytes]:
        """:raises ConnectionError: when the client leaves before the end"""
        return self._chunked() if self.chunked else self._plain()

    def read(self) -> bytes:
        return b"".join(self.chunks())

    def drain(self) -> bool:
        """Read what no handler wanted, and say whether the connection can be used again."""
        if self.chunked or self.left > DRAIN_LIMIT:
            return False
        for _chunk in self._plain():
            pass
        return True

    def _plain(self) -> t.Iterator[bytes]:
        while self.left:
            data = self.stream.read(min(CHUNK, self.left))
            if not data:
                raise ConnectionError("unexpected EOF")
            self.left -= len(data)
            yield data

    def _chunked(self) -> t.Iterator[bytes]:
        while True:
            size = int(self.stream.readline().split(b";")[0] or b"0", 16)
            data = self.stream.read(size)
            if len(data) != size or self.stream.readline() != b"\r\n":
                raise ConnectionError("unexpected EOF")
            if not size:
                self.chunked = False
                return
            yield data
