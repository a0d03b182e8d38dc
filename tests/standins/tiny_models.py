# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small models for the stand-in registry: real GGUF files with random weights, the same bytes on every machine."""

from __future__ import annotations

import hashlib
import json
import pathlib
import random
import struct
import typing as t

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
LAYER_TYPE = "application/vnd.ollama.image."
LICENSE = "Test data of the collection selfhosted.llm: random numbers, not a trained model. GPL-3.0-or-later."
PARAMETERS = {"stop": ["</s>"], "temperature": 0.7}
TEMPLATE = "{{ if .System }}{{ .System }} {{ end }}{{ .Prompt }}"
# By which Ollama knows a model that can use tools.
TEMPLATE_WITH_TOOLS = "{{ if .System }}{{ .System }} {{ end }}{{ if .Tools }}{{ .Tools }} {{ end }}{{ .Prompt }}"

MEGABYTE = 1 << 20
ZEROS = bytes(MEGABYTE)
ALIGNMENT = 32
UINT32, FLOAT32, STRING, ARRAY, INT32 = 4, 6, 8, 9, 5
F32 = 0
HEADS, KEY_VALUE_HEADS, BLOCKS, CONTEXT = 4, 2, 2, 2048
MEAN_POOLING = 1
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6
WORDS = """
a about after all and any are as at be because but by can come could day do even find first for from get give go good
have he her here him his how I if in into is it its just know like look make man many me more my new no not now of on
one only or other our out over people say see she so some take tell than that the their them then there these they
thing think this those time to two up use very want way we well what when which who will with would year you your
"""


class TinyModel(t.NamedTuple):
    """:arg repository: ``<namespace>/<model>``
    :arg width: length of its vectors, which decides how large it is
    :arg padding: bytes after the weights, for large models; they take hardly any disk space at the registry
    :arg file_type: what the weights say of themselves: 0 is F32, 1 is F16
    """

    repository: str
    tag: str
    width: int
    seed: int
    embedding: bool = False
    system: str = ""
    padding: int = 0
    file_type: int = 0
    parameters: dict[str, t.Any] | None = None
    template: str = TEMPLATE


DEFAULT_MODELS = (
    TinyModel("library/smollm2", "135m", 128, 135, template=TEMPLATE_WITH_TOOLS),
    TinyModel("library/tinyllama", "latest", 192, 11, system="You are a random number generator."),
    TinyModel("library/all-minilm", "latest", 64, 33, embedding=True),
)


def write_model(root: pathlib.Path, model: TinyModel) -> str:
    """Write manifest and blobs under a registry's root and return the digest of the manifest, in hex."""
    tensors = _tensors(model.width)
    layers = [_weights(root, gguf(model), model.padding)]
    if not model.embedding:
        layers.append(_blob(root, "template", model.template.encode()))
        layers.append(_blob(root, "params", json.dumps(model.parameters or PARAMETERS).encode()))
    if model.system:
        layers.append(_blob(root, "system", model.system.encode()))
    layers.append(_blob(root, "license", LICENSE.encode()))
    count = sum(rows * columns for rows, columns in tensors.values())
    config = {
        "model_format": "gguf",
        "model_family": "llama",
        "model_families": ["llama"],
        "model_type": f"{count / 1000:.0f}K",
        "file_type": "F32",
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]},
    }
    config_layer = {**_blob(root, "", json.dumps(config).encode()), "mediaType": CONFIG_TYPE}
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": config_layer, "layers": layers}
    raw = json.dumps(manifest, separators=(",", ":")).encode()
    path = root / "manifests" / model.repository / model.tag
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(raw)
    return hashlib.sha256(raw).hexdigest()


def _blob(root: pathlib.Path, kind: str, content: bytes) -> dict[str, t.Any]:
    digest = hashlib.sha256(content).hexdigest()
    path = root / "blobs" / f"sha256-{digest}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return {"mediaType": LAYER_TYPE + kind, "digest": f"sha256:{digest}", "size": len(content)}


def _weights(root: pathlib.Path, gguf: bytes, padding: int) -> dict[str, t.Any]:
    """Padding is zeros but for the number of each megabyte, so that no part of the file can stand for another."""
    if not padding:
        return _blob(root, "model", gguf)
    unfinished = root / "blobs" / f".padded-{len(gguf)}-{padding}"
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(gguf)
    with unfinished.open("wb") as stream:
        stream.write(gguf)
        for number in range(0, padding, MEGABYTE):
            block = struct.pack("<Q", number) + ZEROS[8:]
            digest.update(block[: padding - number])
            stream.seek(len(gguf) + number)
            stream.write(block[: min(8, padding - number)])
        stream.truncate(len(gguf) + padding)
    unfinished.replace(root / "blobs" / f"sha256-{digest.hexdigest()}")
    size = len(gguf) + padding
    return {"mediaType": LAYER_TYPE + "model", "digest": f"sha256:{digest.hexdigest()}", "size": size}


def _tensors(width: int) -> dict[str, tuple[int, int]]:
    """Everything that the llama architecture needs; (n, 1) is a vector."""
    head = width // HEADS
    tensors = {"token_embd.weight": (width, len(_tokens())), "output_norm.weight": (width, 1)}
    for block in range(BLOCKS):
        parts = {
            "attn_norm": (width, 1),
            "attn_q": (width, width),
            "attn_k": (width, head * KEY_VALUE_HEADS),
            "attn_v": (width, head * KEY_VALUE_HEADS),
            "attn_output": (width, width),
            "ffn_norm": (width, 1),
            "ffn_gate": (width, 2 * width),
            "ffn_up": (width, 2 * width),
            "ffn_down": (2 * width, width),
        }
        tensors.update({f"blk.{block}.{name}.weight": shape for name, shape in parts.items()})
    return tensors


def _tokens() -> list[tuple[str, int]]:
    special = [("<unk>", UNKNOWN), ("<s>", CONTROL), ("</s>", CONTROL)]
    return (
        special
        + [(f"<0x{byte:02X}>", BYTE) for byte in range(256)]
        + [(f"\u2581{word}", NORMAL) for word in WORDS.split()]
    )


def gguf(model: TinyModel) -> bytes:
    """The file with the weights."""
    tensors = _tensors(model.width)
    tokens = _tokens()
    numbers = {
        "context_length": CONTEXT,
        "embedding_length": model.width,
        "block_count": BLOCKS,
        "feed_forward_length": 2 * model.width,
        "attention.head_count": HEADS,
        "attention.head_count_kv": KEY_VALUE_HEADS,
        "rope.dimension_count": model.width // HEADS,
    }
    if model.embedding:
        numbers["pooling_type"] = MEAN_POOLING
    pairs = [
        _string("general.architecture") + struct.pack("<I", STRING) + _string("llama"),
        _string("general.file_type") + struct.pack("<II", UINT32, model.file_type),
        *(_string(f"llama.{key}") + struct.pack("<II", UINT32, value) for key, value in numbers.items()),
        _string("llama.attention.layer_norm_rms_epsilon") + struct.pack("<If", FLOAT32, 1e-5),
        _string("tokenizer.ggml.model") + struct.pack("<I", STRING) + _string("llama"),
        _array("tokens", STRING, [_string(text) for text, _kind in tokens]),
        _array("scores", FLOAT32, [struct.pack("<f", -index) for index in range(len(tokens))]),
        _array("token_type", INT32, [struct.pack("<i", kind) for _text, kind in tokens]),
    ]
    for index, key in enumerate(("unknown", "bos", "eos")):
        pairs.append(_string(f"tokenizer.ggml.{key}_token_id") + struct.pack("<II", UINT32, index))
    return _with_tensors(pairs, tensors, model.seed)


def adapter(seed: int) -> bytes:
    """A GGUF file that calls itself an adapter of the models above."""
    texts = {"general.architecture": "llama", "general.type": "adapter", "adapter.type": "lora"}
    pairs = [_string(key) + struct.pack("<I", STRING) + _string(text) for key, text in texts.items()]
    return _with_tensors(pairs, {"blk.0.attn_q.weight.lora_a": (32, 4), "blk.0.attn_q.weight.lora_b": (4, 32)}, seed)


def _with_tensors(pairs: list[bytes], tensors: dict[str, tuple[int, int]], seed: int) -> bytes:
    header = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(pairs)) + b"".join(pairs)
    infos, data = b"", b""
    for number, (name, shape) in enumerate(tensors.items()):
        dimensions = [length for length in shape if length > 1]
        infos += _string(name) + struct.pack(f"<I{len(dimensions)}Q", len(dimensions), *dimensions)
        infos += struct.pack("<IQ", F32, len(data))
        data += _padded(_numbers(shape[0] * shape[1], seed + number, is_norm="norm" in name))
    return _padded(header + infos) + data


def _numbers(count: int, seed: int, is_norm: bool) -> bytes:
    if is_norm:
        return struct.pack("<f", 1.0) * count
    source = random.Random(seed)
    row = struct.pack("<1024f", *(source.uniform(-0.1, 0.1) for _index in range(1024)))
    return (row * (count // 1024 + 1))[: 4 * count]


def _array(name: str, kind: int, items: list[bytes]) -> bytes:
    return _string(f"tokenizer.ggml.{name}") + struct.pack("<IIQ", ARRAY, kind, len(items)) + b"".join(items)


def _string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % ALIGNMENT)
