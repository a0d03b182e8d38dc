# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Models made of other models: what is inherited, what is added, which digest comes out."""

from __future__ import annotations

import hashlib
import json
import typing as t

import pytest
from conftest import Make
from ollama_client import Server
from shelf import Shelf
from tiny_models import LICENSE, TEMPLATE

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
LAYER_TYPE = "application/vnd.ollama.image."
# As it stands in the layer of a created model: keys in order, whole numbers without a point.
PARAMETERS_TEXT = b'{"num_ctx":64,"stop":["x","y"],"temperature":1}\n'
MARIO = {"system": "You are Mario.", "parameters": {"temperature": 1, "num_ctx": 64, "stop": ["x", "y"]}}


@pytest.fixture
def base(server: Server, shelf: Shelf) -> str:
    name = shelf.add(parameters={"stop": ["<end>"], "temperature": 0.7, "top_k": 20}, system="Base system.")
    server.pull(name)
    return name


def digest_of(content: bytes | str) -> str:
    return f"sha256:{hashlib.sha256(content if isinstance(content, bytes) else content.encode()).hexdigest()}"


def shown(server: Server, name: str) -> dict[str, t.Any]:
    return server.call("POST", "/api/show", {"model": name}).json()


def parameters(server: Server, name: str) -> list[str]:
    return sorted(" ".join(line.split()) for line in shown(server, name).get("parameters", "").splitlines())


@pytest.fixture
def listed(server: Server, shelf: Shelf) -> t.Callable[[str], str]:
    """The digest of ``<namespace>/<name>``."""
    return lambda name: server.tags()[f"{shelf.namespace}/{name}:latest"]["digest"]


def layers(server: Server, shelf: Shelf, name: str) -> list[dict[str, t.Any]]:
    path = server.stored("manifests", "registry.ollama.ai", shelf.namespace, name, "latest")
    return json.loads(path.read_bytes())["layers"]


def test_the_steps_and_the_bytes_of_a_create(own_server: Server, shelf: Shelf, make: Make) -> None:
    base = shelf.add(embedding=True, seed=301)
    own_server.pull(base)
    answer = make("mario", **{**MARIO, "from": base})
    weights, licence, _config = shelf.digests(base)
    system, params = digest_of(MARIO["system"]), digest_of(PARAMETERS_TEXT)
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.lines == [
        {"status": f"using existing layer {weights}"},
        {"status": f"using existing layer {licence}"},
        {"status": f"creating new layer {system}"},
        {"status": f"creating new layer {params}"},
        {"status": "writing manifest"},
        {"status": "success"},
    ]
    config = {"model_format": "gguf", "model_family": "llama", "model_families": ["llama"], "model_type": "30K"}
    config_text = json.dumps(
        {**config, "file_type": "unknown", "architecture": "amd64", "os": "linux"}, separators=(",", ":")
    ).encode()
    expected = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {
            "mediaType": CONFIG_TYPE,
            "digest": digest_of(config_text + b"\n"),
            "size": len(config_text) + 1,
        },
        "layers": [
            {
                "mediaType": f"{LAYER_TYPE}model",
                "digest": weights,
                "size": shelf.blob(weights).stat().st_size,
                "from": base,
            },
            {"mediaType": f"{LAYER_TYPE}license", "digest": licence, "size": len(LICENSE), "from": base},
            {"mediaType": f"{LAYER_TYPE}system", "digest": system, "size": 14},
            {"mediaType": f"{LAYER_TYPE}params", "digest": params, "size": len(PARAMETERS_TEXT)},
        ],
    }
    path = own_server.stored("manifests", "registry.ollama.ai", shelf.namespace, "mario", "latest")
    raw = json.dumps(expected, separators=(",", ":")).encode() + b"\n"
    assert path.read_bytes() == raw
    assert own_server.blob(params).read_bytes() == PARAMETERS_TEXT
    assert own_server.tags()[f"{shelf.namespace}/mario:latest"]["digest"] == hashlib.sha256(raw).hexdigest()


def test_the_same_create_gives_the_same_digest(
    server: Server, shelf: Shelf, make: Make, base: str, listed: t.Callable[[str], str]
) -> None:
    make("mario", **{**MARIO, "from": base})
    first = listed("mario")
    modified = server.tags()[f"{shelf.namespace}/mario:latest"]["modified_at"]
    other_order = {"stop": ["x", "y"], "num_ctx": 64.0, "temperature": 1.0}
    again = make("mario", **{**MARIO, "from": base, "parameters": other_order})
    assert not [line for line in again.lines if line["status"].startswith("creating")]
    assert listed("mario") == first
    assert server.tags()[f"{shelf.namespace}/mario:latest"]["modified_at"] != modified
    server.call("DELETE", "/api/delete", {"model": f"{shelf.namespace}/mario"})
    make("mario", **{**MARIO, "from": base})
    make("luigi", **{**MARIO, "from": base})
    make("tagless", **{**MARIO, "from": base.removesuffix(":latest")})
    assert {listed(name) for name in ("mario", "luigi", "tagless")} == {first}


def test_what_gives_another_digest(
    server: Server, shelf: Shelf, make: Make, base: str, listed: t.Callable[[str], str]
) -> None:
    alias = f"{shelf.namespace}/alias"
    server.call("POST", "/api/copy", {"source": base, "destination": alias})
    make("mario", **{**MARIO, "from": base})
    make("byalias", **{**MARIO, "from": alias})
    make("bystops", **{**MARIO, "from": base, "parameters": {**MARIO["parameters"], "stop": ["y", "x"]}})
    make("bytext", **{**MARIO, "from": base, "parameters": {**MARIO["parameters"], "temperature": "1"}})
    make("bare", **{"from": base})
    digests = {listed(name) for name in ("mario", "byalias", "bystops", "bytext", "bare", "alias")}
    assert len(digests) == 6
    assert shown(server, f"{shelf.namespace}/mario")["details"]["parent_model"] == base
    assert shown(server, f"{shelf.namespace}/byalias")["details"]["parent_model"] == f"{alias}:latest"
    assert server.tags()[base]["digest"] == listed("alias")


def test_parameters_are_merged_with_those_of_the_base(server: Server, shelf: Shelf, make: Make, base: str) -> None:
    name = f"{shelf.namespace}/mario"
    make("mario", **{**MARIO, "from": base})
    assert parameters(server, base) == ['stop "<end>"', "temperature 0.7", "top_k 20"]
    assert parameters(server, name) == ["num_ctx 64", 'stop "x"', 'stop "y"', "temperature 1", "top_k 20"]
    make("mario", **{"from": name, "parameters": {"seed": 5}})
    assert parameters(server, name) == ["num_ctx 64", "seed 5", 'stop "x"', 'stop "y"', "temperature 1", "top_k 20"]


def test_how_parameters_are_shown(server: Server, shelf: Shelf, make: Make) -> None:
    plain = shelf.add("plain", embedding=True)
    server.pull(plain)
    values = {
        "num_ctx": 131072,
        "num_predict": 1000000,
        "seed": 1048576,
        "temperature": 0.123456789,
        "min_p": 0.00005,
        "use_mmap": True,
        "stop": ['say "x"', "a\nb", " c"],
    }
    make("mario", **{"from": plain, "parameters": values})
    found = shown(server, f"{shelf.namespace}/mario")
    assert sorted(found["parameters"].splitlines()) == [
        f"{'min_p':<30} 5e-05",
        f"{'num_ctx':<30} 131072",
        f"{'num_predict':<30} 1e+06",
        f"{'seed':<30} 1.048576e+06",
        f'{"stop":<30} " c"',
        f'{"stop":<30} "a\\nb"',
        f'{"stop":<30} "say \\"x\\""',
        f"{'temperature':<30} 0.123456789",
        f"{'use_mmap':<30} true",
    ]
    modelfile = found["modelfile"]
    for line in (
        "PARAMETER min_p 5e-05",
        "PARAMETER num_predict 1e+06",
        'PARAMETER stop say "x"',
        'PARAMETER stop "a\nb"',
        'PARAMETER stop " c"',
        "PARAMETER use_mmap true",
    ):
        assert f"\n{line}\n" in modelfile


def test_licences_grow(own_server: Server, shelf: Shelf, make: Make, base: str) -> None:
    name = f"{shelf.namespace}/mario"
    make("mario", **{"from": base})
    counts = []
    for _time in range(2):
        make("mario", **{"from": name, "license": "Licence B."})
        counts.append(len(layers(own_server, shelf, "mario")))
    assert counts == [6, 7]
    assert shown(own_server, name)["license"] == f"{LICENSE}\nLicence B.\nLicence B."


def test_empty_texts_inherit(server: Server, shelf: Shelf, make: Make, base: str) -> None:
    make("mario", **{"from": base, "system": "", "template": "", "license": "", "parameters": {}, "messages": []})
    found = shown(server, f"{shelf.namespace}/mario")
    assert (found["system"], found["template"], found["license"]) == ("Base system.", TEMPLATE, LICENSE)
    assert parameters(server, f"{shelf.namespace}/mario") == parameters(server, base)


def test_everything_that_can_be_set(server: Server, shelf: Shelf, make: Make, base: str) -> None:
    messages = [{"role": "user", "content": "hi"}, {"role": "Assistant", "content": "ho: two\nlines"}]
    fields = {"template": "{{ .System }}|{{ .Prompt }}", "license": ["L1", "L2"], "requires": "0.20.0"}
    answer = make("mario", **{**fields, "from": base, "messages": messages})
    assert answer.lines[-1] == {"status": "success"}
    found = shown(server, f"{shelf.namespace}/mario")
    assert found["license"] == f"{LICENSE}\nL1\nL2"
    assert found["template"] == "{{ .System }}|{{ .Prompt }}"
    assert found["system"] == "Base system."
    assert found["requires"] == "0.20.0"
    assert found["messages"] == [messages[0], {"role": "assistant", "content": "ho: two\nlines"}]
    assert found["modelfile"].endswith(
        f'LICENSE {LICENSE}\nLICENSE L1\nLICENSE L2\nMESSAGE user hi\nMESSAGE assistant "ho: two\nlines"\n'
    )


def test_messages_and_system_are_replaced(server: Server, shelf: Shelf, make: Make, base: str) -> None:
    name = f"{shelf.namespace}/mario"
    make("mario", **{"from": base, "messages": [{"role": "user", "content": "hi"}]})
    make("mario", **{"from": name, "messages": [{"role": "user", "content": "ho"}], "system": "Luigi."})
    found = shown(server, name)
    assert (found["messages"], found["system"]) == ([{"role": "user", "content": "ho"}], "Luigi.")


def test_an_old_layer_goes_with_the_create_that_replaces_it(
    own_server: Server, shelf: Shelf, make: Make, base: str
) -> None:
    old = digest_of(f"{shelf.namespace} is Mario.")
    make("mario", **{"from": base, "system": f"{shelf.namespace} is Mario."})
    assert own_server.blob(old).exists()
    make("mario", **{"from": base, "system": f"{shelf.namespace} is Luigi."})
    assert not own_server.blob(old).exists()
