# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes a directory hold just the Python files that the JSON object on stdin has by their names.

Arguments: the directory, and "--check" to change nothing. Prints the names of the files that were not right.
"""

from __future__ import annotations

import json
import os
import pathlib
import sys


def main():
    directory = pathlib.Path(sys.argv[1])
    wanted = {name: text.encode() for name, text in json.load(sys.stdin).items()}
    present = {path.name: path.read_bytes() for path in directory.glob("*.py")}
    wrong = sorted(name for name in {*wanted, *present} if wanted.get(name) != present.get(name))
    print(*wrong)
    if sys.argv[2:]:
        return
    os.umask(0o022)
    directory.mkdir(parents=True, exist_ok=True)
    for name in wrong:
        if name in wanted:
            # A backup may just begin, and is to find one version or the other of each file.
            directory.joinpath(f".{name}").write_bytes(wanted[name])
            directory.joinpath(f".{name}").rename(directory / name)
        else:
            directory.joinpath(name).unlink()


main()
