# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An upgrade of Open WebUI to a version that fails: the old one runs on as it was, and one message says why."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path

import pytest
from stage import Stage, answering

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the role gives its files to root")
PLAYS = """
- hosts: open_webui
  gather_facts: false
  roles: [selfhosted.llm.open_webui]
"""


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    stage = Stage(tmp_path)
    data = tmp_path / "data"
    data.mkdir()
    (data / ".selfhosted-llm.json").write_text('{"version": "1.0.0"}')
    with sqlite3.connect(data / "webui.db") as database:
        database.execute('CREATE TABLE "user" (id, email, created_at, updated_at)')
        database.execute("CREATE TABLE chat (id, user_id, title, updated_at)")
        database.execute("INSERT INTO chat VALUES ('c1', '1', 'Hello', 100)")
    database.close()
    config = tmp_path / "etc"
    config.mkdir()
    (config / "environment").write_text("as it was")
    mounts = [{"Destination": "/app/backend/data", "Source": str(data)}]
    stage.have(chat={"image": "example.com/chat:v1.0.0", "running": True, "role": "open_webui", "mounts": mounts})
    return stage


@pytest.mark.parametrize(
    ("version", "rehearsal", "words"),
    [
        ("9.9.9", True, "The rehearsal on a copy of the database failed: This migration cannot be done"),
        pytest.param("9.9.9", False, "The log of example.com/chat:v9.9.9", marks=pytest.mark.thorough),
        pytest.param("8.8.8", True, "There is no image example.com/chat:v8.8.8", marks=pytest.mark.thorough),
    ],
    ids=["in the rehearsal", "when it starts", "before it is there"],
)
def test_a_version_that_fails(stage: Stage, version: str, rehearsal: bool, words: str) -> None:
    before = stage.containers
    with answering() as port:
        variables = {
            "open_webui_name": "chat",
            "open_webui_image": "example.com/chat",
            "open_webui_version": version,
            "open_webui_volume": str(stage.root / "data"),
            "open_webui_port": port,
            "open_webui_upgrade_backup": False,
            "open_webui_upgrade_rehearsal": rehearsal,
            "open_webui_ollama_urls": [],
        }
        # What the role takes from nobody.
        places = {
            "__open_webui_directory": str(stage.root / "etc"),
            "__open_webui_programs": str(stage.root / "lib"),
        }
        played = stage.play(PLAYS, {"open_webui": {"hosts": {"web1": variables}}}, "-e", json.dumps(places))
    assert played.status == 2, played.output
    assert [words in failure for failure in played.failures] == [False, True], played.output
    assert f"was not upgraded to {version}. 1.0.0 runs there, with everything as it was" in played.failures[-1]
    assert stage.containers == before
    assert ("stop chat" in stage.log) is not rehearsal
    assert (stage.root / "etc/environment").read_text() == "as it was"
    assert json.loads((stage.root / "data/.selfhosted-llm.json").read_text()) == {"version": "1.0.0"}
    assert not (stage.root / "data/.selfhosted-llm/upgrade.json").exists()
