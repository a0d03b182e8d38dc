# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A machine in a directory: its files, and programs that answer what the test says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.selfhosted.llm.plugins.module_utils._nvidia.host import Host, Output

TESTS = next(parent for parent in Path(__file__).resolve().parents if parent.name == "tests")
RECORDINGS = TESTS / "unit" / "fixtures" / "nvidia"
REAL = TESTS.parents[1] / "shared" / "fixtures" / "nvidia"

MODINFO = """\
filename:       {path}
import_ns:      DMA_BUF
alias:          char-major-195-*
version:        {version}
supported:      external
license:        {licence}
firmware:       nvidia/{version}/gsp_tu10x.bin
srcversion:     1E2B5E2D7C6F0A3B8F4D9C1
vermagic:       6.12.94+deb13-amd64 SMP preempt mod_unload modversions
"""


class Machine:
    """What a host's files and programs are."""

    def __init__(self, root):
        self.root = root
        self.host = Host(self._run, str(root))
        self.calls = []
        self._answers = {}
        self._modules = {}

    def write(self, path, text=""):
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return self

    def link(self, path, target):
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.symlink_to(target)
        return self

    def says(self, command, out="", rc=0, err=""):
        """The program is there, and answers this to calls that begin with these words."""
        self._answers[tuple(command.split())] = Output(rc, out, err)
        return self

    def kernel(self, release, file=None, version=None, licence="Dual MIT/GPL", headers=False):
        """An installed kernel, with a module on disk for it."""
        base = f"/lib/modules/{release}"
        self.write(f"{base}/modules.dep")
        if file:
            self.write(f"{base}/{file}", "module")
            self._modules[self.host.path(f"{base}/{file}")] = (version, licence)
        if headers:
            self.write(f"/usr/src/linux-headers-{release}/Makefile")
            self.link(f"{base}/build", f"/usr/src/linux-headers-{release}")
        return self

    def loaded(self, version, text):
        """The module is in memory."""
        self.write("/sys/module/nvidia/version", f"{version}\n")
        return self.write("/proc/driver/nvidia/version", text)

    def devices(self, devices):
        """The PCI bus, from a recording."""
        for address, attributes in devices.items():
            self.link(f"/sys/bus/pci/devices/{address}", f"../../../devices/pci0000:00/{address}")
            for name, value in attributes.items():
                path = f"/sys/devices/pci0000:00/{address}/{name}"
                if name == "driver" and value:
                    self.link(path, f"../../../bus/pci/drivers/{value}")
                elif name != "driver":
                    self.write(path, f"{value}\n")
        return self

    def _run(self, *command):
        self.calls.append(command)
        if command[0] == "modinfo":
            blocks = [
                MODINFO.format(path=path, version=self._modules[path][0], licence=self._modules[path][1])
                for path in command[1:]
            ]
            return Output(0, "".join(blocks), "")
        matches = [words for words in self._answers if command[: len(words)] == words]
        return self._answers[max(matches, key=len)] if matches else None


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


@pytest.fixture
def recorded():
    """The text of a recording, or the value in a JSON one."""

    def load(name):
        text = (RECORDINGS / name).read_text(encoding="utf-8")
        return json.loads(text) if name.endswith(".json") else text

    return load


@pytest.fixture
def real():
    """The text of a capture from a real GPU, which is kept beside the project; the test is skipped without it."""

    def load(name):
        if not (REAL / name).exists():
            pytest.skip(f"{name} is not here")
        return (REAL / name).read_text(encoding="utf-8")

    return load
