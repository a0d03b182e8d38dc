# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``ollama_model`` in a process of its own, as Ansible starts it on a target, and a server that can be stopped."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import typing as t
from urllib.parse import urlsplit

import ollama_process
from ollama_client import Server, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[3]
MODULE = "ansible_collections.selfhosted.llm.plugins.modules.ollama_model"
LONGEST_RUN = 120

Result = dict[str, t.Any]


def environment() -> dict[str, str]:
    """What a user's shell has, without the settings of the one who runs the tests."""
    foreign = ("ANSIBLE_", "OLLAMA_", "SELFHOSTED_")
    kept = {key: value for key, value in os.environ.items() if not key.upper().startswith(foreign)}
    path = os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ["PATH"]])
    return {**kept, "PATH": path, "PYTHONPATH": str(ROOT / ".collections")}


class Run:
    """A module under way.

    :arg directory: where the module says how far it is, as it does for the collection's action plugin
    """

    def __init__(self, process: subprocess.Popen[str], directory: pathlib.Path) -> None:
        self.process = process
        self.directory = directory

    def result(self) -> Result:
        output, errors = self.process.communicate(timeout=LONGEST_RUN)
        assert output.strip(), errors
        return json.loads(output)

    def kill(self, number: int = signal.SIGKILL) -> None:
        self.process.send_signal(number)
        self.process.communicate(timeout=LONGEST_RUN)

    def wait_for(self, status: str, completed: int = 0) -> None:
        """Wait until the server has told the module that so many bytes have arrived."""

        def reached() -> bool:
            assert self.process.poll() is None, self.process.communicate()
            with contextlib.suppress(OSError):
                said = json.loads((self.directory / "progress").read_text())
                return said["status"].startswith(status) and said["completed"] == completed
            return False

        wait_until(reached, f"the module to see {status!r} with {completed} bytes")


class Module:
    """Runs ``ollama_model`` for one user: ``module(url=…, name=…)`` gives its result.

    :arg home: keeps the user's locks and records
    """

    def __init__(self, home: pathlib.Path) -> None:
        self.home = home
        self.runs = 0

    def start(self, check: bool = False, **options: t.Any) -> Run:
        self.runs += 1
        directory = self.home / f"run-{self.runs}"
        directory.mkdir(parents=True)
        (directory / "controller").touch()
        (directory / "arguments").write_text(
            json.dumps({"ANSIBLE_MODULE_ARGS": {**options, "_ansible_check_mode": check, "_ansible_diff": True}})
        )
        own = {"XDG_STATE_HOME": str(self.home / "state"), "SELFHOSTED_LLM_PROGRESS": str(directory)}
        process = subprocess.Popen(
            [sys.executable, "-m", MODULE, str(directory / "arguments")],
            env={**environment(), **own},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return Run(process, directory)

    def __call__(self, check: bool = False, **options: t.Any) -> Result:
        return self.start(check, **options).result()


class Ollama:
    """A server that a test may stop and start again at the same address.

    :arg home: holds its store and its log
    """

    def __init__(self, home: pathlib.Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home = home
        self._started = ollama_process.start(home)
        self.server = self._started.server

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def store(self) -> pathlib.Path:
        return self.server.stored()

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal and wait for the end."""
        self._started.process.send_signal(number)
        self._started.process.wait(LONGEST_RUN)

    def start(self) -> None:
        """Start it again."""
        variables = ollama_process.environment(self.home, urlsplit(self.url).netloc)
        with (self.home / "log").open("ab") as log:
            command = [*ollama_process.command(), "serve"]
            process = subprocess.Popen(command, env=variables, stdout=log, stderr=log)
        self._started = self._started._replace(process=process)
        wait_until(self._answers, "the server to answer again")

    def stop(self) -> None:
        ollama_process.stop(self._started)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            return self.server.call("GET", "/api/tags").status == 200
        return False


def part_files(server: Server, digest: str) -> list[pathlib.Path]:
    """Where a server writes down how far each part of a file came."""
    return list(server.stored("blobs").glob(f"{digest.replace(':', '-')}-partial-*"))


def bytes_kept(server: Server, digest: str) -> int:
    """Bytes of an unfinished file that the next pull need not fetch, as the server has written down."""
    texts = [path.read_text() for path in part_files(server, digest)]
    return sum(json.loads(text)["Completed"] for text in texts if text)


def digests_of(server: Server) -> dict[str, str]:
    """The digest of each model that a server lists."""
    return {name: item["digest"] for name, item in server.tags().items()}


def succeeded(result: Result) -> Result:
    assert not result.get("failed"), result["msg"]
    return result


def actions(result: Result) -> list[str]:
    return [row["action"] for row in result["models"]]


def warnings(result: Result) -> list[str]:
    """The texts of the warnings; newer versions of ansible-core wrap them."""
    return [warning if isinstance(warning, str) else warning["event"]["msg"] for warning in result.get("warnings", [])]
