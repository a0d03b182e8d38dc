# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A restore of Open WebUI by its real tasks and programs, from the controller to another host on which people work."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import sys
import typing as t
from pathlib import Path

import pytest
from backup_service import TABLES, Service
from stage import Played, Stage, answering

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the role gives its files to root")
# As in playbooks/restore.yml, without the roles that provide and prove the service.
PLAYS = """
- hosts: open_webui
  gather_facts: false
  tasks:
    - include_role: {name: selfhosted.llm.backup, tasks_from: restore_check, rolespec_validate: false}
    - include_role: {name: selfhosted.llm.backup, tasks_from: restore_bring, rolespec_validate: false}
    - block:
        - include_role: {name: selfhosted.llm.backup, tasks_from: restore_put, rolespec_validate: false}
          vars: {container_rescued: true}
        - community.docker.docker_container: {name: open-webui, image: "example.com/chat:v0.12.4"}
        - include_role: {name: selfhosted.llm.container, tasks_from: wait}
          vars:
            container_name: open-webui
            container_ready_url: "{{ backup_api }}/ready"
            container_rescued: true
          when: not broken
        - include_role: {name: selfhosted.llm.container, tasks_from: fail}
          vars: {container_reason: It did not start., container_rescued: true}
          when: broken
        - include_role: {name: selfhosted.llm.backup, tasks_from: restore_done, rolespec_validate: false}
      rescue:
        - include_role: {name: selfhosted.llm.backup, tasks_from: restore_undo, rolespec_validate: false}
"""
OLD = {"image": "example.com/chat:v0.12.4", "running": True}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A backup of the host web1 on the controller."""
    (tmp_path / "web1").mkdir()
    service = Service(tmp_path / "web1")
    service.chat("of the backup")
    service.upload("letter.txt", b"Dear Ada")
    service.take()
    place = tmp_path / "controller/web1"
    place.mkdir(parents=True)
    shutil.copytree(service.store, place / "open-webui")
    (backup,) = [path for path in (place / "open-webui").iterdir() if not path.name.startswith(".")]
    return backup


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """What people have on web2."""
    data = tmp_path / "data"
    (data / "uploads").mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(data / "webui.db")) as database:
        database.executescript(TABLES)
        database.execute("INSERT INTO chat VALUES ('c', '1', 'of web2', '{}', '{}', 0, 1)")
        database.commit()
    (data / ".selfhosted-llm.json").write_text('{"version": "0.12.4"}')
    return data


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    (tmp_path / "stage").mkdir()
    stage = Stage(tmp_path / "stage")
    stage.have(**{"open-webui": OLD})
    return stage


def restore(stage: Stage, data: Path, **variables: t.Any) -> Played:
    root = data.parent
    with answering() as port:
        service = {
            "backup_service": "open_webui",
            "backup_name": "open-webui",
            "backup_version": "0.12.4",
            "backup_image": "example.com/chat:v0.12.4",
            "backup_volume": str(data),
            "backup_api": f"http://127.0.0.1:{port}",
            "backup_directory": str(root / "backups"),
            "backup_controller_directory": str(root / "controller"),
            "restore_host": "web1",
            "broken": False,
        }
        keeper = [sys.executable, str(root / "lib/restore.py")]
        places = {
            "__backup_lib": str(root / "program"),
            "__backup_restore_etc": str(root / "etc"),
            "__open_webui_programs": str(root / "lib"),
            "__backup_restore_keeper": keeper,
        }
        hosts = {"open_webui": {"hosts": {"web2": {**service, **variables}}}}
        return stage.play(PLAYS, hosts, "-e", json.dumps(places))


def chats(data: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(data / "webui.db")) as database:
        return [row[0] for row in database.execute("SELECT title FROM chat")]


@pytest.mark.usefixtures("saved")
def test_a_backup_takes_the_place_of_what_people_have_and_that_stays_aside(stage: Stage, data: Path) -> None:
    played = restore(stage, data, restore_force=True)
    assert played.status == 0, played.output
    assert chats(data) == ["of the backup"]
    assert (data / "uploads/letter.txt").read_text() == "Dear Ada"
    assert (data.parent / "etc/session_key").read_text() == "a session key"
    (aside,) = (data / ".selfhosted-llm").glob("aside-*")
    assert chats(aside) == ["of web2"]
    assert stage.containers == {"open-webui": {"image": "example.com/chat:v0.12.4", "running": True}}
    assert not list((data.parent / "backups").glob(".transport-*"))


@pytest.mark.usefixtures("saved")
@pytest.mark.thorough
def test_what_does_not_start_is_taken_back_with_one_message(stage: Stage, data: Path) -> None:
    played = restore(stage, data, restore_force=True, broken=True)
    assert played.status == 2
    assert ["It did not start." in failure for failure in played.failures] == [False, True], played.output
    assert "What was there before is back, and runs." in played.failures[-1]
    assert chats(data) == ["of web2"]
    assert stage.containers == {"open-webui": OLD}


@pytest.mark.thorough
def test_a_damaged_backup_is_refused_before_anything_is_changed(stage: Stage, data: Path, saved: Path) -> None:
    (saved / "data/uploads/letter.txt").write_text("Dear Eve")
    played = restore(stage, data, restore_force=True)
    assert played.status == 2
    (failure,) = played.failures
    assert "data/uploads/letter.txt" in failure
    assert "has the checksum" in failure
    assert stage.log == []
    assert chats(data) == ["of web2"]
