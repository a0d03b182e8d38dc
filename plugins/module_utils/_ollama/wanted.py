# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""What the options of ``ollama_model`` ask for. Whatever makes no sense is refused here, before anything is sent."""

from __future__ import annotations

import re
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.selfhosted.llm.plugins.module_utils._ollama import modelfile
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.names import InvalidInput, ModelName, parse

STATES = ("present", "latest", "absent")
ROLES = ("system", "user", "assistant", "tool")
DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
LONGEST_SILENCE = 86400
QUANTIZATIONS = ("F32", "F16", "BF16", "Q8_0", "Q4_K", "Q4_K_M", "Q4_K_S")
"""What the server takes, in whatever case."""
SOURCES = ("from", "files", "modelfile")
BUILT: dict[str, dict[str, t.Any]] = {
    "from": {"type": "str"},
    "files": {"type": "list", "elements": "path"},
    "modelfile": {"type": "str"},
    "template": {"type": "str"},
    "system": {"type": "str"},
    "parameters": {"type": "dict"},
    "messages": {
        "type": "list",
        "elements": "dict",
        "options": {
            "role": {"type": "str", "choices": list(ROLES), "required": True},
            "content": {"type": "str", "required": True},
        },
    },
    "license": {"type": "list", "elements": "str"},
    "adapters": {"type": "list", "elements": "path"},
    "quantize": {"type": "str"},
}
"""The options that describe a model which the server builds."""
ONE: dict[str, dict[str, t.Any]] = {
    "state": {"type": "str", "choices": list(STATES), "default": "present"},
    "insecure": {"type": "bool", "default": False},
    "digest": {"type": "str"},
    **BUILT,
}
"""The options of one model, at the level of the task or of an entry."""


class Custom(t.NamedTuple):
    """A model that the server builds, from another one or from files on the target. None is: not asked for."""

    base: ModelName | None
    files: list[str] | None
    adapters: list[str] | None
    template: str | None
    system: str | None
    parameters: dict[str, t.Any] | None
    messages: list[dict[str, str]] | None
    license: list[str] | None
    quantize: str | None


class Wanted(t.NamedTuple):
    """How one model should be."""

    name: ModelName
    state: str
    insecure: bool = False
    digest: str | None = None
    custom: Custom | None = None
    listed: bool = True
    """False for a base that only another entry names."""

    @property
    def base(self) -> ModelName | None:
        return self.custom.base if self.custom and self.state != "absent" else None


def check_transport(params: dict[str, t.Any]) -> None:
    """Look at the options that say how servers are asked.

    :raises InvalidInput: a time that is none, or a file of CA certificates that cannot be read
    """
    for option in {"stall_timeout", "timeout"}.intersection(params):
        # Whatever .nan is compared with, the answer is no.
        if not 0 < params[option] <= LONGEST_SILENCE:
            raise InvalidInput(f"{option} must be more than 0 seconds and at most a day.")
    path = params["registry_ca_path"]
    try:
        if path:
            open(path, "rb").close()
    except OSError as exc:
        raise InvalidInput(
            f"registry_ca_path: {path} cannot be read on the host that runs the module: {exc.strerror}."
        ) from exc


def wanted_models(params: dict[str, t.Any]) -> list[Wanted]:
    """Read the options of the module. The bases of custom models are added to the list.

    :raises InvalidInput: an entry that makes no sense, or a list that would empty the server unasked
    """
    check_transport(params)
    if params["retries"] < 0:
        raise InvalidInput("retries must not be negative.")
    wanted: dict[str, Wanted] = {}
    for entry in _entries(params):
        model = _wanted(entry)
        if wanted.setdefault(model.name.key, model)[1:] != model[1:]:
            raise InvalidInput(f"{model.name} is listed twice, and not the same way: keep one of the two.")
    kept = [model for model in wanted.values() if model.state != "absent"]
    if params["exclusive"] and not params["allow_empty"] and not kept:
        raise InvalidInput("exclusive with no model that is to be present removes them all: allow_empty permits it.")
    for model in kept:
        if model.base:
            unlisted = model._replace(name=model.base, custom=None, listed=False)
            base = wanted.setdefault(model.base.key, unlisted)
            if base.state == "absent":
                raise InvalidInput(f"{model.name} is made from {base.name}, which is to be absent: keep the base.")
            if not base.listed and base[1:] != unlisted[1:]:
                raise InvalidInput(f"Models want their base {base.name} in different ways: list the base itself.")
    for model in kept:
        _check_descent(model, wanted)
    return list(wanted.values())


def in_order(wanted: list[Wanted]) -> list[Wanted]:
    """Each model behind the one that it is made from."""
    by_key = {model.name.key: model for model in wanted}
    ordered: dict[str, Wanted] = {}

    def add(model: Wanted) -> None:
        if model.base:
            add(by_key[model.base.key])
        ordered.setdefault(model.name.key, model)

    for model in wanted:
        add(model)
    return list(ordered.values())


def _check_descent(model: Wanted, wanted: dict[str, Wanted]) -> None:
    seen = {model.name.key}
    base = model.base
    while base:
        if base.key in seen:
            raise InvalidInput(f"{model.name} would be made from itself: give it another name than its base.")
        seen.add(base.key)
        base = wanted[base.key].base


def _entries(params: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    if params["models"] is None:
        return [{"name": name, **{option: params[option] for option in ONE}} for name in params["name"]]
    for option in ("digest", *BUILT):
        if params[option] is not None:
            raise InvalidInput(f"{option} belongs to one model: write it into the entry of models.")
    return [_validated(entry, params) for entry in params["models"]]


def _validated(entry: t.Any, params: dict[str, t.Any]) -> dict[str, t.Any]:
    if isinstance(entry, str):
        entry = {"name": entry}
    if not isinstance(entry, dict):
        raise InvalidInput(f"{entry!r} is neither the name of a model nor a dictionary with one.")
    messages = entry.get("messages")
    for message in messages if isinstance(messages, list) else []:
        # The validation makes an empty text of null.
        if isinstance(message, dict) and message.get("content", "") is None:
            raise InvalidInput(f"The entry {entry!r} makes no sense: content of a message is null.")
    defaults = {option: {**ONE[option], "default": params[option]} for option in ("state", "insecure")}
    result = ArgumentSpecValidator({"name": {"type": "str", "required": True}, **ONE, **defaults}).validate(entry)
    if result.error_messages:
        raise InvalidInput(f"The entry {entry!r} makes no sense: {'; '.join(result.error_messages)}.")
    return result.validated_parameters


def _wanted(fields: dict[str, t.Any]) -> Wanted:
    name = parse(fields["name"])
    if fields["state"] == "absent":
        return Wanted(name, "absent")
    custom = _custom(name, fields)
    digest = None
    if fields["digest"] is not None:
        match = DIGEST.fullmatch(fields["digest"].strip().lower())
        if not match:
            raise InvalidInput(f"The digest of {name} is not the 64 hexadecimal digits of a SHA-256.")
        if custom:
            raise InvalidInput(f"{name} is built and not pulled: its digest cannot be known. Give that of its base.")
        digest = match.group(1)
    return Wanted(name, fields["state"], fields["insecure"], digest, custom)


def _custom(name: ModelName, fields: dict[str, t.Any]) -> Custom | None:
    given = {option for option in BUILT if fields[option] is not None}
    if not given:
        return None
    if len(given.intersection(SOURCES)) != 1:
        raise InvalidInput(f"{name} needs exactly one of {', '.join(SOURCES)} beside {', '.join(sorted(given))}.")
    for option in ("files", "adapters", "license"):
        if not all(fields[option] or []):
            raise InvalidInput(f"{option} of {name} has an element that is empty.")
    if fields["quantize"] and fields["quantize"].upper() not in QUANTIZATIONS:
        raise InvalidInput(f"quantize of {name} is {fields['quantize']!r} and none of {', '.join(QUANTIZATIONS)}.")
    if fields["modelfile"] is not None:
        if given - {"modelfile", "quantize"}:
            raise InvalidInput(f"The modelfile of {name} already says what it is: write everything else into it.")
        fields = {**dict.fromkeys(BUILT), "quantize": fields["quantize"], **_parsed(name, fields["modelfile"])}
    for option in ("files", "adapters"):
        for path in fields[option] or []:
            if not path.startswith("/"):
                raise InvalidInput(f"{path!r} of {name} is not an absolute path of the host that runs the module.")
    if fields["files"] is not None and not fields["files"]:
        raise InvalidInput(f"files of {name} is empty.")
    parameters = _typed(name, fields["parameters"])
    base = parse(fields["from"]) if fields["from"] is not None else None
    if base and given != {"from"} and base.tag.casefold().endswith("cloud"):
        raise InvalidInput(f"{name} cannot be built from {base}: a model in the cloud has nothing here to build on.")
    if len(fields["adapters"] or []) > 1:
        raise InvalidInput(f"{name} has more than one adapter, and the server takes one: make a model of each.")
    rest = (fields[field] for field in Custom._fields[1:])
    return Custom(base, *rest)._replace(parameters=parameters)


def _parsed(name: ModelName, text: str) -> dict[str, t.Any]:
    try:
        return modelfile.parse(text)
    except InvalidInput as exc:
        raise InvalidInput(f"The modelfile of {name} cannot be used: {exc}") from exc


def _typed(name: ModelName, parameters: dict[str, t.Any] | None) -> dict[str, t.Any] | None:
    """The server stores anything, and fails when the model is loaded; a template may have made text of a number."""
    if parameters is None:
        return None
    typed = {}
    for parameter, value in parameters.items():
        try:
            if parameter == "stop":
                typed[parameter] = [_word(word) for word in (value if isinstance(value, list) else [value])]
            else:
                typed[parameter] = modelfile.typed_parameter(parameter, str(value))
        except InvalidInput as exc:
            raise InvalidInput(f"The parameters of {name}: {exc}") from exc
    return typed


def _word(value: t.Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise InvalidInput(f"stop holds {value!r}, which is no text: write it in quotes.")
    return str(value)
