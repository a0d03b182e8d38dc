# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waits on the host for a container.

Arguments: its name, seconds, how often it may restart, a URL or "health", and files that the container writes.

A URL is waited for until it answers 200 with JSON; "health" until the engine knows whether the container is healthy.
The seconds are those in which nothing happens: a new line in the log, or a change of a file, starts them anew.
One quiet task instead of a loop that prints a failure for every try, and a container that has ended is noticed at once.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.parse
import urllib.request

# However much happens, a server that is not ready after so many times these seconds will never be.
MOST = 24


def answers(url):
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5) as answer:
            # Open WebUI answers paths that it does not know with a page and 200.
            json.load(answer)
            return ""
    except (OSError, ValueError) as exc:
        return str(exc)


def state_of(name):
    done = subprocess.run(["docker", "container", "inspect", name], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr.strip())
    return json.loads(done.stdout)[0]


def signs_of_life(name, what, files):
    logs = subprocess.run(["docker", "logs", "--tail", "20", name], capture_output=True, check=False)
    # Some servers log that they were asked whether they are ready.
    path = urllib.parse.urlsplit(what).path.encode()
    lines = [line for line in (logs.stdout + logs.stderr).splitlines() if path not in line]
    stamps = []
    for file in files:
        # A database's journal comes and goes.
        with contextlib.suppress(FileNotFoundError):
            stamps.append(os.stat(file).st_mtime_ns)
    return lines, stamps


def main():
    name, seconds, restarts, what, *files = sys.argv[1:]
    latest = time.monotonic() + float(seconds) * MOST
    seen, looked, deadline = None, 0.0, 0.0
    while True:
        found = state_of(name)
        state = found["State"]
        if state["Status"] in ("exited", "dead", "created") or found["RestartCount"] > int(restarts):
            sys.exit(
                f"it is {state['Status']}, after {found['RestartCount']} restarts, last status {state['ExitCode']}"
            )
        if what == "health":
            problem = state["Health"]["Status"].replace("unhealthy", "the engine says that it is unhealthy")
            if problem != "starting":
                sys.exit(None if problem == "healthy" else problem)
        else:
            problem = answers(what)
            if not problem:
                return
        if time.monotonic() > looked + 2:
            looked = time.monotonic()
            life = signs_of_life(name, what, files)
            if life != seen:
                seen, deadline = life, min(looked + float(seconds), latest)
        if time.monotonic() > deadline:
            sys.exit(f"nothing for {seconds} seconds: {problem}")
        time.sleep(0.3)


main()
