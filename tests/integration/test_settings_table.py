# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of settings against the real program: a new setting, default or variable of another version fails here."""

from __future__ import annotations

import json
import subprocess
import typing as t

import pytest
from webui_server import Server, installed

from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.settings import SETTINGS, VERSION, digest
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.settings_values import fits, types_of

PRESENT = {name: setting for name, setting in SETTINGS.items() if "optional" not in setting.marks}
# Prints what the program would seed its database with.
SEED = """
import json
from fastapi.encoders import jsonable_encoder
from open_webui.config import DEFAULT_CONFIG
print("SEED" + json.dumps(jsonable_encoder(DEFAULT_CONFIG)))
"""
# Some variables of lists want JSON, and the others separate by commas or semicolons whatever stands there.
LIST = json.dumps([{"id": "a", "type": "info", "title": "", "content": "", "dismissible": True, "timestamp": 1}])
# Other values than the defaults, as an environment would give them.
TEXTS = {"integer": "77", "number": "0.77", "list": LIST, "dictionary": '{"0": false}', "string": "77"}


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory) -> t.Callable[..., dict[str, t.Any]]:
    """The settings of a server that starts for the first time in an environment."""
    data = tmp_path_factory.mktemp("seed")
    (data / "static").mkdir()

    def run(**environment: str) -> dict[str, t.Any]:
        fixed = {
            "DATA_DIR": str(data),
            "STATIC_DIR": str(data / "static"),
            "HOME": str(data),
            "FROM_INIT_PY": "true",
            "OFFLINE_MODE": "true",
            "WEBUI_SECRET_KEY": "integration tests: a key of more than 32 bytes",
        }
        finished = subprocess.run(
            [installed() / "python", "-c", SEED],
            env={**environment, **fixed},
            cwd=data,
            text=True,
            capture_output=True,
            check=False,
        )
        assert finished.returncode == 0, finished.stderr[-4000:]
        return json.loads(finished.stdout.split("SEED", 1)[1])

    return run


@pytest.fixture(scope="module")
def fresh(seed: t.Callable[..., dict[str, t.Any]]) -> dict[str, t.Any]:
    """Where the environment says nothing."""
    return seed()


def test_version(webui: Server) -> None:
    assert webui.call("GET", "/api/version", token="")[1]["version"] == VERSION


def test_names_of_a_running_server(webui: Server) -> None:
    exported = webui.call("GET", "/api/v1/configs/export")[1]
    assert {*exported} - {*SETTINGS} == set(), "settings that the table lacks"
    assert {*PRESENT} - {*exported} == set(), "settings that this version does not have any more"


def test_defaults(fresh: dict[str, t.Any]) -> None:
    assert {*fresh} == {*PRESENT}
    other = {name: value for name, value in fresh.items() if not PRESENT[name].is_default(value)}
    assert other == {}
    # A digest stands only for what is long.
    assert [
        name for name, value in fresh.items() if digest(value) == PRESENT[name].default and len(str(value)) < 90
    ] == []


def test_types(fresh: dict[str, t.Any]) -> None:
    assert [name for name, value in fresh.items() if value is not None and not fits(value, types_of(name, None))] == []


def test_variables(seed: t.Any, fresh: dict[str, t.Any]) -> None:
    """Each variable changes its setting. Those of older versions count where the current one is not set."""
    environments = [{"USER_PERMISSIONS_CHAT_DELETE": "false"}, {}]
    for setting in PRESENT.values():
        for place, variable in enumerate(setting.variables):
            kind = setting.types[0]
            text = TEXTS[kind] if kind != "boolean" else str(not setting.default).lower()
            environments[place > 0][variable] = text
    seeds = [seed(**variables) for variables in environments]
    deaf = [
        f"{variable} of {name}"
        for name, setting in PRESENT.items()
        for place, variable in enumerate(setting.variables)
        if seeds[place > 0][name] == fresh[name]
    ]
    assert deaf == []
