# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a backup in a directory holds, and what it does not write a second time."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import stat
import time
import typing as t
from pathlib import Path

import pytest
from backup_service import Service


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(tmp_path)


def tree_of(root: Path) -> dict[str, tuple[int, int]]:
    # Whoever reads the database notes so in its index of the log.
    found = [path for path in root.rglob("*") if not path.name.endswith("-shm")]
    return {str(path.relative_to(root)): (path.lstat().st_mode, path.lstat().st_mtime_ns) for path in found}


def test_a_backup_holds_everything_that_a_restore_needs(service: Service) -> None:
    service.chat("hello")
    service.upload("a.txt", b"text")
    (service.config_directory / "environment").write_text("export WEBUI_SECRET_KEY=x\n")
    answer = service.take().answer
    tree = service.latest()
    files = {str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()}
    assert files == {
        "manifest.json",
        "variables.json",
        "config/environment",
        "config/session_key",
        "data/.selfhosted-llm.json",
        "data/uploads/a.txt",
        "data/webui.db",
    }
    assert (tree / "config/session_key").read_text() == "a session key"
    assert json.loads((tree / "variables.json").read_text()) == {"open_webui_port": 3001}
    assert service.chats(tree / "data/webui.db") == {"hello"}
    manifest = service.manifest()
    assert manifest["schema"] == ["c0ffee"]
    assert manifest["database"] == "sqlite"
    assert manifest["program"] == {"version": "0.12.4", "image": "registry.example.com/open-webui:v0.12.4"}
    counts = {name: number for name, number in manifest["counts"].items() if number is not None}
    assert counts == {"users": 2, "chats": 1, "files": 1, "knowledge": 1 - 1}
    listed = {entry["path"]: entry["sha256"] for entry in manifest["files"]}
    assert listed == {
        name: hashlib.sha256((tree / name).read_bytes()).hexdigest() for name in files - {"manifest.json"}
    }
    assert answer["id"] == tree.name
    assert answer["path"] == str(tree)
    assert answer["size"] == sum(entry["size"] for entry in manifest["files"])


def test_only_the_owner_can_read_it(service: Service) -> None:
    service.upload("a.txt", b"text").chmod(0o644)
    service.take(umask=0)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in service.directory.rglob("*") if path.is_file()}
    assert modes == {0o600}
    directories = [service.directory, *(path for path in service.directory.rglob("*") if path.is_dir())]
    assert {stat.S_IMODE(path.stat().st_mode) for path in directories} == {0o700}


def test_every_acknowledged_write_is_in_it_while_others_go_on(service: Service) -> None:
    with service.writer() as writer:
        assert writer.stdout
        before = [int(writer.stdout.readline()) for _number in range(200)]
        service.take()
        after = int(writer.stdout.readline())
    saved = service.chats(service.latest() / "data/webui.db")
    assert {f"w{number}" for number in before} <= saved
    # Nor did the backup take anything from the server, whose log was in use.
    assert {f"w{number}" for number in range(1, after + 1)} <= service.chats(service.database)


def test_the_server_s_files_stay_as_they_are(service: Service) -> None:
    service.upload("a.txt", b"text")
    with contextlib.closing(sqlite3.connect(service.database)) as server:
        server.execute("INSERT INTO knowledge VALUES ('k')")
        server.commit()
        before = tree_of(service.data)
        service.take()
        assert tree_of(service.data) == before
        assert "webui.db-wal" in before
    with contextlib.closing(sqlite3.connect(service.latest() / "data/webui.db")) as copy:
        assert copy.execute("SELECT id FROM knowledge").fetchall() == [("k",)]


def test_a_file_that_was_deleted_is_listed(service: Service) -> None:
    service.upload("kept.txt", b"1")
    service.upload("gone.txt", b"2").unlink()
    assert service.take().answer["missing"] == ["data/uploads/gone.txt"]
    assert service.manifest()["missing"] == ["data/uploads/gone.txt"]


def inode(tree: Path, name: str) -> int:
    return (tree / "data/uploads" / name).stat().st_ino


def second_backup(service: Service, change: t.Callable[[], t.Any]) -> tuple[Path, Path]:
    service.take()
    first = service.set_back()
    change()
    service.take()
    return first, service.latest()


def test_an_unchanged_file_is_kept_once(service: Service) -> None:
    service.upload("a.txt", b"text")
    first, second = second_backup(service, lambda: None)
    assert first != second
    assert inode(first, "a.txt") == inode(second, "a.txt")
    assert service.run("verify", second).answer["id"] == second.name


def same_size_and_time(path: Path) -> None:
    facts = path.stat()
    path.write_bytes(b"TEXT")
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def another_file(path: Path) -> None:
    facts = path.stat()
    path.unlink()
    path.write_bytes(b"TEXT")
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


@pytest.mark.parametrize(
    "change",
    [
        same_size_and_time,
        another_file,
        lambda path: path.write_bytes(b"TEXT"),
        lambda path: path.write_bytes(b"longer"),
    ],
    ids=["same size and time", "another file of the same size and time", "another time", "another size"],
)
def test_a_changed_file_is_copied(service: Service, change: t.Callable[[Path], t.Any]) -> None:
    path = service.upload("a.txt", b"text")
    first, second = second_backup(service, lambda: change(path))
    assert inode(first, "a.txt") != inode(second, "a.txt")
    assert (first / "data/uploads/a.txt").read_bytes() == b"text"
    assert (second / "data/uploads/a.txt").read_bytes() == path.read_bytes() != b"text"


def test_another_owner_or_link_does_not_copy_a_file_again(service: Service) -> None:
    path = service.upload("a.txt", b"text")
    first, second = second_backup(service, lambda: (path.chmod(0o640), os.link(path, service.root / "another name")))
    assert inode(first, "a.txt") == inode(second, "a.txt")
    (entry,) = (entry for entry in service.manifest()["files"] if entry["path"] == "data/uploads/a.txt")
    assert entry["mode"] == 0o640


def test_a_file_that_was_just_written_is_copied_again(service: Service) -> None:
    """Two writes within one tick of the clock leave the same time. Here its clock is ahead of ours."""
    service.upload("a.txt", b"text", age=-60)
    first, second = second_backup(service, lambda: None)
    assert inode(first, "a.txt") != inode(second, "a.txt")


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"TEXT more")], ids=["gone", "changed"])
def test_a_damaged_copy_is_not_linked(service: Service, damage: t.Callable[[Path], t.Any]) -> None:
    service.upload("a.txt", b"text")
    service.take()
    damage(service.set_back() / "data/uploads/a.txt")
    service.take()
    assert (service.latest() / "data/uploads/a.txt").read_bytes() == b"text"


HOSTILE = ["-rf", "a\nb", "a'b\"c", "späße", os.fsdecode(b"\xff\xfe"), ".hidden", "%s{}", " "]


def test_hostile_names_go_there_and_back(service: Service) -> None:
    for name in HOSTILE:
        (service.data / "uploads" / name).write_bytes(os.fsencode(name))
    service.take()
    service.run("bring", service.config(), "latest", service.root / "back")
    uploads = service.root / "back/data/uploads"
    assert {path.name: path.read_bytes() for path in uploads.iterdir()} == {name: os.fsencode(name) for name in HOSTILE}


def test_links_and_pipes_are_left_out(service: Service) -> None:
    secret = service.root / "secret"
    secret.mkdir()
    (secret / "key").write_text("x")
    (service.data / "uploads/file").symlink_to(secret / "key")
    (service.data / "uploads/directory").symlink_to(secret)
    os.mkfifo(service.data / "uploads/pipe")
    answer = service.take(timeout=60).answer
    assert [entry["path"] for entry in service.manifest()["files"] if "uploads" in entry["path"]] == []
    assert len(answer["warnings"]) == 3
    assert list((service.latest() / "data/uploads").iterdir()) == []


def test_a_damaged_database_is_refused_and_earlier_backups_stay(service: Service) -> None:
    for number in range(50):
        service.chat("x" * 500 + str(number))
    service.take()
    before = service.ids()
    with contextlib.closing(sqlite3.connect(service.database)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with open(service.database, "r+b") as file:
        file.seek(3 * 4096)
        file.write(os.urandom(8 * 4096))
    said = service.take(fails=True).said
    assert str(service.database) in said
    assert service.ids() == before


def test_a_dry_run_says_what_it_would_do_and_touches_nothing(service: Service) -> None:
    service.upload("a.txt", b"x" * 1000)
    before = tree_of(service.root)
    config = service.config()
    answer = service.run("take", config, "--check").answer
    assert set(tree_of(service.root)) - set(before) == {"config.json"}
    assert "open-webui of web1" in answer["would"]
    assert answer["needed"] >= 1000 + service.database.stat().st_size
    assert answer["free"] > answer["needed"]


def test_old_ones_go_after_a_new_one(service: Service) -> None:
    service.settings["keep"] = {"last": 2}
    ids = []
    for _number in range(2):
        service.take()
        ids.append(service.set_back().name)
    ids.append(service.take().answer["id"])
    assert service.ids() == ids[1:]
    assert [backup["id"] for backup in service.run("list", service.config()).answer["backups"]] == ids[1:]


def test_the_status_tells_of_the_last_good_one(service: Service) -> None:
    assert service.run("status", service.config()).answer == {"last": None, "number": 0, "running": False}
    service.take()
    time.sleep(1)
    answer = service.run("status", service.config()).answer
    assert answer["last"]["id"] == service.latest().name
    assert 1 <= answer["last"]["age"] < 60
    (service.latest() / "manifest.json").write_text("{")
    damaged = service.run("status", service.config())
    assert damaged.answer["last"] is None
    assert "manifest.json is damaged" in damaged.said


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"service": "nginx"}, "service or name"),
        ({"name": "../etc"}, "service or name"),
        ({"weights": "no"}, "weights"),
        ({"data": ""}, "data"),
        ({"directory": "backups"}, "directory"),
        ({"colour": "red"}, "colour"),
        ({"keep": {"yearly": 1}}, "yearly"),
        ({"keep": {"last": -1}}, "last"),
        ({"keep": {"daily": True}}, "daily"),
        ({"restic": {"repository": "x"}}, "password_file"),
    ],
)
def test_a_wrong_config_is_refused(service: Service, changes: dict[str, t.Any], problem: str) -> None:
    service.settings.update(changes)
    assert problem in service.take(fails=True).said
    assert not service.directory.exists()


def test_a_service_without_a_database_is_no_success(service: Service) -> None:
    service.database.unlink()
    said = service.take(fails=True).said
    assert "open-webui on web1 has no database" in said
    assert service.ids() == []


def test_the_service_cannot_lead_the_program_astray(service: Service) -> None:
    """Its container writes to the data directory, and the program is root."""
    outside = service.root / "outside"
    outside.mkdir()
    (outside / "key").write_text("x")
    (service.data / "uploads").rmdir()
    (service.data / "uploads").symlink_to(outside)
    assert "data/uploads/key" not in {entry["path"] for entry in service.take() and service.manifest()["files"]}
    service.database.rename(outside / "other.db")
    service.database.symlink_to(outside / "other.db")
    assert "is a symbolic link" in service.take(fails=True).said


def test_a_config_that_is_not_there_is_no_empty_list(service: Service) -> None:
    assert "cannot be read" in service.run("list", service.root / "none.json", fails=True).said
    assert service.run("list", service.root / "none").answer == {"backups": []}
    assert "none" not in {path.name for path in service.root.iterdir()}


def test_a_config_may_come_from_standard_input(service: Service) -> None:
    service.take()
    config = Path(service.config()).read_text()
    assert service.run("status", "/dev/stdin", input=config).answer["number"] == 1
    assert len(service.run("list", "/dev/stdin", input=config).answer["backups"]) == 1
    back = service.run("bring", "/dev/stdin", "latest", service.root / "back", input=config).answer
    assert back["target"] == str(service.root / "back")
