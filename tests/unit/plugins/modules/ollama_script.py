# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The script of a server that is an Ollama server and a registry at once, for the tests of ``ollama_model``."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import typing as t

from ansible_collections.selfhosted.llm.plugins.modules import ollama_model

SUCCESS = [{"status": word} for word in ("pulling manifest", "verifying sha256 digest", "writing manifest", "success")]
IMAGE = "application/vnd.ollama.image"
TEMPLATE = "{{ .Prompt }}"


def sha256(data: str) -> str:
    return hashlib.sha256(data.encode()).hexdigest()


class Content(t.NamedTuple):
    """What a registry has by a name: the text of the manifest, and the digests and sizes of its files."""

    manifest: str
    files: dict[str, int]

    @property
    def digest(self) -> str:
        return sha256(self.manifest)

    @property
    def size(self) -> int:
        return sum(self.files.values())

    @property
    def weights(self) -> str:
        return next(iter(self.files))


def content(weights: str, indent: int | None = None) -> Content:
    """A model of these weights, of 1000 bytes for each letter.

    :arg indent: another number makes other bytes of the same manifest
    """
    layers = [
        {"mediaType": f"{IMAGE}.model", "digest": f"sha256:{sha256(weights)}", "size": 1000 * len(weights)},
        {"mediaType": f"{IMAGE}.template", "digest": f"sha256:{sha256(TEMPLATE)}", "size": len(TEMPLATE)},
    ]
    config = {"mediaType": "application/json", "digest": f"sha256:{sha256(weights + 'config')}", "size": 100}
    manifest = json.dumps({"schemaVersion": 2, "config": config, "layers": layers}, indent=indent)
    return Content(manifest, {layer["digest"]: layer["size"] for layer in [*layers, config]})


def item(name: str, of: Content) -> dict[str, t.Any]:
    """A model in ``/api/tags``."""
    return {"name": name, "model": name, "digest": of.digest, "size": of.size, "details": {"family": "llama"}}


def shown(of: Content, parent: str = "", **fields: t.Any) -> dict[str, t.Any]:
    """What ``/api/show`` says. ``parameters`` are in the server's notation."""
    weights = of.weights.replace(":", "-")
    return {
        "modelfile": f"# Modelfile\n\nFROM /models/blobs/{weights}\nTEMPLATE {TEMPLATE}\n",
        "template": TEMPLATE,
        "details": {"parent_model": parent, "family": "llama", "quantization_level": "F32"},
        **fields,
    }


def row(
    name: str, action: str, before: Content | None = None, after: Content | None = None, transferred: int | None = 0
) -> dict[str, t.Any]:
    """A model in the result, all of it but ``duration``."""
    now = {"digest": after and after.digest, "size": after and after.size}
    before_digest = before and before.digest
    return {"name": name, "action": action, "before": before_digest, **now, "bytes_transferred": transferred}


class Ollama:
    """Writes the script of a server, in the module's own order, and runs the module."""

    def __init__(self, server: t.Any, run_module: t.Callable[..., dict[str, t.Any]]) -> None:
        self.server = server
        self.url = server.url
        self._run_module = run_module

    def name(self, model: str) -> str:
        """The whole name of a model whose registry is the scripted server itself. It speaks plain HTTP."""
        return f"{self.url.removeprefix('http://')}/ns/{model}:latest"

    def second(self, name: str) -> str:
        """Where a model waits while it is replaced."""
        whole = name if name.count("/") == 2 else f"registry.ollama.ai/library/{name}"
        owner = f"{socket.gethostname()} {os.environ['XDG_STATE_HOME']}/selfhosted-llm"
        return f"selfhosted-llm-replaced/{sha256('/'.join(whole.rsplit(':', 1)))[:16]}:{sha256(owner)[:16]}"

    def run(self, check: bool = False, fails: bool = False, **params: t.Any) -> dict[str, t.Any]:
        """The result of the module. Its rows have lost ``duration``, and ``error`` where that is null."""
        connection = {"url": self.url, "retries": 0}
        result = self._run_module(ollama_model, {**connection, **params}, check=check, fails=fails)
        for model in result.get("models", []):
            assert model.pop("duration") >= 0
            assert (model["error"] is None) is (model["action"] != "failed")
            if model["error"] is None:
                del model["error"]
        # ansible-core 2.19 gives more than the text.
        result["warnings"] = [
            warning if isinstance(warning, str) else warning["event"]["msg"] for warning in result.get("warnings", [])
        ]
        return result

    def lists(self, models: dict[str, Content]) -> None:
        self.server.expect("GET", "/api/tags", answer={"models": [item(*model) for model in models.items()]})

    def has_in_memory(self, *names: str) -> None:
        self.server.expect("GET", "/api/ps", answer={"models": [{"name": name, "digest": 64 * "0"} for name in names]})

    def registry_has(self, of: Content | None, model: str = "m") -> None:
        answer = {"text": of.manifest} if of else {"status": 404, "text": "not found"}
        self.server.expect("GET", f"/v2/ns/{model}/manifests/latest", **answer)

    def stores(self, files: t.Iterable[str], lacks: t.Container[str] = ()) -> None:
        """The store is asked for files, all at once."""
        with self.server.any_order():
            for digest in files:
                self.server.expect("HEAD", f"/api/blobs/{digest}", status=404 if digest in lacks else 200)

    def lacks(self, files: t.Collection[str]) -> None:
        self.stores(files, files)

    def pulls(self, name: str, insecure: bool = True, lines: list[t.Any] | None = None, **answer: t.Any) -> None:
        body = {"model": name, "insecure": insecure, "stream": True}
        self.server.expect("POST", "/api/pull", body, **(answer or {"lines": lines or SUCCESS}))

    def copies(self, source: str, destination: str, **answer: t.Any) -> None:
        self.server.expect("POST", "/api/copy", {"source": source, "destination": destination}, **answer)

    def deletes(self, name: str, **answer: t.Any) -> None:
        self.server.expect("DELETE", "/api/delete", {"model": name}, **answer)

    def unloads(self, name: str) -> None:
        body = {"model": name, "keep_alive": 0, "stream": False}
        self.server.expect("POST", "/api/generate", body, answer={"model": name, "done_reason": "unload"})

    def shows(self, name: str, what: dict[str, t.Any] | None) -> None:
        answer = {"answer": what} if what else {"status": 404, "answer": {"error": f"model '{name}' not found"}}
        self.server.expect("POST", "/api/show", {"model": name}, **answer)

    def creates(self, body: dict[str, t.Any], **answer: t.Any) -> None:
        lines = [{"status": "creating new layer sha256:0"}, {"status": "writing manifest"}, {"status": "success"}]
        self.server.expect("POST", "/api/create", {**body, "stream": True}, **(answer or {"lines": lines}))
