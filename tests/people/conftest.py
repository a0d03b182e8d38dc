# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two hosts: "old" runs Open WebUI from a compose file, "new" is deployed by the collection."""

from __future__ import annotations

import concurrent.futures
import os
import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml

from tests.testbed.images import OLLAMA_VERSION, OPEN_WEBUI_VERSION
from tests.testbed.people import Person, Server
from tests.testbed.user import Fleet, Run

HERE = Path(__file__).parent
# A developer's own fleet stays.
KEPT = "PEOPLE_FLEET" in os.environ
NAME = os.environ.get("PEOPLE_FLEET", "people")
PROJECT = "/srv/chat"
ALICE = Person("Alice", "alice@example.com", "alice has a long password")
BOB = Person("Bob", "bob@example.com", "bob has one too")
CHATS = {ALICE: ["the first light", "the second law"], BOB: ["the third man"]}
# What the compose file calls the images, and what the fleet's registry does.
IMAGES = {
    "ollama/ollama:latest": f"ollama/ollama:{OLLAMA_VERSION}",
    "ghcr.io/open-webui/open-webui:main": f"open-webui/open-webui:v{OPEN_WEBUI_VERSION}",
}


class Installation(t.NamedTuple):
    """The compose installation, and what its people have."""

    server: Server
    address: str
    # Of each person, from before.
    tokens: dict[Person, str]
    model: str


def on(*sites: str) -> Fleet:
    """The fleet, with the inventories of these sites."""
    admin = {"email": ALICE.email, "password": ALICE.password}
    return Fleet(NAME, [HERE / f"{site}.yml" for site in sites], {"open_webui_admin": admin})


@pytest.fixture(scope="session")
def old() -> t.Iterator[Fleet]:
    fleet = on("old")
    with fleet.living(KEPT, old="debian13-docker", new="debian13-docker"):
        yield fleet


@pytest.fixture(scope="session")
def hosts(old: Fleet) -> dict[str, t.Any]:
    """The variables of the hosts, those of all included."""
    inventory = yaml.safe_load(old.inventories[0].read_text())["all"]
    return {name: {**inventory["vars"], **own} for name, own in inventory["hosts"].items()}


@pytest.fixture(scope="session")
def deployment(old: Fleet) -> t.Iterator[concurrent.futures.Future[Run]]:
    """The run that deploys the other site, which goes on beside the tests of this one."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        yield pool.submit(on("new").play, "site.yml")


@pytest.fixture(scope="session")
def installation(old: Fleet, hosts: dict[str, t.Any], deployment: concurrent.futures.Future[Run]) -> Installation:
    """What somebody has who started with docker compose and used it for a while."""
    registry = hosts["old"]["testbed_registry"]
    commands = [
        "set -e",
        "apt-get update -qq && apt-get install -qq --no-install-recommends docker-compose >/dev/null",
        f"mkdir -p {PROJECT} && cat > {PROJECT}/compose.yml",
        f"""echo '{{"insecure-registries": ["{registry}"]}}' > /etc/docker/daemon.json""",
        "systemctl reload docker",
        # The reload does not wait for the engine to have read it.
        f"timeout 60 sh -c 'until docker info 2>/dev/null | grep -q {registry}; do sleep 0.2; done'",
    ]
    for name, source in IMAGES.items():
        there = f"{registry}/{source}"
        commands += [f"docker pull -q {there}", f"docker tag {there} {name}", f"docker image rm {there}"]
    # Nothing can be pulled any more.
    commands.append("rm /etc/docker/daemon.json && systemctl reload docker")
    commands.append(f"cd {PROJECT} && docker compose up --detach --quiet-pull")
    into = ["docker", "exec", "--interactive", old.container("old"), "sh", "-c", "\n".join(commands)]
    subprocess.run(into, input=(HERE / "compose.yml").read_bytes(), check=True)
    address = hosts["old"]["ansible_host"]
    server = Server(f"http://{address}:3001")
    server.wait()
    model = f"{hosts['old']['testbed_model_registry']}/library/smollm2:135m"
    pull = {"model": model, "insecure": True, "stream": False}
    assert Server(f"http://{address}:11434").call("POST", "/api/pull", pull) == (200, {"status": "success"})
    tokens = {ALICE: server.sign_up(ALICE)[1]["token"]}
    settings = server.call("GET", "/api/v1/auths/admin/config", token=tokens[ALICE])[1]
    open_to_all = {**settings, "ENABLE_SIGNUP": True, "DEFAULT_USER_ROLE": "user"}
    assert server.call("POST", "/api/v1/auths/admin/config", open_to_all, tokens[ALICE])[0] == 200
    tokens[BOB] = server.sign_up(BOB)[1]["token"]
    for person, titles in CHATS.items():
        for title in titles:
            server.write_chat(tokens[person], title)
    return Installation(server, address, tokens, model)
