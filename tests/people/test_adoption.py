# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From docker compose to this collection, back, and forth again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time

import pytest
from conftest import ALICE, BOB, CHATS, PROJECT, Installation

from tests.testbed.people import Person, Server
from tests.testbed.user import FILES, Fleet, Run

PLAYBOOK = "playbooks/adopt_compose.yml"
COMPOSE = f"cd {PROJECT} && docker compose"
CONTAINERS = "docker ps --all --no-trunc --format '{{.ID}} {{.Image}} {{.Names}} {{.State}}'"
SINCE = "docker inspect --format '{{.State.StartedAt}}' open-webui ollama"
KEY = "/app/backend/.webui_secret_key"


def nothing_changed(run: Run) -> None:
    assert run.code == 0, run.output
    assert run.changed == {"old": 0}, run.output


def nothing_lost(installation: Installation) -> None:
    """Both people are who they were, with what they had."""
    server = installation.server
    for person, titles in CHATS.items():
        wanted = {title: f"Tell me about {title}." for title in titles}
        assert server.chats(installation.tokens[person]) == wanted
        assert server.chats(server.token(person)) == wanted
    models = server.call("GET", "/api/models", token=installation.tokens[ALICE])[1]["data"]
    assert [model["id"] for model in models] == [installation.model]


@pytest.fixture(scope="module")
def key(old: Fleet, installation: Installation) -> str:
    """The session key, which only the container has."""
    return old.execute("old", f"docker exec open-webui cat {KEY}").strip()


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            {"open_webui_admin": {"email": ALICE.email, "password": "not hers"}},
            "The email or password provided is incorrect",
        ),
        ({"open_webui_admin": {"email": ALICE.email}}, "the e-mail and the password of an admin"),
        ({"open_webui_version": "0.12.5"}, "Open WebUI on old is 0.12.4"),
        ({"ollama_volume": "models"}, 'ollama_volume, which is "chat_ollama" there'),
        ({"compose_project": "another"}, "has no containers of compose services named open-webui and ollama"),
    ],
    ids=["password", "no password", "version", "volume", "project"],
)
def test_a_refusal_leaves_it_alone(
    old: Fleet, installation: Installation, variables: dict[str, object], message: str
) -> None:
    before = old.execute("old", f"{CONTAINERS}; {SINCE}")
    run = old.play(PLAYBOOK, "-e", json.dumps(variables))
    assert run.code != 0
    assert message in run.words
    assert run.changed == {"old": 0}
    assert old.execute("old", f"{CONTAINERS}; {SINCE}") == before
    assert old.execute("old", "ls /etc/selfhosted-llm 2>/dev/null; true") == ""


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("old.yml", "Ansible would not read {file} any more"),
        ("old/adopted_compose.yml", "{file} was not written by this playbook, and is not overwritten"),
    ],
)
def test_files_of_the_user_are_left_alone(old: Fleet, installation: Installation, file: str, message: str) -> None:
    path = old.folder / "host_vars" / file
    path.parent.mkdir(parents=True)
    path.write_text("of_the_user: 1\n")
    try:
        run = old.play(PLAYBOOK)
    finally:
        shutil.rmtree(old.folder / "host_vars")
    assert run.code != 0
    assert message.format(file=path) in run.words
    assert run.changed == {"old": 0}


def test_a_dry_run_says_what_would_happen(old: Fleet, installation: Installation) -> None:
    before = old.execute("old", f"{CONTAINERS}; {SINCE}")
    run = old.play(PLAYBOOK, "--check", "--diff")
    assert run.code == 0, run.output
    assert run.changed == {"old": 1}
    assert "run Open WebUI 0.12.4 and Ollama 0.32.15 in their place" in run.words
    assert "Ollama was published on 0.0.0.0, without a password" in run.words
    assert old.execute("old", f"{CONTAINERS}; {SINCE}") == before


def test_a_failure_in_the_middle_brings_it_back(old: Fleet, installation: Installation, key: str) -> None:
    before = old.execute("old", CONTAINERS)
    run = old.play(PLAYBOOK, "-e", f"open_webui_image_digest=sha256:{'0' * 64}")
    assert run.code != 0
    assert "The compose installation on old runs again as before" in run.words
    assert old.execute("old", CONTAINERS) == before
    nothing_lost(installation)


def test_a_run_that_was_killed_is_finished_by_the_next(old: Fleet, installation: Installation, key: str) -> None:
    inventories = [argument for path in old.inventories for argument in ("-i", str(path))]
    command = ["ansible-playbook", *inventories, "-e", f"@{old.variables}", PLAYBOOK]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    while "ollama/ollama:latest ollama-compose exited" not in old.execute("old", CONTAINERS):
        assert running.poll() is None
        time.sleep(0.1)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    run = old.play(PLAYBOOK)
    assert run.code == 0, run.output
    assert old.execute("old", f"cat {FILES}/session_key") == key
    assert old.execute("old", f"stat --format %a {FILES}/session_key").strip() == "600"


def test_the_next_run_changes_nothing(old: Fleet) -> None:
    nothing_changed(old.play(PLAYBOOK))
    nothing_changed(old.play("site.yml"))


def test_a_stopped_installation_of_ours_stays_ours(old: Fleet) -> None:
    old.execute("old", "docker stop open-webui ollama")
    run = old.play(PLAYBOOK)
    assert run.code != 0
    assert "is already under the collection, and does not run. Run site.yml" in run.words
    assert run.changed == {"old": 0}
    started = old.play("site.yml")
    assert started.code == 0, started.output


def test_nobody_has_lost_anything(old: Fleet, installation: Installation) -> None:
    nothing_lost(installation)
    # The same program, and the data where it was.
    for ours in ("open-webui", "ollama"):
        command = f"docker inspect --format '{{{{.Image}}}}' {ours} {ours}-compose | uniq | wc -l"
        assert old.execute("old", command).strip() == "1"
    assert old.execute("old", "docker volume ls --quiet").split() == ["chat_ollama", "chat_open-webui"]
    copies = old.execute("old", "ls /var/lib/docker/volumes/chat_open-webui/_data/webui.db.before-*").split()
    assert copies


def test_strangers_stay_out(installation: Installation) -> None:
    stranger = Person("Mallory", "mallory@example.com", "a password of no use")
    assert installation.server.sign_up(stranger)[0] == 403
    with pytest.raises(OSError, match="refused"):
        Server(f"http://{installation.address}:11434").call("GET", "/api/version")


@pytest.mark.thorough
def test_there_is_a_way_back(old: Fleet, installation: Installation) -> None:
    old.execute("old", f"docker stop open-webui ollama && {COMPOSE} start")
    installation.server.wait()
    assert "open-webui-compose running" in old.execute("old", CONTAINERS)
    nothing_lost(installation)


@pytest.mark.thorough
def test_there_is_a_way_forth_again(old: Fleet, installation: Installation) -> None:
    installation.server.write_chat(installation.tokens[BOB], "the fourth wall")
    CHATS[BOB].append("the fourth wall")
    # Such a container would come back at boot although it was stopped.
    old.execute("old", "docker update --restart always open-webui-compose")
    run = old.play(PLAYBOOK)
    assert run.code == 0, run.output
    nothing_lost(installation)
    policy = "docker inspect --format '{{.HostConfig.RestartPolicy.Name}}' open-webui-compose"
    assert old.execute("old", policy).strip() == "unless-stopped"
