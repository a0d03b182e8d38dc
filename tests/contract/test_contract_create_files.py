# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Models made of uploaded GGUF files. What rewrites weights is marked ``needs_inference``: it needs llama-quantize."""

from __future__ import annotations

import hashlib
import typing as t

import pytest
from conftest import Make
from ollama_client import Server
from shelf import Shelf
from tiny_models import TinyModel, adapter, gguf

PARSING = {"status": "parsing GGUF"}
VERIFYING = {"status": "verifying conversion"}
END = [{"status": "writing manifest"}, {"status": "success"}]
UNSUPPORTED = "quantization is only supported for F16, BF16 and F32 models"
NOT_GGUF = b"this is no GGUF file"


@pytest.fixture
def upload(server: Server) -> t.Callable[[bytes], str]:
    """Uploads bytes and gives their digest."""

    def call(content: bytes) -> str:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        assert server.call("POST", f"/api/blobs/{digest}", content).status in (200, 201)
        return digest

    return call


@pytest.fixture
def weights(upload: t.Callable[[bytes], str]) -> str:
    return upload(gguf(TinyModel("", "", 32, 401)))


def weights_of(server: Server, shelf: Shelf, name: str) -> str:
    """The digest of the weights, as the Modelfile tells it."""
    modelfile = server.call("POST", "/api/show", {"model": f"{shelf.namespace}/{name}"}).json()["modelfile"]
    line = next(line for line in modelfile.splitlines() if line.startswith("FROM "))
    return line.rpartition("/")[2].replace("-", ":")


def listed(server: Server, shelf: Shelf, name: str) -> dict[str, t.Any]:
    return server.tags()[f"{shelf.namespace}/{name}:latest"]


@pytest.mark.needs_inference
def test_weights_are_written_anew_and_always_alike(own_server: Server, shelf: Shelf, make: Make, weights: str) -> None:
    first = make("first", files={"m.gguf": weights}, system="S")
    written = weights_of(own_server, shelf, "first")
    assert written != weights
    system = f"sha256:{hashlib.sha256(b'S').hexdigest()}"
    assert first.lines[:2] == [PARSING, VERIFYING]
    assert first.lines[2]["status"].endswith(f" layer {written}")
    assert first.lines[3]["status"].endswith(f" layer {system}")
    assert first.lines[4:] == END
    again = make("first", files={"m.gguf": weights}, system="S")
    assert again.lines[2] == {"status": f"using existing layer {written}"}
    make("second", files={"other-name.gguf": weights}, system="S")
    assert listed(own_server, shelf, "first")["digest"] == listed(own_server, shelf, "second")["digest"]
    details = listed(own_server, shelf, "first")["details"]
    assert (details["parent_model"], details["parameter_size"], details["quantization_level"]) == ("", "30K", "unknown")
    assert (details["context_length"], details["embedding_length"]) == (2048, 32)


@pytest.mark.needs_inference
def test_what_was_uploaded_stays_as_an_orphan(own_server: Server, shelf: Shelf, make: Make, weights: str) -> None:
    make("made", files={"m.gguf": weights})
    written = weights_of(own_server, shelf, "made")
    own_server.call("DELETE", "/api/delete", {"model": f"{shelf.namespace}/made"})
    assert own_server.blob(weights).exists()
    assert not own_server.blob(written).exists()


@pytest.mark.needs_inference
def test_a_file_whose_name_tells_nothing(server: Server, make: Make, weights: str) -> None:
    assert make("made", files={"weights": weights}).lines[-1] == {"status": "success"}


@pytest.mark.needs_inference
def test_quantization(server: Server, shelf: Shelf, make: Make, upload: t.Callable[[bytes], str]) -> None:
    half = upload(gguf(TinyModel("", "", 32, 402, file_type=1)))
    made = make("made", files={"m.gguf": half}, quantize="q8_0")
    assert made.lines[0] == PARSING
    steps = [line for line in made.lines[1:] if not line["status"].startswith("quantizing F16 model to Q8_0")]
    assert steps[0] == VERIFYING
    assert steps[1]["status"].startswith("creating new layer sha256:")
    assert steps[2:] == END
    assert listed(server, shelf, "made")["details"]["quantization_level"] == "Q8_0"


@pytest.mark.needs_inference
def test_a_file_that_has_the_wanted_type_already(
    server: Server, shelf: Shelf, make: Make, upload: t.Callable[[bytes], str]
) -> None:
    half = upload(gguf(TinyModel("", "", 32, 402, file_type=1)))
    assert make("made", files={"m.gguf": half}, quantize="F16").lines[-1] == {"status": "success"}
    assert listed(server, shelf, "made")["details"]["quantization_level"] == "F16"


@pytest.mark.parametrize("quantize", ["q8_0", "Q4_K_M", "f16"])
def test_a_file_that_does_not_tell_its_type_is_not_quantized(make: Make, weights: str, quantize: str) -> None:
    answer = make("refused", files={"m.gguf": weights}, quantize=quantize)
    assert (answer.status, answer.lines) == (200, [PARSING, {"error": UNSUPPORTED}])


def test_an_unknown_quantization(make: Make, weights: str) -> None:
    message = "unsupported quantization type ZZ - supported types are F32, F16, Q4_K_S, Q4_K_M, Q8_0"
    assert make("refused", files={"m.gguf": weights}, quantize="zz").lines == [PARSING, {"error": message}]


def test_a_file_that_was_not_uploaded(own_server: Server, make: Make) -> None:
    digest = f"sha256:{64 * '1'}"
    message = f"open {own_server.blob(digest)}: no such file or directory"
    assert make("refused", files={"m.gguf": digest}).lines == [PARSING, {"error": message}]


def test_a_file_of_another_kind(make: Make, upload: t.Callable[[bytes], str]) -> None:
    digest = upload(NOT_GGUF)
    message = "supplied file was not in GGUF format"
    answer = make("refused", files={"m.gguf": digest})
    assert (answer.status, answer.lines) == (200, [PARSING, {"error": message}])
    assert make("refused", files={"m.bin": digest}).error == (400, "unknown type")
    assert make("refused", files={"m.gguf": digest}, stream=False).error == (400, message)


def test_a_file_that_is_too_short(make: Make, upload: t.Callable[[bytes], str]) -> None:
    whole = gguf(TinyModel("", "", 32, 403))
    short = upload(whole[:-32])
    parsing, error = make("refused", files={"m.gguf": short}).lines
    assert parsing == PARSING
    message = f'tensor "blk.1.ffn_down.weight" offset+size ({len(whole)}) exceeds file size ({len(whole) - 32})'
    assert error == {"error": message}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "unknown type"),
        ({"/abs.gguf": "DIGEST"}, "file path must be relative"),
        ({"../up.gguf": "DIGEST"}, "file path must be relative"),
        ({"a//b.gguf": "DIGEST"}, "file path must be relative"),
        ({"m.gguf": ""}, "invalid digest format"),
    ],
)
def test_refused_files(make: Make, weights: str, files: dict[str, str], message: str) -> None:
    files = {path: digest and weights for path, digest in files.items()}
    assert make("refused", files=files).error == (400, message)


def test_a_malformed_digest(make: Make) -> None:
    assert make("refused", files={"m.gguf": "zzz"}).lines == [PARSING, {"error": "invalid digest format"}]


def test_an_adapter_is_added_to_the_base(
    own_server: Server, shelf: Shelf, make: Make, upload: t.Callable[[bytes], str], pulled: str
) -> None:
    digest = upload(adapter(1))
    made = make("adapted", **{"from": pulled, "adapters": {"a.gguf": digest}})
    assert made.lines[0] == PARSING
    assert {"status": f"using existing layer {digest}"} in made.lines
    assert made.lines[-2:] == END
    shown = own_server.call("POST", "/api/show", {"model": f"{shelf.namespace}/adapted"}).json()
    lines = shown["modelfile"].splitlines()
    assert lines[4:6] == [f"FROM {own_server.blob(shelf.weights(pulled))}", f"ADAPTER {own_server.blob(digest)}"]
    before = listed(own_server, shelf, "adapted")["digest"]
    make("adapted", **{"from": pulled, "adapters": {"other-name.gguf": digest}})
    # The name of the file is a part of the manifest.
    assert listed(own_server, shelf, "adapted")["digest"] != before


def test_two_adapters_are_refused(make: Make, upload: t.Callable[[bytes], str], pulled: str) -> None:
    adapters = {"a.gguf": upload(adapter(1)), "b.gguf": upload(adapter(2))}
    answer = make("refused", **{"from": pulled, "adapters": adapters})
    assert answer.error == (400, "only one adapter is currently supported")
    assert make("refused", **{"from": pulled, "adapters": {"a.gguf": ""}}).error == (400, "invalid digest format")
