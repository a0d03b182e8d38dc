# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests ask of runs of playbooks and of the backups that they leave."""

from __future__ import annotations

import datetime
import json
import os
import re
import typing as t
from pathlib import Path

from tests.testbed import images, network, registry
from tests.testbed.people import Server
from tests.testbed.user import Fleet, Run

BACKUPS = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "backups")
CONTAINERS = (
    "docker ps --all --no-trunc --format '{{.ID}} {{.Names}} {{.Image}} {{.State}}'; "
    "docker inspect --format '{{.State.StartedAt}}' open-webui"
)


def backups(host: str, service: str = "open-webui") -> list[Path]:
    """Those on the controller, the oldest first."""
    return sorted(path for path in (BACKUPS / host / service).iterdir() if not path.name.startswith("."))


def manifest(backup: Path) -> dict[str, t.Any]:
    return json.loads((backup / "manifest.json").read_text())


def started(backup: Path) -> float:
    return datetime.datetime.fromisoformat(manifest(backup)["started"].replace("Z", "+00:00")).timestamp()


def succeeded(run: Run) -> None:
    assert run.code == 0, run.output


def nothing_changed(run: Run) -> None:
    succeeded(run)
    assert set(run.changed.values()) == {0}, run.output


def failed_with(run: Run, *words: str) -> None:
    """The run has failed, and its last message says all of this, which no message before it does."""
    assert run.code != 0, run.output
    # Of a task with a loop each item stands for itself.
    parts = [part.partition("\nTASK [")[0] for part in re.split(r"\n(?:fatal|failed): ", run.output)[1:]]
    *before, last = [" ".join(part.split()) for part in parts]
    assert [each for each in words if each not in last] == [], run.output
    assert [each for each in words if any(each in message for message in before)] == [], run.output


def to_version(fleet: Fleet, version: str, playbook: str = "playbooks/upgrade.yml") -> Run:
    return fleet.play(playbook, "-e", f"open_webui_version={version}")


def version(server: Server) -> str:
    return server.call("GET", "/api/version")[1]["version"]


def another_version(server: Server) -> str:
    """A newer version than the server's, which differs in its name only, for the fleet to pull."""
    *first, last = version(server).split(".")
    newer = ".".join([*first, str(max(int(last), 20) + 1)])
    image = images.next_open_webui(images.OPEN_WEBUI, newer)
    images.make([image])
    registry.push(network.ensure("molecule-lifecycle"), {f"open-webui/open-webui:v{newer}": image.tag})
    return newer


def another_ollama() -> str:
    """A newer version of Ollama, which differs in its name only, for the fleet to pull."""
    *first, last = images.OLLAMA_VERSION.split(".")
    newer = ".".join([*first, str(int(last) + 1)])
    registry.push(network.ensure("molecule-lifecycle"), {f"ollama/ollama:{newer}": images.OLLAMA})
    return newer
