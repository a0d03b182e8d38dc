# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The vectors of a backup: copied and opened, or marked to be made anew, and never the end of a backup."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest
from backup_service import PROGRAM, Service

ROOT = Path(__file__).resolve().parents[3]
WITH_CHROMA = next(iter(sorted(ROOT.glob(".cache/open-webui-*/bin/python"))), None)
MAKE = """
import sys, chromadb
client = chromadb.PersistentClient(sys.argv[1], settings=chromadb.Settings(anonymized_telemetry=False))
for name in ("one", "two"):
    collection = client.create_collection(name, embedding_function=None)
    vectors = [[float(number % 7), float(number % 11), float(number)] for number in range(40)]
    collection.add(ids=[f"{name}-{number}" for number in range(40)], embeddings=vectors)
"""


@pytest.fixture
def service(tmp_path: Path) -> Service:
    service = Service(tmp_path)
    store = service.data / "vector_db"
    (store / "index").mkdir(parents=True)
    (store / "index/data_level0.bin").write_bytes(b"vectors")
    with contextlib.closing(sqlite3.connect(store / "chroma.sqlite3")) as database:
        database.execute("CREATE TABLE embeddings (id TEXT)")
        database.commit()
    for path in (store / "chroma.sqlite3", store / "index/data_level0.bin"):
        os.utime(path, (time.time() - 3600,) * 2)
    return service


def docker_calls(service: Service) -> list[str]:
    log = service.programs / "docker.log"
    return [line for line in log.read_text().splitlines() if line.startswith("run ")] if log.exists() else []


def test_they_are_copied_and_opened_without_a_network(service: Service) -> None:
    assert service.take().answer["vectors"] == {"state": "copied", "reason": ""}
    assert (service.latest() / "data/vector_db/index/data_level0.bin").read_bytes() == b"vectors"
    (call,) = docker_calls(service)
    assert "--network none --pull never" in call
    assert f"source={service.store}" in call
    assert "target=/vectors,readonly" in call
    assert "registry.example.com/open-webui:v0.12.4 - /vectors" in call


def test_unchanged_ones_are_neither_copied_nor_opened_again(service: Service) -> None:
    service.take()
    first = service.set_back()
    assert service.take().answer["vectors"]["state"] == "copied"
    assert len(docker_calls(service)) == 1
    for name in ("chroma.sqlite3", "index/data_level0.bin"):
        assert (first / "data/vector_db" / name).samefile(service.latest() / "data/vector_db" / name)


def test_changed_ones_are_opened_again(service: Service) -> None:
    service.take()
    service.set_back()
    with contextlib.closing(sqlite3.connect(service.data / "vector_db/chroma.sqlite3")) as database:
        database.execute("INSERT INTO embeddings VALUES ('new')")
        database.commit()
    service.take()
    assert len(docker_calls(service)) == 2
    with contextlib.closing(sqlite3.connect(service.latest() / "data/vector_db/chroma.sqlite3")) as copy:
        assert copy.execute("SELECT id FROM embeddings").fetchall() == [("new",)]


def test_those_that_cannot_be_opened_are_marked(service: Service) -> None:
    (service.programs / "docker.status").write_text("1\n")
    for _time in range(2):
        vectors = service.take().answer["vectors"]
        assert vectors["state"] == "reindex"
        assert "the copy is not sound" in vectors["reason"]
        service.set_back()
    # What could not be opened is tried again.
    assert len(docker_calls(service)) == 2


def test_a_damaged_store_is_marked(service: Service) -> None:
    (service.data / "vector_db/chroma.sqlite3").write_bytes(b"SQLite format 3\0" + b"?" * 5000)
    answer = service.take().answer
    assert answer["vectors"]["state"] == "reindex"
    assert docker_calls(service) == []
    assert not list((service.latest() / "data/vector_db").rglob("*.bin"))
    service.run("verify", service.latest())


@pytest.mark.thorough
def test_index_files_that_never_rest_are_marked(service: Service) -> None:
    stop = service.root / "stop"
    path = service.data / "vector_db/index/data_level0.bin"
    # To copy it takes longer than the other process has to wait for its turn.
    os.truncate(path, 100_000_000)
    command = f'until [ -e "{stop}" ]; do echo x >> "{path}"; done'
    with subprocess.Popen(["sh", "-c", command]) as restless:
        try:
            answer = service.take().answer
        finally:
            stop.touch()
    assert restless.returncode == 0
    assert answer["vectors"]["state"] == "reindex"
    assert "changed each of the 5 times" in answer["vectors"]["reason"]
    service.run("verify", service.latest())


@pytest.mark.parametrize(("files", "state"), [([], "none"), (["milvus.db"], "reindex")])
def test_without_a_store_of_chroma(service: Service, files: list[str], state: str) -> None:
    shutil.rmtree(service.data / "vector_db")
    (service.data / "vector_db").mkdir()
    for name in files:
        (service.data / "vector_db" / name).touch()
    assert service.take().answer["vectors"]["state"] == state


def prove(store: Path) -> subprocess.CompletedProcess[str]:
    copy = store.with_name("copy")
    shutil.rmtree(copy, ignore_errors=True)
    with open(PROGRAM / "proof.py", encoding="utf-8") as script:
        command = [str(WITH_CHROMA), "-", str(store), str(copy)]
        return subprocess.run(command, stdin=script, capture_output=True, text=True, check=False)


@pytest.mark.thorough
@pytest.mark.skipif(not WITH_CHROMA, reason="Open WebUI is not installed yet (the integration tests do it)")
def test_the_proof_tells_a_sound_store_from_a_damaged_one(tmp_path: Path) -> None:
    store = tmp_path / "store"
    subprocess.run([str(WITH_CHROMA), "-c", MAKE, str(store)], check=True)
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*")}
    assert prove(store).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*")} == before
    with contextlib.closing(sqlite3.connect(store / "chroma.sqlite3")) as database:
        database.execute("DELETE FROM embeddings_queue WHERE seq_id % 3 = 0")
        database.commit()
    damaged = prove(store)
    assert damaged.returncode == 1
    assert len(damaged.stderr.strip().splitlines()[-1]) > 10
