# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""After an upgrade within the branch (gpu1), and a switch of branch and flavour (gpu2)."""

from __future__ import annotations

import re

import runs


def test_the_versions_and_flavours_are_those_asked_for() -> None:
    assert runs.execute("gpu1", "cat /sys/module/nvidia/version; modinfo --field license nvidia").split() == [
        "580.95.05",
        "Dual",
        "MIT/GPL",
    ]
    assert runs.execute("gpu2", "cat /sys/module/nvidia/version; modinfo --field license nvidia").split() == [
        "590.44.01",
        "Dual",
        "MIT/GPL",
    ]
    assert "nvidia-kernel-dkms" not in runs.execute("gpu2", "dpkg-query --show")


def test_each_host_was_drained_and_rebooted_once_one_after_the_other() -> None:
    changed = re.findall(r"TASK \[(.+)\] \*+\nchanged: \[(\w+)\]", runs.of_site()[-2].output)
    steps = {"Let the answers under way end, and stop the server", "Reboot"}
    assert [(host, name) for task, host in changed if (name := task.partition(" : ")[2]) in steps] == [
        ("gpu1", "Let the answers under way end, and stop the server"),
        ("gpu1", "Reboot"),
        ("gpu2", "Let the answers under way end, and stop the server"),
        ("gpu2", "Reboot"),
    ]


def test_the_container_of_somebody_else_is_back() -> None:
    assert "theirs" in runs.execute("gpu2", "docker ps --format '{{.Names}}'").splitlines()


def test_persistence_is_on_although_the_package_leaves_it_off() -> None:
    assert "<persistence_mode>Enabled</persistence_mode>" in runs.execute("gpu2", "nvidia-smi -q -x")
