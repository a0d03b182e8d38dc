# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""Modelfiles, and the parameters of a model. The server reads no Modelfile: Ollama's own client does, like this."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.names import InvalidInput

INSTRUCTIONS = ("FROM", "ADAPTER", "TEMPLATE", "SYSTEM", "PARAMETER", "MESSAGE", "LICENSE")
WITHOUT_OPTION = ("RENDERER", "PARSER", "REQUIRES", "DRAFT")
ROLES = ("system", "user", "assistant")
LINE = re.compile(r"[ \t]*(\S+)(?:[ \t]+(.*))?", re.DOTALL)

# The server stores whatever it is given, and fails or ignores it when the model is loaded.
PARAMETERS: dict[str, type] = {
    **dict.fromkeys(("num_ctx", "num_batch", "num_gpu", "main_gpu", "num_thread", "draft_num_predict"), int),
    **dict.fromkeys(("num_keep", "seed", "num_predict", "top_k", "repeat_last_n"), int),
    **dict.fromkeys(("top_p", "min_p", "typical_p", "temperature"), float),
    **dict.fromkeys(("repeat_penalty", "presence_penalty", "frequency_penalty"), float),
    "use_mmap": bool,
    "stop": list,
}
KINDS = {int: "a whole number", float: "a number", bool: "true or false"}
BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
# Ollama's client leaves these out with a warning.
DEPRECATED = (
    *("penalize_newline", "low_vram", "f16_kv", "logits_all", "vocab_only", "use_mlock"),
    *("mirostat", "mirostat_tau", "mirostat_eta"),
)


def parse(text: str) -> dict[str, t.Any]:
    """The options that a Modelfile stands for: only those that it names.

    ``FROM`` stands for ``files`` when it is a path: when it begins with ``/``, ``.`` or ``~``, or ends in ``.gguf`` and
    has no colon (a model of Hugging Face may have a file name as its tag). Else it stands for ``from``.

    :raises InvalidInput: with the number of the line
    """
    options: dict[str, t.Any] = {}
    for number, instruction, argument, value in _instructions(text):
        try:
            _add(options, instruction, argument, value)
        except InvalidInput as exc:
            raise _in_line(number, str(exc)) from exc
    if "from" not in options and "files" not in options:
        raise InvalidInput("It has no FROM, which names the model or the GGUF file to build on.")
    return options


def typed_parameter(name: str, text: str) -> t.Any:
    """The value of a parameter as a server can use it.

    :raises InvalidInput: a name that it would ignore, or a value with which it could not load the model
    """
    kind = PARAMETERS.get(name)
    if kind is None:
        raise InvalidInput(f"{name!r} is none of {', '.join(sorted(PARAMETERS))}.")
    if kind is list:
        return [text]
    if kind is bool and text in BOOLEANS:
        return BOOLEANS[text]
    number = _number(text)
    if kind is float and number is not None:
        return number
    if kind is int and number is not None and number == int(number):
        return int(number)
    raise InvalidInput(f"{name} is {text!r} and not {KINDS[kind]}.")


def _number(text: str) -> int | float | None:
    if re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        return int(text)
    # Python also reads underscores and the names of what is no number.
    return float(text) if re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]{1,2})?", text.lower()) else None


def _instructions(text: str) -> t.Iterator[tuple[int, str, str, str]]:
    """Number of the line, instruction in upper case, argument before the value (or nothing), value without quotes."""
    # Ollama's client drops what cannot be printed, such as a byte order mark.
    lines = "".join(char for char in text if char.isprintable() or char in "\t\r\n").splitlines(keepends=True)
    numbered = iter(enumerate(lines, 1))
    for number, line in numbered:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        word, rest = _cut(line)
        instruction, argument = word.upper(), ""
        if instruction in WITHOUT_OPTION:
            raise _in_line(number, f"{instruction} cannot be used, because this module has no option for it.")
        if instruction not in INSTRUCTIONS:
            raise _in_line(number, f"{word!r} is none of {', '.join(INSTRUCTIONS)}.")
        if instruction in ("PARAMETER", "MESSAGE") and rest is not None:
            argument, rest = _cut(rest)
        if rest is None:
            raise _in_line(number, f"{word} {argument}".rstrip() + " has no value.")
        value = _unquoted(rest.strip())
        while value is None:
            further = next(numbered, None)
            if further is None:
                raise _in_line(number, f"The quotes of {word} are never closed.")
            rest += further[1]
            value = _unquoted(rest.strip())
        yield number, instruction, argument, value


def _cut(text: str) -> tuple[str, str | None]:
    """The first word, and what follows it; None when not even a blank does."""
    match = LINE.match(text)
    return (match.group(1), match.group(2)) if match else ("", None)


def _unquoted(text: str) -> str | None:
    """None when the text begins with quotes that it does not end with."""
    for quotes in ('"""', '"'):
        if text.startswith(quotes):
            ended = len(text) >= 2 * len(quotes) and text.endswith(quotes)
            return text[len(quotes) : -len(quotes)] if ended else None
    return text


def _add(options: dict[str, t.Any], instruction: str, argument: str, value: str) -> None:
    if instruction == "FROM":
        _add_source(options, value)
    elif instruction == "ADAPTER":
        options.setdefault("adapters", []).append(_absolute(value))
    elif instruction == "LICENSE":
        options.setdefault("license", []).append(value)
    elif instruction == "MESSAGE":
        if argument not in ROLES:
            raise InvalidInput(f"the role {argument!r} of a MESSAGE is none of {', '.join(ROLES)}.")
        options.setdefault("messages", []).append({"role": argument, "content": value})
    elif instruction != "PARAMETER":
        options[instruction.lower()] = value
    elif argument not in DEPRECATED:
        parameters, typed = options.setdefault("parameters", {}), typed_parameter(argument, value)
        parameters[argument] = parameters.get(argument, []) + typed if isinstance(typed, list) else typed


def _add_source(options: dict[str, t.Any], value: str) -> None:
    if not value:
        raise InvalidInput("FROM has no value.")
    is_path = value.startswith(("/", ".", "~")) or (value.endswith(".gguf") and ":" not in value)
    if "from" in options or ("files" in options and not is_path):
        raise InvalidInput("a second FROM is only for further GGUF files: the server would ignore one of the two.")
    if is_path:
        options.setdefault("files", []).append(_absolute(value))
    else:
        options["from"] = value


def _absolute(path: str) -> str:
    expanded = os.path.expanduser(path)
    if not os.path.isabs(expanded):
        raise InvalidInput(f"{path!r} is relative to nothing here: write an absolute path of the host.")
    return expanded


def _in_line(number: int, reason: str) -> InvalidInput:
    return InvalidInput(f"Line {number}: {reason}")
