# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""What all resources have in common: a list of entries, what the server has, what differs, and the proof of a change.

A resource is a subclass of :class:`Resource` that says how its things are read, written and recognised.
"""

from __future__ import annotations

import abc
import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._http import ApiError, ConnectError, ServiceError
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui import access
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import (
    UNKNOWN_VERSION,
    Incomplete,
    InputError,
    OpenWebUI,
    RateLimited,
    SessionEnded,
)
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.names import Names
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.step import Differences, Row, Step, differences
from ansible_collections.selfhosted.llm.plugins.module_utils._reconcile import Changes

ATTEMPTS = 3
SHOWN = 5
# After these every other entry would fail as well.
STOPS = (SessionEnded, RateLimited, ConnectError)


class Resource(abc.ABC):
    """One kind of thing that a server keeps. A subclass describes it.

    Rows are the server's. *Values* are what is compared: by the names of the module's options, and equal when they
    mean the same.
    """

    noun: str
    """What one is called in messages."""
    key: str
    """The option by which an entry and a row are recognised. It is a value like all others."""
    needed: tuple[str, ...] = ()
    """Options that the server has to be given to create one."""
    reported: tuple[str, ...] = ()
    """Values that are part of the module's result, beside the key."""

    def __init__(self, client: OpenWebUI) -> None:
        self.client = client
        self.url = client.http.base_url
        self.access = access.Access(client)
        self.refused: list[str] = []
        """Problems that :meth:`wanted` finds with a look at the server."""

    @abc.abstractmethod
    def problems(self, entry: Row) -> t.Iterator[str]:
        """What is wrong with an entry, without a look at the server. ``access`` is looked at elsewhere."""

    def name_of(self, values: Row) -> str:
        """The name of an entry or a row, equal for all spellings that mean the same."""
        return values[self.key]

    @abc.abstractmethod
    def listed(self, entries: list[Row] | None) -> list[Row]:
        """The server's rows, in as few requests as the entries allow.

        :arg entries: those that ask; None asks for everything
        """

    @abc.abstractmethod
    def values(self, row: Row) -> Row:
        """The values of a row."""

    def wanted(self, entry: Row, before: Row) -> Row:
        """The values that an entry asks for, only of the options that it has.

        :arg before: the values of the row, empty if there is none
        """
        if "access" in entry:
            return {**entry, "access": self.access.grants(entry["access"])}
        return entry

    def shown(self, values: Row) -> Row:
        """Values as the module's options have them."""
        return {**values, "access": self.access.shown(values["access"])} if "access" in values else values

    def entry(self, values: Row) -> Row:
        """The entry that reproduces some values elsewhere."""
        return self.shown(values)

    def names(self) -> tuple[Names, ...]:
        """Where :meth:`wanted` looks names up."""
        return (self.access.groups, self.access.users)

    @abc.abstractmethod
    def create(self, values: Row) -> Row:
        """Make one, and give its row."""

    def complete(self, row: Row, values: Row) -> None:
        """Do what creating one cannot do by itself."""
        return

    @abc.abstractmethod
    def update(self, row: Row, values: Row, fields: list[str]) -> None:
        """Change one.

        :arg values: all that it shall have
        :arg fields: the names of those that differ
        """

    @abc.abstractmethod
    def delete(self, row: Row) -> None:
        """Remove one."""

    def settle(self, created: list[Step]) -> None:
        """Take back (``step.sent = False``) what another run has made at the same time, where the server has both."""
        return

    def entries(self) -> list[Row]:
        """All that the server has, as entries that reproduce it.

        :raises InputError: there are two of the same name, or one that no entry may have
        """
        found = self._by_name(self.listed(None))
        for name, rows in found.items():
            self._refuse_several(name, rows)
        self.refuse()
        return self.checked([self.entry(self.values(row)) for (row,) in found.values()])

    def ensure(self, entries: list[Row], check_mode: bool) -> dict[str, t.Any]:
        """Bring the server's things to what is wanted.

        :arg entries: the module's list, with ``state`` each
        :raises InputError: an entry makes no sense; nothing was written
        :raises Incomplete: some of them are not as wanted
        """
        entries = self.checked(entries)
        steps = self._plan(entries)
        self.refused += [problem for names in self.names() for problem in names.problems]
        missing = [problem for names in self.names() for problem in names.missing]
        if not check_mode:
            self.refused += missing
        self.refuse()
        stop = None
        if not check_mode:
            stop = self._carry_out(entries, steps)
        return self._reported(steps, stop, check_mode, missing)

    def refuse(self) -> None:
        """Raise an :class:`InputError` with every problem that was found."""
        if self.refused:
            raise InputError(f"Nothing was changed on {self.url}: {'; '.join(dict.fromkeys(self.refused))}.", self.url)

    def checked(self, entries: list[Row]) -> list[Row]:
        """The entries without the options that they do not have.

        :raises InputError: with every problem that can be seen without the server
        """
        given = [{option: value for option, value in entry.items() if value is not None} for entry in entries]
        for entry in given:
            problems = [*self.problems(entry), *access.problems(entry.get("access", access.PRIVATE))]
            self.refused += [self._problem(entry[self.key], problem) for problem in problems]
        names = [self.name_of(entry) for entry in given]
        twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        self.refused += [self._problem(name, "is given more than once") for name in twice]
        self.refuse()
        return given

    def checked_rows(self, path: str, rows: t.Any, needs: tuple[str, ...]) -> list[Row]:
        """Rows that have what is needed.

        :raises ApiError: they are not what the path promises
        """
        bad = rows if not isinstance(rows, list) else [row for row in rows if not set(needs).issubset(row)]
        if bad or not isinstance(rows, list):
            url = self.client.http.url(path)
            raise ApiError(f"GET {url} answered without {', '.join(needs)}.", url, 200, UNKNOWN_VERSION)
        return rows

    def _problem(self, name: str, problem: str) -> str:
        return f"{self.noun} {name!r} {problem}"

    def _by_name(self, rows: list[Row]) -> dict[str, list[Row]]:
        found: dict[str, list[Row]] = {}
        for row in rows:
            found.setdefault(self.name_of(row), []).append(row)
        return found

    def _refuse_several(self, name: str, rows: list[Row]) -> None:
        if len(rows) > 1:
            ids = ", ".join(sorted(row["id"] for row in rows))
            self.refused.append(self._problem(name, f"is there {len(rows)} times, as {ids}: rename or remove one"))

    def _plan(self, entries: list[Row]) -> list[Step]:
        """Look at the server, and note what cannot be done."""
        found = self._by_name(self.listed(entries) if entries else [])
        steps = []
        for entry in entries:
            name = self.name_of(entry)
            rows = found.get(name, [])
            self._refuse_several(name, rows)
            row = rows[0] if rows else {}
            before = self.values(row) if rows else None
            after = None
            if entry["state"] == "present":
                options = {option: value for option, value in entry.items() if option != "state"}
                after = {**(before or {}), **self.wanted(options, before or {})}
                lacking = ", ".join(option for option in self.needed if option not in after)
                if lacking:
                    self.refused.append(self._problem(name, f"does not exist and cannot be created without {lacking}"))
            step = Step(name, row, before, after)
            step.differences = self._differences(step)
            steps.append(step)
        return steps

    def _differences(self, step: Step) -> Differences:
        """Everything to be done: before and after, by the name that it has in a diff."""
        if step.before is None or step.after is None:
            before, after = (values and self.shown(values) for values in (step.before, step.after))
            return dict(differences(step.name, before, after))
        # Not more than what differs, because showing may need further requests.
        before, after = (
            self.shown({field: values[field] for field in step.fields if field in values})
            for values in (step.before, step.after)
        )
        return {
            name: values
            for field in step.fields
            for name, values in differences(f"{step.name}.{field}", before.get(field), after[field])
        }

    def _carry_out(self, entries: list[Row], steps: list[Step]) -> ServiceError | None:
        """Send everything, and look again: then nothing may differ. Returns what made an early end of it."""
        for _attempt in range(ATTEMPTS):
            due = [step for step in steps if step.due]
            if not due:
                return None
            try:
                for step in due:
                    self._send(step)
                self.settle([step for step in due if step.kind == "created" and not step.error])
                now = self._plan(entries)
            except ServiceError as exc:
                return exc
            steps[:] = [self._proved(step, found) for step, found in zip(steps, now)]
        for step in filter(lambda step: step.due, steps):
            message = f"{self._problem(step.name, 'was changed')} by somebody else, {ATTEMPTS} times."
            step.error = ApiError(message, self.url, hint="Run this again when nobody else changes it.")
        return None

    def _send(self, step: Step) -> None:
        try:
            if step.after is None:
                self.delete(step.row)
            elif step.before is None:
                step.row = self.create(step.after)
                step.sent = True
                self.complete(step.row, step.after)
            else:
                self.update(step.row, step.after, step.fields)
            step.sent = True
        except ServiceError as exc:
            step.error = exc
            if isinstance(exc, STOPS):
                raise

    def _proved(self, step: Step, now: Step) -> Step:
        """The step after a look at what the server has now."""
        if step.kind != "none" and not step.sent and (not step.error or now.kind != step.kind):
            # Another run has done something in between: what it left is to be done, or nothing any more.
            return now
        if step.error:
            # A change can be more than one request, of which the server may have taken some.
            step.differences = {
                name: step.differences[name] for name in step.differences if name not in now.differences
            }
            step.sent = step.sent or bool(step.differences)
            return step
        remade = step.kind == "deleted" and now.row.get("id") != step.row["id"]
        if step.sent and now.kind != "none" and not remade:
            lost = {"deleted": "still has it", "created": "does not have it"}.get(now.kind)
            lost = lost or f"does not have {', '.join(now.fields)} as sent"
            step.error = ApiError(
                f"{self.url} took the change of {self._problem(step.name, '').rstrip()}, but {lost}.",
                self.url,
                200,
                "If somebody else is changing it just now, run this again.",
            )
        step.row = now.row or step.row
        return step

    def _reported(
        self, steps: list[Step], stop: ServiceError | None, check_mode: bool, missing: list[str]
    ) -> dict[str, t.Any]:
        changes = Changes()
        for step in steps:
            if step.sent or (check_mode and step.due):
                for name, values in step.differences.items():
                    changes.compare(name, *values)
        rows = [step.result(self.key, self.reported, check_mode) for step in steps]
        outcome = {**changes.result(), f"{self.noun}s": rows}
        failed = [step.error for step in steps if step.error]
        if stop:
            raise Incomplete(stop, outcome)
        if len(failed) == 1:
            raise Incomplete(failed[0], outcome)
        if failed:
            words = " ".join(error.message for error in failed[:SHOWN])
            message = f"{len(failed)} of {len(steps)} {self.noun}s of {self.url} failed: {words}"
            hint = f"The others are as wanted. The error of each stands in {self.noun}s."
            raise Incomplete(ApiError(message, self.url, failed[0].status, hint), outcome)
        # Only in check mode something can be missing here: an earlier task of the run may be about to create it.
        return {**outcome, "warnings": missing} if missing else outcome
