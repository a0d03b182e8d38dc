# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts: containers that run systemd, SSH and, where a role installs it, a Docker Engine of their own."""

from __future__ import annotations

import contextlib
import functools
import json
import pathlib
import shutil
import typing as t

from tests.testbed import engine
from tests.testbed.network import LABEL, Network, members
from tests.testbed.shell import BedError, ask, docker, inspect, run, wait_for

# In the order of their numbers in the kernel, without the three newest, which older engines do not know.
CAPABILITIES = (
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
)
FIRST = 10
DOCKER_DATA = "/var/lib/docker"
COMMON = (
    "--security-opt=seccomp=unconfined",
    "--security-opt=systempaths=unconfined",
    "--security-opt=apparmor=unconfined",
    "--tmpfs=/run",
    "--tmpfs=/run/lock",
    # The inner engine's overlay2 does not work on the overlay of the container itself.
    f"--volume={DOCKER_DATA}",
    "--volume=/var/lib/containerd",
    "--stop-timeout=20",
)
# Debian 13 takes the older layout of cgroups only when it is forced to; Debian 12 does not mind.
LEGACY_CGROUPS = ("/sbin/init", "systemd.unified_cgroup_hierarchy=0", "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1")


def own_capabilities() -> list[str]:
    """Those that this machine may hand on: --privileged fails where its bounding set lacks a single one."""
    status = pathlib.Path("/proc/self/status").read_text()
    bounds = int(status.partition("CapBnd:")[2].split()[0], 16)
    return [name for number, name in enumerate(CAPABILITIES) if bounds >> number & 1]


def flags(cgroup_version: str) -> tuple[list[str], tuple[str, ...]]:
    """Options of docker create, and the command, with which systemd runs in a container of this machine."""
    if cgroup_version == "2":
        return ["--privileged", "--cgroupns=private", *COMMON], ()
    # The host's systemd sees all cgroups of the machine. In a namespace of its own it would take the machine's root for
    # its own root, share units with other hosts and remove their cgroups; so it has to know its real path.
    options = [f"--cap-add={name}" for name in own_capabilities()]
    return ["--cgroupns=host", "--volume=/sys/fs/cgroup:/sys/fs/cgroup:rw", *options, *COMMON], LEGACY_CGROUPS


def make_key(folder: pathlib.Path) -> pathlib.Path:
    key = folder / "id_ed25519"
    if not shutil.which("ssh-keygen"):
        engine.install("openssh-client")
    if not key.exists():
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "testbed", "-f", str(key)]
        run(command, "Making an SSH key", "Read the words of ssh-keygen below.")
    return key


def there(fleet: str) -> dict[str, dict[str, t.Any]]:
    """What the engine says of the hosts that the fleet has, by their names."""
    found = [inspect("container", name) or {} for name in members(fleet)]
    return {item["Config"]["Labels"][f"{LABEL}.member"]: item for item in found if f"{LABEL}.image" in _labels(item)}


def _labels(container: dict[str, t.Any]) -> dict[str, str]:
    return container.get("Config", {}).get("Labels") or {}


def images(fleet: str) -> set[str]:
    """The images of the hosts that the fleet has."""
    return {_labels(item)[f"{LABEL}.image"] for item in there(fleet).values()}


def start(network: Network, wanted: dict[str, str], folder: pathlib.Path) -> dict[str, str]:
    """Start what is missing; return the address of every host of the fleet, old ones included."""
    known = there(network.fleet)
    for name, image in wanted.items():
        if name in known and _labels(known[name])[f"{LABEL}.image"] != image:
            raise BedError(
                f"{name} of the fleet {network.fleet} is a {_labels(known[name])[f'{LABEL}.image']}, not a {image}.",
                "Take the fleet down first, or give the host another name.",
            )
    addresses = {
        name: item["NetworkSettings"]["Networks"][network.name]["IPAMConfig"]["IPv4Address"]
        for name, item in known.items()
    }
    free = (network.address(number) for number in range(FIRST, 250))
    for name in sorted(wanted.keys() - known.keys()):
        addresses[name] = next(address for address in free if address not in addresses.values())
        _create(network, name, addresses[name], wanted[name])
    for name in addresses:
        # Each time, for a run that was cut off after it had made the container.
        key = ("cp", str(folder / "id_ed25519.pub"), f"{network.name}-{name}:/root/.ssh/authorized_keys")
        docker(*key, doing=f"Giving {name} the SSH key")
        docker("start", f"{network.name}-{name}", doing=f"Starting {name}")
    keys = [f"{address} {_boot(network, name)}" for name, address in addresses.items()]
    (folder / "known_hosts").write_text("".join(f"{line}\n" for line in keys))
    for name, address in addresses.items():
        signs_in = functools.partial(_signs_in, folder, address)
        wait_for(
            signs_in, f"SSH on {name} ({address})", f"See docker exec {network.name}-{name} journalctl -u ssh.", 30
        )
    return addresses


def inner_containers(fleet: str) -> set[str]:
    """Identifiers of the containers that the hosts' own engines have."""
    mounts = [mount for host in there(fleet).values() for mount in host["Mounts"]]
    folders = [pathlib.Path(mount["Source"], "containers") for mount in mounts if mount["Destination"] == DOCKER_DATA]
    return {path.name for folder in folders if folder.is_dir() for path in folder.iterdir()}


def remove_cgroups(containers: set[str]) -> None:
    """Remove what hosts that are gone have left: on v1 their engines make cgroups beside those of this machine's."""
    for container in containers:
        for top in pathlib.Path("/sys/fs/cgroup").glob(f"*/docker/{container}"):
            for folder in [*sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True), top]:
                with contextlib.suppress(OSError):
                    folder.rmdir()


def _create(network: Network, name: str, address: str, image: str) -> None:
    facts = json.loads(docker("info", "--format={{json .}}", doing="Asking the engine about itself"))
    options, command = flags(facts.get("CgroupVersion", "1"))
    network.create(
        name, address, f"selfhosted-llm/host:{image}", f"--label={LABEL}.image={image}", *options, command=command
    )


def _boot(network: Network, name: str) -> str:
    """Wait until systemd has started everything; return the host's public SSH key."""
    container = f"{network.name}-{name}"

    def state() -> bool:
        return ask(["docker", "exec", container, "systemctl", "is-system-running"])[1].strip() in (
            "running",
            "degraded",
        )

    wait_for(state, f"systemd on {name}", f"See docker exec {container} journalctl -b.", 90)
    public = "/etc/ssh/ssh_host_ed25519_key.pub"
    return " ".join(docker("exec", container, "cat", public, doing=f"Reading the SSH key of {name}").split()[:2])


def ssh_options(folder: pathlib.Path) -> list[str]:
    return [
        f"-o UserKnownHostsFile={folder / 'known_hosts'}",
        "-o GlobalKnownHostsFile=/dev/null",
        "-o StrictHostKeyChecking=yes",
        "-o IdentitiesOnly=yes",
    ]


def _signs_in(folder: pathlib.Path, address: str) -> bool:
    options = [word for option in ssh_options(folder) for word in option.split(" ", 1)]
    command = ["ssh", "-i", str(folder / "id_ed25519"), *options, "-o", "BatchMode=yes", "-o", "ConnectTimeout=5"]
    return ask([*command, f"root@{address}", "true"])[0]
