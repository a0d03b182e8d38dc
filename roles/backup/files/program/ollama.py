# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a backup of an Ollama server holds: its models by digest, and everything of them that no registry has."""

from __future__ import annotations

import json
import os
import re
import typing as t
import urllib.request
from pathlib import Path

from basics import Failed
from config import image_of
from tree import Tree, walk

# By far the largest files, and nearly always to be had again.
WEIGHTS = {f"application/vnd.ollama.image.{kind}" for kind in ("model", "projector", "adapter", "tensor")}
REGISTRY = "registry.ollama.ai"
DEFAULTS = [REGISTRY, "library"]
# It becomes a path, and the service can write whatever it likes into its manifests.
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
TIMEOUT = 60

Config = dict[str, t.Any]
Model = dict[str, t.Any]


def gather(config: Config, tree: Tree) -> dict[str, t.Any]:
    """Put the models' small files into the tree, and their weights if they are wanted.

    :returns: what the manifest says of it
    """
    models = []
    stored = _stored(Path(config["data"]) / "manifests") if config["data"] else {}
    for listed in _ask(config, "/api/tags").get("models") or []:
        model = {key: listed.get(key) for key in ("name", "digest", "size", "details")}
        path = stored.get("/".join(_parts(listed["name"])).casefold())
        models.append({**model, **_add(config, tree, listed["name"], path)})
    for model in models:
        if model["weights"]["from"] == "nowhere":
            tree.warn(
                f"The weights of {model['name']} were made from files and are in no registry: a restore needs them in"
                " the backup, by backup_weights."
            )
    facts = {"database": None, "schema": [], "counts": {"models": len(models)}, "missing": [], "models": models}
    program = {"version": _ask(config, "/api/version").get("version") or config["version"], "image": image_of(config)}
    return {**facts, "program": program, "vectors": {"state": "none", "reason": ""}}


def needed(config: Config, tree: Tree) -> int:
    """The bytes that a backup would take at most. Without the weights they are not worth a look."""
    if not config["data"] or not config["weights"]:
        return 0
    return tree.needed(Path(config["data"]) / "blobs", "models/blobs")


def _add(config: Config, tree: Tree, name: str, path: Path | None) -> Model:
    store = Path(config["data"])
    place = f"models/{path.relative_to(store)}" if path else ""
    if not path or not tree.add(path, place):
        return {"manifest": None, "layers": [], "weights": {"from": "registry", "name": "/".join(_parts(name))}}
    text = (tree.path / place).read_bytes()
    try:
        manifest = json.loads(text)
        found = [
            {key: layer[key] for key in ("digest", "size", "mediaType")}
            for layer in [*manifest["layers"], manifest["config"]]
        ]
        if not all(DIGEST.fullmatch(layer["digest"]) for layer in found):
            raise ValueError("a digest that is none")
    except (ValueError, KeyError, TypeError) as exc:
        raise Failed(f"{path}, the manifest of the model {name}, is damaged: pull or make {name} again.") from exc
    layers = []
    for layer in found:
        saved = config["weights"] or layer["mediaType"] not in WEIGHTS
        if saved:
            _add_blob(tree, store, layer["digest"], name)
        layers.append({**layer, "saved": saved})
    bases = [layer["from"] for layer in manifest["layers"] if layer["mediaType"] in WEIGHTS and layer.get("from")]
    return {"manifest": place, "layers": layers, "weights": _origin(config, name, text, bases)}


def _add_blob(tree: Tree, store: Path, digest: str, model: str) -> None:
    blob = digest.replace(":", "-")
    place = f"models/blobs/{blob}"
    if (tree.path / place).exists():
        return
    if tree.add(store / "blobs" / blob, place, once=True) != digest.rpartition(":")[2]:
        raise Failed(
            f"The file {store / 'blobs' / blob} of the model {model} is missing or damaged, so no backup was made."
            f" Pull or make {model} again, or remove it."
        )


def _origin(config: Config, name: str, text: bytes, bases: list[str]) -> dict[str, str | None]:
    full = "/".join(_parts(name))
    if config["weights"]:
        return {"from": "backup", "name": None}
    if bases:
        return {"from": "base", "name": bases[0]}
    # The server ends the manifests that it writes itself with a newline, those of this registry have none.
    if full.startswith(f"{REGISTRY}/") and text.endswith(b"\n"):
        return {"from": "nowhere", "name": None}
    return {"from": "registry", "name": full}


def _stored(manifests: Path) -> dict[str, Path]:
    """Where the manifest of each model is. The server compares names without case."""
    found = {}
    for path, relative in walk(manifests):
        *folders, tag = relative.split(os.sep)
        found[f"{'/'.join(folders)}:{tag}".casefold()] = path
    return found


def _parts(name: str) -> list[str]:
    parts = name.split("/")
    return [*DEFAULTS[: 3 - len(parts)], *parts]


def _ask(config: Config, path: str) -> dict[str, t.Any]:
    url = config["api"].rstrip("/") + path
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=TIMEOUT) as answer:
            return json.load(answer)
    except (OSError, ValueError) as exc:
        raise Failed(
            f"Ollama on {config['host']} does not say at {url} which models it has ({exc}): see that it runs."
        ) from exc
