# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``ansible-galaxy collection build`` makes is complete, and works without the checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOKS = sorted(path.stem for path in ROOT.glob("playbooks/*.yml"))
MODULES = sorted(path.stem for path in ROOT.glob("plugins/modules/*.py"))
ROLES = sorted(path.parent.name for path in ROOT.glob("roles/*/tasks"))
SHIPPED = {
    *(
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "FILES.json",
        "LICENSE",
        "LICENSES",
        "MANIFEST.json",
        "README.md",
        "REUSE.toml",
    ),
    *("changelogs", "docs", "inventory", "meta", "playbooks", "plugins", "requirements.yml", "roles"),
}
NEEDED = {"meta", "playbooks", "plugins", "roles"}


class Controller:
    """A place without checkout and configuration, where the artifact is installed."""

    def __init__(self, home: Path, *, other_collections: bool) -> None:
        self.home = home
        self.collection = home / "collections" / "ansible_collections" / "selfhosted" / "llm"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "MOLECULE_"))}
        self.environment = {
            **kept,
            "HOME": str(home),
            "ANSIBLE_COLLECTIONS_PATH": str(home / "collections"),
            "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": str(other_collections),
            "ANSIBLE_NOCOLOR": "1",
        }

    def run(self, command: str, *arguments: str | Path) -> str:
        program = Path(sys.executable).with_name(command)
        done = subprocess.run(
            [program, *arguments], cwd=self.home, env=self.environment, check=False, text=True, capture_output=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    controller = Controller(tmp_path_factory.mktemp("build"), other_collections=False)
    controller.run("ansible-galaxy", "collection", "build", "--output-path", controller.home, ROOT)
    (built,) = controller.home.glob("*.tar.gz")
    return built


@pytest.fixture(scope="session")
def alone(artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Controller:
    """Installed with --no-deps where no other collection is in sight."""
    controller = Controller(tmp_path_factory.mktemp("alone"), other_collections=False)
    controller.run("ansible-galaxy", "collection", "install", "--no-deps", artifact)
    return controller


@pytest.fixture(scope="session")
def beside(artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Controller:
    """Installed with its dependencies, which the ``ansible`` package satisfies."""
    controller = Controller(tmp_path_factory.mktemp("beside"), other_collections=True)
    controller.run("ansible-galaxy", "collection", "install", artifact)
    return controller


def test_the_artifact_holds_what_users_need_and_nothing_else(artifact: Path) -> None:
    with tarfile.open(artifact) as content:
        assert {name.split("/")[0] for name in content.getnames()} == SHIPPED


def test_alone_it_documents_its_modules(alone: Controller) -> None:
    documented = json.loads(alone.run("ansible-doc", "--json", *(f"selfhosted.llm.{name}" for name in MODULES)))
    assert sorted(documented) == [f"selfhosted.llm.{name}" for name in MODULES]


def test_it_documents_its_roles(beside: Controller) -> None:
    documented = json.loads(beside.run("ansible-doc", "--type", "role", "--list", "--json", "selfhosted.llm"))
    assert sorted(documented) == [f"selfhosted.llm.{name}" for name in ROLES]


@pytest.mark.parametrize("name", PLAYBOOKS)
@pytest.mark.parametrize("inventory", ["example", "localhost"])
def test_its_playbooks_and_inventories_are_found(beside: Controller, name: str, inventory: str) -> None:
    path = beside.collection / "inventory" / f"{inventory}.yml"
    beside.run("ansible-playbook", "-i", path, f"selfhosted.llm.{name}", "--syntax-check")


def test_the_directories_that_ansible_knows_suffice(beside: Controller, tmp_path: Path) -> None:
    # What a distribution may leave out must not be needed. Roles and modules are only looked up when tasks are listed.
    inventory = shutil.copy(beside.collection / "inventory" / "example.yml", tmp_path)
    bare = Controller(tmp_path, other_collections=True)
    for name in NEEDED:
        shutil.copytree(beside.collection / name, bare.collection / name)
    tasks = bare.run("ansible-playbook", "-i", inventory, "selfhosted.llm.site", "--list-tasks")
    for role in ("ollama", "open_webui"):
        assert f"selfhosted.llm.{role} : " in tasks
