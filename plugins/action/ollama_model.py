# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the module of the same name, and shows meanwhile how far it is.

The module runs as any other. Beside it a thread looks, over a connection of its own, at what the module leaves on the
target. That thread's visits also tell the module that somebody still waits for it.
"""

from __future__ import annotations

import contextlib
import contextvars
import copy
import json
import os
import shlex
import threading
import time
import typing as t
import uuid

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import become_loader, connection_loader
from ansible.utils.display import Display

from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.progress import CONTROLLER, ENVIRONMENT, PROGRESS

# Most tasks have nothing to do and end before the first visit. All figures are seconds, but for the percents of STEP.
FIRST_VISIT = 1.0
VISIT_EVERY = 5.0
LAST_VISIT = 10.0
QUIET = 10.0
AT_LEAST_EVERY = 60.0
STEP = 10

UNITS = ((1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB"), (1, "B"))

State = dict[str, t.Any]
display = Display()


class ActionModule(ActionBase):
    """With async, and in check mode, the module runs without an onlooker."""

    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        if self._task.async_val or self._task.check_mode:
            wrap_async = self._task.async_val and not self._connection.has_native_async
            return self._execute_module(task_vars=task_vars, wrap_async=wrap_async)
        with self._watched(Ticker((task_vars or {}).get("inventory_hostname", ""), time.monotonic())):
            return self._execute_module(task_vars=task_vars)

    @contextlib.contextmanager
    def _watched(self, ticker: Ticker) -> t.Iterator[None]:
        name = f"ansible-tmp-{uuid.uuid4().hex}"
        environment = self._task.environment
        self._task.environment = [*environment, {ENVIRONMENT: f"{self.get_shell_option('remote_tmp')}/{name}"}]
        ended = threading.Event()
        watch = contextvars.copy_context().run
        thread = threading.Thread(target=watch, args=(self._watch, ticker, name, ended), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            # A visit that hangs is no reason to hold the result back.
            thread.join(LAST_VISIT)
            self._task.environment = environment

    def _watch(self, ticker: Ticker, name: str, ended: threading.Event) -> None:
        if ended.wait(FIRST_VISIT):
            return
        try:
            visitor = self._visitor()
            directory = visitor._command(visitor._connection._shell.mkdtemp(name)).partition(f"{name}=")[2].strip()
        except Exception as exc:  # whatever a connection plugin raises: the task goes on without progress
            display.vvv(f"no progress will be shown: {exc}", host=ticker.host)
            return
        files = [shlex.quote(f"{directory}/{file}") for file in (CONTROLLER, PROGRESS)]
        look = f"umask 77 && touch {' '.join(files)} && cat {files[1]}"
        while True:
            try:
                line = ticker.line(json.loads(visitor._command(look) or "null"), time.monotonic())
                if line and not self._task.no_log:
                    # Not stdout: it may hold a callback's JSON.
                    display.display(line, stderr=True)
            except Exception as exc:  # the network may be back at the next visit
                display.vvv(f"no progress at this time: {exc}", host=ticker.host)
            if ended.wait(VISIT_EVERY):
                break
        with contextlib.suppress(Exception):
            visitor._command(visitor._connection._shell.remove(directory, recurse=True))
            visitor._connection.close()

    def _visitor(self) -> ActionModule:
        """This action with a connection of its own, because a connection does one thing at a time."""
        mine = self._connection
        connection = connection_loader.get(
            self._play_context.connection,
            self._play_context.copy(),
            new_stdin=None,
            task_uuid=self._task._uuid,
            ansible_playbook_pid=str(os.getppid()),
        )
        connection.set_options(direct=mine.get_options())
        connection._shell.set_options(direct=mine._shell.get_options())
        if mine.become:
            become = become_loader.get(mine.become.name)
            become.set_options(direct=mine.become.get_options())
            connection.set_become_plugin(become)
        visitor = copy.copy(self)
        visitor._connection = connection
        return visitor

    def _command(self, command: str) -> str:
        result = self._low_level_execute_command(command)
        if result["rc"]:
            raise AnsibleError(f"{command!r} ended with {result['rc']}: {result['stderr'].strip()}")
        return result["stdout"]


class Ticker:
    """Decides what is worth a line, so that a fleet's output stays readable."""

    def __init__(self, host: str, now: float) -> None:
        self.host = host
        self._shown: tuple[str, str] | None = None
        self._shown_percent = 0
        self._shown_at = now
        self._since: State | None = None

    def line(self, state: State | None, now: float) -> str | None:
        """The line to show now, if any.

        :arg state: what the module has said last
        """
        if state is None:
            return None
        if self._since is None or _phase(self._since) != _phase(state):
            self._since = state
        percent = 100 * state["completed"] // state["total"] if state["total"] else 0
        news = _phase(state) != self._shown or percent - self._shown_percent >= STEP
        quiet = now - self._shown_at
        if quiet < QUIET or not (news or quiet >= AT_LEAST_EVERY):
            return None
        text = self._text(state, percent, self._since)
        self._shown, self._shown_percent, self._shown_at, self._since = _phase(state), percent, now, state
        return text

    def _text(self, state: State, percent: int, since: State) -> str:
        words = " ".join(word for word in (f"{self.host}:", *_phase(state)) if word)
        if not state["total"]:
            return words
        size, unit = _unit(state["total"])
        parts = [f"{words} {percent} %", f"{state['completed'] / size:.1f} of {state['total'] / size:.1f} {unit}"]
        if since is not state:
            seconds = state["at"] - since["at"]
            # It may have fallen: the server throws bytes away when it repeats a part.
            rate = max(0, state["completed"] - since["completed"]) / seconds if seconds else 0
            size, unit = _unit(rate)
            parts.append(f"{_short(rate / size)} {unit}/s")
            if rate:
                parts.append(f"{_duration((state['total'] - state['completed']) / rate)} left")
        return ", ".join(parts)


def _phase(state: State) -> tuple[str, str]:
    """Which model, and what is done with it. That layers are pulled one after the other is nobody's concern."""
    status = state["status"].replace(" sha256 digest", "")
    return state["model"], "" if state["total"] and status.startswith("pulling") else status


def _unit(amount: float) -> tuple[int, str]:
    return next((unit for unit in UNITS if amount >= unit[0]), UNITS[-1])


def _short(value: float) -> str:
    return f"{value:.1f}" if 0 < value < 10 else f"{value:.0f}"


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{_short(seconds / 3600)} h"
