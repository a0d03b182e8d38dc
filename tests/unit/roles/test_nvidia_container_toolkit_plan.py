# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role plans from what nvidia_gpu_info found, worked out by Ansible itself."""

from __future__ import annotations

import copy
import json
import typing as t

import pytest

PACKAGES = (
    "nvidia-container-toolkit",
    "nvidia-container-toolkit-base",
    "libnvidia-container-tools",
    "libnvidia-container1",
)
CDI = {"features": {"cdi": True}}
RUNTIME = {"runtimes": {"nvidia": {"path": "nvidia-container-runtime", "args": []}}}
LIVE = {"live-restore": True}
GENERATED = ["0", "1", "GPU-12345678-1234-1234-1234-123456780000", "all"]

# A host on which all is well; a case says what is different.
INFO: dict[str, t.Any] = {
    "driver": {"loaded": {"version": "580.95.05", "flavour": "open"}, "action": "none"},
    "stack": {
        "toolkit": {"version": "1.18.1", "packages": dict.fromkeys(PACKAGES, "1.18.1-1"), "held": list(PACKAGES)},
        "cdi": {
            "devices": [f"nvidia.com/gpu={device}" for device in GENERATED],
            "driver_version": "580.95.05",
            "specs": [
                {
                    "path": "/var/run/cdi/nvidia.yaml",
                    "kind": "nvidia.com/gpu",
                    "driver_version": "580.95.05",
                    "devices": GENERATED,
                    "error": None,
                }
            ],
            "duplicates": [],
        },
        "engine": {
            "version": "26.1.5",
            "runtimes": ["nvidia", "runc"],
            "cdi": True,
            "live_restore": False,
            "swarm": False,
            "containers_running": 2,
        },
    },
}
LOOK: dict[str, t.Any] = {"stale": [], "contested": False, "hooks": "known", "mig": True}
NOTHING: dict[str, t.Any] = {
    "install": False,
    "hold": False,
    "repository": False,
    "refresh": False,
    "leftovers": [],
    "apply": "auto",
    "options": {},
}


def spec(path: str, version: str | None, devices: list[str], kind: str = "nvidia.com/gpu") -> dict[str, t.Any]:
    return {"path": path, "kind": kind, "driver_version": version, "devices": devices, "error": None}


def with_(*settings: tuple[str, t.Any]) -> dict[str, t.Any]:
    """The host with other values, by their paths."""
    info = copy.deepcopy(INFO)
    for path, value in settings:
        place = info
        *folders, name = path.split(".")
        for folder in folders:
            place = place[folder]
        place[name] = value
    return info


def specs(*found: dict[str, t.Any], duplicates: tuple[str, ...] = ()) -> dict[str, t.Any]:
    return with_(("stack.cdi.specs", list(found)), ("stack.cdi.duplicates", list(duplicates)))


def packages(**versions: str) -> dict[str, t.Any]:
    found = {
        **INFO["stack"]["toolkit"]["packages"],
        **{name.replace("_", "-"): version for name, version in versions.items()},
    }
    return with_(("stack.toolkit.packages", {name: version for name, version in found.items() if version}))


def toolkit(version: str) -> dict[str, t.Any]:
    return with_(("stack.toolkit.packages", dict.fromkeys(PACKAGES, version)))


def engine(**settings: t.Any) -> dict[str, t.Any]:
    return with_(*((f"stack.engine.{name}", value) for name, value in settings.items()))


NO_TOOLKIT = with_(("stack.toolkit", {"version": None, "packages": {}, "held": []}), ("stack.cdi.specs", []))
FRESH = copy.deepcopy(NO_TOOLKIT)
FRESH["stack"]["engine"] = None
INSTALL = {"install": True, "repository": True, "refresh": True}
LEFT = "/etc/cdi/nvidia.yaml"
FIT = INFO["stack"]["cdi"]["specs"][0]

# What is there, what the role is told (with what look.py says under "look"), and what differs from doing nothing.
CASES: dict[str, tuple[dict[str, t.Any], dict[str, t.Any], dict[str, t.Any]]] = {
    "all is well": (INFO, {}, {}),
    # Packages.
    "bare host": (FRESH, {"look": {"hooks": "missing"}}, {**INSTALL, "hold": True, "options": {**CDI, **RUNTIME}}),
    "one version wanted": (INFO, {"version": "1.18.1"}, {}),
    "with its revision": (INFO, {"version": "1.18.1-1"}, {}),
    "another revision": (INFO, {"version": "1.18.1-2"}, INSTALL),
    "newer wanted": (INFO, {"version": "1.20.0"}, INSTALL),
    "older wanted": (INFO, {"version": "1.18.0"}, INSTALL),
    "no prefix is meant": (toolkit("1.18.10-1"), {"version": "1.18.1"}, INSTALL),
    "at the floor": (toolkit("1.17.8-1"), {}, {}),
    "below the floor": (toolkit("1.17.7-1"), {}, INSTALL),
    "newer than any here": (toolkit("1.20.1-1"), {}, {}),
    "versions differ": (packages(libnvidia_container1="1.17.8-1"), {}, INSTALL),
    "one is missing": (packages(libnvidia_container_tools=""), {}, INSTALL),
    "not held": (with_(("stack.toolkit.held", [PACKAGES[0]])), {}, {"hold": True}),
    "from the distribution": (NO_TOOLKIT, {"source": "distro"}, {**INSTALL, "repository": False, "hold": True}),
    "preinstalled": (packages(libnvidia_container_tools=""), {"source": "preinstalled"}, {}),
    "two keys for one repository": (INFO, {"look": {"contested": True}}, {"repository": True}),
    # CDI.
    "no specification": (specs(), {}, {"refresh": True}),
    "another driver's": (specs({**FIT, "driver_version": "580.65.06"}), {}, {"refresh": True}),
    "left in /etc": (
        specs(FIT, spec(LEFT, "550.54.14", GENERATED), duplicates=("nvidia.com/gpu=0",)),
        {},
        {"refresh": True, "leftovers": [LEFT]},
    ),
    "in /etc, and it fits": (specs(spec(LEFT, "580.95.05", GENERATED)), {}, {"leftovers": [LEFT]}),
    "in /etc, made by hand over generated names": (
        specs(FIT, spec("/etc/cdi/x.yaml", None, ["all"]), duplicates=("nvidia.com/gpu=all",)),
        {},
        {"refresh": True, "leftovers": ["/etc/cdi/x.yaml"]},
    ),
    "somebody's own names": (specs(FIT, spec("/etc/cdi/mine.yaml", None, ["first", "small"])), {}, {}),
    "another vendor's": (specs(FIT, spec("/etc/cdi/x.yaml", None, ["all"], "example.com/gpu")), {}, {}),
    "MIG instances changed": (INFO, {"look": {"mig": False}}, {"refresh": True}),
    "driver not loaded": (with_(("driver.loaded", None), ("stack.cdi.specs", [])), {}, {}),
    "another driver waits for a reboot": (with_(("driver.action", "reboot"), ("stack.cdi.specs", [])), {}, {}),
    # Engine. Those from 25 on need the feature until it became the default; older ones have none.
    "CDI turned off": (engine(cdi=False), {}, {"apply": "restart", "options": {**CDI, **LIVE}}),
    "engine without CDI": (engine(version="24.0.7", cdi=False), {}, {}),
    "engine of a distribution": (engine(version="20.10.24+dfsg1", cdi=False), {}, {}),
    "runtime missing": (engine(runtimes=["runc"]), {}, {"apply": "reload", "options": RUNTIME}),
    "runtime missing, hooks of a run that was cut off": (
        engine(runtimes=["runc"]),
        {"look": {"hooks": "new"}},
        {"apply": "restart", "options": {**RUNTIME, **LIVE}},
    ),
    "an upgrade of hooks that the engine knows": (INFO, {"look": {"hooks": "new"}}, {}),
    "first hooks under an engine": (
        NO_TOOLKIT,
        {"look": {"hooks": "missing"}},
        {**INSTALL, "hold": True, "apply": "restart", "options": LIVE},
    ),
    "no container runs": (engine(cdi=False, containers_running=0), {}, {"apply": "restart", "options": CDI}),
    "in a swarm": (engine(cdi=False, swarm=True), {}, {"apply": "restart", "options": CDI}),
    "live restore is on": (engine(cdi=False, live_restore=True), {}, {"apply": "restart", "options": CDI}),
    "live restore not wanted": (engine(cdi=False), {"live_restore": False}, {"apply": "restart", "options": CDI}),
}


@pytest.mark.parametrize("case", CASES)
def test_plan(evaluate: t.Callable[..., t.Any], case: str) -> None:
    info, told, difference = CASES[case]
    prefix = "__nvidia_container_toolkit_"
    variables = {f"nvidia_container_toolkit_{name}": value for name, value in told.items() if name != "look"}
    variables["__nvidia_gpu_info"] = info
    variables[f"{prefix}look"] = {"stdout": json.dumps({**LOOK, **told.get("look", {})})}
    planned = {name: evaluate("nvidia_container_toolkit", f"{prefix}{name}", variables) for name in NOTHING}
    assert planned == {**NOTHING, **difference}
