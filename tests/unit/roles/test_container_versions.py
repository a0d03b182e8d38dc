# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What preflight says of a version."""

from __future__ import annotations

import itertools
import typing as t

import pytest

TESTED = "Tested: 0.12.0, 0.12.4."
REMARKS: dict[str, tuple[str, str, list[str]]] = {
    "fine": ("open_webui", "0.12.4", []),
    "tested, but with holes": ("open_webui", "0.12.0", ["security advisories without details. Take 0.12.4 or newer."]),
    "newer": ("open_webui", "0.13.0", [f"It has not been tested with this collection. {TESTED}"]),
    "bad": ("open_webui", "0.11.0", ["0.11.0: it restarts without end", "Take 0.12.4 or newer.", TESTED]),
    "holes of several releases": ("open_webui", "0.9.4", ["CVE-2026-45400, CVE-2026-45401, CVE-2026-48710", TESTED]),
    "Ollama": ("ollama", "0.32.15", []),
    "a name": ("ollama", "latest", ["It has not been tested"]),
    "Ollama with a hole": (
        "ollama",
        "0.17.0",
        ["CVE-2026-7482, CVE-2026-7020. Take 0.20.3 or newer.", "Tested: 0.32.15."],
    ),
}


@pytest.mark.parametrize("name", REMARKS)
def test_remarks(evaluate: t.Callable[..., t.Any], name: str) -> None:
    program, version, expected = REMARKS[name]
    remarks = evaluate("container", "__container_remarks", {"container_label": program, "container_version": version})
    assert len(remarks) == len(expected), remarks
    for remark, words in zip(remarks, expected, strict=True):
        assert words in remark


@pytest.mark.parametrize("program", ["open_webui", "ollama"])
def test_holes_stand_in_the_order_of_their_mending(evaluate: t.Callable[..., t.Any], program: str) -> None:
    known = evaluate("container", "__container_versions", {})[program]
    fixed = [tuple(int(part) for part in entry["fixed"].split(".")) for entry in known["vulnerable"]]
    assert all(one < other for one, other in itertools.pairwise(fixed))


@pytest.mark.parametrize("program", ["open_webui", "ollama"])
def test_the_default_is_tested(evaluate: t.Callable[..., t.Any], program: str) -> None:
    known = evaluate("container", "__container_versions", {})[program]
    assert evaluate(program, f"{program}_version", {}) in known["tested"]
