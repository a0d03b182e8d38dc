# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Unloads, on the host, every model of an Ollama, so that answers under way end first, and stops its container.

Arguments: the container's name, the server's URL, the longest time in seconds, and "look" to only say what it would do.
Prints a sentence when there is something to do. What still answers at the end of the time is cut off.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request

# A server that is killed during a pull loses what it has.
STOP_SECONDS = "120"


def docker(*command):
    return subprocess.run(["docker", *command], capture_output=True, text=True, check=False)


def call(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, data, 10) as answer:
        return json.load(answer)


def unload(url, seconds):
    """Names of the models that are in memory at the end of the time. One that answers leaves when it has done so."""
    deadline = time.monotonic() + seconds
    while True:
        left = [model["name"] for model in call(f"{url}/api/ps")["models"]]
        if not left or time.monotonic() > deadline:
            return left
        for name in left:
            try:
                call(f"{url}/api/generate", {"model": name, "keep_alive": 0})
            except OSError:
                # A model that was deleted while it was in memory has no name any more.
                continue
        time.sleep(0.5)


def main():
    name, url, seconds = sys.argv[1:4]
    try:
        running = docker("container", "inspect", "--format", "{{ .State.Running }}", name).stdout.strip()
    except FileNotFoundError:
        return
    if running != "true":
        return
    if sys.argv[4:] == ["look"]:
        print(f"Would unload the models of {name} and stop it.")
        return
    try:
        left = unload(url, float(seconds))
    except (OSError, ValueError, LookupError, TypeError) as exc:
        # Whatever ails the server, it is stopped.
        left = [f"unknown, {exc}"]
    stopped = docker("stop", "--time", STOP_SECONDS, name)
    if stopped.returncode:
        sys.exit(stopped.stderr.strip())
    print(f"Stopped {name}{'; still in memory: ' + ', '.join(left) if left else ''}.")


if __name__ == "__main__":
    main()
