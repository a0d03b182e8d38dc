# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""CDI specifications: JSON, or as much of YAML as they are written in, since a host has no YAML parser."""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._nvidia.host import Host

DIRECTORIES = ("/etc/cdi", "/var/run/cdi")
KIND = "nvidia.com/gpu"
# In the order of trust: the driver's own library before its companions and the arguments of a hook.
VERSIONS = (
    re.compile(r"libcuda\.so\.(\d{3,}\.[\d.]*\d)"),
    re.compile(r"libnvidia-[\w-]+\.so\.(\d{3,}\.[\d.]*\d)"),
    re.compile(r"--host-driver-version=(\d{3,}\.[\d.]*\d)"),
)

KEY = re.compile(r"""("[^"]*"|'[^']*'|[^\s"'\[\]{},#:-][^:#]*?)\s*:(?:\s+(.*))?$""")
FLOW_TOKEN = re.compile(r"""("(?:[^"\\]|\\.)*")|([^\s\[\]{},:"][^\[\]{},"]*?)(?=\s*(?:[\[\]{},]|:(?:\s|$)|$))""")
QUOTED = re.compile(r"""(?:("(?:[^"\\]|\\.)*")|('(?:[^']|'')*'))(?:\s+#.*)?""")


class InvalidSpec(ValueError):
    """The document is not what an engine would read."""


class Line(t.NamedTuple):
    """A line of a document that says something."""

    number: int
    indent: int
    text: str


def describe(host: Host) -> dict[str, t.Any]:
    """The specifications, and the devices of NVIDIA's GPUs in all of them."""
    specs = [
        _spec(host, f"{directory}/{name}")
        for directory in DIRECTORIES
        for name in host.names(directory)
        if name.endswith((".json", ".yaml"))
    ]
    ours = [spec for spec in specs if spec["kind"] == KIND]
    devices = [f"{KIND}={device}" for spec in ours for device in spec["devices"]]
    # A specification without libraries is somebody's own.
    versions = {spec["driver_version"] for spec in ours if spec["driver_version"]}
    return {
        "devices": list(dict.fromkeys(devices)),
        "driver_version": versions.pop() if len(versions) == 1 else None,
        "specs": specs,
        "duplicates": sorted({device for device in devices if devices.count(device) > 1}),
    }


def _spec(host: Host, path: str) -> dict[str, t.Any]:
    result: dict[str, t.Any] = {"path": path, "kind": None, "driver_version": None, "devices": [], "error": None}
    try:
        document = parse(host.read(path))
        devices = [device["name"] for device in document["devices"]]
        if not isinstance(document["kind"], str) or not all(isinstance(device, str) for device in devices):
            raise InvalidSpec("the kind or the name of a device is no text")
    except KeyError as exc:
        result["error"] = f"{path} is no CDI specification: {exc} is missing."
    except (InvalidSpec, TypeError) as exc:
        result["error"] = f"{path} is no CDI specification: {exc}."
    else:
        texts = "\n".join(_texts(document))
        matches = filter(None, (pattern.search(texts) for pattern in VERSIONS))
        version = next((match.group(1) for match in matches), None)
        result.update(kind=document["kind"], driver_version=version, devices=devices)
    return result


def parse(text: str) -> dict[str, t.Any]:
    """The content of a document.

    :raises InvalidSpec: it is neither JSON nor YAML in the style of NVIDIA's generator, or no mapping
    """
    try:
        document = json.loads(text)
    except ValueError:
        document = _yaml(text)
    if not isinstance(document, dict):
        raise InvalidSpec("it is no mapping")
    return document


def _texts(value: t.Any) -> t.Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def _yaml(text: str) -> t.Any:
    lines = [
        Line(number, len(line) - len(line.lstrip(" ")), line.strip(" "))
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.strip().startswith("#") and line.strip() not in ("---", "...")
    ]
    # YAML knows no tabs before a text.
    wrong = [line.number for line in lines if line.text.startswith("\t")]
    if wrong:
        raise InvalidSpec(f"line {wrong[0]} begins with a tab")
    if not lines:
        raise InvalidSpec("it is empty")
    value = _node(lines)
    if lines:
        raise InvalidSpec(f"line {lines[0].number} is not understood")
    return value


def _node(lines: list[Line]) -> t.Any:
    """The value that begins with the first line; its lines are taken away."""
    indent = lines[0].indent
    if _is_item(lines[0].text):
        items = []
        while lines and lines[0].indent == indent and _is_item(lines[0].text):
            items.append(_item(lines))
        return items
    if not KEY.match(lines[0].text):
        return _scalar(lines.pop(0).text, lines, indent)
    mapping = {}
    while lines and lines[0].indent == indent and not _is_item(lines[0].text):
        match = KEY.match(lines[0].text)
        if match is None:
            raise InvalidSpec(f"line {lines[0].number} is not understood")
        lines.pop(0)
        key, rest = match.groups()
        if rest:
            value = _scalar(rest, lines, indent + 1)
        elif lines and (lines[0].indent > indent or (lines[0].indent == indent and _is_item(lines[0].text))):
            value = _node(lines)
        else:
            value = None
        mapping[key.strip("\"'")] = value
    return mapping


def _is_item(text: str) -> bool:
    return text == "-" or text.startswith("- ")


def _item(lines: list[Line]) -> t.Any:
    number, indent, text = lines.pop(0)
    rest = text[1:].lstrip()
    if rest:
        # What follows the dash begins a value of its own, which may go on below at the same column.
        lines.insert(0, Line(number, indent + len(text) - len(rest), rest))
    elif not lines or lines[0].indent <= indent:
        return None
    return _node(lines)


def _scalar(text: str, lines: list[Line], indent: int) -> t.Any:
    """A text or a flow value, which may go on in lines that are indented more."""
    while lines and lines[0].indent >= indent:
        text = f"{text} {lines.pop(0).text}"
    try:
        if text[0] in "[{":
            return json.loads(FLOW_TOKEN.sub(lambda token: token.group(1) or _quoted(token.group(2)), text))
        if text[0] not in "\"'":
            plain = re.sub(r"\s+#.*", "", text)
            return int(plain) if plain.isdigit() else plain
        quoted = QUOTED.fullmatch(text)
        return json.loads(quoted.group(1) or _quoted(quoted.group(2))) if quoted else json.loads(text)
    except ValueError:
        raise InvalidSpec(f"{text[:40]} is not understood") from None


def _quoted(text: str) -> str:
    """A plain or a single-quoted text as JSON writes it."""
    return json.dumps(text[1:-1].replace("''", "'") if text[0] == text[-1] == "'" else text)
