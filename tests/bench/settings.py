# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a configuration that is right costs beside what people write instead: prints a table of docs/performance.md.

python tests/bench/settings.py --write
"""

from __future__ import annotations

import argparse
import os
import pathlib
import statistics
import sys
import tempfile
import typing as t

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))

from page import WRITE_HELP, show
from plays import Plays
from webui_server import Server, running

BEGIN, END = "<!-- figures of configurations -->\n", "<!-- end of the figures of configurations -->\n"
PROMPTS, GROUPS, MEMBERS, SETTINGS = 100, 50, 200, 300
RUNS = 5
PASSWORD = "bench: the words of everybody"

Task = dict[str, t.Any]
PING: Task = {"ansible.builtin.ping": {}}


def leaves(settings: dict[str, t.Any], known: t.Collection[str], path: str = "") -> t.Iterator[tuple[str, t.Any]]:
    """The server's keys in a nested map, and their values."""
    for name, value in settings.items():
        key = f"{path}{name}"
        if key in known:
            yield key, value
        elif isinstance(value, dict):
            yield from leaves(value, known, f"{key}.")


def wanted(server: Server, plays: Plays) -> list[Task]:
    """One task for each kind."""
    common = {"url": server.url, "token": server.token}
    emails = [f"user{number}@example.com" for number in range(MEMBERS)]
    users = [{"email": email, "password": PASSWORD} for email in emails]
    plays.run({"selfhosted.llm.openwebui_user": {**common, "users": users}})
    found = plays.run({"selfhosted.llm.openwebui_config_info": common}).result["settings"]
    known = server.call("GET", "/api/v1/configs/export")[1]
    # What has braces is Jinja to Ansible.
    plain = [(key, value) for key, value in leaves(found, known) if "{{" not in str(value)]
    settings = dict(plain[:SETTINGS])
    assert len(settings) == SETTINGS
    groups = [{"name": f"Group {number}", "members": emails} for number in range(GROUPS)]
    prompts = [
        {
            "command": f"prompt-{number}",
            "name": f"Prompt {number}",
            "content": "Say it again. " * 20,
            "access": "public",
        }
        for number in range(PROMPTS)
    ]
    return [
        {"selfhosted.llm.openwebui_config": {**common, "settings": settings}},
        {"selfhosted.llm.openwebui_group": {**common, "groups": groups}},
        {"selfhosted.llm.openwebui_prompt": {**common, "prompts": prompts}},
    ]


def loops(server: Server) -> list[Task]:
    """What people write: one look at each thing. All settings stand in one answer."""

    def look(path: str, items: list[t.Any]) -> Task:
        options = {"url": f"{server.url}{path}", "headers": {"Authorization": f"Bearer {server.token}"}}
        return {"ansible.builtin.uri": options, "loop": items}

    ids = [row["id"] for row in server.call("GET", "/api/v1/groups/")[1]]
    commands = [row["command"] for row in server.call("GET", "/api/v1/prompts/")[1]]
    return [
        look("/api/v1/configs/export", [None]),
        look("/api/v1/groups/id/{{ item }}/export", ids),
        look("/api/v1/prompts/command/{{ item }}", commands),
    ]


def measure(server: Server, plays: Plays) -> dict[str, str]:
    tasks = wanted(server, plays)
    for task in tasks:
        plays.run(task)
    before = len(server.requests())
    taken = [plays.run(task) for task in tasks]
    requests = server.requests()[before:]
    if any(run.result["changed"] for run in taken):
        raise SystemExit("something was left to do")
    # The ways take turns, so that a busy moment of the machine concerns all of them.
    rounds = [[plays.run(task) for task in [*tasks, PING]] for _round in range(RUNS)]
    *each, ping = (
        (statistics.median(one.task for one in runs), statistics.median(one.process for one in runs))
        for runs in zip(*rounds)
    )
    ours, processes = (sum(seconds) for seconds in zip(*each))
    other = sum(plays.run(task).task for task in loops(server))
    print(f"What the server was asked for when nothing was to do ({os.cpu_count()} cores):", *requests, sep="\n")
    texts = (f"{task:.2f} s, its process {process:.2f} s" for task, process in [*each, ping])
    names = ("openwebui_config", "openwebui_group", "openwebui_prompt", "ansible.builtin.ping")
    return {
        f"**{SETTINGS} settings, {GROUPS} groups with {MEMBERS} members, {PROMPTS} prompts, nothing to do**": "",
        **{f"task of `{name}`": text for name, text in zip(names, texts)},
        "the three of ours together": f"{ours:.2f} s, their processes {processes:.2f} s",
        "loop of `uri`, one look at each": f"{other:.1f} s, {other / ours:.0f} times the three tasks",
        "requests of the three": str(len(requests)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", action="store_true", help=WRITE_HELP)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        home = pathlib.Path(directory)
        (home / "server").mkdir()
        with running(home / "server") as server:
            rows = measure(server, Plays(home))
    show(rows, BEGIN, END, arguments.write)


if __name__ == "__main__":
    main()
