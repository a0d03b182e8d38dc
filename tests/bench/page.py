# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page that shows the figures."""

from __future__ import annotations

from plays import ROOT

PAGE = ROOT / "docs/performance.md"
WRITE_HELP = f"put the table into {PAGE.relative_to(ROOT)}"


def show(rows: dict[str, str], begin: str, end: str, write: bool) -> None:
    """Print figures by their labels as a table, and put it into the page if that is wanted."""
    text = "|  |  |\n| --- | --- |\n" + "".join(f"| {label} | {found} |\n" for label, found in rows.items())
    print(text, end="")
    if write:
        fill(begin, text, end)


def fill(begin: str, table: str, end: str) -> None:
    """Replace what stands between two marks of the page."""
    before, _begin, rest = PAGE.read_text(encoding="utf-8").partition(begin)
    PAGE.write_text(f"{before}{begin}\n{table}\n{end}{rest.partition(end)[2]}", encoding="utf-8")
