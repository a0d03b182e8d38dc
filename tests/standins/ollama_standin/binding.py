# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the JSON body of a request as the server does: typed fields, any case, errors in the words of Go."""

from __future__ import annotations

import json
import re
import typing as t

MODEL = {"model": "string", "name": "string"}
STREAMED = {**MODEL, "stream": "bool", "keep_alive": "any", "options": "map[string]interface {}"}
SCHEMAS: dict[str, dict[str, str]] = {
    "PullRequest": {**MODEL, "insecure": "bool", "stream": "bool"},
    "ShowRequest": {**MODEL, "verbose": "bool"},
    "DeleteRequest": MODEL,
    "CopyRequest": {"source": "string", "destination": "string"},
    "CreateRequest": {
        **MODEL,
        **dict.fromkeys(("from", "template", "system", "quantize", "quantization"), "string"),
        **dict.fromkeys(("renderer", "parser", "requires"), "string"),
        "files": "map[string]string",
        "adapters": "map[string]string",
        "license": "any",
        "parameters": "map[string]interface {}",
        "messages": "[]api.Message",
        "stream": "bool",
    },
    "ChatRequest": {**STREAMED, "messages": "[]api.Message", "tools": "api.Tools", "think": "any"},
    "GenerateRequest": {**STREAMED, "prompt": "string", "system": "string", "think": "any"},
    "EmbedRequest": {**STREAMED, "input": "any", "dimensions": "int"},
    "ChatCompletionRequest": {
        "model": "string",
        "messages": "[]openai.Message",
        "stream": "bool",
        "max_tokens": "int",
        "stream_options": "openai.StreamOptions",
    },
}
JSON_TYPES = {bool: "bool", str: "string", int: "number", float: "number", list: "array", dict: "object"}
GO_TYPES = {
    "string": "string",
    "bool": "bool",
    "int": "number",
    "[]api.Message": "array",
    "[]openai.Message": "array",
    "api.Tools": "array",
    "map[string]interface {}": "object",
    "map[string]string": "object",
    "openai.StreamOptions": "object",
}
UNIT_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
DURATION = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)")


def bind(kind: str, raw: bytes) -> dict[str, t.Any]:
    """The known fields of a request, absent and null ones left out.

    :raises ValueError: with the server's own words
    """
    if not raw.strip():
        raise ValueError("missing request body")
    text = raw.decode("utf-8", "replace").lstrip()
    try:
        content, _end = json.JSONDecoder().raw_decode(text)
    except json.JSONDecodeError as exc:
        raise ValueError(_syntax_error(exc)) from exc
    if not isinstance(content, dict):
        raise ValueError(f"json: cannot unmarshal {_json_type(content)} into Go value of type api.{kind}")
    return _typed(kind, content)


def _typed(kind: str, content: dict[str, t.Any]) -> dict[str, t.Any]:
    fields = {}
    for key, value in content.items():
        go_type = SCHEMAS[kind].get(key.lower())
        if go_type is None or value is None:
            continue
        if go_type != "any" and _json_type(value) != GO_TYPES[go_type]:
            field = f"{kind}.{key.lower()}"
            raise ValueError(
                f"json: cannot unmarshal {_json_type(value)} into Go struct field {field} of type {go_type}"
            )
        fields[key.lower()] = value
    return fields


def _json_type(value: t.Any) -> str:
    return JSON_TYPES.get(type(value), "null")


def _syntax_error(exc: json.JSONDecodeError) -> str:
    if exc.pos >= len(exc.doc.rstrip()):
        return "unexpected EOF"
    place = "looking for beginning of value"
    if exc.msg.startswith("Expecting property name"):
        place = "looking for beginning of object key string"
    elif exc.msg.startswith("Expecting ',' delimiter"):
        place = "after object key:value pair"
    return f"invalid character '{exc.doc[exc.pos]}' {place}"


def duration_seconds(value: t.Any) -> float:
    """A number of seconds or a duration such as ``10m``; a negative one means for ever.

    :raises ValueError: with the server's own words
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, str):
        raise ValueError(f"Unsupported type: '{_json_type(value)}'")
    unsigned = value.lstrip("+-")
    parts = DURATION.findall(unsigned)
    if unsigned == "0":
        return 0.0
    if not parts or "".join(number + unit for number, unit in parts) != unsigned:
        missing = unsigned.replace(".", "", 1).isdigit()
        raise ValueError(f'time: {"missing unit in" if missing else "invalid"} duration "{value}"')
    seconds = sum(float(number) * UNIT_SECONDS[unit] for number, unit in parts)
    return -seconds if value.startswith("-") else seconds
