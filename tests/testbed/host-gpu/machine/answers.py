# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the driver answers: files that the nvidia-smi of the stub packages prints, on the host and in containers.

The GPUs' answers are recordings of the real nvidia-smi, with the places that tell one GPU from another filled in.
"""

from __future__ import annotations

import pathlib
import re
import typing as t

from machine.hardware import Kind

FOLDER = pathlib.Path("/run/testbed/driver")
# The fixtures of the unit tests.
RECORDINGS = pathlib.Path("/usr/local/lib/testbed/nvidia")
LOST = "GPU is lost.  Reboot the system to recover this GPU\n\n\n"


def write(state: dict[str, t.Any], addresses: list[str], working: list[Kind], version: str | None) -> None:
    """Write the answers; without a loaded driver there are none."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in FOLDER.iterdir():
        path.unlink()
    if state["unknown_error"]:
        (FOLDER / "unknown-error").touch()
    if version is None:
        return
    (FOLDER / "version").write_text(f"{version}\n")
    instances = state["mig"]
    for index, kind in enumerate(working):
        lost = f"Unable to determine the device handle for gpu {index}: {LOST}"
        (FOLDER / f"list-{index}").write_text(lost if index in state["lost"] else listed(kind, index, instances))
    document = "".join(gpu(kind, index, addresses[index], instances) for index, kind in enumerate(working))
    (FOLDER / "document").write_text(
        HEAD.format(version=version, count=len(working)) + document + "</nvidia_smi_log>\n"
    )
    (FOLDER / "memory").write_text("".join(memory(kind, index) for index, kind in enumerate(working)))
    if gone := [index for index in state["lost"] if index < len(working)]:
        (FOLDER / "lost").write_text(f"Unable to determine the device handle for GPU{gone[0]}: {LOST}")


HEAD = """\
<?xml version="1.0" ?>
<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">
<nvidia_smi_log>
\t<timestamp>Sun Nov 22 17:40:16 2026</timestamp>
\t<driver_version>{version}</driver_version>
\t<cuda_version>13.0</cuda_version>
\t<attached_gpus>{count}</attached_gpus>
"""
MIG = """\
  MIG 3g.20gb     Device  0: (UUID: MIG-5c89852c-d268-5c8d-9cb5-000{index}00abc000)
  MIG 2g.10gb     Device  1: (UUID: MIG-5c89852c-d268-5c8d-9cb5-000{index}00abc011)
  MIG 1g.5gb      Device  2: (UUID: MIG-5c89852c-d268-5c8d-9cb5-000{index}00abc022)
"""


def uuid(kind: Kind, index: int) -> str:
    return f"GPU-0000{kind.device}-0000-0000-0000-{index:012x}"


def has_instances(kind: Kind, instances: bool) -> bool:
    return instances and kind.recording == "a100"


def listed(kind: Kind, index: int, instances: bool) -> str:
    """The lines of nvidia-smi -L."""
    line = f"GPU {index}: {kind.name} (UUID: {uuid(kind, index)})\n"
    return line + (MIG.format(index=index) if has_instances(kind, instances) else "")


def memory(kind: Kind, index: int) -> str:
    """The line of nvidia-smi --query-gpu=index,memory.free,memory.total."""
    text = (RECORDINGS / f"{kind.recording}-1.xml").read_text()
    usage = text[text.index("<fb_memory_usage>") : text.index("</fb_memory_usage>")]
    free, total = (re.search(rf"<{name}>(.*)</{name}>", usage) for name in ("free", "total"))
    return f"{index}, {free and free[1]}, {total and total[1]}\n"


def gpu(kind: Kind, index: int, address: str, instances: bool) -> str:
    """The <gpu> element of nvidia-smi -q -x. Whether persistence is on is filled in by whoever prints it."""
    variant = "1.mig3" if has_instances(kind, instances) else "1"
    text = (RECORDINGS / f"{kind.recording}-{variant}.xml").read_text()
    element = text[text.index("\t<gpu id=") : text.index("</nvidia_smi_log>")]
    bus = f"0000{address.upper()}"
    changes = {
        "product_name": kind.name,
        "product_architecture": kind.architecture,
        "persistence_mode": "@PERSISTENCE@",
        "serial": f"15628210839{index:02d}",
        "uuid": uuid(kind, index),
        "minor_number": str(index),
        "pci_bus": bus[9:11],
        "pci_device_id": f"{kind.device}{kind.vendor}".upper(),
        "pci_sub_system_id": f"{kind.subsystem}{kind.vendor}".upper(),
        "pci_bus_id": bus,
    }
    for name, value in changes.items():
        element = re.sub(rf"<{name}>[^<]*</{name}>", f"<{name}>{value}</{name}>", element, count=1)
    return re.sub(r'<gpu id="[^"]*"', f'<gpu id="{bus}"', element)
