# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The network of a fleet, with fixed addresses, and the containers on it."""

from __future__ import annotations

import dataclasses
import ipaddress
import typing as t

from tests.testbed.shell import CACHE, docker, inspect, only_one

LABEL = "selfhosted-llm.fleet"


@dataclasses.dataclass(frozen=True)
class Network:
    fleet: str
    subnet: ipaddress.IPv4Network

    @property
    def name(self) -> str:
        return f"testbed-{self.fleet}"

    def address(self, number: int) -> str:
        return str(self.subnet[number])

    def create(self, name: str, address: str, image: str, *options: str, command: t.Sequence[str] = ()) -> None:
        container = f"{self.name}-{name}"
        labels = [f"--label={LABEL}={self.fleet}", f"--label={LABEL}.member={name}"]
        place = [f"--network={self.name}", f"--ip={address}", f"--network-alias={name}", f"--hostname={name}"]
        docker(
            *("create", f"--name={container}", "--restart=unless-stopped", *labels, *place, *options, image, *command),
            doing=f"Creating {container}",
        )

    def service(self, name: str, address: str, image: str, *options: str) -> None:
        """Leave with a running container of this name, made from the image as it is now."""
        container = f"{self.name}-{name}"
        there = inspect("container", container)
        if there and there["Image"] != (inspect("image", image) or {}).get("Id"):
            docker("rm", "--force", "--volumes", container, doing=f"Replacing {container}")
            there = None
        if not there:
            self.create(name, address, image, *options)
        docker("start", container, doing=f"Starting {container}")


def ensure(fleet: str) -> Network:
    name = f"testbed-{fleet}"
    there = inspect("network", name)
    if not there:
        with only_one(CACHE / "network.lock", "making a network"):
            # Fixed addresses need a subnet that was named, and only the engine knows which one is free: ask it first.
            docker("network", "create", name, doing=f"Making the network {name}")
            subnet = _subnet(inspect("network", name))
            docker("network", "rm", name, doing=f"Making the network {name}")
            docker(
                *("network", "create", f"--label={LABEL}={fleet}", f"--subnet={subnet}", name),
                doing=f"Making the network {name}",
            )
    return Network(fleet, _subnet(there or inspect("network", name)))


def _subnet(network: t.Any) -> ipaddress.IPv4Network:
    return ipaddress.IPv4Network(network["IPAM"]["Config"][0]["Subnet"])


def members(fleet: str) -> list[str]:
    """The engine's names of a fleet's containers."""
    listed = docker(
        *("ps", "--all", f"--filter=label={LABEL}={fleet}", "--format={{.Names}}"), doing=f"Listing the fleet {fleet}"
    )
    return sorted(listed.split())


def fleets() -> set[str]:
    """Every fleet of which the engine has a container or a network."""
    found: set[str] = set()
    for command in (["ps", "--all"], ["network", "ls"]):
        options = (f"--filter=label={LABEL}", f'--format={{{{.Label "{LABEL}"}}}}')
        found.update(docker(*command, *options, doing="Listing the fleets").split())
    return found
