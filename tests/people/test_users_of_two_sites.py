# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One list of people for two Open WebUI servers, one of which came from docker compose."""

from __future__ import annotations

import concurrent.futures
import json
import typing as t
from pathlib import Path

import pytest
from conftest import ALICE, BOB, Installation, on

from tests.testbed.people import Person, Server
from tests.testbed.user import Fleet, Run

CAROL = "carol@example.com"


@pytest.fixture(scope="module")
def both(
    installation: Installation, hosts: dict[str, t.Any], deployment: concurrent.futures.Future[Run]
) -> list[Server]:
    run = deployment.result()
    assert run.code == 0, run.output
    return [installation.server, Server(f"http://{hosts['new']['ansible_host']}:3001")]


def people(fleet: Fleet, passwords: Path, *names: str) -> Run:
    variables = {
        "open_webui_users": list(names),
        "open_webui_users_exclusive": True,
        "open_webui_users_password_directory": str(passwords),
    }
    return fleet.play("playbooks/users.yml", "-e", json.dumps(variables))


def test_one_run_lets_a_person_in_and_another_out_on_both(both: list[Server], tmp_path: Path) -> None:
    fleet = on("old", "new")
    first = people(fleet, tmp_path, BOB.email)
    assert first.code == 0, first.output
    run = people(fleet, tmp_path, CAROL)
    assert run.code == 0, run.output
    assert set(run.changed) == {"old", "new"}
    assert all(run.changed.values()), run.output
    again = people(fleet, tmp_path, CAROL)
    assert again.code == 0, again.output
    assert again.changed == {"old": 0, "new": 0}, again.output

    carol = Person("", CAROL, (tmp_path / f"{CAROL}.txt").read_text().strip())
    for server in both:
        status, answer = server.sign_in(carol)
        assert (status, answer["role"]) == (200, "user")
    bobs = [BOB, Person("", BOB.email, (tmp_path / f"{BOB.email}.txt").read_text().strip())]
    for server, bob in zip(both, bobs):
        status, answer = server.sign_in(bob)
        # A pending account may sign in, and sees nothing but that it has to wait.
        assert (status, answer["role"]) == (200, "pending")
        assert server.call("GET", "/api/v1/chats/", token=answer["token"])[0] == 401
        assert server.sign_in(ALICE)[1]["role"] == "admin"
