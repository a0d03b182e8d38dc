# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""What lets containers use the GPUs: the container toolkit, CDI specifications and the engine."""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._docker_daemon import InvalidConfig, parse
from ansible_collections.selfhosted.llm.plugins.module_utils._nvidia import cdi
from ansible_collections.selfhosted.llm.plugins.module_utils._nvidia.host import Host
from ansible_collections.selfhosted.llm.plugins.module_utils._nvidia.packages import Package

DAEMON_CONFIG = "/etc/docker/daemon.json"


def describe(host: Host, found: list[Package]) -> dict[str, t.Any]:
    """The toolkit, the specifications and the engine.

    :arg found: the installed packages of the toolkit
    """
    return {
        "toolkit": _toolkit(host, found),
        "cdi": cdi.describe(host),
        "engine": _engine(host),
        "daemon_config": {"error": _daemon_config_error(host)},
    }


def _toolkit(host: Host, found: list[Package]) -> dict[str, t.Any]:
    # The package with the programs; the one without "-base" brings only the hook of the legacy mode since 1.11.
    versions = {package.name: package.version for package in found}
    packaged = versions.get("nvidia-container-toolkit-base") or versions.get("nvidia-container-toolkit")
    said = None if packaged else host.run("nvidia-ctk", "--version")
    match = re.search(r"\d+\.\d+\.\d+", packaged or (said.out if said else ""))
    return {
        "version": match.group() if match else None,
        "packages": versions,
        "held": [package.name for package in found if package.held],
    }


def _engine(host: Host) -> dict[str, t.Any] | None:
    said = host.run("docker", "info", "--format", "{{json .}}")
    try:
        info = json.loads(said.out) if said else {}
    except ValueError:
        info = {}
    # Without an engine the client prints what it knows of itself.
    if not info.get("ServerVersion"):
        return None
    directories = info.get("CDISpecDirs") or []
    return {
        "version": info["ServerVersion"],
        "runtimes": sorted(info.get("Runtimes") or {}),
        "default_runtime": info.get("DefaultRuntime"),
        "cgroup_driver": info.get("CgroupDriver"),
        # An engine that does not know CDI, or has it turned off, names no directories.
        "cdi": bool(directories),
        "cdi_dirs": directories,
        "containers_running": info.get("ContainersRunning", 0),
        "live_restore": info.get("LiveRestoreEnabled"),
        "swarm": (info.get("Swarm") or {}).get("LocalNodeState") not in (None, "", "inactive"),
    }


def _daemon_config_error(host: Host) -> str | None:
    try:
        parse(host.read(DAEMON_CONFIG).encode(), DAEMON_CONFIG)
    except InvalidConfig as exc:
        return str(exc)
    return None
