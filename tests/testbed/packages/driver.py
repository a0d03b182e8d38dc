# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The driver as NVIDIA packages it for Debian: the same names and dependencies, next to nothing inside."""

from __future__ import annotations

import typing as t

from debs import Package, tree


class Release(t.NamedTuple):
    """A version. Whether it compiles against the newer kernel, and the options of its persistence daemon: some
    distributions' packages leave the mode off."""

    version: str
    newer_kernel: bool = False
    persistence: str = "--verbose"


RELEASES = (
    Release("580.65.06"),
    Release("580.95.05"),
    Release("590.44.01", newer_kernel=True, persistence="--verbose --no-persistence-mode"),
)
LIBRARIES = {
    "libcuda1": "libcuda.so",
    "libnvidia-ml1": "libnvidia-ml.so",
    "libnvidia-ptxjitcompiler1": "libnvidia-ptxjitcompiler.so",
    "libnvidia-cfg1": "libnvidia-cfg.so",
    "libnvidia-nscq": "libnvidia-nscq.so",
}
LICENSES = {"nvidia-kernel-open-dkms": "Dual MIT/GPL", "nvidia-kernel-dkms": "NVIDIA"}
# What debhelper puts into packages with a service, or with sources for dkms.
START = """\
#!/bin/sh
set -e
systemctl daemon-reload || true
systemctl enable --quiet {unit}
systemctl restart {unit} || true
"""
STOP = """\
#!/bin/sh
set -e
[ "$1" != remove ] || systemctl disable --quiet --now {unit} || true
"""
ADD = """\
#!/bin/sh
set -e
[ "$1" = configure ] || exit 0
/usr/lib/dkms/common.postinst nvidia {version} /usr/share/{name} "" "$2"
"""
REMOVE = """\
#!/bin/sh
set -e
case "$1" in
remove | upgrade | deconfigure)
    if [ "$(dkms status -m nvidia -v {version})" ]; then dkms remove -m nvidia -v {version} --all; fi
    ;;
esac
"""


def packages() -> list[Package]:
    return [package for release in RELEASES for package in _release(release)]


def _release(release: Release) -> list[Package]:
    version = release.version
    kernel = " | ".join(f"{name} (= {version}-1)" for name in ("nvidia-kernel-dkms", "nvidia-kernel-open-dkms"))
    whole = ", ".join(
        f"{name} (= {version}-1)"
        for name in (
            *(name for name in LIBRARIES if name != "libnvidia-nscq"),
            *("nvidia-kernel-support", "nvidia-modprobe", "nvidia-persistenced"),
        )
    )
    manager = "nvidia-fabricmanager"
    return [
        *(_library(name, file, version) for name, file in LIBRARIES.items()),
        *(_kernel(name, license, release) for name, license in LICENSES.items()),
        _plain(
            "nvidia-driver-cuda", version, tree("nvidia-driver-cuda", VERSION=version), Depends=f"{whole}, {kernel}"
        ),
        _plain("nvidia-kernel-support", version, {"usr/share/nvidia/support": version}),
        _plain("firmware-nvidia-gsp", version, {f"usr/lib/firmware/nvidia/{version}/gsp_ga10x.bin": ""}),
        _plain("nvidia-modprobe", version, {"usr/bin/nvidia-modprobe": "#!/bin/sh\nexec modprobe nvidia\n"}),
        _service("nvidia-persistenced", version, f"libnvidia-cfg1 (= {version}-1)", OPTIONS=release.persistence),
        # This one is not started by its installation.
        _plain(manager, version, tree(manager, VERSION=version)),
    ]


def _plain(name: str, version: str, files: dict[str, str], **fields: str) -> Package:
    return Package(name, f"{version}-1", files, fields)


def _service(name: str, version: str, depends: str, **values: str) -> Package:
    scripts = {"postinst": START.format(unit=name), "prerm": STOP.format(unit=name)}
    return Package(name, f"{version}-1", tree(name, **values), {"Depends": depends}, scripts)


def _library(name: str, file: str, version: str) -> Package:
    folder = "usr/lib/x86_64-linux-gnu"
    return _plain(name, version, {f"{folder}/{file}.{version}": "", f"{folder}/{file}.1": f"-> {file}.{version}"})


def _kernel(name: str, license: str, release: Release) -> Package:
    version = release.version
    sources = tree("dkms", VERSION=version, LICENSE=license, NEWER=str(int(release.newer_kernel)))
    other = next(each for each in LICENSES if each != name)
    needs = ", ".join(
        ["dkms", *(f"{each} (= {version}-1)" for each in ("nvidia-kernel-support", "firmware-nvidia-gsp"))]
    )
    return Package(
        name,
        f"{version}-1",
        {f"usr/src/nvidia-{version}/{path}": text for path, text in sources.items()},
        {"Depends": needs, "Conflicts": other, "Replaces": other},
        {"postinst": ADD.format(name=name, version=version), "prerm": REMOVE.format(version=version)},
    )
