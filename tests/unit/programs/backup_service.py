# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service that is backed up: real files and a real SQLite database in WAL mode, and the program as a process."""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parents[3] / "roles/backup/files/program"
TABLES = """
CREATE TABLE alembic_version (version_num TEXT);
CREATE TABLE user (id TEXT PRIMARY KEY, name TEXT, email TEXT);
CREATE TABLE chat (id TEXT PRIMARY KEY, user_id TEXT, title TEXT, chat JSON, meta JSON, archived BOOL, created_at INT);
CREATE TABLE file (id TEXT PRIMARY KEY, path TEXT);
CREATE TABLE knowledge (id TEXT PRIMARY KEY);
INSERT INTO alembic_version VALUES ('c0ffee');
INSERT INTO user VALUES ('1', 'Ada', 'Ada@example.com'), ('2', 'Bob', 'bob@example.com');
"""
# Notes each start of docker; whatever is to run in a container ends with the status in the file "docker.status".
DOCKER = """#!/bin/sh
here=$(dirname "$0")
echo "$*" >> "$here/docker.log"
[ "$1" = run ] || exit 1
read status < "$here/docker.status"
[ "$status" = 0 ] || echo "the copy is not sound" >&2
exit "$status"
"""
WRITER = """
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], isolation_level=None)
number = 0
while True:
    number += 1
    database.execute("INSERT INTO chat VALUES (?, '1', ?, '{}', '{}', 0, ?)", (f"w{number}", "x" * 2000, number))
    print(number, flush=True)
    time.sleep(0.001)
"""
# Each start of Python takes longer than most commands, so this one starts once and then makes copies of itself. It has
# neither threads nor open databases, which a copy would share.
STARTER = """
import json, os, sys
sys.path.insert(0, sys.argv.pop(1))
import commands
for line in sys.stdin:
    order = json.loads(line)
    child = os.fork()
    if not child:
        for number, path in enumerate((os.devnull, order["out"], order["err"])):
            os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC), number)
        os.chdir(order["cwd"])
        os.environ.clear()
        os.environ.update(order["env"])
        os.umask(order["umask"])
        sys.argv[1:] = order["arguments"]
        commands.main()
        sys.exit()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@functools.cache
def starter() -> subprocess.Popen[str]:
    command = [sys.executable, "-B", "-c", STARTER, str(PROGRAM)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    # Closes its input, at which it ends.
    atexit.register(process.communicate)
    return process


@contextlib.contextmanager
def mounted(directory: Path, size: str) -> t.Iterator[None]:
    """A directory is a file system of this size."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(directory)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a file system needs root")
    try:
        yield
    finally:
        subprocess.run(["umount", str(directory)], check=True)


class Run(t.NamedTuple):
    """What the program answered. ``said`` is stderr."""

    status: int
    answer: dict[str, t.Any]
    said: str


class Service:
    """:arg root: an empty directory that stands for a host"""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.data, self.config_directory, self.directory = root / "data", root / "etc", root / "backups"
        self.store = self.directory / "open-webui"
        self.programs = root / "bin"
        for directory in (self.data / "uploads", self.config_directory, self.programs):
            directory.mkdir(parents=True)
        self.database = self.data / "webui.db"
        with contextlib.closing(sqlite3.connect(self.database)) as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.executescript(TABLES)
        (self.config_directory / "session_key").write_text("a session key")
        (self.data / ".selfhosted-llm.json").write_text('{"version": "0.12.4"}')
        self.program("docker", DOCKER)
        (self.programs / "docker.status").write_text("0\n")
        self.settings: dict[str, t.Any] = {
            "service": "open_webui",
            "name": "open-webui",
            "host": "web1",
            "image": "registry.example.com/open-webui:v0.12.4",
            "version": "0.12.4",
            "data": str(self.data),
            "config": str(self.config_directory),
            "api": "",
            "variables": {"open_webui_port": 3001},
            "weights": False,
            "database_url": None,
            "directory": str(self.directory),
            "keep": {"last": 7},
            "restic": None,
        }

    def program(self, name: str, text: str) -> None:
        """A program that stands before those of this machine."""
        (self.programs / name).write_text(text)
        (self.programs / name).chmod(0o755)

    def config(self) -> str:
        path = self.root / "config.json"
        path.write_text(json.dumps(self.settings))
        return str(path)

    def upload(self, name: str, content: bytes, age: float = 3600) -> Path:
        """A file that was uploaded so many seconds ago, and is in the database."""
        path = self.data / "uploads" / name
        path.write_bytes(content)
        os.utime(path, (time.time() - age,) * 2)
        with contextlib.closing(sqlite3.connect(self.database)) as database:
            row = (name, f"/app/backend/data/uploads/{name}")
            database.execute("INSERT OR REPLACE INTO file VALUES (?, ?)", row)
            database.commit()
        return path

    def chat(self, name: str, owner: str = "1") -> None:
        with contextlib.closing(sqlite3.connect(self.database)) as database:
            chat = json.dumps({"history": {"messages": {"m": {"id": "m", "role": "user", "content": f"{name}?"}}}})
            database.execute("INSERT INTO chat VALUES (?, ?, ?, ?, '{}', 0, 1)", (name, owner, name, chat))
            database.commit()

    def environment(self) -> dict[str, str]:
        return {**os.environ, "PATH": f"{self.programs}{os.pathsep}{os.environ['PATH']}"}

    def command(self, *arguments: t.Any) -> list[str]:
        return [sys.executable, str(PROGRAM), *map(str, arguments)]

    def run(self, *arguments: t.Any, fails: bool = False, **options: t.Any) -> Run:
        """Run a command of the program to its end."""
        options = {"env": self.environment(), "cwd": str(self.root), **options}
        if options.keys() <= {"env", "cwd", "umask"}:
            done = self._copied([*map(str, arguments)], **options)
        else:
            done = subprocess.run(self.command(*arguments), capture_output=True, text=True, check=False, **options)
        assert (done.returncode != 0) is fails, (done.returncode, done.stdout, done.stderr)
        assert not fails or (done.returncode == 1 and "Traceback" not in done.stderr), done.stderr
        return Run(done.returncode, {} if fails else json.loads(done.stdout), done.stderr)

    def _copied(
        self, arguments: list[str], env: dict[str, str], cwd: str, umask: int = 0o022
    ) -> subprocess.CompletedProcess[str]:
        with tempfile.TemporaryDirectory() as place:
            out, err = Path(place, "out"), Path(place, "err")
            order = {"arguments": arguments, "env": env, "cwd": cwd, "umask": umask, "out": str(out), "err": str(err)}
            process = starter()
            assert process.stdin
            assert process.stdout
            print(json.dumps(order), file=process.stdin, flush=True)
            status = int(process.stdout.readline())
            return subprocess.CompletedProcess(arguments, status, out.read_text(), err.read_text())

    def take(self, fails: bool = False, **options: t.Any) -> Run:
        return self.run("take", self.config(), fails=fails, **options)

    def ids(self) -> list[str]:
        return sorted(path.name for path in self.store.iterdir() if not path.name.startswith("."))

    def latest(self) -> Path:
        return self.store / self.ids()[-1]

    def manifest(self) -> dict[str, t.Any]:
        return json.loads((self.latest() / "manifest.json").read_text())

    def set_back(self) -> Path:
        """Make the last backup an old one: two cannot be begun in one second. Where it is then."""
        manifest = self.manifest()
        old = self.store / f"202001{len(self.ids()):02}T000000Z"
        manifest.update(id=old.name, finished="2020-01-01T00:00:00Z")
        (self.latest() / "manifest.json").write_text(json.dumps(manifest))
        self.latest().rename(old)
        return old

    def chats(self, database: Path) -> set[str]:
        with contextlib.closing(sqlite3.connect(database)) as opened:
            assert opened.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            return {row[0] for row in opened.execute("SELECT id FROM chat")}

    @contextlib.contextmanager
    def writer(self) -> t.Iterator[subprocess.Popen[str]]:
        """A process that adds chats and prints the number of each when it is acknowledged."""
        command = [sys.executable, "-c", WRITER, str(self.database)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                yield process
            finally:
                process.kill()
