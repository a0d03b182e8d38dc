# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet: hosts, an image registry and a model registry on a network of their own."""

from __future__ import annotations

import concurrent.futures
import json
import pathlib
import re
import shutil

from tests.testbed import base, engine, hosts, images, inventory, network, registry
from tests.testbed.shell import CACHE, STATE, BedError, docker, inspect, only_one, say, step

NAME = re.compile(r"[a-z][a-z0-9-]{0,19}")
OLLAMA = f"ollama/ollama:{images.OLLAMA_VERSION}"
OPEN_WEBUI = f"open-webui/open-webui:v{images.OPEN_WEBUI_VERSION}"
OPEN_WEBUI_NEXT = f"open-webui/open-webui:v{images.OPEN_WEBUI_NEXT}"
OPEN_WEBUI_PREVIOUS = f"open-webui/open-webui:v{images.OPEN_WEBUI_PREVIOUS}"
# What hosts pull, by where it comes from.
SERVED = {
    "image": {OLLAMA: OLLAMA, OPEN_WEBUI: f"ghcr.io/{OPEN_WEBUI}"},
    "standin": {OLLAMA: images.OLLAMA, OPEN_WEBUI: images.OPEN_WEBUI},
}
PREVIOUS = {"image": f"ghcr.io/{OPEN_WEBUI_PREVIOUS}", "standin": images.CATALOGUE["open-webui-previous"].tag}


def up(fleet: str, wanted: dict[str, str], forced: str | None, upgrades: bool = False) -> None:
    """Start what is missing. What runs stays as it is.

    :arg upgrades: also serve an older Open WebUI and the broken ones
    """
    folder = STATE / fleet
    with only_one(CACHE / f"{fleet}.lock", f"changing the fleet {fleet}"):
        folder.mkdir(parents=True, exist_ok=True)
        source = _source(folder / "fleet.json", forced)
        served = dict(SERVED[source])
        changed = {OPEN_WEBUI_NEXT: images.next_open_webui(served[OPEN_WEBUI])}
        if upgrades:
            served[OPEN_WEBUI_PREVIOUS] = PREVIOUS[source]
            broken = images.broken_open_webui(served[OPEN_WEBUI])
            changed.update({f"open-webui/open-webui:v{version}": image for version, image in broken.items()})
        names = ["registry", "model-registry", *(f"host:{image}" for image in wanted.values())]
        names += ["ollama-standin", "open-webui"] if source == "standin" else []
        # Only hosts with GPUs need the stub packages.
        gpus = any("-gpu" in image for image in {*wanted.values(), *hosts.images(fleet)})
        names += ["packages"] if gpus else []
        if upgrades and source == "standin":
            names += ["open-webui-previous"]
        elif upgrades:
            base.pull(PREVIOUS[source], insist=True)
        images.make([*(images.CATALOGUE[name] for name in names), *changed.values()])
        hosts.make_key(folder)
        place = network.ensure(fleet)
        with step(f"Fleet {fleet}: starting"), concurrent.futures.ThreadPoolExecutor(1) as pool:
            address = registry.start(place)
            models = registry.start_models(place)
            pushing = pool.submit(
                registry.push, place, {**served, **{name: image.tag for name, image in changed.items()}}
            )
            nvidia = {"testbed_nvidia": registry.start_packages(place)} if gpus else {}
            running = hosts.start(place, wanted, folder)
            pushing.result()
        variables = {
            "testbed_registry": f"{address}:{registry.PORT}",
            "testbed_model_registry": models,
            "testbed_ollama": source,
            **nvidia,
        }
        written = inventory.write(folder, running, variables)
        say(f"Fleet {fleet}: {', '.join(sorted(running)) or 'no host'} ready; inventory {written}")


def _source(file: pathlib.Path, forced: str | None) -> str:
    """Whether the real images are used or those built here; decided once for a fleet unless the user says otherwise."""
    known = json.loads(file.read_text())["ollama"] if file.exists() else None
    source = forced or known
    if source != "standin":
        pulled = all(base.pull(image, insist=source == "image") for image in SERVED["image"].values())
        source = "image" if pulled else "standin"
    file.write_text(json.dumps({"ollama": source}))
    if source == "image":
        say("Images: the real ollama/ollama and open-webui, from their public registries.")
    else:
        say("Images: built here (a stand-in for Ollama; the real Open WebUI from PyPI).")
    return source


def names() -> list[str]:
    """Every fleet that has files here or anything in the engine."""
    files = {path.name for path in STATE.glob("*") if (path / "fleet.json").exists()}
    return sorted(files | network.fleets())


def down(fleets: list[str]) -> None:
    if not engine.answers():
        raise BedError(
            "No Docker Engine answers, so nothing can be removed.", "Start it: python -m tests.testbed engine."
        )
    for fleet in fleets:
        with only_one(CACHE / f"{fleet}.lock", f"changing the fleet {fleet}"), step(f"Fleet {fleet}: removing"):
            inner = hosts.inner_containers(fleet)
            if containers := network.members(fleet):
                docker("rm", "--force", "--volumes", *containers, doing=f"Removing the fleet {fleet}", timeout=300)
            if inspect("network", f"testbed-{fleet}"):
                docker("network", "rm", f"testbed-{fleet}", doing=f"Removing the network of {fleet}")
            hosts.remove_cgroups(inner)
            shutil.rmtree(STATE / fleet, ignore_errors=True)
