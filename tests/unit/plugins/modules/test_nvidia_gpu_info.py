# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import glob
import os
import time
from pathlib import Path

import pytest
import yaml

from ansible_collections.selfhosted.llm.plugins.module_utils._nvidia.host import Host
from ansible_collections.selfhosted.llm.plugins.modules import nvidia_gpu_info

RECORDINGS = (
    next(parent for parent in Path(__file__).resolve().parents if parent.name == "unit") / "fixtures" / "nvidia"
)
SUBSETS = ["pci", "driver", "gpus", "stack"]
KEYS = {"pci": {"pci"}, "driver": {"driver"}, "gpus": {"gpus", "smi"}, "stack": {"stack"}}
HAS_GPU = bool(glob.glob("/sys/module/nvidia/version"))


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A function that puts a program of these lines of shell into PATH; the host's files lie below its ``root``."""
    root, programs = tmp_path / "root", tmp_path / "bin"
    programs.mkdir()
    for tool in ("cat", "sh", "sleep"):
        (programs / tool).symlink_to(f"/bin/{tool}")
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setattr(nvidia_gpu_info, "Host", lambda run: Host(run, str(root)))

    def install(name, script):
        (programs / name).write_text(
            f'#!/bin/sh\necho "$LC_ALL $*" >> {programs}/{name}.calls\n{script}', encoding="utf-8"
        )
        (programs / name).chmod(0o755)

    def write(path, text):
        file = root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    install.write = write
    install.calls = lambda name: (programs / f"{name}.calls").read_text(encoding="utf-8").splitlines()
    install.programs = programs
    return install


@pytest.fixture
def gpu_host(machine):
    """A host with a GPU that works, and an engine."""
    address = "/sys/bus/pci/devices/0000:07:00.0"
    for name, text in (("vendor", "0x10de"), ("device", "0x20b0"), ("class", "0x030200"), ("numa_node", "0")):
        machine.write(f"{address}/{name}", f"{text}\n")
    machine.write("/sys/bus/pci/devices/0000:08:00.0/vendor", "0x10de\n")
    machine.write("/sys/bus/pci/devices/0000:08:00.0/device", "0x22a3\n")
    machine.write("/sys/bus/pci/devices/0000:08:00.0/class", "0x068000\n")
    machine.write("/sys/module/nvidia/version", "550.163.01\n")
    machine.write(f"/lib/modules/{os.uname().release}/updates/nvidia.ko", "")
    machine.write("/var/lib/dkms/nvidia/x", "")
    machine.write("/etc/cdi/nvidia.yaml", (RECORDINGS / "cdi-a100-2.txt").read_text(encoding="utf-8"))
    machine("dkms", "echo 'nvidia/550.163.01: added'")
    machine("nvidia-smi", f"cat {RECORDINGS}/a100-1.mig3.xml")
    machine("docker", """echo '{"ServerVersion": "28.5.2", "Runtimes": {"runc": {}}, "CDISpecDirs": ["/etc/cdi"]}'""")
    return machine


@pytest.mark.parametrize("check", [False, True])
def test_the_machine_of_this_test(run_module, check):
    """Whatever it is, the module ends well."""
    result = run_module(nvidia_gpu_info, {}, check=check)
    assert result["changed"] is False
    assert set(result) >= {"pci", "driver", "gpus", "smi", "stack"}
    assert result["driver"]["running_kernel"] == os.uname().release
    assert isinstance(result["gpus"], list)
    if not HAS_GPU:
        assert (result["gpus"], result["driver"]["loaded"], result["smi"]["cause"]) == ([], None, "no_driver")
        assert [gpu for gpu in result["pci"]["gpus"] if gpu["driver"] == "nvidia"] == []


def test_a_machine_without_anything(run_module, machine):
    result = run_module(nvidia_gpu_info, {})
    assert result["pci"] == {"gpus": [], "nvswitches": []}
    assert (result["driver"]["kernels"], result["driver"]["action"]) == ([], "none")
    assert result["gpus"] == []
    assert (result["stack"]["engine"], result["stack"]["cdi"]["devices"]) == (None, [])


def test_a_host_with_a_gpu(run_module, gpu_host):
    result = run_module(nvidia_gpu_info, {})
    assert [gpu["name"] for gpu in result["pci"]["gpus"]] == ["NVIDIA A100-SXM4-40GB"]
    assert result["driver"]["loaded"] == {"version": "550.163.01", "flavour": None}
    assert result["driver"]["action"] == "none"
    assert [gpu["uuid"] for gpu in result["gpus"]] == ["GPU-12345678-1234-1234-1234-123456780000"]
    assert result["smi"]["complete"] is True
    assert "nvidia.com/gpu=all" in result["stack"]["cdi"]["devices"]
    assert result["stack"]["engine"]["cdi"] is True
    assert gpu_host.calls("nvidia-smi") == ["C -q -x"]
    assert gpu_host.calls("docker") == ["C info --format {{json .}}"]


def test_check_mode_tells_the_same(run_module, gpu_host):
    assert run_module(nvidia_gpu_info, {}, check=True) == run_module(nvidia_gpu_info, {})


@pytest.mark.parametrize("subset", SUBSETS)
def test_one_subset(run_module, gpu_host, subset):
    result = run_module(nvidia_gpu_info, {"gather_subset": [subset]})
    assert set(result) - {"changed", "invocation"} == KEYS[subset]
    asked = {"gpus": {"nvidia-smi"}, "stack": {"docker"}, "driver": {"dkms"}, "pci": set()}[subset]
    assert {path.stem for path in gpu_host.programs.glob("*.calls")} == asked


def test_an_unknown_subset_is_refused(run_module, machine):
    assert (
        "value of gather_subset must be one or more of"
        in run_module(nvidia_gpu_info, {"gather_subset": ["all"]}, fails=True)["msg"]
    )


def test_a_program_that_hangs_is_stopped(run_module, gpu_host):
    gpu_host("nvidia-smi", f"echo $$ > {gpu_host.programs}/pid\nexec sleep 600")
    begin = time.monotonic()
    result = run_module(nvidia_gpu_info, {"gather_subset": ["gpus"], "timeout": 1})
    assert time.monotonic() - begin < 10
    assert (result["gpus"], result["smi"]["cause"], result["smi"]["rc"]) == ([], "timeout", None)
    assert result["smi"]["error"] == "nvidia-smi did not end within 1 seconds."
    status = Path(f"/proc/{(gpu_host.programs / 'pid').read_text(encoding='utf-8').strip()}/status")
    # The kernel ends it in its own time, and nobody waits for it.
    for _attempt in range(100):
        if not status.exists() or "Z (zombie)" in status.read_text(encoding="utf-8"):
            return
        time.sleep(0.05)
    pytest.fail("nvidia-smi still runs")


def test_an_engine_that_hangs(run_module, gpu_host):
    gpu_host("docker", "exec sleep 600")
    result = run_module(nvidia_gpu_info, {"timeout": 1})
    assert result["stack"]["engine"] is None
    assert "docker did not end within 1 seconds. What it would have told is missing in the result." in str(
        result["warnings"]
    )
    assert len(result["gpus"]) == 1


def test_a_program_that_cannot_be_run(run_module, gpu_host):
    (gpu_host.programs / "nvidia-smi").write_text("#!/nowhere/interpreter\n", encoding="utf-8")
    result = run_module(nvidia_gpu_info, {"gather_subset": ["gpus"]})
    assert (result["gpus"], result["smi"]["cause"], result["smi"]["rc"]) == ([], "unknown", 126)
    assert "nvidia-smi cannot be run" in result["smi"]["error"]


def keys(value, path=""):
    """The paths of all keys in a result."""
    if isinstance(value, list):
        return {key for item in value for key in keys(item, path)}
    if isinstance(value, dict) and path not in ("driver.packages", "stack.toolkit.packages"):
        inner = {name: f"{path}.{name}".lstrip(".") for name in value}
        return {*inner.values(), *(key for name, item in value.items() for key in keys(item, inner[name]))}
    return set()


def documented(contains, path=""):
    found = set()
    for name, field in contains.items():
        inner = f"{path}.{name}".lstrip(".")
        found |= {inner, *documented(field.get("contains", {}), inner)}
    return found


def test_the_documentation_names_every_value(run_module, gpu_host):
    result = run_module(nvidia_gpu_info, {})
    promised = documented(yaml.safe_load(nvidia_gpu_info.RETURN))
    assert keys({name: result[name] for name in ("pci", "driver", "gpus", "smi", "stack")}) - promised == set()
    # What only a lost GPU, or the list of a host with one, can have.
    rare = {"gpus.error", "gpus.mig.instances.uuid", "gpus.mig.instances.profile"}
    assert promised - keys(result) == rare


def test_nothing_is_loaded(run_module, gpu_host):
    """nvidia-smi would, as root."""
    gpu_host("modprobe", "")
    (gpu_host.programs.parent / "root/sys/module/nvidia/version").unlink()
    result = run_module(nvidia_gpu_info, {})
    assert (result["smi"]["cause"], result["driver"]["action"]) == ("no_driver", "load")
    assert {path.stem for path in gpu_host.programs.glob("*.calls")} == {"dkms", "docker"}
