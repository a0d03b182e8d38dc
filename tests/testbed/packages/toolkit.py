# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The container toolkit as NVIDIA packages it; from 1.18 on with the units that keep the CDI specification fresh."""

from __future__ import annotations

from debs import Package, tree

VERSIONS = ("1.17.4", "1.17.8", "1.18.0", "1.18.1")
REFRESH = """\
#!/bin/sh
set -e
systemctl daemon-reload || true
systemctl enable --quiet nvidia-cdi-refresh.path nvidia-cdi-refresh.service
systemctl restart nvidia-cdi-refresh.path nvidia-cdi-refresh.service || true
"""
NO_REFRESH = """\
#!/bin/sh
set -e
[ "$1" != remove ] || systemctl disable --quiet --now nvidia-cdi-refresh.path nvidia-cdi-refresh.service || true
"""


def packages() -> list[Package]:
    return [package for version in VERSIONS for package in _version(version)]


def _version(version: str) -> list[Package]:
    full = f"{version}-1"
    base = tree("nvidia-container-toolkit-base", VERSION=version)
    scripts = {}
    if version >= "1.18":
        base |= tree("nvidia-cdi-refresh")
        scripts = {"postinst": REFRESH, "prerm": NO_REFRESH}
    return [
        Package("libnvidia-container1", full, {"usr/lib/x86_64-linux-gnu/libnvidia-container.so.1": ""}),
        Package(
            "libnvidia-container-tools",
            full,
            {"usr/bin/nvidia-container-cli": f"#!/bin/sh\necho cli-version: {version}\n"},
            {"Depends": f"libnvidia-container1 (>= {full})"},
        ),
        Package("nvidia-container-toolkit-base", full, base, {}, scripts),
        Package(
            "nvidia-container-toolkit",
            full,
            tree("nvidia-container-toolkit"),
            {"Depends": f"nvidia-container-toolkit-base (= {full}), libnvidia-container-tools (>= {full})"},
        ),
    ]
