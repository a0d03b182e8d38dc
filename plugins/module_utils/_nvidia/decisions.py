# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""Decisions as tables: which kernel modules drive a GPU, and what it takes until the right one is loaded."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._nvidia import ids

# The ids of NVIDIA's GPUs grow with their generations.
FIRST_MAXWELL = 0x1340
FIRST_TURING = 0x1E00
PROPRIETARY_ONLY = ("maxwell", "pascal", "volta")
OPEN_ONLY = ("blackwell",)
# The GPUs of Grace Hopper, whose other halves only the open modules know.
GRACE = ("2342", "2348")


def flavours(device_id: str) -> list[str]:
    """The flavours of NVIDIA's kernel modules that drive the GPU; none for one that is older than every branch here.

    A GPU that is newer than the table of ids is taken for one that only the open modules drive, as all new ones are.
    """
    known = ids.lookup(device_id)
    number = int(device_id or "0", 16)
    if known is None:
        if number < FIRST_MAXWELL:
            return []
        return ["open"] if number >= FIRST_TURING else ["proprietary"]
    if known.architecture in PROPRIETARY_ONLY:
        return ["proprietary"]
    return ["open"] if known.architecture in OPEN_ONLY or device_id in GRACE else ["open", "proprietary"]


class Module(t.NamedTuple):
    """A kernel module: in memory, or on disk for one kernel."""

    version: str | None
    flavour: str | None

    def __str__(self) -> str:
        return " ".join(filter(None, (self.version or "of an unknown version", self.flavour and f"({self.flavour})")))

    def same(self, other: Module) -> bool:
        """Whether both are the same, as far as both are known."""
        return all(mine == theirs or None in (mine, theirs) for mine, theirs in zip(self, other))


def fits(module: Module | None, userspace: str | None) -> bool:
    """Whether there is a module, and the libraries of that version work with it."""
    return module is not None and (userspace is None or module.version in (None, userspace))


class Situation(t.NamedTuple):
    """What the decision depends on: the module in memory and on disk, for the running kernel and the one that boots."""

    running_kernel: str
    boot_kernel: str
    loaded: Module | None
    running: Module | None
    boot: Module | None
    userspace: str | None
    nouveau: bool
    installed: bool


class Decision(t.NamedTuple):
    """What has to be done (none, load, reboot or build), why, and how."""

    action: str
    reason: str
    hint: str


def decide(now: Situation) -> Decision:
    """What is missing until the module that the host shall use is loaded."""
    action, reason = _without_module(now) if now.loaded is None else _with_module(now, now.loaded)
    hint = {
        "none": "",
        "load": "Run modprobe nvidia.",
        "reboot": "Reboot the host.",
        "build": f"Install the headers of kernel {now.running_kernel} and build the module for it, with DKMS by dkms"
        " autoinstall. A reboot does not help.",
    }[action]
    if action != "build" and now.installed and not fits(now.boot, now.userspace):
        other = f"version {now.boot} of the module, and the libraries are of version {now.userspace}"
        has = other if now.boot else "no nvidia module"
        reason += f"; but the kernel that boots, {now.boot_kernel}, has {has}"
        warning = f"Do not reboot: build the module for kernel {now.boot_kernel} first, or let another kernel boot."
        hint = f"{hint} {warning}" if action == "load" else warning
    return Decision(action, f"{reason}.", hint)


def _without_module(now: Situation) -> tuple[str, str]:
    if now.running is not None:
        reason = f"Version {now.running} of the nvidia module is on disk for kernel {now.running_kernel} and not loaded"
        return ("reboot", f"{reason}, because nouveau is") if now.nouveau else ("load", reason)
    if now.boot is not None:
        return (
            "reboot",
            f"Kernel {now.running_kernel} runs and has no nvidia module, and version {now.boot} is there for the"
            f" kernel that boots, {now.boot_kernel}",
        )
    if now.installed:
        return "build", f"An NVIDIA driver is installed, and kernel {now.running_kernel} has no nvidia module"
    return "none", "No NVIDIA driver is installed"


def _with_module(now: Situation, loaded: Module) -> tuple[str, str]:
    reason = f"Version {loaded} of the nvidia module is loaded"
    if now.running is not None and not loaded.same(now.running):
        return "reboot", f"{reason}, and version {now.running} is on disk for kernel {now.running_kernel}"
    if now.running is None and now.boot is not None and not loaded.same(now.boot):
        return "reboot", f"{reason}, and version {now.boot} is on disk for the kernel that boots, {now.boot_kernel}"
    if not fits(loaded, now.userspace):
        reason += f", and the libraries are of version {now.userspace}"
        if now.boot is not None and now.boot.version == now.userspace:
            return "reboot", f"{reason}, as is the module for the kernel that boots, {now.boot_kernel}"
        return "build", reason
    if now.running is None and now.boot is None and now.installed:
        return "build", f"{reason} and not on disk for any kernel"
    return "none", f"{reason}, and no other one waits"
