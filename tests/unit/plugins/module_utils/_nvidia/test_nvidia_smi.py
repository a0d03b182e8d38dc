# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.selfhosted.llm.plugins.module_utils._nvidia.smi import describe

RECORDINGS = (
    next(parent for parent in Path(__file__).resolve().parents if parent.name == "unit") / "fixtures" / "nvidia"
)
RECORDED = sorted(path.name for path in RECORDINGS.glob("*.xml"))
LISTED = sorted(path.name for path in RECORDINGS.glob("*.list.txt"))
GIB, MIB = 1024**3, 1024**2
QUERY, LIST = ("nvidia-smi", "-q", "-x"), ("nvidia-smi", "-L")


def ask(machine, document="", rc=0, listed=None):
    machine.says("nvidia-smi -q -x", document, rc)
    if listed is not None:
        machine.says("nvidia-smi -L", *listed)
    result = describe(machine.host, loaded=True)
    return result["gpus"], result["smi"]


def values(gpus, *names):
    return [tuple(gpu.get(name) for name in names) for gpu in gpus]


def raw(document, tag):
    return re.findall(rf"<{tag}>(.*?)</{tag}>", document)


# name: memory in MiB, architecture, compute capability, temperature, power drawn and allowed, ECC, MIG
REAL_FACTS = {
    "real-dc-h100.xml": (81559, "hopper", "9.0", 29, 68.57, 700.0, True, False),
    "real-dc-b200.xml": (183359, "blackwell", "10.0", 39, 195.68, 1000.0, True, False),
    "real-dc-gb300.xml": (284208, "blackwell", "10.3", 38, 180.36, 1400.0, True, False),
    # the average is N/A here, and so is MIG on the T4
    "real-dc-a100.xml": (40960, "ampere", "8.0", 33, 49.68, 400.0, True, False),
    "real-dc-t4.xml": (15360, "turing", "7.5", 33, 33.51, 70.0, True, None),
    "real-tesla-t4.xml": (15360, "turing", "7.5", 40, 26.78, 70.0, True, None),
    # pci_device_id is 000000DE here
    "real-a10g.xml": (23028, "ampere", None, 17, 25.58, 300.0, True, None),
    "real-a100-sxm4-v12.xml": (81920, "ampere", "8.0", 27, 67.03, 500.0, True, True),
    "real-gtx-1660-ti.xml": (5912, "turing", "7.5", 40, 8.93, 130.0, None, None),
    # an abridged document without ids
    "real-gtx-1070-ti.xml": (4096, None, None, 39, None, None, None, None),
    "real-quadro-p400.xml": (1998, "pascal", "6.1", 33, None, None, None, None),
    "real-quadro-p2000-v12.xml": (5120, "pascal", "6.1", 34, 4.61, 75.0, None, None),
    "real-rtx-3060-v12.xml": (12288, "ampere", "8.6", 42, 11.60, 170.0, None, None),
    "real-rtx-3080-v13.xml": (10240, "ampere", "8.6", 27, 139.62, 320.0, None, None),
    "real-rtx-4000-sff-ada-v13.xml": (20475, "ada", "8.9", 38, 8.81, 70.0, False, None),
}


# -- the good path: one call, and what the document says


@pytest.mark.parametrize("name", RECORDED)
def test_every_recording(machine, recorded, name):
    """Of each GPU there is what can be read in the document with the eye."""
    document = recorded(name)
    gpus, smi = ask(machine, document)
    assert machine.calls == [QUERY]
    assert [gpu["uuid"] for gpu in gpus] == raw(document, "uuid")
    assert [gpu["name"] for gpu in gpus] == raw(document, "product_name")
    assert [gpu["serial"] for gpu in gpus] == raw(document, "serial")
    assert [gpu["address"] for gpu in gpus] == [text[4:].lower() for text in raw(document, "pci_bus_id")]
    assert smi["driver_version"] == raw(document, "driver_version")[0]
    assert smi["cuda_version"] == raw(document, "cuda_version")[0]
    assert (smi["available"], smi["rc"]) == (True, 0)
    assert smi["complete"] is ("hidden1" not in name and "lost" not in name)


@pytest.mark.parametrize("name", [*REAL_FACTS, "a100-2.smi580.xml"])
def test_every_capture_of_a_real_gpu(machine, real, name):
    document = real(name)
    gpus, smi = ask(machine, document)
    assert machine.calls == [QUERY]
    assert [gpu["uuid"] for gpu in gpus] == raw(document, "uuid")
    assert [gpu["name"] for gpu in gpus] == raw(document, "product_name")
    totals = [int(text) for text in re.findall(r"<fb_memory_usage>\s*<total>(\d+) MiB", document)]
    instances = [instance for gpu in gpus for instance in gpu.get("mig", {}).get("instances", [])]
    assert sorted(
        [gpu["memory"] // MIB for gpu in gpus] + [instance["memory"] // MIB for instance in instances]
    ) == sorted(totals)
    assert all(gpu["temperature"] > 0 and not gpu["lost"] for gpu in gpus)
    assert smi["complete"] is (name != "real-a100-sxm4-v12.xml")


@pytest.mark.parametrize("name", REAL_FACTS)
def test_facts_of_real_gpus(machine, real, name):
    gpus, _smi = ask(machine, real(name))
    gpu = gpus[0]
    assert (
        gpu["memory"] // MIB,
        gpu.get("architecture"),
        gpu.get("compute_capability"),
        gpu["temperature"],
        gpu.get("power_draw"),
        gpu.get("power_limit"),
        gpu.get("ecc", {}).get("current"),
        gpu.get("mig", {}).get("current"),
    ) == REAL_FACTS[name]


def test_a_whole_server(machine, real):
    gpus, smi = ask(machine, real("real-dc-b200.xml"))
    assert values(gpus, "index", "address")[:2] == [(0, "0000:8f:00.0"), (1, "0000:90:00.0")]
    assert [gpu["index"] for gpu in gpus] == list(range(8))
    assert (smi["driver_version"], smi["complete"]) == ("580.105.08", True)


def test_pci_domains_and_four_digits(machine, real):
    gpus, _smi = ask(machine, real("real-dc-gb300.xml"))
    assert [gpu["address"] for gpu in gpus] == [f"{domain}:06:00.0" for domain in ("0008", "0009", "0018", "0019")]
    gpus, _smi = ask(machine, real("a100-2.smi580.xml"))
    assert [gpu["address"] for gpu in gpus] == ["0000:07:00.0", "0000:0f:00.0"]


def test_all_that_is_told_of_a_gpu(machine, recorded):
    gpus, smi = ask(machine, recorded("a100-1.xml"))
    assert gpus == [
        {
            "index": 0,
            "uuid": "GPU-12345678-1234-1234-1234-123456780000",
            "name": "NVIDIA A100-SXM4-40GB",
            "address": "0000:07:00.0",
            "device_id": "20b0",
            "serial": "1324821083800",
            "architecture": "ampere",
            "compute_capability": "8.0",
            "memory": 40 * GIB,
            "memory_used": 0,
            "mig": {"current": False, "pending": False, "instances": []},
            "ecc": {"current": True, "pending": True, "uncorrected": 0, "remap_failure": False},
            "temperature": 33,
            "power_draw": 72.0,
            "power_limit": 400.0,
            "persistence": True,
            "compute_mode": "Default",
            "lost": False,
        }
    ]
    assert smi == {
        "available": True,
        "rc": 0,
        "error": None,
        "cause": None,
        "complete": True,
        "driver_version": "550.163.01",
        "cuda_version": "12.4",
    }


@pytest.mark.parametrize("version", ["470", "525", "535", "555"])
def test_other_versions_tell_the_same(machine, recorded, version):
    """470 has no architecture: it comes from the id of the device."""
    expected, _smi = ask(machine, recorded("a100-1.xml"))
    assert ask(machine, recorded(f"a100-1.smi{version}.xml"))[0] == expected


@pytest.mark.parametrize(
    "name, architecture, capability", [("b200-1.xml", None, None), ("gb300-1.xml", "blackwell", "10.0")]
)
def test_an_architecture_that_nvidia_smi_does_not_know(machine, recorded, name, architecture, capability):
    """It says Unknown; the id of the mock's B200 is in no table, that of its GB300 is a GB200's."""
    assert values(ask(machine, recorded(name))[0], "architecture", "compute_capability") == [(architecture, capability)]


def test_settings_of_single_gpus(machine, recorded):
    gpus, _smi = ask(machine, recorded("t4-2.procs.xml"))
    assert values(gpus, "persistence", "compute_mode") == [(False, "Exclusive_Process"), (False, "Exclusive_Process")]


# -- MIG


@pytest.mark.parametrize("suffix", ["", ".smi470", ".smi525", ".smi535", ".smi555"])
def test_mig_instances(machine, recorded, suffix):
    document = recorded(f"a100-1.mig3{suffix}.xml")
    (gpu,), _smi = ask(machine, document)
    totals = [int(text) * MIB for text in re.findall(r"<fb_memory_usage>\s*<total>(\d+) MiB", document)]
    assert len(totals) == 4
    assert sorted([gpu["memory"], *(instance["memory"] for instance in gpu["mig"]["instances"])]) == sorted(totals)
    assert gpu["mig"]["current"] is True
    assert [set(instance) for instance in gpu["mig"]["instances"]] == [{"index", "memory"}] * 3
    assert [instance["index"] for instance in gpu["mig"]["instances"]] == [0, 1, 2]


@pytest.mark.parametrize("name, current, pending", [("mig-empty", True, True), ("mig-pending", False, True)])
def test_mig_without_instances(machine, recorded, name, current, pending):
    (gpu,), _smi = ask(machine, recorded(f"a100-1.{name}.xml"))
    assert gpu["mig"] == {"current": current, "pending": pending, "instances": []}


def test_uuids_of_instances_come_from_the_list(machine, recorded):
    """Which is asked only when the document cannot be had."""
    complaint = "Unable to determine the device handle for GPU1: GPU is lost.  Reboot the system to recover this GPU\n"
    (gpu, lost), _smi = ask(machine, complaint, 15, (recorded("a100-1.mig3.list.txt"), 15))
    assert gpu["mig"]["instances"] == [
        {"index": 0, "uuid": "MIG-5c89852c-d268-5c8d-9cb5-000100abc000", "profile": "3g.20gb"},
        {"index": 1, "uuid": "MIG-5c89852c-d268-5c8d-9cb5-000500abc011", "profile": "2g.10gb"},
        {"index": 2, "uuid": "MIG-5c89852c-d268-5c8d-9cb5-000d00abc022", "profile": "1g.5gb"},
    ]
    assert lost["lost"] is True


# -- sick GPUs


def test_memory_errors(machine, recorded):
    gpus, _smi = ask(machine, recorded("a100-2.ecc.xml"))
    document = recorded("a100-2.ecc.xml")
    assert raw(document, "remapped_row_failure") == ["No", "Yes"]
    assert [gpu["ecc"] for gpu in gpus] == [
        {"current": True, "pending": True, "uncorrected": 0, "remap_failure": False},
        {"current": True, "pending": True, "uncorrected": 6, "remap_failure": True},
    ]
    gpus, _smi = ask(machine, recorded("a100-2.ecc-pending.xml"))
    assert [gpu["ecc"]["pending"] for gpu in gpus] == [True, False]


def test_a_gpu_that_was_lost_while_it_was_asked(machine, recorded):
    """The document is whole and the return code 0."""
    gpus, smi = ask(machine, recorded("a100-2.lost-fields.xml"))
    assert values(gpus, "index", "uuid", "lost", "memory", "temperature", "power_draw") == [
        (0, "GPU-12345678-1234-1234-1234-123456780000", False, 40 * GIB, 33, 72.0),
        (1, "GPU-12345678-1234-1234-1234-123456780001", True, None, None, None),
    ]
    assert "uncorrected" not in gpus[1]["ecc"]
    assert (smi["cause"], smi["complete"], smi["rc"]) == ("lost", False, 0)
    assert machine.calls == [QUERY]


def test_a_gpu_that_is_hidden(machine, recorded):
    """The number of the other cannot be known: the hidden one may come before it."""
    gpus, smi = ask(machine, recorded("a100-2.hidden1.xml"))
    assert len(gpus) == 1
    assert "index" not in gpus[0]
    assert (smi["complete"], smi["cause"], smi["error"]) == (False, "unknown", "nvidia-smi tells of 1 of 2 GPUs.")
    assert machine.calls == [QUERY]


@pytest.mark.parametrize("name", LISTED)
def test_every_recorded_list(machine, recorded, name):
    listed = recorded(name)
    complaint = "Unable to determine the device handle for GPU9: Unknown Error\n"
    gpus, _smi = ask(machine, complaint, 255, (listed, 0))
    instances = [instance for gpu in gpus for instance in gpu.get("mig", {}).get("instances", [])]
    assert [gpu["uuid"] for gpu in gpus if "uuid" in gpu] == re.findall(r"GPU-[\w-]+", listed)
    assert [instance["uuid"] for instance in instances] == re.findall(r"MIG-[\w-]+", listed)
    assert [gpu["index"] for gpu in gpus if gpu["lost"]] == [9]
    # a GPU that must not be seen is not lost
    assert [gpu["index"] for gpu in gpus if "error" in gpu] == ([1, 9] if "hidden1" in name else [9])


HEALTHY = {
    0: {"index": 0, "uuid": "GPU-12345678-1234-1234-1234-123456780000", "name": "NVIDIA A100-SXM4-40GB", "lost": False},
    1: {"index": 1, "uuid": "GPU-12345678-1234-1234-1234-123456780001", "name": "NVIDIA A100-SXM4-40GB", "lost": False},
}


@pytest.mark.parametrize("case, cause, bad", [
    ("handle_gpu_is_lost_second_of_2", "lost", 1),
    ("handle_gpu_is_lost_first_of_2", "lost", 0),
    ("handle_unknown_error_second_of_2", "lost", 1),
    ("handle_unknown_error_first_of_2", "lost", 0),
])  # fmt: skip
def test_one_bad_gpu_empties_the_document(machine, recorded, case, cause, bad):
    runs = recorded("errors.json")[case]["runs"]
    queries = [run for run in runs if run["args"] == ["-q", "-x"]]
    lists = [run for run in runs if run["args"] == ["-L"]]
    assert queries and lists
    for query in queries:
        machine.calls.clear()
        gpus, smi = ask(machine, query["stdout"], query["rc"], (lists[0]["stdout"], lists[0]["rc"]))
        assert gpus[1 - bad] == HEALTHY[1 - bad]
        words = gpus[bad].pop("error")
        assert words.startswith("Unknown Error" if "unknown" in case else "GPU is lost")
        assert gpus[bad] == {"index": bad, "lost": True}
        assert (smi["cause"], smi["complete"], smi["rc"]) == (cause, False, query["rc"])
        assert smi["error"] == query["stdout"].strip()
        assert machine.calls == [QUERY, LIST]


def test_a_document_that_breaks_off(machine, recorded):
    query = recorded("errors.json")["handle_no_permission_second_of_2"]["runs"][0]
    assert "</nvidia_smi_log>" not in query["stdout"]
    gpus, smi = ask(machine, query["stdout"], query["rc"])
    assert (gpus, smi["error"]) == ([], "The document that nvidia-smi wrote cannot be read.")


@pytest.mark.parametrize(
    "words, index, address",
    [
        ("GPU 1: Unknown Error", 1, None),
        ("GPU1: Unknown Error", 1, None),
        ("gpu 1: Unknown Error", 1, None),
        ("GPU 0000:C1:00.0: Unknown Error", None, "0000:c1:00.0"),
        ("GPU0000:C1:00.0: Unknown Error", None, "0000:c1:00.0"),
        ("GPU3: 0000:C1:00.0: Unknown Error", 3, "0000:c1:00.0"),
    ],
)
def test_ways_to_name_a_bad_gpu(machine, words, index, address):
    complaint = f"Unable to determine the device handle for {words}\n"
    gpus, smi = ask(machine, complaint, 255, (complaint, 255))
    expected = {"index": index, "address": address, "lost": True, "error": "Unknown Error"}
    assert gpus == [{name: value for name, value in expected.items() if value is not None}]
    assert smi["cause"] == "lost"


# -- no answer

CAUSES = {
    "library_missing": "no_library",
    "driver_not_loaded": "no_driver",
    "device_node_not_permitted": "permissions",
    "driver_library_mismatch": "mismatch",
    "init_unknown_error": "unknown",
    "init_no_permission": "permissions",
    "init_gpu_is_lost": "lost",
    "init_blocked_by_os": "permissions",
    "init_irq_issue": "unknown",
    "init_timeout": "timeout",
    "init_system_not_ready": "unknown",
    "init_in_use": "unknown",
    "no_devices": "no_devices",
}


def test_every_recorded_error_is_tested(recorded):
    assert {case for case in recorded("errors.json") if not case.startswith("handle_")} == set(CAUSES)


@pytest.mark.parametrize("case", CAUSES)
def test_recorded_errors(machine, recorded, case):
    """The return code says less than the words: 255 is a mismatch on 470 and 525, and much else."""
    queries = [run for run in recorded("errors.json")[case]["runs"] if run["args"] == ["-q", "-x"]]
    assert queries
    for query in queries:
        machine.calls.clear()
        gpus, smi = ask(machine, query["stdout"], query["rc"])
        assert (gpus, smi["cause"], smi["rc"]) == ([], CAUSES[case], query["rc"])
        assert smi["error"] == query["stdout"].strip()
        assert (smi["available"], smi["complete"]) == (True, False)
        assert machine.calls == [QUERY]


def test_the_driver_is_not_loaded(machine):
    """As root it would make nodes in /dev and try to load the module."""
    machine.says("nvidia-smi", "never")
    result = describe(machine.host, loaded=False)
    assert (result["gpus"], result["smi"]["cause"], result["smi"]["available"]) == ([], "no_driver", False)
    assert machine.calls == []


def test_the_program_is_missing(machine):
    result = describe(machine.host, loaded=True)
    assert (result["gpus"], result["smi"]["cause"], result["smi"]["available"]) == ([], "no_program", False)


def test_the_program_hangs(machine):
    machine.says("nvidia-smi -q -x", "", None, "nvidia-smi did not end within 1 seconds.")
    result = describe(machine.host, loaded=True)
    assert result["smi"]["cause"] == "timeout"
    assert result["smi"]["error"] == "nvidia-smi did not end within 1 seconds."
    assert machine.calls == [QUERY]


def test_a_warning_behind_the_document(machine, recorded):
    """Seen with a broken inforom: the document is whole, the return code is 14."""
    warning = "WARNING: infoROM is corrupted at gpu 0000:07:00.0\n"
    gpus, smi = ask(machine, recorded("a100-1.xml") + warning, 14)
    assert len(gpus) == 1
    assert (smi["rc"], smi["error"], smi["complete"], smi["cause"]) == (14, warning.strip(), True, "unknown")


ENTITIES = """\
<?xml version="1.0" ?>
<!DOCTYPE nvidia_smi_log [<!ENTITY a "aaaaaaaaaa"><!ENTITY b SYSTEM "file:///etc/hostname">]>
"""


@pytest.mark.parametrize("entity", ["&a;", "&b;"])
def test_entities_are_refused(machine, recorded, entity):
    document = recorded("a100-1.xml")
    inside = document[document.index("<nvidia_smi_log>") :].replace("NVIDIA A100-SXM4-40GB", entity)
    gpus, smi = ask(machine, ENTITIES + inside)
    assert (gpus, smi["cause"], smi["complete"]) == ([], "unknown", False)


@pytest.mark.parametrize("text", ["", "<nvidia_smi_log><gpu></nvidia_smi_log>", "<html></html>"])
def test_what_is_no_document(machine, text):
    gpus, smi = ask(machine, text)
    assert (gpus, smi["cause"], smi["complete"]) == ([], "unknown", False)
    assert smi["error"]


@pytest.mark.parametrize(
    "word", ["N/A", "[N/A]", "Not Supported", "[Not Supported]", "Unknown Error", "ERR!", "Insufficient Permissions"]
)
def test_words_instead_of_values(machine, recorded, word):
    document = recorded("a100-1.xml")
    for value in ("33 C", "72.00 W", "400.00 W", "40960 MiB", "Ampere", "20B010DE", "Enabled", "1324821083800"):
        assert value in document
        document = document.replace(value, word)
    (gpu,), smi = ask(machine, document)
    assert set(gpu) == {"index", "uuid", "name", "address", "memory_used", "mig", "compute_mode", "lost"}
    assert (gpu["lost"], smi["complete"]) == (False, True)
