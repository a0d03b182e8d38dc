# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""After the first run: gpu1 has what it lacked, and on gpu2 only what was asked for has changed."""

from __future__ import annotations

import json

import runs


def test_the_versions_and_flavours_are_those_asked_for() -> None:
    assert runs.execute("gpu1", "cat /sys/module/nvidia/version; modinfo --field license nvidia").split() == [
        "580.65.06",
        "Dual",
        "MIT/GPL",
    ]
    assert runs.execute("gpu2", "cat /sys/module/nvidia/version; modinfo --field license nvidia").split() == [
        "580.95.05",
        "NVIDIA",
    ]
    packages = "nvidia-container-toolkit nvidia-container-toolkit-base libnvidia-container-tools libnvidia-container1"
    toolkit = f"dpkg-query --show --showformat '${{Version}}\n' {packages}"
    assert set(runs.execute("gpu1", toolkit).split()) == {"1.18.1-1"}
    assert set(runs.execute("gpu2", toolkit).split()) == {"1.18.0-1"}


def test_only_the_host_with_nouveau_was_rebooted() -> None:
    boots = {host: runs.execute(host, "cat /proc/sys/kernel/random/boot_id") for host in runs.HOSTS}
    assert boots["gpu1"] not in runs.before("gpu1")
    assert boots["gpu2"] in runs.before("gpu2")


def test_the_container_of_somebody_else_runs_on() -> None:
    (theirs,) = [line for line in runs.before("gpu2") if line.startswith("container /theirs")]
    assert theirs in runs.noted("gpu2")


def test_the_engine_differs_only_in_what_was_asked_for() -> None:
    before, now = (
        {line for line in lines if line.startswith(("docker info", "runtime"))}
        for lines in (runs.before("gpu2"), runs.noted("gpu2"))
    )
    counts = ("docker info: Containers:", "docker info:  Running:", "docker info: Images:")
    assert {line for line in now - before if not line.startswith(counts)} == {
        "runtime nvidia",
        "docker info: CDI spec directories:",
        "docker info:  /etc/cdi",
        "docker info:  /var/run/cdi",
        "docker info: Live Restore Enabled: true",
    }
    assert {line for line in before - now if not line.startswith(counts)} == {
        "docker info: Live Restore Enabled: false"
    }


def test_foreign_keys_of_daemon_json_stay() -> None:
    (line,) = [line for line in runs.before("gpu2") if line.startswith("daemon.json:")]
    before = json.loads(line.removeprefix("daemon.json:"))
    assert json.loads(runs.execute("gpu2", "cat /etc/docker/daemon.json")) == {
        **before,
        "features": {**before["features"], "cdi": True},
        "runtimes": {**before["runtimes"], "nvidia": {"path": "nvidia-container-runtime", "args": []}},
        "live-restore": True,
    }


def test_the_old_description_of_the_gpus_is_put_aside() -> None:
    assert runs.execute("gpu2", "ls /etc/cdi") == "nvidia.yaml.replaced"


def test_one_list_names_the_repository_of_the_toolkit() -> None:
    assert runs.execute("gpu2", "grep -rl libnvidia-container /etc/apt/sources.list.d") == (
        "/etc/apt/sources.list.d/nvidia-container-toolkit.sources"
    )
    assert runs.execute("gpu2", "apt-get update 2>&1 | grep -e ^E: -e ^W:", check=False) == ""
