# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The download of one blob: parts that are fetched at once, with their state on disk."""

from __future__ import annotations

import contextlib
import errno
import http.client
import json
import os
import pathlib
import queue
import socket
import threading
import time

from .registry_client import CANCELED, RegistryClient, RegistryError, Stalled

MEGABYTE = 1000 * 1000
PARTS, SMALLEST_PART, LARGEST_PART = 16, 100 * MEGABYTE, 1000 * MEGABYTE
TRIES = 6
DIRECT_URL_SECONDS = 30
CHUNK = 256 * 1024


class DownloadError(Exception):
    """Why a blob did not arrive."""


class Part:
    """:arg path: of the file that tells how far it came; ``attempt``: bytes that may still be thrown away"""

    def __init__(self, path: pathlib.Path, state: dict[str, int]) -> None:
        self.path = path
        self.number, self.offset, self.size = state["N"], state["Offset"], state["Size"]
        self.completed = state["Completed"]
        self.attempt = 0

    def save(self) -> None:
        state = {"N": self.number, "Offset": self.offset, "Size": self.size, "Completed": self.completed}
        try:
            self.path.write_text(json.dumps(state, separators=(",", ":")) + "\n")
        except OSError as exc:
            raise write_error(self.path, exc) from exc


class Download:
    """One blob on its way."""

    def __init__(self, digest: str, path: pathlib.Path, client: RegistryClient) -> None:
        self.digest = digest
        self.path = path
        self.client = client
        self.partial = path.with_name(f"{path.name}-partial")
        self.parts: list[Part] = []
        self.waiters = 0
        self.error: Exception | None = None
        self.started = False
        self.done = threading.Event()
        self.cancelled = threading.Event()
        # Set by the first part that gives up: the other ones lose what they were about to get.
        self.failed = threading.Event()

    @property
    def total(self) -> int:
        return sum(part.size for part in self.parts)

    @property
    def completed(self) -> int:
        return sum(part.completed + part.attempt for part in self.parts)

    def cancel(self) -> None:
        self.cancelled.set()
        self.client.abort()

    def prepare(self) -> None:
        """Take up the parts that an earlier attempt left, or ask for the size and cut it."""
        paths = sorted(self.path.parent.glob(f"{self.partial.name}-*"))
        if any(not path.stat().st_size for path in paths):
            raise DownloadError("EOF")
        parts = [Part(path, json.loads(path.read_text())) for path in paths]
        if not parts:
            total = self.client.blob_size(self.digest)
            size = min(max(total // PARTS, SMALLEST_PART), LARGEST_PART)
            for offset in range(0, total, size):
                state = {"N": len(parts), "Offset": offset, "Size": min(size, total - offset), "Completed": 0}
                parts.append(Part(self._part_path(len(parts)), state))
                parts[-1].save()
        self.parts = parts

    def run(self) -> None:
        try:
            with self.partial.open("r+b" if self.partial.exists() else "w+b") as stream:
                stream.truncate(self.total)
                self._fetch_parts(self._direct_url(), stream.fileno())
            for number in range(len(self.parts)):
                self._part_path(number).unlink()
            os.replace(self.partial, self.path)
        except FileNotFoundError as exc:
            self.error = DownloadError(f"remove {exc.filename}: no such file or directory")
        except (RegistryError, DownloadError, OSError, ValueError) as exc:
            self.error = exc

    def _direct_url(self) -> str:
        deadline = time.monotonic() + DIRECT_URL_SECONDS
        tries = 0
        while True:
            try:
                return self.client.direct_url(self.digest)
            except RegistryError as exc:
                if "Location" in str(exc):
                    raise
            tries += 1
            pause = min(tries * tries * 0.01, 10)
            if self.cancelled.wait(min(pause, max(deadline - time.monotonic(), 0))):
                raise DownloadError(CANCELED)
            if time.monotonic() >= deadline:
                raise DownloadError("context deadline exceeded")

    def _fetch_parts(self, url: str, descriptor: int) -> None:
        """:raises Exception: the first failure, when every part has ended"""
        unfinished = [part for part in self.parts if part.completed < part.size]
        waiting: queue.SimpleQueue[Part] = queue.SimpleQueue()
        ended: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()
        for part in unfinished:
            waiting.put(part)

        def work() -> None:
            with contextlib.suppress(queue.Empty):
                while True:
                    ended.put(self._outcome(url, waiting.get_nowait(), descriptor))

        for _thread in unfinished[:PARTS]:
            threading.Thread(target=work, daemon=True).start()
        failures = [failure for failure in (ended.get() for _part in unfinished) if failure]
        if failures:
            raise failures[0]

    def _outcome(self, url: str, part: Part, descriptor: int) -> Exception | None:
        try:
            self._fetch_part(url, part, descriptor)
        except Exception as exc:
            if not self.cancelled.is_set():
                self.failed.set()
                self.client.abort()
            return exc
        return None

    def _fetch_part(self, url: str, part: Part, descriptor: int) -> None:
        reason = ""
        tries = 0
        while tries < TRIES:
            if self.cancelled.is_set() or self.failed.is_set():
                raise DownloadError(CANCELED)
            try:
                return self._attempt(url, part, descriptor)
            except (Stalled, socket.timeout):
                # Not counted: the server tries again for ever.
                continue
            except (RegistryError, http.client.HTTPException, OSError) as exc:
                reason = str(exc)
            if not self.cancelled.is_set():
                # Whoever leaves during this pause does not shorten it, and the next pull joins a download that is over.
                time.sleep(2**tries)
            tries += 1
        raise DownloadError(f"max retries exceeded: {reason}")

    def _attempt(self, url: str, part: Part, descriptor: int) -> None:
        """The bytes of an attempt count for good when it ends by a cut or by leaving, not by a stall or an error."""
        start, wanted = part.offset + part.completed, part.size - part.completed
        try:
            with self.client.open("GET", url, {"Range": f"bytes={start}-{start + wanted - 1}"}) as response:
                while part.attempt < wanted:
                    data = response.read1(min(CHUNK, wanted - part.attempt))
                    if not data:
                        break
                    self._write(descriptor, data, start + part.attempt)
                    part.attempt += len(data)
                if part.attempt < wanted and part.attempt == int(response.getheader("Content-Length") or -1):
                    raise RegistryError("EOF")
            if self.failed.is_set():
                raise DownloadError(CANCELED)
            part.completed += part.attempt
            part.attempt = 0
            part.save()
        finally:
            part.attempt = 0
        if part.completed < part.size:
            raise RegistryError("unexpected EOF")

    def _write(self, descriptor: int, data: bytes, offset: int) -> None:
        try:
            written = os.pwrite(descriptor, data, offset)
            if written < len(data):
                os.pwrite(descriptor, data[written:], offset + written)
        except OSError as exc:
            raise write_error(self.partial, exc) from exc

    def _part_path(self, number: int) -> pathlib.Path:
        return self.partial.with_name(f"{self.partial.name}-{number}")


def write_error(path: pathlib.Path, exc: OSError) -> DownloadError:
    """In the words of Go."""
    return DownloadError(f"write {path}: {os.strerror(exc.errno or errno.EIO).lower()}")
