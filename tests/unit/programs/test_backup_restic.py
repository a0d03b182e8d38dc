# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Backups to a repository, with the real restic where it is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from backup_service import PROGRAM, Service, mounted

PASSWORD = "the password of the repository"
KEY = "the key of the cloud"
needs_restic = pytest.mark.skipif(not shutil.which("restic"), reason="restic is not installed")


@pytest.fixture
def service(tmp_path: Path) -> Service:
    service = Service(tmp_path)
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "keys.json").write_text(
        json.dumps({"AWS_SECRET_ACCESS_KEY": KEY, "RESTIC_CACHE_DIR": str(tmp_path / "cache")})
    )
    service.settings["keep"] = {"last": 2}
    service.settings["restic"] = {
        "repository": str(tmp_path / "repository"),
        "password_file": str(tmp_path / "password"),
        "environment_file": str(tmp_path / "keys.json"),
        "check": "100%",
    }
    service.chat("hello")
    service.upload("a.txt", b"text")
    return service


@pytest.mark.thorough
@needs_restic
def test_a_backup_goes_there_and_comes_back(service: Service) -> None:
    service.upload("fresh.txt", b"just now", age=0)
    first = service.take().answer
    assert first["path"] is None
    service.upload("later.txt", b"later")
    second = service.take().answer
    assert not (service.root / ".data-backup").exists()
    listed = service.run("list", service.config()).answer["backups"]
    assert [backup["id"] for backup in listed] == [first["id"], second["id"]]
    assert listed[0]["program"]["version"] == "0.12.4"
    assert listed[0]["schema"] == ["c0ffee"]
    assert listed[1]["size"] == second["size"]
    status = service.run("status", service.config()).answer
    assert status["last"]["id"] == second["id"]
    for name, uploads in ((first["id"], {"a.txt", "fresh.txt"}), ("latest", {"a.txt", "fresh.txt", "later.txt"})):
        target = service.root / f"back-{name}"
        service.run("bring", service.config(), name, target)
        assert {path.name for path in (target / "data/uploads").iterdir()} == uploads
        assert service.chats(target / "data/webui.db") == {"hello"}
    # The third one is one too many for the first.
    assert service.take().answer["removed"] == [first["id"]]


@pytest.mark.thorough
@needs_restic
def test_a_borrowed_file_is_never_written_to(service: Service) -> None:
    before = (service.data / "uploads/a.txt").stat()
    service.take()
    after = (service.data / "uploads/a.txt").stat()
    assert (after.st_nlink, after.st_mode, after.st_mtime_ns) == (1, before.st_mode, before.st_mtime_ns)


@pytest.mark.thorough
@needs_restic
def test_snapshots_of_others_do_not_count(service: Service) -> None:
    mine = service.take().answer["id"]
    service.settings["host"] = "web2"
    other = service.take().answer["id"]
    assert [backup["id"] for backup in service.run("list", service.config()).answer["backups"]] == [other]
    service.settings["host"] = "web1"
    assert [backup["id"] for backup in service.run("list", service.config()).answer["backups"]] == [mine]


@pytest.mark.thorough
@needs_restic
def test_the_latest_of_another_host_is_that_host_s(service: Service) -> None:
    service.chat("of web1")
    service.take()
    # A later one of the host that asks.
    service.settings["host"] = "web2"
    service.chat("of web2")
    service.take()
    # The role asks by standard input, with restore_host in the place of its own.
    settings = json.dumps({**service.settings, "host": "web1"})
    target = service.root / "back"
    answer = service.run("bring", "/dev/stdin", "latest", target, input=settings).answer
    assert answer["host"] == "web1"
    assert service.chats(target / "data/webui.db") == {"hello", "of web1"}
    (service.root / "none").mkdir()
    settings = json.dumps({**service.settings, "host": "web3"})
    said = service.run("bring", "/dev/stdin", "latest", service.root / "none/back", fails=True, input=settings).said
    assert "There is no backup latest" in said


@pytest.mark.thorough
@needs_restic
def test_a_wrong_password_is_said_and_makes_no_repository(service: Service) -> None:
    service.take()
    (service.root / "password").write_text("another")
    said = service.take(fails=True).said
    assert "wrong password" in said
    assert not (service.root / ".data-backup").exists()


@pytest.mark.thorough
@needs_restic
def test_a_damaged_repository_fails_before_anything_is_removed(service: Service) -> None:
    service.settings["keep"] = {"last": 1}
    first = service.take().answer["id"]
    packs = [path for path in (service.root / "repository/data").rglob("*") if path.is_file()]
    pack = max(packs, key=lambda path: path.stat().st_size)
    pack.chmod(0o600)
    content = bytearray(pack.read_bytes())
    content[10] ^= 255
    pack.write_bytes(content)
    said = service.take(fails=True).said
    assert "The check in the repository" in said
    assert first in service.run("list", service.config()).answer["backups"][0]["id"]


@pytest.mark.thorough
@needs_restic
def test_what_a_killed_run_left_goes(service: Service) -> None:
    stage = service.root / ".data-backup"
    (stage / "data/uploads").mkdir(parents=True)
    (stage / "data/uploads/old.txt").touch()
    service.take()
    assert not stage.exists()
    service.run("bring", service.config(), "latest", service.root / "back")
    assert not (service.root / "back/data/uploads/old.txt").exists()


RESTIC = """#!/bin/sh
here=$(dirname "$0")
echo "$*" >> "$here/restic.log"
env >> "$here/restic.env"
case "$1" in
  backup) echo "Fatal: unable to save snapshot: node is gone" >&2; exit 3;;
  snapshots) echo '[]';;
esac
"""


def test_secrets_reach_it_by_its_environment_only(service: Service) -> None:
    service.program("restic", RESTIC)
    service.settings["restic"]["repository"] = "rest:https://user:pass@backup.example.com/"
    run = service.take(fails=True)
    commands = (service.programs / "restic.log").read_text()
    assert "backup --json --host web1 --tag selfhosted-llm --tag open-webui" in commands
    environment = (service.programs / "restic.env").read_text()
    assert f"AWS_SECRET_ACCESS_KEY={KEY}" in environment
    assert "RESTIC_REPOSITORY=rest:https://user:pass@backup.example.com/" in environment
    for secret in (PASSWORD, KEY, "user:pass"):
        assert secret not in commands
        assert secret not in run.said
    assert "A backup in the repository rest:https://backup.example.com/ failed" in run.said
    assert "node is gone" in run.said


def test_a_host_without_restic_is_told_so(service: Service) -> None:
    said = service.take(fails=True, env={"PATH": str(service.programs)}).said
    assert "need the program restic" in said


# Another run has locked it, until "free" exists.
LOCKED = """#!/bin/sh
case "$*" in
  unlock) ;;
  *--no-lock*) echo '[]';;
  *) [ -e "$(dirname "$0")/free" ] || { echo "repo already locked, waiting up to 0s for the lock" >&2; exit 11; }
     [ "$1" = forget ] && echo '[]' || echo '{"message_type": "summary", "snapshot_id": "1", "data_added": 1}';;
esac
"""


@pytest.mark.thorough
def test_a_locked_repository_is_waited_for(service: Service) -> None:
    service.program("restic", LOCKED)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(service.command("take", service.config()), env=service.environment(), **pipes)
    assert process.stderr
    assert "is locked by another run: trying again" in process.stderr.readline()
    (service.programs / "free").touch()
    assert json.loads(process.communicate(timeout=60)[0])["snapshot"] == "1"


@pytest.mark.parametrize("command", ["list", "status"])
def test_whoever_only_looks_does_not_wait(service: Service, command: str) -> None:
    """And can look at a repository to which nobody can write."""
    service.program("restic", LOCKED)
    service.run(command, service.config())


def stage(service: Service, kind: str, data: str) -> str:
    script = "import pathlib, sys\nsys.path.insert(0, sys.argv[1])\nimport take\nprint(take._stage({}, None))"
    config = {"service": kind, "data": str(service.root / data)}
    command = [sys.executable, "-B", "-c", script.format(config), str(PROGRAM)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize(("kind", "data"), [("open_webui", "data"), ("ollama", "data/models")])
def test_what_is_sent_lies_where_the_container_sees_nothing(service: Service, kind: str, data: str) -> None:
    """The service's container writes to the volume, and the program is root."""
    (service.root / data).mkdir(exist_ok=True)
    assert stage(service, kind, data) == str(service.root / ".data-backup")


def test_the_uploads_are_sent_without_a_copy(service: Service) -> None:
    there = 'backup) pwd > "$here/stage"; stat --format %h data/uploads/a.txt >> "$here/stage"; '
    service.program("restic", RESTIC.replace("backup) ", there))
    service.take(fails=True)
    stage, links = (service.programs / "stage").read_text().split()
    assert stage == str(service.root / ".data-backup")
    assert links == "2"
    assert not Path(stage).exists()


@pytest.fixture
def disk_of_its_own(service: Service) -> t.Iterator[None]:
    """The volume is a file system, beside which there is nothing that a hard link reaches."""
    with mounted(service.data, "4m"):
        yield


@pytest.mark.usefixtures("disk_of_its_own")
@pytest.mark.parametrize(("kind", "data"), [("open_webui", "data"), ("ollama", "data/models")])
def test_a_volume_with_a_disk_of_its_own_holds_what_is_sent(service: Service, kind: str, data: str) -> None:
    """Where a file system of its own keeps the container out."""
    (service.root / data).mkdir(exist_ok=True)
    assert stage(service, kind, data) == str(service.data / ".selfhosted-llm/backup")


@pytest.mark.usefixtures("disk_of_its_own")
def test_a_stage_that_leads_elsewhere_is_refused(service: Service) -> None:
    service.program("restic", RESTIC)
    outside = service.root / "outside"
    (outside / "backup").mkdir(parents=True)
    (service.data / ".selfhosted-llm").symlink_to(outside)
    assert "is a symbolic link" in service.take(fails=True).said
    assert (outside / "backup").exists()
