# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""Models that the server builds: what one is compared with what it should be, and building it.

A model is always built from its base again. The server merges, so that building it from itself would keep what the task
no longer has.
"""

from __future__ import annotations

import contextlib
import os
import re
import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._http import ApiError, ConnectError, ServiceError
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.client import OllamaClient, byte_count
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.comparison import (
    Findings,
    Shown,
    differences,
    fingerprint,
)
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.names import InvalidInput, ModelName, parse_listed
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.record import Records, Report
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.wanted import Custom

Item = dict[str, t.Any]

# The server quantizes, copies and hashes whole files without a word; a slow disk is faster than this.
WORKED_BYTES_PER_SECOND = 5_000_000
# Behind these words no long work is left.
NEAR_THE_END = re.compile(r"using |creating new layer|writing manifest|success")

# The first match counts.
HINTS = (
    (r"template error", "Check the Go template: Jinja reads its braces first, unless it is marked with !unsafe."),
    (r"unsupported quantization", "Choose one of those types."),
    (r"quantization is only", "Leave quantize out, or start from weights whose header says F16, BF16 or F32."),
    (r"only one adapter", "Make a model of each adapter."),
    (r"llama-quantize", "Check the file with the tools of llama.cpp, and that the server's installation is complete."),
    (r"no space left", "Free space where the server keeps its models: besides the result it needs the files as well."),
    (r"sha256-\w+: no such file", "A file has gone from the server's store meanwhile: run the task again."),
    (
        r"GGUF|unknown type|magic|exceeds file size|EOF",
        "The file is damaged: copy it again, or, if it is sound, remove its blob from the server's store.",
    ),
    (r"pull model manifest", "The base has gone from the server meanwhile: run the task again."),
)


class Built(t.NamedTuple):
    """What came of it: the model as the server lists it now, and the files that were sent for it, with their sizes."""

    item: Item
    uploaded: dict[str, int]


def is_copy(custom: Custom) -> bool:
    """Whether it is only another name for its base."""
    return custom.base is not None and not any(custom[1:])


def check_files(custom: Custom) -> None:
    """Look at the files before anything is sent.

    :raises InvalidInput: one is missing, unreadable or no GGUF file
    """
    for path in _paths(custom):
        try:
            with open(path, "rb") as stream:
                magic = stream.read(4)
        except OSError as exc:
            raise InvalidInput(f"{path} cannot be read on the host that runs the module: {exc.strerror}.") from exc
        if magic != b"GGUF":
            raise InvalidInput(f"{path} is not a GGUF file: it begins with {magic!r}.")


def plan(client: OllamaClient, name: ModelName, custom: Custom, listed: dict[str, Item], records: Records) -> Findings:
    """Find out whether a model has to be built. Only reads.

    :arg listed: what the server lists, by the key of the name
    """
    item, base_item = listed.get(name.key), listed.get(custom.base.key) if custom.base else None
    shown = None if is_copy(custom) else _show(client, item)
    if item is None or (shown is None and not is_copy(custom)):
        return Findings([field for field, value in zip(("from", *Custom._fields[1:]), custom) if value], True)
    if custom.base and base_item is None:
        return Findings([], False)
    if base_item and is_copy(custom):
        return Findings([] if item["digest"] == base_item["digest"] else ["from"], True)
    made_of = records.made_of(name, item["digest"])
    paths = [*(custom.adapters or []), *(custom.files or [] if made_of is not None else [])]
    digests = {path: records.sha256(name, path) for path in paths}
    return differences(t.cast("Shown", shown), _show(client, base_item), custom, digests, made_of)


def build(
    client: OllamaClient,
    name: ModelName,
    custom: Custom,
    listed: dict[str, Item],
    records: Records,
    report: Report,
    timeout: float,
) -> Built:
    """Build a model from its base, which is there, or from files, and prove it.

    :arg listed: what the server lists, by the key of the name
    :arg timeout: seconds of silence that are allowed while the server has no long work to do
    :raises ServiceError: with the name of the model and the next step
    """
    base_item = listed[custom.base.key] if custom.base else None
    if base_item and is_copy(custom):
        client.copy(base_item["name"], str(name))
        item = _listed_now(client, name)
        if item["digest"] != base_item["digest"]:
            raise _unproved(client, name, ["from"])
        return Built(item, {})
    digests = {path: records.sha256(name, path) for path in _paths(custom)}
    uploaded = _upload(client, name, digests, records, report)
    body = request(name, custom, base_item["name"] if base_item else None, digests)
    work = sum(_size(client, path) for path in digests)
    if custom.quantize and base_item:
        work += base_item["size"]
    create(client, body, work, report, timeout)
    item = _listed_now(client, name)
    base, shown = _show(client, base_item), _show(client, item)
    differing = differences(shown, base, custom, digests, None).differences if shown else ["from"]
    if differing:
        raise _unproved(client, name, differing)
    if digests or custom.quantize:
        records.write(name, list(digests), item["digest"], fingerprint(custom, base, digests))
    return Built(item, uploaded)


def request(name: ModelName, custom: Custom, base: str | None, digests: dict[str, str]) -> dict[str, t.Any]:
    """The body of ``/api/create``. What is not asked for is not in it.

    :arg base: its name in the server's spelling
    :arg digests: of the files on the target
    """
    body = {
        "model": str(name),
        "from": base,
        "files": _named(custom.files or [], digests),
        "adapters": _named(custom.adapters or [], digests),
        "quantize": custom.quantize,
        "template": custom.template,
        "system": custom.system,
        "parameters": custom.parameters,
        "messages": custom.messages,
        "license": [text for text in custom.license or [] if text],
    }
    return {field: value for field, value in body.items() if value}


def create(client: OllamaClient, body: dict[str, t.Any], work: int, report: Report, timeout: float) -> None:
    """Have the server build a model and return when it has said ``success``.

    :arg work: bytes that it has to read, convert and hash in silence
    :arg timeout: seconds of silence that are allowed otherwise
    """
    name, url = body["model"], client.http.url("/api/create")
    at_work = max(timeout, work / WORKED_BYTES_PER_SECOND)
    status = ""
    try:
        with client.create(body, at_work) as lines:
            for line in lines:
                if not isinstance(line, dict):
                    raise ApiError(f"the answer holds {line!r}", url, 200)
                if "error" in line:
                    raise ApiError(str(line["error"]).strip(), url, 200)
                status = str(line.get("status", ""))
                report(name, status, byte_count(line, "completed"), byte_count(line, "total"))
                lines.allow_silence(timeout if NEAR_THE_END.match(status) else at_work)
    except (ApiError, ConnectError) as exc:
        message = f"{client.http.base_url} could not create {name}: {exc.message.rstrip('.: ')}."
        hints = [hint for words, hint in HINTS if isinstance(exc, ApiError) and re.search(words, exc.message)]
        raise type(exc)(message, exc.url, exc.status, [*hints, exc.hint][0]) from exc
    if status != "success":
        # A cut stream looks like its end: only the last line tells.
        message = f"{client.http.base_url} could not create {name}: the answer ended before success (at {status!r})."
        raise ConnectError(message, url, hint="The server may have been stopped: run the task again.")


def _paths(custom: Custom) -> list[str]:
    return [*(custom.files or []), *(custom.adapters or [])]


def _show(client: OllamaClient, item: Item | None) -> Shown | None:
    return client.show(item["name"]) if item else None


def _upload(
    client: OllamaClient, name: ModelName, digests: dict[str, str], records: Records, report: Report
) -> dict[str, int]:
    if digests:
        # Shows in time that nothing can be recorded, and spares the next run the reading if this one is cut off.
        records.write(name, list(digests), None, {})
    uploaded = {}
    for path, digest in digests.items():
        if not client.has_blob(digest):
            size = _size(client, path)
            report(str(name), f"sending {os.path.basename(path)}", 0, size)
            with _explained(client, path):
                client.upload_blob(digest, path)
            uploaded[digest] = size
    return uploaded


def _size(client: OllamaClient, path: str) -> int:
    with _explained(client, path):
        return os.path.getsize(path)


@contextlib.contextmanager
def _explained(client: OllamaClient, path: str) -> t.Iterator[None]:
    try:
        yield
    except OSError as exc:
        message = f"{path} cannot be read any more: {exc.strerror}."
        raise ServiceError(message, client.http.base_url, hint="Check the file and who may read it.") from exc


def _listed_now(client: OllamaClient, name: ModelName) -> Item:
    for item in client.models():
        if parse_listed(item["name"]).key == name.key:
            return item
    raise _unproved(client, name, ["from"])


def _unproved(client: OllamaClient, name: ModelName, differing: list[str]) -> ApiError:
    return ApiError(
        f"{client.http.base_url} said success to the creation of {name}, which still has another"
        f" {', '.join(differing)} than wanted.",
        client.http.url("/api/show"),
        hint="Another task or person may have changed it or its base meanwhile: run the task again.",
    )


def _named(paths: list[str], digests: dict[str, str]) -> dict[str, str]:
    """Parts of a split model are known by their file names; the directory only keeps equal names apart."""
    names = [os.path.basename(path) for path in paths]
    return {
        f"{index}/{name}" if names.count(name) > 1 else name: digests[path]
        for index, (name, path) in enumerate(zip(names, paths))
    }
