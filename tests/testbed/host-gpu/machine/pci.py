# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The PCI bus, in the place of the real one."""

from __future__ import annotations

import pathlib
import shutil
import typing as t

from machine.hardware import KINDS

BUS = pathlib.Path("/sys/bus/pci")
NVSWITCH = "22a3"


def devices(state: dict[str, t.Any]) -> dict[str, dict[str, str]]:
    """The devices by address: a host bridge, NVSwitches, the GPUs with what else is on their boards."""
    found = {"0000:00:00.0": _device("8086", "09a2", "060000", "8086", "0000")}
    for number in range(state["nvswitches"]):
        found[f"0000:{5 + number:02x}:00.0"] = _device("10de", NVSWITCH, "068000", "10de", "0000")
    for number, name in enumerate(state["gpus"]):
        kind, slot = KINDS[name], f"0000:{0x1B + 0x11 * number:02x}:00"
        found[f"{slot}.0"] = _device(kind.vendor, kind.device, kind.pci_class, kind.vendor, kind.subsystem)
        if kind.vendor == "10de" and kind.pci_class == "030000":
            found[f"{slot}.1"] = _device("10de", "22ba", "040300", "10de", kind.subsystem)
    return found


def _device(vendor: str, device: str, pci_class: str, subsystem_vendor: str, subsystem: str) -> dict[str, str]:
    return {
        "vendor": f"0x{vendor}",
        "device": f"0x{device}",
        "class": f"0x{pci_class}",
        "subsystem_vendor": f"0x{subsystem_vendor}",
        "subsystem_device": f"0x{subsystem}",
        "revision": "0xa1",
        "numa_node": "0",
    }


def gpus(state: dict[str, t.Any]) -> list[str]:
    """The addresses of the NVIDIA GPUs, in the order of their indexes."""
    display = ("0x0300", "0x0302")
    return [
        address
        for address, device in devices(state).items()
        if device["vendor"] == "0x10de" and device["class"].startswith(display)
    ]


def make(state: dict[str, t.Any], driver: str | None) -> None:
    """Write the tree; the GPUs, and with NVIDIA's driver the NVSwitches, are bound to the driver."""
    for folder in ("devices", "drivers"):
        shutil.rmtree(BUS / folder, ignore_errors=True)
        (BUS / folder).mkdir(parents=True)
    bound = dict.fromkeys(gpus(state), driver)
    for address, device in devices(state).items():
        folder = BUS / "devices" / address
        folder.mkdir()
        for name, value in device.items():
            (folder / name).write_text(f"{value}\n")
        numbers = f"{device['vendor'][2:]}:{device['device'][2:]}".upper()
        (folder / "uevent").write_text(f"PCI_CLASS={device['class'][2:]}\nPCI_ID={numbers}\nPCI_SLOT_NAME={address}\n")
        switch = "nvidia-nvswitch" if driver == "nvidia" and device["class"] == "0x068000" else None
        if name := bound.get(address) or switch:
            (BUS / "drivers" / name).mkdir(exist_ok=True)
            (folder / "driver").symlink_to(f"../../drivers/{name}")
            (BUS / "drivers" / name / address).symlink_to(f"../../devices/{address}")
