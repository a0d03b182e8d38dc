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

from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.names import InvalidInput

POLL_SECONDS = 0.5


def state_directory() -> str:
    """Where this collection keeps what it has to know again, for the user who runs the module.

    :raises InvalidInput: there is no place for it
    """
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    # A service's user may have no home.
    fallback = os.path.join(tempfile.gettempdir(), f"selfhosted-llm-{os.geteuid()}")
    for directory in (os.path.join(state, "selfhosted-llm"), fallback):
        with contextlib.suppress(OSError):
            os.makedirs(directory, mode=0o700, exist_ok=True)
            if os.lstat(directory).st_uid == os.geteuid() and os.access(directory, os.W_OK):
                return directory
    raise InvalidInput(f"Neither {state} nor {fallback} can be written: set XDG_STATE_HOME to a directory that can.")


@contextlib.contextmanager
def locked(directory: str, url: str, waiting: t.Callable[[], None]) -> t.Iterator[bool]:
    """Hold the lock of a server; the system drops it when the process ends, however that happens.

    :arg directory: holds the lock file
    :arg waiting: called twice a second while another run has the lock
    :returns: whether another run had it
    """
    path = os.path.join(directory, f"{hashlib.sha256(url.encode()).hexdigest()[:16]}.lock")
    waited = False
    with open(path, "w", encoding="utf-8") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                waited = True
                waiting()
                time.sleep(POLL_SECONDS)
        yield waited
