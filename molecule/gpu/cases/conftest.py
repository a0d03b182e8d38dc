# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lets the folders of the cases share runs.py, and keeps a report for each of Molecule's calls of pytest."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[3])]


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if config.option.xmlpath:
        folders = sorted({Path(path).parent.name for path in config.args})
        config.option.xmlpath = config.option.xmlpath.removesuffix(".xml") + f" {' '.join(folders)}.xml"
