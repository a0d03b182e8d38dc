# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the machine has, in a file that outlives reboots, and the GPUs that it may have."""

from __future__ import annotations

import json
import pathlib
import typing as t

FILE = pathlib.Path("/etc/testbed/hardware.json")


class Kind(t.NamedTuple):
    """A GPU that can be plugged in. ``recording`` is what nvidia-smi says of it, or of one much like it."""

    name: str
    device: str
    subsystem: str
    architecture: str
    flavours: tuple[str, ...]
    recording: str = ""
    vendor: str = "10de"
    pci_class: str = "030200"


BOTH = ("open", "proprietary")
KINDS = {
    "p100": Kind("Tesla P100-PCIE-16GB", "15f8", "118f", "Pascal", ("proprietary",), "t4"),
    "v100": Kind("Tesla V100-SXM2-32GB", "1db5", "1249", "Volta", ("proprietary",), "t4"),
    "t4": Kind("Tesla T4", "1eb8", "12a2", "Turing", BOTH, "t4"),
    "rtx4090": Kind("NVIDIA GeForce RTX 4090", "2684", "165b", "Ada Lovelace", BOTH, "t4", pci_class="030000"),
    "a100": Kind("NVIDIA A100-SXM4-40GB", "20b0", "1347", "Ampere", BOTH, "a100"),
    "h100": Kind("NVIDIA H100 80GB HBM3", "2330", "1658", "Hopper", BOTH, "h100"),
    "b200": Kind("NVIDIA B200", "2901", "1818", "Blackwell", ("open",), "b200"),
    "gb300": Kind("NVIDIA GB300", "31c2", "1830", "Blackwell", ("open",), "gb300"),
    # An id that no table has.
    "newer": Kind("NVIDIA Newer", "3fff", "1000", "Unknown", ("open",), "b200"),
    "amd": Kind("Instinct MI300X", "74a1", "74a1", "CDNA 3", (), vendor="1002", pci_class="120000"),
    "intel": Kind("Flex 170", "56c0", "4905", "Alchemist", (), vendor="8086", pci_class="038000"),
}
# secure_boot "none": a machine that boots by BIOS. nouveau: whether the kernel brings it. mig: on, with three instances
# on each A100. lost: indexes of GPUs that have fallen off the bus. unknown_error: what nvidia-smi says in containers.
DEFAULT: dict[str, t.Any] = {
    "gpus": ["h100", "h100"],
    "nvswitches": 0,
    "secure_boot": "off",
    "enrolled": False,
    "nouveau": True,
    "mig": False,
    "lost": [],
    "unknown_error": False,
}


def read(file: pathlib.Path = FILE) -> dict[str, t.Any]:
    return {**DEFAULT, **(json.loads(file.read_text()) if file.exists() else {})}


def write(state: dict[str, t.Any], file: pathlib.Path = FILE) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(state, indent=2) + "\n")


def parsed(name: str, text: str) -> t.Any:
    """The value of a setting as it is given on the command line."""
    if name == "gpus":
        gpus = [word for word in text.split(",") if word]
        if unknown := set(gpus) - KINDS.keys():
            raise ValueError(f"no such GPU: {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}")
        return gpus
    if name == "lost":
        return [int(word) for word in text.split(",") if word]
    if name == "nvswitches":
        return int(text)
    choices = ("on", "off", "none") if name == "secure_boot" else ("on", "off")
    if text not in choices:
        raise ValueError(f"{name} is one of {', '.join(choices)}, not {text}")
    return text if name == "secure_boot" else text == "on"


def nvidia(state: dict[str, t.Any]) -> list[Kind]:
    """The NVIDIA GPUs, in the order of their indexes."""
    return [KINDS[name] for name in state["gpus"] if KINDS[name].vendor == "10de"]
