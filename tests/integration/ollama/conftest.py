# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules for models against an Ollama server: the stand-in, or the real program that ``OLLAMA_BIN`` names."""

from __future__ import annotations

import os
import pathlib
import sys
import typing as t

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "standins"))

from module_process import Module, Ollama
from ollama_client import Server
from registry import ModelRegistry
from shelf import Shelf


def pytest_report_header() -> str:
    return f"models: {os.environ.get('OLLAMA_BIN') or 'the stand-in'}"


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[ModelRegistry]:
    registry = ModelRegistry(("127.0.0.1", 0), tmp_path_factory.mktemp("registry"))
    with registry.running():
        yield registry


@pytest.fixture
def shelf(registry: ModelRegistry) -> t.Iterator[Shelf]:
    shelf = Shelf(registry)
    yield shelf
    registry.faults.clear()
    shelf.remove()


@pytest.fixture
def ollama(tmp_path: pathlib.Path) -> t.Iterator[Ollama]:
    """A server with an empty store."""
    ollama = Ollama(tmp_path)
    yield ollama
    ollama.stop()


@pytest.fixture
def server(ollama: Ollama) -> Server:
    return ollama.server


@pytest.fixture
def module(tmp_path: pathlib.Path) -> Module:
    return Module(tmp_path / "user")
