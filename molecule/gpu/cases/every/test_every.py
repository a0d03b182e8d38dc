# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is true after each case: the dry run told what follows, the repeated run had nothing to do, and it all works."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
import runs

CONTAINERS = "docker ps --quiet | xargs docker inspect --format '{{.State.StartedAt}} {{.Name}}'"
SERVICES = (
    "systemctl show --timestamp=unix --property=ActiveEnterTimestamp --value docker containerd nvidia-persistenced"
)


def test_the_dry_run_tells_which_hosts_would_change() -> None:
    check, converge, _again = runs.of_site()[-3:]
    assert {host: bool(count) for host, count in check.changed.items()} == {
        host: bool(count) for host, count in converge.changed.items()
    }


def test_the_repeated_run_changes_nothing() -> None:
    assert runs.of_site()[-1].changed == {"cpu1": 0, "gpu1": 0, "gpu2": 0}


@pytest.mark.parametrize("host", runs.HOSTS)
def test_gpus_cost_at_most_twelve_tasks(host: str) -> None:
    ok = runs.of_site()[-1].ok
    assert ok["cpu1"] < ok[host] <= ok["cpu1"] + 12


@pytest.mark.parametrize("host", runs.HOSTS)
def test_the_repeated_run_restarts_nothing(host: str) -> None:
    began = runs.of_site()[-1].began
    containers = [line.split() for line in runs.execute(host, CONTAINERS).splitlines()]
    assert "/ollama" in [name for _id, name in containers]
    # Python knows microseconds, the engine tells nanoseconds.
    assert [name for time, name in containers if datetime.fromisoformat(time[:26] + "+00:00").timestamp() > began] == []
    services = [int(time.removeprefix("@")) for time in runs.execute(host, SERVICES).split()]
    assert len(services) == 3
    assert max(services) < began


def test_the_repeated_run_asks_no_repository() -> None:
    assert runs.requests(runs.of_site()[-1].began) == ""


@pytest.mark.parametrize("host", runs.HOSTS)
def test_one_version_from_the_module_to_the_container(host: str) -> None:
    loaded = runs.execute(host, "cat /sys/module/nvidia/version")
    assert loaded == runs.execute(host, "modinfo --field version nvidia")
    assert f"<driver_version>{loaded}</driver_version>" in runs.execute(host, "nvidia-smi -q -x")
    specification = runs.execute(host, "cat /var/run/cdi/nvidia.yaml")
    assert f"libcuda.so.{loaded}" in specification
    assert runs.execute(host, "ls /etc/cdi/*.yaml /etc/cdi/*.json 2> /dev/null", check=False) == ""
    assert not runs.execute(host, "ls -d /sys/module/nouveau 2> /dev/null", check=False)


ANSWER = """\
import json, urllib.request
def ask(path, body=None):
    data = json.dumps(body).encode() if body else None
    return json.load(urllib.request.urlopen("http://127.0.0.1:11434/api/" + path, data))
(model,) = ask("tags")["models"]
ask("generate", {"model": model["name"], "prompt": "Hello", "stream": False})
print(json.dumps(ask("ps")["models"]))
"""


@pytest.mark.parametrize("host, count", [("gpu1", 2), ("gpu2", 1)])
def test_the_container_sees_its_gpus_and_the_model_is_in_their_memory(host: str, count: int) -> None:
    there = runs.execute(host, "nvidia-smi -L").splitlines()
    assert len(there) == 2
    assert runs.execute(host, "docker exec ollama nvidia-smi -L").splitlines() == there[:count]
    (model,) = json.loads(runs.execute(host, f"python3 -c '{ANSWER}'"))
    assert model["size_vram"] == model["size"] > 0


@pytest.mark.parametrize("host", runs.HOSTS)
def test_packages_are_whole_and_held(host: str) -> None:
    assert runs.execute(host, "dpkg --audit") == ""
    loaded = runs.execute(host, "cat /sys/module/nvidia/version")
    upgrade = runs.execute(host, "apt-get --simulate upgrade && apt-get --simulate dist-upgrade")
    assert [line for line in upgrade.splitlines() if line.startswith(("Inst", "Remv")) and "nvidia" in line] == []
    assert f"nvidia/{loaded}, " in runs.execute(host, "dkms status")
    assert len(runs.execute(host, "dkms status").splitlines()) == 1


def test_the_host_without_a_gpu_has_nothing_of_it() -> None:
    assert runs.execute("cpu1", "dpkg-query --show | grep -e nvidia -e cuda -e dkms", check=False) == ""
    assert runs.execute("cpu1", "docker inspect --format '{{json .HostConfig.DeviceRequests}}' ollama") in (
        "null",
        "[]",
    )
