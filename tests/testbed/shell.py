# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running other programs: bounded in time, and with errors that a person can act on."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
import subprocess
import sys
import time
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache"
STATE = ROOT / ".testbed"


class BedError(Exception):
    """What failed, what to do next, and the last words of the tool that failed."""

    def __init__(self, what: str, next_step: str, output: str = "") -> None:
        tail = "".join(f"\n    {line}" for line in output.strip().splitlines()[-12:])
        super().__init__(f"{what} {next_step}{tail}")


def say(text: str) -> None:
    # One write, because several threads speak.
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@contextlib.contextmanager
def step(doing: str) -> t.Iterator[None]:
    say(f"{doing} ...")
    started = time.monotonic()
    yield
    say(f"{doing}: done in {time.monotonic() - started:.0f} s")


def run(command: list[str], doing: str, next_step: str, timeout: float = 60, **options: t.Any) -> str:
    """Return what the command printed; raise BedError when it fails or takes longer than timeout seconds."""
    try:
        done = subprocess.run(
            command,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            check=False,
            **options,
        )
    except FileNotFoundError as error:
        raise BedError(f"{doing} failed: {command[0]} is not installed here.", next_step) from error
    except subprocess.TimeoutExpired as error:
        output = (error.output or b"").decode(errors="replace")
        raise BedError(f"{doing} took longer than {timeout:.0f} s.", next_step, output) from error
    if done.returncode:
        raise BedError(f"{doing} failed ({command[0]} ended with {done.returncode}).", next_step, done.stdout)
    return done.stdout


def docker(*command: str, doing: str, timeout: float = 60, next_step: str = "Read the engine's words below.") -> str:
    return run(["docker", *command], doing, next_step, timeout).strip()


def ask(command: list[str], timeout: float = 30) -> tuple[bool, str]:
    """Whether a command succeeds in time, and what it printed."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=timeout,
            check=False,
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False, ""
    return done.returncode == 0, done.stdout


def inspect(kind: str, name: str) -> dict[str, t.Any] | None:
    """What the engine knows of an object, or None when there is none."""
    found, words = ask(["docker", kind, "inspect", name], timeout=60)
    return json.loads(words)[0] if found else None


def wait_for(condition: t.Callable[[], t.Any], doing: str, next_step: str, timeout: float) -> t.Any:
    """Ask until the answer is true, and return it."""
    deadline = time.monotonic() + timeout
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise BedError(f"{doing} was not there after {timeout:.0f} s.", next_step)
        time.sleep(0.2)
    return answer


@contextlib.contextmanager
def only_one(lock: pathlib.Path, doing: str, timeout: float = 1200) -> t.Iterator[None]:
    """Let one process at a time do something; others wait their turn."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(lock, os.O_CREAT | os.O_RDWR, 0o600)

    def taken() -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    try:
        if not taken():
            say(f"Another run is {doing}; waiting for it.")
            wait_for(taken, f"The turn for {doing}", f"End the other run (it holds {lock}).", timeout)
        yield
    finally:
        os.close(handle)
