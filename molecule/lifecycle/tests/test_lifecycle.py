# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people have written stays, whatever is done to the service while they write."""

from __future__ import annotations

import json
import re
import time
import typing as t
from pathlib import Path

import pytest
from conftest import ADA, KIM, Service
from runs import CONTAINERS, backups, failed_with, manifest, nothing_changed, started, succeeded, to_version, version

from tests.testbed.people import Server
from tests.testbed.user import Fleet

# Vectors and the log of the database change whenever somebody asks.
PLACES = "/var/lib/docker/volumes/open-webui/_data /etc/selfhosted-llm"
DATA = f"find {PLACES} ! -path '*/vector_db/*' ! -name '*.db-*' -printf '%p %s\\n' | sort"


def test_a_backup_while_people_write(first: Fleet, service: Service) -> None:
    with service.writer.writing():
        service.writer.wait(60)
        run = first.play("playbooks/backup.yml")
    succeeded(run)
    service.refused_nothing(first)
    for name in ("open-webui", "ollama"):
        (backup,) = backups("first", name)
        assert {path.stat().st_mode & 0o777 for path in backup.rglob("*") if path.is_file()} == {0o600}
        assert backup.stat().st_mode & 0o777 == 0o700
        assert str(backup) in run.words
    (ours,) = backups("first")
    assert manifest(ours)["program"]["version"] == "0.12.0"
    assert manifest(ours)["vectors"]["state"] == "copied", manifest(ours)["vectors"]
    assert any(note.done > started(ours) for note in service.writer.notes)


def test_a_restore_to_an_empty_host_with_another_name_and_version(
    second: Fleet, service: Service, servers: dict[str, Server]
) -> None:
    (backup,) = backups("first")
    succeeded(second.play("playbooks/restore.yml", "-e", "restore_host=first"))
    server = servers["second"]
    assert version(server) == "0.12.4"
    service.complete(server, before=started(backup))
    nothing_changed(second.play("site.yml"))


def test_two_backups_at_once(first: Fleet, service: Service) -> None:
    before = backups("first")
    runs = [first.started("playbooks/backup.yml", "--limit", "first") for _run in range(2)]
    outputs = [run.communicate()[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], "\n".join(outputs)
    assert len(backups("first")) == len(before) + 2


@pytest.fixture
def untouched(second: Fleet) -> t.Iterator[None]:
    """The second host is after the test as it was before."""
    look = f"{CONTAINERS}; {DATA}"
    before = second.execute("second", look)
    yield
    assert second.execute("second", look) == before


@pytest.mark.usefixtures("untouched")
def test_a_restore_overwrites_nothing_by_itself(second: Fleet) -> None:
    run = second.play("playbooks/restore.yml", "-e", "restore_host=first")
    failed_with(run, "restore_force")


@pytest.mark.usefixtures("untouched")
def test_a_damaged_backup_is_refused(second: Fleet) -> None:
    backup = backups("first")[-1]
    damaged = next(path for path in sorted((backup / "data/uploads").iterdir()))
    sound = damaged.read_bytes()
    # Another backup may share the file.
    damaged.unlink()
    damaged.write_bytes(b"X" + sound[1:])
    run = second.play("playbooks/restore.yml", "-e", "restore_host=first", "-e", "restore_force=true")
    damaged.write_bytes(sound)
    failed_with(run, damaged.name)


@pytest.mark.usefixtures("untouched")
def test_a_backup_of_a_newer_version_is_refused(second: Fleet) -> None:
    backup = backups("first")[-1]
    file = backup / "manifest.json"
    sound = file.read_text()
    file.write_text(json.dumps({**json.loads(sound), "program": {**json.loads(sound)["program"], "version": "0.13.0"}}))
    run = second.play("playbooks/restore.yml", "-e", "restore_host=first", "-e", "restore_force=true")
    file.write_text(sound)
    failed_with(run, "0.13.0", "0.12.4")


def test_one_accounts_chats_come_out_of_a_backup(second: Fleet, service: Service, tmp_path: Path) -> None:
    out = tmp_path / "kim.json"
    account = ["-e", f"restore_account={KIM.email}", "-e", f"restore_account_file={out}"]
    succeeded(second.play("playbooks/restore_account.yml", "-e", "restore_host=first", *account))
    assert out.stat().st_mode & 0o777 == 0o600
    backup = backups("first")[-1]
    wanted = [note for note in service.writer.notes if (note.email, note.kind) == (KIM.email, "chat")]
    assert all(note.text in out.read_text() for note in wanted if note.done < started(backup))
    assert ADA.email not in out.read_text()


def test_a_dry_run_announces_the_upgrade(first: Fleet) -> None:
    before = first.execute("first", CONTAINERS)
    run = first.play("playbooks/upgrade.yml", "--check", "-e", "open_webui_version=0.12.4")
    succeeded(run)
    assert "0.12.0" in run.words and "0.12.4" in run.words
    assert first.execute("first", CONTAINERS) == before


def test_an_upgrade_with_migrations_while_people_write(
    first: Fleet, service: Service, servers: dict[str, Server], times: dict[str, float]
) -> None:
    times["upgrade"] = time.time()
    with service.writer.writing():
        run = to_version(first, "0.12.4")
    succeeded(run)
    print(f"pause {service.writer.pause(times['upgrade']):.1f} s")
    service.refused_nothing(first)
    assert version(servers["first"]) == "0.12.4"
    service.complete(servers["first"])
    nothing_changed(to_version(first, "0.12.4", "site.yml"))


BROKEN = {
    "0.12.6": "This release needs a processor that was never built.",
    "0.12.7": "This migration cannot be done: column size of table chat is not what it was.",
}


@pytest.mark.parametrize("broken", ["0.12.6", pytest.param("0.12.7", marks=pytest.mark.thorough)])
def test_a_version_that_fails_never_takes_the_place_of_one_that_works(
    first: Fleet, service: Service, servers: dict[str, Server], broken: str
) -> None:
    before = first.execute("first", CONTAINERS)
    failed_with(to_version(first, broken), BROKEN[broken])
    # Not even stopped.
    assert first.execute("first", CONTAINERS) == before


def test_an_upgrade_that_fails_on_the_real_data_is_undone_while_people_write(
    first: Fleet, service: Service, servers: dict[str, Server]
) -> None:
    with service.writer.writing():
        run = to_version(first, "0.12.8")
        service.writer.wait(len(service.writer.notes) + 10)
    failed_with(run, "This migration cannot be done", "has no size", "0.12.4")
    service.refused_nothing(first)
    assert version(servers["first"]) == "0.12.4"
    service.complete(servers["first"])
    nothing_changed(to_version(first, "0.12.4", "site.yml"))


def test_a_rollback_says_what_would_be_left_behind(first: Fleet) -> None:
    before = first.execute("first", CONTAINERS)
    run = first.play("playbooks/rollback.yml")
    succeeded(run)
    assert re.search(r"back from 0\.12\.4 to 0\.12\.0, to the state of [\d-]{10} [\d:]{8} UTC", run.words)
    assert "rollback_confirm=true" in run.words
    confirmed = ["-e", "rollback_confirm=true"]
    failed_with(first.play("playbooks/rollback.yml", *confirmed, "-e", "open_webui_version=0.12.4"), "Leave it out")
    assert first.execute("first", CONTAINERS) == before


def test_a_rollback_brings_the_state_before_the_upgrade(
    first: Fleet, service: Service, servers: dict[str, Server], times: dict[str, float]
) -> None:
    run = first.play("playbooks/rollback.yml", "-e", "rollback_confirm=true")
    succeeded(run)
    assert version(servers["first"]) == "0.12.0"
    # What came later is kept aside.
    service.writer.forget(times["upgrade"])
    service.complete(servers["first"])
    nothing_changed(first.play("site.yml"))
