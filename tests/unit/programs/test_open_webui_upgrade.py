# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What upgrades and restores do with the data of Open WebUI, killed before each of their steps and run again."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest

FILES = Path(__file__).resolve().parents[3] / "roles/open_webui/files"
# Ends as a kill would, before the n-th change of the disk.
KILLED = """
import os, pathlib, runpy, shutil, sys
sys.path.insert(0, os.path.dirname(sys.argv[2]))
left = int(sys.argv[1])
def dying(real):
    def step(*arguments, **named):
        global left
        if left == 0:
            os._exit(9)
        left -= 1
        return real(*arguments, **named)
    return step
pathlib.Path.rename = dying(pathlib.Path.rename)
pathlib.Path.unlink = dying(pathlib.Path.unlink)
pathlib.Path.mkdir = dying(pathlib.Path.mkdir)
shutil.rmtree = dying(shutil.rmtree)
sys.argv = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
MOST = 20


def run(program: str, *arguments: object, dies_at: int = -1) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", KILLED, str(dies_at), str(FILES / program), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def answer(program: str, *arguments: object) -> t.Any:
    done = run(program, *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def database(path: Path, **rows: list[tuple[t.Any, ...]]) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute('CREATE TABLE IF NOT EXISTS "user" (id, email, created_at, updated_at)')
        connection.execute("CREATE TABLE IF NOT EXISTS chat (id, user_id, title, updated_at)")
        connection.execute("CREATE TABLE IF NOT EXISTS note (id, user_id, updated_at)")
        for table, values in rows.items():
            connection.executemany(f'INSERT INTO "{table}" VALUES ({", ".join("?" * len(values[0]))})', values)
    connection.close()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Ada with a chat and a file, as version 1.0.0 of the program has left them."""
    data = tmp_path / "data"
    (data / "uploads").mkdir(parents=True)
    (data / "vector_db").mkdir()
    (data / "uploads" / "essay.txt").write_text("On engines")
    (data / "vector_db" / "chroma.sqlite3").write_text("vectors")
    (data / ".selfhosted-llm.json").write_text('{"version": "1.0.0"}')
    database(data / "webui.db", user=[("1", "ada@example.com", 100, 100)], chat=[("c1", "1", "Hello", 100)])
    config = tmp_path / "config"
    config.mkdir()
    (config / "environment").write_text("old")
    return data


def state(data: Path) -> dict[str, str]:
    """The content of what belongs to the service."""
    with sqlite3.connect(f"file:{data / 'webui.db'}?mode=ro", uri=True) as connection:
        titles = ",".join(row[0] for row in connection.execute("SELECT title FROM chat ORDER BY id"))
    connection.close()
    files = [data / ".selfhosted-llm.json", *data.glob("uploads/*"), *data.glob("vector_db/*")]
    files.append(data.parent / "config" / "environment")
    return {"chats": titles, **{str(path.relative_to(data.parent)): path.read_text() for path in files}}


def begin(data: Path) -> subprocess.CompletedProcess[str]:
    config = str(data.parent / "config")
    journal = {
        "from": "1.0.0",
        "to": "2.0.0",
        "config": config,
        "reference": "image",
        "running": True,
        "rehearse": True,
    }
    return run("upgrade.py", "begin", data, json.dumps(journal))


def frozen(data: Path) -> Path:
    assert begin(data).returncode == 0
    return Path(answer("upgrade.py", "freeze", data)["snapshot"])


def spoil(data: Path) -> None:
    """What a migration that fails may do."""
    with sqlite3.connect(data / "webui.db") as connection:
        connection.execute("UPDATE chat SET title = 'spoiled'")
    connection.close()
    (data / "uploads" / "essay.txt").unlink()
    (data / "vector_db" / "chroma.sqlite3").write_text("spoiled")
    (data.parent / "config" / "environment").write_text("new")


def test_begin_copies_the_database_of_a_service_that_writes(data: Path) -> None:
    writer = sqlite3.connect(data / "webui.db")
    writer.execute("PRAGMA journal_mode=WAL")
    writer.execute("INSERT INTO chat VALUES ('c2', '1', 'In the log only', 200)")
    writer.commit()
    assert begin(data).returncode == 0
    with sqlite3.connect(data / ".selfhosted-llm" / "rehearsal" / "webui.db") as copy:
        assert copy.execute("SELECT count(*) FROM chat").fetchone() == (2,)
    copy.close()
    writer.close()
    assert (data / ".selfhosted-llm").stat().st_mode & 0o777 == 0o700


def test_nothing_is_begun_without_room(data: Path) -> None:
    with (data / "vector_db" / "large").open("wb") as file:
        file.truncate(shutil.disk_usage(data).total)
    done = begin(data)
    assert done.returncode == 1
    assert "and the upgrade needs" in done.stderr
    assert answer("data.py", "look", data)["upgrade"] is None


@pytest.mark.parametrize("dies_at", range(MOST))
def test_a_killed_freeze_is_undone(data: Path, dies_at: int) -> None:
    before = state(data)
    assert begin(data).returncode == 0
    run("upgrade.py", "freeze", data, dies_at=dies_at)
    answer("upgrade.py", "back", data)
    assert state(data) == before
    assert answer("data.py", "look", data)["upgrade"] is None


@pytest.mark.parametrize("dies_at", range(MOST))
def test_a_killed_way_back_arrives_with_the_next_run(data: Path, dies_at: int) -> None:
    before = state(data)
    frozen(data)
    spoil(data)
    killed = run("upgrade.py", "back", data, dies_at=dies_at)
    if killed.returncode:
        answer("upgrade.py", "back", data)
    assert state(data) == before
    assert answer("data.py", "look", data)["upgrade"] is None
    left = {path.name.partition("-")[0] for path in (data / ".selfhosted-llm").iterdir()}
    # Killed when all was done but to throw away what the migration has spoiled.
    assert left <= ({"outgoing", "aside"} if killed.returncode else {"outgoing"})


def test_enough_steps_are_killed(data: Path) -> None:
    frozen(data)
    assert run("upgrade.py", "back", data, dies_at=MOST).returncode == 0
    source = restored(data)
    assert run("data.py", "replace", data, source, data.parent / "config", dies_at=MOST).returncode == 0


def ready(data: Path) -> None:
    (data / ".selfhosted-llm.json").write_text('{"version": "2.0.0"}')


def test_what_people_have_written_stays(data: Path) -> None:
    frozen(data)
    ready(data)
    database(data / "webui.db", chat=[("c2", "1", "Written since", 1000000000)])
    refused = run("upgrade.py", "back", data, "ada@example.com")
    assert refused.returncode == 3
    assert json.loads(refused.stdout) == {
        "total": 1,
        "removed": 0,
        "newest": {"email": "ada@example.com", "time": "2001-09-09 01:46:40 UTC"},
        "chats": 1,
    }
    assert state(data)["chats"] == "Hello,Written since"


def test_a_migration_that_rewrites_and_removes_is_nobody_s_write(data: Path) -> None:
    before = state(data)
    frozen(data)
    with sqlite3.connect(data / "webui.db") as connection:
        connection.execute("DELETE FROM chat")
        connection.execute("INSERT INTO note VALUES ('n1', '1', 50)")
    connection.close()
    answer("upgrade.py", "back", data)
    assert state(data) == before


def test_a_write_before_anybody_has_seen_the_new_version_ready_counts(data: Path) -> None:
    frozen(data)
    database(data / "webui.db", chat=[("c2", "1", "Written since", int(time.time()) + 5)])
    assert run("upgrade.py", "back", data).returncode == 3


def test_accounts_of_the_inventory_are_nobody_s_writes(data: Path) -> None:
    frozen(data)
    ready(data)
    database(data / "webui.db", user=[("2", "Kim@example.com", 200, 200)])
    assert run("upgrade.py", "back", data).returncode == 3
    assert run("upgrade.py", "back", data, "kim@Example.com").returncode == 0


def test_changes_and_removals_count(data: Path) -> None:
    snapshot = frozen(data)
    with sqlite3.connect(data / "webui.db") as connection:
        connection.execute("UPDATE chat SET updated_at = 300 WHERE id = 'c1'")
        # Notes are counted in nanoseconds, and a sign-in changes an account's row.
        connection.execute("INSERT INTO note VALUES ('n1', '1', 1000000000000000000)")
        connection.execute("UPDATE user SET updated_at = 400")
    connection.close()
    since = answer("data.py", "since", data, snapshot)
    assert (since["chats"], since["notes"], since["total"]) == (1, 1, 2)
    assert since["newest"]["time"] == "2001-09-09 01:46:40 UTC"
    with sqlite3.connect(data / "webui.db") as connection:
        connection.execute("DELETE FROM chat")
    connection.close()
    assert answer("data.py", "since", data, snapshot)["removed"] == 1


def test_all_that_people_have(data: Path) -> None:
    everything = answer("data.py", "since", data, "-", "ada@example.com")
    assert (everything["total"], everything["chats"]) == (1, 1)
    assert answer("data.py", "since", data.parent, "-") == {"total": 0, "removed": 0, "newest": None}


def test_what_the_playbooks_have_made_is_none_of_peoples_work(data: Path) -> None:
    with sqlite3.connect(data / "webui.db") as connection:
        connection.execute("INSERT INTO user VALUES ('2', 'automation@localhost', 1, 1)")
        connection.execute("CREATE TABLE model (id, user_id, updated_at)")
        connection.executemany("INSERT INTO model VALUES (?, ?, 1)", [("helpdesk", "2"), ("mine", "1")])
        connection.execute("INSERT INTO note VALUES ('n1', '2', 1)")
    connection.close()
    own = ["automation@localhost", "probe@localhost", "ada@example.com"]
    everything = answer("data.py", "since", data, "-", *own)
    # Ada's chat and model; and nobody but a person writes notes.
    assert (everything["chats"], everything["models"], everything["notes"], everything["total"]) == (1, 1, 1, 3)
    assert answer("data.py", "since", data, "-", "probe@localhost", *own[:1])["models"] == 2


def test_what_the_playbooks_have_made_and_somebody_changed_counts(data: Path) -> None:
    with sqlite3.connect(data / "webui.db") as connection:
        connection.execute("INSERT INTO user VALUES ('2', 'automation@localhost', 1, 1)")
        connection.execute("CREATE TABLE model (id, user_id, updated_at)")
        connection.execute("INSERT INTO model VALUES ('helpdesk', '2', 1)")
    connection.close()
    snapshot = frozen(data)
    with sqlite3.connect(data / "webui.db") as connection:
        connection.execute("UPDATE model SET updated_at = 2")
        connection.execute("INSERT INTO model VALUES ('new', '2', 2)")
    connection.close()
    since = answer("data.py", "since", data, snapshot, "automation@localhost")
    assert (since["models"], since["total"]) == (1, 1)


def test_what_an_admin_may_have_made_counts(data: Path) -> None:
    with sqlite3.connect(data / "webui.db") as connection:
        connection.execute("CREATE TABLE model (id, user_id, updated_at)")
        connection.execute("INSERT INTO model VALUES ('helpdesk', '1', 1)")
    connection.close()
    # The playbooks write by the account of the admin.
    own = ["ada@example.com", "probe@localhost", "ada@example.com"]
    assert answer("data.py", "since", data, "-", *own)["models"] == 1


def test_commit_keeps_the_newest_snapshot(data: Path) -> None:
    room = data / ".selfhosted-llm"
    old = room / "before-0.9.0-20200101T000000Z"
    snapshot = frozen(data)
    shutil.copytree(snapshot, old)
    answer("upgrade.py", "commit", data)
    found = answer("data.py", "look", data)
    assert found["upgrade"] is None
    assert found["snapshot"]["path"] == str(snapshot)
    assert not old.exists()
    assert snapshot.stat().st_mode & 0o777 == 0o700


def restored(data: Path) -> Path:
    """A backup beside the data, as a restore brings it."""
    source = data / ".selfhosted-llm" / "restore-1"
    (source / "uploads").mkdir(parents=True)
    (source / "config").mkdir()
    (source / "uploads" / "letter.txt").write_text("Dear Ada")
    (source / ".selfhosted-llm.json").write_text('{"version": "0.9.0"}')
    (source / "config" / "environment").write_text("of the backup")
    database(source / "webui.db", chat=[("b1", "1", "From the backup", 1)])
    return source


@pytest.mark.parametrize("dies_at", range(MOST))
def test_a_killed_replacement_is_finished(data: Path, dies_at: int) -> None:
    source, config = restored(data), data.parent / "config"
    killed = run("data.py", "replace", data, source, config, dies_at=dies_at)
    again = answer("data.py", "replace", data, source, config)
    aside = Path(again["aside"])
    assert again["changed"] is (killed.returncode != 0)
    assert state(data) == {
        "chats": "From the backup",
        "data/.selfhosted-llm.json": '{"version": "0.9.0"}',
        "data/uploads/letter.txt": "Dear Ada",
        "config/environment": "of the backup",
    }
    assert aside == data / ".selfhosted-llm" / "aside-restore-1"
    assert (aside / "uploads" / "essay.txt").read_text() == "On engines"
    assert (aside / "config" / "environment").read_text() == "old"
    assert sqlite3.connect(aside / "webui.db").execute("SELECT title FROM chat").fetchone() == ("Hello",)


def test_only_what_lies_beside_the_data_takes_its_place(data: Path, tmp_path: Path) -> None:
    before = state(data)
    for source in (tmp_path / "elsewhere", data / ".selfhosted-llm" / "missing"):
        done = run("data.py", "replace", data, source)
        assert done.returncode == 1
        assert str(source) in done.stderr
    assert state(data) == before


def test_empty_data_is_replaced_too(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (tmp_path / "config").mkdir()
    assert answer("data.py", "replace", data, restored(data), tmp_path / "config") == {"changed": True, "aside": None}
    assert state(data)["chats"] == "From the backup"


def test_data_that_is_not_there_is_nothing(tmp_path: Path) -> None:
    found = answer("data.py", "look", tmp_path / "nothing")
    assert found == {"version": "", "size": 0, "replacing": False, "restore": None, "upgrade": None, "snapshot": None}


@pytest.fixture
def arrived(data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A backup that has been brought beside the data, and the old container, which an engine knows."""
    place = data / ".selfhosted-llm/arrived"
    (place / "data/uploads").mkdir(parents=True)
    (place / "config").mkdir()
    manifest = {"id": "20260101T000000Z", "host": "old", "vectors": {}, "program": {"version": "0.9.0"}}
    (place / "manifest.json").write_text(json.dumps(manifest))
    (place / "data/uploads/letter.txt").write_text("Dear Ada")
    (place / "config/session_key").write_text("of the backup")
    (place / "config/environment").write_text("the inventory writes it anew")
    database(place / "data/webui.db", chat=[("b1", "1", "From the backup", 1)])
    engine = data.parent / "docker"
    engine.write_text("#!/bin/sh\necho true\n")
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", str(data.parent), prepend=":")
    return place


def restore(data: Path, *commands: str, dies_at: int = -1) -> int:
    """Run these commands as the role does, and kill one at a step. The steps that were left."""
    for command in commands:
        arguments: tuple[object, ...] = ()
        if command == "replace":
            arguments = (answer("restore.py", "begin", data, "open-webui")["from"], data.parent / "config")
        elif command == "return":
            undo = answer("restore.py", "undo", data).get("undo")
            if not undo:
                continue
            arguments = (undo, data.parent / "config")
        elif command == "begin":
            arguments = ("open-webui",)
        name = {"return": "replace"}.get(command, command)
        done = run("restore.py", name, data, *arguments, dies_at=dies_at if command == commands[-1] else -1)
        if done.returncode == 9:
            return 9
        assert done.returncode == 0, done.stderr
    return 0


FORWARD, BACK = ("begin", "replace", "end"), ("finish", "undo", "return", "end")
# How many changes of the disk each of them makes, before each of which it is killed.
STEPS = {"begin": 6, "replace": 17, "end": 5, "finish": 1, "undo": 2, "return": 16}
AFTER = {
    "chats": "From the backup",
    "data/.selfhosted-llm.json": '{"version": "0.9.0"}\n',
    "data/uploads/letter.txt": "Dear Ada",
    "config/environment": "old",
}


def killed(commands: tuple[str, ...]) -> pytest.MarkDecorator:
    cases = [(command, number) for command in commands for number in range(STEPS[command])]
    return pytest.mark.parametrize(("command", "dies_at"), cases)


def forgotten(data: Path) -> bool:
    return answer("data.py", "look", data)["restore"] is None


@pytest.mark.thorough
@killed(FORWARD)
@pytest.mark.usefixtures("arrived")
def test_a_killed_restore_is_finished_by_the_next_run(data: Path, command: str, dies_at: int) -> None:
    restore(data, *FORWARD[: FORWARD.index(command) + 1], dies_at=dies_at)
    # One that was killed before it was noted begins anew.
    if not forgotten(data) or command == "begin":
        restore(data, *FORWARD)
    assert state(data) == AFTER
    assert (data.parent / "config/session_key").read_text() == "of the backup"
    (aside,) = (data / ".selfhosted-llm").glob("aside-*")
    assert (aside / "uploads/essay.txt").read_text() == "On engines"
    assert forgotten(data)


@pytest.mark.thorough
@killed(("begin", "replace"))
@pytest.mark.usefixtures("arrived")
def test_a_killed_restore_goes_back_when_the_next_run_fails(data: Path, command: str, dies_at: int) -> None:
    before = state(data)
    restore(data, *FORWARD[: FORWARD.index(command) + 1], dies_at=dies_at)
    restore(data, *BACK)
    assert state(data) == before
    assert forgotten(data)


@pytest.mark.thorough
@killed(BACK)
@pytest.mark.usefixtures("arrived")
def test_a_killed_way_back_of_a_restore_is_finished(data: Path, command: str, dies_at: int) -> None:
    before = state(data)
    restore(data, "begin", "replace")
    restore(data, *BACK[: BACK.index(command) + 1], dies_at=dies_at)
    # The next run begins with what is on its way back.
    if not forgotten(data):
        restore(data, *BACK)
    assert state(data) == before
    assert forgotten(data)


@pytest.mark.usefixtures("arrived")
def test_a_restore_and_its_way_back_with_each_of_their_steps(data: Path) -> None:
    before = state(data)
    assert restore(data, "begin", dies_at=STEPS["begin"]) == 0
    assert restore(data, "begin", "replace", dies_at=STEPS["replace"]) == 0
    assert state(data) == AFTER
    assert restore(data, *BACK, dies_at=STEPS["end"]) == 0
    assert state(data) == before
