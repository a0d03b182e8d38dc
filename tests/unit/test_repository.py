# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules of this repository that no other tool checks."""

from __future__ import annotations

import ast
import typing as t
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PRODUCTION = [
    path
    for folder in ("playbooks", "plugins", "roles")
    for path in sorted(ROOT.joinpath(folder).rglob("*"))
    if path.is_file() and path.suffix != ".pyc"
]
PLUGINS = [path for path in PRODUCTION if path.is_relative_to(ROOT / "plugins")]
MODULES = [path for path in PLUGINS if path.parent.name == "modules"]
PLAYBOOKS = sorted(ROOT.glob("playbooks/*.yml"))
ROLES = sorted(path for path in ROOT.glob("roles/*") if path.is_dir())
ROLES_WITH_DEFAULTS = [path for path in ROLES if (path / "defaults" / "main.yml").exists()]


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def load(path: Path) -> t.Any:
    return yaml.safe_load(path.read_text())


def lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def code_lines(path: Path) -> int:
    """Without the documentation of a plugin, which grows with its options."""
    documentation = 0
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            documentation += node.value.value.count("\n")
    return lines(path) - documentation


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_there_is_something_to_look_at() -> None:
    assert MODULES
    assert PLAYBOOKS
    assert ROLES_WITH_DEFAULTS


@pytest.mark.parametrize("role", ROLES_WITH_DEFAULTS, ids=relative)
def test_argument_specs_and_defaults_agree(role: Path) -> None:
    entry_points = load(role / "meta" / "argument_specs.yml")["argument_specs"].values()
    options = {name: option for entry in entry_points for name, option in entry.get("options", {}).items()}
    documented = {name: option["default"] for name, option in options.items() if "default" in option}
    assert documented == load(role / "defaults" / "main.yml")


@pytest.mark.parametrize("role", ROLES, ids=relative)
def test_tasks_are_short(role: Path) -> None:
    too_long = {relative(path): lines(path) for path in role.glob("tasks/*.yml") if lines(path) > 60}
    assert too_long == {}


def test_plugins_are_short() -> None:
    sizes = {relative(path): code_lines(path) if path.suffix == ".py" else lines(path) for path in PLUGINS}
    assert {path: size for path, size in sizes.items() if size > 320} == {}


@pytest.mark.parametrize("module", MODULES, ids=relative)
def test_main_is_glue(module: Path) -> None:
    functions = [node for node in ast.parse(module.read_text()).body if isinstance(node, ast.FunctionDef)]
    (main,) = (function for function in functions if function.name == "main")
    assert main.end_lineno is not None
    assert main.end_lineno - main.lineno < 25


def test_one_file_sends_requests() -> None:
    transports = {"ansible.module_utils.urls", "http.client", "requests", "urllib.request"}
    python = [path for path in PLUGINS if path.suffix == ".py"]
    assert [relative(path) for path in python if imports(path) & transports] == ["plugins/module_utils/_http.py"]


def test_production_does_not_know_the_tests() -> None:
    words = ("molecule", "standin", "stand-in", "testbed")
    assert [relative(path) for path in PRODUCTION if any(word in path.read_text().lower() for word in words)] == []


@pytest.mark.parametrize(
    "names",
    [
        [path.name for path in ROLES],
        [path.stem for path in MODULES],
        [f"selfhosted.llm.{path.stem}" for path in PLAYBOOKS],
    ],
    ids=["roles", "modules", "playbooks"],
)
def test_the_readme_has_a_row_for_each(names: list[str]) -> None:
    rows = {line.split("`")[1] for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("| `")}
    assert set(names) - rows == set()


def test_a_checkout_needs_what_the_artifact_needs() -> None:
    required = {entry["name"]: entry["version"] for entry in load(ROOT / "requirements.yml")["collections"]}
    assert required == load(ROOT / "galaxy.yml")["dependencies"]
