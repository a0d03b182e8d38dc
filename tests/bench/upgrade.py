# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long people wait during an upgrade of Open WebUI: prints a table of docs/performance.md.

python tests/bench/upgrade.py --write
"""

from __future__ import annotations

import argparse
import concurrent.futures
import pathlib
import sys
import tempfile
import time
import typing as t

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent))

import yaml
from page import WRITE_HELP, show

from tests.testbed.images import OPEN_WEBUI_PREVIOUS, OPEN_WEBUI_VERSION
from tests.testbed.people import Person, Server
from tests.testbed.user import Fleet, Run
from tests.testbed.writer import Writer, conversation, lost

BEGIN, END = "<!-- figures of upgrades -->\n", "<!-- end of the figures of upgrades -->\n"
USERS, CHATS, THREADS = 200, 2000, 4
ADA = Person("Ada", "ada@example.com", "ada has a long password")
PASSWORD = "bench: the words of everybody"


def variables(fleet_registry: str, models: str, address: str) -> dict[str, t.Any]:
    return {
        "docker_daemon_options": {"insecure-registries": [fleet_registry]},
        "ollama_image": f"{fleet_registry}/ollama/ollama",
        "ollama_models": [{"name": f"{models}/library/smollm2:135m", "insecure": True}],
        "open_webui_image": f"{fleet_registry}/open-webui/open-webui",
        "open_webui_listen_address": address,
        "open_webui_admin": ADA._asdict(),
        "open_webui_users": [{"email": f"user{number}@example.com", "password": PASSWORD} for number in range(USERS)],
    }


def inventory(fleet: Fleet) -> pathlib.Path:
    """What its user would write, beside the testbed's own."""
    testbed = yaml.safe_load(fleet.inventories[0].read_text())["all"]
    address = testbed["hosts"]["one"]["ansible_host"]
    groups = {group: {"hosts": {"one": {}}} for group in ("ollama", "open_webui")}
    shared = variables(testbed["vars"]["testbed_registry"], testbed["vars"]["testbed_model_registry"], address)
    path = fleet.folder / "bench.yml"
    path.write_text(yaml.safe_dump({"all": {"vars": shared, "children": groups}}))
    return path


def timed(fleet: Fleet, playbook: str, version: str) -> tuple[Run, float]:
    started = time.monotonic()
    run = fleet.play(playbook, "-e", f"open_webui_version={version}")
    if run.code:
        raise SystemExit(run.output)
    return run, time.monotonic() - started


def write_chats(server: Server, token: str) -> None:
    def write(number: int) -> None:
        chat = conversation([f"Message {part} of chat {number}: {'words ' * 40}" for part in range(6)])
        assert server.call("POST", "/api/v1/chats/new", {"chat": chat}, token)[0] == 200

    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(write, range(CHATS)))


def measure(fleet: Fleet, home: pathlib.Path) -> dict[str, str]:
    fleet.inventories.append(inventory(fleet))
    timed(fleet, "site.yml", OPEN_WEBUI_PREVIOUS)
    address = yaml.safe_load(fleet.inventories[0].read_text())["all"]["hosts"]["one"]["ansible_host"]
    server = Server(f"http://{address}:3001")
    tokens = {
        ADA.email: server.token(ADA),
        "user0@example.com": server.token(Person("", "user0@example.com", PASSWORD)),
    }
    write_chats(server, tokens["user0@example.com"])
    writer = Writer(server, tokens, home / "notes.jsonl")
    _run, backup = timed(fleet, "playbooks/backup.yml", OPEN_WEBUI_PREVIOUS)
    with writer.writing():
        fleet.execute("one", "docker restart --time 60 open-webui")
        server.wait()
        writer.wait(len(writer.notes) + 5)
    restart = writer.pause()
    since = time.time()
    with writer.writing():
        _run, upgrade = timed(fleet, "playbooks/upgrade.yml", OPEN_WEBUI_VERSION)
    pause = writer.pause(since)
    gone = lost(server, writer.notes, tokens)
    return {
        f"**{USERS} users, {CHATS:,} chats**": "",
        "`playbooks/backup.yml`": f"{backup:.0f} s",
        f"`playbooks/upgrade.yml`, {OPEN_WEBUI_PREVIOUS} to {OPEN_WEBUI_VERSION}": f"{upgrade:.0f} s",
        "its pause, between two writes that were acknowledged": f"{pause:.1f} s",
        "the same of `docker restart` before": f"{restart:.1f} s, {pause - restart:+.1f} s in the upgrade",
        "acknowledged writes, lost": f"{len(writer.notes):,}, {len(gone)}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", action="store_true", help=WRITE_HELP)
    arguments = parser.parse_args()
    fleet = Fleet("bench-upgrade", [], {})
    fleet.options = ["--upgrades"]
    with tempfile.TemporaryDirectory(prefix="bench-") as directory, fleet.living(False, one="debian13-docker"):
        rows = measure(fleet, pathlib.Path(directory))
    show(rows, BEGIN, END, arguments.write)


if __name__ == "__main__":
    main()
