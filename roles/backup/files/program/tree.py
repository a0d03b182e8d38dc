# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the tree of a backup: copies files, or links those that an earlier backup has already."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import stat
import time
import typing as t
from pathlib import Path

import manifest as manifests
from basics import now, say
from manifest import CHUNK, Manifest

# Whoever writes within one tick of the clock leaves the same time, so a file is known again only when it was at rest.
AT_REST_NS = 2 * 10**9
# So long after its last change nobody is writing a file of which the service's users were told that it is there.
SETTLED_NS = 60 * 10**9
# On one of so many days a file of an earlier backup is read again before it is linked.
DAYS = 30

Entry = dict[str, t.Any]
Seen = list[int]


class Tree:
    """:arg path: an empty directory
    :arg former: the manifest of an earlier backup
    :arg former_path: where its files are; None: only its checksums count
    :arg borrow: link those of the service's own files that are written once instead of copying them
    """

    def __init__(
        self, path: Path, former: Manifest | None, former_path: Path | None = None, borrow: bool = False
    ) -> None:
        self.path = path
        self.warnings: list[str] = []
        self.new_bytes = 0
        self.former = former
        self._former_path = former_path
        self._known = {entry["path"]: entry for entry in former["files"]} if former else {}
        self._borrow = borrow
        self._entries: dict[str, Entry] = {}
        self._directories: dict[str, Entry] = {}

    def add_all(self, source: Path, name: str, once: bool = False, parent: int | None = None) -> None:
        """A directory with everything in it. What goes away meanwhile is left out.

        :arg once: its files are written once and never changed
        :arg parent: the descriptor of the directory in which it is, because the service may exchange that by a link
        """
        if source.is_symlink():
            self.warn(f"{source} was left out: it is a symbolic link.")
            return
        try:
            descriptor = _opened(source, parent, os.O_DIRECTORY)
        except (FileNotFoundError, NotADirectoryError):
            return
        try:
            facts = os.fstat(descriptor)
            owner = {"mode": stat.S_IMODE(facts.st_mode), "uid": facts.st_uid, "gid": facts.st_gid}
            self._directories[name] = {"path": name, **owner}
            (self.path / name).mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.scandir(descriptor) as found:
                entries = sorted(found, key=lambda one: one.name)
            for one in entries:
                add = self.add_all if one.is_dir(follow_symlinks=False) else self.add
                add(source / one.name, f"{name}/{one.name}", once, descriptor)
        finally:
            os.close(descriptor)

    def add(self, source: Path, name: str, once: bool = False, parent: int | None = None) -> str | None:
        """A file. One that goes away meanwhile is left out.

        :arg parent: as above
        :returns: its digest, if it is in the tree
        """
        try:
            descriptor = _opened(source, parent, os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        except OSError as exc:
            if exc.errno != errno.ELOOP:
                raise
            self.warn(f"{source} was left out: it is a symbolic link.")
            return None
        with open(descriptor, "rb") as file:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode):
                self.warn(f"{source} was left out: it is neither a file nor a directory.")
                return None
            target = self._place(name)
            # Linking the service's file changes its ctime.
            seen = [facts.st_ino, facts.st_size, facts.st_mtime_ns, 0 if self._borrow else facts.st_ctime_ns]
            known = self._known_again(name, seen, file)
            digest = known["sha256"] if known else ""
            if not (known and self._former_path and linked(self._former_path / name, target)):
                settled = once and self._borrow and time.time_ns() - facts.st_mtime_ns > SETTLED_NS
                # By its descriptor, because the service may have put another file in its place.
                if settled and linked(Path(f"/proc/self/fd/{descriptor}"), target, descriptor):
                    digest = digest or manifests.digest(target)
                else:
                    digest = self._copy(file, facts, target)
        size = target.stat().st_size
        at_rest = time.time_ns() - facts.st_mtime_ns > AT_REST_NS and size == facts.st_size
        self._entries[name] = entry(name, size, digest, facts, seen if at_rest else None)
        return digest

    def write(self, name: str, content: bytes) -> None:
        """A file with this content."""
        target = self._place(name)
        with open(target, "xb") as file:
            file.write(content)
        self.note(name)

    def note(self, name: str, source: os.stat_result | None = None, seen: Seen | None = None) -> None:
        """A file that somebody else has written into the tree.

        :arg source: of what it is a copy, whose owner and mode it is to have when it goes back
        """
        target = self.path / name
        with open(target, "rb") as file:
            digest = manifests.digest_of(file)
            os.fsync(file.fileno())
            facts = os.fstat(file.fileno())
        self.new_bytes += facts.st_size
        self._entries[name] = {
            **entry(name, facts.st_size, digest, source or facts, seen),
            "mtime_ns": facts.st_mtime_ns,
        }

    def reuse(self, name: str, seen: Seen | None) -> bool:
        """Link a file of the earlier backup if it was made of what was seen then as now."""
        known = self._known.get(name)
        if not seen or not known or known["seen"] != seen or not self._former_path or not self._is_whole(known):
            return False
        if not linked(self._former_path / name, self._place(name)):
            return False
        self._entries[name] = known
        return True

    def discard(self, name: str) -> None:
        """Take out a directory, also what was written there and not noted."""
        for path in self.below(name):
            del self._entries[path]
        shutil.rmtree(self.path / name, ignore_errors=True)

    def below(self, name: str) -> dict[str, str]:
        """The files in a directory of this tree, with their digests."""
        return {path: entry["sha256"] for path, entry in self._entries.items() if path.startswith(f"{name}/")}

    def needed(self, source: Path, name: str) -> int:
        """The bytes that adding a directory would take at most."""
        if self._borrow:
            return 0
        total = 0
        for path, relative in walk(source):
            with contextlib.suppress(FileNotFoundError):
                facts = path.lstat()
                known = self._known.get(f"{name}/{relative}") or {}
                if (known.get("seen") or [])[:3] != [facts.st_ino, facts.st_size, facts.st_mtime_ns]:
                    total += facts.st_size
        return total

    def finish(self, facts: dict[str, t.Any]) -> Manifest:
        """Write the manifest, last of all."""
        directories = [self._directories[path] for path in sorted(self._directories)]
        files = [self._entries[path] for path in sorted(self._entries)]
        manifest = {"format": manifests.FORMAT, **facts, "directories": directories, "files": files}
        manifests.write(self.path, manifest)
        return manifest

    def _place(self, name: str) -> Path:
        target = self.path / name
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return target

    def _known_again(self, name: str, seen: Seen, file: t.BinaryIO) -> Entry | None:
        known = self._known.get(name)
        if not known or not known["seen"] or known["seen"][1:3] != seen[1:3]:
            return None
        if self._former_path and not self._is_whole(known):
            return None
        # Its place or its owner has changed, or a link to it was made; reading it is cheaper than keeping it twice.
        if known["seen"] != seen and manifests.digest_of(file) != known["sha256"]:
            return None
        return known

    def _is_whole(self, known: Entry) -> bool:
        assert self._former_path
        path = self._former_path / known["path"]
        try:
            facts = path.lstat()
        except OSError:
            return False
        if not stat.S_ISREG(facts.st_mode) or [facts.st_size, facts.st_mtime_ns] != [known["size"], known["mtime_ns"]]:
            return False
        # Damage that leaves both as they were would go on into every later backup.
        if int(known["sha256"], 16) % DAYS != now().toordinal() % DAYS or _reads_as(path, known["sha256"]):
            return True
        self.warn(f"{path} is damaged. It was copied anew, and older backups that share it stay damaged: see 'verify'.")
        return False

    def _copy(self, file: t.BinaryIO, facts: os.stat_result, target: Path) -> str:
        file.seek(0)
        hashed = hashlib.sha256()
        with open(target, "xb") as copy:
            for chunk in iter(lambda: file.read(CHUNK), b""):
                hashed.update(chunk)
                copy.write(chunk)
                self.new_bytes += len(chunk)
            copy.flush()
            os.utime(copy.fileno(), ns=(facts.st_mtime_ns, facts.st_mtime_ns))
            os.fsync(copy.fileno())
        return hashed.hexdigest()

    def warn(self, text: str) -> None:
        say(f"Warning: {text}")
        self.warnings.append(text)


def entry(name: str, size: int, digest: str, facts: os.stat_result, seen: Seen | None) -> Entry:
    return {
        "path": name,
        "size": size,
        "sha256": digest,
        "mode": stat.S_IMODE(facts.st_mode),
        "uid": facts.st_uid,
        "gid": facts.st_gid,
        "mtime_ns": facts.st_mtime_ns,
        "seen": seen,
    }


def _opened(path: Path, parent: int | None, flags: int) -> int:
    """Neither follows a link out of the service's directories nor waits for the other end of a pipe."""
    name = path if parent is None else path.name
    return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | flags, dir_fd=parent)


def _reads_as(path: Path, digest: str) -> bool:
    try:
        return manifests.digest(path) == digest
    except OSError:
        return False


def linked(source: Path, target: Path, descriptor: int | None = None) -> bool:
    """Make a hard link, if the file systems can and the file has not too many.

    :arg descriptor: the source is the path of this in /proc, which is a symbolic link
    """
    try:
        # Python follows it only with the number of a directory, which an absolute path does not need.
        os.link(source, target, src_dir_fd=descriptor, follow_symlinks=descriptor is not None)
    except OSError:
        return False
    return True


def _unreadable(exc: OSError) -> None:
    """Else a directory that cannot be read would look like an empty one."""
    if not isinstance(exc, (FileNotFoundError, NotADirectoryError)):
        raise exc


def walk(source: Path) -> t.Iterator[tuple[Path, str]]:
    """Everything in a directory that is no directory, with its path in there; nothing when it does not exist."""
    for directory, folders, files in os.walk(source, onerror=_unreadable):
        links = [name for name in folders if os.path.islink(os.path.join(directory, name))]
        for name in sorted(files + links):
            path = Path(directory, name)
            yield path, str(path.relative_to(source))
