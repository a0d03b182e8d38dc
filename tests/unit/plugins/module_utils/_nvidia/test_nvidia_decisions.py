# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tables, row by row."""

from __future__ import annotations

import pytest

from ansible_collections.selfhosted.llm.plugins.module_utils._nvidia.decisions import (
    Module,
    Situation,
    decide,
    flavours,
)


@pytest.mark.parametrize(
    "device_id, expected",
    [
        ("0fc6", []),  # GeForce GTX 650 (Kepler)
        ("1180", []),  # GeForce GTX 680 (Kepler)
        ("1340", ["proprietary"]),  # Maxwell
        ("1b80", ["proprietary"]),  # Pascal
        ("1cff", ["proprietary"]),  # not in the table, among the ids of Pascal
        ("1db1", ["proprietary"]),  # Volta
        ("1eb8", ["open", "proprietary"]),  # Turing
        ("20b0", ["open", "proprietary"]),  # Ampere
        ("26b9", ["open", "proprietary"]),  # Ada
        ("2330", ["open", "proprietary"]),  # Hopper
        ("2342", ["open"]),  # Grace Hopper
        ("2348", ["open"]),  # Grace Hopper
        ("2901", ["open"]),  # Blackwell
        ("2B85", ["open"]),  # Blackwell
        ("3500", ["open"]),  # newer than the table
        ("", []),
    ],
)
def test_flavours(device_id, expected):
    assert flavours(device_id) == expected


A, A_PROPRIETARY, B = Module("580.65.06", "open"), Module("580.65.06", "proprietary"), Module("580.95.05", "open")
UNKNOWN = Module(None, None)
NO_FLAVOUR = Module("580.65.06", None)


def situation(loaded, running, boot, userspace=None, nouveau=False, installed=True):
    return Situation("6.12.94", "6.12.107", loaded, running, boot, userspace, nouveau, installed)


# loaded, on disk for the running kernel and for the one that boots, then the rest: action
TABLE = [
    # the rows of the driver's life
    (situation(None, None, None, installed=False), "none"),
    (situation(None, A, A), "load"),
    (situation(None, A, None), "load"),
    (situation(None, A, A, nouveau=True), "reboot"),
    (situation(None, A, None, nouveau=True), "reboot"),
    (situation(None, None, A), "reboot"),
    (situation(None, None, A, nouveau=True), "reboot"),
    (situation(None, None, None), "build"),
    (situation(None, None, None, nouveau=True), "build"),
    (situation(A, A, A), "none"),
    (situation(A, A, None), "none"),
    (situation(A, A, B), "none"),
    (situation(A, B, B), "reboot"),
    (situation(A, B, None), "reboot"),
    (situation(A, A_PROPRIETARY, A_PROPRIETARY), "reboot"),
    # what is not known is no difference
    (situation(A, UNKNOWN, UNKNOWN), "none"),
    (situation(NO_FLAVOUR, A, A), "none"),
    (situation(NO_FLAVOUR, B, B), "reboot"),
    (situation(None, UNKNOWN, UNKNOWN), "load"),
    # the files of the running kernel are gone
    (situation(A, None, A), "none"),
    (situation(A, None, B), "reboot"),
    (situation(A, None, None), "build"),
    (situation(A, None, None, installed=False), "none"),
    # the libraries are of another version
    (situation(A, A, A, userspace="580.65.06"), "none"),
    (situation(A, A, A, userspace="580.95.05"), "build"),
    (situation(A, A, B, userspace="580.95.05"), "reboot"),
    (situation(A, A, None, userspace="580.95.05"), "build"),
    (situation(A, B, B, userspace="580.95.05"), "reboot"),
    (situation(A, None, A, userspace="580.95.05"), "build"),
]


@pytest.mark.parametrize("now, action", TABLE)
def test_action(now, action):
    decision = decide(now)
    assert decision.action == action
    assert decision.reason.endswith(".")
    assert decision.hint or action == "none"


@pytest.mark.parametrize("now, action", [row for row in TABLE if row[1] != "build"])
def test_no_reboot_into_a_host_without_a_driver(now, action):
    """Whatever has to be done: where the kernel that boots has no module, it is said."""
    decision = decide(now)
    warned = now.boot is None and now.installed
    assert ("the kernel that boots, 6.12.107, has no nvidia module" in decision.reason) is warned
    assert ("Do not reboot" in decision.hint) is warned
    assert ("Run modprobe" in decision.hint) is (action == "load")


@pytest.mark.parametrize("loaded, running, action", [(A, B, "reboot"), (B, B, "none"), (None, B, "load")])
def test_no_reboot_into_a_module_of_another_version_than_the_libraries(loaded, running, action):
    """The new driver was built for the running kernel only, and the one that boots has kept the former module."""
    decision = decide(situation(loaded, running, A, userspace="580.95.05"))
    assert decision.action == action
    assert decision.reason.endswith(
        "but the kernel that boots, 6.12.107, has version 580.65.06 (open) of the module, and the libraries are of"
        " version 580.95.05."
    )
    assert decision.hint.endswith("build the module for kernel 6.12.107 first, or let another kernel boot.")
    assert ("Run modprobe" in decision.hint) is (action == "load")


def test_reasons_name_kernels_and_versions():
    assert decide(situation(A, B, B)) == (
        "reboot",
        "Version 580.65.06 (open) of the nvidia module is loaded, and version 580.95.05 (open) is on disk for kernel"
        " 6.12.94.",
        "Reboot the host.",
    )
    assert decide(situation(None, None, A)).reason == (
        "Kernel 6.12.94 runs and has no nvidia module, and version 580.65.06 (open) is there for the kernel that boots,"
        " 6.12.107."
    )
    assert decide(situation(None, None, None)).reason == (
        "An NVIDIA driver is installed, and kernel 6.12.94 has no nvidia module."
    )
    assert "of an unknown version" in decide(situation(None, UNKNOWN, UNKNOWN)).reason
