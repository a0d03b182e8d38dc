# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults in a row on one server, each followed by one clean run: its store is then that of an untouched server.

Compared are the names and bytes of all files below ``manifests`` and ``blobs``, and the directories there: a server
keeps nothing else in its store. The untouched server pulled the same models without faults, by its own API. A full disk
is left out: to make one takes privileges.
"""

from __future__ import annotations

import json
import os
import signal
import typing as t

import pytest
from faults import GET, HEAD, RANGE
from faulty_world import World, assert_same_store
from front import Front
from module_process import (
    Module,
    Ollama,
    actions,
    bytes_kept,
    digests_of,
    part_files,
    succeeded,
    warnings,
)
from ollama_client import wait_until
from registry import ModelRegistry


@pytest.fixture(scope="module")
def world(registry: ModelRegistry, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[World]:
    ollama, untouched = (Ollama(tmp_path_factory.mktemp(kind)) for kind in ("faulty", "untouched"))
    world = World(ollama, untouched.server, registry, Module(tmp_path_factory.mktemp("user")))
    yield world
    ollama.stop()
    untouched.stop()
    world.shelf.remove()


def unknown_model(world: World) -> None:
    assert "has no such model" in world.failing(name=f"{world.shelf.prefix}/nosuch")


def hostile_names(world: World) -> None:
    name, asked = world.publish("beside-hostile"), len(world.registry.requests)
    for hostile in ("../../etc/passwd", "x@sha256:00", "-x", "a b"):
        assert "is not a model name" in world.failing(models=[name, hostile])
    assert len(world.registry.requests) == asked
    assert name not in world.server.tags()


def too_many_requests(world: World) -> None:
    name = world.publish("busy")
    # One answer for the module, one for the server.
    world.registry.fault("busy/manifests", status=429, body=b"slow down", times=2)
    assert actions(succeeded(world.run(name=name))) == ["pulled"]


def errors_of_the_registry(world: World) -> None:
    name = world.publish("failing", seed=2)
    world.registry.fault(world.shelf.weights(name), HEAD, status=500)
    assert "is busy or limits requests" in world.failing(name=name, retries=0)


def no_location(world: World) -> None:
    name = world.publish("no-location", seed=3)
    world.registry.fault(world.shelf.weights(name), GET, no_location=True)
    assert "has to send a Location header" in world.failing(name=name)


def cut_connection(world: World) -> None:
    name = world.publish("cut", seed=4)
    world.registry.fault(world.shelf.weights(name), RANGE, cut_after=50_000, times=1)
    assert actions(succeeded(world.run(name=name))) == ["pulled"]


def stalled_transfer(world: World) -> None:
    name = world.publish("stalled", seed=5)
    world.registry.fault(world.shelf.weights(name), RANGE, stall_after=50_000, times=1)
    assert actions(succeeded(world.run(name=name, stall_timeout=1))) == ["pulled"]


def wrong_bytes(world: World) -> None:
    name = world.publish("wrong-bytes", seed=6)
    blob = world.shelf.blob(world.shelf.weights(name))
    good = blob.read_bytes()
    blob.write_bytes(bytes(len(good)))
    assert "digest mismatch" in world.failing(name=name, retries=0)
    blob.write_bytes(good)


def manifest_of_nothing(world: World) -> None:
    name = world.publish("nothing", seed=7)
    world.registry.fault("nothing/manifests", status=200, body=b"{}")
    assert "lists no content of it" in world.failing(name=name)
    assert name not in world.server.tags()


def manifest_of_nothing_for_an_update(world: World) -> None:
    name = world.installed("nothing-new", seed=8)
    before = digests_of(world.server)[name]
    world.publish("nothing-new", seed=9)
    # The module asks first.
    world.registry.fault("nothing-new/manifests", times=1)
    world.registry.fault("nothing-new/manifests", status=200, body=b"{}")
    assert "lists no content of it" in world.failing(name=name, state="latest")
    assert digests_of(world.server)[name] == before


def sign_in_page(world: World) -> None:
    name = world.publish("page", seed=10)
    world.registry.fault("page/manifests", status=200, body=b"<html>Sign in</html>")
    assert "a sign-in page perhaps" in world.failing(name=name)


def other_digest(world: World) -> None:
    name = world.installed("pinned", seed=11)
    assert "not with the wanted 0000" in world.failing(name=name, digest="0" * 64)


def other_digest_behind_a_silent_registry(world: World) -> None:
    name = world.publish("pinned-unseen", seed=12)
    world.registry.fault("pinned-unseen/manifests", status=503, times=1)
    assert "not 0000" in world.failing(name=name, digest="0" * 64)
    assert name not in world.server.tags()


def manifest(world: World, name: str) -> t.Any:
    model, _colon, tag = name.rpartition("/")[2].partition(":")
    return world.server.stored("manifests", world.registry.netloc, world.shelf.namespace, model, tag)


def truncated_manifest(world: World) -> None:
    name = world.installed("truncated-manifest")
    os.truncate(manifest(world, name), 100)
    assert actions(succeeded(world.run(name=name))) == ["pulled"]


def empty_manifest(world: World) -> None:
    name = world.installed("empty-manifest")
    os.truncate(manifest(world, name), 0)


def lost_weights(world: World) -> None:
    name = world.installed("lost-weights", seed=13)
    world.server.blob(world.shelf.weights(name)).unlink()
    assert actions(succeeded(world.run(name=name))) == ["none"]
    assert actions(succeeded(world.run(name=name, check_blobs=True))) == ["pulled"]


def truncated_weights(world: World) -> None:
    name = world.installed("truncated-weights", seed=14)
    os.truncate(world.server.blob(world.shelf.weights(name)), 1000)
    assert "give the server's directory as models_dir" in world.failing(name=name, check_blobs=True)


def module_killed(world: World) -> None:
    world.stalled(world.publish("module-killed", seed=15)).kill()


def server_killed(world: World) -> None:
    run = world.stalled(world.publish("server-killed", seed=16), retries=0)
    world.ollama.kill()
    assert "The server may have been stopped" in run.result()["msg"]
    world.ollama.start()


def server_stopped(world: World) -> None:
    run = world.stalled(world.publish("server-stopped", seed=17), retries=0)
    world.ollama.kill(signal.SIGTERM)
    assert run.result()["failed"]
    world.ollama.start()


def empty_part_file(world: World) -> None:
    name = world.publish("empty-part", seed=18)
    weights = world.shelf.weights(name)
    world.stalled(name).kill()
    wait_until(lambda: bytes_kept(world.server, weights), "the server to write down how far it came")
    world.registry.faults.clear()
    (part,) = part_files(world.server, weights)
    part.write_bytes(b"")
    assert f"blobs/{part.name[:-1]}*" in world.failing(name=name)


def lost_part_file(world: World) -> None:
    # Of two parts, the second one is complete.
    name = world.publish("lost-part", padding=101_000_000)
    weights = world.shelf.weights(name)
    world.registry.fault(weights, RANGE, stall_after=50_000_000, times=2)
    run = world.start(name=name)
    run.wait_for(f"pulling {weights[7:19]}", 50_000_000 + world.shelf.blob(weights).stat().st_size - 100_000_000)
    run.kill()
    first = min(part_files(world.server, weights))
    wait_until(lambda: json.loads(first.read_text())["Completed"], "the server to write down how far it came")
    first.unlink()
    assert f"blobs/{weights.replace(':', '-')}-partial-*" in world.failing(name=name)


def registry_down(world: World) -> None:
    with ModelRegistry(("127.0.0.1", 0), world.registry.root).running() as other:
        name = world.shelf.add("elsewhere").replace(world.registry.netloc, other.netloc)
        assert world.untouched.pull(name).lines[-1] == world.server.pull(name).lines[-1] == {"status": "success"}
    assert "Check that the host that runs the module reaches" in world.failing(name=name, state="latest")
    kept = succeeded(world.run(name=name, state="latest", on_registry_error="keep"))
    assert actions(kept) == ["none"]
    assert "Kept as they are: " in warnings(kept)[0]


def shared_file_lost_in_a_pull(world: World) -> None:
    other = world.installed("sharing", seed=19)
    name = world.publish("shared", seed=19, system="Not shared.")
    system = world.shelf.digests(name)[-3]
    held = world.registry.fault(system, HEAD, latency=1.5, times=1)
    run = world.start(name=name)
    wait_until(lambda: not held.times, "the server to have seen the weights")
    # Nobody else needs the weights, as far as the server knows.
    world.give_up(other)
    result = succeeded(run.result())
    assert actions(result) == ["pulled"]
    assert world.server.blob(world.shelf.weights(name)).is_file()


def two_runs_at_once(world: World) -> None:
    name = world.publish("two-runs", seed=20)
    first, second = world.start(name=name), world.start(name=name)
    assert sorted(actions(succeeded(run.result()))[0] for run in (first, second)) == ["none", "pulled"]


def deleted_meanwhile(world: World) -> None:
    name = world.installed("deleted", seed=21)
    world.publish("deleted", seed=22)
    run = world.stalled(name, state="latest")
    world.server.call("DELETE", "/api/delete", {"model": name})
    world.registry.faults.clear()
    assert actions(succeeded(run.result())) == ["updated"]


def killed_before(request: str) -> t.Callable[[World], None]:
    """The module is killed in the middle of replacing a model that is in memory."""

    def fault(world: World) -> None:
        model = request.rpartition("/")[2]
        name = world.installed(f"{model}-missed", seed=23, width=64)
        loads = world.server.call("POST", "/api/generate", {"model": name, "keep_alive": -1}).status == 200
        if not loads and model == "generate":
            pytest.skip("this server has no runner, so that there is nothing to unload")
        world.publish(f"{model}-missed", seed=24, width=64)
        with Front(world.ollama.url).running() as front:
            run = world.start(url=front.url, name=name, state="latest")
            front.block(request, run.kill)
            wait_until(lambda: run.process.poll() is not None, "the module to be killed")
        assert run.process.returncode == -signal.SIGKILL
        assert [listed for listed in world.server.tags() if listed.startswith("selfhosted-llm-replaced/")]
        assert len(world.server.running()) == (loads and request != "DELETE /api/delete")

    fault.__name__ = f"killed_before_{request.rpartition('/')[2]}"
    return fault


FAULTS = (
    unknown_model,
    hostile_names,
    too_many_requests,
    errors_of_the_registry,
    no_location,
    cut_connection,
    stalled_transfer,
    wrong_bytes,
    manifest_of_nothing,
    manifest_of_nothing_for_an_update,
    sign_in_page,
    other_digest,
    other_digest_behind_a_silent_registry,
    truncated_manifest,
    empty_manifest,
    lost_weights,
    truncated_weights,
    module_killed,
    server_killed,
    server_stopped,
    empty_part_file,
    lost_part_file,
    registry_down,
    shared_file_lost_in_a_pull,
    two_runs_at_once,
    deleted_meanwhile,
    killed_before("POST /api/pull"),
    killed_before("POST /api/generate"),
    killed_before("DELETE /api/delete"),
)


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.__name__ for fault in FAULTS])
def test_one_clean_run_cures(world: World, fault: t.Callable[[World], None]) -> None:
    fault(world)
    world.registry.faults.clear()
    world.clean_run()
    assert_same_store(world)
    assert not world.server.running()


def test_nothing_is_left_to_do(world: World) -> None:
    assert world.clean_run()["changed"] is False
    assert digests_of(world.server) == digests_of(world.untouched)
