# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet as its user sees it: hosts to run playbooks on, and a shell on each."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
import typing as t

from tests.testbed.shell import ROOT, STATE

# Where the role open_webui keeps its files on a host.
FILES = "/etc/selfhosted-llm/open-webui"
RECAP = re.compile(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)


class Run(t.NamedTuple):
    """What a playbook printed and did. ``changed`` has a count for each host."""

    code: int
    output: str
    changed: dict[str, int]

    @property
    def words(self) -> str:
        """The output without its line breaks, which depend on the length of names."""
        return " ".join(self.output.split())


class Fleet:
    """A fleet of the testbed, and what a user does with it.

    :arg inventories: beside the testbed's own
    :arg secrets: variables that every run gets from a file that nobody else can read
    """

    def __init__(self, name: str, inventories: t.Sequence[pathlib.Path], secrets: dict[str, t.Any]) -> None:
        self.name = name
        self.folder = STATE / name
        self.inventories = [self.folder / "hosts.yml", *inventories]
        self.variables = self.folder / "secrets.json"
        self._secrets = secrets
        # Arguments of every run from now on.
        self.extra: list[str] = []
        # What the testbed's "up" gets beside the hosts.
        self.options: list[str] = []

    def up(self, **hosts: str) -> None:
        self._testbed("up", self.name, *self.options, *(f"--host={name}={image}" for name, image in hosts.items()))
        self.variables.touch(mode=0o600)
        self.variables.write_text(json.dumps(self._secrets))

    def down(self) -> None:
        self._testbed("down", self.name)

    @contextlib.contextmanager
    def living(self, kept: bool, **hosts: str) -> t.Iterator[None]:
        """From bare hosts to none, unless the fleet is somebody's own."""
        if not kept:
            self.down()
        self.up(**hosts)
        yield
        if not kept:
            self.down()

    def _testbed(self, *arguments: str) -> None:
        subprocess.run([sys.executable, "-m", "tests.testbed", *arguments], cwd=ROOT, check=True)

    def play(self, playbook: str, *arguments: str) -> Run:
        """Run a playbook as a user would."""
        with self.started(playbook, *arguments) as process:
            output = process.communicate()[0]
        changed = {found[0]: int(found[1]) for found in RECAP.findall(output)}
        return Run(process.returncode, output, changed)

    def started(self, playbook: str, *arguments: str, **options: t.Any) -> subprocess.Popen[str]:
        """A run of a playbook that goes on."""
        inventories = [argument for path in self.inventories for argument in ("-i", str(path))]
        secrets = ["-e", f"@{self.variables}"] if self._secrets else []
        # Beside this Python, which need not be the user's first.
        tools = os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ["PATH"]])
        return subprocess.Popen(
            ["ansible-playbook", *inventories, *secrets, *self.extra, playbook, *arguments],
            cwd=ROOT,
            # Molecule wants colours, which would stand between the words.
            env={**os.environ, "PATH": tools, "ANSIBLE_FORCE_COLOR": "false"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **options,
        )

    def container(self, host: str) -> str:
        """The name of a host's container on this machine."""
        return f"testbed-{self.name}-{host}"

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
