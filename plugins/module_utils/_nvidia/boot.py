# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""Which kernel the boot loader will start, as far as its files tell it."""

from __future__ import annotations

import fnmatch
import os
import re

from ansible_collections.selfhosted.llm.plugins.module_utils._nvidia.host import Host, version_key

GRUB = ("/boot/grub", "/boot/grub2")
LOADER = ("/boot/loader", "/efi/loader", "/boot/efi/loader")
# What systemd-boot was told to start, once and by default; they win over its configuration file.
LOADER_VARIABLES = tuple(
    f"/sys/firmware/efi/efivars/{name}-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
    for name in ("LoaderEntryOneShot", "LoaderEntryDefault")
)
RELEASE = re.compile(r"vmlinu[xz]-(\d\S*)")
MENU = re.compile(
    r"""(menuentry|submenu)\s+(?:'([^']*)'|"([^"]*)")(?:.*(?:\$menuentry_id_option|--id)\s+['"]?([^'"\s{]+))?"""
)


def boot_kernel(host: Host) -> str | None:
    """The release of the kernel that boots next.

    Where no boot loader tells it, as to users who must not read its files, it is the newest kernel in /boot, and None
    where there is none (a container, or a virtual machine whose kernel comes from outside).
    """
    return _from_grub(host) or _from_systemd_boot(host) or _from_grubby(host) or _newest(host)


class _Menu:
    """An entry of GRUB's menu, or a submenu with entries of its own."""

    def __init__(self, title: str, entry_id: str) -> None:
        self.names = (title, entry_id)
        self.entries: list[_Menu] = []
        self.kernel = ""

    def find(self, name: str) -> _Menu | None:
        """The entry with this number, title or id."""
        if name.isdigit() and int(name) < len(self.entries):
            return self.entries[int(name)]
        return next((entry for entry in self.entries if name in entry.names), None)

    def chosen(self, path: list[str]) -> str:
        """The kernel of the entry at the path of numbers, titles or ids; GRUB takes the first where it finds none."""
        if not self.entries:
            return self.kernel
        entry = self.find(path[0]) if path else None
        return entry.chosen(path[1:]) if entry else self.entries[0].chosen([])


def _from_grub(host: Host) -> str | None:
    config = next(filter(None, (host.read(f"{path}/grub.cfg") for path in GRUB)), "")
    environment = dict(
        line.split("=", 1) for path in GRUB for line in host.read(f"{path}/grubenv").splitlines() if "=" in line
    )
    defaults = re.findall(r"""^\s*set default=["']?(.*?)["']?\s*$""", config, re.MULTILINE)
    default = next((value for value in reversed(defaults) if "next_entry" not in value), "0")
    if "saved_entry" in default or not config:
        default = environment.get("saved_entry") or "0"
    default = environment.get("next_entry") or default
    if re.search(r"^\s*blscfg\b", config, re.MULTILINE) or (not config and environment):
        return _from_entries(_entries(host, LOADER[0]), default)
    kernel = _menu(config).chosen(default.split(">"))
    return _release(host, kernel) if kernel else None


def _menu(config: str) -> _Menu:
    root = _Menu("", "")
    stack = [root]
    for line in config.splitlines():
        words = line.strip()
        match = MENU.match(words)
        if match:
            entry = _Menu(match.group(2) or match.group(3) or "", match.group(4) or "")
            stack[-1].entries.append(entry)
            stack.append(entry)
        elif words.endswith("{"):
            stack.append(_Menu("", ""))
        elif words == "}" and len(stack) > 1:
            stack.pop()
        elif re.match(r"linux(16|efi)?\s", words):
            stack[-1].kernel = words.split()[1]
    return root


def _release(host: Host, path: str) -> str | None:
    """The release in the name of a kernel, which may be a link in a partition of its own."""
    match = RELEASE.search(path) or RELEASE.search(host.resolve(f"/boot/{os.path.basename(path)}"))
    match = match or RELEASE.search(host.resolve(path))
    return match.group(1) if match else None


def _entries(host: Host, loader: str) -> list[dict[str, str]]:
    """The entries after the Boot Loader Specification, the newest kernel first."""
    entries = []
    for name in host.names(f"{loader}/entries"):
        if name.endswith(".conf"):
            text = host.read(f"{loader}/entries/{name}")
            entry = dict(re.findall(r"^(\w[\w-]*)\s+(.*?)\s*$", text, re.MULTILINE))
            # The loader counts its attempts in the name of the file.
            entry["id"] = re.sub(r"\+\d+(-\d+)?$", "", name[: -len(".conf")])
            match = RELEASE.search(entry.get("linux", ""))
            entry["release"] = match.group(1) if match else entry.get("version", "")
            entries.append(entry)
    return sorted(entries, key=lambda entry: version_key(entry["release"]), reverse=True)


def _from_entries(entries: list[dict[str, str]], default: str) -> str | None:
    if default.isdigit() and int(default) < len(entries):
        return entries[int(default)]["release"] or None
    named = [entry for entry in entries if default in (entry["id"], entry.get("title"))]
    return next((entry["release"] or None for entry in [*named, *entries]), None)


def _from_systemd_boot(host: Host) -> str | None:
    for loader in LOADER:
        entries = _entries(host, loader)
        if entries:
            configured = re.search(r"^default\s+(\S+)", host.read(f"{loader}/loader.conf"), re.MULTILINE)
            # Four bytes of attributes come before the UTF-16 text of a variable.
            patterns = [host.read(path)[4:].replace("\0", "") for path in LOADER_VARIABLES]
            for pattern in [*patterns, configured.group(1) if configured else ""]:
                for entry in entries:
                    if fnmatch.fnmatch(f"{entry['id']}.conf", pattern) or fnmatch.fnmatch(entry["id"], pattern):
                        return entry["release"] or None
            return entries[0]["release"] or None
    return None


def _from_grubby(host: Host) -> str | None:
    said = host.run("grubby", "--default-kernel")
    match = RELEASE.search(said.out) if said else None
    return match.group(1) if match else None


def _newest(host: Host) -> str | None:
    releases = [match.group(1) for match in map(RELEASE.fullmatch, host.names("/boot")) if match]
    return max(releases, key=version_key, default=None)
