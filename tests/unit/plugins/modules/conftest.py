# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of one module share."""

from __future__ import annotations

import pytest
from ollama_script import Ollama
from openwebui_people import People


@pytest.fixture
def ollama(server, run_module, monkeypatch, tmp_path):
    """The script of a server. Nothing beyond this machine answers, and what is remembered lies in a new directory."""
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Ollama(server, run_module)


@pytest.fixture
def people(server, run_module, recording):
    """The script of an Open WebUI server with accounts."""
    return People(server, run_module, recording("openwebui"))
