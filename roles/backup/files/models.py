# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Puts the models of a backup that no registry has into the store of Ollama, and compares all of them with the backup.

Arguments: the directories of the backup and of the store ("" when it is not on this host), where to keep what is
replaced, and the server's URL. Prints one JSON object: ``put`` (names), ``wrong`` (names with the reason), ``aside``
(a directory, or null).
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import sys
import typing as t
import urllib.request

Json = dict[str, t.Any]


def digests_of(url: str) -> dict[str, str]:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{url}/api/tags", timeout=60) as answer:
        return {model["name"]: model["digest"] for model in json.load(answer)["models"]}


@contextlib.contextmanager
def directory_of(path: pathlib.Path, volume: pathlib.Path) -> t.Iterator[int]:
    """The directory of a path in the volume. This is root, and follows no link that the server may have made there."""
    place = os.open(volume, os.O_DIRECTORY)
    try:
        for part in path.relative_to(volume).parts[:-1]:
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, 0o755, dir_fd=place)
            inner = os.open(part, os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=place)
            os.close(place)
            place = inner
        yield place
    finally:
        os.close(place)


def install(source: pathlib.Path, target: pathlib.Path, volume: pathlib.Path) -> None:
    """All of it or nothing: a server that runs reads it at any time."""
    partial = f"{target.name}.arriving"
    with open(source, "rb") as content, directory_of(target, volume) as place:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(partial, dir_fd=place)
        new = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, dir_fd=place)
        with open(new, "wb") as file:
            shutil.copyfileobj(content, file)
            file.flush()
            os.fchmod(new, 0o644)
            os.fsync(new)
        os.rename(partial, target.name, src_dir_fd=place, dst_dir_fd=place)


def put(model: Json, backup: pathlib.Path, store: pathlib.Path, aside: pathlib.Path) -> str:
    """Why the model cannot be put there, or nothing."""
    blobs = {layer["digest"].replace(":", "-"): layer for layer in model["layers"]}
    lacking = []
    for name, layer in blobs.items():
        target = store / "blobs" / name
        if target.exists() and target.stat().st_size == layer["size"]:
            continue
        if layer["saved"]:
            install(backup / "models" / "blobs" / name, target, store.parent)
        else:
            lacking.append(name)
    if lacking:
        origin = model["weights"]["name"] or "no registry"
        return f"its weights ({', '.join(lacking)}) are not in the backup, and {origin} did not bring them"
    manifest = backup / model["manifest"]
    target = store / pathlib.PurePosixPath(model["manifest"]).relative_to("models")
    if target.exists() and target.read_bytes() != manifest.read_bytes():
        install(target, aside / target.relative_to(store), store.parent)
    install(manifest, target, store.parent)
    return ""


def main() -> None:
    backup, store, aside, url = sys.argv[1:]
    models = json.loads((pathlib.Path(backup) / "manifest.json").read_text())["models"]
    there, done, wrong = digests_of(url), [], {}
    for model in models:
        if there.get(model["name"]) == model["digest"] or model["weights"]["from"] == "registry":
            continue
        if not store or not model["manifest"]:
            wrong[model["name"]] = "its files are not within reach of this host"
            continue
        problem = put(model, pathlib.Path(backup), pathlib.Path(store), pathlib.Path(aside))
        if problem:
            wrong[model["name"]] = problem
        else:
            done.append(model["name"])
    there = digests_of(url)
    for model in models:
        digest = there.get(model["name"])
        if digest != model["digest"]:
            wrong.setdefault(
                model["name"], f"its digest is {digest} and was {model['digest']}" if digest else "it is missing"
            )
    print(json.dumps({"put": done, "wrong": wrong, "aside": aside if os.path.isdir(aside) else None}))


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as exc:
        sys.exit(f"The models could not be put back: {exc}")
