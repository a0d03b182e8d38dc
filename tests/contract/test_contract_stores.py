# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of the store: at starts, by copies, by hand, with and without OLLAMA_NOPRUNE, on a full disk."""

from __future__ import annotations

import hashlib
import os
import pathlib
import shutil
import subprocess
import typing as t

import pytest
from ollama_client import Server, wait_until
from ollama_process import running
from shelf import Shelf

SUCCESS = {"status": "success"}
PRUNING = {"status": "removing unused layers"}
TWO_HOURS = 7200
MEGABYTE = 10**6


def age(path: pathlib.Path) -> pathlib.Path:
    """Make a file two hours old."""
    moment = path.stat().st_mtime - TWO_HOURS
    os.utime(path, (moment, moment))
    return path


def orphan(store: pathlib.Path, content: bytes) -> pathlib.Path:
    path = store / "blobs" / f"sha256-{hashlib.sha256(content).hexdigest()}"
    path.write_bytes(content)
    return path


def manifest_file(server: Server, shelf: Shelf, model: str) -> pathlib.Path:
    return server.stored("manifests", *shelf.prefix.split("/"), model, "latest")


def copy(server: Server, source: str, destination: str) -> int:
    return server.call("POST", "/api/copy", {"source": source, "destination": destination}).status


def test_what_a_start_removes(own_server: Server, shelf: Shelf, tmp_path: pathlib.Path) -> None:
    with running(tmp_path) as server:
        server.pull(shelf.add())
        store = server.stored()
    used = age(next((store / "blobs").iterdir()))
    old, young = age(orphan(store, b"old")), orphan(store, b"young")
    partials = [age(orphan(store, b"x").rename(f"{young}-{end}")) for end in ("partial", "partial-0")]
    empty = store / "manifests" / "host" / "namespace" / "model"
    empty.mkdir(parents=True)
    with running(tmp_path):
        assert (used.exists(), old.exists(), young.exists()) == (True, False, True)
        assert not any(path.exists() for path in partials)
        assert not empty.parent.parent.exists()


@pytest.mark.parametrize("file_name", ["other", "latest.tmp", ".latest.tmp"])
def test_a_broken_manifest_keeps_everything(
    own_server: Server, shelf: Shelf, tmp_path: pathlib.Path, file_name: str
) -> None:
    with running(tmp_path) as server:
        name = shelf.add()
        server.pull(name)
        broken = manifest_file(server, shelf, "tiny").with_name(file_name)
        old = age(orphan(server.stored(), b"old"))
    broken.write_text('{"layers":[')
    with running(tmp_path) as server:
        assert old.exists()
        assert list(server.tags()) == [name]
    broken.unlink()
    with running(tmp_path):
        assert not old.exists()


def test_noprune(own_server: Server, shelf: Shelf, tmp_path: pathlib.Path) -> None:
    name = shelf.add(seed=701)
    first = shelf.weights(name)
    with running(tmp_path, OLLAMA_NOPRUNE="1") as server:
        server.pull(name)
        shelf.add(seed=702)
        assert PRUNING not in server.pull(name).lines
        assert server.blob(first).exists()
        server.call("DELETE", "/api/delete", {"model": name})
        assert not server.blob(shelf.weights(name)).exists()
        body = {"model": "made", "from": name}
        server.pull(name)
        for system in ("one", "two"):
            server.call("POST", "/api/create", {**body, "system": system})
        assert server.blob(f"sha256:{hashlib.sha256(b'one').hexdigest()}").exists()
        age(server.blob(first))
    with running(tmp_path, OLLAMA_NOPRUNE="1") as server:
        assert server.blob(first).exists()


def test_a_manifest_put_there_by_hand(own_server: Server, shelf: Shelf, pulled: str) -> None:
    source = manifest_file(own_server, shelf, "tiny")
    target = own_server.stored("manifests", "registry.ollama.ai", shelf.namespace, "byhand", "latest")
    target.parent.mkdir(parents=True)
    target.with_name(".hidden").write_bytes(source.read_bytes())
    target.write_bytes(source.read_bytes())
    found = [name for name in own_server.tags() if name.startswith(f"{shelf.namespace}/")]
    assert found == [f"{shelf.namespace}/byhand:latest"]
    target.with_name(".hidden").unlink()


def test_the_time_of_a_model_is_remembered(own_server: Server, shelf: Shelf, tmp_path: pathlib.Path) -> None:
    with running(tmp_path) as server:
        name = shelf.add()
        server.pull(name)
        before = server.tags()[name]["modified_at"]
        os.utime(manifest_file(server, shelf, "tiny"), (1700000000, 1700000000))
        assert server.tags()[name]["modified_at"] == before
        shown = server.call("POST", "/api/show", {"model": name}).json()
        assert shown["modified_at"].startswith("2023-11-14T22:13:20")
    with running(tmp_path) as server:
        assert server.tags()[name]["modified_at"].startswith("2023-11-14T22:13:20")


def test_a_copy_onto_the_last_name_leaves_orphans(own_server: Server, shelf: Shelf) -> None:
    lost, other = shelf.add("lost", seed=703), shelf.add("other", seed=704)
    for name in (lost, other):
        own_server.pull(name)
    weights = own_server.blob(shelf.weights(lost))
    assert copy(own_server, other, lost) == 200
    assert weights.exists()
    own_server.call("DELETE", "/api/delete", {"model": lost})
    assert weights.exists()


def test_a_copy_onto_an_equal_model_changes_its_time(server: Server, shelf: Shelf, pulled: str) -> None:
    name = f"{shelf.namespace}/copied"
    copy(server, pulled, name)
    before = server.tags()[f"{name}:latest"]

    def copied_again() -> bool:
        # The clock of a file system may stand still for some milliseconds.
        copy(server, pulled, name)
        return server.tags()[f"{name}:latest"]["modified_at"] != before["modified_at"]

    wait_until(copied_again, "another modified_at")
    assert server.tags()[f"{name}:latest"]["digest"] == before["digest"]


def test_a_copy_of_nothing_leaves_a_directory(own_server: Server, shelf: Shelf) -> None:
    assert copy(own_server, f"{shelf.namespace}/nosuch", f"{shelf.namespace}/target") == 404
    folder = own_server.stored("manifests", "registry.ollama.ai", shelf.namespace, "target")
    assert folder.is_dir()
    assert not list(folder.iterdir())


def test_a_destination_called_local_cannot_be_deleted(own_server: Server, shelf: Shelf, pulled: str) -> None:
    local, cloud = f"{shelf.namespace}/z:local", f"{shelf.namespace}/z:cloud"
    assert copy(own_server, pulled, local) == copy(own_server, pulled, cloud) == 200
    assert {local, cloud} <= set(own_server.tags())
    answer = own_server.call("DELETE", "/api/delete", {"model": local})
    assert answer.error == (404, f"model '{local}' not found")
    assert own_server.call("DELETE", "/api/delete", {"model": cloud}).status == 200
    own_server.stored("manifests", "registry.ollama.ai", shelf.namespace, "z", "local").unlink()


def test_a_mirror_gives_the_canonical_name(own_server: Server, shelf: Shelf, pulled: str) -> None:
    name = f"{shelf.namespace}/tiny:latest"
    assert copy(own_server, pulled, name) == 200
    assert own_server.call("DELETE", "/api/delete", {"model": pulled}).status == 200
    assert not own_server.stored("manifests", shelf.registry.netloc, shelf.namespace).exists()
    assert own_server.tags()[name]["digest"] == shelf.digest(pulled)
    assert all(own_server.blob(digest).exists() for digest in shelf.digests(pulled))
    asked = len(shelf.requests())
    assert own_server.pull(pulled).lines[-1] == SUCCESS
    assert shelf.requests()[asked:] == [("GET", "latest", "")]


@pytest.fixture
def small_disk(own_server: Server, tmp_path: pathlib.Path) -> t.Iterator[pathlib.Path]:
    """A home on a disk of 30 MB."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if not mount or not umount or os.geteuid():
        pytest.skip("a small disk needs root and mount")
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=30m", "none", disk], capture_output=True, check=False
    ).returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield disk
    subprocess.run([umount, "--lazy", disk], check=True)


def test_a_full_disk(shelf: Shelf, small_disk: pathlib.Path) -> None:
    small, large, other = (
        shelf.add(),
        shelf.add("large", seed=705, padding=110 * MEGABYTE),
        shelf.add("other", seed=706),
    )
    with running(small_disk) as server:
        assert server.pull(small).lines[-1] == SUCCESS
        partial = f"{server.blob(shelf.weights(large))}-partial"
        assert server.pull(large).lines[-1] == {"error": f"write {partial}: no space left on device"}
        # What arrived stays, and the disk full.
        error = server.pull(other).lines[-1]["error"]
        assert error.startswith("write ")
        assert error.endswith(": no space left on device")
        answer = server.call("POST", "/api/copy", {"source": small, "destination": "copied"})
        path = server.stored("manifests", "registry.ollama.ai", "library", "copied", "latest")
        assert answer.error == (500, f"write {path}: copy_file_range: no space left on device")
        assert path.stat().st_size == 0
        assert list(server.tags()) == [small]
        content = os.urandom(1000)
        uploaded = server.call("POST", f"/api/blobs/sha256:{hashlib.sha256(content).hexdigest()}", content)
        assert uploaded.status == 500
        assert uploaded.json()["error"].endswith(": no space left on device")
        assert server.call("DELETE", "/api/delete", {"model": small}).status == 200
