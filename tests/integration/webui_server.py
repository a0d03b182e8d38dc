# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The real Open WebUI from PyPI, in a virtual environment that is kept in ``.cache`` and named after its list."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
REQUIREMENTS = ROOT / "tests/testbed/open-webui/requirements.txt"
PYTHONS = ((3, 11), (3, 12))
ADMIN = {"email": "automation@localhost", "password": "integration admin password"}
START_TIMEOUT = 180


def installed() -> Path:
    """The directory of the programs of an environment with Open WebUI, made when it is missing or incomplete."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    directory = ROOT / ".cache" / f"open-webui-{digest[:12]}"
    complete = directory / "complete"
    directory.parent.mkdir(exist_ok=True)
    with open(f"{directory}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            subprocess.run([_python(), "-m", "venv", "--clear", directory], check=True)
            pip = [directory / "bin/pip", "install", "--quiet", "--no-deps", "--requirement", REQUIREMENTS]
            subprocess.run(pip, check=True)
            complete.touch()
    return directory / "bin"


def _python() -> str:
    if sys.version_info[:2] in PYTHONS:
        return sys.executable
    for version in PYTHONS:
        if path := shutil.which("python{}.{}".format(*version)):
            return path
    raise RuntimeError("Open WebUI needs Python 3.11 or 3.12, and neither is here.")


class Server:
    """A running Open WebUI with the administrator of ``ADMIN``.

    :arg data: the directory of its data and its log
    """

    def __init__(self, data: Path) -> None:
        self.data = data
        self.port = 0
        self.token = ""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address. It stays the same when the server is started again."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, **settings: str) -> None:
        """Start it, and wait until it is ready."""
        programs = installed()
        environment = {
            "DATA_DIR": str(self.data),
            "STATIC_DIR": str(self.data / "static"),
            "HOME": str(self.data),
            "PATH": os.environ["PATH"],
            "FROM_INIT_PY": "true",
            "PYTHONFAULTHANDLER": "1",
            "OFFLINE_MODE": "true",
            "WEBUI_SECRET_KEY": "integration tests: a key of more than 32 bytes",
            "WEBUI_ADMIN_EMAIL": ADMIN["email"],
            "WEBUI_ADMIN_PASSWORD": ADMIN["password"],
            "WEBUI_ADMIN_NAME": "Automation",
            "ENABLE_API_KEYS": "true",
            "ENABLE_OPENAI_API": "false",
            "OLLAMA_BASE_URL": "http://127.0.0.1:9",
            "RAG_EMBEDDING_ENGINE": "ollama",
            **settings,
        }
        # The server gets a socket that listens already: no port that is taken meanwhile, and no waiting in steps.
        with socket.create_server(("127.0.0.1", self.port)) as listener, open(self.data / "server.log", "ab") as log:
            self.port = listener.getsockname()[1]
            self._process = subprocess.Popen(
                [programs / "uvicorn", "open_webui.main:app", "--fd", str(listener.fileno())],
                pass_fds=[listener.fileno()],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.data,
            )
        try:
            assert self.call("GET", "/ready") == (200, {"status": True})
        except (OSError, AssertionError) as exc:
            # Makes it write to its log where it hangs.
            self._process.send_signal(signal.SIGABRT)
            self._process.wait()
            log_text = (self.data / "server.log").read_text(encoding="utf-8")
            raise RuntimeError(f"Open WebUI does not start:\n{log_text[-8000:]}") from exc

    def stop(self) -> None:
        """End it."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def restart(self, **settings: str) -> None:
        """End it and start it on the same data, with other settings if some are given."""
        self.stop()
        self.start(**settings)

    def requests(self) -> list[str]:
        """What it has answered so far, as ``POST /api/v1/auths/signin 200``."""
        log = (self.data / "server.log").read_text(encoding="utf-8")
        return [" ".join(found) for found in re.findall(r'"([A-Z]+ \S+) HTTP/1\.1" (\d+)', log)]

    def sign_in(self, email: str, password: str) -> tuple[int, t.Any]:
        """Status and answer of a sign-in."""
        return self.call("POST", "/api/v1/auths/signin", {"email": email, "password": password}, token="")

    def call(self, method: str, path: str, body: t.Any = None, token: str | None = None) -> tuple[int, t.Any]:
        """Status and decoded answer of a request, as the administrator unless another token is given."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_TIMEOUT)
        headers = {"Content-Type": "application/json"}
        if token is None:
            token = self.token
        if token:
            headers["Authorization"] = f"Bearer {token}"
        with contextlib.closing(connection):
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())


@contextlib.contextmanager
def running(data: Path) -> t.Iterator[Server]:
    """Start a server and end it.

    :arg data: an empty directory
    """
    (data / "static").mkdir()
    server = Server(data)
    try:
        server.start()
        server.token = server.sign_in(**ADMIN)[1]["token"]
        yield server
    finally:
        server.stop()
