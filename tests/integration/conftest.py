# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real Open WebUI, two Ollama servers behind it, and plays of the collection's modules."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import typing as t
from pathlib import Path

import pytest
from webui_server import ADMIN, ROOT, Server, running

sys.path.insert(0, str(ROOT / "tests/standins"))

from ollama_standin.server import OllamaServer
from registry import ModelRegistry
from tiny_models import DEFAULT_MODELS, write_model

Tasks = list[dict[str, t.Any]]


class Backends(t.NamedTuple):
    """URLs of Ollama servers: two with models, and one where nothing listens."""

    small: str
    large: str
    dead: str


@pytest.fixture(scope="session")
def webui(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Server]:
    """A server where ordinary users see only the models that were opened to them."""
    with running(tmp_path_factory.mktemp("webui")) as server:
        yield server


@pytest.fixture(scope="session")
def backends(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Backends]:
    """``small`` has an embedding model, smaller than all others, and smollm2; ``large`` has smollm2 and tinyllama."""
    root = tmp_path_factory.mktemp("registry")
    for model in DEFAULT_MODELS:
        write_model(root, model)
    servers = [ModelRegistry(("127.0.0.1", 0), root)]
    servers += [OllamaServer(("127.0.0.1", 0), tmp_path_factory.mktemp("models"), "0.32.15") for _backend in range(2)]
    for server in servers:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    ports = [server.server_address[1] for server in servers]
    for name, holders in {"all-minilm:latest": [1], "smollm2:135m": [1, 2], "tinyllama:latest": [2]}.items():
        for holder in holders:
            _pull(ports[holder], f"127.0.0.1:{ports[0]}/library/{name}", name)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        dead = listener.getsockname()[1]
    yield Backends(*(f"http://127.0.0.1:{port}" for port in (*ports[1:], dead)))
    for server in servers:
        server.shutdown()
        server.server_close()


def _pull(port: int, source: str, name: str) -> None:
    steps = [
        ("POST", "/api/pull", {"model": source, "insecure": True, "stream": False}),
        ("POST", "/api/copy", {"source": source, "destination": name}),
        ("DELETE", "/api/delete", {"model": source}),
    ]
    for method, path, body in steps:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request(method, path, json.dumps(body))
        response = connection.getresponse()
        assert response.status == 200, response.read()
        connection.close()


# Runs what ssh would have run on the other host. The connection plugin in front of it is the real one.
SSH = f"""#!{sys.executable}
import subprocess, sys
sys.exit(subprocess.call(["/bin/sh", "-c", sys.argv[-1]]))
"""


class Output(t.NamedTuple):
    """What ``ansible-playbook`` printed, and its exit status."""

    status: int
    text: str


@pytest.fixture
def playbook(tmp_path: Path) -> t.Callable[..., Output]:
    """Runs tasks on localhost by a real ``ansible-playbook``: ``playbook(tasks, *arguments, **variables)``."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "OPENWEBUI_"))}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**kept, "PATH": path, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "false"}

    def run(tasks: Tasks, *arguments: str, **settings: str) -> Output:
        file = tmp_path / "play.yml"
        variables = {"ansible_python_interpreter": sys.executable}
        play = {"hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": tasks}
        file.write_text(json.dumps([play]), encoding="utf-8")
        command = ["ansible-playbook", "--inventory", "localhost,", "--connection", "local", *arguments, str(file)]
        finished = subprocess.run(
            command, cwd=ROOT, env={**environment, **settings}, text=True, capture_output=True, check=False
        )
        return Output(finished.returncode, finished.stdout + finished.stderr)

    return run


@pytest.fixture
def over_ssh(tmp_path: Path) -> dict[str, str]:
    """Settings for ``playbook`` with ``--connection ssh``, for which no other host is needed."""
    program = tmp_path / "ssh"
    program.write_text(SSH)
    program.chmod(0o755)
    return {"ANSIBLE_SSH_EXECUTABLE": str(program)}


@pytest.fixture
def play(playbook: t.Callable[..., Output]) -> t.Callable[..., list[dict[str, t.Any]]]:
    """Runs tasks and gives the result of each. A task may fail without ending the play."""

    def run(tasks: Tasks, *arguments: str) -> list[dict[str, t.Any]]:
        tasks = [{"ignore_errors": True, **task} for task in tasks]
        output = playbook(tasks, "--diff", *arguments, ANSIBLE_STDOUT_CALLBACK="ansible.posix.json")
        assert output.status == 0, output.text
        document = json.JSONDecoder().raw_decode(output.text[output.text.index("{\n") :])[0]
        return [task["hosts"]["localhost"] for task in document["plays"][0]["tasks"]]

    return run


@pytest.fixture
def four_times(play: t.Callable[..., t.Any], webui: Server) -> t.Callable[..., dict[str, t.Any]]:
    """Check mode, the run, check mode, the run: the first pair agrees and changes, the second does not.

    Gives the result of the first run. ``four_times(module, options)``
    """

    def run(module: str, options: dict[str, t.Any]) -> dict[str, t.Any]:
        task = {f"selfhosted.llm.{module}": {"url": webui.url, "token": webui.token, **options}}
        results = play([{**task, "check_mode": check} for check in (True, False, True, False)])
        assert not any(result.get("failed") for result in results), results
        assert [result["changed"] for result in results] == [True, True, False, False], results
        assert results[0]["diff"] == results[1]["diff"]
        return results[1]

    return run


@pytest.fixture
def failures(play: t.Callable[..., t.Any]) -> t.Callable[..., list[str]]:
    """The messages of a module that fails with each of some options: ``failures(module, options, ...)``."""

    def run(module: str, *options: dict[str, t.Any]) -> list[str]:
        results = play([{f"selfhosted.llm.{module}": each} for each in options])
        assert all(result.get("failed") for result in results), results
        return [result["msg"] for result in results]

    return run


@pytest.fixture
def admin(webui: Server) -> dict[str, str]:
    """The connection options of the modules, with address and password."""
    return {"url": webui.url, "admin_email": ADMIN["email"], "admin_password": ADMIN["password"]}
