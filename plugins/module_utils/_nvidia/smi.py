# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""The GPUs as nvidia-smi tells of them, whose words differ from version to version."""

from __future__ import annotations

import re
import typing as t
from xml.etree import ElementTree

from ansible_collections.selfhosted.llm.plugins.module_utils._nvidia import ids
from ansible_collections.selfhosted.llm.plugins.module_utils._nvidia.host import Host, Output

# Without what comes before the root: the document type names a file elsewhere, and could declare entities.
DOCUMENT = re.compile(r"<nvidia_smi_log.*</nvidia_smi_log>", re.DOTALL)
NOT_KNOWN = ("", "n/a", "none", "unknown", "unknown error", "not supported", "insufficient permissions", "err!")
LOST = "GPU is lost"
UNITS = {"KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}

NOTHING = {
    "available": False,
    "rc": None,
    "error": None,
    "cause": None,
    "complete": False,
    "driver_version": None,
    "cuda_version": None,
}

CAUSES = (
    ("mismatch", r"version mismatch"),
    ("no_library", r"couldn't find libnvidia-ml"),
    ("no_driver", r"couldn't communicate with the NVIDIA driver|Driver Not Loaded"),
    ("permissions", r"Insufficient Permissions|blocked by the operating system"),
    # The driver has no other words for a GPU that it cannot reach when it does not know why.
    ("lost", r"GPU is lost|fallen off the bus|device handle for gpu.*Unknown Error"),
    ("no_devices", r"No devices (were )?found"),
    ("timeout", r"Failed to initialize NVML: Timeout"),
)
# "GPU 1: GPU is lost", "GPU1: ...", "gpu 1: ...", and with the address: "GPU 0000:C1:00.0: Unknown Error".
HANDLE = re.compile(
    r"Unable to determine the device handle for gpu ?(?:(\d+): +)?(?:([0-9a-f]{4,8}:[0-9a-f]+:[0-9a-f]+\.\d): +)?(.+)",
    re.IGNORECASE,
)
LIST_GPU = re.compile(r"^GPU (\d+): (.+) \(UUID: (GPU-\S+)\)")
LIST_INSTANCE = re.compile(r"^\s+MIG (\S+)\s+Device\s+(\d+): \(UUID: (MIG-\S+)\)")


def describe(host: Host, loaded: bool) -> dict[str, t.Any]:
    """The GPUs, and how nvidia-smi answered.

    :arg loaded: whether the driver is in memory; without it nvidia-smi would try to load it
    """
    if not loaded:
        return _result([], cause="no_driver", error="nvidia-smi was not run: the nvidia module is not loaded.")
    said = host.run("nvidia-smi", "-q", "-x")
    if said is None:
        return _result([], cause="no_program", error="nvidia-smi is not installed.")
    log = _parse(said.out)
    gpus, facts = _without_document(host, said) if log is None else _from_document(log, said)
    return _result(gpus, available=True, rc=said.rc, **facts)


def _result(gpus: list[dict[str, t.Any]], **facts: t.Any) -> dict[str, t.Any]:
    return {"gpus": gpus, "smi": {**NOTHING, **facts}}


def _from_document(log: ElementTree.Element, said: Output) -> tuple[list[dict[str, t.Any]], dict[str, t.Any]]:
    elements = log.findall("gpu")
    attached = _integer(_text(log, "attached_gpus"))
    # The document has no numbers, only an order, which means nothing when some are left out.
    whole = attached in (None, len(elements))
    gpus = [_gpu(element, index if whole else None) for index, element in enumerate(elements)]
    lost = any(gpu["lost"] for gpu in gpus)
    facts: dict[str, t.Any] = {
        "complete": whole and not lost,
        "driver_version": _text(log, "driver_version"),
        "cuda_version": _text(log, "cuda_version"),
    }
    if lost:
        facts.update(error=f"{LOST}.", cause="lost")
    elif not whole:
        facts.update(error=f"nvidia-smi tells of {len(gpus)} of {attached} GPUs.", cause="unknown")
    elif said.rc != 0:
        rest = re.sub(r"<[?!][^>]*>", "", DOCUMENT.sub("", said.out) + said.err).strip()
        facts.update(error=rest or f"nvidia-smi returned {said.rc}.", cause=_cause(rest))
    return gpus, facts


def _without_document(host: Host, said: Output) -> tuple[list[dict[str, t.Any]], dict[str, t.Any]]:
    text = (said.out + said.err).strip()
    cause = "timeout" if said.rc is None else _cause(text)
    gpus: list[dict[str, t.Any]] = []
    if HANDLE.search(text):
        listed = host.run("nvidia-smi", "-L")
        gpus = _from_list(f"{text}\n{listed.out if listed else ''}")
    if "<nvidia_smi_log>" in text:
        text = "The document that nvidia-smi wrote cannot be read."
    return gpus, {"error": text or "nvidia-smi said nothing.", "cause": cause}


def _parse(text: str) -> ElementTree.Element | None:
    match = DOCUMENT.search(text)
    try:
        return ElementTree.fromstring(match.group()) if match else None
    except ElementTree.ParseError:
        return None


def _cause(text: str) -> str:
    return next((cause for cause, pattern in CAUSES if re.search(pattern, text, re.IGNORECASE)), "unknown")


def _gpu(element: ElementTree.Element, index: int | None) -> dict[str, t.Any]:
    """What is known of a GPU."""
    device_id = (_text(element, "pci/pci_device_id") or "")[:4].lower()
    known = ids.lookup(device_id)
    # "Ada Lovelace" is the only one of two words.
    architecture = (_text(element, "product_architecture") or "").split(" ")[0].lower()
    lost = any((leaf.text or "").strip(" []\n\t") == LOST for leaf in element.iter())
    facts = {
        "index": index,
        "uuid": _text(element, "uuid"),
        "name": _text(element, "product_name"),
        "address": _address(element.get("id") or ""),
        "device_id": device_id if device_id.strip("0") else None,
        "serial": _text(element, "serial"),
        "architecture": architecture or (known.architecture if known else None),
        "compute_capability": known.compute_capability if known else None,
        "memory": _bytes(_text(element, "fb_memory_usage/total")),
        "memory_used": _bytes(_text(element, "fb_memory_usage/used")),
        "mig": _mig(element),
        "ecc": _ecc(element),
        "temperature": _integer(_text(element, "temperature/gpu_temp")),
        "power_draw": _watts(
            element,
            *("gpu_power_readings/average_power_draw", "gpu_power_readings/instant_power_draw"),
            *("gpu_power_readings/power_draw", "power_readings/power_draw"),
        ),
        "power_limit": _watts(element, "gpu_power_readings/current_power_limit", "power_readings/power_limit"),
        "persistence": _switch(_text(element, "persistence_mode")),
        "compute_mode": _text(element, "compute_mode"),
        "lost": lost,
        "error": f"{LOST}." if lost else None,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _mig(element: ElementTree.Element) -> dict[str, t.Any] | None:
    current = _switch(_text(element, "mig_mode/current_mig"))
    if current is None:
        return None
    instances = [
        {"index": _integer(_text(device, "index")), "memory": _bytes(_text(device, "fb_memory_usage/total"))}
        for device in element.findall("mig_devices/mig_device")
    ]
    return {"current": current, "pending": _switch(_text(element, "mig_mode/pending_mig")), "instances": instances}


def _ecc(element: ElementTree.Element) -> dict[str, t.Any] | None:
    current = _switch(_text(element, "ecc_mode/current_ecc"))
    if current is None:
        return None
    # Before branch 450 the errors were grouped by their number of bits, then by the kind of memory.
    leaves = [leaf.tag for leaf in element.iterfind("ecc_errors/volatile/*") if "uncorrectable" in leaf.tag]
    counts = [_integer(_text(element, f"ecc_errors/volatile/{tag}")) for tag in leaves or ["double_bit/total"]]
    known = [count for count in counts if count is not None]
    facts = {
        "current": current,
        "pending": _switch(_text(element, "ecc_mode/pending_ecc")),
        "uncorrected": sum(known) if known else None,
        "remap_failure": {"Yes": True, "No": False}.get(_text(element, "remapped_rows/remapped_row_failure") or ""),
    }
    return {name: value for name, value in facts.items() if value is not None}


def _from_list(text: str) -> list[dict[str, t.Any]]:
    """The GPUs in the answer to nvidia-smi -L, and those of which there is only a complaint."""
    found: dict[str, dict[str, t.Any]] = {}
    gpu: dict[str, t.Any] = {}
    for line in text.splitlines():
        listed, instance, handle = LIST_GPU.match(line), LIST_INSTANCE.match(line), HANDLE.search(line)
        if listed:
            index, name, uuid = listed.groups()
            gpu = {"index": int(index), "uuid": uuid, "name": name, "lost": False}
            found[index] = gpu
        elif instance and gpu:
            profile, index, uuid = instance.groups()
            mig = gpu.setdefault("mig", {"current": True, "instances": []})
            mig["instances"].append({"index": int(index), "uuid": uuid, "profile": profile})
        elif handle:
            index, address, words = handle.groups()
            bad = {"lost": _cause(line) == "lost", "error": words.strip()}
            if index:
                bad["index"] = int(index)
            if address:
                bad["address"] = _address(address)
            found[index or address] = bad
    return sorted(found.values(), key=lambda gpu: gpu.get("index", len(found)))


def _text(element: ElementTree.Element, path: str) -> str | None:
    text = (element.findtext(path) or "").strip(" []\n\t")
    return None if text.lower() in NOT_KNOWN or text == LOST or text.startswith("Requested functionality") else text


def _integer(text: str | None) -> int | None:
    match = re.match(r"-?\d+", text or "")
    return int(match.group()) if match else None


def _bytes(text: str | None) -> int | None:
    number, _space, unit = (text or "").partition(" ")
    return int(number) * UNITS[unit] if number.isdigit() and unit in UNITS else None


def _watts(element: ElementTree.Element, *paths: str) -> float | None:
    matches = (re.match(r"([\d.]+) W", _text(element, path) or "") for path in paths)
    return next((float(match.group(1)) for match in matches if match), None)


def _switch(text: str | None) -> bool | None:
    return {"Enabled": True, "Disabled": False}.get(text or "")


def _address(text: str) -> str | None:
    """The address as the kernel writes it: nvidia-smi gives the domain eight digits, some versions four."""
    match = re.fullmatch(r"([0-9a-f]{4,8}):([0-9a-f]{2}:[0-9a-f]{2}\.\d)", text.lower())
    return f"{int(match.group(1), 16):04x}:{match.group(2)}" if match else None
