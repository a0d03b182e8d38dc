# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is written is read by Ansible as it was, and nothing in it is a template but the references."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.selfhosted.llm.plugins.filter.to_variables import FilterModule

to_variables = FilterModule().filters()["to_variables"]
TEXTS = [
    "",
    "yes",
    "no",
    "null",
    "~",
    "1.0",
    "0o17",
    "12:30:00",
    "2026-11-23",
    "- a",
    "# no comment",
    "a: b",
    " blanks ",
    "line\nline\n",
    "\n\nfirst lines are empty",
    "ends in blanks \n \n",
    "tab\there",
    "return\r\nline",
    "null byte \x00 and \x1b",
    "Ünï 你好 🦙 \u202eevil \u2028 line",
    "{{ 7 * 7 }}",
    "{{CLIPBOARD}}\nSummarize: {% raw %} {# no #}\n",
    "!unsafe {{ x }}",
    "'{{' \"}}\" \\",
    "x" * 300 + " " + "{{ y }} " * 40,
    "&anchor *alias <<: >- |",
]


def read(text: str, tmp_path: Path, **variables: t.Any) -> t.Any:
    """What Ansible makes of a file of variables."""
    file = tmp_path / "variables.yml"
    file.write_text(f"---\n{text}", encoding="utf-8")
    loader = DataLoader()
    found = loader.load_from_file(str(file), trusted_as_template=True)
    templar = Templar(loader, variables={**variables, "found": found})
    return json.loads(templar.template(trust_as_template("{{ found | to_json }}")))


def test_every_text_comes_back(tmp_path: Path) -> None:
    variables = {"texts": TEXTS, "deep": [{"list": [[1, 2.5, True, None]], "text": text} for text in TEXTS]}
    assert read(to_variables(variables), tmp_path) == variables


def test_references_are_templates(tmp_path: Path) -> None:
    variables = {"connections": [{"url": "a", "headers": {"X-Key": None}}], "settings": {"a.b": None}}
    places = [
        {"place": ["connections", 0, "headers", "X-Key"], "name": "header"},
        {"place": ["settings", "a.b"], "name": "setting"},
    ]
    text = to_variables(variables, places)
    assert read(text, tmp_path, header="one", setting={"is": "{{ no template }}"}) == {
        "connections": [{"url": "a", "headers": {"X-Key": "one"}}],
        "settings": {"a.b": {"is": "{{ no template }}"}},
    }
    assert variables["settings"] == {"a.b": None}


def test_it_is_made_for_people() -> None:
    found = {"name": "Tutor", "system": "Be kind.\nBe short.\n", "prompt": "Sum up:\n{{CLIPBOARD}}", "empty": []}
    assert to_variables({"models": [found, found]}).count("&") == 0
    assert to_variables(found) == (
        "name: Tutor\n"
        "system: |\n  Be kind.\n  Be short.\n"
        "prompt: !unsafe |-\n  Sum up:\n  {{CLIPBOARD}}\n"
        "empty: []\n"
    )


@pytest.mark.parametrize("place", [["missing", 0], ["list", 3]])
def test_a_reference_to_nothing_is_an_error(place: list[t.Any]) -> None:
    with pytest.raises((KeyError, IndexError)):
        to_variables({"list": []}, [{"place": place, "name": "x"}])
