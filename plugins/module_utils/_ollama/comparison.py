# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""What ``/api/show`` says of a model, compared with what building it would make."""

from __future__ import annotations

import hashlib
import json
import re
import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.names import InvalidName, parse_listed
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.wanted import Custom

Shown = dict[str, t.Any]

# What the server sets by itself for an architecture when neither base nor request says more.
STOP_WORDS = {"gemma4": "<turn|>"}
TYPES = {"Q4_K": "Q4_K_M"}

ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(.))")
ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


class Findings(t.NamedTuple):
    """What a model has to be built for.

    ``differences`` are names of options, ``parameters.<name>`` for a parameter. If ``certain`` is False there may be
    more, which only building shows: the same sources give the same digest.
    """

    differences: list[str]
    certain: bool


def differences(
    shown: Shown, base: Shown | None, custom: Custom, digests: dict[str, str], made_of: dict[str, str] | None
) -> Findings:
    """Compare what ``/api/show`` says of a model with what building it would make.

    A template that the model has from nowhere is shown as ``{{ .Prompt }}`` and cannot be told from one that says so.

    :arg base: what it says of the base; None when there is none or it is not known
    :arg digests: of the files on the target
    :arg made_of: the record of the installed model
    """
    made, requantized = fingerprint(custom, base, digests), _requantized(custom, base)
    if custom.files and made_of is not None:
        return Findings(sorted(field for field in {*made, *made_of} if made.get(field) != made_of.get(field)), True)
    actual, wanted = _described(shown), _wanted(custom, base, digests)
    if base is None:
        # What the server found in the files by itself is no difference.
        actual = {field: value for field, value in actual.items() if field in wanted}
    if requantized:
        # The weights do not say which ones they were made of.
        actual.update({field: (made_of or made).get(field) for field in ("from", "quantize")})
        wanted.update({field: made[field] for field in ("from", "quantize")})
    stop = _values(STOP_WORDS.get(shown["details"]["family"]))
    if actual.get("parameters.stop") == stop and "stop" not in (custom.parameters or {}):
        wanted["parameters.stop"] = stop
    differing = [field for field in {**actual, **wanted} if (actual.get(field) or []) != (wanted.get(field) or [])]
    known = made_of if custom.files or requantized else base
    return Findings(sorted(differing), known is not None)


def _requantized(custom: Custom, base: Shown | None) -> bool:
    """Whether the server makes other weights than those of the base."""
    return bool(base and custom.quantize and _weight_type(custom.quantize) != base["details"]["quantization_level"])


def _weight_type(quantize: str) -> str:
    return TYPES.get(quantize.upper(), quantize.upper())


def fingerprint(custom: Custom, base: Shown | None, digests: dict[str, str]) -> dict[str, str]:
    """A hash of each field of the request, equal when building again would make the same."""
    fields = _wanted(custom, None, digests)
    if base:
        fields["from"] = blobs(base, "FROM")
    if custom.files:
        fields["files"] = sorted(digests.get(path, "") for path in custom.files)
    if custom.quantize:
        fields["quantize"] = _weight_type(custom.quantize)
    return {field: hashlib.sha256(json.dumps(value).encode()).hexdigest() for field, value in fields.items()}


def _wanted(custom: Custom, base: Shown | None, digests: dict[str, str]) -> dict[str, t.Any]:
    """What building makes, in the form of :func:`_described`: the base, and over it what is asked for."""
    wanted = _described(base) if base else {}
    if base and custom.base:
        wanted["from"] = [custom.base.key, *blobs(base, "FROM")]
    for field in ("template", "system"):
        if getattr(custom, field):
            wanted[field] = getattr(custom, field)
    if custom.messages:
        wanted["messages"] = _conversation(custom.messages)
    if custom.license:
        wanted["license"] = "\n".join(text for text in [wanted.get("license"), *custom.license] if text)
    if custom.adapters:
        added = [digests[path] for path in custom.adapters]
        wanted["adapters"] = [*wanted.get("adapters", []), *added]
    for name, value in (custom.parameters or {}).items():
        wanted[f"parameters.{name}"] = _values(value)
    return wanted


def _described(shown: Shown) -> dict[str, t.Any]:
    """What makes a model, by the names of the options."""
    fields = {
        "from": [_key_of(shown["details"].get("parent_model", "")), *blobs(shown, "FROM")],
        "adapters": blobs(shown, "ADAPTER"),
        "license": shown.get("license"),
        "messages": _conversation(shown.get("messages") or []),
        "system": shown.get("system"),
        "template": shown.get("template"),
    }
    parameters: dict[str, list[str]] = {}
    for line in shown.get("parameters", "").split("\n"):
        name, _blank, value = line.partition(" ")
        if name:
            parameters.setdefault(f"parameters.{name}", []).extend(_values(_go_value(value.strip())))
    return {**fields, **parameters}


def _key_of(listed: str) -> str:
    """Old servers name the file that a model was made from."""
    try:
        return parse_listed(listed).key
    except InvalidName:
        return listed


def blobs(shown: Shown, instruction: str) -> list[str]:
    """The digests of files that the Modelfile names: those stand before the template, which may hold anything."""
    head = shown.get("modelfile", "").partition("\nTEMPLATE ")[0]
    return [
        f"sha256:{hexadecimal}" for hexadecimal in re.findall(rf"(?m)^{instruction} .*sha256-([0-9a-f]{{64}})$", head)
    ]


def _conversation(messages: list[dict[str, t.Any]]) -> list[list[str]]:
    return [[message["role"].lower(), message["content"]] for message in messages]


def _values(value: t.Any) -> list[str]:
    """A list of one element and the element are shown alike, and all numbers of Go's JSON are floats."""
    elements = value if isinstance(value, list) else [value]
    return [json.dumps(float(one) if isinstance(one, int) and not isinstance(one, bool) else one) for one in elements]


def _go_value(text: str) -> t.Any:
    """A value as Go prints it with ``%#v``."""
    if text.startswith('"'):
        return ESCAPE.sub(_unescaped, text[1:-1])
    if text in ("true", "false"):
        return text == "true"
    try:
        return float(text)
    except ValueError:
        return text


def _unescaped(match: re.Match[str]) -> str:
    *codes, other = match.groups()
    return ESCAPED.get(other, other) if other else chr(int("".join(code or "" for code in codes), 16))
