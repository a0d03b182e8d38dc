# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``openwebui_user`` costs beside what people write instead: prints a table of docs/performance.md.

python tests/bench/users.py --write
"""

from __future__ import annotations

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import typing as t

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))

from page import WRITE_HELP, show
from plays import Plays
from webui_server import Server, installed, running

BEGIN, END = "<!-- figures of accounts -->\n", "<!-- end of the figures of accounts -->\n"
ACCOUNTS, BY_LOOP, THREADS = 200, 20, 4
PASSWORD = "bench: the words of everybody"
# Prints the seconds that some hashes take with the library of the server, in as many threads as requests come at once.
HASHING = """
import bcrypt, sys, time
from concurrent.futures import ThreadPoolExecutor
number, threads, password = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3].encode()
started = time.monotonic()
with ThreadPoolExecutor(threads) as pool:
    list(pool.map(lambda _number: bcrypt.hashpw(password, bcrypt.gensalt()), range(number)))
print(time.monotonic() - started)
"""

Rows = dict[str, str]
Task = dict[str, t.Any]


def people(number: int, domain: str) -> list[dict[str, str]]:
    return [{"email": f"user{n}@{domain}", "name": f"User {n}", "password": PASSWORD} for n in range(number)]


def task(server: Server, users: list[dict[str, str]]) -> Task:
    return {"selfhosted.llm.openwebui_user": {"url": server.url, "token": server.token, "users": users}}


def uri(server: Server, path: str, users: list[dict[str, str]], **options: t.Any) -> Task:
    """What people write: one request for each account, after one sign-in."""
    headers = {"Authorization": f"Bearer {server.token}"}
    return {"ansible.builtin.uri": {"url": f"{server.url}{path}", "headers": headers, **options}, "loop": users}


def hashing(number: int, threads: int) -> float:
    command = [installed() / "python", "-c", HASHING, str(number), str(threads), PASSWORD]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def creation(server: Server, plays: Plays) -> Rows:
    body = {"name": "{{ item.name }}", "email": "{{ item.email }}", "password": "{{ item.password }}", "role": "user"}
    loop = uri(
        server, "/api/v1/auths/add", people(BY_LOOP, "loop.example.com"), method="POST", body_format="json", body=body
    )
    ours = plays.run(task(server, people(ACCOUNTS, "example.com"))).task
    other = plays.run(loop).task * ACCOUNTS / BY_LOOP
    single, parallel = hashing(BY_LOOP, 1) / BY_LOOP, hashing(ACCOUNTS, THREADS)
    return {
        f"**{ACCOUNTS} new accounts**": "",
        "`openwebui_user`": f"{ours:.1f} s",
        f"loop of `uri`, from {BY_LOOP} accounts": f"{other:.0f} s, {other / ours:.1f} times `openwebui_user`",
        f"{ACCOUNTS} password hashes and nothing else, {THREADS} at once": (
            f"{parallel:.1f} s, {parallel / ours:.0%} of `openwebui_user`"
        ),
        "one password hash, alone": f"{single:.2f} s",
    }


def nothing_to_do(server: Server, plays: Plays, runs: int) -> tuple[Rows, list[str]]:
    users = people(ACCOUNTS, "example.com")
    path = "/api/v1/users/?query={{ item.email | urlencode }}&order_by=created_at&direction=asc"
    ways = (task(server, users), uri(server, path, users))
    taken = [[plays.run(way) for way in ways] for _run in range(runs)]
    if any(run.result["changed"] for run, _loop in taken):
        raise SystemExit("something was left to do")
    ours, loop = (statistics.median(run.task for run in found) for found in zip(*taken))
    before = len(server.requests())
    plays.run(ways[0])
    requests = server.requests()[before:]
    rows = {
        f"**{ACCOUNTS} accounts, nothing to do**": "",
        "`openwebui_user`, once": f"{ours:.2f} s",
        "loop of `uri`, one look at each": f"{loop:.1f} s, {loop / ours:.0f} times `openwebui_user`",
        "requests of `openwebui_user`": f"{len(requests)}: `{'`, `'.join(requests)}`",
    }
    return rows, requests


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=1, help="of the tasks that change nothing; the median counts")
    parser.add_argument("--write", action="store_true", help=WRITE_HELP)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        home = pathlib.Path(directory)
        (home / "server").mkdir()
        plays = Plays(home)
        with running(home / "server") as server:
            rows = creation(server, plays)
            more, requests = nothing_to_do(server, plays, arguments.runs)
    print(f"What the server was asked for when nothing was to do ({os.cpu_count()} cores):", *requests, sep="\n")
    show({**rows, **more}, BEGIN, END, arguments.write)


if __name__ == "__main__":
    main()
