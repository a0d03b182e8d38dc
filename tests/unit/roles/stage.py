# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs tasks and playbooks of the collection on this machine, with an engine whose containers are a file."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
# name -> {"image": ..., "running": ...}. A container of a version 9.9.9 ends at once. What is changed is in the log.
ENGINE = """#!{python}
import json, pathlib, sys
here = pathlib.Path(__file__).parent
containers = json.loads((here / "containers.json").read_text())
words = [word for word in sys.argv[1:] if word not in ("container", "--force", "--time")]
if words[:2] == ["inspect", "--format"]:
    mounts = [{{"Destination": "/root/.ollama", "Name": "ollama", "Source": str(here)}}]
    for name in [name for name in words[3:] if name in containers]:
        facts = {{"name": "/" + name, "mounts": mounts, "devices": None, "role": "ollama", "gpus": None}}
        print(json.dumps({{**facts, **containers[name]}} if "name" in words[2] else containers[name]["running"]))
    sys.exit(words[3] not in containers)
name = words[1] if words[0] == "rename" else words[-1]
if name not in containers:
    sys.exit("No such container: " + name)
one = containers[name]
if words[0] == "inspect":
    works = one["running"] and not one["image"].endswith("9.9.9")
    state = {{"Running": works, "Status": "running" if works else "exited", "ExitCode": 7}}
    print(json.dumps([{{"State": state, "RestartCount": 0}}]))
    sys.exit()
if words[0] == "logs":
    print("The log of " + one["image"])
    sys.exit()
if words[0] in ("start", "stop"):
    one["running"] = words[0] == "start"
elif words[0] == "rm":
    del containers[name]
else:
    containers[words[2]] = containers.pop(name)
(here / "containers.json").write_text(json.dumps(containers))
with (here / "log").open("a") as log:
    print(words[0], name, file=log)
"""
# The modules of community.docker with the same containers. There is no version 8.8.8.
MODULE = """#!/usr/bin/python
# WANT_JSON
import json, pathlib, sys
here = pathlib.Path({engine!r})
arguments = json.load(open(sys.argv[1]))
if {name!r} == "docker_image_pull" and arguments["name"].endswith("8.8.8"):
    print(json.dumps({{"failed": True, "msg": "There is no image " + arguments["name"]}}))
    sys.exit(1)
if {name!r} == "docker_container" and not arguments.get("detach", True):
    if arguments["image"].endswith("9.9.9"):
        print(json.dumps({{"failed": True, "msg": "This migration cannot be done", "container": {{"a": "lot"}}}}))
        sys.exit(1)
elif {name!r} == "docker_container":
    containers = json.loads((here / "containers.json").read_text())
    wanted = {{"image": arguments["image"], "running": True}}
    if containers.get(arguments["name"]) != wanted:
        containers[arguments["name"]] = wanted
        (here / "containers.json").write_text(json.dumps(containers))
        with (here / "log").open("a") as log:
            print("run", arguments["name"], arguments["image"].rpartition(":")[2], file=log)
print(json.dumps({{"changed": False}}))
"""
DOCKER = ("docker_container", "docker_image_pull", "docker_network", "docker_volume", "docker_volume_info")


class Answering(http.server.BaseHTTPRequestHandler):
    """A service that is ready and has nothing."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"status": true, "models": []}')

    def log_message(self, *_words: t.Any) -> None:
        pass


@contextlib.contextmanager
def answering() -> t.Iterator[int]:
    """The port of such a service."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


class Played(t.NamedTuple):
    """How a run ended, and what it printed."""

    status: int
    output: str

    @property
    def failures(self) -> list[str]:
        """What people read of each task that failed, also of one that was rescued."""
        return [" ".join(part.partition("\nTASK [")[0].split()) for part in self.output.split("\nfatal: ")[1:]]


class Stage:
    """:arg root: an empty directory"""

    def __init__(self, root: Path) -> None:
        self.root, self.engine = root, root / "engine"
        self.engine.mkdir()
        program = self.engine / "docker"
        program.write_text(ENGINE.format(python=sys.executable))
        program.chmod(0o755)
        collections = root / "ansible_collections"
        self.collection = collections / "selfhosted/llm"
        modules = collections / "community/docker/plugins/modules"
        for folder in (self.collection / "roles", modules):
            folder.mkdir(parents=True)
        for name in DOCKER:
            (modules / f"{name}.py").write_text(MODULE.format(engine=str(self.engine), name=name))
        shutil.copytree(ROOT / "meta", self.collection / "meta")
        (self.collection / "plugins").symlink_to(ROOT / "plugins")
        for role in sorted((ROOT / "roles").iterdir()):
            (self.collection / "roles" / role.name).symlink_to(role)
        self.have()

    def have(self, **containers: dict[str, t.Any]) -> None:
        (self.engine / "containers.json").write_text(json.dumps(containers))

    @property
    def containers(self) -> dict[str, dict[str, t.Any]]:
        return dict(json.loads((self.engine / "containers.json").read_text()))

    @property
    def log(self) -> list[str]:
        path = self.engine / "log"
        return path.read_text().splitlines() if path.exists() else []

    def role(self, name: str, **tasks: str) -> None:
        """Another role in the place of one of the collection, with these files of tasks."""
        path = self.collection / "roles" / name
        path.unlink()
        (path / "tasks").mkdir(parents=True)
        for file, text in tasks.items():
            (path / "tasks" / f"{file}.yml").write_text(text)

    def play(self, plays: str, inventory: dict[str, t.Any], *arguments: str) -> Played:
        playbook, hosts = self.root / "play.yml", self.root / "hosts.json"
        playbook.write_text(plays)
        local = {
            "ansible_connection": "local",
            "ansible_become": False,
            "ansible_python_interpreter": sys.executable,
            "ansible_facts": {"python": {"executable": sys.executable}, "os_family": "Debian"},
        }
        hosts.write_text(json.dumps({"all": {"vars": local, "children": inventory}}))
        environment = {
            **os.environ,
            "PATH": f"{self.engine}{os.pathsep}{os.environ['PATH']}",
            "ANSIBLE_COLLECTIONS_PATH": str(self.root),
            "ANSIBLE_CONFIG": str(self.root / "ansible.cfg"),
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
            "ANSIBLE_LOCALHOST_WARNING": "false",
        }
        (self.root / "ansible.cfg").touch()
        command = [sys.executable, "-m", "ansible", "playbook", "-i", str(hosts), str(playbook), *arguments]
        done = subprocess.run(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            cwd=self.root,
        )
        return Played(done.returncode, done.stdout)
