# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What machines do to a service and its backups, and the ways that take longest."""

from __future__ import annotations

import contextlib
import threading
import time
import typing as t

import pytest
from conftest import ADA, Service
from runs import (
    another_ollama,
    another_version,
    failed_with,
    nothing_changed,
    succeeded,
    to_version,
    version,
)

from tests.testbed.people import Server
from tests.testbed.user import Fleet

pytestmark = pytest.mark.thorough

SMALL = "/srv/small"
RESTIC = [
    *("-e", "backup_restic_repository=/srv/restic"),
    *("-e", "{backup_restic_password: the words of a repository, backup_controller_directory: ''}"),
]
RUNNING = "docker inspect --format '{{.State.Running}}' open-webui"


@pytest.fixture
def current(first: Fleet, servers: dict[str, Server]) -> t.Iterator[str]:
    """The version that runs on the first host, which the inventory names meanwhile."""
    found = version(servers["first"])
    first.extra = ["-e", f"open_webui_version={found}"]
    yield found
    first.extra = []


def test_a_disk_that_is_too_full_for_a_backup(first: Fleet, service: Service, servers: dict[str, Server]) -> None:
    first.execute("first", f"mkdir -p {SMALL} && mount -t tmpfs -o size=1m small {SMALL}")
    run = first.play("playbooks/backup.yml", "-e", f"backup_directory={SMALL}")
    left = first.execute("first", f"find {SMALL} -name manifest.json -o -name webui.db")
    first.execute("first", f"umount {SMALL}")
    assert run.code != 0
    assert "There is no new backup of open-webui on first" in run.words
    assert left == ""
    service.complete(servers["first"])


def test_the_server_may_be_killed_during_a_backup(first: Fleet, service: Service, servers: dict[str, Server]) -> None:
    stop = threading.Event()

    def kill() -> None:
        while not stop.wait(10):
            first.execute("first", "kill -9 $(docker inspect --format '{{.State.Pid}}' open-webui)", check=False)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        succeeded(first.play("playbooks/backup.yml", "--limit", "first"))
    finally:
        stop.set()
        killer.join()
    servers["first"].wait()
    service.complete(servers["first"])


@pytest.mark.parametrize("task", ["Rehearse the upgrade", "Stop the old version", "Run the service"])
def test_the_engine_may_be_killed_during_an_upgrade(
    first: Fleet, service: Service, servers: dict[str, Server], task: str
) -> None:
    target = another_version(servers["first"])
    with service.writer.writing():
        run = first.started("playbooks/upgrade.yml", "-e", f"open_webui_version={target}")
        for line in t.cast("t.TextIO", run.stdout):
            if line.startswith("TASK") and task in line:
                first.execute("first", "systemctl kill --signal=KILL docker")
        run.wait()
        first.execute("first", "timeout 60 sh -c 'until docker info >/dev/null 2>&1; do sleep 1; done'")
        # Docker 26 that was killed leaves all containers stopped, Ollama's too; upgrade.yml would only say so.
        succeeded(to_version(first, target, "site.yml"))
    assert version(servers["first"]) == target
    service.complete(servers["first"])


@contextlib.contextmanager
def answers_of_ollama(addresses: list[str]) -> t.Iterator[set[tuple[bool, ...]]]:
    """Which of the servers answered at the same time, as long as the context lasts."""
    stop = threading.Event()
    seen: set[tuple[bool, ...]] = set()

    def answers(address: str) -> bool:
        try:
            return Server(f"http://{address}:11434").call("GET", "/api/version")[0] == 200
        except OSError:
            return False

    def look() -> None:
        while not stop.wait(0.2):
            seen.add(tuple(answers(address) for address in addresses))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield seen
    finally:
        stop.set()
        watcher.join()


def test_ollama_gets_another_version_on_one_host_at_a_time(
    second: Fleet, current: str, variables: dict[str, t.Any]
) -> None:
    chosen = ["-e", f"open_webui_version={current}"]
    succeeded(second.play("site.yml", *chosen))
    chosen += ["-e", f"ollama_version={another_ollama()}"]
    extra, second.extra = second.extra, []
    with answers_of_ollama([variables["first"], variables["second"]]) as seen:
        run = second.play("playbooks/upgrade.yml", *chosen)
    again = second.play("site.yml", *chosen)
    # The tests that follow are not about Ollama.
    back = second.play("playbooks/upgrade.yml", *chosen[:2])
    second.extra = extra
    succeeded(run)
    assert seen == {(True, True), (False, True), (True, False)}
    nothing_changed(again)
    succeeded(back)


def test_restic_and_back_again(first: Fleet, current: str, service: Service, servers: dict[str, Server]) -> None:
    for _backup in range(2):
        with service.writer.writing():
            beginning = time.time()
            succeeded(first.play("playbooks/backup.yml", *RESTIC))
    refused = first.play("playbooks/restore.yml", *RESTIC)
    failed_with(refused, "restore_force")
    run = first.play("playbooks/restore.yml", *RESTIC, "-e", "restore_force=true")
    succeeded(run)
    assert ".selfhosted-llm/aside-" in run.words
    service.complete(servers["first"], before=beginning)
    service.writer.forget(beginning)
    nothing_changed(first.play("site.yml"))


@pytest.fixture
def empty(second: Fleet) -> None:
    succeeded(second.play("playbooks/remove.yml", "-e", "purge=true"))
    second.execute("second", "rm -rf /etc/selfhosted-llm /var/backups/selfhosted-llm")


@pytest.mark.usefixtures("empty")
def test_a_move_to_another_host_while_people_write(
    first: Fleet, second: Fleet, current: str, service: Service, servers: dict[str, Server]
) -> None:
    mine = ["-e", "move_from=first", "-e", "move_to=second", "-e", f"open_webui_version={current}"]
    succeeded(second.play("site.yml", "-e", f"open_webui_version={current}"))
    extra, second.extra = second.extra, []
    with service.writer.writing():
        run = second.play("playbooks/move.yml", *mine)
    second.extra = extra
    succeeded(run)
    service.complete(servers["second"])
    with pytest.raises(OSError, match="refused"):
        servers["first"].call("GET", "/api/version")
    first.execute("first", "docker start open-webui")
    servers["first"].wait()


@pytest.mark.usefixtures("empty")
def test_a_disk_that_is_full_when_the_old_version_has_stopped(second: Fleet, servers: dict[str, Server]) -> None:
    server = servers["second"]
    second.execute("second", f"mkdir -p {SMALL} && mount -t tmpfs -o size=300m small {SMALL}")
    there = ["-e", f"open_webui_volume={SMALL}/data"]
    old = [*there, "-e", "open_webui_version=0.12.0"]
    succeeded(second.play("site.yml", *old))
    token = server.token(ADA)
    server.write_chat(token, "the space that is left")
    # The migrations to the newer version are what cannot be written.
    fill = f"while {RUNNING} | grep -q true; do sleep 0.1; done; dd if=/dev/zero of={SMALL}/full bs=1M"
    second.execute("second", f"nohup sh -c '{fill}' >/dev/null 2>&1 &")
    run = second.play("playbooks/upgrade.yml", *there, "-e", "open_webui_version=0.12.4")
    second.execute("second", f"rm {SMALL}/full")
    failed_with(run, "is full", "0.12.0")
    server.wait()
    assert version(server) == "0.12.0"
    assert set(server.chats(token)) == {"the space that is left"}
    nothing_changed(second.play("site.yml", *old))
    succeeded(second.play("playbooks/remove.yml", "-e", "purge=true", *old))
    second.execute("second", f"umount {SMALL}")
