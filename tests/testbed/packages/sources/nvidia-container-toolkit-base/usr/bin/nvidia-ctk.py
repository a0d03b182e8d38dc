# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of nvidia-ctk that a host with CDI needs: cdi generate, cdi list, system create-device-nodes."""

from __future__ import annotations

import glob
import os
import re
import subprocess
import sys
import typing as t

VERSION = "@VERSION@"
LIBRARIES = "/usr/lib/x86_64-linux-gnu"
DIRECTORIES = "/etc/cdi,/var/run/cdi"
CONTROL = ("nvidia-modeset", "nvidia-uvm", "nvidia-uvm-tools", "nvidiactl")
# Where nvidia-smi in a container finds what the driver answers.
ANSWERS = "/run/testbed/driver"
SPEC = """\
---
cdiVersion: 0.5.0
kind: nvidia.com/gpu
devices:
{devices}containerEdits:
    env:
        - NVIDIA_CTK_LIBCUDA_DIR={libraries}
        - NVIDIA_VISIBLE_DEVICES=void
    deviceNodes:
{nodes}    mounts:
{mounts}"""
DEVICE = """\
    - name: {name}
      containerEdits:
        deviceNodes:
{nodes}"""


def say(level: str, text: str) -> None:
    print(f'time="2026-11-22T17:45:07Z" level={level} msg="{text}"', file=sys.stderr)


def items(indent: int, entries: t.Iterable[list[str]]) -> str:
    """A YAML list of mappings, each given as its lines."""
    margin = " " * indent
    return "".join(
        f"{margin}{'- ' if not number else '  '}{line}\n" for lines in entries for number, line in enumerate(lines)
    )


def node(name: str) -> list[str]:
    device = os.stat(f"/dev/{name}").st_rdev
    minor = [f"minor: {os.minor(device)}"] if os.minor(device) else []
    place = [f"path: /dev/{name}", f"hostPath: /dev/{name}", f"major: {os.major(device)}"]
    return [*place, *minor, "fileMode: 438", "permissions: rwm"]


def mount(path: str) -> list[str]:
    options = [f"  - {word}" for word in ("ro", "nosuid", "nodev", "rbind", "rprivate")]
    return [f"hostPath: {path}", f"containerPath: {path}", "options:", *options]


def gpus(listing: str) -> t.Iterator[tuple[str, str]]:
    """Names of CDI devices, each with the index of its GPU: indexes and UUIDs, of MIG instances too."""
    index = ""
    for line in listing.splitlines():
        if found := re.match(r"GPU (\d+): .*\(UUID: (.*)\)", line):
            index = found[1]
            yield index, index
            yield found[2], index
        elif found := re.match(r"  MIG .* Device +(\d+): \(UUID: (.*)\)", line):
            yield f"{index}:{found[1]}", index
            yield found[2], index


def specification(listing: str) -> str:
    named = dict(gpus(listing))
    devices = {name: [index] for name, index in sorted(named.items())}
    devices["all"] = sorted(set(named.values()))
    libraries = [
        path for path in glob.glob(f"{LIBRARIES}/lib*.so.*.*") if re.search(r"/lib(cuda|nvidia-[a-z]+)\.", path)
    ]
    return SPEC.format(
        devices="".join(
            DEVICE.format(
                name=f'"{name}"' if name[0].isdigit() else name,
                nodes=items(12, (node(f"nvidia{index}") for index in indexes)),
            )
            for name, indexes in devices.items()
        ),
        libraries=LIBRARIES,
        nodes=items(8, (node(name) for name in CONTROL if os.path.exists(f"/dev/{name}"))),
        mounts=items(8, (mount(path) for path in ["/usr/bin/nvidia-smi", *sorted(libraries), ANSWERS])),
    )


def generate(options: dict[str, str]) -> int:
    say("info", "Auto-detected mode as 'nvml'")
    reason, listing = "ERROR_LIBRARY_NOT_FOUND", ""
    if os.path.exists("/usr/bin/nvidia-smi"):
        asked = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
        listing = "" if asked.returncode else asked.stdout
        reason = "Driver/library version mismatch" if asked.returncode == 18 else "Driver Not Loaded"
    if not listing:
        what = "failed to create device CDI specs: failed to construct device spec generators"
        say("error", f"failed to generate CDI spec: {what}: failed to initialize NVML: {reason}")
        return 1
    output = options.get("output") or os.environ.get("NVIDIA_CTK_CDI_OUTPUT_FILE_PATH")
    if not output:
        print(specification(listing), end="")
        return 0
    os.makedirs(os.path.dirname(output), exist_ok=True)
    with open(f"{output}.new", "w", encoding="utf-8") as file:
        file.write(specification(listing))
    os.replace(f"{output}.new", output)
    say("info", "Generated CDI spec with version 0.5.0")
    return 0


def names(options: dict[str, str]) -> int:
    found = set()
    for folder in options.get("spec-dir", DIRECTORIES).split(","):
        for path in glob.glob(f"{folder}/*.yaml"):
            with open(path, encoding="utf-8") as file:
                text = file.read()
            for kind in re.findall(r"^kind: (.*)$", text, re.MULTILINE):
                found.update(f"{kind}={name}" for name in re.findall(r'^ *- name: "?([^"\n]*)', text, re.MULTILINE))
    say("info", f"Found {len(found)} CDI devices")
    print("".join(f"{name}\n" for name in sorted(found)), end="")
    return 0


def main() -> int:
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    pairs = [word.lstrip("-").partition("=") for word in sys.argv[1:] if word.startswith("-")]
    options = {name: value for name, _separator, value in pairs}
    if "version" in options:
        print(f"NVIDIA Container Toolkit CLI version {VERSION}\ncommit: 0000000000000000000000000000000000000000")
        return 0
    if words[:2] == ["cdi", "generate"]:
        return generate(options)
    if words[:2] == ["cdi", "list"]:
        return names(options)
    if words[:2] == ["system", "create-device-nodes"]:
        # The testbed's kernel makes them itself.
        return 0
    print(f"the testbed's nvidia-ctk does not know: {' '.join(sys.argv[1:])}", file=sys.stderr)
    return 1


sys.exit(main())
