# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Docker Engine of this machine: found, or installed from the distribution and started."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import typing as t

from tests.testbed.shell import CACHE, STATE, BedError, ask, only_one, run, step, wait_for

# Somebody else may be installing, such as the updates that a machine makes by itself.
APT = ["apt-get", "--option=DPkg::Lock::Timeout=300", "install", "-y", "--no-install-recommends"]
APT_ENVIRONMENT = {
    "DEBIAN_FRONTEND": "noninteractive",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
}


def ensure() -> None:
    """Leave with an engine that answers. A client without a daemon does not count."""
    if answers():
        return
    with only_one(CACHE / "engine.lock", "starting the Docker Engine"):
        if not shutil.which("dockerd"):
            install("docker.io")
        if not shutil.which("docker"):
            install("docker-cli")  # from Debian 13 on the client is a package of its own
        if not answers():
            start()


def answers() -> bool:
    return ask(["docker", "info"], timeout=20)[0]


def install(*packages: str) -> None:
    """Install packages of the distribution; the machine's package sources stay as they are."""
    names = " ".join(packages)
    if not pathlib.Path("/etc/debian_version").exists():
        raise BedError(f"This machine has no {names}.", "Install it (for docker.io: any Docker Engine) and start it.")
    with step(f"Installing {names} from the distribution"):
        options: dict[str, t.Any] = {"env": APT_ENVIRONMENT, "timeout": 600}
        try:
            run([*APT, *packages], f"Installing {names}", "", **options)
        except BedError:
            run(["apt-get", "update"], "apt-get update", "Check the machine's package sources and network.", **options)
            run([*APT, *packages], f"Installing {names}", "Install it by hand and try again.", **options)


def start() -> None:
    with step("Starting the Docker Engine"):
        if pathlib.Path("/run/systemd/system").is_dir():
            run(["systemctl", "start", "docker"], "Starting docker", "See journalctl -u docker.", timeout=90)
            wait_for(answers, "An answer to docker info", "See journalctl -u docker.", timeout=60)
        else:
            start_by_hand()


def start_by_hand() -> None:
    STATE.mkdir(exist_ok=True)
    log = STATE / "dockerd.log"
    with log.open("w") as output:
        daemon = subprocess.Popen(
            ["dockerd"], stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, cwd="/"
        )

    def up_or_dead() -> bool:
        return answers() or daemon.poll() is not None

    wait_for(up_or_dead, "An answer to docker info", f"See {log}.", timeout=60)
    if daemon.poll() is not None:
        raise BedError("dockerd ended at once.", f"The whole log is {log}.", log.read_text())
