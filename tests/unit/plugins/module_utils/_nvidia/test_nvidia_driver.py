# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.selfhosted.llm.plugins.module_utils._nvidia import driver, packages
from ansible_collections.selfhosted.llm.plugins.module_utils._nvidia.decisions import Module
from ansible_collections.selfhosted.llm.plugins.module_utils._nvidia.modules import kernels, userspace_version

OLD, NEW = "6.12.94+deb13-amd64", "6.12.107+deb13-amd64"
OPEN_TEXT = (
    "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build  (dvs-builder@host)  Tue Sep 23"
    " 09:55:41 UTC 2025\nGCC version:  gcc version 14.2.0 (Debian 14.2.0-19) \n"
)


def describe(machine, release=OLD):
    of_driver, _of_toolkit = packages.installed(machine.host)
    return driver.describe(machine.host, release, of_driver)


# -- in memory


@pytest.mark.parametrize("sys_module", [True, False])
def test_loaded_versions_and_flavours(machine, recorded, sys_module):
    samples = recorded("proc-driver-version.json")["samples"]
    assert len(samples) == 8
    for sample in samples:
        if sample["version"] and sys_module:
            machine.write("/sys/module/nvidia/version", f"{sample['version']}\n")
        machine.write("/proc/driver/nvidia/version", sample["text"])
        expected = Module(sample["version"], sample["flavour"]) if sample["version"] else None
        if not sample["version"] and sys_module:
            # The version that the sample before left in memory, whose flavour is not known now.
            expected = Module("390.157", None)
        assert driver.loaded(machine.host) == expected, sample["name"]


def test_not_loaded(machine):
    """A node in /dev proves nothing: nvidia-smi makes it without any driver."""
    machine.write("/dev/nvidiactl")
    assert driver.loaded(machine.host) is None


# -- on disk


@pytest.mark.parametrize(
    "file",
    [
        "updates/dkms/nvidia.ko",
        "updates/dkms/nvidia.ko.xz",
        "updates/dkms/nvidia.ko.zst",
        "updates/dkms/nvidia.ko.gz",
        "updates/dkms/nvidia-current.ko.xz",
        "updates/dkms/nvidia-current-open.ko.xz",
        "updates/dkms/nvidia-tesla-535.ko",
        "updates/dkms/nvidia-legacy-390xx.ko",
        "extra/nvidia.ko.xz",
        "extra/drivers/video/nvidia/nvidia.ko",
        "weak-updates/nvidia/nvidia.ko",
        "kernel/nvidia-580-server-open/nvidia.ko",
        "kernel/drivers/video/nvidia.ko",
        "nvidia.ko",
    ],
)
def test_where_the_module_lies(machine, file):
    machine.kernel(OLD, file, "580.65.06")
    (kernel,) = kernels(machine.host, OLD, None)
    assert (kernel["version"], kernel["flavour"]) == ("580.65.06", "open")
    assert kernel["files"] == [f"/lib/modules/{OLD}/{file}"]


@pytest.mark.parametrize(
    "file",
    [
        "updates/dkms/nvidia-drm.ko",
        "updates/dkms/nvidia-uvm.ko.xz",
        "updates/dkms/nvidia-modeset.ko",
        "updates/dkms/nvidia-peermem.ko",
        "updates/dkms/nvidia-current-open-uvm.ko.xz",
        "updates/dkms/nvidia-fs.ko",
        "kernel/drivers/video/fbdev/nvidia/nvidiafb.ko",
        "kernel/drivers/platform/x86/nvidia-wmi-ec-backlight.ko",
        "updates/dkms/nvidia.ko.old",
        "build/nvidia.ko",
    ],
)
def test_what_is_not_the_driver(machine, file):
    machine.kernel(OLD, file, "580.65.06")
    (kernel,) = kernels(machine.host, OLD, None)
    assert (kernel["version"], kernel["files"]) == (None, [])
    assert machine.calls == []


def test_every_kernel_by_one_call(machine):
    machine.kernel(OLD, "updates/dkms/nvidia-current.ko.xz", "550.163.01", "NVIDIA", headers=True)
    machine.kernel(NEW, "updates/dkms/nvidia.ko.xz", "580.65.06", headers=True)
    machine.kernel("6.1.0-9-amd64").link("/lib/modules/6.1.0-9-amd64/build", "/usr/src/gone")
    found = kernels(machine.host, OLD, NEW)
    assert [
        tuple(kernel[key] for key in ("release", "version", "flavour", "running", "boots", "headers"))
        for kernel in found
    ] == [
        (NEW, "580.65.06", "open", False, True, True),
        (OLD, "550.163.01", "proprietary", True, False, True),
        ("6.1.0-9-amd64", None, None, False, False, False),
    ]
    assert [command[0] for command in machine.calls] == ["modinfo"]


def test_the_preferred_of_two_files(machine):
    machine.kernel(OLD, "kernel/nvidia-580-open/nvidia.ko", "580.65.06")
    machine.kernel(OLD, "extra/nvidia.ko", "570.10.01", "NVIDIA")
    machine.kernel(OLD, "updates/dkms/nvidia.ko", "590.44.01")
    (kernel,) = kernels(machine.host, OLD, None)
    assert kernel["version"] == "590.44.01"
    assert [file.split(OLD)[1] for file in kernel["files"]] == [
        "/updates/dkms/nvidia.ko",
        "/extra/nvidia.ko",
        "/kernel/nvidia-580-open/nvidia.ko",
    ]


def test_without_modinfo(machine, monkeypatch):
    machine.kernel(OLD, "updates/dkms/nvidia.ko", "580.65.06")
    monkeypatch.setattr(machine.host, "run", lambda *command: None)
    (kernel,) = kernels(machine.host, OLD, None)
    assert (kernel["version"], len(kernel["files"])) == (None, 1)


LIB = "/usr/lib/x86_64-linux-gnu"


def test_libraries_by_their_link(machine):
    machine.write(f"{LIB}/libnvidia-ml.so.580.65.06").write(f"{LIB}/libnvidia-ml.so.580.95.05")
    machine.link(f"{LIB}/libnvidia-ml.so.1", "libnvidia-ml.so.580.65.06")
    assert userspace_version(machine.host) == "580.65.06"


def test_libraries_by_debians_alternatives(machine):
    machine.write(f"{LIB}/nvidia/current/libnvidia-ml.so.550.163.01").write(
        f"{LIB}/nvidia/tesla-535/libnvidia-ml.so.535.274.02"
    )
    for name, version in (("current", "550.163.01"), ("tesla-535", "535.274.02")):
        machine.link(f"{LIB}/nvidia/{name}/libnvidia-ml.so.1", f"libnvidia-ml.so.{version}")
    machine.link(f"{LIB}/libnvidia-ml.so.1", "/etc/alternatives/glx--libnvidia-ml.so.1-x86_64-linux-gnu")
    machine.link(
        "/etc/alternatives/glx--libnvidia-ml.so.1-x86_64-linux-gnu", f"{LIB}/nvidia/tesla-535/libnvidia-ml.so.1"
    )
    assert userspace_version(machine.host) == "535.274.02"


@pytest.mark.parametrize(
    "directory", ["/usr/lib64", "/usr/lib/aarch64-linux-gnu", f"{LIB}/nvidia/current", "/opt/nvidia/lib"]
)
def test_libraries_elsewhere(machine, directory):
    machine.write("/etc/ld.so.conf.d/nvidia.conf", "# NVIDIA\n/opt/nvidia/lib\n")
    machine.write(f"{directory}/libnvidia-ml.so.580.95.05")
    assert userspace_version(machine.host) == "580.95.05"


def test_a_link_to_a_library_that_is_gone(machine):
    machine.link(f"{LIB}/libnvidia-ml.so.1", "libnvidia-ml.so.580.65.06")
    assert userspace_version(machine.host) is None


# -- packages


def dpkg(machine, *rows):
    machine.write("/var/lib/dpkg/status")
    return machine.says("dpkg-query -W", "".join("\t".join(row) + "\n" for row in rows), rc=1)


DEBIANS = "Debian NVIDIA Maintainers <pkg-nvidia-devel@lists.alioth.debian.org>"
UBUNTUS = "Ubuntu Core Developers <ubuntu-devel-discuss@lists.ubuntu.com>"
POLICY = """\
{name}:
  Installed: {version}
  Candidate: 590.44.01-1
  Version table:
     590.44.01-1 500
        500 https://developer.download.nvidia.com/compute/cuda/repos/debian13/x86_64  Packages
 *** {version} 500
        {origin}
        100 /var/lib/dpkg/status
     550.163.01-2 500
        500 http://archive.example.org/debian trixie/contrib amd64 Packages
"""
CUDA = "500 https://developer.download.nvidia.com/compute/cuda/repos/debian13/x86_64  Packages"
MIRROR = "500 http://mirror.example.com/compute/cuda/repos/debian13/x86_64  Packages"
ARCHIVE = "500 http://archive.example.org/debian trixie/contrib amd64 Packages"


def policy(machine, *packages_and_origins):
    text = "".join(POLICY.format(name=name, version=v, origin=origin) for name, v, origin in packages_and_origins)
    return machine.says("apt-cache policy", text)


@pytest.mark.parametrize("origin, source", [(CUDA, "nvidia"), (MIRROR, "nvidia"), (ARCHIVE, "distro")])
@pytest.mark.parametrize("maintainer", [DEBIANS, UBUNTUS])
def test_packages_of_dpkg(machine, origin, source, maintainer):
    dpkg(
        machine,
        ("nvidia-kernel-open-dkms", "580.95.05-1", "hi ", maintainer),
        ("libcuda1", "580.95.05-1", "ii ", maintainer),
        ("libcuda1", "580.95.05-1", "ii ", maintainer),
        ("nvidia-modprobe", "580.95.05-1", "ii ", maintainer),
        ("nvidia-kernel-common", "20220217+3", "ii ", maintainer),
        ("nvidia-container-toolkit", "1.18.1-1", "hi ", maintainer),
        ("nvidia-driver-libs", "550.163.01-2", "rc ", maintainer),
        ("nvidia-legacy-390xx-driver", "", "un ", ""),
    )
    policy(machine, ("nvidia-kernel-open-dkms", "580.95.05-1", origin), ("libcuda1", "580.95.05-1", origin))
    result = describe(machine)
    assert (result["source"], result["sources"]) == (source, [source])
    assert result["packages"] == {
        "nvidia-kernel-open-dkms": "580.95.05-1",
        "libcuda1": "580.95.05-1",
        "nvidia-modprobe": "580.95.05-1",
        "nvidia-kernel-common": "20220217+3",
    }
    assert (result["held"], result["broken"]) == (["nvidia-kernel-open-dkms"], [])
    _of_driver, of_toolkit = packages.installed(machine.host)
    assert [(package.name, package.version, package.held) for package in of_toolkit] == [
        ("nvidia-container-toolkit", "1.18.1-1", True)
    ]


@pytest.mark.parametrize(
    "release, source", [("o=NVIDIA,l=NVIDIA CUDA,c=", "nvidia"), ("o=Example,l=Extra,c=", "distro")]
)
def test_a_mirror_whose_address_says_nothing(machine, release, source):
    dpkg(machine, ("nvidia-kernel-open-dkms", "580.95.05-1", "ii ", DEBIANS))
    mirror = "500 http://mirror.example.com/gpu/debian13  Packages"
    text = POLICY.format(name="nvidia-kernel-open-dkms", version="580.95.05-1", origin=mirror)
    machine.says("apt-cache policy nvidia-kernel-open-dkms", text)
    others = " 500 http://archive.example.org/debian trixie/main amd64 Packages\n     release o=Debian,l=Debian\n"
    machine.says(
        "apt-cache policy",
        f"Package files:\n{others} {mirror}\n     release {release}\n     origin mirror.example.com\n",
    )
    assert describe(machine)["sources"] == [source]


def test_a_package_of_nvidia_after_its_repository_went(machine):
    dpkg(machine, ("nvidia-kernel-open-dkms", "580.95.05-1", "ii ", "NVIDIA Corporation <cudatools@nvidia.com>"))
    policy(machine, ("nvidia-kernel-open-dkms", "580.95.05-1", ""))
    assert describe(machine)["source"] == "nvidia"


@pytest.mark.parametrize(
    "status, broken", [("ii ", False), ("iF ", True), ("iU ", True), ("iHR", True), ("hF ", True), ("it ", False)]
)
def test_a_failed_installation(machine, status, broken):
    dpkg(machine, ("nvidia-open-kernel-dkms", "550.163.01-2", status, DEBIANS))
    assert describe(machine)["broken"] == (["nvidia-open-kernel-dkms"] if broken else [])


def test_two_sources(machine):
    dpkg(
        machine,
        ("nvidia-open-kernel-dkms", "550.163.01-2", "ii ", DEBIANS),
        ("libnvidia-ml1", "580.95.05-1", "ii ", DEBIANS),
    )
    policy(machine, ("nvidia-open-kernel-dkms", "550.163.01-2", ARCHIVE), ("libnvidia-ml1", "580.95.05-1", CUDA))
    result = describe(machine)
    assert (result["source"], result["sources"]) == (None, ["distro", "nvidia"])


def test_helpers_of_the_distribution_are_no_second_source(machine):
    """NVIDIA's packages for Debian depend on these."""
    dpkg(
        machine,
        ("nvidia-kernel-open-dkms", "580.95.05-1", "ii ", DEBIANS),
        ("glx-alternative-nvidia", "1.2.2", "ii ", DEBIANS),
        ("nvidia-support", "20220217+3", "ii ", DEBIANS),
        ("nvidia-kernel-support", "580.95.05-1", "ii ", DEBIANS),
        ("nvidia-installer-cleanup", "20220217+3", "ii ", DEBIANS),
    )
    policy(machine, ("nvidia-kernel-open-dkms", "580.95.05-1", CUDA))
    result = describe(machine)
    assert result["sources"] == ["nvidia"]
    assert ("apt-cache", "policy", "nvidia-kernel-open-dkms") in machine.calls


@pytest.mark.parametrize(
    "name",
    [
        "nvidia-kernel-dkms",
        "nvidia-kernel-open-dkms",
        "nvidia-open-kernel-dkms",
        "nvidia-tesla-535-kernel-dkms",
        "nvidia-dkms-580",
        "nvidia-dkms-580-open",
        "nvidia-dkms-580-server-open",
        "nvidia-dkms-open",
        "nvidia-kernel-source-580",
        "linux-modules-nvidia-580-server-open-generic",
        "linux-modules-nvidia-580-open-6.8.0-45-generic",
        "kmod-nvidia-open-dkms",
        "kmod-nvidia-latest-dkms",
        "kmod-nvidia",
        "nvidia-open-kmod",
        "akmod-nvidia",
        "libnvidia-ml1",
        "libcuda1",
        "libnvidia-compute-580",
        "libnvidia-compute",
        "libnvidia-ml",
        "nvidia-driver-cuda",
        "nvidia-driver-cuda-libs",
    ],
)
def test_what_makes_a_driver(machine, name):
    dpkg(machine, (name, "580.95.05-1", "ii ", DEBIANS))
    assert describe(machine)["sources"] == ["distro"]


@pytest.mark.parametrize(
    "name",
    [
        "nvidia-container-toolkit",
        "libnvidia-container1",
        "nvidia-cuda-toolkit",
        "nvidia-driver-pinning-580",
        "nvidia-driver-assistant",
        "nvidia-persistenced",
        "nvidia-kernel-common",
        "nvidia-kernel-common-580",
        "nvidia-kernel-support",
        "nvidia-fs-dkms",
        "linux-modules-nvidia-fs-generic",
        "nvidia-settings",
        "firmware-nvidia-gsp",
        "nvidia-vaapi-driver",
        "libnvidia-egl-wayland1",
    ],
)
def test_what_makes_none(machine, name):
    dpkg(machine, (name, "580.95.05-1", "ii ", DEBIANS))
    result = describe(machine)
    assert (result["sources"], result["action"]) == ([], "none")


RPM_NVIDIA = "RSA/SHA512, Tue 30 Sep 2025 10:00:00 AM UTC, Key ID 9cd0a493d42d0685"
RPM_EL10 = "RSA/SHA256, Tue 30 Sep 2025 10:00:00 AM UTC, Key ID 5d5a0c37cdf6ba43"
RPM_ALMA = "RSA/SHA256, Tue 30 Sep 2025 10:00:00 AM UTC, Key ID 2ae81e8aced7258b"


@pytest.mark.parametrize(
    "vendor, signature, source",
    [
        ("(none)", RPM_NVIDIA, "nvidia"),
        ("(none)", RPM_EL10, "nvidia"),
        ("NVIDIA Corporation", "none", "nvidia"),
        ("AlmaLinux", RPM_ALMA, "distro"),
        ("(none)", "none", "distro"),
    ],
)
def test_packages_of_rpm(machine, vendor, signature, source):
    rows = [("kmod-nvidia-open-dkms", "580.95.05-1.el9"), ("nvidia-driver-cuda", "580.95.05-1.el9")]
    machine.says("rpm -qa", "".join(f"{name}\t{version}\t{vendor}\t{signature}\n" for name, version in rows))
    result = describe(machine)
    assert result["source"] == source
    assert result["packages"] == dict(rows)
    assert result["held"] == []


@pytest.mark.parametrize(
    "path, text, held",
    [
        (
            "/etc/dnf/plugins/versionlock.list",
            "# Added lock on Tue Sep 30 10:00:00 2025\nnvidia-driver-3:580.95.05-1.el9.*\n",
            ["nvidia-driver"],
        ),
        (
            "/etc/dnf/plugins/versionlock.list",
            "*nvidia*580*\n",
            ["kmod-nvidia-open-dkms", "nvidia-driver"],
        ),
        ("/etc/dnf/plugins/versionlock.list", "!nvidia-driver-3:590.44.01-1.el9.*\n", []),
        ("/etc/dnf/plugins/versionlock.list", "nvidia-driver-3:570.10.01-1.el9.*\n", []),
        (
            "/etc/dnf/versionlock.toml",
            'version = "1.0"\n\n[[packages]]\nname = "nvidia-driver"\n[[packages.conditions]]\nkey = "evr"\n',
            ["nvidia-driver"],
        ),
    ],
)
def test_version_locks_of_dnf(machine, path, text, held):
    machine.write(path, text)
    machine.says(
        "rpm -qa",
        f"kmod-nvidia-open-dkms\t580.95.05-1.el9\t(none)\t{RPM_NVIDIA}\nnvidia-driver\t580.95.05-1.el9\t(none)\t{RPM_NVIDIA}\n",
    )
    assert describe(machine)["held"] == held


@pytest.mark.parametrize("program", ["nvidia-uninstall", "nvidia-installer"])
def test_nvidias_installer(machine, program):
    machine.write("/var/lib/dpkg/status").write(f"/usr/bin/{program}")
    machine.says("dpkg-query -S", "", 1, f"dpkg-query: no path found matching pattern /usr/bin/{program}")
    result = describe(machine)
    assert (result["source"], result["sources"]) == ("runfile", ["runfile"])


def test_an_installer_that_a_package_owns(machine):
    machine.write("/var/lib/dpkg/status").write("/usr/bin/nvidia-uninstall")
    machine.says("dpkg-query -S", "nvidia-something: /usr/bin/nvidia-uninstall\n")
    assert describe(machine)["sources"] == []


def test_nvidias_installer_beside_packages(machine):
    dpkg(machine, ("nvidia-kernel-open-dkms", "580.95.05-1", "ii ", DEBIANS)).write("/usr/bin/nvidia-uninstall")
    machine.says("dpkg-query -S", "", 1)
    assert describe(machine)["sources"] == ["distro", "runfile"]


# -- DKMS


@pytest.mark.parametrize(
    "line, expected",
    [
        # as DKMS 2 and 3 have written them in public reports
        (
            "nvidia, 450.102.04, 5.8.0-36-generic, x86_64: installed",
            ("nvidia", "450.102.04", "5.8.0-36-generic", "installed", None),
        ),
        ("nvidia/580.95.05, 6.12.94+deb13-amd64, x86_64: installed", ("nvidia", "580.95.05", OLD, "installed", None)),
        ("nvidia-current-open/550.163.01: added", ("nvidia-current-open", "550.163.01", None, "added", None)),
        ("nvidia, 550.54: added", ("nvidia", "550.54", None, "added", None)),
        (
            "nvidia/580.95.05, 6.8.0-45-generic, aarch64: built",
            ("nvidia", "580.95.05", "6.8.0-45-generic", "built", None),
        ),
        (
            "nvidia, 450.102.04, 5.8.0-36-generic, x86_64: installed"
            " (WARNING! Diff between built and installed module!) (WARNING! Diff between built and installed module!)",
            (
                *("nvidia", "450.102.04", "5.8.0-36-generic", "installed"),
                "WARNING! Diff between built and installed module!",
            ),
        ),
    ],
)
def test_dkms_status(machine, line, expected):
    machine.write("/var/lib/dkms/nvidia/x")
    machine.says(
        "dkms status",
        f"rtl8812au, 4.2.2, 4.13.0-25-generic, x86_64: built\n{line}\nnvidia-fs/2.25, {OLD}, x86_64: installed\n",
    )
    names = ("name", "version", "kernel", "state", "note")
    assert describe(machine)["dkms"] == [dict(zip(names, expected))]


def test_dkms_without_a_driver_is_not_asked(machine):
    machine.write("/var/lib/dkms/rtl8812au/x").says("dkms status", "rtl8812au/4.2.2: added\n")
    assert describe(machine)["dkms"] == []
    assert ("dkms", "status") not in machine.calls


# -- firmware and services

VARIABLE = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"


@pytest.mark.parametrize(
    "content, enabled", [(b"\x06\0\0\0\x01", True), (b"\x06\0\0\0\0", False), (b"", False), (None, False)]
)
def test_secure_boot(machine, content, enabled):
    if content is not None:
        machine.write(VARIABLE, content)
    assert describe(machine)["secure_boot"] == {"enabled": enabled, "key": None, "enrolled": None}


@pytest.mark.parametrize("key", ["/var/lib/dkms/mok.pub", "/var/lib/shim-signed/mok/MOK.der"])
@pytest.mark.parametrize(
    "answer, enrolled",
    [
        ("{key} is already enrolled\n", True),
        ("{key} is not enrolled\n", False),
        ("{key} is already in the enrollment request\n", False),
        ("EFI variables are not supported on this system\n", None),
    ],
)
def test_the_key_of_dkms(machine, key, answer, enrolled):
    machine.write(VARIABLE, b"\x06\0\0\0\x01").write(key).says(f"mokutil --test-key {key}", answer.format(key=key), 1)
    assert describe(machine)["secure_boot"] == {"enabled": True, "key": key, "enrolled": enrolled}


def test_the_key_of_dkms_without_mokutil(machine):
    machine.write(VARIABLE, b"\x06\0\0\0\x01").write("/var/lib/dkms/mok.pub")
    assert describe(machine)["secure_boot"]["enrolled"] is None


@pytest.mark.parametrize("answer, persistence", [("active\n", True), ("inactive\n", False), ("failed\n", False)])
def test_persistence(machine, answer, persistence):
    machine.write("/usr/lib/systemd/system/nvidia-persistenced.service")
    machine.says("systemctl is-active nvidia-persistenced.service", answer, 0 if persistence else 3)
    assert describe(machine)["persistence"] is persistence


# -- all of it


def test_a_machine_without_anything(machine):
    assert describe(machine) == {
        "loaded": None,
        "running_kernel": OLD,
        "boot_kernel": None,
        "boots_without_driver": False,
        "kernels": [],
        "source": None,
        "sources": [],
        "packages": {},
        "held": [],
        "broken": [],
        "dkms": [],
        "nouveau": False,
        "secure_boot": {"enabled": False, "key": None, "enrolled": None},
        "userspace_version": None,
        "persistence": None,
        "action": "none",
        "reboot_required": False,
        "reason": "No NVIDIA driver is installed.",
        "hint": "",
    }
    assert {command[0] for command in machine.calls} <= {"grubby", "rpm"}


def decision(machine):
    result = describe(machine)
    return result["action"], result["reboot_required"], result["boots_without_driver"]


def test_an_upgrade_that_waits_for_a_reboot(machine):
    machine.kernel(OLD, "updates/dkms/nvidia.ko.xz", "580.95.05").loaded("580.65.06", OPEN_TEXT)
    assert decision(machine) == ("reboot", True, False)


def test_the_failed_build_of_debian_13(machine):
    """The kernel that apt upgrade brought boots next and has no module: everything works, until a reboot."""
    machine.kernel(OLD, "updates/dkms/nvidia.ko.xz", "580.65.06").kernel(NEW).loaded("580.65.06", OPEN_TEXT)
    machine.write(f"/boot/vmlinuz-{OLD}").write(f"/boot/vmlinuz-{NEW}")
    assert decision(machine) == ("none", False, True)


def test_the_failed_build_on_a_host_that_waits_for_a_reboot(machine):
    machine.kernel(OLD, "updates/dkms/nvidia.ko.xz", "580.95.05").kernel(NEW).loaded("580.65.06", OPEN_TEXT)
    machine.write(f"/boot/vmlinuz-{OLD}").write(f"/boot/vmlinuz-{NEW}")
    assert decision(machine) == ("reboot", True, True)
    assert NEW in describe(machine)["hint"]


def test_a_driver_that_was_built_for_the_newer_kernel_only(machine):
    machine.kernel(OLD).kernel(NEW, "updates/dkms/nvidia.ko.xz", "580.65.06").write(f"/boot/vmlinuz-{NEW}")
    assert decision(machine) == ("reboot", True, False)


def test_a_driver_that_was_built_for_no_kernel(machine):
    machine.kernel(OLD).kernel(NEW).write("/var/lib/dkms/nvidia/x").says("dkms status", "nvidia/580.65.06: added\n")
    assert decision(machine) == ("build", False, True)


def test_a_fresh_driver_beside_nouveau(machine):
    machine.kernel(OLD, "updates/dkms/nvidia.ko.xz", "580.65.06").write("/sys/module/nouveau/initstate", "live\n")
    assert decision(machine) == ("reboot", True, False)


def test_a_fresh_driver(machine):
    machine.kernel(OLD, "updates/dkms/nvidia.ko.xz", "580.65.06")
    assert decision(machine) == ("load", False, False)


def test_another_flavour_of_the_same_version(machine):
    machine.kernel(OLD, "updates/dkms/nvidia.ko.xz", "580.65.06", "NVIDIA").loaded("580.65.06", OPEN_TEXT)
    assert decision(machine) == ("reboot", True, False)


def test_libraries_that_went_ahead(machine):
    """As after an upgrade whose build failed: the old module stayed on disk."""
    machine.kernel(OLD, "updates/dkms/nvidia.ko.xz", "580.65.06").loaded("580.65.06", OPEN_TEXT)
    machine.write("/usr/lib64/libnvidia-ml.so.580.95.05")
    assert decision(machine) == ("build", False, True)


def test_the_next_kernel_kept_an_older_module_than_the_libraries(machine):
    """The upgrade was built for the running kernel only."""
    for release, version in ((OLD, "580.95.05"), (NEW, "580.65.06")):
        machine.kernel(release, "updates/dkms/nvidia.ko.xz", version).write(f"/boot/vmlinuz-{release}")
    machine.loaded("580.95.05", OPEN_TEXT).write("/usr/lib64/libnvidia-ml.so.580.95.05")
    assert decision(machine) == ("none", False, True)
