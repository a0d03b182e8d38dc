# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole job on a fleet of its own. The tests follow a fleet's life: they run in the order in which they stand."""

from __future__ import annotations

import os
import secrets
import threading
import typing as t

import pytest

from tests.testbed import user
from tests.testbed.shell import ROOT, STATE
from tests.testbed.user import FILES, Run

__all__ = ["FILES", "FOLDER", "NAME", "ROOT", "Fleet", "Run"]

# A developer's own fleet is used as it is, and stays.
KEPT = "SYSTEM_FLEET" in os.environ
NAME = os.environ.get("SYSTEM_FLEET", "system")
FOLDER = STATE / NAME


class Fleet(user.Fleet):
    """Two bare hosts, later three, with secrets to look for."""

    def __init__(self) -> None:
        # Random, so that finding one anywhere is no accident.
        self.sentinels = {
            name: f"sentinel-{name}-{secrets.token_hex(12)}"
            for name in ("admin", "provider", "kim", "noor", "connection", "search")
        }
        self.seen_processes: set[str] = set()
        admin = {"email": "admin@example.com", "name": "Ada Admin", "password": self.sentinels["admin"]}
        super().__init__(
            NAME,
            [ROOT / "tests" / "demo" / "inventory.yml"],
            {
                "open_webui_admin": admin,
                "open_webui_secret_environment": {"OAUTH_CLIENT_SECRET": self.sentinels["provider"]},
                "open_webui_users": [
                    # The member of the demo's group, whom its summary takes first.
                    {"email": "noor@example.com", "password": self.sentinels["noor"]},
                    {"email": "kim@example.com", "password": self.sentinels["kim"]},
                    "lee@example.com",
                ],
                # Ollama speaks OpenAI's API too, and takes every key.
                "open_webui_connections": [
                    {"url": "http://ollama:11434/v1", "key": self.sentinels["connection"], "prefix_id": "cloud"}
                ],
                "open_webui_settings": {"web.search.kagi_search_api_key": self.sentinels["search"]},
                "open_webui_users_password_directory": str(FOLDER / "first-passwords"),
            },
        )

    def watch_processes(self, hosts: t.Iterable[str], stop: threading.Event) -> None:
        """Collect every command line that shows up on the hosts, until told to stop."""
        while not stop.wait(0.5):
            for host in hosts:
                self.seen_processes.update(self.execute(host, "ps -eww -o args", check=False).splitlines())

    def secrets(self) -> dict[str, str]:
        """Every secret of the service, by name."""
        generated = {
            name: self.execute("gpu1", f"cat {FILES}/{name}").strip()
            for name in ("automation_password", "session_key", "probe_password")
        }
        first = (FOLDER / "first-passwords" / "lee@example.com.txt").read_text().strip()
        return {**self.sentinels, **generated, "first_password": first}


@pytest.fixture(scope="session")
def fleet() -> t.Iterator[Fleet]:
    fleet = Fleet()
    with fleet.living(KEPT, gpu1="debian13", gpu2="debian13"):
        yield fleet
