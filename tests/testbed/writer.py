# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""People who write to an Open WebUI without pause and note each write that it has acknowledged."""

from __future__ import annotations

import contextlib
import datetime
import itertools
import json
import pathlib
import threading
import time
import typing as t

from tests.testbed.people import Server

PACE = 0.1
MESSAGES_PER_CHAT = 5
FILE_EVERY = 12


class Note(t.NamedTuple):
    """A write that the server has acknowledged."""

    done: float
    email: str
    kind: str
    id: str
    text: str


class Writer:
    """:arg tokens: of the people who write, by their e-mails
    :arg file: where the notes are kept; those of an earlier writer stay
    """

    def __init__(self, server: Server, tokens: dict[str, str], file: pathlib.Path) -> None:
        self.server = server
        self.tokens = tokens
        self.refused: list[str] = []
        self._file = file
        self._lock = threading.Lock()
        self._end = threading.Event()

    @property
    def notes(self) -> list[Note]:
        lines = self._file.read_text(encoding="utf-8").splitlines() if self._file.exists() else []
        return [Note(*json.loads(line)) for line in lines]

    def forget(self, since: float) -> None:
        """Count no more on what was written from that time on."""
        kept = [json.dumps(note) + "\n" for note in self.notes if note.done < since]
        self._file.write_text("".join(kept), encoding="utf-8")

    @contextlib.contextmanager
    def writing(self) -> t.Iterator[None]:
        """Everybody writes until the end of the block, from the first write of each on."""
        self._end.clear()
        threads = [threading.Thread(target=self._write, args=item) for item in self.tokens.items()]
        before = len(self.notes)
        for thread in threads:
            thread.start()
        try:
            self.wait(before + len(threads))
            yield
        finally:
            self._end.set()
            for thread in threads:
                thread.join()

    def wait(self, number: int, seconds: float = 60) -> None:
        """Until there are so many notes."""
        deadline = time.monotonic() + seconds
        while len(self.notes) < number:
            assert (
                time.monotonic() < deadline
            ), f"{len(self.notes)} of {number} writes after {seconds} s: {self.refused}"
            time.sleep(0.2)

    def pause(self, since: float = 0) -> float:
        """The longest time in seconds without an acknowledged write."""
        times = sorted(note.done for note in self.notes if note.done >= since)
        return max(after - before for before, after in itertools.pairwise(times))

    def _note(self, email: str, kind: str, identifier: str, text: str) -> None:
        with self._lock, self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps([time.time(), email, kind, identifier, text]) + "\n")

    def _write(self, email: str, token: str) -> None:
        chat, texts = "", list[str]()
        for number in itertools.count():
            if self._end.wait(PACE):
                return
            text = f"{email} wrote {number} at {time.time()}"
            # Without an answer nobody knows whether it was written, and nobody counts on it.
            with contextlib.suppress(OSError, ValueError):
                if number % FILE_EVERY == FILE_EVERY - 1:
                    status, answer = self.server.upload(token, f"{number}.txt", text, process=False)
                    kind, identifier = "file", answer["id"] if status == 200 else ""
                else:
                    if len(texts) == MESSAGES_PER_CHAT:
                        chat, texts = "", []
                    path = f"/api/v1/chats/{chat or 'new'}"
                    status, answer = self.server.call("POST", path, {"chat": conversation([*texts, text])}, token)
                    kind, identifier = "chat", answer["id"] if status == 200 else ""
                    if status == 200:
                        chat, texts = identifier, [*texts, text]
                if status == 200:
                    self._note(email, kind, identifier, text)
                else:
                    self.refused.append(f"{datetime.datetime.now()} {kind} {status} {answer}")


def conversation(texts: t.Sequence[str]) -> dict[str, t.Any]:
    """A chat as the browser stores it."""
    messages = [
        {
            "id": str(number),
            "parentId": str(number - 1) if number else None,
            "childrenIds": [str(number + 1)] if number + 1 < len(texts) else [],
            "role": "assistant" if number % 2 else "user",
            "content": text,
        }
        for number, text in enumerate(texts)
    ]
    history = {"messages": {message["id"]: message for message in messages}, "currentId": messages[-1]["id"]}
    return {"title": texts[0], "history": history, "messages": messages}


def lost(server: Server, notes: t.Iterable[Note], tokens: dict[str, str]) -> list[Note]:
    """Which of these writes the server does not have."""
    kept: dict[str, str] = {}
    missing = []
    for note in notes:
        if note.id not in kept and note.kind == "file":
            kept[note.id] = server.download(tokens[note.email], note.id)
        elif note.id not in kept:
            kept[note.id] = json.dumps(server.call("GET", f"/api/v1/chats/{note.id}", token=tokens[note.email])[1])
        if note.text not in kept[note.id]:
            missing.append(note)
    return missing
