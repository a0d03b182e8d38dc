# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""One run at a time changes the models of a server, as far as the runs come from the same host and user."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import tempfile
import time
import typing as t
import uuid
from urllib.parse import urlsplit

from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.names import InvalidInput

POLL_SECONDS = 0.5


def state_directory(make: bool) -> str:
    """Where this collection keeps what it has to know again, for the user who runs the module.

    :arg make: make it, where it can be made
    :raises InvalidInput: there is no place for it
    """
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    # A service's user may have no home.
    fallback = os.path.join(tempfile.gettempdir(), f"selfhosted-llm-{os.geteuid()}")
    directories = [os.path.join(state, "selfhosted-llm"), fallback]
    for directory in directories:
        with contextlib.suppress(OSError):
            if make:
                os.makedirs(directory, mode=0o700, exist_ok=True)
            if os.lstat(directory).st_uid == os.geteuid() and os.access(directory, os.W_OK):
                return directory
    if make:
        raise InvalidInput(
            f"Neither {state} nor {fallback} can be written: set XDG_STATE_HOME to a directory that can."
        )
    return directories[0]


def server_key(url: str) -> str:
    """Equal for the ways to write the URL of a server that people use side by side."""
    parts = urlsplit(url)
    host = "127.0.0.1" if parts.hostname in ("localhost", "::1") else parts.hostname
    port = parts.port or (443 if parts.scheme.lower() == "https" else 80)
    return f"{parts.scheme.lower()}://{host}:{port}{parts.path.rstrip('/')}"


class Lock:
    """The lock of a server; the system drops it when the process ends, however that happens.

    :arg directory: holds the lock file, in which each run that had it leaves a mark
    :arg key: of the server
    """

    def __init__(self, directory: str, key: str) -> None:
        self.path = os.path.join(directory, f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.lock")
        self._mark = self._last_mark()

    @contextlib.contextmanager
    def held(self, waiting: t.Callable[[], None]) -> t.Iterator[bool]:
        """Hold the lock.

        :arg waiting: called twice a second while another run has it
        :returns: whether another run has had it since this object was made
        :raises InvalidInput: there are no locks here
        """
        with self._opened() as file:
            waited = False
            while not self._taken(file):
                waited = True
                waiting()
                time.sleep(POLL_SECONDS)
            try:
                yield waited or self._last_mark() != self._mark
            finally:
                file.truncate(0)
                file.write(uuid.uuid4().hex)

    def _opened(self) -> t.TextIO:
        try:
            return open(self.path, "a", encoding="utf-8")
        except OSError as exc:
            raise self._failure(exc) from exc

    def _taken(self, file: t.TextIO) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as exc:
            raise self._failure(exc) from exc
        return True

    def _last_mark(self) -> str:
        try:
            with open(self.path, encoding="utf-8") as file:
                return file.read()
        except OSError:
            return ""

    def _failure(self, exc: OSError) -> InvalidInput:
        hint = "Set XDG_STATE_HOME to a directory of another file system."
        return InvalidInput(f"{self.path} cannot be locked: {exc.strerror}. {hint}")
