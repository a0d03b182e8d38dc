# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""What a module under way tells its controller, and how it notices that there is none any more.

The controller makes a directory on the target and keeps touching a file there. The module finds the directory's name in
its environment, and leaves word beside that file. Without such a controller nothing is written.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import time

# The names that the action plugin and the module have agreed on.
ENVIRONMENT = "SELFHOSTED_LLM_PROGRESS"
CONTROLLER = "controller"
PROGRESS = "progress"

INTERVAL = 1.0
# The action plugin comes every 5 seconds; a slow network or a busy host is no reason to stop a pull.
PATIENCE = 60.0


class ControllerGone(Exception):
    """Nobody waits for the result of this module any more."""

    def __init__(self) -> None:
        super().__init__("The controller has gone. What has been downloaded is kept: run the task again to go on.")


class Reporter:
    """Takes in each line of a pull, 16 a second, and passes on one a second."""

    def __init__(self) -> None:
        self._directory = os.path.expanduser(os.path.expandvars(os.environ.get(ENVIRONMENT, "")))
        self._said: tuple[str, str] | None = None
        self._said_at = 0.0
        self._touched: int | None = None
        self._seen_at = 0.0

    def report(self, model: str, status: str, completed: int, total: int) -> None:
        """Say how far a model is. Nothing that goes wrong with the files is an error.

        :arg model: its name, or nothing
        :arg status: in the server's words, or in ours
        :arg completed: bytes; may fall
        :arg total: bytes, 0 when there is nothing to count
        :raises ControllerGone: stop, and leave what can be resumed
        """
        now = time.monotonic()
        # A new status may be followed by minutes of silence, so that it cannot wait.
        if (model, status) == self._said and now - self._said_at < INTERVAL:
            return
        self._said, self._said_at = (model, status), now
        if self._abandoned(now):
            shutil.rmtree(self._directory, ignore_errors=True)
            raise ControllerGone
        if self._touched is not None:
            state = {"model": model, "status": status, "completed": completed, "total": total, "at": now}
            with contextlib.suppress(OSError):
                self._write(json.dumps(state))

    def _abandoned(self, now: float) -> bool:
        touched = self._touch()
        if touched != self._touched:
            # Only that the time changes counts: clocks are set.
            was_there, self._touched, self._seen_at = self._touched is not None, touched, now
            if was_there and touched is None:
                return True
        return _unheard() or (touched is not None and now - self._seen_at >= PATIENCE)

    def _touch(self) -> int | None:
        try:
            # Where others can write beside it, one who reads the name from a process list may have been first.
            if os.lstat(self._directory).st_uid != os.geteuid():
                return None
            return os.stat(os.path.join(self._directory, CONTROLLER)).st_mtime_ns
        except OSError:
            return None

    def _write(self, text: str) -> None:
        path = os.path.join(self._directory, PROGRESS)
        new = f"{path}.new"
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
            stream.write(text)
        os.replace(new, path)


def _unheard() -> bool:
    """Whether the reader of our result has hung up: SSH tells so at once, a container engine never."""
    poll = select.poll()
    poll.register(1, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _descriptor, event in poll.poll(0))
