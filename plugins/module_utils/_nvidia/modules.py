# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""NVIDIA's driver on disk: the kernel modules of every installed kernel, and the libraries."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._nvidia.decisions import Module
from ansible_collections.selfhosted.llm.plugins.module_utils._nvidia.host import Host, version_key

MODULES = "/lib/modules"
# Where packages, DKMS and NVIDIA's installer put the module, in the order in which depmod prefers them. An empty name
# is the directory of the kernel itself.
PLACES = ("updates", "extra", "weak-updates", "", "kernel/drivers/video")
PREBUILT = "nvidia-"
# nvidia.ko, and Debian's nvidia-current-open.ko and nvidia-tesla-535.ko; not nvidia-drm.ko, which needs it.
DRIVER = re.compile(r"nvidia(-(current|open|tesla|legacy|\d\w*))*\.ko(\.(gz|xz|zst))?")
LICENCES = {"Dual MIT/GPL": "open", "NVIDIA": "proprietary"}

LIBRARY = re.compile(r"libnvidia-ml\.so\.(\d+(?:\.\d+)+)")
LIBRARIES = (
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib/x86_64-linux-gnu/nvidia/current",
    "/usr/lib/aarch64-linux-gnu/nvidia/current",
    "/usr/lib",
    "/usr/local/lib",
)


def kernels(host: Host, running: str, boots: str | None) -> list[dict[str, t.Any]]:
    """Every installed kernel, the newest first, with the module that it has."""
    found = {release: _files(host, release) for release in host.names(MODULES)}
    modules = _modinfo(host, [file for files in found.values() for file in files])
    result = []
    for release in sorted(found, key=version_key, reverse=True):
        module = modules.get(found[release][0]) if found[release] else None
        result.append(
            {
                "release": release,
                "version": module.version if module else None,
                "flavour": module.flavour if module else None,
                "files": found[release],
                "running": release == running,
                "boots": release == boots,
                "headers": host.exists(f"{MODULES}/{release}/build"),
            }
        )
    return result


def on_disk(kernel: dict[str, t.Any] | None) -> Module | None:
    """The module of one of these kernels."""
    return Module(kernel["version"], kernel["flavour"]) if kernel and kernel["files"] else None


def _files(host: Host, release: str) -> list[str]:
    """The driver's files for a kernel; what depmod prefers comes first."""
    base = f"{MODULES}/{release}"
    # Ubuntu's prebuilt modules lie in kernel/nvidia-580-server-open and the like.
    prebuilt = [f"kernel/{name}" for name in host.names(f"{base}/kernel") if name.startswith(PREBUILT)]
    files: list[str] = []
    for place in (*PLACES, *prebuilt):
        directory = os.path.join(base, place).rstrip("/")
        if place in ("", "kernel/drivers/video"):
            names = [f"{directory}/{name}" for name in host.names(directory)]
        else:
            names = _below(host, directory)
        files.extend(name for name in names if DRIVER.fullmatch(os.path.basename(name)))
    return files


def _below(host: Host, directory: str) -> list[str]:
    top = host.path(directory)
    return sorted(f"{directory}{path[len(top):]}/{name}" for path, _folders, names in os.walk(top) for name in names)


def _modinfo(host: Host, files: list[str]) -> dict[str, Module]:
    """What the files say of themselves; asked about paths, since a name would mean the running kernel's."""
    if not files:
        return {}
    said = host.run("modinfo", *map(host.path, files))
    modules = {}
    for block in re.split(r"^filename:\s*", said.out if said else "", flags=re.MULTILINE)[1:]:
        fields = dict(re.findall(r"^(version|license):\s*(.*?)\s*$", block, re.MULTILINE))
        path = block.split("\n", 1)[0].strip()
        modules[path] = Module(fields.get("version"), LICENCES.get(fields.get("license", "")))
    return {file: modules[host.path(file)] for file in files if host.path(file) in modules}


def userspace_version(host: Host) -> str | None:
    """The version of the driver's libraries, from the name of the one that nvidia-smi uses."""
    configured = re.findall(
        r"^(/\S+)",
        "\n".join(host.read(f"/etc/ld.so.conf.d/{name}") for name in host.names("/etc/ld.so.conf.d")),
        re.MULTILINE,
    )
    directories = list(dict.fromkeys([*LIBRARIES, *configured]))
    for directory in directories:
        match = LIBRARY.fullmatch(os.path.basename(host.resolve(f"{directory}/libnvidia-ml.so.1")))
        if match and host.exists(f"{directory}/libnvidia-ml.so.1"):
            return match.group(1)
    names = [LIBRARY.fullmatch(name) for directory in directories for name in host.names(directory)]
    return max((match.group(1) for match in names if match), key=version_key, default=None)
