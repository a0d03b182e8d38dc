# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that docs/api-clients.md shows, as it stands there, on the real server."""

from __future__ import annotations

import http.client
import json
import os
import re
import shlex
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml
from webui_server import ROOT, Server, running

PAGE = (ROOT / "docs" / "api-clients.md").read_text(encoding="utf-8")
ADDRESS = "https://chat.example.com"
MODEL = "smollm2:135m"
PUBLIC = [{"principal_type": "user", "principal_id": "*", "permission": "read"}]


def blocks(language: str) -> list[str]:
    """The examples of the page in a language."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return [text for name, text in found if name == language]


class Client:
    """A CI job with the account of the page."""

    def __init__(self, webui: Server, home: Path) -> None:
        self.webui = webui
        self.home = home

    @property
    def key(self) -> str:
        return (self.home / "keys" / "ci").read_text().strip()

    def environment(self) -> dict[str, str]:
        kept = {"PATH": os.environ["PATH"], "HOME": str(self.home), "no_proxy": "127.0.0.1"}
        return {**kept, "OPENAI_BASE_URL": f"{self.webui.url}/api", "OPENAI_API_KEY": self.key}

    def ask(self, method: str, path: str, body: t.Any = None, key: str | None = None) -> tuple[int, str, str]:
        """Status, content type and text of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.webui.port, timeout=60)
        headers = {"Content-Type": "application/json"}
        if key != "":
            headers["Authorization"] = f"Bearer {key or self.key}"
        connection.request(method, path, json.dumps(body) if body else None, headers)
        response = connection.getresponse()
        return response.status, response.headers.get_content_type(), response.read().decode()


@pytest.fixture(scope="module")
def webui(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Server]:
    """A server of these tests, which would meet the account of others on a shared one."""
    with running(tmp_path_factory.mktemp("webui-api-clients")) as server:
        yield server


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def client(playbook: t.Any, webui: Server, backends: t.Any, home: Path) -> Client:
    """The account, made by what the page says, of a server with a model for everybody."""
    if (home / "keys").exists():
        return Client(webui, home)
    inventory = yaml.safe_load(blocks("yaml")[0])
    command = shlex.split(blocks("")[0].replace("\\\n", ""))
    variables: dict[str, t.Any] = {}
    for option, value in zip(command, command[1:]):
        if option == "-e":
            name, _equals, text = value.partition("=")
            variables.update(json.loads(value) if value.startswith("{") else {name: text})
    variables["service_account_file"] = variables["service_account_file"].replace("~", str(home))
    ollama = {"connections": [backends.small], "exclusive": "all", "verify": False}
    tasks = [
        {"selfhosted.llm.openwebui_connection": ollama},
        {"selfhosted.llm.openwebui_config": {"settings": {"auth.enable_api_keys": inventory["open_webui_api_keys"]}}},
        {"selfhosted.llm.openwebui_group": {"groups": inventory["open_webui_groups"]}},
        {
            "include_role": {"name": "selfhosted.llm.open_webui", "tasks_from": "service_account_key"},
            "vars": {**inventory, **variables},
        },
    ]
    connection = {"url": webui.url, "token": webui.token}
    defaults = {"group/selfhosted.llm.openwebui": connection}
    output = playbook([{"block": tasks, "module_defaults": defaults}])
    assert output.status == 0, output.text
    body = {"id": MODEL, "name": MODEL, "access_grants": PUBLIC}
    assert webui.call("POST", "/api/v1/models/model/access/update", body)[0] == 200
    assert MODEL in [model["id"] for model in webui.call("GET", "/api/models?refresh=true")[1]["data"]]
    return Client(webui, home)


def test_curl(client: Client) -> None:
    script = "\n".join(["set -e", *(f"{block}\necho ---" for block in blocks("sh"))])
    assert script.count(ADDRESS) == 1 and script.count("~/keys/ci") == 1
    script = script.replace(ADDRESS, client.webui.url)
    finished = subprocess.run(
        ["bash", "-c", script], env=client.environment(), text=True, capture_output=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    parts = finished.stdout.split("---\n")
    _exports, _function, models, answer, stream, refusal, rest = parts
    assert [model["id"] for model in json.loads(models)["data"]] == [MODEL]
    assert MODEL in json.loads(answer)["choices"][0]["message"]["content"]
    pieces = [line.removeprefix("data: ") for line in stream.splitlines() if line]
    assert pieces.pop() == "[DONE]"
    contents = [choice["delta"].get("content") or "" for piece in pieces for choice in json.loads(piece)["choices"]]
    assert MODEL in "".join(contents) and len(contents) > 1
    assert refusal == '{"detail":"Model not found"}curl ended with 22\n'
    assert "The requested URL returned error: 400" in finished.stderr
    assert rest == ""


def test_the_key_is_in_no_list_of_processes(client: Client, tmp_path: Path) -> None:
    """A curl that shows its arguments stands in front of the real one."""
    shown = tmp_path / "curl"
    shown.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    shown.chmod(0o755)
    environment = {**client.environment(), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    script = f"{blocks('sh')[1]}\n{blocks('sh')[2]}"
    output = subprocess.run(["bash", "-c", script], env=environment, text=True, capture_output=True, check=True).stdout
    assert f"{client.webui.url}/api/models" in output
    assert client.key not in output


def test_python(client: Client) -> None:
    (script,) = blocks("python")
    finished = subprocess.run(
        [sys.executable, "-c", script], env=client.environment(), text=True, capture_output=True, check=False
    )
    models, answer, stream = finished.stdout.splitlines()
    assert models == f"models: {MODEL}"
    for prefix, line in (("answer: ", answer), ("stream: ", stream)):
        assert line.startswith(prefix) and MODEL in line
    assert (finished.returncode, finished.stderr) == (1, '400: {"detail":"Model not found"}\n')


def test_every_refusal_of_the_table(client: Client) -> None:
    webui = client.webui
    row = next(user for user in webui.call("GET", "/api/v1/users/all")[1]["users"] if user["email"] == "ci@localhost")
    found = []

    def note(path: str = "/api/models", method: str = "GET", body: t.Any = None, key: str | None = None) -> None:
        found.append(client.ask(method, path, body, key))

    def configure(**settings: t.Any) -> None:
        names = {name.replace("__", "."): value for name, value in settings.items()}
        assert webui.call("POST", "/api/v1/configs/import", {"config": names})[0] == 200

    def give(role: str) -> None:
        assert webui.call("POST", f"/api/v1/users/{row['id']}/update", {"role": role})[0] == 200

    note(key="")
    note(key=f"{client.key}x")
    give("pending")
    note()
    give("user")
    configure(auth__enable_api_keys=False)
    note()
    configure(auth__enable_api_keys=True, auth__api_key__endpoint_restrictions=True)
    note()
    configure(auth__api_key__endpoint_restrictions=False)
    note("/api/chat/completions", "POST", {"model": "tinyllama:latest", "messages": []})
    note("/models")
    rows = re.findall(r"^\| (\d+) \| (.*?) \|", PAGE, re.MULTILINE)
    assert [int(status) for status, _words in rows] == [status for status, _media, _text in found]
    for (_status, words), (_answer, media, text) in zip(rows, found):
        if words.startswith("`"):
            assert json.loads(text)["detail"].startswith(words.strip("`"))
        else:
            assert media == "text/html"
    assert client.ask("GET", "/api/models")[0] == 200
