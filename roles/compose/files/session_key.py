# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies the key that signs sessions out of a running container. Arguments: the container and a directory of the host.

Without it everybody would have to sign in again, and what it encrypts in the database would be lost. Unless the compose
file gives one, the image makes a key that lies in the container alone.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys


def read(container, path):
    done = subprocess.run(["docker", "exec", container, "cat", path], capture_output=True, check=False)
    return done.stdout.decode() if done.returncode == 0 else ""


def main():
    container, directory = sys.argv[1:]
    environment = dict(entry.split("=", 1) for entry in read(container, "/proc/1/environ").split("\0") if "=" in entry)
    key = environment.get("WEBUI_SECRET_KEY") or environment.get("WEBUI_JWT_SECRET_KEY")
    if not key:
        key = read(container, environment.get("WEBUI_SECRET_KEY_FILE") or "/app/backend/.webui_secret_key").rstrip("\n")
    if not key:
        sys.exit("The key that signs the sessions is neither in the container's environment nor in its file.")
    target = pathlib.Path(directory, "session_key")
    if target.exists() and target.read_text() == key:
        return
    partial = target.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    with open(os.open(partial, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as file:
        file.write(key)
    partial.rename(target)
    print("kept")


if __name__ == "__main__":
    main()
