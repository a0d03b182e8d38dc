# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lets a new container take the place of an old one, which stays until the new one has proved itself.

    aside NAME SECOND SECONDS [COMMAND ...]         stops the container, runs the command, and gives it its second name
    back NAME SECOND LOG start|leave [COMMAND ...]  stops the new one and keeps its log, runs the command, and gives the
                                                    old one its name back; "leave" does not start it
    commit NAME SECOND [COMMAND ...]                runs the command and removes the old one

The command is what belongs to the same step, so that nobody waits for a step of Ansible in between. When it fails, what
ran before runs again, and this ends as it did. Each step may be killed at any point and run again: the names of the
containers tell how far it came.
"""

from __future__ import annotations

import fcntl
import json
import os
import pathlib
import subprocess
import sys

STOP_SECONDS = "120"


def docker(*command, check=True):
    done = subprocess.run(["docker", *command], capture_output=True, text=True, check=False)
    if check and done.returncode:
        sys.exit(f"docker {command[0]} {command[-1]}: {done.stderr.strip()}")
    return done


def there(name):
    done = docker("container", "inspect", name, check=False)
    return json.loads(done.stdout)[0] if done.returncode == 0 else None


def run(command):
    """Its exit status. What it prints is what this program prints."""
    return subprocess.run(command, check=False).returncode if command else 0


def aside(name, second, seconds, *command):
    old = there(name)
    if old and there(second):
        docker("rm", "--force", second)
    was_running = bool(old) and old["State"]["Running"]
    if was_running:
        docker("stop", "--time", seconds, name)
    status = run(command)
    if old and not status:
        docker("rename", name, second)
    elif was_running:
        docker("start", name)
    return status


def keep_log(name, log):
    """Quoted in the message; a disk that is full must not keep the old container from coming back."""
    try:
        path = pathlib.Path(log)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(path, "w", opener=lambda file, flags: os.open(file, flags, 0o600)) as file:
            subprocess.run(["docker", "logs", name], stdout=file, stderr=subprocess.STDOUT, check=False)
    except OSError as exc:
        print(f"The log could not be kept: {exc}", file=sys.stderr)


def back(name, second, log, start, *command):
    old = there(second)
    # Without the second name nothing was replaced yet, or there was nothing to replace.
    new = there(name) if old or start == "leave" else None
    was_running = bool(new) and new["State"]["Running"]
    if new:
        docker("stop", "--time", STOP_SECONDS, name)
    status = run(command)
    if status:
        if old or was_running:
            docker("start", name)
        return status
    if new and old:
        keep_log(name, log)
        docker("rm", "--force", name)
    if old:
        docker("rename", second, name)
    if start == "start" and there(name):
        docker("start", name)
    return 0


def commit(name, second, *command):
    status = run(command)
    if not status and there(second):
        docker("rm", "--force", second)
    return status


def main():
    # What a run that was killed has left running here ends first.
    alone = os.open("/run", os.O_RDONLY)
    fcntl.flock(alone, fcntl.LOCK_EX)
    sys.exit({"aside": aside, "back": back, "commit": commit}[sys.argv[1]](*sys.argv[2:]))


if __name__ == "__main__":
    main()
