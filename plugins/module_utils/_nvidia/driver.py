# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""The driver as it is in memory and on disk, and what is missing until the right one is loaded."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._nvidia import packages
from ansible_collections.selfhosted.llm.plugins.module_utils._nvidia.boot import boot_kernel
from ansible_collections.selfhosted.llm.plugins.module_utils._nvidia.decisions import Module, Situation, decide, fits
from ansible_collections.selfhosted.llm.plugins.module_utils._nvidia.host import Host
from ansible_collections.selfhosted.llm.plugins.module_utils._nvidia.modules import kernels, on_disk, userspace_version

TEXT = re.compile(r"^NVRM version: NVIDIA UNIX .*?Kernel Module(?: for \S+)?\s+(\d+(?:\.\d+)+)", re.MULTILINE)
IN_TREE_DRIVERS = ("nouveau", "nova_core")
SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
# With which DKMS signs on Debian and the RHEL family, and on Ubuntu.
SIGNING_KEYS = ("/var/lib/dkms/mok.pub", "/var/lib/shim-signed/mok/MOK.der")
PERSISTENCED = "nvidia-persistenced.service"
UNITS = ("/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")


def loaded(host: Host) -> Module | None:
    """The nvidia module in memory."""
    text = host.read("/proc/driver/nvidia/version")
    match = TEXT.search(text)
    version = host.read("/sys/module/nvidia/version").strip() or (match.group(1) if match else None)
    if version is None:
        return None
    return Module(version, ("open" if "Open Kernel Module" in text else "proprietary") if match else None)


def describe(host: Host, release: str, found: list[packages.Package]) -> dict[str, t.Any]:
    """Everything about the driver that can be known without a look at the GPUs.

    :arg release: of the running kernel
    :arg found: the installed packages of NVIDIA
    """
    boots = boot_kernel(host)
    disk = kernels(host, release, boots)
    by_release = {kernel["release"]: kernel for kernel in disk}
    module = loaded(host)
    userspace = userspace_version(host)
    nouveau = any(host.exists(f"/sys/module/{name}") for name in IN_TREE_DRIVERS)
    builds = packages.dkms(host)
    sources = packages.sources(host, found)
    boot_module = on_disk(by_release.get(boots or release))
    installed = bool(builds or sources or any(kernel["files"] for kernel in disk))
    decision = decide(
        Situation(
            running_kernel=release,
            boot_kernel=boots or release,
            loaded=module,
            running=on_disk(by_release.get(release)),
            boot=boot_module,
            userspace=userspace,
            nouveau=nouveau,
            installed=installed,
        )
    )
    return {
        "loaded": module._asdict() if module else None,
        "running_kernel": release,
        "boot_kernel": boots,
        "kernels": disk,
        "source": sources[0] if len(sources) == 1 else None,
        "sources": sources,
        "packages": {package.name: package.version for package in found},
        "held": [package.name for package in found if package.held],
        "broken": [package.name for package in found if package.broken],
        "dkms": builds,
        "nouveau": nouveau,
        "secure_boot": _secure_boot(host),
        "userspace_version": userspace,
        "persistence": _persistence(host),
        **decision._asdict(),
        "reboot_required": decision.action == "reboot",
        "boots_without_driver": not fits(boot_module, userspace) and (installed or module is not None),
    }


def _secure_boot(host: Host) -> dict[str, t.Any]:
    # The variable is four bytes of attributes and one that says whether it is on.
    enabled = host.read(SECURE_BOOT)[-1:] == "\x01"
    key = next(filter(host.exists, SIGNING_KEYS), None)
    said = host.run("mokutil", "--test-key", key) if enabled and key else None
    answer = re.search(r"is (already enrolled|not enrolled|already in)", said.out + said.err) if said else None
    return {"enabled": enabled, "key": key, "enrolled": answer.group(1) == "already enrolled" if answer else None}


def _persistence(host: Host) -> bool | None:
    if not any(host.exists(os.path.join(directory, PERSISTENCED)) for directory in UNITS):
        return None
    said = host.run("systemctl", "is-active", PERSISTENCED)
    return said.out.strip() == "active" if said else None
