# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the stand-in for Ollama has for itself. Everything else that it does is in tests/contract."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "standins"))

from ollama_process import running
from registry import ModelRegistry
from shelf import Shelf


@pytest.fixture(autouse=True)
def the_standin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OLLAMA_BIN", raising=False)


def test_it_says_what_it_is(tmp_path: Path) -> None:
    with running(tmp_path) as server, ModelRegistry(("127.0.0.1", 0), tmp_path / "registry").running() as registry:
        name = Shelf(registry).add()
        assert server.pull(name).lines[-1] == {"status": "success"}
        body = {"model": name, "messages": [{"role": "user", "content": "Who are you?"}], "stream": False}
        reply = server.call("POST", "/api/chat", body).json()["message"]["content"]
    assert reply == f'This is the stand-in for Ollama, which runs no model. "{name}" was asked: Who are you?'


@pytest.mark.parametrize(("variables", "version"), [({}, "0.32.15"), ({"OLLAMA_STANDIN_VERSION": "0.33.1"}, "0.33.1")])
def test_its_version_comes_from_the_environment(tmp_path: Path, variables: dict[str, str], version: str) -> None:
    with running(tmp_path, **variables) as server:
        assert server.call("GET", "/api/version").json() == {"version": version}
