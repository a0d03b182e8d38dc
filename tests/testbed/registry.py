# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fleet's image registry, filled with the images that its hosts pull, and its model registry."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request

from tests.testbed import images
from tests.testbed.network import Network
from tests.testbed.shell import CACHE, docker, inspect, say, step, wait_for

PORT = 5000
MODEL_PORT = 5001
MANIFESTS = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
)


def start(network: Network) -> str:
    """Start the image registry and return its address on the fleet's network."""
    store = CACHE / "registry"
    store.mkdir(exist_ok=True)
    # The engine pushes over loopback, where it accepts plain HTTP without being told.
    options = (f"--volume={store}:/var/lib/docker-registry", f"--publish=127.0.0.1::{PORT}")
    address = network.address(2)
    network.service("registry", address, images.CATALOGUE["registry"].tag, *options)
    return address


def start_models(network: Network) -> str:
    """Start the registry of models and return host:port."""
    address = network.address(3)
    network.service("model-registry", address, images.CATALOGUE["model-registry"].tag)
    return f"{address}:{MODEL_PORT}"


def start_packages(network: Network) -> str:
    """Start the package repositories and return their address; hosts know it as "packages" too."""
    address = network.address(4)
    network.service("packages", address, images.CATALOGUE["packages"].tag)
    return f"http://{address}"


def push(network: Network, served: dict[str, str]) -> None:
    """Bring images into the registry under the names that hosts use; what is there already stays."""
    container = inspect("container", f"{network.name}-registry") or {}
    here = f"127.0.0.1:{container['NetworkSettings']['Ports'][f'{PORT}/tcp'][0]['HostPort']}"
    wait_for(lambda: _get(f"{here}/v2/"), "The image registry", f"See docker logs {network.name}-registry.", 30)
    for name, image in served.items():
        if (inspect("image", image) or {}).get("Id") in _stored(here, name):
            say(f"{name}: in the registry")
            continue
        with step(f"{name}: pushing {image}"):
            docker("tag", image, f"{here}/{name}", doing=f"Naming {image}")
            docker("push", f"{here}/{name}", doing=f"Pushing {name}", timeout=900)
            docker("image", "rm", f"{here}/{name}", doing=f"Taking the name {here}/{name} away")


def _stored(registry: str, name: str) -> set[str]:
    """Identifiers of the image that the registry has: engines with different stores use one or the other."""
    repository, tag = name.rsplit(":", 1)
    answer = _get(f"{registry}/v2/{repository}/manifests/{tag}")
    if not answer:
        return set()
    digest, body = answer
    return {digest, json.loads(body).get("config", {}).get("digest", digest)}


def _get(address: str) -> tuple[str, bytes] | None:
    request = urllib.request.Request(f"http://{address}", headers={"Accept": ", ".join(MANIFESTS)})
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=10) as response:
            return response.headers.get("Docker-Content-Digest", ""), response.read()
    except (urllib.error.URLError, http.client.HTTPException, OSError):
        return None
