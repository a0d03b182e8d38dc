# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel's part: which module drives the GPUs, and what it shows of itself below /sys, /proc and /dev."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import shutil
import stat
import subprocess
import typing as t

from machine import answers, efi, hardware, pci

RELEASE = os.uname().release
MODULES = pathlib.Path("/sys/module")
PROC = pathlib.Path("/proc/driver/nvidia")
INITRD = pathlib.Path(f"/boot/initrd.img-{RELEASE}")
# In the order in which they are loaded.
NVIDIA = ("nvidia", "nvidia_modeset", "nvidia_drm", "nvidia_uvm")
TEXT = {
    "open": "NVIDIA UNIX Open Kernel Module for x86_64  {version}  Release Build  (testbed@testbed)",
    "proprietary": "NVIDIA UNIX x86_64 Kernel Module  {version}",
}
CONTROL = {"nvidiactl": (195, 255), "nvidia-modeset": (195, 254), "nvidia-uvm": (510, 0), "nvidia-uvm-tools": (510, 1)}


class Refused(Exception):
    """The kernel's reason not to load or unload a module, in the words of modprobe."""


def loaded(module: str) -> bool:
    return (MODULES / module.replace("-", "_")).is_dir()


def driver() -> str | None:
    """The driver that has the GPUs."""
    return next((name for name in ("nvidia", "nouveau") if loaded(name)), None)


def boot() -> None:
    """What the initramfs and udev do: load the driver of the GPUs that are there, if one may be loaded."""
    state = hardware.read()
    if not hardware.nvidia(state):
        return
    with contextlib.suppress(Refused):
        if state["nouveau"] and not _blacklisted("nouveau"):
            load("nouveau")
        else:
            load("nvidia")


def initramfs() -> str:
    """What an initramfs takes along: the blacklists as they are now."""
    # The program goes by the name under which it is called.
    asked = subprocess.run(
        ["modprobe", "-c"], executable="/usr/sbin/modprobe.real", check=True, capture_output=True, text=True
    )
    return "".join(line for line in asked.stdout.splitlines(True) if line.startswith(("blacklist ", "install ")))


def _blacklisted(module: str) -> bool:
    text = INITRD.read_text() if INITRD.exists() else initramfs()
    return bool(re.search(rf"^(blacklist {module}|install {module} /(usr/)?bin/(false|true))$", text, re.MULTILINE))


def load(module: str) -> None:
    """Load nouveau, NVIDIA's module, or one of those that need NVIDIA's."""
    module = module.replace("-", "_")
    if loaded(module):
        return
    state = hardware.read()
    if module == "nouveau":
        if driver() or not hardware.nvidia(state):
            raise Refused("No such device")
        (MODULES / module).mkdir()
    else:
        if module != "nvidia":
            load("nvidia")
        _load(state, module)
    settle()


def _load(state: dict[str, t.Any], module: str) -> None:
    facts = information(module)
    if not facts:
        raise Refused(f"Module {module} not found in directory /lib/modules/{RELEASE}")
    if not efi.accepts(state, pathlib.Path(facts["filename"])):
        raise Refused("Key was rejected by service")
    if module == "nvidia" and (loaded("nouveau") or not hardware.nvidia(state)):
        raise Refused("No such device")
    folder = MODULES / module
    folder.mkdir()
    (folder / "version").write_text(f"{facts['version']}\n")
    (folder / "initstate").write_text("live\n")
    (folder / "refcnt").write_text("0\n")
    if module == "nvidia":
        # The others are loaded by a softdep and by nvidia-modprobe.
        flavour = "open" if "MIT" in facts["license"] else "proprietary"
        line = TEXT[flavour].format(version=facts["version"])
        PROC.mkdir(parents=True)
        (PROC / "version").write_text(f"NVRM version: {line}  Sun Nov 22 12:00:00 UTC 2026\nGCC version:  gcc 14.2.0\n")
        for other in NVIDIA[1:]:
            with contextlib.suppress(Refused):
                _load(state, other)


def information(module: str) -> dict[str, str]:
    """What modinfo says of the module that modprobe would find, or nothing."""
    done = subprocess.run(["modinfo", "-k", RELEASE, module], check=False, capture_output=True, text=True)
    return {name: value.strip() for name, _colon, value in (line.partition(":") for line in done.stdout.splitlines())}


def unload(module: str) -> None:
    module = module.replace("-", "_")
    if not loaded(module):
        raise Refused(f"Module {module} is not currently loaded")
    others = [name for name in NVIDIA[1:] if loaded(name)]
    if module == "nvidia" and (others or pathlib.Path("/run/nvidia-persistenced").is_dir()):
        raise Refused(f"Module nvidia is in use by: {' '.join(others)}")
    shutil.rmtree(MODULES / module)
    if module == "nvidia":
        shutil.rmtree(PROC)
    settle()


def settle() -> None:
    """Bring all that shows the GPUs in line with the hardware and the loaded driver."""
    state = hardware.read()
    pci.make(state, driver())
    flavour = _flavour()
    working = [kind for kind in hardware.nvidia(state) if flavour in kind.flavours]
    _nodes({**CONTROL, **{f"nvidia{index}": (195, index) for index in range(len(working))}} if flavour else {})
    version = (MODULES / "nvidia" / "version").read_text().strip() if flavour else None
    answers.write(state, pci.gpus(state), working, version)


def _flavour() -> str | None:
    if not (PROC / "version").exists():
        return None
    return "open" if "Open Kernel Module" in (PROC / "version").read_text() else "proprietary"


def _nodes(wanted: dict[str, tuple[int, int]]) -> None:
    for path in pathlib.Path("/dev").glob("nvidia*"):
        if path.name not in wanted:
            path.unlink()
    for name, (major, minor) in wanted.items():
        path = pathlib.Path("/dev", name)
        if not path.exists():
            os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(major, minor))
            path.chmod(0o666)
