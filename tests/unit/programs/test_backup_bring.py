# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What comes back of a backup, and what is refused on the way."""

from __future__ import annotations

import io
import json
import os
import stat
import tarfile
import typing as t
from pathlib import Path

import pytest
from backup_service import Service

Manifest = dict[str, t.Any]


@pytest.fixture
def service(tmp_path: Path) -> Service:
    service = Service(tmp_path)
    service.chat("hello")
    service.upload("a.txt", b"text")
    service.upload("b.txt", b"")
    service.upload("c.txt", b"")
    return service


@pytest.fixture
def away(service: Service) -> Path:
    """The directory of backups on the controller."""
    return service.root / "controller/web1/open-webui"


def change_manifest(service: Service, change: t.Callable[[Manifest], t.Any]) -> None:
    manifest = service.manifest()
    change(manifest)
    (service.latest() / "manifest.json").write_text(json.dumps(manifest))


def entry(manifest: Manifest, path: str) -> dict[str, t.Any]:
    return next(entry for entry in manifest["files"] if entry["path"] == path)


def send(service: Service, away: Path, **options: t.Any) -> t.Any:
    service.run("have", away, service.root / "have.json")
    service.run("pack", service.store, "latest", service.root / "out.tar", "--have", service.root / "have.json")
    return service.run("unpack", service.root / "out.tar", away, **options)


def test_files_come_back_as_they_were(service: Service) -> None:
    upload = service.data / "uploads/a.txt"
    upload.chmod(0o640)
    (service.data / "uploads").chmod(0o750)
    service.database.chmod(0o644)
    if os.geteuid() == 0:
        os.chown(upload, 1000, 1001)
    service.take()
    target = service.root / "back"
    answer = service.run("bring", service.config(), "latest", target).answer
    facts, back = upload.stat(), (target / "data/uploads/a.txt").stat()
    assert [back.st_mode, back.st_uid, back.st_gid, back.st_mtime_ns] == [
        facts.st_mode,
        facts.st_uid,
        facts.st_gid,
        facts.st_mtime_ns,
    ]
    assert stat.S_IMODE((target / "data/uploads").stat().st_mode) == 0o750
    assert stat.S_IMODE((target / "data/webui.db").stat().st_mode) == 0o644
    assert stat.S_IMODE(target.stat().st_mode) == 0o700
    assert answer["target"] == str(target)
    assert answer["id"] == service.latest().name
    assert service.run("verify", target).answer["files"] == answer["files"]


def test_what_comes_back_is_no_link_to_the_backup(service: Service) -> None:
    service.take()
    service.run("bring", service.store, "latest", service.root / "back")
    (service.root / "back/data/uploads/a.txt").write_text("written by the service")
    service.run("verify", service.latest())


@pytest.mark.parametrize("empty", [True, False])
def test_only_an_empty_target_is_taken(service: Service, empty: bool) -> None:
    service.take()
    target = service.root / "back"
    target.mkdir()
    if not empty:
        (target / "file").touch()
    run = service.run("bring", service.config(), "latest", target, fails=not empty)
    assert empty or f"{target} is in use" in run.said
    assert empty or [path.name for path in target.iterdir()] == ["file"]


def test_an_unknown_backup_is_answered_with_those_there_are(service: Service) -> None:
    service.take()
    said = service.run("bring", service.config(), "20200101T000000Z", service.root / "back", fails=True).said
    assert f"There is: {service.latest().name}." in said
    assert "There is: none." in service.run("bring", service.root, "latest", service.root / "back", fails=True).said


def damage_content(tree: Path) -> None:
    (tree / "data/uploads/a.txt").write_bytes(b"TEXT")


def damage_link(tree: Path) -> None:
    (tree / "data/uploads/a.txt").unlink()
    (tree / "data/uploads/a.txt").symlink_to("/etc/hostname")


DAMAGES: list[tuple[t.Callable[[Path], t.Any], str]] = [
    (damage_content, "'data/uploads/a.txt' has the checksum "),
    (lambda tree: (tree / "data/uploads/a.txt").unlink(), "'data/uploads/a.txt' is missing"),
    (damage_link, "'data/uploads/a.txt' is neither a file nor a directory"),
    (lambda tree: (tree / "data/uploads/new").touch(), "'data/uploads/new' is not in the manifest"),
]


@pytest.mark.parametrize(("damage", "sentence"), DAMAGES, ids=["changed", "gone", "a link", "one more"])
def test_a_damaged_backup_is_named_file_by_file(
    service: Service, damage: t.Callable[[Path], t.Any], sentence: str
) -> None:
    service.take()
    damage(service.latest())
    (service.latest() / "config/session_key").write_text("another key")
    said = service.run("verify", service.latest(), fails=True).said
    assert sentence in said
    assert "'config/session_key' has the checksum " in said


def test_a_damaged_backup_does_not_come_back(service: Service) -> None:
    service.take()
    damage_content(service.latest())
    target = service.root / "back"
    said = service.run("bring", service.config(), "latest", target, fails=True).said
    expected = entry(service.manifest(), "data/uploads/a.txt")["sha256"]
    assert f"instead of {expected}" in said
    assert not target.exists()
    assert not list(service.root.glob("back.*"))


BAD_PATHS = [
    "../../etc/passwd",
    "/etc/passwd",
    "data/../../x",
    "data//x",
    "data/./x",
    "etc/x",
    "",
    "data/x\0",
    "manifest.json",
]


@pytest.mark.parametrize("path", BAD_PATHS, ids=repr)
def test_a_manifest_that_names_other_places_is_refused(service: Service, away: Path, path: str) -> None:
    service.take()
    change_manifest(service, lambda manifest: entry(manifest, "data/uploads/a.txt").update(path=path))
    assert "is damaged (the path" in service.run("verify", service.latest(), fails=True).said
    archive = service.root / "evil.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(service.latest() / "manifest.json", "manifest.json")
    assert "is damaged (the path" in service.run("unpack", archive, away, fails=True).said
    assert [path.name for path in away.iterdir()] == [".lock"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda manifest: manifest.update(format=2), "was written by a newer program"),
        (lambda manifest: manifest.update(id="../x"), "is damaged"),
        (lambda manifest: manifest.pop("counts"), "is damaged ('counts')"),
        (lambda manifest: manifest["files"].append(manifest["files"][0]), "a path is there twice"),
        (lambda manifest: manifest["files"][0].update(mode="0777"), "is damaged"),
        (
            lambda manifest: manifest["directories"].append({"path": "../x", "mode": 0, "uid": 0, "gid": 0}),
            "the path '../x'",
        ),
    ],
)
def test_a_wrong_manifest_is_refused(service: Service, change: t.Callable[[Manifest], t.Any], sentence: str) -> None:
    service.take()
    change_manifest(service, change)
    assert sentence in service.run("verify", service.latest(), fails=True).said


def test_a_backup_goes_to_the_controller_once(service: Service, away: Path) -> None:
    service.take()
    first = send(service, away).answer
    assert first["changed"] is True
    assert service.run("verify", away / service.latest().name).answer["id"] == first["id"]
    old = service.set_back()
    (away / first["id"]).rename(away / old.name)
    (away / old.name / "manifest.json").write_bytes((old / "manifest.json").read_bytes())
    service.upload("new.bin", os.urandom(1000))
    service.take()
    second = send(service, away).answer
    assert 1000 < second["new_bytes"] <= 1000 + service.latest().joinpath("data/webui.db").stat().st_size
    assert (away / old.name / "data/uploads/a.txt").samefile(away / second["id"] / "data/uploads/a.txt")
    assert send(service, away).answer["changed"] is False
    kept = service.run("unpack", service.root / "out.tar", away, "--keep", '{"last": 1}').answer
    assert kept["removed"] == [old.name]
    assert service.run("verify", away / second["id"]).answer["id"] == second["id"]


def test_what_is_packed_and_unpacked_is_private(service: Service, away: Path) -> None:
    service.take()
    send(service, away, umask=0)
    assert stat.S_IMODE((service.root / "out.tar").stat().st_mode) == 0o600
    found = list((service.root / "controller").rglob("*"))
    assert {stat.S_IMODE(path.stat().st_mode) for path in found if path.is_file()} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in found if path.is_dir()} == {0o700}


def test_equal_files_of_a_packed_backup_come_back_as_two(service: Service) -> None:
    """A service writes to them in place."""
    service.take()
    service.run("pack", service.store, "latest", service.root / "out.tar")
    service.run("bring", service.root / "out.tar", "latest", service.root / "back")
    uploads = service.root / "back/data/uploads"
    assert (uploads / "b.txt").read_bytes() == (uploads / "c.txt").read_bytes()
    assert not (uploads / "b.txt").samefile(uploads / "c.txt")
    assert service.run("verify", service.root / "back").answer["id"] == service.latest().name


def member(
    name: str, kind: bytes = tarfile.REGTYPE, target: str = "", content: bytes = b""
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, len(content)
    return info, content


DIGEST = "sha256/" + "0" * 64
EVIL = [
    member("../../escaped", content=b"x"),
    member("/tmp/escaped", content=b"x"),
    member("sha256/../../escaped", content=b"x"),
    member(DIGEST, tarfile.SYMTYPE, "/etc/passwd"),
    member(DIGEST, tarfile.LNKTYPE, "manifest.json"),
    member(DIGEST, tarfile.FIFOTYPE),
    member(DIGEST, tarfile.DIRTYPE),
]


@pytest.mark.parametrize("evil", EVIL, ids=lambda evil: f"{evil[0].name} {evil[0].type!r}")
def test_an_archive_with_anything_else_is_refused(
    service: Service, away: Path, evil: tuple[tarfile.TarInfo, bytes]
) -> None:
    service.take()
    archive = service.root / "evil.tar"
    service.run("pack", service.store, "latest", archive)
    with tarfile.open(archive, "a") as tar:
        tar.addfile(evil[0], io.BytesIO(evil[1]))
    said = service.run("unpack", archive, away, fails=True).said
    assert "does not belong there" in said
    assert [path.name for path in away.iterdir()] == [".lock"]
    assert not list(service.root.rglob("escaped"))


def cut(archive: Path) -> None:
    with open(archive, "r+b") as file:
        file.truncate(archive.stat().st_size // 2)


def changed(archive: Path) -> None:
    content = archive.read_bytes()
    assert content.count(b"a session key") == 1
    archive.write_bytes(content.replace(b"a session key", b"a Session key"))


@pytest.mark.parametrize("damage", [cut, changed, lambda archive: archive.write_bytes(b"no archive")])
def test_a_damaged_archive_leaves_the_store_as_it_was(
    service: Service, away: Path, damage: t.Callable[[Path], t.Any]
) -> None:
    service.take()
    archive = service.root / "out.tar"
    service.run("pack", service.store, "latest", archive)
    damage(archive)
    service.run("unpack", archive, away, fails=True)
    assert [path.name for path in away.iterdir()] == [".lock"]


def test_the_chats_of_one_account_are_taken_out(service: Service) -> None:
    service.chat("of bob", owner="2")
    service.take()
    out = service.root / "ada.json"
    out.touch(0o644)
    answer = service.run("account", service.latest(), "ADA@example.com", out).answer
    assert answer == {"email": "ADA@example.com", "name": "Ada", "chats": 1, "out": str(out)}
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    (chat,) = json.loads(out.read_text())
    assert chat["title"] == "hello"
    assert chat["chat"]["history"]["messages"]["m"]["content"] == "hello?"
    assert (chat["meta"], chat["archived"]) == ({}, False)


def test_an_account_that_is_not_there_is_refused(service: Service) -> None:
    service.take()
    out = service.root / "out.json"
    said = service.run("account", service.latest(), "a%@example.com", out, fails=True).said
    assert "a%@example.com has no account in" in said
    assert not out.exists()


def test_the_contents_of_a_backup_and_of_a_live_database(service: Service) -> None:
    service.take()
    with service.writer():
        live = service.run("contents", service.database).answer
    saved = service.run("contents", service.latest()).answer
    assert saved["counts"]["chats"] == 1
    assert saved["counts"]["users"] == live["counts"]["users"] == 2
    assert saved["counts"]["notes"] is None
    assert saved["accounts"] == live["accounts"] == ["ada@example.com", "bob@example.com"]
    assert saved["schema"] == ["c0ffee"]
    assert "cannot be opened" in service.run("contents", service.root / "nothing", fails=True).said
