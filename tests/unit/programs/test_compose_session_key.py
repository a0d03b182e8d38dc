# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the session key of a compose installation can be."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "roles/compose/files/session_key.py"
FILE = "/app/backend/.webui_secret_key"
# What the container has, and the key that its server uses.
PLACES = {
    "environment": ({"/proc/1/environ": "PATH=/bin\0WEBUI_SECRET_KEY=given = once\0"}, "given = once"),
    "old name": ({"/proc/1/environ": "WEBUI_SECRET_KEY=\0WEBUI_JWT_SECRET_KEY=older\0"}, "older"),
    "file": ({"/proc/1/environ": "WEBUI_SECRET_KEY=\0", FILE: "uN7V+w==\n"}, "uN7V+w=="),
    "file elsewhere": ({"/proc/1/environ": "WEBUI_SECRET_KEY_FILE=/run/key\0", "/run/key": "hidden"}, "hidden"),
}


def run(monkeypatch: pytest.MonkeyPatch, files: dict[str, str], directory: Path) -> None:
    spec = importlib.util.spec_from_file_location("session_key", SCRIPT)
    assert spec and spec.loader
    session_key = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(session_key)
    monkeypatch.setattr(session_key, "read", lambda _container, path: files.get(path, ""))
    monkeypatch.setattr(sys, "argv", ["session_key.py", "open-webui", str(directory)])
    session_key.main()


@pytest.mark.parametrize("place", PLACES)
def test_the_key_is_kept_once(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files, key = PLACES[place]
    run(monkeypatch, files, tmp_path)
    kept = tmp_path / "session_key"
    assert kept.read_text() == key
    assert kept.stat().st_mode & 0o777 == 0o600
    assert capsys.readouterr().out == "kept\n"
    run(monkeypatch, files, tmp_path)
    assert capsys.readouterr().out == ""


def test_another_key_takes_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "session_key").write_text("of a container that is gone")
    run(monkeypatch, PLACES["environment"][0], tmp_path)
    assert (tmp_path / "session_key").read_text() == "given = once"


def test_without_a_key_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match="neither in the container's environment nor in its file"):
        run(monkeypatch, {}, tmp_path)
    assert list(tmp_path.iterdir()) == []
