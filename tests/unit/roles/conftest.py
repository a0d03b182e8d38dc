# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Ansible makes of a role's variables, worked out in this process, because each start of Ansible takes seconds."""

from __future__ import annotations

import functools
import json
import sys
import typing as t
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar, trust_as_template

# The services that are backed up there.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "programs"))

ROLES = Path(__file__).resolve().parents[3] / "roles"
LOADER = DataLoader()
# Without it Ansible does not know its own lookups by their full names.
init_plugin_loader()


@functools.cache
def own(role: str) -> dict[str, t.Any]:
    """The defaults and the variables of a role."""
    files = [ROLES / role / "defaults/main.yml", *sorted((ROLES / role / "vars").rglob("*.yml"))]
    variables: dict[str, t.Any] = {}
    for path in files:
        variables |= LOADER.load_from_file(str(path), trusted_as_template=True)
    return variables


@pytest.fixture(scope="session")
def evaluate() -> t.Callable[..., t.Any]:
    """The value of an expression in a role, on a host with these variables."""

    def evaluate(role: str, expression: str, variables: dict[str, t.Any]) -> t.Any:
        run = {"inventory_hostname": "localhost", "ansible_check_mode": False}
        templar = Templar(LOADER, variables={**run, **own(role), **variables})
        # By way of JSON, because the templates in a list or a dictionary are worked out when they are read.
        return json.loads(templar.template(trust_as_template(f"{{{{ ({expression}) | to_json }}}}")))

    return evaluate
