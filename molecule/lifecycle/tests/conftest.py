# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hosts of the scenario, and what people have on the first of them."""

from __future__ import annotations

import os
import shutil
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.testbed.people import Person, Server
from tests.testbed.user import Fleet
from tests.testbed.writer import Writer, lost

SCENARIO = Path(__file__).resolve().parents[1]
HERE = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
ADA = Person("Ada", "ada@example.com", "ada has a long password")
KIM = Person("Kim", "kim@example.com", "kim has one too")
PASSAGES = ["The lynx hunts at dusk, alone.", "The whale sings below the ice.", "The swift sleeps on the wing."]


class Service(t.NamedTuple):
    """A server in use: its writers, and what they hold."""

    writer: Writer
    collection: str
    api_key: str

    def complete(self, server: Server, before: float = float("inf")) -> None:
        """Check that a server has all that was written before a time, and lets the same people in."""
        notes = [note for note in self.writer.notes if note.done < before]
        assert notes
        # With the tokens from the beginning.
        assert lost(server, notes, self.writer.tokens) == []
        token = self.writer.tokens[ADA.email]
        for passage in PASSAGES:
            assert server.find(token, self.collection, passage)[0] == passage
        assert server.call("GET", "/api/v1/chats/", token=self.api_key)[0] == 200
        for person in (ADA, KIM):
            assert server.sign_in(person)[0] == 200

    def refused_nothing(self, fleet: Fleet) -> None:
        """Check that no write of the fleet's first host was refused; if one was, the server's log says why."""
        assert self.writer.refused == [], fleet.execute("first", "docker logs --timestamps --tail 300 open-webui 2>&1")


@pytest.fixture(scope="session")
def first() -> Fleet:
    # Molecule's directory outlives the hosts, and what is there is of others.
    shutil.rmtree(HERE / "backups", ignore_errors=True)
    (HERE / "notes.jsonl").unlink(missing_ok=True)
    return Fleet("molecule-lifecycle", [SCENARIO / "inventory.yml"], {})


@pytest.fixture(scope="session")
def second() -> Fleet:
    """The fleet as it is for its second host, with the newer version in the inventory."""
    fleet = Fleet("molecule-lifecycle", [SCENARIO / "inventory.yml", SCENARIO / "second.yml"], {})
    fleet.extra = ["--limit", "second", "-e", "open_webui_version=0.12.4"]
    return fleet


@pytest.fixture(scope="session")
def variables(first: Fleet) -> dict[str, t.Any]:
    """What the testbed says of the fleet, and the address of each host."""
    inventory = yaml.safe_load(first.inventories[0].read_text())["all"]
    return {**inventory["vars"], **{name: host["ansible_host"] for name, host in inventory["hosts"].items()}}


@pytest.fixture(scope="session")
def servers(variables: dict[str, t.Any]) -> dict[str, Server]:
    return {name: Server(f"http://{variables[name]}:3001") for name in ("first", "second")}


@pytest.fixture(scope="session")
def service(servers: dict[str, Server], variables: dict[str, t.Any]) -> Service:
    server = servers["first"]
    tokens = {person.email: server.token(person) for person in (ADA, KIM)}
    token = tokens[ADA.email]
    server.embed_with(token, f"{variables['testbed_model_registry']}/library/all-minilm:latest")
    status, made = server.call("POST", "/api/v1/auths/api_key", token=token)
    assert status == 200, made
    return Service(
        Writer(server, tokens, HERE / "notes.jsonl"), server.collect(token, "animals", PASSAGES), made["api_key"]
    )


@pytest.fixture(scope="session")
def times() -> dict[str, float]:
    """When something happened, for the tests that follow."""
    return {}
