# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Root on the host works on what a service's container writes to: no link of its making leads anywhere else."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml
from backup_service import PROGRAM, Service

ROLES = PROGRAM.parents[2]
# Runs the program while somebody exchanges a path by a link, just before something happens that is given.
EXCHANGING = """
import os, sys
sys.path.insert(0, sys.argv.pop(1))
event, end, path, goal = [sys.argv.pop(1) for _number in range(4)]
def hook(happened, details):
    if happened == event and str(details[0]).partition("?")[0].endswith(end) and not os.path.islink(path):
        os.rename(path, path + ".old")
        os.symlink(goal, path)
sys.addaudithook(hook)
import vectors
vectors.PAUSE = 0
import commands
commands.main()
"""


@pytest.fixture
def service(tmp_path: Path) -> Service:
    service = Service(tmp_path)
    service.chat("hello")
    return service


def take(service: Service, *exchange: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", EXCHANGING, str(PROGRAM), *map(str, exchange), "take", service.config()]
    return subprocess.run(command, env=service.environment(), capture_output=True, text=True, check=False, timeout=60)


def found(service: Service, words: bytes) -> list[Path]:
    return [path for path in service.store.rglob("*") if path.is_file() and words in path.read_bytes()]


def test_a_database_that_becomes_a_link_to_one_of_the_host_is_refused(service: Service) -> None:
    secret = service.root / "host.db"
    with sqlite3.connect(secret) as database:
        database.execute("CREATE TABLE user (email)")
        database.execute("INSERT INTO user VALUES ('of the host')")
    database.close()
    done = take(service, "sqlite3.connect", service.database, service.database, secret)
    assert service.database.is_symlink()
    assert f"The database {service.database} led to {secret}, by a link" in done.stderr
    assert found(service, b"of the host") == []
    assert service.ids() == []


def test_vectors_that_become_a_link_to_a_directory_of_the_host_bring_nothing_of_it(service: Service) -> None:
    vectors, secret = service.data / "vector_db", service.root / "host"
    for place in (vectors, secret):
        (place / "index").mkdir(parents=True)
        (place / "index/key").write_text(f"of {place.name}")
    sqlite3.connect(vectors / "chroma.sqlite3").close()
    (vectors / "chroma.sqlite3").touch()
    done = take(service, "open", "index", vectors, secret)
    assert done.returncode == 0, done.stderr
    assert vectors.is_symlink()
    assert found(service, b"of host") == []
    # And next time it is one from the beginning.
    service.set_back()
    assert "is a symbolic link" in service.take().answer["vectors"]["reason"]
    assert found(service, b"of host") == []


def test_what_lies_in_the_volume_is_out_of_the_service_s_reach() -> None:
    for role, files in {"open_webui": ("deploy", "prepare"), "ollama": ("deploy",)}.items():
        variables = [yaml.safe_load(path.read_text()) or {} for path in (ROLES / role / "vars").rglob("*.yml")]
        (tmpfs,) = [one[f"__{role}_tmpfs"] for one in variables if f"__{role}_tmpfs" in one]
        look, *_rest = yaml.safe_load((ROLES / role / "tasks/preflight_container.yml").read_text())
        assert tmpfs == [f"{look['vars']['container_data_path']}/.selfhosted-llm:ro,size=4k"]
        for file in files:
            tasks = yaml.safe_load((ROLES / role / f"tasks/{file}.yml").read_text())
            (container,) = [
                task["community.docker.docker_container"] for task in tasks if "docker_container" in str(task)
            ]
            assert container["tmpfs"] == f"{{{{ __{role}_tmpfs }}}}"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "volume/models"


def put(store: Path, name: str = "sha256-1") -> subprocess.CompletedProcess[str]:
    """Put a model with one file back, by the part of the program that does it."""
    backup = store.parents[1] / "backup"
    (backup / "models/blobs").mkdir(parents=True)
    (backup / "models/manifests").mkdir()
    (backup / "models/blobs" / name).write_text("a template")
    (backup / "models/manifests/tag").write_text("new")
    layer = {"digest": name.replace("-", ":"), "size": 10, "saved": True}
    model = {"layers": [layer], "manifest": "models/manifests/tag", "weights": {"name": None}}
    script = "import json, pathlib, sys\nsys.path.insert(0, sys.argv[1])\nimport models\n"
    script += "print(models.put(json.loads(sys.argv[2]), *map(pathlib.Path, sys.argv[3:])))"
    aside = store.parent / ".selfhosted-llm/aside"
    command = [sys.executable, "-B", "-c", script, str(PROGRAM.parent), json.dumps(model)]
    return subprocess.run(
        [*command, *map(str, (backup, store, aside))], capture_output=True, text=True, check=False, timeout=60
    )


def test_a_model_comes_back_and_what_was_there_goes_aside(store: Path) -> None:
    (store / "manifests").mkdir(parents=True)
    (store / "manifests/tag").write_text("old")
    assert put(store).stdout == "\n"
    assert (store / "blobs/sha256-1").read_text() == "a template"
    assert (store / "blobs/sha256-1").stat().st_mode & 0o777 == 0o644
    assert (store / "manifests/tag").read_text() == "new"
    assert (store.parent / ".selfhosted-llm/aside/manifests/tag").read_text() == "old"


@pytest.mark.parametrize("link", ["models", "models/blobs", "models/blobs/sha256-1.arriving"])
def test_a_model_is_put_nowhere_else(store: Path, link: str) -> None:
    elsewhere, path = store.parents[1] / "elsewhere", store.parent / link
    elsewhere.mkdir()
    (elsewhere / "file").write_text("of the host")
    path.parent.mkdir(parents=True)
    path.symlink_to(elsewhere / "file" if path.suffix else elsewhere)
    done = put(store)
    assert sorted(os.listdir(elsewhere)) == ["file"]
    assert (elsewhere / "file").read_text() == "of the host"
    # What is in the way of one file is replaced.
    assert (done.returncode == 0) is (path.suffix != "")


@pytest.fixture
def keeper() -> t.Callable[[Path], subprocess.CompletedProcess[str]]:
    script = ROLES / "open_webui/files/data.py"
    return lambda data: subprocess.run(
        [sys.executable, str(script), "finish", str(data)], capture_output=True, text=True, check=False
    )


def test_what_keeps_the_data_follows_no_link(tmp_path: Path, keeper: t.Any) -> None:
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    for place in (data, elsewhere):
        place.mkdir()
    (data / ".selfhosted-llm").symlink_to(elsewhere)
    done = keeper(data)
    assert done.returncode == 1
    assert done.stderr.startswith(f"finish {data}: ")
    assert elsewhere.stat().st_mode & 0o777 != 0o700


def test_what_the_engine_has_made_to_mount_over_becomes_private(tmp_path: Path, keeper: t.Any) -> None:
    (tmp_path / ".selfhosted-llm").mkdir(mode=0o755)
    assert keeper(tmp_path).returncode == 0
    assert (tmp_path / ".selfhosted-llm").stat().st_mode & 0o777 == 0o700
