# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes a private directory for a backup on its way, in a directory of backups, and prints its path.

Arguments: the directory of backups, and the number of the user for whom it is; without one it is for whoever calls.
A backup is as large as the disk of the backups is meant for, so its way does not lead over another disk.
"""

from __future__ import annotations

import os
import pathlib
import pwd
import shutil
import sys
import tempfile
import time

PREFIX = ".transport-"
# No transfer takes that long, so this is what a run that was killed has left.
LEFT_OVER_SECONDS = 2 * 86400


def main():
    top = pathlib.Path(sys.argv[1])
    top.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in top.glob(PREFIX + "*"):
        if time.time() - left.stat().st_mtime > LEFT_OVER_SECONDS:
            shutil.rmtree(left)
    place = tempfile.mkdtemp(prefix=PREFIX, dir=top)
    user = int(sys.argv[2]) if sys.argv[2:] else os.getuid()
    if user != os.getuid():
        group = pwd.getpwuid(user).pw_gid
        os.chown(place, user, group)
        # The way there, and nothing beside it: what else is in the directory belongs to root alone.
        os.chown(top, -1, group)
        os.chmod(top, 0o710)
    print(place)


main()
