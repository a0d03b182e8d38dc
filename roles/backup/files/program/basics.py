# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every part of the program uses: its one kind of failure, its messages, and other programs."""

from __future__ import annotations

import datetime
import subprocess
import sys
import typing as t

ID_FORM = "%Y%m%dT%H%M%SZ"
TIME_FORM = "%Y-%m-%dT%H:%M:%SZ"


class Failed(Exception):
    """One sentence: what failed where, and what to do about it."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


def time_of(text: str, form: str = TIME_FORM) -> datetime.datetime:
    return datetime.datetime.strptime(text, form).replace(tzinfo=datetime.timezone.utc)


def run(command: list[str], task: str, **options: t.Any) -> str:
    """What a program prints. Secrets reach it by ``env``, because everybody on the host sees its arguments.

    :arg task: what it is to do, for the message when it does not
    """
    try:
        done = subprocess.run(command, capture_output=True, check=False, **options)
    except FileNotFoundError as exc:
        raise Failed(f"{task} needs the program {command[0]}, which is not on this host: install it.") from exc
    except subprocess.TimeoutExpired as exc:
        raise Failed(f"{task} was given up after {exc.timeout:.0f} seconds.") from exc
    if done.returncode:
        raise Failed(f"{task} failed: {last_words(done.stderr or done.stdout) or f'exit status {done.returncode}'}")
    return done.stdout.decode(errors="replace")


def last_words(output: bytes) -> str:
    """The end of what a program said, in one line."""
    lines = [line.strip() for line in output.decode(errors="replace").splitlines() if line.strip()]
    return " ".join(lines[-5:])[-1000:]
