# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a create does with a GGUF file: check it, and write other bytes of the same content.

A real server has llama-quantize do it. Here the tensors stay as they are, only the metadata tells of the new type.
"""

from __future__ import annotations

import math
import pathlib
import struct
import typing as t

from .gguf import ALIGNMENT, FILE_TYPES, STRING, Reader

TENSOR_BYTES = {0: 4, 1: 2, 30: 2}
UINT32 = 4
VERSION_KEY, TYPE_KEY = "general.quantization_version", "general.file_type"
CHUNK = 1 << 20


class Raw(t.NamedTuple):
    """A GGUF file in pieces: bytes of each key with its value, bytes of the tensors' list, where the data begins."""

    pairs: dict[str, bytes]
    tensors: bytes
    tensor_count: int
    start: int


def is_gguf(path: pathlib.Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) == b"GGUF"


def check(path: pathlib.Path) -> Raw:
    """:raises ValueError: with the server's words, for a file that is too short"""
    size = path.stat().st_size
    with path.open("rb") as stream:
        stream.seek(4)
        reader = Reader(stream)
        reader.scalar(UINT32)
        tensor_count, pair_count = reader.scalar(10), reader.scalar(10)
        pairs = {}
        for _index in range(pair_count):
            begin = stream.tell()
            key = reader.value(STRING)
            reader.value(reader.scalar(UINT32))
            pairs[key] = _between(stream, begin)
        begin = stream.tell()
        ends = [_tensor(reader) for _index in range(tensor_count)]
        tensors = _between(stream, begin)
        start = stream.tell() + -stream.tell() % ALIGNMENT
    for name, end in ends:
        if start + end > size:
            raise ValueError(f'tensor "{name}" offset+size ({start + end}) exceeds file size ({size})')
    return Raw(pairs, tensors, tensor_count, start)


def rewritten(path: pathlib.Path, file_type: str = "") -> t.Iterator[bytes]:
    """The bytes of the file with the version of the quantisation in it and, if given, another type."""
    raw = check(path)
    pairs = {**raw.pairs, VERSION_KEY: _number(VERSION_KEY, 2)}
    if file_type:
        code = next((code for code, name in FILE_TYPES.items() if name == file_type), 0)
        pairs[TYPE_KEY] = _number(TYPE_KEY, code)
    header = b"GGUF" + struct.pack("<IQQ", 3, raw.tensor_count, len(pairs)) + b"".join(pairs.values()) + raw.tensors
    yield header + bytes(-len(header) % ALIGNMENT)
    with path.open("rb") as stream:
        stream.seek(raw.start)
        yield from iter(lambda: stream.read(CHUNK), b"")


def _tensor(reader: Reader) -> tuple[str, int]:
    """The name of a tensor and where it ends, counted from the begin of the data; of packed types the begin."""
    name = reader.value(STRING)
    shape = [reader.scalar(10) for _dimension in range(reader.scalar(UINT32))]
    kind, offset = reader.scalar(UINT32), reader.scalar(10)
    return name, offset + math.prod(shape) * TENSOR_BYTES.get(kind, 0)


def _between(stream: t.BinaryIO, begin: int) -> bytes:
    end = stream.tell()
    stream.seek(begin)
    return stream.read(end - begin)


def _number(key: str, value: int) -> bytes:
    return struct.pack("<Q", len(key)) + key.encode() + struct.pack("<II", UINT32, value)
