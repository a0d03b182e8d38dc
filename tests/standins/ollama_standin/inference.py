# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands for inference: a sentence that says so, and vectors made of the words of a text."""

from __future__ import annotations

import functools
import math
import random
import struct
import typing as t

EXCERPT = 60


def answer(model: str, prompt: str, limit: int) -> tuple[list[str], str]:
    """The words of an answer, each with the blank before it, and why it ends: ``stop`` or ``length``."""
    question = " ".join(prompt.split())
    if len(question) > EXCERPT:
        question = question[:EXCERPT] + "..."
    text = f'This is the stand-in for Ollama, which runs no model. "{model}" was asked: {question}'
    words = text.split(" ")
    pieces = [words[0], *(f" {word}" for word in words[1:])]
    if 0 < limit < len(pieces):
        return pieces[:limit], "length"
    return pieces, "stop"


def count_tokens(text: str) -> int:
    return len(text.split()) + 1


def embed(text: str, dimensions: int) -> list[float]:
    """A vector of length 1. Texts that share words lie near each other, so that a search finds something."""
    total = [0.0] * dimensions
    for word in ["", *text.lower().split()]:
        for index, value in enumerate(_word_vector(word, dimensions)):
            total[index] += value
    return unit(total)


def unit(vector: t.Sequence[float]) -> list[float]:
    """The server counts in float32."""
    length = math.sqrt(sum(value * value for value in vector))
    packed = struct.pack(f"<{len(vector)}f", *(value / length for value in vector))
    return [float(f"{value:.8g}") for value in struct.unpack(f"<{len(vector)}f", packed)]


@functools.lru_cache(maxsize=4096)
def _word_vector(word: str, dimensions: int) -> tuple[float, ...]:
    source = random.Random(word)
    return tuple(source.gauss(0, 1) for _index in range(dimensions))
