# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a test lets go wrong at the stand-in registry."""

from __future__ import annotations

import dataclasses
import math
import threading
import typing as t

# The kinds of requests that a server sends: a manifest; of a blob its size, where its bytes are, a part of them.
MANIFEST, HEAD, GET, RANGE = KINDS = ("manifest", "head", "get", "range")


@dataclasses.dataclass
class Fault:
    """Concerns requests whose path contains ``path`` (a model, a tag or a digest; "" is every one).

    :arg kinds: of requests, out of ``KINDS``
    :arg times: how many requests it concerns, the later ones are healthy
    :arg latency: seconds before the answer, on top of the registry's own
    :arg status: answered with ``body`` and ``headers`` in place of what was asked for; 0 answers properly
    :arg stall_after: bytes of the answer after which nothing more comes until the fault ends
    :arg cut_after: bytes of the answer after which the connection ends
    :arg rate: bytes per second
    :arg ignores_range: sends the whole blob with status 200
    :arg no_location: leaves out the header without which a server does not fetch a blob
    :arg no_length: leaves out the length
    :arg drops: ends the connection without an answer
    :arg redirect: host name (of this same registry) to which a blob's unranged GET leads by status 307
    """

    path: str = ""
    kinds: tuple[str, ...] = KINDS
    times: float = math.inf
    latency: float = 0.0
    status: int = 0
    body: bytes = b""
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    stall_after: int | None = None
    cut_after: int | None = None
    rate: float = math.inf
    ignores_range: bool = False
    no_location: bool = False
    no_length: bool = False
    drops: bool = False
    redirect: str = ""
    ended: threading.Event = dataclasses.field(default_factory=threading.Event)

    def end(self) -> None:
        """Let stalled answers go on and later requests alone."""
        self.ended.set()

    def __enter__(self) -> Fault:
        return self

    def __exit__(self, *_error: t.Any) -> None:
        self.end()


NO_FAULT = Fault()


class Faults:
    """The faults that are set, the first that fits a request counts."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.active: list[Fault] = []

    def add(self, fault: Fault) -> None:
        with self.lock:
            self.active.append(fault)

    def take(self, kind: str, path: str) -> Fault:
        """The fault of a request; this one counts as one of its ``times``."""
        with self.lock:
            for fault in self.active:
                if kind in fault.kinds and fault.path in path and fault.times > 0 and not fault.ended.is_set():
                    fault.times -= 1
                    return fault
        return NO_FAULT

    def clear(self) -> None:
        with self.lock:
            for fault in self.active:
                fault.end()
            self.active.clear()
