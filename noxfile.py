# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every check and test is a session here; .ci/sessions.py runs the sets of them that the Makefile names."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import antsibull_nox
import nox

REPORTS = Path(".cache/reports").absolute()
KINDS = ["unit", "contract", "integration", "system", "people"]
SCENARIOS = sorted(path.parent.name for path in Path("molecule").glob("*/molecule.yml"))
# For the time that it takes.
THOROUGH = {"debian-dkms"}
# ansible-core and the Python of its controller.
CORES = {"2.19": "3.11", "2.20": "3.12", "2.21": "3.12", "2.22": "3.13"}

# The tools are those beside this nox. A shim of pyenv fails unless its version is chosen, so the matrix and
# ansible-test get the real interpreters.
PATH = [str(Path(sys.prefix, "bin"))]
if shutil.which("pyenv"):
    pyenv = subprocess.run(["pyenv", "root"], check=True, capture_output=True, text=True).stdout.strip()
    PATH += sorted(str(path) for path in Path(pyenv).glob("versions/3.*/bin"))
os.environ["PATH"] = os.pathsep.join([*PATH, os.environ["PATH"]])
# `make test` runs the newest that is possible here under this name, and `make test-all` every one.
NEWEST = [core for core, python in CORES.items() if shutil.which(f"python{python}")][-1]
CORE_IDS = ["newest" if core == NEWEST else core for core in CORES]

nox.options.default_venv_backend = "none"
nox.options.download_python = "never"
# An interpreter that is not here is a session skipped, on CI too.
nox.options.error_on_missing_interpreters = False
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
    """The documentation of plugins and roles, the pages made from it, and the changelog fragments."""
    options = ["--plugin-docs", "--skip-rstcheck", "--validate-collection-refs", "dependent"]
    session.run("antsibull-docs", "lint-collection-docs", *options, ".")
    session.run("python", ".ci/reference.py", "--check")
    session.run("antsibull-changelog", "lint")


@nox.session(python=False)
def sanity(session: nox.Session) -> None:
    """ansible-test sanity on the locked ansible-core."""
    session.run(".ci/sanity", silent=True)


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
    if scenario in THOROUGH and "not thorough" in session.posargs:
        session.skip("left to make test-all")
    options = shlex.join([junit(session), *session.posargs])
    env = {"MOLECULE_GLOB": "molecule/*/molecule.yml", "PYTEST_ADDOPTS": options}
    session.run("molecule", "test", "--no-command-borders", "--scenario-name", scenario, env=env)


@nox.session(name="unit-matrix", venv_backend="virtualenv")
@nox.parametrize("core,python", CORES.items(), ids=CORE_IDS)
def unit_matrix(session: nox.Session, core: str) -> None:
    """The unit tests on a supported ansible-core."""
    session.install("--pre", f"ansible-core~={core}.0rc1", "pytest")
    # The programs that roles bring to hosts know nothing of ansible-core.
    session.run(
        "python", "-m", "pytest", junit(session), "tests/unit", "--ignore=tests/unit/programs", *session.posargs
    )


@nox.session(name="unit-target", venv_backend="virtualenv", python="3.9")
def unit_target(session: nox.Session) -> None:
    """The unit tests of what runs on a host, on the oldest Python that a host may have."""
    # pip would refuse ansible-core, whose controller needs a newer one. Its ansible.module_utils does not.
    session.install("--no-deps", "--ignore-requires-python", f"ansible-core=={version('ansible-core')}")
    session.install("cryptography", "pytest", "PyYAML")
    folders = ["tests/unit/plugins/module_utils", "tests/unit/plugins/modules", "tests/unit/programs"]
    session.run("python", "-m", "pytest", junit(session), *folders, *session.posargs)


@nox.session(name="sanity-matrix", venv_backend="virtualenv")
@nox.parametrize("core,python", CORES.items(), ids=CORE_IDS)
def sanity_matrix(session: nox.Session, core: str) -> None:
    """ansible-test sanity on a supported ansible-core."""
    session.install("--pre", f"ansible-core~={core}.0rc1")
    # A pre-release may want a package from GitHub at a commit; PyPI has a release, and is all that CI may reach.
    for path in Path(session.virtualenv.location).glob("lib/*/site-packages/ansible_test/_data/requirements/*.txt"):
        path.write_text(re.sub(r"(?m)^(\w+) ?@ https://github\.com/.*$", r"\1", path.read_text()))
    session.run(".ci/sanity", env={"ANSIBLE_TEST": f"{session.bin}/ansible-test"}, external=True)
