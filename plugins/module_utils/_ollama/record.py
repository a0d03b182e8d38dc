# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""What the target remembers of models that were made from files: the server rewrites the files and cannot tell."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._http import ServiceError
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.names import ModelName

BLOCK = 16 * 1024 * 1024

Report = t.Callable[[str, str, int, int], None]


class Records:
    """One small file for each model of one server, so that two runs at once cannot lose each other's.

    A record counts only while the model has the digest that was recorded. A damaged one counts as none.

    :arg directory: on the host that runs the module; made when the first record is written
    :arg url: of the server
    :arg report: called with model, status, completed and total bytes while a file is read
    """

    def __init__(self, directory: str, url: str, report: Report) -> None:
        self.directory = directory
        self.url = url
        self.report = report
        self._read_now: dict[str, list[t.Any]] = {}

    def made_of(self, name: ModelName, digest: str) -> dict[str, str] | None:
        """What an installed model was made of, or None when that is not known."""
        content = self._read(name)
        return content["made_of"] if content.get("digest") == digest else None

    def sha256(self, name: ModelName, path: str) -> str:
        """The digest of a file, with ``sha256:``. A file of known size and time is not read again.

        :arg name: the model that is made from the file
        :raises ServiceError: it cannot be read
        """
        try:
            with open(path, "rb") as stream:
                status = os.fstat(stream.fileno())
                stamp = [status.st_size, status.st_mtime_ns]
                known = self._read_now.get(path) or self._read(name).get("files", {}).get(path)
                if known is None or known[:2] != stamp:
                    self._read_now[path] = known = [*stamp, self._digest(stream, name, path, status.st_size)]
        except OSError as exc:
            raise self._failure(
                f"{path} cannot be read: {exc.strerror}.", "Check the file and who may read it."
            ) from exc
        return str(known[2])

    def write(self, name: ModelName, paths: list[str], digest: str | None, made_of: dict[str, str]) -> None:
        """Remember the digests of files, and what the model of this digest was made of.

        :arg digest: None when the model is yet to be made: what is known of the installed one stays
        :raises ServiceError: it cannot be written
        """
        content = self._read(name)
        files = {path: self._read_now.get(path) or content["files"][path] for path in paths}
        if digest is None:
            digest, made_of = content.get("digest"), content.get("made_of", {})
        new = {"url": self.url, "model": str(name), "digest": digest, "made_of": made_of, "files": files}
        try:
            os.makedirs(self.directory, mode=0o700, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=self.directory, prefix=".new-")
            try:
                with open(descriptor, "w", encoding="utf-8") as stream:
                    json.dump(new, stream)
                os.replace(temporary, self._path(name))
            finally:
                # It has its name by now, unless something failed.
                with contextlib.suppress(OSError):
                    os.unlink(temporary)
        except OSError as exc:
            message = f"What {name} is made of cannot be recorded in {self.directory}: {exc.strerror}."
            raise self._failure(message, "Without the record each run would make the model again.") from exc

    def _digest(self, stream: t.BinaryIO, name: ModelName, path: str, size: int) -> str:
        digest, done = hashlib.sha256(), 0
        while True:
            block = stream.read(BLOCK)
            if not block:
                return f"sha256:{digest.hexdigest()}"
            digest.update(block)
            done += len(block)
            self.report(str(name), f"reading {os.path.basename(path)}", done, size)

    def _path(self, name: ModelName) -> str:
        return os.path.join(
            self.directory, hashlib.sha256(f"{self.url} {name.key}".encode()).hexdigest()[:32] + ".json"
        )

    def _read(self, name: ModelName) -> dict[str, t.Any]:
        try:
            with open(self._path(name), encoding="utf-8") as stream:
                content = json.load(stream)
            sound = isinstance(content["made_of"], dict) and all(len(file) == 3 for file in content["files"].values())
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}
        return content if sound else {}

    def _failure(self, message: str, hint: str) -> ServiceError:
        return ServiceError(message, self.url, hint=hint)
