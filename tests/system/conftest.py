# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole job on a fleet of its own. The tests follow a fleet's life: they run in the order in which they stand."""

from __future__ import annotations

import json
import os
import pathlib
import re
import secrets
import subprocess
import sys
import threading
import typing as t

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
# A developer's own fleet is used as it is, and stays.
KEPT = "SYSTEM_FLEET" in os.environ
NAME = os.environ.get("SYSTEM_FLEET", "system")
FOLDER = ROOT / ".testbed" / NAME
FILES = "/etc/selfhosted-llm/open-webui"
RECAP = re.compile(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)


class Run(t.NamedTuple):
    """What a playbook printed and did. ``changed`` has a count for each host."""

    code: int
    output: str
    changed: dict[str, int]


class Fleet:
    """Two bare hosts, later three, and what a user does with them."""

    def __init__(self) -> None:
        self.inventories = [FOLDER / "hosts.yml", ROOT / "tests" / "demo" / "inventory.yml"]
        # Random, so that finding one anywhere is no accident.
        self.sentinels = {name: f"sentinel-{name}-{secrets.token_hex(12)}" for name in ("admin", "provider")}
        self.variables = FOLDER / "sentinels.json"
        self.seen_processes: set[str] = set()
        # Arguments of every run from now on.
        self.extra: list[str] = []

    def testbed(self, *arguments: str) -> None:
        subprocess.run([sys.executable, "-m", "tests.testbed", *arguments], cwd=ROOT, check=True)

    def up(self, **hosts: str) -> None:
        self.testbed("up", NAME, *(f"--host={name}={image}" for name, image in hosts.items()))
        self.variables.write_text(
            json.dumps(
                {
                    "open_webui_admin": {
                        "email": "admin@example.com",
                        "name": "Ada Admin",
                        "password": self.sentinels["admin"],
                    },
                    "open_webui_secret_environment": {"OPENAI_API_KEY": self.sentinels["provider"]},
                }
            )
        )
        self.variables.chmod(0o600)

    def play(self, playbook: str, *arguments: str) -> Run:
        """Run a playbook as a user would."""
        inventories = [argument for path in self.inventories for argument in ("-i", str(path))]
        done = subprocess.run(
            ["ansible-playbook", *inventories, "-e", f"@{self.variables}", *self.extra, playbook, *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        changed = {found[0]: int(found[1]) for found in RECAP.findall(done.stdout)}
        return Run(done.returncode, done.stdout, changed)

    def container(self, host: str) -> str:
        """The name of a host's container on this machine."""
        return f"testbed-{NAME}-{host}"

    def execute(self, host: str, command: str, check: bool = True) -> str:
        """What a shell command on a host prints."""
        done = subprocess.run(
            ["docker", "exec", self.container(host), "sh", "-c", command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        assert not check or done.returncode == 0, f"{command} on {host}: {done.stdout}"
        return done.stdout

    def watch_processes(self, hosts: t.Iterable[str], stop: threading.Event) -> None:
        """Collect every command line that shows up on the hosts, until told to stop."""
        while not stop.wait(0.5):
            for host in hosts:
                self.seen_processes.update(self.execute(host, "ps -eww -o args", check=False).splitlines())

    def secrets(self) -> dict[str, str]:
        """Every secret of the service, by name."""
        generated = {
            name: self.execute("gpu1", f"cat {FILES}/{name}").strip()
            for name in ("automation_password", "session_key", "probe_password")
        }
        return {**self.sentinels, **generated}


@pytest.fixture(scope="session")
def fleet() -> t.Iterator[Fleet]:
    fleet = Fleet()
    if not KEPT:
        fleet.testbed("down", NAME)
    fleet.up(gpu1="debian13", gpu2="debian13")
    yield fleet
    if not KEPT:
        fleet.testbed("down", NAME)
