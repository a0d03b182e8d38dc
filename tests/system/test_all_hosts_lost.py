# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The demo, a chat, a backup on the controller, and then every host is gone."""

from __future__ import annotations

import os
import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml
from conftest import FILES, NAME, ROOT

from tests.testbed import hosts
from tests.testbed.people import Person, Server
from tests.testbed.user import Fleet

KIM = Person("Kim", "kim@example.com", "kim has a long password")
HOSTS = {"gpu1": "debian13", "gpu2": "debian13"}


@pytest.fixture
def demo(tmp_path: Path) -> t.Iterator[Fleet]:
    fleet = Fleet(
        f"{NAME[:14]}-lost",
        [ROOT / "tests" / "demo" / "inventory.yml"],
        {"backup_controller_directory": str(tmp_path / "backups")},
    )
    with fleet.living(False, **HOSTS):
        make_demo(fleet)
        yield fleet


def make_demo(fleet: Fleet) -> None:
    environment = {**os.environ, "DEMO_FLEET": fleet.name}
    subprocess.run(["tests/demo/run", "-e", f"@{fleet.variables}"], cwd=ROOT, env=environment, check=True)


def server(fleet: Fleet) -> Server:
    host = yaml.safe_load(fleet.inventories[0].read_text())["all"]["hosts"]["gpu1"]
    return Server(f"http://{host['ansible_host']}:3001")


def admin(fleet: Fleet) -> Person:
    return Person("", "admin@example.com", fleet.execute("gpu1", f"cat {FILES}/admin_password").strip())


@pytest.mark.thorough
def test_everything_comes_back_from_the_controller(demo: Fleet) -> None:
    before, ada = server(demo), admin(demo)
    token = before.token(ada)
    account = {**KIM._asdict(), "role": "user"}
    assert before.call("POST", "/api/v1/auths/add", account, token)[0] == 200
    tokens = {"Ada": token, "Kim": before.token(KIM)}
    for name in tokens:
        before.write_chat(tokens[name], f"the world of {name}")
    models = demo.execute("gpu2", "docker exec ollama ollama list")
    backup = demo.play("playbooks/backup.yml")
    assert backup.code == 0, backup.output

    # The registries stay: they stand for the world outside, whose addresses are part of the models' names.
    containers = [f"testbed-{demo.name}-{host}" for host in HOSTS]
    inner = hosts.inner_containers(demo.name)
    subprocess.run(["docker", "rm", "--force", "--volumes", *containers], check=True)
    hosts.remove_cgroups(inner)
    demo.up(**HOSTS)
    make_demo(demo)
    after = server(demo)
    assert admin(demo) != ada
    assert [after.call("GET", "/api/v1/chats/", token=token)[0] for token in tokens.values()] == [401, 401]

    restore = demo.play("playbooks/restore.yml")
    assert restore.code == 0, restore.output
    for name, token in tokens.items():
        assert after.chats(token) == {f"the world of {name}": f"Tell me about the world of {name}."}
    assert admin(demo) == ada
    assert after.sign_in(ada)[1]["role"] == "admin"
    assert after.sign_in(KIM)[1]["role"] == "user"
    assert demo.execute("gpu2", "docker exec ollama ollama list").split()[:6] == models.split()[:6]
    steady = demo.play("site.yml")
    assert steady.code == 0, steady.output
    assert steady.changed == {"gpu1": 0, "gpu2": 0}, steady.output
