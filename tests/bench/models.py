# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``ollama_model`` costs beside what people write instead: prints the table of docs/performance.md.

python tests/bench/models.py --write
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "standins"))

from counting import counting
from faults import RANGE
from ollama_client import Server
from ollama_process import running
from page import WRITE_HELP, fill
from plays import Plays, Taken
from registry import ModelRegistry
from shelf import Shelf

BEGIN, END = "<!-- figures -->\n", "<!-- end of figures -->\n"

LATENCY = 0.05
MODELS, COPIES = 30, 500
# Three parts, of which the first two stop after 60 MB; the third is shorter than that.
STALLING, PARTS, STALL_AFTER, PATIENCE = 210_000_000, 3, 60_000_000, 5
LARGE, LINE = 2_000_000_000, 1_000_000_000

Rows = dict[str, str]
Task = dict[str, t.Any]


class Bench:
    """A server, a registry that takes its time, and plays.

    :arg runs: of which the median is taken
    """

    def __init__(self, server: Server, registry: ModelRegistry, home: pathlib.Path, runs: int) -> None:
        self.server = server
        self.registry = registry
        self.shelf = Shelf(registry)
        self.plays = Plays(home)
        self.runs = runs

    def task(self, names: list[str], **options: t.Any) -> Task:
        """A task of the module."""
        return {"selfhosted.llm.ollama_model": {"url": self.server.url, "name": names, "insecure": True, **options}}

    def in_turns(self, *ways: t.Callable[[], t.Any]) -> list[list[t.Any]]:
        """What each way gives in each run. They take turns, so that a busy moment concerns all of them."""
        runs = [[way() for way in ways] for _run in range(self.runs)]
        return [list(found) for found in zip(*runs)]

    def process(self, task: Task) -> float:
        """The seconds that its module takes."""
        return self.plays.run(task).process

    def pull(self, name: str) -> None:
        expect(self.server.pull(name).lines[-1], {"status": "success"})

    def remove(self, name: str) -> None:
        self.server.call("DELETE", "/api/delete", {"model": name})
        # Else the disk would still be busy with this run in the next one.
        os.sync()

    def requests(self, names: list[str], **options: t.Any) -> tuple[dict[str, int], int]:
        """What a task asks of the server and how often, and how many requests get to the registry."""
        with counting(self.server) as front:
            self.registry.requests.clear()
            self.plays.run(self.task(names, url=front.url, **options))
            return dict(front.requests), len(self.registry.requests)

    def clear(self) -> None:
        for name in self.server.tags():
            if name.startswith((f"{self.shelf.prefix}/", f"{self.shelf.namespace}/")):
                self.server.call("DELETE", "/api/delete", {"model": name})


def nothing_to_do(bench: Bench) -> Rows:
    names = [bench.shelf.add(f"model{number}", seed=number) for number in range(MODELS)]
    for name in names:
        bench.pull(name)
    body = {"model": "{{ item }}", "insecure": True, "stream": False}
    options = {"url": f"{bench.server.url}/api/pull", "method": "POST", "body_format": "json", "body": body}
    tasks = [bench.task(names, state="latest"), {"ansible.builtin.uri": options, "loop": names}]
    program = shutil.which("ollama") if bench.server.command is None else bench.server.command[0]
    # The stand-in has no such command.
    if program and not bench.server.standin:
        command = {"argv": [program, "pull", "--insecure", "{{ item }}"]}
        environment = {"OLLAMA_HOST": bench.server.url}
        tasks.append({"ansible.builtin.command": command, "loop": names, "environment": environment})
    runs = bench.in_turns(*(functools.partial(bench.plays.run, task) for task in tasks))
    ours, *loops = (statistics.median(taken.task for taken in found) for found in runs)
    asked = {"GET /api/tags": 1, "HEAD /api/blobs/": MODELS}
    expect(bench.requests(names, state="latest"), (asked, MODELS))
    texts = [f"{loop:.1f} s, {loop / ours:.1f} times `ollama_model`" for loop in loops] + ["-"]
    return {
        f"**{MODELS} models, nothing to do**": "",
        "`ollama_model` with `state: latest`": f"{ours:.2f} s",
        **dict(zip(("loop of `uri` to `/api/pull`", "loop of `command: ollama pull`"), texts)),
        "requests of `ollama_model`": f"1 list, {MODELS} manifests, {MODELS} looks for weights, no pull",
    }


def stalled_transfer(bench: Bench) -> Rows:
    name = bench.shelf.add("stalling", padding=STALLING)
    weights = bench.shelf.weights(name)

    def by_hand(patience: float) -> float:
        started = time.monotonic()
        pull_by_hand(bench.server, name, patience)
        return time.monotonic() - started

    def stalling(way: t.Callable[[], float]) -> tuple[float, int]:
        bench.remove(name)
        bench.registry.requests.clear()
        with bench.registry.fault(weights, RANGE, stall_after=STALL_AFTER, times=PARTS):
            return way(), bench.shelf.sent(weights)

    ways = [
        functools.partial(bench.process, bench.task([name], stall_timeout=PATIENCE)),
        functools.partial(by_hand, PATIENCE),
        functools.partial(by_hand, math.inf),
    ]
    runs = bench.in_turns(*(functools.partial(stalling, way) for way in ways))
    medians = [tuple(map(statistics.median, zip(*run))) for run in runs]
    ours, reconnecting, waiting = (f"{taken:.1f} s, {sent / 1e6:.0f} MB" for taken, sent in medians)
    return {
        f"**{STALLING / 1e6:.0f} MB, stalled half-way**": "",
        f"process of `ollama_model`, `stall_timeout: {PATIENCE}`": (
            f"{ours}, {medians[0][0] / medians[1][0]:.2f} times the one that reconnects"
        ),
        f"a client that reconnects after {PATIENCE} s": reconnecting,
        "a client that waits for the server": waiting,
    }


def pull_by_hand(server: Server, name: str, patience: float) -> None:
    """Leave after so many seconds without progress, and come back at once."""
    while True:
        stream = server.stream("/api/pull", {"model": name, "insecure": True})
        last, moved_at = {}, time.monotonic()
        for line in stream.lines():
            if line != last:
                last, moved_at = line, time.monotonic()
            if time.monotonic() - moved_at >= patience:
                break
        stream.leave()
        if last == {"status": "success"}:
            return
        if "error" in last:
            raise SystemExit(f"the pull of {name} failed: {last}")


def large_model(bench: Bench) -> Rows:
    name = bench.shelf.add("large", padding=LARGE)
    body = json.dumps({"model": name, "insecure": True})
    command = ["curl", "--silent", "--no-buffer", "--data", body, f"{bench.server.url}/api/pull"]

    def by_curl() -> float:
        bench.remove(name)
        started = time.monotonic()
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        taken = time.monotonic() - started
        expect(json.loads(output.splitlines()[-1]), {"status": "success"})
        return taken

    def by_module() -> Taken:
        bench.remove(name)
        return bench.plays.run(bench.task([name]))

    rows: Rows = {}
    # Servers fetch 16 parts at once.
    for line, rate in ((f"over {LINE / 1e9:.0f} Gb/s", LINE / 8 / 16), ("at full speed", math.inf)):
        with bench.registry.fault(bench.shelf.weights(name), RANGE, rate=rate):
            curls, runs = bench.in_turns(by_curl, by_module)
        curl = statistics.median(curls)
        process = statistics.median(taken.process for taken in runs)
        inside = statistics.median(taken.result["models"][0]["duration"] for taken in runs)
        rows |= {
            f"**{LARGE / 1e9:.0f} GB {line}**": "",
            f"`curl` to `/api/pull`, {line}": f"{curl:.1f} s",
            f"`duration` in the result of `ollama_model`, {line}": f"{inside:.1f} s, {inside / curl:.2f} times `curl`",
            f"process of `ollama_model`, {line}": f"{process:.1f} s, {process / curl:.2f} times `curl`",
            f"its memory at the peak, {line}": f"{max(taken.memory for taken in runs) / 1e6:.0f} MB",
        }
    return rows


def many_models(bench: Bench) -> Rows:
    source = bench.shelf.add("copied")
    bench.pull(source)
    copies = [f"{bench.shelf.namespace}/copy{number}:latest" for number in range(COPIES)]
    for copy in copies:
        bench.server.call("POST", "/api/copy", {"source": source, "destination": copy})
    tasks = [bench.task(copies), bench.task(copies[:1]), {"ansible.builtin.ping": {}}]
    runs = bench.in_turns(*(functools.partial(bench.process, task) for task in tasks))
    every, one, ping = map(statistics.median, runs)
    expect(bench.requests(copies), ({"GET /api/tags": 1}, 0))
    return {
        f"**{COPIES} models in the store, nothing to do**": "",
        f"process of `ollama_model` with all {COPIES}": f"{every:.2f} s",
        "process of `ollama_model` with one of them": f"{one:.2f} s",
        "process of `ansible.builtin.ping`": f"{ping:.2f} s",
        "requests of `ollama_model`, either way": "1 list",
    }


FIGURES = {figure.__name__: figure for figure in (nothing_to_do, stalled_transfer, large_model, many_models)}


def expect(found: t.Any, wanted: t.Any) -> None:
    if found != wanted:
        raise SystemExit(f"found {found}, not {wanted}")


def column(server: Server, home: pathlib.Path, runs: int, figures: list[str]) -> Rows:
    rows: Rows = {}
    registry = ModelRegistry(("127.0.0.1", 0), home / "registry")
    registry.latency = LATENCY
    with registry.running():
        bench = Bench(server, registry, home, runs)
        try:
            for figure in figures:
                found = FIGURES[figure](bench)
                for label, text in found.items():
                    print(f"{label}: {text}" if text else f"\n{label}, {server.url}", file=sys.stderr, flush=True)
                rows |= found
                bench.clear()
        finally:
            bench.clear()
    return rows


def table(columns: dict[str, Rows]) -> str:
    lines = [["", *columns], ["---"] * (len(columns) + 1)]
    labels = dict.fromkeys(label for rows in columns.values() for label in rows)
    lines += [[label, *(rows.get(label, "-") for rows in columns.values())] for label in labels]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--write", action="store_true", help=WRITE_HELP)
    parser.add_argument("--only", nargs="+", choices=FIGURES, default=list(FIGURES), help="these figures")
    arguments = parser.parse_args()
    columns = {}
    # Without the variable the stand-in is started.
    program, url = os.environ.pop("OLLAMA_BIN", None), os.environ.get("OLLAMA_URL")
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        home = pathlib.Path(directory)
        for name in ("standin", "real"):
            (home / name).mkdir()
        with running(home / "standin") as server:
            columns["stand-in"] = column(server, home / "standin", arguments.runs, arguments.only)
        if url:
            columns["real server"] = column(Server(url.rstrip("/")), home / "real", arguments.runs, arguments.only)
        elif program:
            os.environ["OLLAMA_BIN"] = program
            with running(home / "real") as server:
                columns["real server"] = column(server, home / "real", arguments.runs, arguments.only)
    text = table(columns)
    print(text, end="")
    if arguments.write:
        fill(BEGIN, text, END)


if __name__ == "__main__":
    main()
