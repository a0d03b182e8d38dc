# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kernels: an image that boots nothing, and headers against which a module is compiled."""

from __future__ import annotations

import pathlib
import subprocess
import tempfile

from debs import Package, tree

# dkms removes the lists of a kernel that has no module of its own; every kernel has this one.
NOUVEAU = """\
static const char information[] __attribute__((section(".modinfo"), used)) =
    "license=GPL and additional rights\\0name=nouveau\\0vermagic={release} SMP preempt mod_unload modversions ";
"""
PCI = "int pci_resize_resource(void *device, int number, int size);\n"
NEWER_PCI = """\
#define PCI_RESIZE_KEEPS
int pci_resize_resource(void *device, int number, int size, int keep);
"""
IMAGE_POSTINST = """\
#!/bin/sh
set -e
depmod {release}
test -d /etc/kernel/postinst.d || exit 0
run-parts --report --exit-on-error --arg={release} --arg=/boot/vmlinuz-{release} /etc/kernel/postinst.d
"""
IMAGE_POSTRM = """\
#!/bin/sh
rm -rf /lib/modules/{release}/modules.* /boot/initrd.img-{release}
"""
HEADERS_POSTINST = """\
#!/bin/sh
set -e
test -d /etc/kernel/header_postinst.d || exit 0
run-parts --report --exit-on-error --arg={release} /etc/kernel/header_postinst.d
"""


def following(release: str) -> str:
    """The release of a kernel newer than this one."""
    major, minor, *_rest = release.split(".")
    return f"{major}.{int(minor) + 1}.0+deb13-amd64"


def image(release: str) -> Package:
    return Package(
        f"linux-image-{release}",
        "1-1",
        files={
            f"boot/vmlinuz-{release}": "A kernel of the testbed.\n",
            f"boot/config-{release}": "CONFIG_MODULES=y\n",
            f"usr/lib/modules/{release}/kernel/drivers/gpu/drm/nouveau/nouveau.ko": _compiled(NOUVEAU, release),
            f"usr/lib/modules/{release}/modules.order": "kernel/drivers/gpu/drm/nouveau/nouveau.ko\n",
            f"usr/lib/modules/{release}/modules.builtin": "",
        },
        scripts={
            "postinst": IMAGE_POSTINST.format(release=release),
            "postrm": IMAGE_POSTRM.format(release=release),
        },
    )


def _compiled(source: str, release: str) -> bytes:
    with tempfile.NamedTemporaryFile(suffix=".o") as output:
        command = ["gcc", "-x", "c", "-c", "-ffreestanding", "-o", output.name, "-"]
        subprocess.run(command, input=source.format(release=release).encode(), check=True)
        return pathlib.Path(output.name).read_bytes()


def headers(release: str, newer: bool) -> Package:
    """Headers; the newer kernel's pci_resize_resource takes an argument more than most drivers here know."""
    folder = f"usr/src/linux-headers-{release}"
    pci = NEWER_PCI if newer else PCI
    return Package(
        f"linux-headers-{release}",
        "1-1",
        files={
            **{f"{folder}/{path}": text for path, text in tree("headers").items()},
            f"{folder}/include/config/auto.conf": 'CONFIG_MODULES=y\nCONFIG_MODULE_SIG_HASH="sha256"\n',
            f"{folder}/include/linux/pci.h": pci,
            f"{folder}/include/linux/vermagic.h": f'#define VERMAGIC "{release} SMP preempt mod_unload modversions "\n',
            f"usr/lib/modules/{release}/build": f"-> /{folder}",
        },
        fields={"Recommends": "gcc, make"},
        scripts={"postinst": HEADERS_POSTINST.format(release=release)},
    )
