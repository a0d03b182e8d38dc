# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the stand-in for Ollama has for itself. Everything else that it does is in tests/contract."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "standins"))

from ollama_process import running
from ollama_standin import runners
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


@pytest.mark.parametrize(
    ("devices", "share"), [(["nvidia0"], 1), (["nvidia10"], 1), (["nvidiactl", "nvidia-uvm"], 0), ([], 0)]
)
def test_a_model_lies_where_the_gpus_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, devices: list[str], share: int
) -> None:
    for name in devices:
        (tmp_path / name).touch()
    monkeypatch.setattr(runners, "GPUS", runners.GPUS.replace("/dev", str(tmp_path)))
    loaded = runners.Runners(300, 4096)
    manifest = SimpleNamespace(name=SimpleNamespace(short="tiny"), digest="0" * 64)
    loaded.load(
        SimpleNamespace(weights={"digest": "sha256:1", "size": 7}, header=None, manifest=manifest, details={}),
        None,
        None,
    )
    assert [model["size_vram"] for model in loaded.listed()] == [7 * share]
