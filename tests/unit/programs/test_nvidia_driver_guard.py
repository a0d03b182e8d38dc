# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kernels for which a DKMS driver builds or not. The logs and the menu are recordings of Debian 13."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import types
import typing as t
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
RECORDINGS = ROOT / "tests/unit/fixtures/nvidia/dkms"
OLD, NEW = "6.12.94+deb13-amd64", "6.12.107+deb13-amd64"
MODULE, VERSION = "nvidia-current-open", "550.163.01"
ERROR = "nvidia/nv-pci.c:237:9: error: too few arguments to function 'pci_resize_resource'"
ENTRY = "gnulinux-advanced-{0}>gnulinux-" + OLD + "-advanced-{0}"
ENTRY = ENTRY.format("6a7c2f1e-0000-4000-8000-000000000001")
FOUND = [
    {"release": NEW, "version": None, "headers": True},
    {"release": OLD, "version": VERSION, "headers": True},
]
KERNEL_PACKAGES = [f"linux-headers-{NEW}", "linux-headers-amd64", f"linux-image-{NEW}", "linux-image-amd64"]


class Host:
    """A Debian host below a directory, whose programs answer what the test says and note how they were called."""

    def __init__(self, kernels: types.ModuleType, root: Path) -> None:
        self.kernels = kernels
        self.root = root
        self.called: list[str] = []
        self.held: set[str] = set()
        self.unconfigured: set[str] = set()
        self.does_not_build = {NEW}
        for kernel in (OLD, NEW):
            self.write(f"boot/vmlinuz-{kernel}")
            self.write(f"lib/modules/{kernel}/build/Makefile")
        (root / "var/tmp").mkdir(parents=True)
        self.menu = self.write("boot/grub/grub.cfg", (RECORDINGS / "grub.cfg").read_text())

    def write(self, path: str, text: str = "") -> Path:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)
        return self.root / path

    def failed_build(self) -> Path:
        log = (RECORDINGS / f"make-{NEW.partition('+')[0]}.log").read_text()
        return self.write(f"var/lib/dkms/{MODULE}/{VERSION}/build/make.log", log)

    def run(self, *command: str, check: bool = True, cwd: Path | None = None) -> t.Any:
        self.called.append(" ".join(command[:3]))
        code, out = getattr(self, "run_" + command[0].replace("-", "_"))(list(command), cwd)
        if check:
            return out
        return types.SimpleNamespace(returncode=code, stdout=out, stderr="" if code == 0 else "Error! It failed\n")

    def run_apt_get(self, command: list[str], cwd: Path | None) -> tuple[int, str]:
        if "download" in command:
            assert cwd is not None
            (cwd / "package.deb").write_text("")
        return 0, ""

    def run_dpkg_deb(self, command: list[str], cwd: Path | None) -> tuple[int, str]:
        conf = Path(command[-1]) / f"usr/src/{MODULE}-{VERSION}/dkms.conf"
        conf.parent.mkdir(parents=True)
        conf.write_text(f'PACKAGE_NAME="{MODULE}"\nPACKAGE_VERSION="{VERSION}"\n')
        return 0, ""

    def run_dkms(self, command: list[str], cwd: Path | None) -> tuple[int, str]:
        kernel = command[command.index("-k") + 1]
        if command[1] == "mktarball":
            Path(command[-1]).write_text(kernel)
        elif kernel in self.does_not_build:
            log = Path(command[command.index("--dkmstree") + 1]) / MODULE / VERSION / "build/make.log"
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_text((RECORDINGS / "make-6.12.107.log").read_text())
            return 10, ""
        return 0, ""

    def run_dpkg_query(self, command: list[str], cwd: Path | None) -> tuple[int, str]:
        if "--search" in command:
            owners = {
                f"/boot/vmlinuz-{NEW}": f"linux-image-{NEW}",
                f"/lib/modules/{NEW}/build": f"linux-headers-{NEW}",
                f"/usr/src/{MODULE}-{VERSION}/dkms.conf": "nvidia-open-kernel-dkms",
            }
            return 0, "".join(f"{owners[path]}: {path}\n" for path in command[2:])
        if "linux-*" in command:
            depends = {
                f"linux-image-{NEW}": "kmod, initramfs-tools (>= 0.120+deb8u2) | linux-initramfs-tool",
                f"linux-image-{OLD}": "kmod, initramfs-tools (>= 0.120+deb8u2) | linux-initramfs-tool",
                f"linux-headers-{NEW}": f"linux-image-{NEW} (= 6.12.107-1), linux-kbuild-6.12.107+deb13",
                f"linux-headers-{OLD}": f"linux-image-{OLD} (= 6.12.94-1), linux-kbuild-6.12.94+deb13",
                "linux-image-amd64": f"linux-image-{NEW} (= 6.12.107-1)",
                "linux-headers-amd64": f"linux-headers-{NEW} (= 6.12.107-1)",
                "linux-libc-dev": "",
            }
            return 0, "".join(f"{package} {words}\n" for package, words in depends.items())
        return (
            0,
            "".join(f"half-configured {package}\n" for package in sorted(self.unconfigured)) + "installed base-files\n",
        )

    def run_dpkg(self, command: list[str], cwd: Path | None) -> tuple[int, str]:
        assert command == ["dpkg", "--configure", "--pending"]
        # What the installed module does not build for stays unconfigured, unless dkms was told to leave it out.
        if (self.root / f"etc/dkms/{MODULE}-{VERSION}-{NEW}.conf").exists():
            self.unconfigured = set()
            return 0, ""
        self.failed_build()
        return 1, ""

    def run_apt_mark(self, command: list[str], cwd: Path | None) -> tuple[int, str]:
        if command[1] == "hold":
            self.held |= set(command[2:])
        elif command[1] == "unhold":
            self.held -= set(command[2:])
        return 0, "".join(f"{package}\n" for package in sorted(self.held))

    def run_update_grub(self, command: list[str], cwd: Path | None) -> tuple[int, str]:
        ours = self.root / self.kernels.GRUB_DEFAULT
        default = ours.read_text().rpartition("GRUB_DEFAULT=")[2].strip().strip('"') if ours.exists() else "0"
        recorded = (RECORDINGS / "grub.cfg").read_text()
        assert '   set default="0"\n' in recorded
        self.menu.write_text(recorded.replace('   set default="0"\n', f'   set default="{default}"\n'))
        return 0, ""

    def guard(
        self,
        policy: str,
        found: list[dict[str, t.Any]] | None = None,
        check: bool = False,
        boot: str = NEW,
        userspace: str | None = None,
    ) -> dict[str, t.Any]:
        return self.kernels.guard(self.root, policy, boot, FOUND if found is None else found, userspace, check)

    def trial(self, hold: bool = False, boot: str = NEW) -> dict[str, t.Any]:
        return self.kernels.trial(self.root, f"nvidia-open-kernel-dkms={VERSION}-*", boot, OLD, hold)

    def record(self) -> t.Any:
        path = self.root / self.kernels.RECORD
        return json.loads(path.read_text()) if path.exists() else None

    def files(self, folder: str) -> list[str]:
        return sorted(path.name for path in (self.root / folder).rglob("*") if path.is_file())


@pytest.fixture
def kernels() -> types.ModuleType:
    spec = importlib.util.spec_from_file_location("kernels", ROOT / "roles/nvidia_driver/files/kernels.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def host(kernels: types.ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(kernels, tmp_path)
    monkeypatch.setattr(kernels, "run", host.run)
    monkeypatch.setattr(kernels.shutil, "which", lambda name: None if name == "grubby" else name)
    return host


def test_releases_are_sorted_as_numbers(kernels: types.ModuleType) -> None:
    releases = [NEW, OLD, "6.12.9+deb13-amd64", "6.8.0-100-generic", "6.8.0-99-generic"]
    assert sorted(releases, key=kernels.release_key) == [
        "6.8.0-99-generic",
        "6.8.0-100-generic",
        "6.12.9+deb13-amd64",
        OLD,
        NEW,
    ]


@pytest.mark.parametrize(
    ("log", "line"),
    [
        ((RECORDINGS / "make-6.12.107.log").read_text(), ERROR),
        ("cc -Wno-error\nmake: *** No rule to make target.  Stop.\n", "make: *** No rule to make target.  Stop."),
        ("cc -Wno-error\n", "the build was cut off"),
    ],
    ids=["compiler", "make", "neither"],
)
def test_the_first_error_is_the_one_that_counts(kernels: types.ModuleType, log: str, line: str) -> None:
    assert kernels.compiler_line(log) == line


def test_grub_finds_the_entry_in_its_submenu(kernels: types.ModuleType) -> None:
    menu = (RECORDINGS / "grub.cfg").read_text()
    assert kernels.grub_entry(menu, OLD) == ENTRY
    with pytest.raises(kernels.Failed, match=r"no entry for kernel 6\.12\.9\+deb13-amd64"):
        kernels.grub_entry(menu, "6.12.9+deb13-amd64")


def test_grub_finds_the_entry_where_there_are_no_submenus(kernels: types.ModuleType) -> None:
    menu = (RECORDINGS / "grub.cfg").read_text().replace("\tmenuentry", "menuentry")
    menu = "".join(line for line in menu.splitlines(True) if not line.startswith("submenu"))
    assert kernels.grub_entry(menu, OLD) == ENTRY.partition(">")[2]


class TestTrial:
    def test_a_driver_that_builds_is_compiled_once(self, host: Host) -> None:
        host.does_not_build = set()
        result = host.trial(boot=OLD)
        assert (result["usable"], result["failures"]) == (True, [])
        assert Path(result["prebuilt"]) == host.root / f"usr/share/{MODULE}-dkms/{MODULE}-{VERSION}.dkms.tar.gz"
        assert Path(result["prebuilt"]).read_text() == NEW
        assert host.files("etc") == []
        assert host.files("var") == []

    def test_the_newest_kernel_counts_too(self, host: Host) -> None:
        """The package would build for it, and fail."""
        result = host.trial(boot=OLD)
        assert [failure["kernel"] for failure in result["failures"]] == [NEW]

    def test_a_failure_leaves_nothing_but_its_log(self, host: Host) -> None:
        result = host.trial()
        log = host.root / f"var/log/selfhosted-llm/{MODULE}-{VERSION}-{NEW}.log"
        assert result["failures"] == [{"kernel": NEW, "error": ERROR, "log": str(log)}]
        assert (result["usable"], result["prebuilt"]) == (False, "")
        assert log.read_text() == (RECORDINGS / "make-6.12.107.log").read_text()
        assert [host.files(folder) for folder in ("etc", "usr", "var")] == [[], [], [log.name]]
        # The newest kernel comes first, and minutes are saved.
        assert host.called.count("dkms build -m") == 1

    def test_a_driver_that_builds_makes_way_for_itself(self, host: Host) -> None:
        """What dpkg could not configure with the former module would fail again, and apt with it."""
        host.unconfigured = {f"linux-image-{NEW}"}
        host.failed_build()
        assert not host.trial()["usable"]
        assert host.unconfigured
        host.does_not_build = set()
        assert host.trial()["usable"]
        assert not host.unconfigured

    def test_a_hold_is_content_with_one_kernel(self, host: Host) -> None:
        result = host.trial(hold=True)
        assert result["usable"]
        assert Path(result["prebuilt"]).read_text() == OLD
        assert host.files("etc/dkms") == [f"{MODULE}-{VERSION}-{NEW}.conf"]
        assert 'BUILD_EXCLUSIVE_KERNEL="^$"' in (host.root / f"etc/dkms/{MODULE}-{VERSION}-{NEW}.conf").read_text()

    def test_a_hold_needs_one_kernel(self, host: Host) -> None:
        host.does_not_build = {OLD, NEW}
        result = host.trial(hold=True)
        assert not result["usable"]
        assert [failure["kernel"] for failure in result["failures"]] == [NEW, OLD]
        assert host.files("etc") == host.files("usr") == []

    def test_what_a_hold_left_out_is_tried_again(self, host: Host) -> None:
        """A package may be mended while its module keeps the version."""
        host.trial(hold=True)
        host.does_not_build = set()
        assert host.trial()["usable"]
        assert host.files("etc/dkms") == []

    def test_what_the_user_leaves_out_stays_so(self, host: Host) -> None:
        host.write(f"etc/dkms/{MODULE}-{VERSION}-{NEW}.conf", "# mine\n")
        host.trial()
        assert (host.root / f"etc/dkms/{MODULE}-{VERSION}-{NEW}.conf").read_text() == "# mine\n"


class TestRestore:
    def test_only_what_apt_did_for_the_package_since_then_is_undone(self, host: Host) -> None:
        history = (RECORDINGS / "history.log").read_text()
        history += (
            "\nStart-Date: 2026-11-23  07:00:00\n"
            "Commandline: /usr/bin/apt-get -y install nvidia-open-kernel-dkms=580.95.05-1\n"
            "Install: nvidia-new:amd64 (580.95.05-1), libnew:amd64 (1:2-3, automatic)\n"
            "Upgrade: nvidia-open-kernel-dkms:amd64 (550.163.01-2, 580.95.05-1)\n"
            "Remove: nvidia-old:amd64 (550.163.01-2)\n"
            "Error: Sub-process /usr/bin/dpkg returned an error code (1)\n"
            "End-Date: 2026-11-23  07:03:00\n"
        )
        host.write("var/log/apt/history.log", history)
        commands: list[list[str]] = []
        real = host.run_apt_get
        host.run_apt_get = lambda command, cwd: commands.append(command) or real(command, cwd)  # type: ignore
        result = host.kernels.restore(host.root, "nvidia-open-kernel-dkms", "2026-11-23 06:59:59")
        assert result == {"changed": True, "failures": [], "problem": ""}
        assert sorted(word for word in commands[0][2:] if not word.startswith("--")) == [
            "libnew:amd64-",
            "nvidia-new:amd64-",
            "nvidia-old:amd64=550.163.01-2",
            "nvidia-open-kernel-dkms:amd64=550.163.01-2",
        ]

    def test_nothing_stays_unconfigured(self, host: Host) -> None:
        host.write("var/log/apt/history.log", (RECORDINGS / "history.log").read_text())
        host.unconfigured = {"nvidia-open-kernel-dkms"}
        host.failed_build()
        result = host.kernels.restore(host.root, "nvidia-open-kernel-dkms", "0000")
        assert [failure["error"] for failure in result["failures"]] == [ERROR]
        assert host.unconfigured == set()

    def test_an_older_failure_is_not_taken_for_the_cause(self, host: Host) -> None:
        host.write("var/log/apt/history.log", "")
        host.failed_build()
        assert host.kernels.restore(host.root, "nvidia-open-kernel-dkms", "9999")["failures"] == []

    def test_a_kernel_that_turns_out_not_to_build_is_left_out(self, host: Host) -> None:
        host.write("var/log/apt/history.log", "")
        host.unconfigured = {f"linux-image-{NEW}"}
        host.kernels.restore(host.root, "nvidia-open-kernel-dkms", "0000")
        assert host.called.count("dpkg --configure --pending") == 2
        assert host.unconfigured == set()

    def test_what_cannot_be_configured_is_said(self, host: Host) -> None:
        host.write("var/log/apt/history.log", "")
        host.unconfigured = {"somebody-elses"}
        host.run_dpkg = lambda command, cwd: (1, "")  # type: ignore
        with pytest.raises(host.kernels.Failed, match="dpkg could not configure somebody-elses: Error! It failed"):
            host.kernels.restore(host.root, "nvidia-open-kernel-dkms", "2026-11-23 23:59:59")

    @pytest.mark.parametrize(
        "words",
        [
            "dpkg: error: dpkg frontend lock was locked by another process with pid 4711",
            "dpkg: error: dpkg frontend is locked by another process",
        ],
    )
    def test_somebody_else_who_installs_packages_is_said(
        self, host: Host, monkeypatch: pytest.MonkeyPatch, words: str
    ) -> None:
        host.unconfigured = {"somebody-elses"}
        busy = types.SimpleNamespace(returncode=2, stdout="", stderr=words + chr(10))
        monkeypatch.setattr(
            host.kernels, "run", lambda *command, **more: busy if command[0] == "dpkg" else host.run(*command, **more)
        )
        with pytest.raises(host.kernels.Failed, match=f"^dpkg is busy on this host .{words}.: .*run this again$"):
            host.kernels.configure(host.root)

    def test_apt_waits_for_others(self, host: Host) -> None:
        host.write("var/log/apt/history.log", "")
        commands: list[list[str]] = []
        host.run_apt_get = lambda command, cwd: commands.append(command) or (0, "")  # type: ignore
        host.kernels.restore(host.root, "nvidia-open-kernel-dkms", "0000")
        assert "--option=DPkg::Lock::Timeout=600" in commands[0]


class TestAutoinstall:
    def test_says_what_does_not_build(self, host: Host) -> None:
        def dkms(command: list[str], cwd: Path | None) -> tuple[int, str]:
            assert command[1:3] == ["autoinstall", "-k"]
            if command[3] == OLD:
                return 0, ""
            host.failed_build()
            return 11, ""

        host.run_dkms = dkms  # type: ignore
        log = host.root / f"var/lib/dkms/{MODULE}/{VERSION}/build/make.log"
        assert host.kernels.autoinstall(host.root, [OLD, NEW]) == {
            "problems": [f"kernel {NEW}: nvidia-open-kernel-dkms {VERSION} does not build for it: {ERROR} (log: {log})"]
        }

    def test_gives_the_words_of_dkms_when_nothing_was_built(self, host: Host) -> None:
        host.run_dkms = lambda command, cwd: (21, "")  # type: ignore
        assert host.kernels.autoinstall(host.root, [OLD]) == {"problems": [f"kernel {OLD}: Error! It failed"]}


@pytest.mark.parametrize("name", ["var/lib/dpkg/lock-frontend", "var/lib/rpm/.rpm.lock"])
def test_packages_that_are_being_installed(host: Host, name: str) -> None:
    assert host.kernels.idle(host.root) == {}
    lock = host.write(name)
    assert host.kernels.idle(host.root) == {}
    code = "import fcntl; lock = open({!r}, 'r+'); fcntl.lockf(lock, fcntl.LOCK_EX); print(flush=True); input()"
    command = [sys.executable, "-c", code.format(str(lock))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout and other.stdout.readline()
        with pytest.raises(host.kernels.Failed, match=r"packages are being installed .*run this again"):
            host.kernels.idle(host.root)
        other.communicate(chr(10))
    assert host.kernels.idle(host.root) == {}


class TestReport:
    def test_names_kernel_package_and_reason(self, host: Host) -> None:
        log = host.failed_build()
        host.unconfigured = {f"linux-image-{NEW}"}
        result = host.guard("report")
        assert result["reason"] == (
            f"Kernel {NEW} would boot without an NVIDIA driver: "
            f"nvidia-open-kernel-dkms {VERSION} does not build for it: {ERROR} "
            f"(log: {log}). dpkg could not configure linux-image-{NEW}. Kernel {OLD} has the driver."
        )
        assert (result["changed"], host.record(), host.held) == (False, None, set())

    def test_asks_rpm_where_there_is_no_dpkg(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        host.failed_build()
        host.run_rpm = lambda command, cwd: (0, "kmod-nvidia-open-dkms:")  # type: ignore
        monkeypatch.setattr(host.kernels.shutil, "which", lambda name: name if name == "rpm" else None)
        assert f": kmod-nvidia-open-dkms {VERSION} does not build for it: {ERROR}" in host.guard("report")["reason"]

    def test_knows_when_headers_are_missing(self, host: Host) -> None:
        result = host.guard("report", [{**FOUND[0], "headers": False}, FOUND[1]])
        assert "its headers are not installed" in result["reason"]

    def test_knows_a_kernel_that_is_not_yet_in_the_menu(self, host: Host) -> None:
        """Where dkms fails in the hook of a kernel's package, nobody renews the menu until later."""
        host.failed_build()
        menu = host.menu.read_text()
        host.menu.write_text(menu.replace(NEW, OLD))
        assert host.guard("report", boot=OLD)["reason"].startswith(f"Kernel {NEW} would")
        host.menu.write_text(menu)
        assert host.guard("report", boot=OLD)["reason"] == ""

    def test_a_kernel_that_comes_from_outside_is_named_too(self, host: Host) -> None:
        """As in a virtual machine whose host brings the kernel."""
        for kernel in (OLD, NEW):
            (host.root / f"boot/vmlinuz-{kernel}").unlink()
        result = host.guard("hold", [], boot="6.18.1")
        assert result["reason"].startswith("Kernel 6.18.1 would boot without an NVIDIA driver: its headers are not")

    def test_knows_a_module_that_does_not_fit_the_libraries(self, host: Host) -> None:
        found = [{**FOUND[0], "version": "535.274.02"}, FOUND[1]]
        assert host.guard("report", found, userspace=VERSION)["reason"] == (
            f"Kernel {NEW} would boot without an NVIDIA driver: its module has version 535.274.02, "
            f"which the libraries do not work with. Kernel {OLD} has the driver."
        )

    def test_has_nothing_to_say_when_the_kernel_that_boots_has_the_driver(self, host: Host) -> None:
        assert host.guard("report", [{**FOUND[0], "version": VERSION}, FOUND[1]])["reason"] == ""


class TestHold:
    def test_keeps_the_kernel_that_works(self, host: Host) -> None:
        result = host.guard("hold")
        assert result["changed"]
        assert result["reason"] == ""
        assert f'set default="{ENTRY}"' in host.menu.read_text()
        assert sorted(host.held) == KERNEL_PACKAGES
        assert host.record() == {"kernel": OLD, "packages": KERNEL_PACKAGES}

    def test_a_second_run_changes_nothing(self, host: Host) -> None:
        host.guard("hold")
        host.called.clear()
        assert host.guard("hold") == {"changed": False, "actions": [], "reason": ""}
        assert not {"update-grub", f"apt-mark hold {KERNEL_PACKAGES[0]}"} & set(host.called)

    def test_a_dry_run_predicts(self, host: Host) -> None:
        before = host.menu.read_text()
        result = host.guard("hold", check=True)
        assert (result["changed"], host.record(), host.held) == (True, None, set())
        assert host.menu.read_text() == before
        assert host.guard("hold")["actions"] == result["actions"]

    def test_repairs_what_dpkg_could_not_configure(self, host: Host) -> None:
        host.failed_build()
        host.unconfigured = {f"linux-image-{NEW}", "linux-image-amd64"}
        assert f"configure linux-image-{NEW}, linux-image-amd64" in host.guard("hold")["actions"]
        assert host.unconfigured == set()
        # A kernel's postinst writes the menu: by then the default has to stand.
        assert host.called.index("update-grub") < host.called.index("dpkg --configure --pending")

    def test_lets_go_when_the_newest_kernel_has_the_driver(self, host: Host) -> None:
        host.failed_build()
        host.unconfigured = {f"linux-image-{NEW}"}
        host.guard("hold")
        result = host.guard("hold", [{**FOUND[0], "version": "535.274.02"}, {**FOUND[1], "version": "535.274.02"}])
        assert result["changed"]
        assert (host.held, host.record(), host.files("etc")) == (set(), None, [])
        assert 'set default="0"' in host.menu.read_text()

    def test_stays_when_the_policy_is_only_to_report(self, host: Host) -> None:
        host.guard("hold")
        assert host.guard("report") == {"changed": False, "actions": [], "reason": ""}

    def test_keeps_the_kernel_whose_module_fits(self, host: Host) -> None:
        host.guard("hold", [{**FOUND[0], "version": "535.274.02"}, FOUND[1]], userspace=VERSION)
        assert f'set default="{ENTRY}"' in host.menu.read_text()

    def test_stays_when_no_module_fits(self, host: Host) -> None:
        host.guard("hold")
        assert host.guard("report", userspace="580.95.05")["changed"] is False
        assert host.record() == {"kernel": OLD, "packages": KERNEL_PACKAGES}

    def test_what_the_user_holds_is_not_ours(self, host: Host) -> None:
        host.held = {"linux-image-amd64", "nginx"}
        host.guard("hold")
        assert host.record()["packages"] == [package for package in KERNEL_PACKAGES if package != "linux-image-amd64"]
        host.guard("hold", [{**FOUND[0], "version": VERSION}, FOUND[1]])
        assert host.held == {"linux-image-amd64", "nginx"}

    def test_a_run_that_was_cut_off_is_finished_by_the_next(self, host: Host) -> None:
        host.run_update_grub = lambda command, cwd: (never for never in ()).throw(KeyboardInterrupt)  # type: ignore
        with pytest.raises(KeyboardInterrupt):
            host.guard("hold")
        del host.run_update_grub
        host.guard("hold")
        assert f'set default="{ENTRY}"' in host.menu.read_text()
        assert host.record() == {"kernel": OLD, "packages": KERNEL_PACKAGES}
        host.guard("hold", [{**FOUND[0], "version": VERSION}, FOUND[1]])
        assert host.held == set()

    def test_cannot_hold_where_no_kernel_has_the_driver(self, host: Host) -> None:
        result = host.guard("hold", [FOUND[0], {**FOUND[1], "version": None}])
        assert result["changed"] is False
        assert result["reason"].endswith("No other kernel here has the driver.")

    def test_another_boot_loader_is_left_to_the_user(self, host: Host) -> None:
        host.menu.unlink()
        with pytest.raises(host.kernels.Failed, match=f"make kernel {OLD.replace('+', '.')} the default there"):
            host.guard("hold")
        assert (host.record(), host.held) == (None, set())

    def test_the_red_hat_family_has_grubby(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        host.menu.unlink()
        default = [f"/boot/vmlinuz-{NEW}"]

        def grubby(command: list[str], cwd: Path | None) -> tuple[int, str]:
            if command[1] == "--set-default":
                default[:] = command[2:]
            return 0, f"{default[0]}\n"

        host.run_grubby = grubby  # type: ignore
        monkeypatch.setattr(host.kernels.shutil, "which", lambda name: name if name == "grubby" else None)
        assert host.guard("hold")["actions"] == [f"boot {OLD}"]
        assert default == [f"/boot/vmlinuz-{OLD}"]
        assert host.guard("hold")["changed"] is False
        host.guard("hold", [{**FOUND[0], "version": VERSION}, FOUND[1]])
        assert default == [f"/boot/vmlinuz-{NEW}"]
        assert host.record() is None
