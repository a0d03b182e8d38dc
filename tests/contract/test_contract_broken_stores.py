# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stores in which something is missing, empty or cut short: what the server says, and what repairs it."""

from __future__ import annotations

import os
import pathlib

import pytest
from faults import RANGE
from ollama_client import Server, wait_until
from ollama_process import running
from shelf import Shelf

PULLING = {"status": "pulling manifest"}
SUCCESS = {"status": "success"}
EOF = {"error": "EOF"}
MEGABYTE = 10**6


def leave_partial(server: Server, shelf: Shelf, name: str) -> list[pathlib.Path]:
    """Leave a pull in the middle of the weights and give the files of its parts."""
    weights = shelf.weights(name)
    blob = server.blob(weights)

    def parts() -> list[pathlib.Path]:
        return sorted(blob.parent.glob(f"{blob.name}-partial-*"))

    with shelf.registry.fault(weights, RANGE, stall_after=50_000):
        stream = server.stream("/api/pull", {"model": name, "insecure": True})
        next(line for line in stream.lines() if line.get("completed") == 50_000 * len(parts()))
        stream.leave()
        # A part that is written down later would come back after a test has removed it.
        wait_until(lambda: all('"Completed":50000' in part.read_text() for part in parts()), "all parts to be written")
    return parts()


def manifest_file(server: Server, shelf: Shelf, name: str) -> pathlib.Path:
    return server.stored("manifests", *shelf.prefix.split("/"), *name.rpartition("/")[2].split(":"))


def test_an_empty_part_file_fails_every_pull(own_server: Server, shelf: Shelf, tmp_path: pathlib.Path) -> None:
    name = shelf.add(width=64, seed=601)
    with running(tmp_path) as server:
        (part,) = leave_partial(server, shelf, name)
    part.write_bytes(b"")
    with running(tmp_path) as server:
        for _time in range(2):
            assert server.pull(name).lines == [PULLING, EOF]
        part.unlink()
        assert server.pull(name).lines[-1] == SUCCESS


def test_a_lost_part_file(own_server: Server, shelf: Shelf) -> None:
    name = shelf.add(seed=602, padding=110 * MEGABYTE)
    first, second = leave_partial(own_server, shelf, name)
    second.unlink()
    lines = own_server.pull(name).lines
    assert {line["total"] for line in lines if line.get("digest") == shelf.weights(name)} <= {100 * MEGABYTE}
    assert lines[-1]["error"].startswith("digest mismatch, file must be downloaded again: ")
    assert not first.exists()
    assert own_server.pull(name).lines[-1] == SUCCESS


def test_a_part_file_without_the_first_one(own_server: Server, shelf: Shelf) -> None:
    name = shelf.add(seed=603, padding=110 * MEGABYTE)
    first, second = leave_partial(own_server, shelf, name)
    first.unlink()
    message = f"remove {first}: no such file or directory"
    assert own_server.pull(name).lines[-1] == {"error": message}
    assert second.exists()
    second.unlink()
    assert own_server.pull(name).lines[-1] == SUCCESS


def test_weights_that_end_within_their_header_cannot_be_shown(own_server: Server, pulled: str, shelf: Shelf) -> None:
    os.truncate(own_server.blob(shelf.weights(pulled)), 1000)
    assert pulled in own_server.tags()
    assert own_server.call("POST", "/api/show", {"model": pulled}).error == (500, "unexpected EOF")


def test_a_lost_manifest_costs_one_request(own_server: Server, shelf: Shelf, pulled: str) -> None:
    manifest_file(own_server, shelf, pulled).unlink()
    assert pulled not in own_server.tags()
    asked = len(shelf.requests())
    assert own_server.pull(pulled).lines[-1] == SUCCESS
    assert shelf.requests()[asked:] == [("GET", "latest", "")]


def test_one_lost_blob_costs_three_requests_more(own_server: Server, shelf: Shelf) -> None:
    name = shelf.add(seed=604, system=f"{shelf.prefix} speaks.")
    own_server.pull(name)
    system = shelf.digests(name)[3]
    own_server.blob(system).unlink()
    assert name in own_server.tags()
    asked = len(shelf.requests())
    assert own_server.pull(name).lines[-1] == SUCCESS
    whole = f"0-{shelf.blob(system).stat().st_size - 1}"
    assert shelf.requests()[asked:] == [
        ("GET", "latest", ""),
        ("HEAD", system, ""),
        ("GET", system, ""),
        ("GET", system, whole),
    ]


def test_what_is_listed_without_its_blobs(own_server: Server, shelf: Shelf, tmp_path: pathlib.Path) -> None:
    weightless, configless, textless = (shelf.add(model, seed=605 + ord(model)) for model in "wct")
    shelf_text = shelf.blob(shelf.digests(textless)[1])
    with running(tmp_path) as server:
        for name in (weightless, configless, textless):
            server.pull(name)
        server.blob(shelf.weights(weightless)).unlink()
        server.blob(shelf.digests(configless)[-1]).unlink()
        # The one process remembers what it has read of an unchanged manifest.
        assert set(server.tags()) == {weightless, configless, textless}
        assert server.tags()[weightless]["capabilities"] == ["completion"]
        shown = server.call("POST", "/api/show", {"model": configless})
        assert shown.error == (404, f"model '{configless}' not found")
    with running(tmp_path) as server:
        assert set(server.tags()) == {weightless, textless}
        item = server.tags()[weightless]
        assert "capabilities" not in item
        assert "context_length" not in item["details"]
        assert server.call("DELETE", "/api/delete", {"model": configless}).status == 200
        template = server.blob(shelf.digests(textless)[1])
        template.unlink()
    with running(tmp_path) as server:
        assert not server.tags()
        template.write_bytes(shelf_text.read_bytes())
        assert set(server.tags()) == {weightless, textless}


def test_show_remembers_what_it_has_shown(own_server: Server, shelf: Shelf) -> None:
    name = shelf.add(seed=611)
    own_server.pull(name)
    before = own_server.call("POST", "/api/show", {"model": name}).json()
    own_server.blob(shelf.weights(name)).unlink()
    assert own_server.call("POST", "/api/show", {"model": name}).json() == before
    verbose = own_server.call("POST", "/api/show", {"model": name, "verbose": True})
    assert verbose.error == (404, f"model '{name}' not found")
    # A pull of the same manifest changes the time that is listed, not the one that is shown.
    own_server.pull(name)
    after = own_server.call("POST", "/api/show", {"model": name}).json()
    assert after["modified_at"] == before["modified_at"] != own_server.tags()[name]["modified_at"]


@pytest.mark.parametrize("content", ["", '{"layers": ['])
def test_a_broken_manifest_can_be_copied(own_server: Server, shelf: Shelf, pulled: str, content: str) -> None:
    manifest_file(own_server, shelf, pulled).write_text(content)
    body = {"source": pulled, "destination": f"{shelf.prefix}/copied"}
    assert own_server.call("POST", "/api/copy", body).status == 200
    assert manifest_file(own_server, shelf, f"{shelf.prefix}/copied:latest").read_text() == content
    assert f"{shelf.prefix}/copied:latest" not in own_server.tags()


def test_a_broken_manifest_does_not_protect_its_blobs(own_server: Server, shelf: Shelf) -> None:
    broken, other = shelf.add("broken", seed=612), shelf.add("other", seed=612)
    for name in (broken, other):
        own_server.pull(name)
    manifest_file(own_server, shelf, broken).write_bytes(b"")
    assert own_server.call("DELETE", "/api/delete", {"model": other}).status == 200
    assert not own_server.blob(shelf.weights(broken)).exists()


def test_delete_with_blobs_that_are_gone(own_server: Server, shelf: Shelf) -> None:
    name = shelf.add(seed=613)
    own_server.pull(name)
    for digest in (shelf.weights(name), shelf.digests(name)[-1]):
        own_server.blob(digest).unlink(missing_ok=True)
    assert own_server.call("DELETE", "/api/delete", {"model": name}).status == 200
    assert name not in own_server.tags()


@pytest.mark.parametrize("change", ["delete", "update"])
def test_a_shared_blob_that_goes_during_a_pull(own_server: Server, shelf: Shelf, change: str) -> None:
    """The pull has seen the blob and says success; only a second pull repairs."""
    system = f"{shelf.prefix} {change}"
    first, second = shelf.add("first", seed=614, system=system), shelf.add("second", seed=615, system=system)
    shared = shelf.digests(second)[3]
    # It keeps the template, without which nothing would be listed.
    own_server.pull(shelf.add("keeper", seed=617))
    # The config comes last: it waits while the shared layers are known to be there.
    own_server.pull(first)
    config = shelf.digests(second)[-1]
    with shelf.registry.fault(config, RANGE, stall_after=10) as stall:
        stream = own_server.stream("/api/pull", {"model": second, "insecure": True})
        lines = stream.lines()
        next(line for line in lines if line.get("digest") == config)
        if change == "delete":
            own_server.call("DELETE", "/api/delete", {"model": first})
        else:
            shelf.add("first", seed=616)
            assert own_server.pull(first).lines[-1] == SUCCESS
        stall.end()
        assert list(lines)[-1] == SUCCESS
    assert second in own_server.tags()
    assert not own_server.blob(shared).exists()
    assert own_server.pull(second).lines[-1] == SUCCESS
    assert own_server.blob(shared).exists()


def test_a_model_without_weights_is_listed_and_no_use(own_server: Server, shelf: Shelf) -> None:
    name = shelf.add(seed=8)
    own_server.pull(name)
    own_server.blob(shelf.digests(name)[0]).unlink()
    assert name in own_server.tags()
    assert own_server.call("POST", "/api/show", {"model": name}).error == (404, f"model '{name}' not found")
    generated = own_server.call("POST", "/api/generate", {"model": name})
    assert generated.error == (400, f'"{name}" does not support generate')


@pytest.mark.parametrize(("content", "message"), [("", "EOF"), ('{"layers": [', "unexpected EOF")])
def test_a_broken_manifest(own_server: Server, shelf: Shelf, pulled: str, content: str, message: str) -> None:
    own_server.stored("manifests", *shelf.prefix.split("/"), "tiny", "latest").write_text(content)
    assert pulled not in own_server.tags()
    assert own_server.call("POST", "/api/show", {"model": pulled}).error == (500, message)
    assert own_server.call("POST", "/api/generate", {"model": pulled}).error == (500, message)
    assert own_server.call("DELETE", "/api/delete", {"model": pulled}).error == (500, message)
    assert own_server.pull(pulled).lines[-1] == {"status": "success"}
    assert pulled in own_server.tags()
