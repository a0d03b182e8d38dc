# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""The GPUs on the PCI bus, from sysfs: nothing has to be installed or loaded for it."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._nvidia import ids
from ansible_collections.selfhosted.llm.plugins.module_utils._nvidia.decisions import flavours
from ansible_collections.selfhosted.llm.plugins.module_utils._nvidia.host import Host

DEVICES = "/sys/bus/pci/devices"
NAMES = ("/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids")
VENDORS = {"10de": "nvidia", "1002": "amd", "8086": "intel"}
DISPLAYS = ("0300", "0302", "0380")
# AMD's Instinct cards have no display and call themselves processing accelerators.
# What holds a device for a virtual machine.
FOR_GUESTS = ("vfio-pci", "nvgrace_gpu_vfio_pci", "nvgrace-gpu-vfio-pci", "pci-stub", "pciback", "xen-pciback")
GPU_CLASSES = {"nvidia": DISPLAYS, "amd": (*DISPLAYS, "1200"), "intel": DISPLAYS}
NVSWITCH_CLASS = "0680"


def describe(host: Host) -> dict[str, t.Any]:
    """The GPUs and the NVSwitches, sorted by address."""
    gpus, nvswitches = [], []
    for address in host.names(DEVICES):
        vendor = VENDORS.get(_id(host, address, "vendor"))
        if vendor is None:
            continue
        device_class = _id(host, address, "class")[:4]
        # A virtual function is a slice of a GPU that is there itself.
        if device_class in GPU_CLASSES[vendor] and not host.link(f"{DEVICES}/{address}/physfn"):
            gpus.append(_gpu(host, address, vendor))
        elif vendor == "nvidia" and device_class == NVSWITCH_CLASS:
            nvswitches.append(
                {"address": address, "device_id": _id(host, address, "device"), "driver": _driver(host, address)}
            )
    _fill_names(host, gpus)
    return {"gpus": gpus, "nvswitches": nvswitches}


def _gpu(host: Host, address: str, vendor: str) -> dict[str, t.Any]:
    device_id = _id(host, address, "device")
    known = ids.lookup(device_id) if vendor == "nvidia" else None
    numa_node = host.read(f"{DEVICES}/{address}/numa_node").strip()
    driver = _driver(host, address)
    driven_by = flavours(device_id) if vendor == "nvidia" else []
    return {
        "vendor": vendor,
        "vendor_id": _id(host, address, "vendor"),
        "device_id": device_id,
        "subsystem_vendor_id": _id(host, address, "subsystem_vendor"),
        "subsystem_device_id": _id(host, address, "subsystem_device"),
        "name": known.name if known else None,
        "architecture": known.architecture if known else None,
        "flavours": driven_by,
        "usable": bool(driven_by) and driver not in FOR_GUESTS,
        "address": address,
        "driver": driver,
        # The kernel says -1 on a machine that has no NUMA nodes.
        "numa_node": int(numa_node) if numa_node.isdigit() else None,
    }


def _id(host: Host, address: str, attribute: str) -> str:
    return host.read(f"{DEVICES}/{address}/{attribute}").strip()[2:].lower()


def _driver(host: Host, address: str) -> str | None:
    target = host.link(f"{DEVICES}/{address}/driver")
    return os.path.basename(target) if target else None


def _fill_names(host: Host, gpus: list[dict[str, t.Any]]) -> None:
    """Names that our table has not, from the list that the distribution keeps."""
    nameless = [gpu for gpu in gpus if gpu["name"] is None]
    if not nameless:
        return
    text = next(filter(None, map(host.read, NAMES)), "")
    for gpu in nameless:
        vendor = re.search(rf"^{gpu['vendor_id']}  .*\n((?:[\t#].*\n|\n)*)", text, re.MULTILINE)
        device = re.search(rf"^\t{gpu['device_id']}  (.+)", vendor.group(1), re.MULTILINE) if vendor else None
        gpu["name"] = device.group(1).strip() if device else None
