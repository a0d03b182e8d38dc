# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host whose driver does not build for the next kernel: what is said, what is kept, and the way out.

Each test goes on where the one before it has left the host.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import typing as t
from pathlib import Path

import pytest

SCENARIO = Path(__file__).resolve().parents[1]
# Without the function's name, which the compiler quotes after the locale.
ERROR = "nvidia/nv-pci.c:237:9: error: too few arguments to function"
OPEN, TESLA = "nvidia-current-open/550.163.01", "nvidia-tesla-535/535.274.02"
HOLD = {"nvidia_driver_kernel_guard": "hold"}
WAY_OUT = {"nvidia_driver_branch": "535", "nvidia_driver_flavour": "proprietary"}
KEPT = "/etc/selfhosted-llm/kernel-guard.json"


class Run(t.NamedTuple):
    """One run of a playbook: how it ended, how many tasks changed something, and its text in one line."""

    failed: bool
    changed: int
    text: str


def play(playbook: str, *options: str, **variables: str) -> Run:
    inventories = [f"--inventory={path}" for path in os.environ["ANSIBLE_INVENTORY"].split(",")]
    command = ["ansible-playbook", *inventories, *options, "--extra-vars", json.dumps(variables), SCENARIO / playbook]
    # Molecule forces colours on where its own output has them.
    env = {**os.environ, "ANSIBLE_FORCE_COLOR": "false"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    print(done.stdout, done.stderr)
    (changed,) = re.findall(r"^gpu1 .*changed=(\d+)", done.stdout, re.MULTILINE)
    return Run(done.returncode != 0, int(changed), " ".join(done.stdout.split()))


def install(*options: str, **variables: str) -> Run:
    return play("converge.yml", *options, **variables)


@pytest.fixture
def kernel(host: t.Any) -> str:
    """The one that runs, for which all drivers build."""
    return host.check_output("uname -r")


@pytest.fixture
def next_kernel(host: t.Any) -> str:
    """The one that Debian's next upgrade brings, for which only some build."""
    return host.check_output("apt-cache depends --important linux-image-amd64").rpartition("linux-image-")[2]


def built(host: t.Any) -> set[str]:
    """What DKMS has installed, as module/version, kernel."""
    lines = host.check_output("dkms status").splitlines()
    return {line.rsplit(", ", 1)[0] for line in lines if line.endswith(": installed")}


def installed(host: t.Any) -> dict[str, str]:
    shown = host.check_output("dpkg-query --show --showformat '${Package} ${Version} ${db:Status-Status}\\n'")
    return {line.split()[0]: line.split(maxsplit=1)[1] for line in shown.splitlines()}


def held(host: t.Any) -> set[str]:
    return {name for name in host.check_output("apt-mark showhold").split() if name.startswith("linux-")}


def default_kernel(host: t.Any) -> str:
    """What GRUB would start: the kernel of the entry that its menu names, or of the first one."""
    menu = host.file("/boot/grub/grub.cfg").content_string
    (default,) = re.findall(r'set default="(?!\$)(.*)"', menu)
    entry = re.escape(default.rpartition(">")[2]) if default != "0" else "gnulinux-simple-[^']*"
    return re.search(rf"option '{entry}'.*?vmlinuz-(\S+)", menu, re.DOTALL)[1]


def modules(host: t.Any, kernel: str) -> set[str]:
    """Those that DKMS has put there; newer kernels have them compressed."""
    return {name.partition(".ko")[0] for name in host.file(f"/lib/modules/{kernel}/updates/dkms").listdir()}


def test_a_driver_that_builds_is_installed(host: t.Any, kernel: str) -> None:
    assert built(host) == {f"{OPEN}, {kernel}"}
    assert "nvidia-current-open" in modules(host, kernel)
    assert host.file("/proc/driver/nvidia/version").contains("Open Kernel Module for x86_64  550.163.01")
    assert host.check_output("dpkg --audit") == ""
    assert not host.file("/usr/share/nvidia-current-open-dkms").listdir()
    assert not host.file(KEPT).exists


def test_an_upgrade_brings_a_kernel_for_which_it_does_not_build(host: t.Any, kernel: str, next_kernel: str) -> None:
    """What happens without us: apt fails, and the kernel is there all the same."""
    done = host.run("DEBIAN_FRONTEND=noninteractive apt-get full-upgrade --yes")
    assert done.rc == 100
    assert host.file(f"/boot/vmlinuz-{next_kernel}").exists
    assert f"linux-image-{next_kernel}" in host.check_output("dpkg --audit")
    assert built(host) == {f"{OPEN}, {kernel}"}


@pytest.mark.parametrize("options", [[], ["--check"]], ids=["run", "check"])
def test_report_names_kernel_package_and_reason(host: t.Any, next_kernel: str, options: list[str]) -> None:
    before = installed(host)
    run = install(*options)
    assert not run.failed
    assert run.changed == 0
    assert (
        f"Kernel {next_kernel} would boot without an NVIDIA driver: "
        f"nvidia-open-kernel-dkms 550.163.01 does not build for it: {ERROR}"
    ) in run.text
    assert installed(host) == before
    assert held(host) == set()


def test_report_refuses_the_reboot(host: t.Any, next_kernel: str) -> None:
    booted = host.check_output("systemctl show --property=UserspaceTimestampMonotonic")
    run = play("reboot.yml", nvidia_driver_reboot="auto")
    assert run.failed
    assert "gpu1 is not rebooted" in run.text
    assert f"Kernel {next_kernel} would boot without an NVIDIA driver: nvidia-open-kernel-dkms" in run.text
    assert ERROR in run.text
    assert host.check_output("systemctl show --property=UserspaceTimestampMonotonic") == booted


def test_hold_keeps_the_kernel_that_works(host: t.Any, kernel: str, next_kernel: str) -> None:
    host.check_output("apt-mark hold linux-headers-amd64")
    before = installed(host)
    dry = install("--check", **HOLD)
    assert (dry.failed, dry.changed) == (False, 1)
    assert installed(host) == before
    run = install(**HOLD)
    assert (run.failed, run.changed) == (False, 1)
    assert host.check_output("dpkg --audit") == ""
    assert default_kernel(host) == kernel
    kind = [f"linux-{kind}-{name}" for kind in ("image", "headers") for name in ("amd64", next_kernel)]
    assert held(host) == set(kind)
    # One of them was held before, by somebody else.
    record = json.loads(host.file(KEPT).content_string)
    assert record == {"kernel": kernel, "packages": sorted({*kind} - {"linux-headers-amd64"})}
    assert "Inst linux-" not in host.check_output("apt-get --simulate dist-upgrade")
    assert install(**HOLD).changed == 0
    # The hold outlives a run that would only report.
    assert install().changed == 0


def test_a_driver_that_builds_is_the_way_out(host: t.Any, kernel: str, next_kernel: str) -> None:
    assert install("--check", **HOLD, **WAY_OUT).changed > 0
    run = install(**HOLD, **WAY_OUT)
    assert not run.failed
    assert built(host) == {f"{TESLA}, {release}" for release in (kernel, next_kernel)}
    for release in (kernel, next_kernel):
        assert "nvidia-tesla-535" in modules(host, release)
    assert "nvidia-open-kernel-dkms" not in installed(host)
    assert host.check_output("dpkg --audit") == ""


def test_the_hold_lets_go(host: t.Any, next_kernel: str) -> None:
    assert default_kernel(host) == next_kernel
    assert held(host) == {"linux-headers-amd64"}
    assert not host.file(KEPT).exists
    assert host.check_output("grep -rl selfhosted /etc/dkms /etc/default/grub.d || true") == ""
    assert install(**WAY_OUT).changed == 0


def test_a_driver_that_does_not_build_is_not_installed(host: t.Any, kernel: str, next_kernel: str) -> None:
    """The one of the beginning, on a kernel that has another."""
    before = installed(host)
    run = install()
    assert run.failed
    log = f"/var/log/selfhosted-llm/nvidia-current-open-550.163.01-{next_kernel}.log"
    assert f"nvidia-open-kernel-dkms 550.163.01 does not build on gpu1 for kernel {next_kernel}: {ERROR}" in run.text
    assert log in run.text
    assert "error: too few arguments" in host.file(log).content_string
    assert installed(host) == before
    assert built(host) == {f"{TESLA}, {release}" for release in (kernel, next_kernel)}
    assert host.check_output("dpkg --audit") == ""
    assert not [name for name in host.file("/var/tmp").listdir() if name.startswith("selfhosted")]
