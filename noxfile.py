# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every check and test is a session here; .ci/sessions.py runs the sets of them that the Makefile names."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import antsibull_nox
import nox

REPORTS = Path(".cache/reports").absolute()
KINDS = ["unit", "contract", "integration", "system"]
SCENARIOS = sorted(path.parent.name for path in Path("molecule").glob("*/molecule.yml"))
# ansible-core and the Python of its controller.
CORES = {"2.19": "3.11", "2.20": "3.12", "2.21": "3.12", "2.22": "3.13"}

# The tools are those beside this nox. A shim of pyenv fails unless its version is chosen, so the matrix and
# ansible-test get the real interpreters.
PATH = [str(Path(sys.prefix, "bin"))]
if shutil.which("pyenv"):
    pyenv = subprocess.run(["pyenv", "root"], check=True, capture_output=True, text=True).stdout.strip()
    PATH += sorted(str(path) for path in Path(pyenv).glob("versions/3.*/bin"))
os.environ["PATH"] = os.pathsep.join([*PATH, os.environ["PATH"]])

antsibull_nox.load_antsibull_nox_toml()


def junit(session: nox.Session) -> str:
    """Where .ci/sessions.py finds the figures of the session."""
    return f"--junit-xml={REPORTS}/{session.name}.xml"


@nox.session(python=False)
def code(session: nox.Session) -> None:
    """Formatting, lint and types of the Python files."""
    session.run("black", "--check", "--quiet", "--diff", ".")
    session.run("ruff", "check", ".")
    session.run("mypy", "--package", "ansible_collections.selfhosted.llm.plugins")


@nox.session(name="ansible-lint", python=False)
def ansible_lint(session: nox.Session) -> None:
    """ansible-lint with the production profile."""
    session.run("ansible-lint", env={"NO_COLOR": "1"})


@nox.session(python=False)
def docs(session: nox.Session) -> None:
    """The documentation of plugins and roles, and the changelog fragments."""
    options = ["--plugin-docs", "--skip-rstcheck", "--validate-collection-refs", "dependent"]
    session.run("antsibull-docs", "lint-collection-docs", *options, ".")
    session.run("antsibull-changelog", "lint")


@nox.session(python=False)
def sanity(session: nox.Session) -> None:
    """ansible-test sanity on the locked ansible-core."""
    session.run(".ci/sanity", *session.posargs, silent=True)


@nox.session(python=False)
@nox.parametrize("kind", KINDS, ids=KINDS)
def tests(session: nox.Session, kind: str) -> None:
    """The pytest suite of one kind; tests/<kind> says what it needs."""
    # The testbed's decisions need no engine to be tested.
    folders = [f"tests/{kind}", *(["tests/testbed"] if kind == "unit" else [])]
    session.run("python", "-m", "pytest", junit(session), *folders, *session.posargs)


@nox.session(python=False)
@nox.parametrize("scenario", SCENARIOS, ids=SCENARIOS)
def molecule(session: nox.Session, scenario: str) -> None:
    """One scenario from create to destroy."""
    env = {"MOLECULE_GLOB": "molecule/*/molecule.yml", "PYTEST_ADDOPTS": junit(session)}
    session.run("molecule", "test", "--no-command-borders", "--scenario-name", scenario, env=env)


@nox.session(name="unit-matrix")
@nox.parametrize("core,python", CORES.items(), ids=CORES)
def unit_matrix(session: nox.Session, core: str) -> None:
    """The unit tests on a supported ansible-core."""
    session.install("--pre", f"ansible-core~={core}.0rc1", "pytest")
    session.run("pytest", junit(session), "tests/unit", *session.posargs)


@nox.session(name="sanity-matrix")
@nox.parametrize("core,python", CORES.items(), ids=CORES)
def sanity_matrix(session: nox.Session, core: str) -> None:
    """ansible-test sanity on a supported ansible-core."""
    session.install("--pre", f"ansible-core~={core}.0rc1")
    session.run(".ci/sanity", *session.posargs, env={"ANSIBLE_TEST": f"{session.bin}/ansible-test"}, external=True)
