# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The manifest of a backup, and whether a tree is what its manifest says."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import typing as t
from pathlib import Path, PurePosixPath

from basics import ID_FORM, Failed, time_of

FORMAT = 1
NAME = "manifest.json"
ID = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
DIGEST = re.compile(r"[0-9a-f]{64}")
ROOMS = {"config", "data", "models", "variables.json"}
SUMMARY = ("id", "service", "name", "host", "started", "finished", "program", "schema", "counts", "database", "vectors")
CHUNK = 1 << 20
MOST_NAMED = 20

Manifest = dict[str, t.Any]


def read(tree: Path) -> Manifest:
    """The manifest in a directory.

    :raises Failed: there is none, or it is damaged, from a newer program, or names files that it must not name
    """
    try:
        content = (tree / NAME).read_bytes()
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise Failed(f"{tree} is no backup: it has no {NAME}. Name a directory that 'list' shows.") from exc
    return parse(content, str(tree / NAME))


def parse(content: bytes, where: str) -> Manifest:
    """The same from its text, which may come from another host and is not trusted."""
    try:
        manifest = json.loads(content)
        if manifest["format"] > FORMAT:
            raise Failed(
                f"{where} was written by a newer program (format {manifest['format']}, this one knows {FORMAT}):"
                " use the collection's version that made the backup, or a newer one."
            )
        if not ID.fullmatch(manifest["id"]) or manifest["format"] != FORMAT:
            raise ValueError(f"the id is {manifest['id']!r}")
        time_of(manifest["id"], ID_FORM)
        time_of(manifest["finished"])
        for key in SUMMARY:
            manifest[key]
        for entry in manifest["directories"]:
            _check_path(entry)
        for entry in manifest["files"]:
            _check_file(entry)
        if len({entry["path"] for entry in manifest["files"]}) != len(manifest["files"]):
            raise ValueError("a path is there twice")
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise Failed(f"{where} is damaged ({exc or type(exc).__name__}): take another backup.") from exc
    return manifest


def _check_path(entry: dict[str, t.Any]) -> None:
    path, parts = entry["path"], PurePosixPath(entry["path"]).parts
    if path != "/".join(parts) or not parts or parts[0] not in ROOMS or ".." in parts or "\0" in path:
        raise ValueError(f"the path {path!r}")
    if not 0 <= entry["mode"] <= 0o7777 or min(entry["uid"], entry["gid"]) < 0:
        raise ValueError(f"the mode or owner of {path!r}")


def _check_file(entry: dict[str, t.Any]) -> None:
    _check_path(entry)
    if not DIGEST.fullmatch(entry["sha256"]) or entry["size"] < 0 or entry["mtime_ns"] < 0:
        raise ValueError(f"the checksum, size or time of {entry['path']!r}")
    if not isinstance(entry["seen"], (list, type(None))):
        raise ValueError(f"seen of {entry['path']!r}")


def write(tree: Path, manifest: Manifest) -> None:
    """Write a manifest, down to the disk: with it the tree is a backup."""
    with open(tree / NAME, "x", encoding="ascii") as file:
        json.dump(manifest, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())


def summary(manifest: Manifest, path: Path | None, snapshot: str | None = None) -> dict[str, t.Any]:
    """What the commands tell of a backup."""
    facts = {key: manifest[key] for key in SUMMARY}
    size = sum(entry["size"] for entry in manifest["files"])
    return {**facts, "path": str(path) if path else None, "snapshot": snapshot, "size": size}


def verify(tree: Path, manifest: Manifest) -> None:
    """Compare a tree with its manifest.

    :raises Failed: names what is missing, too much, or has another checksum
    """
    problems: list[str] = []
    found = set(_files(tree, problems)) - {NAME}
    listed = {entry["path"]: entry for entry in manifest["files"]}
    problems += [f"{path!r} is not in the manifest" for path in sorted(found - set(listed))]
    for path, entry in sorted(listed.items()):
        if path not in found:
            problems.append(f"{path!r} is missing")
            continue
        try:
            actual = digest(tree / path)
        except OSError as exc:
            problems.append(f"{path!r} cannot be read ({exc.strerror})")
            continue
        if actual != entry["sha256"]:
            problems.append(f"{path!r} has the checksum {actual} instead of {entry['sha256']}")
    if problems:
        more = f"; and {len(problems) - MOST_NAMED} more" if len(problems) > MOST_NAMED else ""
        raise Failed(
            f"The backup {manifest['id']} in {tree} does not verify: {'; '.join(problems[:MOST_NAMED])}{more}."
            " Take an older one ('list' shows them)."
        )


def _files(tree: Path, problems: list[str]) -> t.Iterator[str]:
    for directory, folders, files in os.walk(tree):
        for name in sorted(folders + files):
            path = os.path.join(directory, name)
            mode = os.lstat(path).st_mode
            if stat.S_ISREG(mode):
                yield os.path.relpath(path, tree)
            elif not stat.S_ISDIR(mode):
                problems.append(f"{os.path.relpath(path, tree)!r} is neither a file nor a directory")


def digest(path: Path) -> str:
    with open(path, "rb") as file:
        return digest_of(file)


def digest_of(file: t.BinaryIO) -> str:
    hashed = hashlib.sha256()
    for chunk in iter(lambda: file.read(CHUNK), b""):
        hashed.update(chunk)
    return hashed.hexdigest()
