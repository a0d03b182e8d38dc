# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The blobs on their way, each fetched once however many pulls wait for it."""

from __future__ import annotations

import os
import pathlib
import sys
import threading
import time
import typing as t

from .download import Download, DownloadError
from .registry_client import RegistryClient

PROGRESS_SECONDS = 0.06
# How soon it is noticed that a client has left.
HEARTBEAT_SECONDS = 0.01
PANIC_STATUS = 2

Progress = dict[str, t.Any]
HEARTBEAT: Progress = {}


class Downloads:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.running: dict[str, Download] = {}
        self.stopped = False

    def fetch(self, digest: str, path: pathlib.Path, client: RegistryClient) -> t.Iterator[Progress]:
        """Progress until the blob is there, heartbeats between. Who stops reading leaves; the last one cancels."""
        with self.lock:
            download = self.running.get(digest)
            first = download is None
            if download is None:
                download = self.running[digest] = Download(digest, path, client)
        if first:
            self._start(download)
        with self.lock:
            download.waiters += 1
        try:
            yield from _watched(download)
        finally:
            self._leave(download)
        if self.stopped:
            raise ConnectionError("the server ends")
        if download.error:
            raise DownloadError(str(download.error))

    def cancel_all(self) -> None:
        """Stop everything and let the parts write down how far they came. No client is told."""
        self.stopped = True
        with self.lock:
            running = list(self.running.values())
        for download in running:
            download.cancel()
        for download in running:
            download.done.wait(1)

    def _start(self, download: Download) -> None:
        """As in the real server: when this fails, others that wait for the same download wait for ever."""
        try:
            download.prepare()
        except BaseException:
            self._forget(download)
            raise
        download.started = True
        threading.Thread(target=self._run, args=(download,), daemon=True).start()

    def _run(self, download: Download) -> None:
        try:
            download.run()
        finally:
            self._forget(download)
            download.done.set()

    def _forget(self, download: Download) -> None:
        with self.lock:
            del self.running[download.digest]

    def _leave(self, download: Download) -> None:
        with self.lock:
            download.waiters -= 1
            last = not download.waiters and not download.done.is_set()
        if last and not download.started:
            # The real server dies of this: it has nothing to cancel the download with.
            print(
                "panic: runtime error: invalid memory address or nil pointer dereference", file=sys.stderr, flush=True
            )
            os._exit(PANIC_STATUS)
        if last:
            download.cancel()


def progress(digest: str, total: int, completed: int) -> Progress:
    """A line of a pull; what is 0 is left out, as Go leaves out what is empty."""
    fields = {"status": f"pulling {digest[7:19]}", "digest": digest, "total": total, "completed": completed}
    return {key: value for key, value in fields.items() if value}


def _watched(download: Download) -> t.Iterator[Progress]:
    due = time.monotonic() + PROGRESS_SECONDS
    while not download.done.wait(HEARTBEAT_SECONDS):
        if time.monotonic() < due:
            yield HEARTBEAT
            continue
        due += PROGRESS_SECONDS
        yield progress(download.digest, download.total, download.completed)
