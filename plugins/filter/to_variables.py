# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes what was read as a file of variables, in which nothing but our own references is a template."""

from __future__ import annotations

import re
import typing as t

import yaml

TEMPLATE = re.compile(r"{[{%#]")


class Reference(str):
    """The name of a variable that holds a value."""


class Dumper(yaml.SafeDumper):
    """Readable for people, and read by Ansible as it was."""

    def ignore_aliases(self, data: t.Any) -> bool:
        return True


def _text(dumper: Dumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    if TEMPLATE.search(text):
        return dumper.represent_scalar("!unsafe", text, style or '"')
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


def _reference(dumper: Dumper, name: Reference) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", f"{{{{ {name} }}}}", '"')


Dumper.add_representer(str, _text)
Dumper.add_representer(Reference, _reference)


def to_variables(variables: dict[str, t.Any], references: list[dict[str, t.Any]] | None = None) -> str:
    """See the documentation beside this file."""
    plain = _plain(variables)
    for reference in references or []:
        *steps, last = reference["place"]
        part = plain
        for step in steps:
            part = part[step]
        part[last] = Reference(reference["name"])
    return yaml.dump(plain, Dumper=Dumper, width=120, allow_unicode=True, sort_keys=False)


def _plain(value: t.Any) -> t.Any:
    """Ansible's own kinds of values as Python's."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """By name."""
        return {"to_variables": to_variables}
