# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which repository lists go and what of them stays, whether the engine knows the hooks, and the devices of MIG."""

from __future__ import annotations

import importlib.util
import os
import types
import typing as t
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGES = "https://nvidia.github.io"
# What NVIDIA's instructions made people write over the years.
OFFICIAL = f"deb [signed-by=/usr/share/keyrings/nvidia.gpg] {PAGES}/libnvidia-container/stable/deb/$(ARCH) /\n"
COMMENTED = f"#deb [signed-by=/usr/share/keyrings/nvidia.gpg] {PAGES}/libnvidia-container/experimental/deb/$(ARCH) /\n"
OLD = f"""\
deb {PAGES}/libnvidia-container/stable/ubuntu18.04/$(ARCH) /
#deb {PAGES}/libnvidia-container/experimental/ubuntu18.04/$(ARCH) /
deb {PAGES}/nvidia-container-runtime/stable/ubuntu18.04/$(ARCH) /
deb {PAGES}/nvidia-docker/ubuntu18.04/$(ARCH) /
"""
DEBIAN = "deb http://archive.example.org/debian trixie main contrib\n"
DOCKER = (
    "deb [arch=amd64 signed-by=/etc/apt/keyrings/docker.asc] https://download.docker.com/linux/debian trixie stable\n"
)
LISTS = "etc/apt/sources.list.d"
OURS = f"/{LISTS}/nvidia-container-toolkit.sources"


class Host:
    """A tree of files, and what look.py says of it."""

    def __init__(self, root: Path) -> None:
        spec = importlib.util.spec_from_file_location(
            "toolkit_look", ROOT / "roles/nvidia_container_toolkit/files/look.py"
        )
        assert spec and spec.loader
        self.look: types.ModuleType = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.look)
        self.root = root

    def write(self, path: str, content: str = "") -> Path:
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        return file

    def ask(self, *, url: str = f"{PAGES}/libnvidia-container/stable", install: bool = False) -> dict[str, t.Any]:
        return self.look.look(str(self.root), {"url": url, "ours": OURS, "install": install})

    def stale(self, **wish: t.Any) -> dict[str, str | None]:
        return {item["path"].removeprefix(f"{self.root}/"): item["rest"] for item in self.ask(**wish)["stale"]}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_bare_host(host: Host) -> None:
    assert host.ask(install=True) == {"stale": [], "contested": False, "hooks": "missing", "mig": True}


@pytest.mark.parametrize("install", [False, True])
def test_dead_repositories_always_go(host: Host, install: bool) -> None:
    host.write(f"{LISTS}/nvidia-docker.list", OLD)
    host.write(f"{LISTS}/libnvidia-container.list", OLD.splitlines(keepends=True)[0])
    host.write(f"{LISTS}/nvidia-container-runtime.list", OLD.splitlines(keepends=True)[2].replace("https:", "http:"))
    host.write(f"{LISTS}/docker.list", DOCKER)
    assert host.stale(install=install) == {
        f"{LISTS}/nvidia-docker.list": None,
        f"{LISTS}/libnvidia-container.list": None,
        f"{LISTS}/nvidia-container-runtime.list": None,
    }


def test_entries_of_others_survive(host: Host) -> None:
    host.write("etc/apt/sources.list", f"# mine\n{DEBIAN}{OLD}{DOCKER}")
    host.write(f"{LISTS}/mixed.list", f"{OFFICIAL}{COMMENTED}\n{DOCKER}")
    comment = OLD.splitlines(keepends=True)[1]
    assert host.stale(install=True) == {
        "etc/apt/sources.list": f"# mine\n{DEBIAN}{comment}{DOCKER}",
        f"{LISTS}/mixed.list": f"{COMMENTED}\n{DOCKER}",
    }


def test_the_list_of_lists_is_never_removed(host: Host) -> None:
    host.write("etc/apt/sources.list", OLD)
    assert host.stale() == {"etc/apt/sources.list": OLD.splitlines(keepends=True)[1]}


def test_a_list_that_works_goes_only_for_ours(host: Host) -> None:
    path = f"{LISTS}/nvidia-container-toolkit.list"
    host.write(path, OFFICIAL + COMMENTED)
    assert host.stale(install=False) == {}
    assert host.stale(install=True) == {path: None}
    host.write(OURS, "whatever is in it")
    assert host.stale(install=False) == {path: None}


def test_two_keys_for_one_repository(host: Host) -> None:
    one, two = f"{LISTS}/nvidia-container-toolkit.list", f"{LISTS}/libnvidia-container.list"
    host.write(one, OFFICIAL)
    host.write(two, OFFICIAL)
    assert (host.ask()["contested"], host.stale()) == (False, {})
    host.write(two, OFFICIAL.replace("nvidia.gpg", "other.gpg"))
    assert (host.ask()["contested"], host.stale()) == (True, {one: None, two: None})


def test_a_mirror_takes_the_place_of_the_original(host: Host) -> None:
    host.write(f"{LISTS}/a.list", OFFICIAL)
    host.write(
        f"{LISTS}/b.list", "deb [trusted=yes] http://mirror/nct/deb/amd64 /\ndeb http://mirror/nct-other/deb/amd64 /\n"
    )
    assert host.stale(url="http://mirror/nct/", install=True) == {
        f"{LISTS}/a.list": None,
        f"{LISTS}/b.list": "deb http://mirror/nct-other/deb/amd64 /\n",
    }


def test_deb822(host: Host) -> None:
    debian = "Types: deb\nURIs: http://archive.example.org/debian\nSuites: trixie\nComponents: main\n"
    dead = f"Types: deb\nURIs: {PAGES}/nvidia-docker/debian11/amd64\nSuites: /\n"
    stable = f"{PAGES}/libnvidia-container/stable/deb/amd64"
    both = f"Types: deb\nURIs: {stable}\n http://mirror.example.com/deb/amd64\nSuites: /\n"
    host.write(f"{LISTS}/all.sources", f"# NVIDIA and others\n\n{dead}\n{debian}\n{both}")
    assert host.stale(install=True) == {
        f"{LISTS}/all.sources": f"# NVIDIA and others\n\n\n{debian}\n"
        "Types: deb\nURIs:\n http://mirror.example.com/deb/amd64\nSuites: /\n"
    }


def test_rpm(host: Host) -> None:
    stable = f"[toolkit]\nname=x\nbaseurl={PAGES}/libnvidia-container/stable/rpm/$basearch\nenabled=1\n\n"
    old = f"[nvidia-docker]\nname=y\nbaseurl={PAGES}/nvidia-docker/centos8/$basearch\n\n"
    epel = "[epel]\nname=z\nmetalink=https://mirrors.fedoraproject.org/metalink?repo=epel-9\n"
    host.write("etc/yum.repos.d/nvidia-docker.repo", old)
    host.write("etc/yum.repos.d/mixed.repo", stable + old + epel)
    assert host.stale(install=False) == {
        "etc/yum.repos.d/nvidia-docker.repo": None,
        "etc/yum.repos.d/mixed.repo": stable + epel,
    }
    assert host.stale(install=True)["etc/yum.repos.d/mixed.repo"] == epel


def test_whether_the_engine_knows_the_hooks(host: Host) -> None:
    assert host.ask()["hooks"] == "missing"
    hook = host.write("usr/bin/nvidia-container-runtime-hook")
    hook.chmod(0o755)
    # Without an engine there is none that has looked.
    assert host.ask()["hooks"] == "known"
    started = host.write("run/docker.pid", "1")
    changed = hook.stat().st_ctime
    # Packages carry the times of their build: what counts is when the file came to the host.
    os.utime(hook, (0, 0))
    os.utime(started, (changed + 60, changed + 60))
    assert host.ask()["hooks"] == "known"
    os.utime(started, (changed - 60, changed - 60))
    assert host.ask()["hooks"] == "new"


def test_mig_instances_have_devices(host: Host) -> None:
    spec = "kind: nvidia.com/gpu\ndevices:\n- path: /dev/nvidia0\n- path: /dev/nvidia-caps/nvidia-cap1\n"
    one = spec + "- path: /dev/nvidia-caps/nvidia-cap12\n- path: /dev/nvidia-caps/nvidia-cap13\n"
    path = "var/run/cdi/nvidia.yaml"
    host.write(path, spec)
    assert host.ask()["mig"] is True
    host.write(path, one)
    assert host.ask()["mig"] is False
    instance = "proc/driver/nvidia/capabilities/gpu0/mig/gi1"
    host.write(f"{instance}/access", "DeviceFileMinor: 12\nDeviceFileMode: 292\nDeviceFileModify: 1\n")
    host.write(f"{instance}/ci0/access", "DeviceFileMinor: 13\nDeviceFileMode: 292\n")
    assert host.ask()["mig"] is True
    host.write("etc/cdi/others.yaml", "kind: example.com/gpu\n- path: /dev/nvidia-caps/nvidia-cap99\n")
    assert host.ask()["mig"] is True
    host.write(path, one.replace("cap13", "cap14"))
    assert host.ask()["mig"] is False
    host.write(path, spec)
    assert host.ask()["mig"] is False
