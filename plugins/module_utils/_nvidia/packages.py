# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""What the package manager and DKMS know of NVIDIA's driver and of the container toolkit."""

from __future__ import annotations

import fnmatch
import re
import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._nvidia.host import Host

PATTERNS = ("*nvidia*", "cuda-drivers*", "libcuda1*", "libnvsdm*", "nvlsm*")
# What makes a driver: its kernel modules, and the libraries that have to be of their version. The module of GPUDirect
# Storage, nvidia-fs, has a version and a source of its own.
KERNEL_PACKAGE = re.compile(
    r"(?!.*nvidia-fs)(nvidia-(open-)?(dkms|kernel-(?!common|support)|kmod|.*-dkms)|(a?kmod|dkms)-nvidia"
    r"|linux-(modules|objects)-nvidia).*"
)
LIBRARY_PACKAGE = re.compile(r"libnvidia-(ml1?|compute.*|nvml)|libcuda1|nvidia-driver-cuda.*|xorg-x11-drv-nvidia-cuda")
TOOLKIT = re.compile(r"(lib)?nvidia-container")
NVIDIA_URL = re.compile(r"nvidia|/cuda/")
NVIDIA_LIST = re.compile(r"^ +\d+ (\S.*)\n +release (?:.*,)?[ol]=NVIDIA\b", re.MULTILINE)
# How the ids of the keys end that sign NVIDIA's RPMs, for RHEL 8 and 9 and for RHEL 10.
NVIDIA_KEYS = ("d42d0685", "cdf6ba43")
VERSION_LOCKS = ("/etc/dnf/plugins/versionlock.list", "/etc/dnf/versionlock.toml")
RUNFILE = ("/usr/bin/nvidia-uninstall", "/usr/bin/nvidia-installer")

# dpkg's states half-installed, unpacked and half-configured.
UNFINISHED = "HUF"

DKMS = "/var/lib/dkms"
# "nvidia, 550.54, 6.1.0, x86_64: installed" of DKMS 2, "nvidia/550.54, 6.1.0, x86_64: installed" of DKMS 3.
DKMS_LINE = re.compile(
    r"^(nvidia[^/,:\s]*)(?:/|, *)([^,:\s]+)(?:, *([^,:\s]+), *[^,:\s]+)?: *([\w-]+) *(?:\(([^)]+)\))?", re.MULTILINE
)


class Package(t.NamedTuple):
    """An installed package; broken when the package manager could not finish its installation."""

    name: str
    version: str
    source: str
    held: bool
    broken: bool


def installed(host: Host) -> tuple[list[Package], list[Package]]:
    """The installed packages of the driver, and those of the container toolkit."""
    found = _from_dpkg(host) if host.exists("/var/lib/dpkg/status") else _from_rpm(host)
    return (
        [package for package in found if not TOOLKIT.match(package.name)],
        [package for package in found if TOOLKIT.match(package.name)],
    )


def sources(host: Host, packages: list[Package]) -> list[str]:
    """Where the driver comes from, its kernel modules first: nvidia, distro, runfile. Two are one too many."""
    found = [
        package.source
        for pattern in (KERNEL_PACKAGE, LIBRARY_PACKAGE)
        for package in packages
        if pattern.fullmatch(package.name)
    ]
    if _has_runfile(host):
        found.append("runfile")
    return list(dict.fromkeys(found))


def dkms(host: Host) -> list[dict[str, t.Any]]:
    """What DKMS says of the drivers that it builds."""
    if not any(name.startswith("nvidia") for name in host.names(DKMS)):
        return []
    said = host.run("dkms", "status")
    return [
        {"name": name, "version": version, "kernel": kernel or None, "state": state, "note": note or None}
        for name, version, kernel, state, note in DKMS_LINE.findall(said.out if said else "")
        if name != "nvidia-fs"
    ]


def _from_dpkg(host: Host) -> list[Package]:
    fields = "${Package}\\t${Version}\\t${db:Status-Abbrev}\\t${Maintainer}\\n"
    said = host.run("dpkg-query", "-W", "-f", fields, *PATTERNS)
    rows = [line.split("\t") for line in (said.out if said else "").splitlines()]
    # The second letter of the status says how far the package is: n and c are not there any more.
    rows = [row for row in rows if len(row) == 4 and row[2][1:2] not in ("n", "c", "")]
    nvidias = _from_nvidia(host, [row[0] for row in rows])
    return [
        Package(
            name,
            version,
            "nvidia" if name in nvidias or "nvidia.com" in maintainer.lower() else "distro",
            status[0] == "h",
            status[1] in UNFINISHED,
        )
        for name, version, status, maintainer in rows
    ]


def _from_nvidia(host: Host, names: list[str]) -> set[str]:
    """Those whose installed version comes from NVIDIA's repository; its packages name others as their maintainers."""
    names = [name for name in names if KERNEL_PACKAGE.fullmatch(name) or LIBRARY_PACKAGE.fullmatch(name)]
    said = host.run("apt-cache", "policy", *names) if names else None
    blocks = re.findall(r"^(\S+):\n((?:[ \t].*\n?)*)", said.out if said else "", re.MULTILINE)
    places = {}
    for name, block in blocks:
        installed_from = re.search(r"^ \*\*\* .*\n((?: {8,}.*\n?)*)", block, re.MULTILINE)
        places[name] = re.findall(r"^ +\d+ (\S.*)$", installed_from.group(1) if installed_from else "", re.MULTILINE)
    found = {name for name in places if NVIDIA_URL.search(" ".join(places[name]))}
    # The address of a mirror may say nothing; its list says who made it.
    if len(found) < len(places):
        said = host.run("apt-cache", "policy")
        theirs = set(NVIDIA_LIST.findall(said.out if said else ""))
        found |= {name for name in places if theirs.intersection(places[name])}
    return found


def _from_rpm(host: Host) -> list[Package]:
    fields = "%{NAME}\\t%{VERSION}-%{RELEASE}\\t%{VENDOR}\\t%|RSAHEADER?{%{RSAHEADER:pgpsig}}:{none}|\\n"
    said = host.run("rpm", "-qa", "--qf", fields, *PATTERNS)
    rows = [line.split("\t") for line in (said.out if said else "").splitlines()]
    locks = _version_locks(host)
    return [
        Package(
            name,
            version,
            "nvidia" if "nvidia" in vendor.lower() or signature.lower().endswith(NVIDIA_KEYS) else "distro",
            any(fnmatch.fnmatch(text, lock) for lock in locks for text in (name, f"{name}-{version}")),
            False,
        )
        for name, version, vendor, signature in (row for row in rows if len(row) == 4)
    ]


def _version_locks(host: Host) -> list[str]:
    """The patterns of dnf's versionlock, without the epoch and the architecture that they may have."""
    text = "\n".join(map(host.read, VERSION_LOCKS))
    patterns = re.findall(r"^([\w*][^\s!#=]*)$", text, re.MULTILINE)
    patterns += re.findall(r"""^\s*name\s*=\s*["'](.+?)["']""", text, re.MULTILINE)
    return [re.sub(r"\.\*$|\.(x86_64|aarch64|noarch)$", "", re.sub(r"-\d+:", "-", pattern)) for pattern in patterns]


def _has_runfile(host: Host) -> bool:
    """Whether NVIDIA's installer was used: it leaves itself behind, in a file that no package owns."""
    for path in filter(host.exists, RUNFILE):
        said = host.run("dpkg-query", "-S", path) or host.run("rpm", "-qf", path)
        if said is None or said.rc != 0:
            return True
    return False
