# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""Pulling one model: reads the progress stream, and tells slow from stuck."""

from __future__ import annotations

import re
import time
import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._http import ApiError, ConnectError
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.client import OllamaClient
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.names import ModelName

VERIFYING = "verifying sha256 digest"
# The server hashes one blob after the other and says nothing meanwhile; a slow disk reads faster than this.
VERIFIED_BYTES_PER_SECOND = 20_000_000
RESUMES = "What has been downloaded is kept: run the task again to go on."

# The server's words are those of Go, of the registry or of a proxy between them. The first match counts.
HINTS = (
    (r"no space left", "Free space where the server keeps its models; the unfinished download holds some of it."),
    (r"newer version|\b412: ", "Update the Ollama server."),
    (r"not look like a TLS|HTTP response to HTTPS", "The registry {host} speaks plain HTTP: set insecure to true."),
    (r"x509: |certificate", "Give the Ollama server the CA of the registry or of its proxy, and restart it."),
    (r"no such host|server misbehaving", "Check the name of the registry {host} and the DNS of the Ollama server."),
    (r"manifest: file does not exist", "Check the spelling and the tag: the registry {host} has no such model."),
    (r"file does not exist", "The registry {host} lacks a file of this model: its copy is not complete."),
    (r"no Location header", "The registry {host} has to send a Location header with blobs."),
    (r"digest mismatch", "The server removed the bad file: run the task again. A proxy that ignores Range does this."),
    (r"invalid character|end of JSON", "Something else than the registry {host} answered, a sign-in page perhaps."),
    (r"\b(429|50\d):( |$)", "The registry {host} is busy or limits requests: run the task again later."),
    (r"realm host|\b40[13]:( |$)", "The registry {host} or a proxy wants credentials, and Ollama cannot send any."),
    (r"MLX", "This model runs only on Apple hardware: choose another variant."),
    (r"dial tcp|timeout|exceeded|reset|EOF", f"Check the way from the Ollama server to {{host}}. {RESUMES}"),
)
EMPTY_PART = (
    "A server that was stopped in a pull can leave an empty part file: remove the empty blobs/sha256-*-partial-* files"
    " from the model directory of the server and run the task again."
)


def pull(client: OllamaClient, name: ModelName, insecure: bool, stall_timeout: float) -> None:
    """Pull a model and return when the server has said ``success``.

    :arg insecure: plain HTTP to the registry
    :arg stall_timeout: seconds without progress after which the pull has failed
    :raises ServiceError: with the name of the model and the next step
    """
    url = client.http.url("/api/pull")
    progress = Progress(stall_timeout)
    try:
        with client.pull(str(name), insecure, stall_timeout) as lines:
            for line in lines:
                if not isinstance(line, dict):
                    raise ApiError(f"the answer holds {line!r}", url, 200)
                if "error" in line:
                    words = str(line["error"]).strip()
                    raise ApiError(words, url, 200, hint_for(words, name))
                if progress.stalled(line):
                    raise ApiError(f"nothing moved for {stall_timeout:g} seconds ({progress})", url, 200, RESUMES)
                lines.allow_silence(progress.allowed_silence)
    except (ApiError, ConnectError) as exc:
        message = f"{client.http.base_url} could not pull {name}: {exc.message.rstrip('.: ')}."
        hint = f"{exc.hint} {RESUMES}" if isinstance(exc, ConnectError) else exc.hint
        raise type(exc)(message, exc.url, exc.status, hint) from exc
    if progress.status != "success":
        # A cut stream looks like its end: only the last line tells.
        raise ConnectError(
            f"{client.http.base_url} could not pull {name}: the answer ended before success ({progress}).",
            url,
            hint=f"The server may have been stopped. {RESUMES}",
        )


class Progress:
    """What the lines of a pull say about its progress.

    A line arrives every 60 ms whether bytes do or not, so that only ``completed`` can tell. It may fall: the server
    throws bytes away when it repeats a part.
    """

    def __init__(self, stall_timeout: float) -> None:
        self.status = ""
        self.completed = 0
        self.allowed_silence = stall_timeout
        self._totals: dict[str, int] = {}
        self._stall_timeout = stall_timeout
        self._moved_at = time.monotonic()

    def __str__(self) -> str:
        total = self._totals.get(self.status)
        return f"at {self.status!r}, {self.completed} of {total} bytes" if total else f"at {self.status!r}"

    def stalled(self, line: dict[str, t.Any]) -> bool:
        """Take a line in. Returns whether nothing has moved for too long."""
        status, completed = line.get("status", ""), line.get("completed", 0)
        self._totals[status] = line.get("total", 0)
        if status != self.status or completed > self.completed:
            self._moved_at = time.monotonic()
        self.status, self.completed = status, completed
        verification = sum(self._totals.values()) / VERIFIED_BYTES_PER_SECOND if status == VERIFYING else 0
        self.allowed_silence = max(self._stall_timeout, verification)
        return time.monotonic() - self._moved_at >= self._stall_timeout


def hint_for(words: str, name: ModelName) -> str:
    """The next step after an error of the server, or nothing when there is no better one than its words."""
    if words == "EOF":
        return EMPTY_PART
    for pattern, hint in HINTS:
        if re.search(pattern, words):
            return hint.format(host=name.host)
    return ""
