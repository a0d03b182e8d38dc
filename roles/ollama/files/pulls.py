# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waits on the host until nobody pulls a model. Arguments: the directory of the models, and the longest time (s).

A server that is stopped in the middle of a pull may leave a part file that breaks every later pull. Who pulls shows in
the part files, which then grow, and in the locks of runs of this collection.
"""

from __future__ import annotations

import fcntl
import glob
import os
import sys
import tempfile
import time

# A pull from a slow registry writes at least so often.
QUIET_SECONDS = 10


def growing(models):
    parts = glob.glob(os.path.join(glob.escape(models), "blobs", "sha256-*-partial*"))
    now = time.time()
    return [part for part in parts if os.path.exists(part) and now - os.stat(part).st_mtime < QUIET_SECONDS]


def held():
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    fallback = os.path.join(tempfile.gettempdir(), f"selfhosted-llm-{os.geteuid()}")
    for path in [*glob.glob(f"{state}/selfhosted-llm/*.lock"), *glob.glob(f"{fallback}/*.lock")]:
        with open(path, encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield path


def main():
    models, seconds = sys.argv[1:]
    deadline = time.monotonic() + float(seconds)
    while True:
        busy = [*growing(models), *held()]
        if not busy:
            return
        if time.monotonic() > deadline:
            sys.exit(f"A model is being pulled ({busy[0]}). Wait until that has ended, or end it, and run again.")
        time.sleep(1)


if __name__ == "__main__":
    main()
