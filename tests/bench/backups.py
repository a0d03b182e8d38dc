# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a backup costs, and a second one of files that have not changed: prints a table of docs/performance.md.

python tests/bench/backups.py --write
"""

from __future__ import annotations

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "unit/roles"))

from backup_service import Service
from page import WRITE_HELP, show

BEGIN, END = "<!-- figures of backups -->\n", "<!-- end of the figures of backups -->\n"
FILES, FILE_BYTES = 500, 2_147_484
CHATS = 2000

Rows = dict[str, str]


def filled(home: pathlib.Path) -> Service:
    service = Service(home)
    for number in range(FILES):
        service.upload(f"{number}.bin", os.urandom(FILE_BYTES))
    for number in range(CHATS):
        service.chat(f"chat {number}")
    return service


def twice(service: Service, label: str) -> tuple[Rows, float]:
    """A backup, and one more, after which nothing has changed."""
    seconds = []
    for _time in range(2):
        # What others still have to write is not ours.
        os.sync()
        started = time.monotonic()
        service.take()
        seconds.append(time.monotonic() - started)
    ratio = seconds[1] / seconds[0]
    rows = {
        f"{label}, the first": f"{seconds[0]:.1f} s",
        f"{label}, unchanged": f"{seconds[1]:.1f} s, {ratio:.0%} of the first",
    }
    return rows, ratio


def used(directory: pathlib.Path) -> int:
    """The bytes on the disk, in which a file with two names counts once."""
    return int(subprocess.run(["du", "-sb", directory], check=True, capture_output=True, text=True).stdout.split()[0])


def copied(service: Service) -> float:
    """What people write instead."""
    os.sync()
    started = time.monotonic()
    subprocess.run(["tar", "-cf", service.root / "data.tar", "-C", service.data, "."], check=True)
    subprocess.run(["sync", service.root / "data.tar"], check=True)
    return time.monotonic() - started


def measured(home: pathlib.Path) -> Rows:
    service = filled(home)
    size = sum(path.stat().st_size for path in service.data.rglob("*") if path.is_file())
    rows: Rows = {f"**{size / 2**30:.1f} GiB in {FILES} uploads, {CHATS} chats**": ""}
    rows["`tar` of the whole directory, each time"] = f"{copied(service):.1f} s"
    (service.root / "data.tar").unlink()
    found, ratio = twice(service, "backup to a directory")
    rows |= found
    rows["disk that both take"] = f"{used(service.directory) / size:.0%} of the data"
    if ratio >= 0.1:
        raise SystemExit(f"an unchanged backup took {ratio:.0%} of the first one's time")
    shutil.rmtree(service.directory)
    if shutil.which("restic"):
        (service.root / "password").write_text("bench")
        service.settings["restic"] = {
            "repository": str(service.root / "repository"),
            "password_file": str(service.root / "password"),
            "environment_file": "",
            "check": "5%",
        }
        rows |= twice(service, "backup with restic, 5 % read again")[0]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", action="store_true", help=WRITE_HELP)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        rows = measured(pathlib.Path(directory))
    show(rows, BEGIN, END, arguments.write)


if __name__ == "__main__":
    main()
