# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A directory of backups: each a directory of plain files, named after the time at which it was begun."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import typing as t
from pathlib import Path

import manifest as manifests
from basics import ID_FORM, Failed, say, time_of
from manifest import Manifest
from retention import kept

UNFINISHED = ".partial"


class Store:
    """:arg path: the directory; it need not be there"""

    def __init__(self, path: Path) -> None:
        self.path = path

    def ids(self) -> list[str]:
        """Oldest first."""
        try:
            return sorted(name for name in os.listdir(self.path) if manifests.ID.fullmatch(name))
        except FileNotFoundError:
            return []

    def backups(self) -> t.Iterator[Manifest]:
        """The manifests of all that can be read, oldest first; the others are warned of. They are large."""
        for name in self.ids():
            try:
                yield manifests.read(self.path / name)
            except Failed as exc:
                say(f"Warning: {exc}")

    def newest(self) -> Manifest | None:
        """The manifest of the newest one that can be read."""
        for name in reversed(self.ids()):
            try:
                return manifests.read(self.path / name)
            except Failed as exc:
                say(f"Warning: {exc}")
        return None

    def find(self, name: str) -> Path:
        """The directory of a backup; ``latest`` is the newest."""
        ids = self.ids()
        if name == "latest" and ids:
            return self.path / ids[-1]
        if name not in ids:
            known = ", ".join(ids) or "none"
            raise Failed(f"There is no backup {name} in {self.path}. There is: {known}.")
        return self.path / name

    @contextlib.contextmanager
    def locked(self, shared: bool = False) -> t.Iterator[None]:
        """Keep others from changing the directory, which is made for a writer. The kernel lets go of the dead."""
        # Nobody writes to what is not there, or to an old disk that is mounted to be read.
        if shared and not os.access(self.path, os.W_OK):
            yield
            return
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        with open(self.path / ".lock", "a", encoding="ascii") as lock:
            try:
                fcntl.flock(lock, mode | fcntl.LOCK_NB)
            except BlockingIOError:
                say(f"Another run uses {self.path}: waiting until it has ended.")
                fcntl.flock(lock, mode)
            yield

    def busy(self) -> bool:
        """Whether a backup is being written."""
        try:
            with open(self.path / ".lock", encoding="ascii") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def clear(self) -> None:
        """Remove what a run that was cut off has left."""
        for path in self.path.glob(f"*{UNFINISHED}"):
            say(f"Removing {path}, which a run that was cut off has left.")
            shutil.rmtree(path)

    @contextlib.contextmanager
    def adding(self, name: str) -> t.Iterator[Path]:
        """An empty directory that becomes the backup ``name`` at the end, or goes when that is not reached."""
        partial = self.path / f"{name}{UNFINISHED}"
        partial.mkdir(mode=0o700)
        try:
            yield partial
            sync(partial)
            partial.rename(self.path / name)
            sync(self.path)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise

    def prune(self, keep: dict[str, int], new: str) -> list[str]:
        """Remove those that the rules do not keep, after a new one, which stays even if the clock was wrong once.

        :returns: their ids
        """
        times = {time_of(name, ID_FORM): name for name in self.ids()}
        stay = kept(times, keep)
        removed = sorted(name for time, name in times.items() if time not in stay and name != new)
        for name in removed:
            # Under its own name half of a backup would look like a whole one.
            doomed = self.path / f"{name}{UNFINISHED}"
            (self.path / name).rename(doomed)
            shutil.rmtree(doomed)
        return removed


def sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
