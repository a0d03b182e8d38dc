# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role makes of a host: packages, refusals, and when a host is right. Worked out by Ansible itself."""

from __future__ import annotations

import base64
import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml

ROLE = Path(__file__).resolve().parents[3] / "roles/nvidia_driver"
KERNEL = "6.12.94+deb13-amd64"
SYSTEMS = {
    "debian12": ("Debian", "Debian", "12", "12.11"),
    "debian13": ("Debian", "Debian", "13", "13.1"),
    "ubuntu2204": ("Ubuntu", "Debian", "22", "22.04"),
    "ubuntu2404": ("Ubuntu", "Debian", "24", "24.04"),
    "ubuntu2604": ("Ubuntu", "Debian", "26", "26.04"),
    "rocky9": ("Rocky", "RedHat", "9", "9.6"),
    "rhel10": ("RedHat", "RedHat", "10", "10.1"),
    "alma10": ("AlmaLinux", "RedHat", "10", "10.1"),
    "fedora43": ("Fedora", "RedHat", "43", "43"),
}
GPUS = {
    "h100": ("2330", "hopper", ["open", "proprietary"]),
    "p100": ("15f8", "pascal", ["proprietary"]),
    "b200": ("2901", "blackwell", ["open"]),
    "newer": ("3fff", None, ["open"]),
    "older": ("1000", None, []),
}
Evaluate = t.Callable[[str, dict[str, t.Any]], t.Any]


def facts(system: str, architecture: str = "x86_64", **more: t.Any) -> dict[str, t.Any]:
    distribution, family, major, version = SYSTEMS[system]
    return {
        "distribution": distribution,
        "os_family": family,
        "distribution_major_version": major,
        "distribution_version": version,
        "architecture": architecture,
        **more,
    }


def found(gpus: str = "h100", nvswitches: int = 0, **driver: t.Any) -> dict[str, t.Any]:
    """What nvidia_gpu_info says of a host without a driver, apart from what is given."""
    kernel: dict[str, t.Any] = {
        "release": KERNEL,
        "version": None,
        "flavour": None,
        "files": [],
        "running": True,
        "boots": True,
    }
    return {
        "pci": {
            "gpus": [
                {"usable": GPUS[name][2] != [], "name": f"NVIDIA {name}", "address": f"0000:{number:02x}:00.0"}
                | dict(zip(("device_id", "architecture", "flavours"), GPUS[name]))
                for number, name in enumerate(gpus.split())
            ],
            "nvswitches": [{"address": "0000:f0:00.0"}] * nvswitches,
        },
        "driver": {
            "loaded": None,
            "running_kernel": KERNEL,
            "boot_kernel": KERNEL,
            "boots_without_driver": False,
            "kernels": [kernel | {"headers": True}],
            "sources": [],
            "packages": {},
            "held": [],
            "broken": [],
            "dkms": [],
            "nouveau": False,
            "secure_boot": {"enabled": False, "key": None, "enrolled": None},
            "persistence": None,
            "action": "none",
            "reason": "",
            "hint": "",
            **driver,
        },
    }


@pytest.fixture
def evaluated(evaluate: t.Callable[..., t.Any]) -> Evaluate:
    """The value of an expression on a host of this file."""

    def evaluated(expression: str, host: dict[str, t.Any]) -> t.Any:
        names = {"facts": "ansible_facts", "found": "__nvidia_gpu_info"}
        return evaluate("nvidia_driver", expression, {names.get(name, name): value for name, value in host.items()})

    return evaluated


DEBIAN = ["nvidia-driver-cuda", "nvidia-persistenced", "nvidia-modprobe"]
UBUNTU_580 = ["libnvidia-compute-580", "libnvidia-cfg1-580", "nvidia-utils-580", "nvidia-compute-utils-580"]
UBUNTU_590 = ["libnvidia-compute", "libnvidia-cfg1", "nvidia-persistenced"]
SERVER = "nvidia-headless-no-dkms-580-server", "nvidia-utils-580-server", "nvidia-compute-utils-580-server"
DEBIAN_OWN = ["nvidia-smi", "libcuda1", "libnvidia-cfg1"]
TESLA = ["nvidia-tesla-535-smi", "libnvidia-tesla-535-cuda1", "libnvidia-tesla-535-cfg1"]
# system, source, branch, flavour -> the package with the kernel module, the others, DKMS' name, the stream
ROWS: list[tuple[str, str, str, str, str, list[str], str, str | None]] = [
    ("debian12", "nvidia", "580", "open", "nvidia-kernel-open-dkms", DEBIAN, "nvidia", None),
    ("debian12", "nvidia", "580", "proprietary", "nvidia-kernel-dkms", DEBIAN, "nvidia", None),
    ("debian13", "nvidia", "590", "open", "nvidia-kernel-open-dkms", DEBIAN, "nvidia", None),
    ("debian13", "nvidia", "615.71.09", "proprietary", "nvidia-kernel-dkms", DEBIAN, "nvidia", None),
    ("debian12", "distro", "535", "open", "nvidia-open-kernel-dkms", DEBIAN_OWN, "nvidia-current-open", None),
    ("debian12", "distro", "535", "proprietary", "nvidia-kernel-dkms", DEBIAN_OWN, "nvidia-current", None),
    ("debian13", "distro", "550", "open", "nvidia-open-kernel-dkms", DEBIAN_OWN, "nvidia-current-open", None),
    ("debian13", "distro", "550", "proprietary", "nvidia-kernel-dkms", DEBIAN_OWN, "nvidia-current", None),
    ("debian13", "distro", "535", "proprietary", "nvidia-tesla-535-kernel-dkms", TESLA, "nvidia-tesla-535", None),
    ("ubuntu2204", "nvidia", "580", "open", "nvidia-dkms-580-open", UBUNTU_580, "nvidia", None),
    ("ubuntu2404", "nvidia", "580.95.05", "proprietary", "nvidia-dkms-580", UBUNTU_580, "nvidia", None),
    ("ubuntu2404", "nvidia", "590", "open", "nvidia-dkms-open", UBUNTU_590, "nvidia", None),
    ("ubuntu2604", "nvidia", "615", "proprietary", "nvidia-dkms", UBUNTU_590, "nvidia", None),
    ("ubuntu2204", "distro", "580", "open", f"{SERVER[0]}-open", list(SERVER[1:]), "", None),
    ("ubuntu2604", "distro", "580", "proprietary", SERVER[0], list(SERVER[1:]), "", None),
    ("rocky9", "nvidia", "580", "open", "kmod-nvidia-open-dkms", DEBIAN, "nvidia", "580-open"),
    ("rocky9", "nvidia", "580", "proprietary", "kmod-nvidia-latest-dkms", DEBIAN, "nvidia", "580-dkms"),
    ("rhel10", "nvidia", "620", "open", "kmod-nvidia-open-dkms", DEBIAN, "nvidia", None),
    ("rhel10", "nvidia", "580", "proprietary", "kmod-nvidia-latest-dkms", DEBIAN, "nvidia", None),
    ("alma10", "distro", "610", "open", "nvidia-driver-cuda", DEBIAN, "", None),
]


def settings(system: str, source: str, branch: str, flavour: str = "auto", gpus: str = "h100", **more: t.Any) -> t.Any:
    return {
        "facts": facts(system),
        "nvidia_driver_source": source,
        "nvidia_driver_branch": branch,
        "nvidia_driver_flavour": flavour,
        "found": found(gpus, **more),
    }


@pytest.mark.parametrize("expected", ROWS, ids=lambda row: "-".join(row[:4]))
def test_row(evaluated: Evaluate, expected: t.Any) -> None:
    *host, kernel_package, others, dkms, stream = expected
    row = evaluated("__nvidia_driver_row", settings(*host))
    assert row["kernel_package"] == kernel_package
    assert set(row["packages"]) == {kernel_package, *others}
    assert (row["dkms"], row.get("stream")) == (dkms, stream)
    assert row["module"] == (dkms or "nvidia")


def test_every_row_of_the_table_is_met(evaluated: Evaluate) -> None:
    rows = [evaluated("__nvidia_driver_row", settings(*row[:4])) for row in ROWS]
    table = yaml.safe_load((ROLE / "vars/main/table.yml").read_text())["__nvidia_driver_table"]
    met = {(tuple(row["hosts"]), row["source"], row["flavour"], row["first"], row["last"]) for row in rows}
    assert met == {(tuple(row["hosts"]), row["source"], row["flavour"], row["first"], row["last"]) for row in table}


@pytest.mark.parametrize(
    "host",
    [
        ("debian13", "nvidia", "620", "proprietary"),
        ("debian13", "distro", "580", "open"),
        ("ubuntu2404", "distro", "620", "proprietary"),
        ("rocky9", "distro", "580", "open"),
        ("rhel10", "nvidia", "620", "proprietary"),
        ("fedora43", "nvidia", "580", "open"),
    ],
    ids="-".join,
)
def test_what_has_no_row(evaluated: Evaluate, host: t.Any) -> None:
    assert evaluated("__nvidia_driver_row", settings(*host)) == {}


def test_the_repository_and_the_commands(evaluated: Evaluate) -> None:
    url = "https://developer.download.nvidia.com/compute/cuda/repos"
    arm = {**settings("ubuntu2404", "nvidia", "580"), "facts": facts("ubuntu2404", "aarch64")}
    mirror = {"nvidia_driver_repository_url": "https://mirror.example.com/cuda"}
    own_key = {"nvidia_driver_repository_key_url": "https://mirror.example.com/key.pub"}
    expected: list[tuple[str, dict[str, t.Any], t.Any]] = [
        ("__nvidia_driver_key", settings("debian13", "nvidia", "580"), f"{url}/debian13/x86_64/8793F200.pub"),
        ("__nvidia_driver_key", settings("rocky9", "nvidia", "580"), f"{url}/rhel9/x86_64/D42D0685.pub"),
        (
            "__nvidia_driver_key",
            {**settings("rhel10", "nvidia", "580"), **mirror},
            "https://mirror.example.com/cuda/rhel10/x86_64/CDF6BA43.pub",
        ),
        (
            "__nvidia_driver_key",
            {**settings("rhel10", "nvidia", "580"), **mirror, **own_key},
            "https://mirror.example.com/key.pub",
        ),
        ("__nvidia_driver_repository", arm, f"{url}/ubuntu2404/sbsa"),
        (
            "__nvidia_driver_command.versions",
            settings("debian13", "nvidia", "580"),
            ["apt-cache", "madison", "nvidia-kernel-open-dkms"],
        ),
        (
            "__nvidia_driver_command.versions[-1]",
            settings("rocky9", "nvidia", "580"),
            "kmod-nvidia-open-dkms-580.*",
        ),
        (
            "__nvidia_driver_command.versions[-1]",
            settings("rocky9", "nvidia", "580.95.05"),
            "kmod-nvidia-open-dkms-580.95.05",
        ),
    ]
    assert [evaluated(name, host) for name, host, _value in expected] == [value for _name, _host, value in expected]


def test_the_flavour(evaluated: Evaluate) -> None:
    chosen = {
        ("h100", "auto"): "open",
        ("h100", "proprietary"): "proprietary",
        ("p100", "auto"): "proprietary",
        ("p100 h100", "auto"): "proprietary",
        ("b200 h100", "auto"): "open",
        ("newer", "auto"): "open",
    }
    assert chosen == {
        (gpus, wish): evaluated("__nvidia_driver_flavour", settings("debian13", "nvidia", "580", wish, gpus))
        for gpus, wish in chosen
    }


MADISON = """ nvidia-kernel-open-dkms | 590.44.01-1 | http://mirror/debian13/x86_64  Packages
 nvidia-kernel-open-dkms | 580.105.08-1 | http://mirror/debian13/x86_64  Packages
 nvidia-kernel-open-dkms | 3:580.95.05-1 | http://mirror/debian13/x86_64  Packages
 nvidia-kernel-open-dkms | 58.1-1 | http://mirror/debian13/x86_64  Packages
"""


def test_the_newest_version(evaluated: Evaluate) -> None:
    newest = {
        "580": "580.105.08",
        "590": "590.44.01",
        "595": "",
        "580.95": "",
        "580.95.05": "580.95.05",
        "580.9": "",
    }
    asked = {"__nvidia_driver_asked": {"stdout": MADISON}}
    assert newest == {
        branch: evaluated("__nvidia_driver_newest", {**settings("debian13", "nvidia", branch), **asked})
        for branch in newest
    }
    # What dnf prints for one package.
    rpm = {"__nvidia_driver_asked": {"stdout": "| 580.105.08-"}}
    assert evaluated("__nvidia_driver_newest", {**settings("rocky9", "nvidia", "580"), **rpm}) == "580.105.08"


def test_versions_that_nvidia_does_not_offer(evaluated: Evaluate) -> None:
    """Ubuntu's archive has packages of the same names; the address of a mirror may be another one than ours."""
    place = "https://developer.download.nvidia.com/compute/cuda/repos/ubuntu2404/x86_64  Packages"
    ubuntus = (
        " nvidia-dkms-580 | 580.126.09-0ubuntu0.24.04.1 | http://archive.ubuntu.com/ubuntu noble-updates/restricted"
    )
    nvidias = f" nvidia-dkms-580 | 580.105.08-0ubuntu1 | {place}\n nvidia-dkms-580 | 580.95.05-0ubuntu1 | {place}"
    mirrors = nvidias.replace("developer.download.nvidia.com", "mirror.example.com")
    hosts = [
        ("nvidia", f"{ubuntus}\n{nvidias}", ["580.105.08", "580.95.05"]),
        ("nvidia", f"{ubuntus}\n{mirrors}", ["580.126.09", "580.105.08", "580.95.05"]),
        ("distro", f"{ubuntus}\n{nvidias}", ["580.126.09", "580.105.08", "580.95.05"]),
    ]
    for source, text, versions in hosts:
        host = {**settings("ubuntu2404", source, "580"), "__nvidia_driver_asked": {"stdout": text}}
        assert evaluated("__nvidia_driver_offered", host) == versions


PIN = "Package: *nvidia*\nPin: version 580.105.08-*\nPin-Priority: 1100\n"
UBUNTUS_LAST = "Package: *nvidia*\nPin: release o=Ubuntu\nPin-Priority: 400\n"


def test_what_apt_prefers(evaluated: Evaluate) -> None:
    template = f"lookup('ansible.builtin.template', '{ROLE}/templates/preferences.j2')"
    # The first stanza that fits a version counts.
    expected = {("nvidia", "580.105.08"): f"{UBUNTUS_LAST}\n{PIN}", ("distro", "580.105.08"): PIN, ("nvidia", ""): ""}
    for (source, pinned), stanzas in expected.items():
        text = evaluated(template, {**settings("ubuntu2404", source, "580"), "__nvidia_driver_pinned": pinned})
        assert text.split("needs a reboot.\n", 1)[1] == stanzas


URI = "https://developer.download.nvidia.com/compute/cuda/repos/debian13/x86_64/"
OTHER = "Types: deb\nURIs: https://example.com/\nSuites: ./\nEnabled: no\n"
LISTS = {
    "one-line.list": (True, f"\n# cuda\ndeb [signed-by=/usr/share/keyrings/cuda.gpg] {URI} /\n"),
    "commented.list": (False, f"deb https://example.com/ ./\n# deb {URI} /\n"),
    "deb822.sources": (True, f"Types: deb\nURIs: {URI}\nSuites: /\n"),
    "enabled.sources": (True, f"Types: deb\nURIs: {URI}\nSuites: /\nEnabled: yes\n"),
    "disabled.sources": (False, f"Types: deb\nURIs: {URI}\nSuites: /\nEnabled: no\n"),
    "disabled-first.sources": (False, f"enabled: false\nTypes: deb\nURIs: {URI}\nSuites: /\n"),
    "another-disabled.sources": (True, f"{OTHER}\nTypes: deb\nURIs: {URI}\nSuites: /\n\n{OTHER}"),
    "another.sources": (False, "Types: deb\nURIs: https://example.com/\nSuites: ./\n"),
    "copy.save": (False, f"deb {URI} /\n"),
}


def test_lists_that_name_the_repository_already(evaluated: Evaluate, tmp_path: Path) -> None:
    tasks = yaml.safe_load((ROLE / "tasks/repository_debian.yml").read_text())
    (look,) = (task for task in tasks if task.get("register") == "__nvidia_driver_lists")
    pattern = evaluated("__nvidia_driver_stanza", settings("debian13", "nvidia", "580"))
    folder = tmp_path / "apt"
    folder.mkdir()
    for name, (_names_it, text) in LISTS.items():
        (folder / name).write_text(text)
    command = [
        {"{{ __nvidia_driver_stanza }}": pattern, "/etc/apt": str(folder)}.get(word, word)
        for word in look["ansible.builtin.command"]["argv"]
    ]
    done = subprocess.run(command, text=True, capture_output=True, check=True)
    assert {Path(line).name for line in done.stdout.splitlines()} == {
        name for name, (names_it, _text) in LISTS.items() if names_it
    }


INSTALLED = {
    "nvidia-driver-cuda": "580.95.05-1",
    "nvidia-kernel-open-dkms": "580.95.05-1",
    "nvidia-persistenced": "580.95.05-1",
    "nvidia-modprobe": "580.95.05-1",
    "libcuda1": "580.95.05-1",
}
HELD = [name for name in INSTALLED if name != "libcuda1"]
RIGHT: t.Any = {"packages": INSTALLED, "held": HELD, "persistence": True, "sources": ["nvidia"]}


@pytest.mark.parametrize("branch", ["580", "580.95.05"])
def test_a_host_that_is_right_is_left_alone(evaluated: Evaluate, branch: str) -> None:
    right = settings("debian13", "nvidia", branch, **RIGHT)
    switches = settings("debian13", "nvidia", branch, nvswitches=4, **RIGHT)
    fabric = {
        **RIGHT,
        "packages": {**INSTALLED, "nvidia-fabricmanager": "580.95.05-1", "libnvidia-nscq": "580.95.05-1"},
    }
    fabric["held"] = [name for name in fabric["packages"] if name != "libcuda1"]
    wrong = {
        "right": (False, right),
        "a reboot waits": (
            False,
            settings("debian13", "nvidia", branch, **{**RIGHT, "action": "reboot", "persistence": False}),
        ),
        "somebody else's driver": (
            False,
            {**settings("debian13", "preinstalled", branch), "nvidia_driver_state": "latest"},
        ),
        "with the Fabric Manager": (False, settings("debian13", "nvidia", branch, nvswitches=4, **fabric)),
        "without the Fabric Manager": (True, switches),
        "another version": (True, settings("debian13", "nvidia", "580.65.06", **RIGHT)),
        "another branch": (True, settings("debian13", "nvidia", "590", **RIGHT)),
        "another flavour": (True, settings("debian13", "nvidia", branch, "proprietary", **RIGHT)),
        "the newest is wanted": (True, {**right, "nvidia_driver_state": "latest"}),
        "not held": (True, settings("debian13", "nvidia", branch, **{**RIGHT, "held": HELD[1:]})),
        "half installed": (True, settings("debian13", "nvidia", branch, **{**RIGHT, "broken": ["nvidia-driver-cuda"]})),
        "two versions": (
            True,
            settings(
                "debian13", "nvidia", branch, **{**RIGHT, "packages": {**INSTALLED, "nvidia-modprobe": "580.65.06-1"}}
            ),
        ),
        "two flavours": (
            True,
            settings(
                "debian13",
                "nvidia",
                branch,
                **{**RIGHT, "packages": {**INSTALLED, "nvidia-kernel-dkms": "580.95.05-1"}},
            ),
        ),
        "not loaded": (True, settings("debian13", "nvidia", branch, **{**RIGHT, "action": "load"})),
        "not built": (True, settings("debian13", "nvidia", branch, **{**RIGHT, "action": "build"})),
        "no persistence": (True, settings("debian13", "nvidia", branch, **{**RIGHT, "persistence": False})),
        "nothing": (True, settings("debian13", "nvidia", branch)),
    }
    found = {name: evaluated("__nvidia_driver_wrong", variables) for name, (_expected, variables) in wrong.items()}
    assert found == {name: expected for name, (expected, _variables) in wrong.items()}


NEXT = "6.12.107+deb13-amd64"


def test_a_next_kernel_that_the_role_can_give_a_driver(evaluated: Evaluate) -> None:
    """Only where what it lacks is to be had: otherwise every run would try the same again."""
    kernels = [{"release": KERNEL, "headers": True}, {"release": NEXT, "headers": False}]
    pending: t.Any = {**RIGHT, "boot_kernel": NEXT, "boots_without_driver": True, "kernels": kernels}
    built = [kernels[0], {"release": NEXT, "headers": True}]
    offered = {
        "__nvidia_driver_headers_offered": {"stdout_lines": [f"linux-headers-{NEXT}", f"linux-headers-{KERNEL}"]}
    }
    others = {"__nvidia_driver_headers_offered": {"stdout_lines": [f"linux-headers-{KERNEL}"]}}
    server = ["nvidia-headless-no-dkms-580-server-open", "nvidia-utils-580-server", "nvidia-compute-utils-580-server"]
    modules = [f"linux-modules-nvidia-580-server-open-{kernel}" for kernel in (KERNEL, NEXT)]

    def ubuntu(names: list[str], **more: t.Any) -> dict[str, t.Any]:
        state = {"packages": dict.fromkeys(names, "580.95.05-1"), "held": server, "sources": ["distro"], **more}
        return settings("ubuntu2404", "distro", "580", **{**pending, **state})

    hosts = {
        "its headers are in a repository": (True, {**settings("debian13", "nvidia", "580", **pending), **offered}),
        "its headers are nowhere": (False, {**settings("debian13", "nvidia", "580", **pending), **others}),
        "nobody asked for them": (False, settings("debian13", "nvidia", "580", **pending)),
        "its headers are there": (
            False,
            {**settings("debian13", "nvidia", "580", **{**pending, "kernels": built}), **offered},
        ),
        "it has the driver": (
            False,
            {**settings("debian13", "nvidia", "580", **{**pending, "boots_without_driver": False}), **offered},
        ),
        "somebody else's driver": (False, {**settings("debian13", "preinstalled", "580", **pending), **offered}),
        "a module from the distribution": (True, ubuntu([*server, modules[0]])),
        "the module is there and does not help": (False, ubuntu([*server, *modules])),
        "nothing lacks": (False, ubuntu([*server, modules[0]], boots_without_driver=False)),
    }
    found = {name: evaluated("__nvidia_driver_wrong", variables) for name, (_expected, variables) in hosts.items()}
    assert found == {name: expected for name, (expected, _variables) in hosts.items()}


def test_what_stays_pinned_when_an_installation_fails(evaluated: Evaluate) -> None:
    bare = settings("debian13", "nvidia", "590")
    other_flavour = settings("debian13", "nvidia", "590", "proprietary", **RIGHT)
    packages = {"nvidia-dkms-580-open": "580.95.05-0ubuntu1"}
    renamed = settings("ubuntu2404", "nvidia", "580", "proprietary", packages=packages)
    former = [evaluated("__nvidia_driver_former", host) for host in (bare, other_flavour, renamed)]
    assert former == ["", "580.95.05", "580.95.05"]


SECURE: t.Any = {"enabled": True, "key": "/var/lib/dkms/mok.pub", "enrolled": False}
FULL = [{"mount": "/", "size_available": 50 << 30}, {"mount": "/boot", "size_available": 40 << 20}]
LOADED: t.Any = {"version": "580.95.05", "flavour": "open"}
# The rule that refuses, words of its message, and the host.
REFUSED: list[tuple[str, str, dict[str, t.Any]]] = [
    ("an NVIDIA GPU", "There is no NVIDIA GPU on localhost", settings("debian13", "nvidia", "580", gpus="")),
    ("the branch", 'is "latest". Give a branch such as "580"', settings("debian13", "nvidia", "latest")),
    (
        "the preinstalled driver",
        "Install one, or set nvidia_driver_source to nvidia",
        settings("debian13", "preinstalled", "580"),
    ),
    ("the driver's installer", "(nvidia-uninstall)", settings("debian13", "nvidia", "580", sources=["runfile"])),
    (
        "one source",
        "from distro and nvidia, which",
        settings("debian13", "nvidia", "580", sources=["distro", "nvidia"]),
    ),
    ("the distribution", "Fedora 43", settings("fedora43", "nvidia", "580")),
    ("the distribution", "Rocky 9.6", settings("rocky9", "distro", "580")),
    ("the distribution's branch", "(it has 550)", settings("debian13", "distro", "580", "open")),
    ("the distribution's branch", "(it has 580 or newer)", settings("debian13", "nvidia", "535")),
    (
        "the flavour of the branch",
        'set nvidia_driver_branch to "580"',
        settings("debian13", "nvidia", "620", "proprietary"),
    ),
    (
        "a flavour for every GPU",
        "open kernel modules do not drive NVIDIA p100 at 0000:00:00.0",
        settings("debian13", "nvidia", "580", "open", "p100"),
    ),
    (
        "a flavour for every GPU",
        "No flavour drives all its GPUs",
        settings("debian13", "nvidia", "580", gpus="p100 b200"),
    ),
    ("an NVIDIA GPU", "no NVIDIA GPU on localhost", settings("debian13", "nvidia", "580", gpus="older")),
    (
        "a branch for every GPU",
        "NVIDIA p100 at 0000:00:00.0 (it needs branch 580 or older)",
        settings("debian13", "nvidia", "590", gpus="p100"),
    ),
    (
        "a branch for every GPU",
        "NVIDIA b200 at 0000:00:00.0 (it needs branch 570 or newer)",
        settings("debian13", "distro", "550", gpus="b200"),
    ),
    (
        "Secure Boot",
        "Enrol it (mokutil --import /var/lib/dkms/mok.pub",
        settings("debian13", "nvidia", "580", secure_boot=SECURE),
    ),
    (
        "Secure Boot",
        "(update-secureboot-policy --new-key) and enrol it (mokutil --import /var/lib/shim-signed/mok/MOK.der",
        settings("ubuntu2404", "nvidia", "580", secure_boot={**SECURE, "key": None, "enrolled": None}),
    ),
    (
        "space",
        "/boot has 40.00 MB free and needs 100.00 MB",
        {**settings("debian13", "nvidia", "580"), "facts": facts("debian13", mounts=FULL)},
    ),
]
ACCEPTED: dict[str, dict[str, t.Any]] = {
    "bare": settings("debian13", "nvidia", "580"),
    "two generations": settings("debian13", "nvidia", "580", gpus="p100 h100"),
    "a GPU newer than the table": settings("debian13", "nvidia", "580", gpus="newer b200"),
    "a number for the branch": {**settings("debian13", "nvidia", "580"), "nvidia_driver_branch": 580},
    "signed by the distribution": settings("ubuntu2404", "distro", "580", secure_boot=SECURE),
    "the key is enrolled": settings("debian13", "nvidia", "580", secure_boot={**SECURE, "enrolled": True}),
    "the firmware has taken it": settings(
        "debian13", "nvidia", "580", secure_boot=SECURE, loaded=LOADED, dkms=[{"name": "nvidia"}]
    ),
    "installed by hand": settings("debian13", "preinstalled", "535", sources=["runfile"], gpus="p100"),
    "a distribution without rows": settings("fedora43", "preinstalled", "580", loaded=LOADED),
    "full, and nothing to install": {
        **settings("debian13", "nvidia", "580", **RIGHT),
        "facts": facts("debian13", mounts=FULL),
    },
}
REFUSALS = "__nvidia_driver_rules | rejectattr('that') | list"


@pytest.mark.parametrize(("rule", "words", "host"), REFUSED, ids=[f"{rule}: {words}" for rule, words, _host in REFUSED])
def test_what_is_refused_before_anything_is_changed(
    evaluated: Evaluate, rule: str, words: str, host: dict[str, t.Any]
) -> None:
    refusals = {refusal["name"]: refusal["msg"] for refusal in evaluated(REFUSALS, host)}
    assert rule in refusals
    assert words in refusals[rule]


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_is_accepted(evaluated: Evaluate, name: str) -> None:
    assert evaluated(REFUSALS, ACCEPTED[name]) == []


def test_gpus_that_do_not_come_back(evaluated: Evaluate) -> None:
    before = found("h100 h100 h100")["pci"]["gpus"]
    answering = [{"address": "0000:00:00.0", "lost": False}, {"address": "0000:01:00.0", "lost": True}]
    host = {**settings("debian13", "nvidia", "580"), "__nvidia_driver_expected": before}
    after = {**host, "found": {**found(), "gpus": answering}}
    healthy = {**host, "found": {**found(), "gpus": [{"address": gpu["address"], "lost": False} for gpu in before]}}
    assert [evaluated("__nvidia_driver_missing or ''", one) for one in (after, healthy, host)] == [
        "NVIDIA h100 at 0000:01:00.0, NVIDIA h100 at 0000:02:00.0",
        "",
        "",
    ]


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        ({"address": "0000:01:00.0"}, "NVIDIA h100 at 0000:01:00.0"),
        ({"index": 1}, "1 of 2 GPUs (which, it is not known)"),
    ],
    ids=["address", "number"],
)
def test_a_lost_gpu_of_which_only_the_list_tells(evaluated: Evaluate, bad: dict[str, t.Any], named: str) -> None:
    """The short list of nvidia-smi has no addresses of those that answer."""
    words = "Unable to determine the device handle for gpu 1: GPU is lost.  Reboot the system to recover this GPU"
    listed = [
        {"index": 0, "uuid": "GPU-12345678-1234-1234-1234-123456780000", "name": "NVIDIA H100", "lost": False},
        {**bad, "lost": True, "error": "GPU is lost.  Reboot the system to recover this GPU"},
    ]
    expected = found("h100 h100")
    host = {**settings("debian13", "nvidia", "580"), "__nvidia_driver_expected": expected["pci"]["gpus"]}
    after = {**host, "found": {**expected, "gpus": listed, "smi": {"error": words}}}
    problem = evaluated("__nvidia_driver_reboot_problem", after)
    assert problem.startswith(f"No answer any more from {named} (nvidia-smi: {words}). Look at the log of the kernel")


def test_what_is_never_rebooted(evaluated: Evaluate) -> None:
    (refuse,) = (task for task in yaml.safe_load((ROLE / "tasks/reboot_refuse.yml").read_text()) if "loop" in task)
    rules = {rule["name"]: rule["that"].strip("{} ") for rule in refuse["loop"]}
    here, there = "11111111-aaaa", "22222222-bbbb"
    no_kernel = {"boots_without_driver": True}
    reason = {"__nvidia_driver_guard_reason": "It has no module."}
    hosts: dict[str, tuple[list[str], dict[str, t.Any], dict[str, t.Any]]] = {
        "as usual": ([], {}, {}),
        "no driver for the next kernel": (["the kernel that boots"], no_kernel, {}),
        "the same, unguarded": (["the kernel that boots"], no_kernel, {"nvidia_driver_kernel_guard": "off"}),
        "a kernel that comes": (["the kernel that boots"], {"boot_kernel": "6.12.90+deb13-amd64"}, reason),
        "a kernel that has come": ([], {}, reason),
        "the controller": (["the controller"], {}, {"boot": here}),
        "a local connection": (["the controller"], {}, {"ansible_connection": "local"}),
        "nobody wants it": (["nvidia_driver_reboot"], {}, {"nvidia_driver_reboot": "fail"}),
    }
    refused = {}
    for name, (_expected, driver, variables) in hosts.items():
        boot = base64.b64encode(f"{variables.get('boot', there)}\n".encode()).decode()
        known = {
            "ansible_connection": "ssh",
            "__nvidia_driver_boot": {"content": boot},
            "__nvidia_driver_controller_boot": here,
        }
        host = {**settings("debian13", "nvidia", "580", **driver), **known, **variables}
        refused[name] = [rule for rule, that in rules.items() if not evaluated(f"({that}) | bool", host)]
    assert refused == {name: expected for name, (expected, _driver, _variables) in hosts.items()}


def test_the_kernels_for_which_dkms_builds_in_the_end(evaluated: Evaluate) -> None:
    tasks = yaml.safe_load((ROLE / "tasks/settle.yml").read_text(encoding="utf-8"))
    template = next(task["vars"]["__kernels"] for task in tasks if "__kernels" in task.get("vars", {}))
    expression = template.strip().removeprefix("{{").removesuffix("}}")

    def kernel(release: str, version: str | None, headers: bool = True) -> dict[str, t.Any]:
        return {"release": release, "version": version, "headers": headers}

    boots, third = "6.12.107+deb13-amd64", kernel("6.1.0-40-amd64", None)
    done, bare = kernel(KERNEL, "580.95.05"), kernel(boots, None)
    hosts = [
        ([], {"kernels": [done, third]}),
        ([boots], {"kernels": [bare, done, third], "boot_kernel": boots}),
        ([], {"kernels": [kernel(boots, None, headers=False), done], "boot_kernel": boots}),
        # Its module is there and of another version than the libraries, or its headers are not known.
        ([KERNEL], {"kernels": [done], "action": "build"}),
        ([KERNEL], {"kernels": [kernel(KERNEL, None, headers=False)], "action": "build"}),
        ([KERNEL], {"kernels": [kernel(KERNEL, None)], "action": "build"}),
        ([boots, KERNEL], {"kernels": [bare, kernel(KERNEL, None)], "boot_kernel": boots, "action": "build"}),
    ]
    for kernels, driver in hosts:
        assert evaluated(expression, settings("debian13", "nvidia", "580", **driver)) == kernels


@pytest.mark.parametrize("folder", ["bin", "sbin"])
def test_the_initramfs_is_written_wherever_the_program_lies(evaluated: Evaluate, folder: str, tmp_path: Path) -> None:
    """Fedora and its kin have moved dracut to /usr/bin."""
    tasks = yaml.safe_load((ROLE / "tasks/nouveau.yml").read_text(encoding="utf-8"))
    pattern = next(task["ansible.builtin.command"]["removes"] for task in tasks if "initramfs" in task["name"])
    expression = f"'{pattern}'".replace("{{", "' ~ (").replace("}}", ") ~ '")
    found = evaluated(expression, settings("rhel10", "nvidia", "580"))
    program = tmp_path / f"usr/{folder}/dracut"
    program.parent.mkdir(parents=True)
    program.touch()
    assert [str(path) for path in tmp_path.glob(found.lstrip("/"))] == [str(program)]
