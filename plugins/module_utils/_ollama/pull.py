# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""Pulling one model: reads the progress stream, tells slow from stuck, and takes up again what broke off."""

from __future__ import annotations

import re
import time
import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._http import ApiError, ConnectError, ServiceError
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.client import OllamaClient, byte_count
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.names import ModelName

VERIFYING = "verifying sha256 digest"
# The server hashes one blob after the other and says nothing meanwhile; a slow disk reads faster than this.
VERIFIED_BYTES_PER_SECOND = 20_000_000
LONGEST_PAUSE = 30
RESUMES = "What has been downloaded is kept: run the task again to go on."
BROKEN_PARTS = re.compile(r"EOF|remove \S+-partial-\d+: no such file or directory")
"""What the server says of a part file that a stop of it has left empty, and of a lost one; it says so for ever."""


class Failure(t.NamedTuple):
    """What to do about an error. The server's words are those of Go, of the registry or of a proxy between them."""

    words: str
    hint: str
    passing: bool = False
    """Whether the same pull may succeed a moment later."""


# The first match counts.
FAILURES = (
    Failure(
        r"no space left", "Free space where the server keeps its models; the unfinished download holds some of it."
    ),
    Failure(r"newer version|\b412: ", "Update the Ollama server."),
    Failure(
        r"not look like a TLS|HTTP response to HTTPS", "The registry {host} speaks plain HTTP: set insecure to true."
    ),
    Failure(r"x509: |certificate", "Give the Ollama server the CA of the registry or of its proxy, and restart it."),
    Failure(r"no such host", "Check the name of {host} and the DNS of the Ollama server."),
    Failure(r"server misbehaving", "Check the DNS of the Ollama server.", True),
    Failure(r"manifest: file does not exist", "Check the spelling and the tag: the registry {host} has no such model."),
    Failure(r"file does not exist", "The registry {host} lacks a file of this model: its copy is not complete."),
    Failure(r"no Location header", "The registry {host} has to send a Location header with blobs."),
    Failure(r"digest mismatch", "The server removed the bad file. A proxy that ignores Range does this.", True),
    Failure(r"invalid character|end of JSON", "Something else than {host} answered, a sign-in page perhaps."),
    Failure(r"\b(429|50\d):( |$)", "The registry {host} is busy or limits requests: run the task again later.", True),
    Failure(r"realm host|\b40[13]:( |$)", "{host} or a proxy wants credentials, and Ollama cannot send any."),
    # Of a download that its last client has left: it takes up to a second to end, and whoever joins it ends with it.
    Failure(r"context canceled", "An earlier pull of it was just ending: run the task again.", True),
    Failure(r"MLX", "This model runs only on Apple hardware: choose another variant."),
    Failure(
        r"dial tcp|timeout|exceeded|reset|EOF", f"Check the way from the Ollama server to {{host}}. {RESUMES}", True
    ),
)


class Stalled(ApiError):
    """Nothing moved for too long."""


class Progress:
    """What the lines of a pull say about its progress, over all its attempts.

    A line arrives every 60 ms whether bytes do or not, so that only ``completed`` can tell. It may fall: the server
    throws bytes away when it repeats a part.
    """

    def __init__(self, stall_timeout: float) -> None:
        self.status = ""
        self.completed = 0
        self.total = 0
        self.furthest: dict[str, int] = {}
        self.totals: dict[str, int] = {}
        """The sizes of the blobs of which a part was missing, by status."""
        self._stall_timeout = stall_timeout
        self._moved_at = time.monotonic()

    def __str__(self) -> str:
        return f"at {self.status!r}, {self.completed} of {self.total} bytes" if self.total else f"at {self.status!r}"

    def begin(self) -> None:
        """Another attempt begins."""
        self.status, self.completed, self.total = "", 0, 0
        self._moved_at = time.monotonic()

    @property
    def mark(self) -> int:
        """Grows when bytes arrive that no earlier attempt had."""
        return sum(self.furthest.values())

    @property
    def allowed_silence(self) -> float:
        verification = sum(self.totals.values()) / VERIFIED_BYTES_PER_SECOND if self.status == VERIFYING else 0
        return max(self._stall_timeout, verification)

    def stalled(self, line: dict[str, t.Any]) -> bool:
        """Take a line in. Returns whether nothing has moved for too long."""
        status, completed, total = str(line.get("status", "")), byte_count(line, "completed"), byte_count(line, "total")
        if status != self.status or completed > self.completed:
            self._moved_at = time.monotonic()
        self.status, self.completed, self.total = status, completed, total
        if completed < self.total:
            self.totals[status] = self.total
        self.furthest[status] = max(completed, self.furthest.get(status, 0))
        return time.monotonic() - self._moved_at >= self._stall_timeout


class Puller:
    """Pulls models into one server.

    :arg stall_timeout: seconds without progress after which a pull is taken up again
    :arg retries: how often in a row without a new byte
    :arg report: called with model, status, completed and total bytes for every line
    """

    def __init__(
        self, client: OllamaClient, stall_timeout: float, retries: int, report: t.Callable[[str, str, int, int], None]
    ) -> None:
        self.client = client
        self.stall_timeout = stall_timeout
        self.retries = retries
        self.report = report

    def pull(self, name: ModelName, insecure: bool, empty_part_hint: str) -> int:
        """Pull a model and return when the server has said ``success``.

        :arg insecure: plain HTTP to the registry
        :arg empty_part_hint: what to do about an empty or lost part file of an earlier pull
        :returns: the bytes of the files that were not complete in the store
        :raises ServiceError: with the name of the model and the next step
        """
        progress = Progress(self.stall_timeout)
        failures, mark = 0, 0
        while True:
            try:
                self._attempt(name, insecure, progress)
                return sum(progress.totals.values())
            except (ApiError, ConnectError) as exc:
                if progress.mark > mark:
                    failures, mark = 0, progress.mark
                if BROKEN_PARTS.fullmatch(exc.message):
                    exc.hint = empty_part_hint
                failures += 1
                if failures > self.retries or not _may_pass(exc):
                    raise self._explained(exc, name, failures) from exc
                self._pause(name, exc, failures)

    def _attempt(self, name: ModelName, insecure: bool, progress: Progress) -> None:
        progress.begin()
        url = self.client.http.url("/api/pull")
        with self.client.pull(str(name), insecure, self.stall_timeout) as lines:
            for line in lines:
                if not isinstance(line, dict):
                    raise ApiError(f"the answer holds {line!r}", url, 200)
                if "error" in line:
                    raise ApiError(str(line["error"]).strip(), url, 200)
                stalled = progress.stalled(line)
                self.report(str(name), progress.status, progress.completed, progress.total)
                if stalled:
                    raise Stalled(f"nothing moved for {self.stall_timeout:g} seconds ({progress})", url, 200, RESUMES)
                lines.allow_silence(progress.allowed_silence)
        if progress.status != "success":
            # A cut stream looks like its end: only the last line tells.
            hint = f"The server may have been stopped. {RESUMES}"
            raise ConnectError(f"the answer ended before success ({progress})", url, hint=hint)

    def _pause(self, name: ModelName, exc: ServiceError, failures: int) -> None:
        """A stall is a lost connection, and a new one works at once; after errors, wait longer each time."""
        waits = failures - 1 if isinstance(exc, Stalled) else failures
        end = time.monotonic() + (min(2.0 ** (waits - 1), LONGEST_PAUSE) if waits else 0)
        while time.monotonic() < end:
            self.report(str(name), f"trying again after: {exc.message}", 0, 0)
            time.sleep(min(0.5, max(0.0, end - time.monotonic())))

    def _explained(self, exc: ServiceError, name: ModelName, attempts: int) -> ServiceError:
        again = f" after {attempts} attempts without a new byte" if attempts > 1 else ""
        message = f"{self.client.http.base_url} could not pull {name}{again}: {exc.message.rstrip('.: ')}."
        hint = f"{exc.hint} {RESUMES}" if RESUMES not in exc.hint and isinstance(exc, ConnectError) else exc.hint
        failure = _failure(exc.message)
        hint = hint or (failure.hint.format(host=name.host) if failure else "")
        return type(exc)(message, exc.url, exc.status, hint)


def _failure(words: str) -> Failure | None:
    return next((failure for failure in FAILURES if re.search(failure.words, words)), None)


def _may_pass(exc: ServiceError) -> bool:
    if isinstance(exc, (ConnectError, Stalled)):
        return True
    failure = None if BROKEN_PARTS.fullmatch(exc.message) else _failure(exc.message)
    return bool(failure and failure.passing)
