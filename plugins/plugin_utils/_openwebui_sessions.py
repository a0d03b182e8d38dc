# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin_util is PRIVATE to the collection.

"""What the tasks of one run know of the sessions that it has opened."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import tempfile
import typing as t
from pathlib import Path


class Sessions:
    """Tokens in files that nobody else can read, shared by the processes of a run.

    Where the directory cannot be used, nothing is kept: that costs sign-ins, and no task.

    :arg directory: goes with the run
    :arg server: what tells one server from another, as the tasks address it
    """

    def __init__(self, directory: Path, server: list[t.Any]) -> None:
        self._directory = directory
        self._server = server
        with contextlib.suppress(OSError):
            directory.mkdir(0o700)

    def token(self, account: tuple[str, ...]) -> str:
        """That of the session that the run has opened for an account, or an empty string."""
        return self._read(self._name("account", *account))

    def keep(self, account: tuple[str, ...], token: str) -> None:
        """Make a session that of the run."""
        self._write(self._name("account", *account), token)

    def replace(self, token: str, account: tuple[str, ...]) -> None:
        """Let the session of an account stand for one that has ended."""
        self._write(self._name("ended", token), self._name("account", *account))

    def current(self, token: str) -> str:
        """The token to use for one that a task was given."""
        account = self._read(self._name("ended", token))
        return (account and self._read(account)) or token

    @contextlib.contextmanager
    def locked(self, account: tuple[str, ...]) -> t.Iterator[None]:
        """Keep the run's other processes from signing in to the same account meanwhile."""
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(OSError):
                descriptor = os.open(self._directory / self._name("lock", *account), os.O_CREAT | os.O_WRONLY, 0o600)
                stack.callback(os.close, descriptor)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield

    def _name(self, *what: str) -> str:
        text = json.dumps([*self._server, *what], default=str, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def _read(self, name: str) -> str:
        with contextlib.suppress(OSError):
            return (self._directory / name).read_text(encoding="utf-8")
        return ""

    def _write(self, name: str, text: str) -> None:
        with contextlib.suppress(OSError):
            # A file of its own first (mode 0600): others read without a lock.
            descriptor, path = tempfile.mkstemp(dir=self._directory)
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(path, self._directory / name)
