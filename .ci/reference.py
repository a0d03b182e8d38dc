# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes what is made from other files of the repository; with --check only compares.

docs/reference has a page per module and role from its own documentation; settings.py makes the rest.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import settings

PAGES = settings.ROOT / "docs" / "reference"
OPTIONS = ["--use-current", "--squash-hierarchy", "--output-format=simplified-rst", "--fail-on-error"]
CORE = "https://docs.ansible.com/ansible/latest/collections/ansible/builtin"
TITLE = "Reference of selfhosted.llm"


def mended(page: str) -> str:
    """With links that work on GitHub: the generator's own fit a website, and the folder of one collection."""
    page = page.replace(r":code:`ansible\-galaxy", ":code:`ansible-galaxy")
    page = page.replace("../../ansible/builtin/", f"{CORE}/")
    page = re.sub(r"\.\./\.\./selfhosted/llm/(\w+)\.html", r"\1.rst", page)
    page = re.sub(r"(`ansible\.builtin\.\S+ )<(\w+)\.rst>", rf"\1<{CORE}/\2.html>", page)
    page = re.sub(r"^Selfhosted\.Llm\n=+$", f"{TITLE}\n{'=' * len(TITLE)}", page, flags=re.MULTILINE)
    page = re.sub(r"[ \t]+$", "", page, flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", page).strip() + "\n"


def generated() -> dict[Path, str]:
    with tempfile.TemporaryDirectory() as folder:
        command = ["antsibull-docs", "collection", *OPTIONS, "--no-add-antsibull-docs-version", "--dest-dir", folder]
        subprocess.run([*command, "selfhosted.llm"], check=True)
        pages = {path.name: mended(path.read_text()) for path in Path(folder).iterdir()}
    # GitHub shows it where the folder is opened.
    pages["README.rst"] = pages.pop("index.rst")
    return {**{PAGES / name: page for name, page in pages.items()}, **settings.generated()}


def main() -> int:
    files = generated()
    if "--check" in sys.argv:
        present = {path: path.read_text() for path in {*PAGES.glob("*"), *files} if path.exists()}
        stale = sorted(path for path in {*files, *present} if files.get(path) != present.get(path))
        for path in stale:
            print(f"{path.relative_to(settings.ROOT)} does not fit its source: run make docs.")
        return 1 if stale else 0
    shutil.rmtree(PAGES, ignore_errors=True)
    PAGES.mkdir()
    for path, content in files.items():
        path.write_text(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
