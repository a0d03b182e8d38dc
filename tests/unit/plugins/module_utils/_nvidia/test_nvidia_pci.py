# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.selfhosted.llm.plugins.module_utils._nvidia import ids, pci

ADDRESS = "0000:01:00.0"


def device(vendor="10de", device_id="2330", device_class="030200", **attributes):
    return {"vendor": f"0x{vendor}", "device": f"0x{device_id}", "class": f"0x{device_class}", **attributes}


def gpus(machine, *keys):
    found = pci.describe(machine.host)["gpus"]
    return [tuple(gpu[key] for key in keys) for gpu in found]


# name of the host in the recording: (vendor, device id, architecture, flavours, address, driver), and the NVSwitches.
BOTH = ["open", "proprietary"]
INTEL = ("intel", "4680", None, [], "0000:00:02.0", "i915")
HOSTS = {
    "mock-a100-8": (
        [
            ("nvidia", "20b0", "ampere", BOTH, f"0000:{bus}:00.0", None)
            for bus in ("07", "0f", "47", "4e", "87", "90", "b7", "bd")
        ],
        [],
    ),
    "no-nvidia": ([INTEL], []),
    "consumer-rtx4090-nouveau": ([INTEL, ("nvidia", "2684", "ada", BOTH, "0000:01:00.0", "nouveau")], []),
    "turing-4-functions-nvidia": ([INTEL, ("nvidia", "1e04", "turing", BOTH, "0000:01:00.0", "nvidia")], []),
    "hgx-h100-2-nvswitch": (
        [("nvidia", "2330", "hopper", BOTH, f"0000:{bus}:00.0", None) for bus in ("1b", "43")],
        [{"address": f"0000:{bus}:00.0", "device_id": "22a3", "driver": None} for bus in ("07", "08")],
    ),
    "mixed-p100-and-a100": (
        [
            ("nvidia", "15f8", "pascal", ["proprietary"], "0000:3b:00.0", None),
            ("nvidia", "20b0", "ampere", BOTH, "0000:5e:00.0", None),
        ],
        [],
    ),
    "t4-passed-through-vfio": ([("nvidia", "1eb8", "turing", BOTH, "0000:00:1e.0", "vfio-pci")], []),
    "grace-gb300-domains": (
        [
            ("nvidia", "31c2", "blackwell", ["open"], f"{domain}:06:00.0", "nvidia")
            for domain in ("0008", "0009", "0018", "0019")
        ],
        [],
    ),
    "unknown-new-id": ([("nvidia", "3fff", None, ["open"], "0000:01:00.0", None)], []),
}


def test_every_host_of_the_recording_is_tested(recorded):
    assert set(recorded("sysfs-pci.json")) == set(HOSTS)


@pytest.mark.parametrize("name", HOSTS)
def test_recorded_hosts(machine, recorded, name):
    machine.devices(recorded("sysfs-pci.json")[name]["devices"])
    expected_gpus, expected_nvswitches = HOSTS[name]
    keys = ("vendor", "device_id", "architecture", "flavours", "address", "driver")
    assert gpus(machine, *keys) == expected_gpus
    assert pci.describe(machine.host)["nvswitches"] == expected_nvswitches
    assert machine.calls == []


def test_all_that_is_told_of_a_gpu(machine, recorded):
    machine.devices(recorded("sysfs-pci.json")["mock-a100-8"]["devices"])
    assert pci.describe(machine.host)["gpus"][4] == {
        "vendor": "nvidia",
        "vendor_id": "10de",
        "device_id": "20b0",
        "subsystem_vendor_id": "10de",
        "subsystem_device_id": "1347",
        "name": "NVIDIA A100-SXM4-40GB",
        "architecture": "ampere",
        "flavours": ["open", "proprietary"],
        "usable": True,
        "address": "0000:87:00.0",
        "driver": None,
        "numa_node": 1,
    }


def test_nothing_on_the_bus_and_no_bus(machine):
    assert pci.describe(machine.host) == {"gpus": [], "nvswitches": []}


@pytest.mark.parametrize(
    "device_class, seen",
    [
        ("030000", True),
        ("030200", True),
        ("038000", True),
        ("040300", False),
        ("0c0330", False),
        ("0c8000", False),
        ("060400", False),
        ("120000", False),
    ],
)
def test_classes_of_nvidia(machine, device_class, seen):
    machine.devices({ADDRESS: device(device_class=device_class)})
    assert bool(gpus(machine, "address")) is seen


def test_vendors(machine):
    """A display of a management controller is no GPU, an AMD accelerator without a display is one."""
    machine.devices(
        {
            "0000:01:00.0": device("10de", "20b0"),
            "0000:02:00.0": device("1002", "74a1", "120000", driver="amdgpu"),
            "0000:03:00.0": device("1002", "744c", "030000"),
            "0000:04:00.0": device("8086", "56a0", "030000", driver="xe"),
            "0000:05:00.0": device("1a03", "2000", "030000", driver="ast"),
            "0000:06:00.0": device("1af4", "1050", "038000"),
            "0000:07:00.0": device("8086", "0b69", "120000"),
        }
    )
    assert gpus(machine, "vendor", "device_id", "driver") == [
        ("nvidia", "20b0", None),
        ("amd", "74a1", "amdgpu"),
        ("amd", "744c", None),
        ("intel", "56a0", "xe"),
    ]


def test_a_slice_of_a_gpu_is_not_one_more(machine):
    machine.devices({"0000:01:00.0": device(), "0000:01:00.4": device()})
    machine.link("/sys/devices/pci0000:00/0000:01:00.4/physfn", "../0000:01:00.0")
    assert gpus(machine, "address") == [("0000:01:00.0",)]


@pytest.mark.parametrize("numa_node, expected", [("-1", None), ("0", 0), ("1", 1)])
def test_numa_node(machine, numa_node, expected):
    machine.devices({ADDRESS: device(numa_node=numa_node)})
    assert gpus(machine, "numa_node") == [(expected,)]


def test_attributes_that_are_not_there(machine):
    machine.devices({ADDRESS: device()})
    assert gpus(machine, "subsystem_device_id", "numa_node", "driver") == [("", None, None)]


PCI_IDS = """\
# List of PCI ID's
1002  Advanced Micro Devices, Inc. [AMD/ATI]
\t74a1  Aqua Vanjaram [Instinct MI300X]
\t\t1002 74a1  Instinct MI300X OAM
10de  NVIDIA Corporation
# a comment
\t2330  GH100 [H100 SXM5 80GB]
\t3500  GR100 [Rubin]
8086  Intel Corporation
\t74a1  not this one
C 03  Display controller
"""


@pytest.mark.parametrize("path", ["/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids"])
def test_names_from_the_hosts_list(machine, path):
    machine.write(path, PCI_IDS)
    machine.devices(
        {
            "0000:01:00.0": device("10de", "2330"),
            "0000:02:00.0": device("10de", "3500"),
            "0000:03:00.0": device("10de", "3501"),
            "0000:04:00.0": device("1002", "74a1", "120000"),
        }
    )
    assert gpus(machine, "name") == [
        ("NVIDIA H100 80GB HBM3",),
        ("GR100 [Rubin]",),
        (None,),
        ("Aqua Vanjaram [Instinct MI300X]",),
    ]


def test_what_is_read(machine, monkeypatch):
    """A few small files for a GPU, one for any other device, and no list of names when no name is missing."""
    machine.write("/usr/share/misc/pci.ids", PCI_IDS)
    machine.devices({"0000:01:00.0": device(), **{f"0000:02:{n:02x}.0": device("1b36", "000c") for n in range(30)}})
    read = []
    monkeypatch.setattr(
        machine.host, "read", lambda path, read_file=machine.host.read: read.append(path) or read_file(path)
    )
    pci.describe(machine.host)
    assert len(read) <= 30 + 8
    assert all(path.startswith("/sys/bus/pci/devices/") for path in read)


# From NVIDIA's list of CUDA GPUs and the names in pci.ids of chips that it does not list.
KNOWN = {
    "1340": ("GeForce 830M", "maxwell", "5.0"),
    "13c2": ("GeForce GTX 970", "maxwell", "5.2"),
    "17fd": ("Tesla M40", "maxwell", "5.2"),
    "15f8": ("Tesla P100 PCIe 16GB", "pascal", "6.0"),
    "1b38": ("Tesla P40", "pascal", "6.1"),
    "1db6": ("Tesla V100 PCIe 32GB", "volta", "7.0"),
    "1EB8": ("Tesla T4", "turing", "7.5"),
    "20b2": ("NVIDIA A100-SXM4-80GB / NVIDIA PG509-210", "ampere", "8.0"),
    "2204": ("NVIDIA GeForce RTX 3090", "ampere", "8.6"),
    "27b8": ("NVIDIA L4", "ada", "8.9"),
    "2342": ("NVIDIA GH200 120GB / NVIDIA GH200 480GB", "hopper", "9.0"),
    "2901": ("NVIDIA B200", "blackwell", "10.0"),
    "31c2": ("NVIDIA GB300", "blackwell", "10.3"),
    "2b85": ("NVIDIA GeForce RTX 5090", "blackwell", "12.0"),
    "2e12": ("NVIDIA GB10", "blackwell", "12.1"),
    "29bb": ("NVIDIA DRIVE P2021", "blackwell", None),
}


@pytest.mark.parametrize("device_id", KNOWN)
def test_the_table_of_ids(device_id):
    assert ids.lookup(device_id) == KNOWN[device_id]


def test_the_table_is_that_of_its_sources(real):
    rows = [line.split("\t") for line in real("gpu-ids.tsv").splitlines()[1:]]
    assert len(rows) > 400
    assert [(row[0], *ids.lookup(row[0])[:2]) for row in rows] == [tuple(row[:3]) for row in rows]
