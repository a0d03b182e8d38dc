# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Downloads of blobs: parts with their state on disk, shared by everybody who waits for the same blob."""

from __future__ import annotations

import http.client
import json
import os
import pathlib
import socket
import threading
import time
import typing as t

from .registry_client import RegistryClient, RegistryError, Stalled

MEGABYTE = 1000 * 1000
PARTS, SMALLEST_PART, LARGEST_PART = 16, 100 * MEGABYTE, 1000 * MEGABYTE
TRIES = 6
DIRECT_URL_SECONDS = 30
PROGRESS_SECONDS = 0.06
CHUNK = 64 * 1024

Progress = dict[str, t.Any]


class DownloadError(Exception):
    """Why a blob did not arrive."""


class Download:
    """One blob on its way. Its parts are fetched one after another, where the real server fetches 16 at once."""

    def __init__(self, digest: str, path: pathlib.Path, client: RegistryClient) -> None:
        self.digest = digest
        self.path = path
        self.client = client
        self.partial = path.with_name(f"{path.name}-partial")
        self.parts: list[dict[str, int]] = []
        self.attempt = 0
        self.waiters = 0
        self.error: Exception | None = None
        self.done = threading.Event()
        self.cancelled = threading.Event()

    @property
    def total(self) -> int:
        return sum(part["Size"] for part in self.parts)

    @property
    def completed(self) -> int:
        return sum(part["Completed"] for part in self.parts) + self.attempt

    def cancel(self) -> None:
        self.cancelled.set()
        self.client.abort()

    def run(self) -> None:
        try:
            self._prepare()
            with self.partial.open("r+b" if self.partial.exists() else "w+b") as stream:
                stream.truncate(self.total)
                url = self._direct_url()
                for part in self.parts:
                    self._fetch_part(url, part, stream)
            for part in self.parts:
                self._part_path(part).unlink()
            os.replace(self.partial, self.path)
        except (RegistryError, DownloadError, OSError, ValueError) as exc:
            self.error = exc

    def _prepare(self) -> None:
        """Take up the parts that an earlier attempt left, or ask for the size and cut it."""
        paths = sorted(self.path.parent.glob(f"{self.partial.name}-*"))
        if any(not path.stat().st_size for path in paths):
            raise DownloadError("EOF")
        parts = [json.loads(path.read_text()) for path in paths]
        if not parts:
            total = self.client.blob_size(self.digest)
            size = min(max(total // PARTS, SMALLEST_PART), LARGEST_PART)
            for offset in range(0, total, size):
                part = {"N": len(parts), "Offset": offset, "Size": min(size, total - offset), "Completed": 0}
                parts.append(part)
                self._save(part)
        self.parts = parts

    def _direct_url(self) -> str:
        deadline = time.monotonic() + DIRECT_URL_SECONDS
        pause = 0.01
        while True:
            try:
                return self.client.direct_url(self.digest)
            except RegistryError as exc:
                if "Location" in str(exc):
                    raise
            pause = min(pause * 2, 1.0)
            if time.monotonic() + pause > deadline:
                raise DownloadError("context deadline exceeded")
            if self.cancelled.wait(pause):
                raise DownloadError("context canceled")

    def _fetch_part(self, url: str, part: dict[str, int], stream: t.BinaryIO) -> None:
        failures = 0
        while part["Completed"] < part["Size"]:
            try:
                self._attempt(url, part, stream)
            except (Stalled, socket.timeout):
                continue
            except (RegistryError, OSError, http.client.HTTPException) as exc:
                if self.cancelled.wait(2**failures):
                    raise DownloadError("context canceled") from exc
                failures += 1
                if failures == TRIES:
                    raise DownloadError(f"max retries exceeded: {exc}") from exc

    def _attempt(self, url: str, part: dict[str, int], stream: t.BinaryIO) -> None:
        """The bytes of an attempt count for good when it ends by a cut or by leaving, not by a stall or an error."""
        start, wanted = part["Offset"] + part["Completed"], part["Size"] - part["Completed"]
        stream.seek(start)
        try:
            with self.client.open("GET", url, {"Range": f"bytes={start}-{start + wanted - 1}"}) as response:
                while self.attempt < wanted and not self.cancelled.is_set():
                    data = response.read1(min(CHUNK, wanted - self.attempt))
                    if not data:
                        break
                    stream.write(data)
                    self.attempt += len(data)
                if self.attempt < wanted and self.attempt == int(response.getheader("Content-Length") or -1):
                    raise RegistryError("EOF")
            stream.flush()
            part["Completed"] += self.attempt
            self._save(part)
        finally:
            self.attempt = 0
        if self.cancelled.is_set():
            raise DownloadError("context canceled")
        if part["Completed"] < part["Size"]:
            raise RegistryError("unexpected EOF")

    def _part_path(self, part: dict[str, int]) -> pathlib.Path:
        return self.partial.with_name(f"{self.partial.name}-{part['N']}")

    def _save(self, part: dict[str, int]) -> None:
        self._part_path(part).write_text(json.dumps(part, separators=(",", ":")) + "\n")


class Downloads:
    """The blobs on their way, each fetched once however many pulls wait for it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.running: dict[str, Download] = {}

    def fetch(self, digest: str, path: pathlib.Path, client: RegistryClient) -> t.Iterator[Progress]:
        """Progress until the blob is there. Whoever stops reading leaves; the last one to leave cancels."""
        download = self._join(digest, path, client)
        try:
            while not download.done.wait(PROGRESS_SECONDS):
                if download.parts:
                    yield progress(digest, download.total, download.completed)
        finally:
            self._leave(download)
        if download.error:
            raise DownloadError(str(download.error))

    def cancel_all(self) -> None:
        """Stop everything and let the parts write down how far they came."""
        with self.lock:
            running = list(self.running.values())
        for download in running:
            download.cancel()
        for download in running:
            download.done.wait(1)

    def _join(self, digest: str, path: pathlib.Path, client: RegistryClient) -> Download:
        while True:
            with self.lock:
                download = self.running.get(digest)
                if download is None:
                    download = self.running[digest] = Download(digest, path, client)
                    threading.Thread(target=self._run, args=(download,), daemon=True).start()
                if not download.cancelled.is_set():
                    download.waiters += 1
                    return download
            download.done.wait()

    def _run(self, download: Download) -> None:
        try:
            download.run()
        finally:
            with self.lock:
                del self.running[download.digest]
            download.done.set()

    def _leave(self, download: Download) -> None:
        with self.lock:
            download.waiters -= 1
            if not download.waiters and not download.done.is_set():
                download.cancel()


def progress(digest: str, total: int, completed: int) -> Progress:
    """A line of a pull; ``completed`` is left out while it is 0, as Go leaves out what is empty."""
    fields = {"status": f"pulling {digest[7:19]}", "digest": digest, "total": total, "completed": completed}
    return {key: value for key, value in fields.items() if value}
