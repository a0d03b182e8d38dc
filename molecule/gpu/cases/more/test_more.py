# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cases in which a run fails or waits, on gpu1, in the order in which they stand."""

from __future__ import annotations

import contextlib
import json
import typing as t

import pytest
import runs

from tests.testbed import user

# Of the testbed's repository: the next minor version of the kernel that runs.
NEWER = '$(uname -r | awk -F. \'{ print $1 "." $2 + 1 ".0+deb13-amd64" }\')'
BOOT = "cat /proc/sys/kernel/random/boot_id"


@contextlib.contextmanager
def changed(set_up: str, back: str) -> t.Iterator[None]:
    """Change the host by hand for a while."""
    runs.execute("gpu1", set_up)
    try:
        yield
    finally:
        runs.execute("gpu1", back)


def site(**variables: t.Any) -> user.Run:
    return runs.play("site.yml", "--limit=gpu1", "-e", json.dumps(variables))


def verify() -> user.Run:
    return runs.play("playbooks/verify.yml", "--limit=gpu1")


def test_parts_of_two_sources_are_refused() -> None:
    fields = {"Package": "libnvidia-compute-550", "Version": "550.163.01-2", "Architecture": "all"}
    fields |= {"Maintainer": "A <a@example.com>", "Description": "of another source"}
    control = "\\n".join(f"{name}: {value}" for name, value in fields.items())
    make = (
        f"mkdir -p /tmp/o/DEBIAN && printf '{control}\\n' > /tmp/o/DEBIAN/control && dpkg-deb --build /tmp/o /tmp/o.deb"
    )
    with changed(f"{make} && dpkg --install /tmp/o.deb", "dpkg --purge libnvidia-compute-550"):
        before = runs.noted("gpu1")
        run = site()
        assert runs.noted("gpu1") == before
    assert run.code == 2, run.output
    assert "Parts of the NVIDIA driver of gpu1 come from nvidia and distro, which do not fit together." in run.words
    assert "libnvidia-compute-550" in run.words
    assert run.changed == {"gpu1": 0}


def test_a_gpu_that_has_fallen_off_the_bus_is_noticed() -> None:
    with changed("hardware set lost=1", "hardware set lost="):
        run = verify()
    assert run.code == 2, run.output
    assert "1 of 2 GPUs do not answer" in run.words
    assert "Unable to determine the device handle for gpu 1: GPU is lost." in run.words


@pytest.mark.thorough
def test_a_driver_that_fails_in_the_container_is_noticed() -> None:
    with changed("hardware set unknown-error=on", "hardware set unknown-error=off"):
        run = verify()
    assert run.code == 2, run.output
    assert "Failed to initialize NVML: Unknown Error" in run.words


@pytest.mark.thorough
def test_gpus_that_are_gone_do_not_pass_for_a_host_without() -> None:
    with changed("hardware set gpus=", "hardware set gpus=h100,h100"):
        run = site()
    assert run.code == 2, run.output
    assert (
        "The container ollama on gpu1 was given GPUs, and there is no NVIDIA GPU on the PCI bus any more" in run.words
    )
    assert run.changed == {"gpu1": 0}


@pytest.mark.thorough
def test_the_role_by_hand_wants_a_gpu() -> None:
    playbook = runs.FOLDER / "by_hand.yml"
    play = {"name": "By hand", "hosts": "cpu1", "become": True, "roles": ["selfhosted.llm.nvidia_driver"]}
    playbook.write_text(json.dumps([play]))
    run = runs.play(str(playbook))
    assert run.code == 2, run.output
    assert "There is no NVIDIA GPU on cpu1" in run.words


@pytest.mark.thorough
def test_persistence_is_switched_on_without_a_reboot() -> None:
    boot = runs.execute("gpu2", BOOT)
    # As the package has installed the service, before it was started.
    runs.execute("gpu2", "rm -r /etc/systemd/system/nvidia-persistenced.service.d && systemctl daemon-reload")
    runs.execute("gpu2", "systemctl stop nvidia-persistenced")
    persistence = "nvidia-smi -q -x | grep -o '<persistence_mode>.*<'"
    assert set(runs.execute("gpu2", persistence).split()) == {"<persistence_mode>Disabled<"}
    run = runs.play("site.yml", "--limit=gpu2")
    assert run.code == 0, run.output
    assert set(runs.execute("gpu2", persistence).split()) == {"<persistence_mode>Enabled<"}
    assert runs.execute("gpu2", BOOT) == boot


@pytest.mark.thorough
def test_a_reboot_can_be_left_to_somebody_else() -> None:
    boot = runs.execute("gpu1", BOOT)
    older = {"nvidia_driver_branch": "580.65.06"}
    run = site(nvidia_driver_reboot="fail", **older)
    assert run.code == 2, run.output
    assert 'gpu1 needs a reboot, and nvidia_driver_reboot is "fail".' in run.words
    assert "580.65.06" in run.words.partition("needs a reboot")[2]
    # The driver that is loaded goes on working for the container.
    assert len(runs.execute("gpu1", "docker exec ollama ls /dev/nvidia0 /dev/nvidia1").split()) == 2
    run = site(nvidia_driver_reboot="never", **older)
    assert 'gpu1 waits for a reboot, and nvidia_driver_reboot is "never".' in run.words
    assert runs.execute("gpu1", BOOT) == boot
    # What was put off is done by the next run that may.
    run = site(**older)
    assert run.code == 0, run.output
    assert runs.execute("gpu1", BOOT) != boot
    assert runs.execute("gpu1", "cat /sys/module/nvidia/version") == "580.65.06"
    run = site(**older)
    assert (run.code, run.changed) == (0, {"gpu1": 0}), run.output


@pytest.mark.thorough
def test_no_reboot_into_a_kernel_for_which_the_driver_does_not_build() -> None:
    boot = runs.execute("gpu1", BOOT)
    # dkms fails, as it does in an upgrade that nobody watches.
    runs.execute("gpu1", f"apt-get install -y linux-image-{NEWER} linux-headers-{NEWER}", check=False)
    assert runs.execute("gpu1", "dpkg --audit") != ""
    run = site(nvidia_driver_branch="580.65.06")
    assert run.code == 0, run.output
    assert "nv-pci.c:237:9: error: too few arguments to function" in run.words
    assert "/var/lib/dkms/nvidia/580.65.06/build/make.log" in run.words
    assert runs.execute("gpu1", BOOT) == boot
    # A driver that builds for both is the way out.
    run = site(nvidia_driver_branch="590")
    assert run.code == 0, run.output
    assert runs.execute("gpu1", "cat /sys/module/nvidia/version") == "590.44.01"
    assert len(runs.execute("gpu1", "ls /lib/modules/*/updates/dkms/nvidia.ko").splitlines()) == 2
    assert runs.execute("gpu1", "dpkg --audit") == ""
