# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waits on the host for a container. Arguments: its name, the longest time in seconds, and a URL or "health".

A URL is waited for until it answers 200 with JSON; "health" until the engine knows whether the container is healthy.
One quiet task instead of a loop that prints a failure for every try, and a container that has ended is noticed at once.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request


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


def main():
    name, seconds, what = sys.argv[1:]
    deadline = time.monotonic() + float(seconds)
    while True:
        found = state_of(name)
        state = found["State"]
        if state["Status"] in ("exited", "dead", "created") or found["RestartCount"] > 2:
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
        if time.monotonic() > deadline:
            sys.exit(f"nothing for {seconds} seconds: {problem}")
        time.sleep(0.3)


main()
