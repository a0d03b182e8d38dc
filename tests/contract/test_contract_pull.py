# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pulls: the lines, what the registry is asked, what lies on disk, failures, leaving and coming back."""

from __future__ import annotations

import hashlib
import json
import re
import time

from faults import RANGE
from ollama_client import Answer, Server, wait_until
from shelf import Shelf

SUCCESS = [{"status": "verifying sha256 digest"}, {"status": "writing manifest"}, {"status": "success"}]
TIMESTAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"
NOT_FOUND = {"error": "pull model manifest: file does not exist"}


def cached_lines(shelf: Shelf, name: str) -> list[dict[str, object]]:
    return [cached_line(shelf, digest) for digest in shelf.digests(name)]


def cached_line(shelf: Shelf, digest: str) -> dict[str, object]:
    size = shelf.blob(digest).stat().st_size
    return {"status": f"pulling {digest[7:19]}", "digest": digest, "total": size, "completed": size}


def without_progress(answer: Answer) -> list[dict[str, object]]:
    """A blob that takes longer than 60 ms has lines of progress, a faster one has none."""
    return [line for line in answer.lines if line.get("completed") == line.get("total")]


def test_a_first_pull_streams_its_steps(own_server: Server, shelf: Shelf) -> None:
    answer = own_server.pull(shelf.add())
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["transfer-encoding"] == "chunked"
    assert without_progress(answer) == [{"status": "pulling manifest"}, *SUCCESS]


def test_a_first_pull_asks_for_each_blob_three_times(own_server: Server, shelf: Shelf) -> None:
    name = shelf.add()
    own_server.pull(name)
    expected = [("GET", "latest", "")]
    for digest in shelf.digests(name):
        whole = f"0-{shelf.blob(digest).stat().st_size - 1}"
        expected += [("HEAD", digest, ""), ("GET", digest, ""), ("GET", digest, whole)]
    assert shelf.requests() == expected


def test_a_pulled_model_lies_on_disk_byte_by_byte(own_server: Server, shelf: Shelf) -> None:
    name = shelf.add()
    own_server.pull(name)
    stored = own_server.stored("manifests", *shelf.prefix.split("/"), "tiny", "latest")
    assert stored.read_bytes() == shelf.manifest_path(name).read_bytes()
    for digest in shelf.digests(name):
        assert own_server.blob(digest).read_bytes() == shelf.blob(digest).read_bytes()
    assert not list(own_server.stored("blobs").glob("*-partial*"))


def test_a_pulled_model_is_listed(server: Server, shelf: Shelf) -> None:
    name = shelf.add(seed=7)
    server.pull(name)
    item = server.tags()[name]
    manifest = shelf.manifest(name)
    assert re.fullmatch(TIMESTAMP, item.pop("modified_at"))
    assert item == {
        "name": name,
        "model": name,
        "size": sum(layer["size"] for layer in [*manifest["layers"], manifest["config"]]),
        "digest": shelf.digest(name),
        "details": {
            "parent_model": "",
            "format": "gguf",
            "family": "llama",
            "families": ["llama"],
            "parameter_size": "30K",
            "quantization_level": "F32",
            "context_length": 2048,
            "embedding_length": 32,
        },
        "capabilities": ["completion"],
    }


def test_an_embedding_model_is_listed_as_one(server: Server, shelf: Shelf) -> None:
    name = shelf.add("embed", embedding=True)
    server.pull(name)
    assert server.tags()[name]["capabilities"] == ["embedding"]


def test_the_digest_is_that_of_the_bytes_of_the_manifest(server: Server, shelf: Shelf) -> None:
    name = shelf.add()
    path = shelf.manifest_path(name)
    pretty = json.dumps(shelf.manifest(name), indent=3).encode() + b"\n\n"
    path.write_bytes(pretty)
    server.pull(name)
    assert server.tags()[name]["digest"] == hashlib.sha256(pretty).hexdigest()


def test_a_repeated_pull_asks_only_for_the_manifest(server: Server, shelf: Shelf, pulled: str) -> None:
    before = server.tags()[pulled]
    asked = len(shelf.requests())
    answer = server.pull(pulled)
    after = server.tags()[pulled]
    assert answer.lines == [{"status": "pulling manifest"}, *cached_lines(shelf, pulled), *SUCCESS]
    assert shelf.requests()[asked:] == [("GET", "latest", "")]
    assert after["digest"] == before["digest"]


def test_every_pull_changes_the_time_of_a_model(server: Server, pulled: str) -> None:
    before = server.tags()[pulled]["modified_at"]

    def pulled_again() -> bool:
        # The clock of a file system may stand still for some milliseconds.
        server.pull(pulled)
        return server.tags()[pulled]["modified_at"] != before

    wait_until(pulled_again, "another modified_at")


def test_a_pull_that_is_not_streamed_is_one_object(server: Server, shelf: Shelf) -> None:
    answer = server.pull(shelf.add(), stream=False)
    assert (answer.status, answer.text) == (200, '{"status":"success"}')
    assert answer.headers["content-type"] == "application/json"


def test_an_unknown_model_is_an_error_inside_the_stream(server: Server, shelf: Shelf) -> None:
    name = f"{shelf.prefix}/nosuch:latest"
    answer = server.pull(name)
    assert (answer.status, answer.lines) == (200, [{"status": "pulling manifest"}, NOT_FOUND])
    assert name not in server.tags()


def test_an_unknown_model_is_status_500_without_a_stream(server: Server, shelf: Shelf) -> None:
    answer = server.pull(f"{shelf.prefix}/nosuch", stream=False)
    assert answer.error == (500, NOT_FOUND["error"])
    assert answer.headers["content-type"] == "application/json"


def test_a_model_survives_when_the_registry_lost_it(server: Server, shelf: Shelf, pulled: str) -> None:
    before = server.tags()[pulled]
    shelf.manifest_path(pulled).unlink()
    assert server.pull(pulled).lines[-1] == NOT_FOUND
    assert server.tags()[pulled] == before


def test_a_moved_tag_replaces_what_only_the_old_one_used(own_server: Server, shelf: Shelf, pulled: str) -> None:
    old, asked = shelf.digests(pulled), len(shelf.requests())
    shelf.add(seed=2)
    new = shelf.digests(pulled)
    kept = [digest for digest in new if digest in old]
    changed = [digest for digest in new if digest not in old]
    answer = own_server.pull(pulled)
    assert without_progress(answer) == [
        {"status": "pulling manifest"},
        *[cached_line(shelf, digest) for digest in kept],
        *SUCCESS[:-1],
        {"status": "removing unused layers"},
        {"status": "success"},
    ]
    assert [digest for method, digest, _range in shelf.requests()[asked:] if method == "HEAD"] == changed
    assert len(changed) == 2
    assert [own_server.blob(digest).exists() for digest in new] == [True] * len(new)
    assert [own_server.blob(digest).exists() for digest in set(old) - set(new)] == [False, False]


def test_blobs_that_another_model_uses_survive_a_moved_tag(own_server: Server, shelf: Shelf, pulled: str) -> None:
    copied = f"{shelf.prefix}/copied:latest"
    own_server.call("POST", "/api/copy", {"source": pulled, "destination": copied})
    old = shelf.digests(pulled)
    shelf.add(seed=2)
    assert own_server.pull(pulled).lines[-1] == {"status": "success"}
    assert all(own_server.blob(digest).exists() for digest in old)


def test_wrong_bytes_are_removed_and_the_rest_is_kept(own_server: Server, shelf: Shelf) -> None:
    name = shelf.add(seed=21)
    weights, *others = shelf.digests(name)
    good = shelf.blob(weights).read_bytes()
    bad = bytes(len(good))
    shelf.blob(weights).write_bytes(bad)
    found = hashlib.sha256(bad).hexdigest()
    message = f"digest mismatch, file must be downloaded again: want {weights}, got sha256:{found}"
    assert own_server.pull(name).lines[-2:] == [SUCCESS[0], {"error": message}]
    assert name not in own_server.tags()
    assert not own_server.blob(weights).exists()
    assert all(own_server.blob(digest).exists() for digest in others)

    shelf.blob(weights).write_bytes(good)
    asked = len(shelf.requests())
    assert own_server.pull(name).lines[-1] == {"status": "success"}
    assert [digest for method, digest, _range in shelf.requests()[asked:] if method == "HEAD"] == [weights]


def test_a_blob_that_the_registry_lacks(server: Server, shelf: Shelf) -> None:
    name = shelf.add(seed=31)
    shelf.blob(shelf.digests(name)[0]).unlink()
    assert server.pull(name).lines == [{"status": "pulling manifest"}, {"error": "file does not exist"}]
    assert name not in server.tags()


def test_nothing_is_said_while_blobs_are_verified(own_server: Server, shelf: Shelf) -> None:
    name = shelf.add(seed=71, padding=210 * 10**6)
    lines = [
        (time.monotonic(), line) for line in own_server.stream("/api/pull", {"model": name, "insecure": True}).lines()
    ]
    assert [line for _moment, line in lines[-3:]] == SUCCESS
    begun, ended = (moment for moment, _line in lines[-3:-1])
    # A line of progress would have come every 60 ms.
    assert ended - begun > 0.06


def test_a_model_is_seeded_by_its_blobs(own_server: Server, shelf: Shelf) -> None:
    name = shelf.add(seed=41)
    for digest in shelf.digests(name):
        own_server.call("POST", f"/api/blobs/{digest}", shelf.blob(digest).read_bytes())
    assert own_server.pull(name).lines == [{"status": "pulling manifest"}, *cached_lines(shelf, name), *SUCCESS]
    assert shelf.requests() == [("GET", "latest", "")]


def test_a_pull_that_was_left_goes_on_where_it_was(own_server: Server, shelf: Shelf) -> None:
    name = shelf.add(width=64, seed=51)
    weights = shelf.digests(name)[0]
    size = shelf.blob(weights).stat().st_size
    stall = shelf.registry.fault(weights, RANGE, stall_after=50_000)

    stream = own_server.stream("/api/pull", {"model": name, "insecure": True})
    next(line for line in stream.lines() if line.get("completed") == 50_000)
    stream.leave()
    partial = own_server.blob(weights).with_name(own_server.blob(weights).name + "-partial")
    part = partial.with_name(partial.name + "-0")
    state = {"N": 0, "Offset": 0, "Size": size, "Completed": 50_000}
    wait_until(lambda: part.read_text() == json.dumps(state, separators=(",", ":")) + "\n", "the state of the part")
    assert partial.stat().st_size == size
    stall.end()

    asked = len(shelf.requests())
    assert own_server.pull(name).lines[-1] == {"status": "success"}
    assert shelf.requests()[asked : asked + 3] == [
        ("GET", "latest", ""),
        ("GET", weights, ""),
        ("GET", weights, f"50000-{size - 1}"),
    ]
    assert not partial.exists() and not part.exists()
