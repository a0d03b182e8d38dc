# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds the stub packages: a kernel for a host, or the repositories that a fleet's hosts use."""

from __future__ import annotations

import concurrent.futures
import pathlib
import sys

import debs
import driver
import kernels
import repository
import toolkit

# As NVIDIA's servers have them; Debian's own part is what its archive has for the kernels of the hosts.
DRIVERS = "compute/cuda/repos/debian13/x86_64"
DRIVERS_KEY = f"{DRIVERS}/8793F200.pub"
TOOLKIT = "libnvidia-container/stable/deb/amd64"
TOOLKIT_KEY = "libnvidia-container/gpgkey"
DEBIAN = "debian"


def main() -> None:
    what, release, folder = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
    if what == "kernel":
        debs.build(kernels.image(release), folder)
    else:
        repositories(release, folder)


def repositories(release: str, folder: pathlib.Path) -> None:
    newer = kernels.following(release)
    contents = {
        DRIVERS: driver.packages(),
        TOOLKIT: toolkit.packages(),
        DEBIAN: [kernels.headers(release, newer=False), kernels.image(newer), kernels.headers(newer, newer=True)],
    }
    key = repository.make_key()
    for path, packages in contents.items():
        (folder / path).mkdir(parents=True)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            list(pool.map(debs.build, packages, [folder / path] * len(packages)))
        repository.list_packages(folder / path, "Debian" if path == DEBIAN else "NVIDIA")
        if path != DEBIAN:
            repository.sign(folder / path)
    for path in (DRIVERS_KEY, TOOLKIT_KEY):
        (folder / path).write_text(key)


if __name__ == "__main__":
    main()
