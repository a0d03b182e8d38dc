# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host of the scenario, and the people who use it."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.testbed.people import Person, Server
from tests.testbed.user import Fleet

SCENARIO = Path(__file__).resolve().parents[1]
ADA = Person("Ada", "ada@example.com", "ada has a long password")
KIM = Person("Kim", "kim@example.com", "kim has one too")
LEE = Person("Lee", "lee@example.com", "lee has another one")


@pytest.fixture(scope="session")
def fleet() -> Fleet:
    return Fleet("molecule-configured", [SCENARIO / "inventory.yml"], {})


@pytest.fixture(scope="session")
def testbed(fleet: Fleet) -> dict[str, t.Any]:
    """What the testbed says of the fleet, and the host's address."""
    inventory = yaml.safe_load(fleet.inventories[0].read_text())["all"]
    return {**inventory["vars"], "address": inventory["hosts"]["chat"]["ansible_host"]}


@pytest.fixture(scope="session")
def server(testbed: dict[str, t.Any]) -> Server:
    return Server(f"http://{testbed['address']}:3001")


@pytest.fixture(scope="session")
def smollm(testbed: dict[str, t.Any]) -> str:
    return f"{testbed['testbed_model_registry']}/library/smollm2:135m"


@pytest.fixture(scope="session")
def tokens(server: Server) -> dict[Person, str]:
    return {person: server.token(person) for person in (ADA, KIM, LEE)}
