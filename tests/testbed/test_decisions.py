# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The decisions of the testbed that a run on one machine does not show."""

from __future__ import annotations

import concurrent.futures
import json
import pathlib
import shutil
import subprocess
import sys
import time
import typing as t
import xml.etree.ElementTree

import pytest

from tests.testbed import base, hosts, images
from tests.testbed.shell import ROOT, BedError

# Programs of images, which do not know this package.
sys.path.insert(0, str(images.HERE / "host-gpu"))
sys.path.insert(0, str(images.HERE / "packages"))

import debs
import driver
import kernels
import toolkit
from machine import answers, efi, hardware, pci

RECORDINGS = ROOT / "tests" / "unit" / "fixtures" / "nvidia"
STANZAS = """\
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib

# The next one is switched off in the way of this format.
Types: deb-src
URIs: http://sources.example/debian
Suites: bookworm-security
Components: main

Types: deb
URIs: http://security.example/debian-security/
Suites: bookworm-security
Components: main
"""
LINES = """\
# deb http://cdrom.example bookworm main
deb [signed-by=/usr/share/keyrings/x.gpg arch=amd64] http://mirror.example/debian bookworm contrib main
deb http://mirror.example/other bookworm/ ./
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (STANZAS, ("http://mirror.example/debian", "http://security.example/debian-security/")),
        (LINES, ("http://mirror.example/debian", None)),
    ],
)
def test_mirrors_are_the_machines_own(text: str, expected: tuple[str, str | None]) -> None:
    assert base.mirrors(text, "bookworm") == expected


@pytest.mark.parametrize("codename", ["", "noble"])
def test_a_machine_without_debian_sources_says_so(codename: str) -> None:
    with pytest.raises(BedError, match="no Debian package source"):
        base.mirrors(STANZAS, codename)


def test_two_bases_made_at_once_install_what_makes_them_once(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = list[str]()

    def install(package: str) -> None:
        time.sleep(0.05)
        installed.append(package)

    monkeypatch.setattr(base, "inspect", lambda *_image: None)
    monkeypatch.setattr(base, "pull", lambda _tag: False)
    monkeypatch.setattr(base, "run", lambda *_arguments, **_options: None)
    monkeypatch.setattr(base, "docker", lambda *_arguments, **_options: None)
    monkeypatch.setattr(base, "sources", lambda _version: [])
    monkeypatch.setattr(base.engine, "install", install)
    monkeypatch.setattr(shutil, "which", lambda program: f"/usr/bin/{program}" if program in installed else None)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(base.debian, base.RELEASES))
    assert installed == ["mmdebstrap"]


def test_a_host_on_cgroup_v2_is_privileged_in_a_namespace_of_its_own() -> None:
    options, command = hosts.flags("2")
    assert {"--privileged", "--cgroupns=private"} <= set(options)
    assert not [option for option in options if "/sys/fs/cgroup" in option or "cap-add" in option]
    assert command == ()


def test_a_host_on_cgroup_v1_knows_its_place_in_the_machines_tree() -> None:
    options, command = hosts.flags("1")
    assert {"--cgroupns=host", "--volume=/sys/fs/cgroup:/sys/fs/cgroup:rw", "--cap-add=SYS_ADMIN"} <= set(options)
    assert "--privileged" not in options
    assert command[0] == "/sbin/init"


@pytest.mark.parametrize("change", ["file", "mode", "new file", "argument"])
def test_each_input_of_an_image_makes_it_stale(
    change: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "inspect", lambda kind, name: {"Id": "sha256:parent"})
    image = images.CATALOGUE["open-webui-next"]
    context = tmp_path / "context"
    shutil.copytree(images.HERE / image.folder, context)
    before = images.digest(image, context)
    assert images.digest(image, context) == before
    if change == "file":
        (context / "Dockerfile").write_text("FROM scratch\n")
    elif change == "mode":
        (context / "Dockerfile").chmod(0o755)
    elif change == "new file":
        (context / "more").touch()
    else:
        image = images.next_open_webui("another:parent")
        image = images.Image(image.tag, image.parent, image.folder, arguments=("NEXT=9",))
    assert images.digest(image, context) != before


@pytest.mark.parametrize(
    ("environment", "key", "made"),
    [
        ({"WEBUI_SECRET_KEY": "given"}, "given", False),
        ({"WEBUI_JWT_SECRET_KEY": "old"}, "", False),
        ({"WEBUI_SECRET_KEY_FILE": "here"}, "from-file", False),
        ({"WEBUI_SECRET_KEY_FILE": "elsewhere"}, None, True),
        ({}, None, True),
    ],
)
def test_start_script_takes_the_key_from_the_environment_or_a_file(
    environment: dict[str, str], key: str | None, made: bool, tmp_path: pathlib.Path
) -> None:
    shutil.copy(images.HERE / "open-webui" / "start.sh", tmp_path)
    (tmp_path / "here").write_text("from-file\n")
    server = tmp_path / "bin" / "python3"
    server.parent.mkdir()
    server.write_text('#!/bin/sh\nprintf %s "$WEBUI_SECRET_KEY" > served\n')
    server.chmod(0o755)
    path = {"PATH": f"{server.parent}:/usr/bin:/bin"}
    subprocess.run(["bash", str(tmp_path / "start.sh")], env={**environment, **path}, check=True, capture_output=True)
    file = tmp_path / environment.get("WEBUI_SECRET_KEY_FILE", ".webui_secret_key")
    assert file.exists() == (made or key == "from-file")
    served = (tmp_path / "served").read_text()
    assert served == (file.read_text().strip() if made else key)
    assert len(served) == 16 or not made


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("gpus", "h100,amd", ["h100", "amd"]),
        ("gpus", "", []),
        ("lost", "0,2", [0, 2]),
        ("nvswitches", "4", 4),
        ("secure_boot", "none", "none"),
        ("nouveau", "off", False),
    ],
)
def test_a_setting_of_the_hardware_is_read(name: str, text: str, value: t.Any) -> None:
    assert hardware.parsed(name, text) == value


@pytest.mark.parametrize(
    ("name", "text"), [("gpus", "h100,h1000"), ("secure_boot", "maybe"), ("mig", "1"), ("lost", "x")]
)
def test_a_setting_that_makes_no_sense_is_refused(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=text.split(",")[-1]):
        hardware.parsed(name, text)


def test_only_gpus_of_nvidia_have_an_index() -> None:
    state = {**hardware.DEFAULT, "gpus": ["amd", "rtx4090", "t4"], "nvswitches": 1}
    classes = {address: device["class"] for address, device in pci.devices(state).items()}
    assert classes == {
        "0000:00:00.0": "0x060000",
        "0000:05:00.0": "0x068000",
        "0000:1b:00.0": "0x120000",
        "0000:2c:00.0": "0x030000",
        "0000:2c:00.1": "0x040300",
        "0000:3d:00.0": "0x030200",
    }
    assert pci.gpus(state) == ["0000:2c:00.0", "0000:3d:00.0"]
    assert [kind.name for kind in hardware.nvidia(state)] == ["NVIDIA GeForce RTX 4090", "Tesla T4"]


def test_gpus_of_one_kind_answer_as_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "RECORDINGS", RECORDINGS)
    kind = hardware.KINDS["a100"]
    texts = [answers.gpu(kind, index, f"0000:{bus}:00.0", instances=True) for index, bus in enumerate(("1b", "2c"))]
    found = [xml.etree.ElementTree.fromstring(text) for text in texts]
    assert [gpu.get("id") for gpu in found] == ["00000000:1B:00.0", "00000000:2C:00.0"]
    assert [gpu.findtext("minor_number") for gpu in found] == ["0", "1"]
    assert [gpu.findtext("pci/pci_device_id") for gpu in found] == ["20B010DE"] * 2
    assert [len(gpu.findall("mig_devices/mig_device")) for gpu in found] == [3, 3]
    for index, gpu in enumerate(found):
        assert (
            answers.listed(kind, index, instances=False) == f"GPU {index}: {kind.name} (UUID: {gpu.findtext('uuid')})\n"
        )


def smi(tmp_path: pathlib.Path, *arguments: str) -> tuple[int, str]:
    """The stub's exit code and words, with the answers in the folder."""
    text = debs.tree("nvidia-driver-cuda", VERSION="550.163.01")["usr/bin/nvidia-smi"]
    script = tmp_path / "nvidia-smi"
    script.write_text(
        text.replace("/run/testbed/driver", str(tmp_path)).replace("container() {", "container() { false &&")
    )
    done = subprocess.run(["sh", str(script), *arguments], check=False, capture_output=True, text=True)
    return done.returncode, done.stdout


@pytest.mark.parametrize("arguments", [["-q", "-x"], ["-L"]])
@pytest.mark.parametrize(
    ("case", "kinds", "lost", "version"),
    [
        ("driver_not_loaded", 2, [], None),
        ("driver_library_mismatch", 2, [], "550.54.15"),
        ("no_devices", 0, [], "550.163.01"),
        ("handle_gpu_is_lost_second_of_2", 2, [1], "550.163.01"),
        ("handle_gpu_is_lost_first_of_2", 2, [0], "550.163.01"),
    ],
)
def test_nvidia_smi_fails_in_the_words_of_the_real_one(
    case: str,
    kinds: int,
    lost: list[int],
    version: str | None,
    arguments: list[str],
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(answers, "RECORDINGS", RECORDINGS)
    monkeypatch.setattr(answers, "FOLDER", tmp_path)
    monkeypatch.setattr(answers, "uuid", lambda kind, index: f"GPU-12345678-1234-1234-1234-12345678000{index}")
    working = [hardware.KINDS["a100"]] * kinds
    answers.write({**hardware.DEFAULT, "lost": lost}, ["0000:07:00.0", "0000:0f:00.0"], working, version)
    recorded = json.loads((RECORDINGS / "errors.json").read_text())[case]["runs"]
    (run,) = (run for run in recorded if run["args"] == arguments and "550.163.01" in run["nvidia_smi"])
    assert smi(tmp_path, *arguments) == (run["rc"], run["stdout"])


@pytest.mark.parametrize(
    ("secure_boot", "enrolled", "signer", "accepted"),
    [
        ("off", False, None, True),
        ("none", False, None, True),
        ("on", False, "own", False),
        ("on", True, None, False),
        ("on", True, "other", False),
        ("on", True, "own", True),
    ],
)
def test_secure_boot_accepts_what_the_enrolled_key_has_signed(
    secure_boot: str,
    enrolled: bool,
    signer: str | None,
    accepted: bool,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = tmp_path / "nvidia.ko"
    module.write_bytes(b"a module\n")
    for name in ("other", "own"):
        monkeypatch.setattr(efi, "OWN_KEY", tmp_path / f"{name}.key")
        monkeypatch.setattr(efi, "OWN_CERTIFICATE", tmp_path / f"{name}.der")
        monkeypatch.setattr(efi, "ENROLLED", tmp_path / "enrolled.der")
        efi.enroll()
    if signer:
        sign = [str(images.HERE / "packages/sources/headers/scripts/sign-file.py"), "sha256"]
        keys = [str(tmp_path / f"{signer}.key"), str(tmp_path / f"{signer}.der")]
        subprocess.run([sys.executable, *sign, *keys, str(module)], check=True)
    assert efi.accepts({"secure_boot": secure_boot, "enrolled": enrolled}, module) == accepted
    assert module.read_bytes().startswith(b"a module\n")


def test_the_newer_kernel_is_newer() -> None:
    assert kernels.following("6.12.94+deb13-amd64") == "6.13.0+deb13-amd64"


def test_programs_of_packages_know_their_version() -> None:
    program = debs.tree("nvidia-container-toolkit-base", VERSION="1.18.1")["usr/bin/nvidia-ctk"]
    assert program.startswith("#!/usr/bin/python3\n")
    assert 'VERSION = "1.18.1"' in program


def test_packages_of_one_name_and_version_are_built_once() -> None:
    packages = [(package.name, package.version) for package in [*driver.packages(), *toolkit.packages()]]
    assert len(packages) == len(set(packages))
