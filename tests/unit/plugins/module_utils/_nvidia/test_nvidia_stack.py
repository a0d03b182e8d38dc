# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
import yaml

from ansible_collections.selfhosted.llm.plugins.module_utils._nvidia import cdi, stack
from ansible_collections.selfhosted.llm.plugins.module_utils._nvidia.packages import Package

A100 = [
    "0",
    "1",
    "GPU-12345678-1234-1234-1234-123456780000",
    "GPU-12345678-1234-1234-1234-123456780001",
    "all",
]


def spec(machine, text, path="/etc/cdi/nvidia.yaml"):
    machine.write(path, text)
    (found,) = cdi.describe(machine.host)["specs"]
    return found


# -- CDI


def test_the_specification_of_nvidia_ctk(machine, recorded):
    """Its devices are those that nvidia-ctk cdi list names."""
    machine.write("/var/run/cdi/nvidia.yaml", recorded("cdi-a100-2.txt"))
    listed = recorded("nvidia-ctk-cdi.json")["spec_present"]["stdout"].split()
    assert cdi.describe(machine.host) == {
        "devices": listed,
        "driver_version": "550.163.01",
        "specs": [
            {
                "path": "/var/run/cdi/nvidia.yaml",
                "kind": "nvidia.com/gpu",
                "driver_version": "550.163.01",
                "devices": A100,
                "error": None,
            }
        ],
        "duplicates": [],
    }


def test_all_of_the_document_is_understood(recorded):
    text = recorded("cdi-a100-2.txt")
    assert cdi.parse(text) == yaml.safe_load(text)


def test_json(machine, recorded):
    document = json.dumps(yaml.safe_load(recorded("cdi-a100-2.txt")))
    found = spec(machine, document, "/etc/cdi/nvidia.json")
    assert (found["devices"], found["driver_version"], found["error"]) == (A100, "550.163.01", None)


@pytest.mark.parametrize(
    "text",
    [
        # names behind their edits, as older generators sort them
        """\
cdiVersion: 0.3.0
containerEdits:
  mounts:
  - containerPath: /usr/lib/x86_64-linux-gnu/libcuda.so.580.65.06
    hostPath: /usr/lib/x86_64-linux-gnu/libcuda.so.580.65.06
    options:
    - ro
devices:
- containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
  name: "0"
- containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
  name: all
kind: nvidia.com/gpu
""",
        # by hand
        """\
# for a test
cdiVersion: "0.5.0"
kind: 'nvidia.com/gpu'   # ours
devices: [{name: "0", containerEdits: {deviceNodes: [{path: /dev/nvidia0, hostPath: /dev/null}]}},
          {name: 'all', containerEdits: {}}]
containerEdits:
  env: [A=b, "C=d, e"]
  hooks:
    -
      hookName: createContainer
      path: /usr/bin/nvidia-cdi-hook
      args: [nvidia-cdi-hook, enable-cuda-compat, --host-driver-version=580.65.06]
""",
        # a long text goes on in the next line
        """\
cdiVersion: 0.7.0
kind: nvidia.com/gpu
devices:
    - name: "0"
      annotations:
        example.com/about: a text that is so long that the generator
            goes on in the next line
      containerEdits:
        env:
            - NVIDIA_DRIVER_CAPABILITIES=compute,utility and so on and so on and so
              on
    - name: all
      containerEdits: {}
containerEdits:
    hooks:
        - args:
            - --link
            - libnvidia-ml.so.580.65.06::/usr/lib/libnvidia-ml.so.1
""",
    ],
)
def test_other_ways_to_write_it(machine, text):
    found = spec(machine, text)
    assert (found["error"], found["kind"]) == (None, "nvidia.com/gpu")
    assert found["devices"] == [device["name"] for device in yaml.safe_load(text)["devices"]] == ["0", "all"]
    assert found["driver_version"] == "580.65.06"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        "---\n",
        "[unclosed",
        "{",
        "kind: nvidia.com/gpu\n",
        "kind: nvidia.com/gpu\ndevices:\n",
        "devices:\n- name: all\n",
        "kind: nvidia.com/gpu\ndevices: all\n",
        "kind: nvidia.com/gpu\ndevices:\n- all\n",
        "kind: nvidia.com/gpu\ndevices:\n- nome: all\n",
        "kind: nvidia.com/gpu\ndevices:\n- name: 0\n",
        "kind: [nvidia.com/gpu]\ndevices:\n- name: all\n",
        "kind: nvidia.com/gpu\ndevices: [{name: all]\n",
        'kind: "nvidia.com/gpu\ndevices:\n- name: all\n',
        "kind: nvidia.com/gpu\ndevices:\n- name: all\n what is this\n",
        "kind: nvidia.com/gpu\ndevices:\n\t- name: all\n",
        "- kind: nvidia.com/gpu\n",
        "just a text\n",
        "kind: nvidia.com/gpu\n  more: x\n- item\n",
    ],
)
def test_broken_documents(machine, text):
    found = spec(machine, text)
    assert found["error"].startswith("/etc/cdi/nvidia.yaml is no CDI specification: ")
    assert (found["kind"], found["devices"], found["driver_version"]) == (None, [], None)


def test_a_broken_document_does_not_hide_the_others(machine, recorded):
    machine.write("/etc/cdi/bad.yaml", "[").write("/var/run/cdi/nvidia.yaml", recorded("cdi-a100-2.txt"))
    found = cdi.describe(machine.host)
    assert found["driver_version"] == "550.163.01"
    assert [bool(one["error"]) for one in found["specs"]] == [True, False]


def test_a_leftover_beside_the_fresh_specification(machine, recorded):
    text = recorded("cdi-a100-2.txt")
    machine.write("/var/run/cdi/nvidia.yaml", text)
    machine.write("/etc/cdi/nvidia.yaml", text.replace("550.163.01", "535.129.03").replace("name: all", "name: every"))
    found = cdi.describe(machine.host)
    assert found["driver_version"] is None
    assert [one["driver_version"] for one in found["specs"]] == ["535.129.03", "550.163.01"]
    assert found["duplicates"] == sorted(f"nvidia.com/gpu={name}" for name in A100[:-1])
    assert len(found["devices"]) == 6


def test_somebody_s_own_specification_does_not_hide_the_driver_s(machine, recorded):
    machine.write("/var/run/cdi/nvidia.yaml", recorded("cdi-a100-2.txt"))
    machine.write("/etc/cdi/mine.json", '{"kind": "nvidia.com/gpu", "devices": [{"name": "first"}]}')
    found = cdi.describe(machine.host)
    assert (found["driver_version"], found["duplicates"]) == ("550.163.01", [])


def test_other_kinds_and_other_files(machine):
    machine.write("/etc/cdi/vendor.json", '{"kind": "vendor.com/nic", "devices": [{"name": "all"}]}')
    machine.write("/etc/cdi/notes.txt", "kind: nvidia.com/gpu").write("/etc/cdi/nvidia.yaml.bak", "x")
    found = cdi.describe(machine.host)
    assert (found["devices"], found["driver_version"], found["duplicates"]) == ([], None, [])
    assert [one["kind"] for one in found["specs"]] == ["vendor.com/nic"]


def test_small_numbers_behind_so_are_no_driver(machine):
    text = (
        '{"kind": "nvidia.com/gpu", "devices": [{"name": "all"}], "containerEdits": {"mounts": [{"hostPath": "%s"}]}}'
    )
    assert spec(machine, text % "/usr/lib/libnvidia-egl-wayland.so.1.1.13")["driver_version"] is None


# -- toolkit


def package(name, version, held=False):
    return Package(name, version, "nvidia", held, False)


def test_the_toolkit(machine):
    found = [
        package("libnvidia-container1", "1.18.1-1"),
        package("nvidia-container-toolkit-base", "1.18.1-1", held=True),
    ]
    assert stack.describe(machine.host, found)["toolkit"] == {
        "version": "1.18.1",
        "packages": {"libnvidia-container1": "1.18.1-1", "nvidia-container-toolkit-base": "1.18.1-1"},
        "held": ["nvidia-container-toolkit-base"],
    }


def test_a_toolkit_that_no_package_brought(machine):
    machine.says("nvidia-ctk --version", "NVIDIA Container Toolkit CLI version 1.17.4\ncommit: 9b69590c7428470a7\n")
    assert stack.describe(machine.host, [])["toolkit"]["version"] == "1.17.4"


# -- engine

# What docker info of the engines says, without what is not looked at; 20.10 and 26.1 as seen, 28.5 with what is known.
ENGINE_20 = {
    "ServerVersion": "20.10.24+dfsg1",
    "Runtimes": {"runc": {"path": "runc"}, "io.containerd.runc.v2": {"path": "runc"}},
    "DefaultRuntime": "runc",
    "CgroupDriver": "cgroupfs",
    "LiveRestoreEnabled": False,
    "Swarm": {"NodeID": "", "LocalNodeState": "inactive"},
    "CDISpecDirs": None,
}
ENGINE_26 = {**ENGINE_20, "ServerVersion": "26.1.5+dfsg1", "CDISpecDirs": []}
ENGINE_26_CDI = {**ENGINE_26, "CDISpecDirs": ["/etc/cdi", "/var/run/cdi"]}
ENGINE_28 = {
    **ENGINE_26_CDI,
    "ServerVersion": "28.5.2",
    "ContainersRunning": 2,
    "Runtimes": {"runc": {}, "nvidia": {}},
    "CgroupDriver": "systemd",
    "LiveRestoreEnabled": True,
    "Swarm": {"LocalNodeState": "active"},
}


def engine(machine, info, rc=0):
    machine.says("docker info", json.dumps(info) + "\n", rc)
    return stack.describe(machine.host, [])["engine"]


@pytest.mark.parametrize(
    "info, cdi_works", [(ENGINE_20, False), (ENGINE_26, False), (ENGINE_26_CDI, True), (ENGINE_28, True)]
)
def test_engines(machine, info, cdi_works):
    found = engine(machine, info)
    assert (found["version"], found["cdi"]) == (info["ServerVersion"], cdi_works)
    assert machine.calls == [("nvidia-ctk", "--version"), ("docker", "info", "--format", "{{json .}}")]


def test_all_that_is_told_of_an_engine(machine):
    assert engine(machine, ENGINE_28) == {
        "version": "28.5.2",
        "runtimes": ["nvidia", "runc"],
        "default_runtime": "runc",
        "cgroup_driver": "systemd",
        "cdi": True,
        "cdi_dirs": ["/etc/cdi", "/var/run/cdi"],
        "containers_running": 2,
        "live_restore": True,
        "swarm": True,
    }


def test_a_client_without_an_engine(machine):
    """What the client prints beside "Cannot connect to the Docker daemon"."""
    assert engine(machine, {"ID": "", "Containers": 0, "ServerErrors": ["Cannot connect"], "Swarm": {}}, 1) is None


def test_no_client_and_no_json(machine):
    assert stack.describe(machine.host, [])["engine"] is None
    machine.says("docker info", "Emulate Docker CLI using podman.\n")
    assert stack.describe(machine.host, [])["engine"] is None


@pytest.mark.parametrize(
    "text, error", [(None, False), ("", False), ('{"features": {"cdi": true}}', False), ("{", True), ("[]", True)]
)
def test_the_configuration_file(machine, text, error):
    if text is not None:
        machine.write("/etc/docker/daemon.json", text)
    found = stack.describe(machine.host, [])["daemon_config"]["error"]
    assert (found is not None and found.startswith("/etc/docker/daemon.json is not ")) is error


def test_a_machine_without_anything(machine):
    assert stack.describe(machine.host, []) == {
        "toolkit": {"version": None, "packages": {}, "held": []},
        "cdi": {"devices": [], "driver_version": None, "specs": [], "duplicates": []},
        "engine": None,
        "daemon_config": {"error": None},
    }
