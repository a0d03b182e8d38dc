# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A repository of restic, by its own program."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import time
import typing as t
from pathlib import Path

from basics import Failed, last_words, say
from retention import PERIODS

TAG = "selfhosted-llm"
LOCKED, WAIT, PATIENCE = "already locked", 10, 1800

Snapshot = dict[str, t.Any]


class Repository:
    """:arg config: that of the service whose backups count"""

    def __init__(self, config: dict[str, t.Any]) -> None:
        options = config["restic"]
        self._host, self._name, self._keep, self._check = (
            config["host"],
            config["name"],
            config["keep"],
            options["check"],
        )
        keys = {}
        if options["environment_file"]:
            try:
                keys = json.loads(Path(options["environment_file"]).read_bytes())
            except ValueError as exc:
                raise Failed(f"{options['environment_file']} is no JSON object.") from exc
        self._environment = {**os.environ, **{name: str(value) for name, value in keys.items()}}
        self._environment["RESTIC_REPOSITORY"] = options["repository"]
        self._environment["RESTIC_PASSWORD_FILE"] = options["password_file"]
        if "CACHE_DIRECTORY" in os.environ:
            self._environment.setdefault("RESTIC_CACHE_DIR", os.environ["CACHE_DIRECTORY"])
        self.place = _without_secrets(options["repository"])

    def provide(self, known: bool) -> None:
        """Make the repository when there is none, and remove the locks of runs that have died, which restic knows.

        :arg known: it has had backups of ours, so a place without it is a disk that is not mounted
        """
        found = self._start(["unlock"])
        if found.returncode == 0:
            return
        if known:
            raise Failed(
                f"The repository {self.place}, which has earlier backups, cannot be opened"
                f" ({_words(found.stderr)}): check that its disk is mounted, its address, password and keys."
            )
        # It never makes one in the place of another.
        made = self._start(["init"])
        if made.returncode:
            raise Failed(
                f"The repository {self.place} cannot be opened ({_words(found.stderr)}), and none can be made there"
                f" ({_words(made.stderr)}): check its address, password and keys."
            )
        say(f"Made the repository {self.place}.")

    def save(self, tree: Path, name: str, tags: list[str]) -> dict[str, t.Any]:
        """Make a snapshot of a tree, the backup of this name. What restic says of it."""
        marks = [word for tag in [TAG, self._name, f"id={name}", *tags] for word in ("--tag", tag)]
        # A link to a file, which makes it part of the tree, changes its ctime.
        command = ["backup", "--json", "--host", self._host, *marks, "--ignore-ctime", "."]
        try:
            output = self._run(command, "A backup", tree)
        except Failed:
            with contextlib.suppress(Failed):
                # It makes one of what it could read.
                for snapshot in self.snapshots():
                    if snapshot["id"] == name:
                        self._run(["forget", snapshot["snapshot"]], "Removing half a snapshot")
            raise
        lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
        return next(line for line in reversed(lines) if line.get("message_type") == "summary")

    def check(self) -> None:
        """Look whether the repository is whole, and read a part of it."""
        subset = [f"--read-data-subset={self._check}"] if self._check else []
        self._run(["check", *subset], "The check")

    def prune(self) -> list[str]:
        """Remove the snapshots that the rules do not keep."""
        rules = [
            word for period in PERIODS if self._keep[period] for word in (f"--keep-{period}", str(self._keep[period]))
        ]
        if not rules:
            return []
        command = ["forget", "--json", *self._ours(), "--group-by", "host", "--prune", *rules]
        # Older versions tell of the pruning behind it.
        groups, _end = json.JSONDecoder().raw_decode(self._run(command, "Removing old snapshots"))
        return sorted(_named(snapshot)["id"] for group in groups or [] for snapshot in group["remove"] or [])

    def snapshots(self) -> list[Snapshot]:
        """Ours, oldest first: their ids as ours are, and restic's own."""
        # Whoever only looks neither waits for a backup nor needs to write there.
        command = ["snapshots", "--no-lock", "--json", *self._ours()]
        found = json.loads(self._run(command, "Listing the snapshots")) or []
        named = (_named(snapshot) for snapshot in found)
        return sorted((snapshot for snapshot in named if snapshot["id"]), key=lambda snapshot: snapshot["id"])

    def restore(self, snapshot: str, target: Path) -> None:
        """Bring the tree of a snapshot."""
        self._run(["restore", snapshot, "--target", str(target)], f"Restoring the snapshot {snapshot}")

    def _ours(self) -> list[str]:
        return ["--host", self._host, "--tag", f"{TAG},{self._name}"]

    def _run(self, arguments: list[str], task: str, directory: Path | None = None) -> str:
        deadline = time.monotonic() + PATIENCE
        while True:
            done = self._start(arguments, directory)
            if done.returncode == 0:
                return done.stdout.decode(errors="replace")
            said = _words(done.stderr) or f"exit status {done.returncode}"
            if LOCKED not in said or time.monotonic() > deadline:
                raise Failed(f"{task} in the repository {self.place} failed: {said}")
            say(f"The repository {self.place} is locked by another run: trying again in {WAIT} seconds.")
            time.sleep(WAIT)

    def _start(self, arguments: list[str], directory: Path | None = None) -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(
                ["restic", *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env=self._environment,
                cwd=directory,
                check=False,
            )
        except FileNotFoundError as exc:
            raise Failed(
                "Backups to a repository need the program restic, which is not on this host: install it."
            ) from exc


def _words(output: bytes) -> str:
    return _without_secrets(last_words(output))


def _without_secrets(text: str) -> str:
    """Without what stands before the host in a URL, also in one that restic cannot read and then quotes whole."""
    return re.sub(r"//\S*@", "//", text)


def _named(snapshot: dict[str, t.Any]) -> Snapshot:
    tags = dict(tag.partition("=")[::2] for tag in snapshot.get("tags") or [])
    return {
        "id": tags.get("id", ""),
        "snapshot": snapshot["id"],
        "finished": tags.get("finished", ""),
        "version": tags.get("version"),
        "schema": [tag.partition("=")[2] for tag in snapshot.get("tags") or [] if tag.startswith("schema=")],
    }
