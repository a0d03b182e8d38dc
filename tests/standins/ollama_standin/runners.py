# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which models are loaded, and until when."""

from __future__ import annotations

import glob
import threading
import time
import typing as t

from .describe import Model, timestamp

# The longest duration that Go knows; the server counts "for ever" so.
FOR_EVER_SECONDS = (2**63 - 1) / 10**9
# Device nodes of GPUs; a model goes where they are when it is loaded.
GPUS = "/dev/nvidia[0-9]*"


class Runner(t.NamedTuple):
    name: str
    digest: str
    size: int
    size_vram: int
    details: dict[str, t.Any]
    context_length: int
    keep_alive: float
    expires_at: float


class Runners:
    """Keyed by the weights, not by the name: so a runner survives the deletion and the update of its model."""

    def __init__(self, keep_alive: float, context_length: int) -> None:
        self.keep_alive = keep_alive
        self.context_length = context_length
        self.lock = threading.Lock()
        self.loaded: dict[str, Runner] = {}

    def load(self, model: Model, keep_alive: float | None, num_ctx: int | None) -> None:
        """A request that names no keep_alive keeps the last one that was given while the model stays loaded."""
        key = model.weights["digest"]
        trained = (model.header and model.header.get("context_length")) or self.context_length
        context_length = min(num_ctx or self.context_length, trained)
        with self.lock:
            self._expire()
            runner = self.loaded.get(key)
            if runner is None or runner.context_length != context_length:
                name, digest = model.manifest.name.short, model.manifest.digest
                size = model.weights["size"]
                vram = size if glob.glob(GPUS) else 0
                runner = Runner(name, digest, size, vram, model.details, context_length, self.keep_alive, 0)
            seconds = runner.keep_alive if keep_alive is None else keep_alive
            lasts = FOR_EVER_SECONDS if seconds < 0 else seconds
            self.loaded[key] = runner._replace(keep_alive=seconds, expires_at=time.time() + lasts)

    def unload(self, model: Model) -> None:
        with self.lock:
            self.loaded.pop(model.weights.get("digest", ""), None)

    def listed(self) -> list[dict[str, t.Any]]:
        with self.lock:
            self._expire()
            runners = sorted(self.loaded.values(), key=lambda runner: runner.expires_at, reverse=True)
        return [
            {
                "name": runner.name,
                "model": runner.name,
                "size": runner.size,
                "digest": runner.digest,
                "details": runner.details,
                "expires_at": timestamp(int(runner.expires_at * 10**9)),
                "size_vram": runner.size_vram,
                "context_length": runner.context_length,
            }
            for runner in runners
        ]

    def _expire(self) -> None:
        now = time.time()
        self.loaded = {key: runner for key, runner in self.loaded.items() if runner.expires_at > now}
