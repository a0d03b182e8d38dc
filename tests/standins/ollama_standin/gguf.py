# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the header of a GGUF file: its metadata and the list of its tensors."""

from __future__ import annotations

import struct
import typing as t

SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
FLOAT32, STRING, ARRAY = 6, 8, 9
ALIGNMENT = 32
TENSOR_TYPES = {0: "F32", 1: "F16", 2: "Q4_0", 8: "Q8_0", 12: "Q4_K", 14: "Q6_K", 30: "BF16"}
FILE_TYPES = {1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 14: "Q4_K_S", 15: "Q4_K_M", 18: "Q6_K", 32: "BF16"}
UNKNOWN_TYPE = "unknown"


class Header(t.NamedTuple):
    """:arg start: where the tensors begin"""

    metadata: dict[str, t.Any]
    tensors: list[dict[str, t.Any]]
    start: int

    @property
    def file_type(self) -> str:
        """The server takes 0, the code of F32, for a file that does not say it."""
        return FILE_TYPES.get(self.metadata.get("general.file_type", 0), UNKNOWN_TYPE)

    def get(self, key: str) -> t.Any:
        """A value of the model's own architecture, such as ``context_length``."""
        return self.metadata.get(f"{self.metadata.get('general.architecture')}.{key}")

    @property
    def parameter_count(self) -> int:
        total = 0
        for tensor in self.tensors:
            count = 1
            for length in tensor["shape"]:
                count *= length
            total += count
        return total


class Reader:
    def __init__(self, stream: t.BinaryIO) -> None:
        self.stream = stream

    def bytes(self, count: int) -> bytes:
        data = self.stream.read(count)
        if len(data) != count:
            raise ValueError("the GGUF header ends early")
        return data

    def scalar(self, kind: int) -> t.Any:
        code = "<" + SCALARS[kind]
        value = struct.unpack(code, self.bytes(struct.calcsize(code)))[0]
        # A float32 is written with the fewest digits that give it back, as Go does.
        return float(f"{value:.7g}") if kind == FLOAT32 else value

    def value(self, kind: int) -> t.Any:
        if kind == STRING:
            return self.bytes(self.scalar(10)).decode("utf-8", "replace")
        if kind == ARRAY:
            item, count = self.scalar(4), self.scalar(10)
            return [self.value(item) for _index in range(count)]
        if kind not in SCALARS:
            raise ValueError(f"unknown GGUF type {kind}")
        return self.scalar(kind)


def read_header(path: str) -> Header:
    """:raises ValueError: for a file that is not GGUF"""
    with open(path, "rb") as stream:
        reader = Reader(stream)
        if reader.bytes(4) != b"GGUF":
            raise ValueError("not a GGUF file")
        reader.scalar(4)
        tensor_count, key_count = reader.scalar(10), reader.scalar(10)
        metadata = {}
        for _index in range(key_count):
            key = reader.value(STRING)
            metadata[key] = reader.value(reader.scalar(4))
        tensors = []
        for _index in range(tensor_count):
            name = reader.value(STRING)
            shape = [reader.scalar(10) for _dimension in range(reader.scalar(4))]
            kind = reader.scalar(4)
            reader.scalar(10)
            tensors.append({"name": name, "type": TENSOR_TYPES.get(kind, str(kind)), "shape": shape})
        start = stream.tell() + -stream.tell() % metadata.get("general.alignment", ALIGNMENT)
    return Header(metadata, tensors, start)
