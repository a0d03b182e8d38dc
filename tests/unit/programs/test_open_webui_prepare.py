# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the program that prepares the data of Open WebUI sees that the server does something."""

from __future__ import annotations

import os
import runpy
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parents[3] / "roles/open_webui/files/prepare.py"


def test_a_journal_that_is_gone_when_it_is_looked_at_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    for second, name in enumerate(("server.log", "webui.db")):
        (tmp_path / name).write_text(name)
        os.utime(tmp_path / name, (second, second))
    # Listed, and not there.
    (tmp_path / "webui.db-journal").symlink_to("nowhere")
    assert runpy.run_path(str(PROGRAM))["stamps"]() == [0, 1_000_000_000]
