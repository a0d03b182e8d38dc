# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Debian packages made from text."""

from __future__ import annotations

import dataclasses
import pathlib
import subprocess
import tempfile
import typing as t

SOURCES = pathlib.Path(__file__).parent / "sources"
PROGRAM = ("usr/bin/", "usr/sbin/", "scripts/sign-file")


@dataclasses.dataclass(frozen=True)
class Package:
    """A package. ``files`` has contents by path; one that begins with ``-> `` is a link. ``fields`` are those of
    Debian's control file, ``scripts`` the maintainer scripts."""

    name: str
    version: str
    files: t.Mapping[str, str | bytes] = dataclasses.field(default_factory=dict)
    fields: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    scripts: t.Mapping[str, str] = dataclasses.field(default_factory=dict)


def build(package: Package, folder: pathlib.Path) -> None:
    """Write the .deb into the folder."""
    fields = {
        "Package": package.name,
        "Version": package.version,
        "Architecture": "amd64",
        "Maintainer": "selfhosted.llm testbed <testbed@example.com>",
        "Description": "stub of the testbed",
        **package.fields,
    }
    with tempfile.TemporaryDirectory() as scratch:
        root = pathlib.Path(scratch)
        root.chmod(0o755)
        for name, content in package.files.items():
            _write(root / name, content, any(part in name for part in PROGRAM))
        _write(root / "DEBIAN/control", "".join(f"{name}: {value}\n" for name, value in fields.items()), False)
        for name, text in package.scripts.items():
            _write(root / "DEBIAN" / name, text, True)
        # Speed matters, not size.
        options = ["--root-owner-group", "-Zgzip", "-z1"]
        subprocess.run(["dpkg-deb", *options, "--build", root, folder], check=True, stdout=subprocess.DEVNULL)


def _write(path: pathlib.Path, content: str | bytes, executable: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = content.encode() if isinstance(content, str) else content
    if content.startswith(b"-> "):
        path.symlink_to(content[3:].decode())
        return
    path.write_bytes(content)
    path.chmod(0o755 if executable else 0o644)


def tree(folder: str, **values: str) -> dict[str, str]:
    """The files below a folder of ``sources``, with @NAME@ replaced by the value of that name."""
    top = SOURCES / folder
    files = {}
    for path in sorted(path for path in top.rglob("*") if path.is_file()):
        text = path.read_text()
        for name, value in values.items():
            text = text.replace(f"@{name}@", value)
        # A program in Python goes without its suffix.
        name = str(path.relative_to(top))
        files[name.removesuffix(".py")] = f"#!/usr/bin/python3\n{text}" if name.endswith(".py") else text
    return files
