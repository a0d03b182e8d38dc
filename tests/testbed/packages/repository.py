# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signed package lists of flat repositories, as NVIDIA has them."""

from __future__ import annotations

import gzip
import pathlib
import subprocess

OWNER = "selfhosted.llm testbed"


def make_key() -> str:
    """Make the key that signs everything; return its public half."""
    subprocess.run(
        ["gpg", "--batch", "--passphrase=", "--quick-generate-key", OWNER, "rsa3072", "sign", "never"], check=True
    )
    return _output("gpg", "--armor", "--export", OWNER)


def list_packages(folder: pathlib.Path, origin: str) -> None:
    """Write Packages and Release for the packages in the folder."""
    packages = _output("apt-ftparchive", "packages", ".", cwd=folder)
    (folder / "Packages").write_text(packages)
    (folder / "Packages.gz").write_bytes(gzip.compress(packages.encode()))
    names = [f"--option=APT::FTPArchive::Release::{name}={origin}" for name in ("Origin", "Label")]
    release = _output("apt-ftparchive", *names, "release", ".", cwd=folder)
    (folder / "Release").write_text(release)


def sign(folder: pathlib.Path) -> None:
    for options in (["--clearsign", "--output=InRelease"], ["--detach-sign", "--armor", "--output=Release.gpg"]):
        subprocess.run(["gpg", "--batch", "--yes", *options, "Release"], check=True, cwd=folder)


def _output(*command: str, cwd: pathlib.Path | None = None) -> str:
    return subprocess.run(command, check=True, cwd=cwd, capture_output=True, text=True).stdout
