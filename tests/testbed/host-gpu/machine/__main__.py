# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The machine's commands: power-on for its early unit, modprobe and update-initramfs, and hardware for people."""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import subprocess
import sys
import uuid

from machine import efi, hardware, kernel

RUN = pathlib.Path("/run/testbed")
OURS = {*kernel.NVIDIA, "nouveau"}


def power_on() -> None:
    """Put the machine's own trees in the place of the real ones, and boot."""
    RUN.mkdir(parents=True, exist_ok=True)
    (RUN / "boot_id").write_text(f"{uuid.uuid4()}\n")
    _mount("--bind", RUN / "boot_id", "/proc/sys/kernel/random/boot_id")
    # Docker reads the real modules' parameters: they stay, below another name.
    real = RUN / "modules"
    real.mkdir()
    _mount("--bind", kernel.MODULES, real)
    for folder in (kernel.MODULES, "/sys/bus/pci", "/proc/driver", "/sys/firmware"):
        _mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", folder)
    for path in real.iterdir():
        if path.name not in OURS:
            (kernel.MODULES / path.name).symlink_to(path)
    efi.make(hardware.read())
    kernel.settle()
    kernel.boot()


def _mount(*arguments: object) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True)


# Of modprobe: what only asks, and what removes.
QUESTIONS = ({"n", "D", "c", "R"}, {"--dry-run", "--show-depends", "--showconfig", "--resolve-alias"})
REMOVALS = ({"r"}, {"--remove"})


def modprobe(words: list[str]) -> int:
    """Load or remove what is ours; whatever else is asked for is the real program's business."""
    names = [word for word in words if not word.startswith("-")]
    letters = {letter for word in words if word.startswith("-") and not word.startswith("--") for letter in word[1:]}

    def has(options: tuple[set[str], set[str]]) -> bool:
        return bool(letters & options[0] or set(words) & options[1])

    if has(QUESTIONS) or not any(name.replace("-", "_") in OURS for name in names):
        os.execv("/usr/sbin/modprobe.real", ["modprobe", *words])
    remove, several = has(REMOVALS), has(({"a"}, {"--all"}))
    for name in names if remove or several else names[:1]:
        try:
            if remove:
                kernel.unload(name)
            else:
                kernel.load(name)
        except kernel.Refused as error:
            what = f"could not {'remove' if remove else 'insert'} '{name}'"
            missing = str(error).startswith("Module ")
            print(f"modprobe: FATAL: {error}" if missing else f"modprobe: ERROR: {what}: {error}", file=sys.stderr)
            return 1
    return 0


def update_initramfs(words: list[str]) -> int:
    """-u, -c or -d, of one kernel (-k) or of all."""
    chosen = words[words.index("-k") + 1] if "-k" in words else "all"
    for image in sorted(pathlib.Path("/boot").glob("vmlinuz-*")):
        release = image.name.partition("-")[2]
        initrd = image.with_name(f"initrd.img-{release}")
        if chosen in ("all", release):
            print(f"update-initramfs: Generating {initrd}")
            initrd.write_text(kernel.initramfs())
    return 0


def change(settings: list[str]) -> int:
    state = hardware.read()
    for setting in settings:
        name, _equals, value = setting.partition("=")
        name = name.replace("-", "_")
        if name not in state:
            print(f"no such setting: {name}; there are {', '.join(state)}", file=sys.stderr)
            return 2
        try:
            state[name] = hardware.parsed(name, value)
        except ValueError as error:
            print(error, file=sys.stderr)
            return 2
    if state["enrolled"]:
        efi.enroll()
    hardware.write(state)
    efi.make(state)
    kernel.settle()
    return 0


def take_away() -> int:
    """Take the GPUs from every running container, as a reload of systemd can; a container made anew has them again."""
    containers = subprocess.run(["docker", "ps", "-q"], check=True, capture_output=True, text=True).stdout.split()
    for container in containers:
        remove = ["docker", "exec", "--user=0", container, "sh", "-c", "rm -f /dev/nvidia*"]
        subprocess.run(remove, check=True)
    return 0


def mokutil(words: list[str]) -> int:
    """Two questions; the real program answers the second one with 1 for yes."""
    state = hardware.read()
    if state["secure_boot"] == "none":
        print("EFI variables are not supported on this system", file=sys.stderr)
        return 255
    if words == ["--sb-state"]:
        print("SecureBoot enabled" if state["secure_boot"] == "on" else "SecureBoot disabled")
        return 0
    if words[:1] != ["--test-key"] or not pathlib.Path(words[1]).exists():
        print("the testbed's mokutil knows --sb-state and --test-key FILE", file=sys.stderr)
        return 255
    known = state["enrolled"] and pathlib.Path(words[1]).read_bytes() == efi.ENROLLED.read_bytes()
    print(f"{words[1]} is {'already' if known else 'not'} enrolled")
    return int(known)


def hardware_command(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="hardware", description="Show or change what this machine pretends to have.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("show", help="what it has, as JSON")
    setting = verbs.add_parser("set", help="change it, at once; loaded modules stay until they are unloaded")
    setting.add_argument("settings", nargs="+", metavar="NAME=VALUE", help=", ".join(hardware.DEFAULT))
    verbs.add_parser("take-away", help="take the GPUs from the running containers until they are made anew")
    chosen = parser.parse_args(words)
    if chosen.verb == "set":
        return change(chosen.settings)
    if chosen.verb == "take-away":
        return take_away()
    print(json.dumps({**hardware.read(), "driver": kernel.driver()}, indent=2))
    return 0


def main() -> int:
    program, *words = sys.argv[1:]
    if program == "power-on":
        power_on()
        return 0
    programs = {
        "modprobe": modprobe,
        "update-initramfs": update_initramfs,
        "mokutil": mokutil,
        "hardware": hardware_command,
    }
    return programs[program](words)


if __name__ == "__main__":
    sys.exit(main())
