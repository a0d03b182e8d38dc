# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is refused on hosts without a driver, before anything is touched."""

from __future__ import annotations

import json
import typing as t

import pytest
import runs


@pytest.fixture(scope="module", autouse=True)
def noted() -> None:
    for host in runs.HOSTS:
        (runs.FOLDER / f"{host}-before.txt").write_text("\n".join(runs.noted(host)))


class Refusal(t.NamedTuple):
    """How a host is set up by hand, the way back, variables of the run, and what the run says."""

    set_up: str
    back: str
    variables: dict[str, t.Any]
    words: tuple[str, ...]


REFUSED = {
    "Secure Boot without an enrolled key": Refusal(
        "hardware set secure-boot=on",
        "hardware set secure-boot=off",
        {},
        ("Secure Boot is on at gpu1", "mokutil --import /var/lib/dkms/mok.pub"),
    ),
    "a flavour that the GPU does not have": Refusal(
        "hardware set gpus=b200",
        "hardware set gpus=h100,h100",
        {"nvidia_driver_flavour": "proprietary"},
        ("The proprietary kernel modules do not drive NVIDIA B200", "Set nvidia_driver_flavour to auto"),
    ),
    "a branch that no longer drives the GPU": Refusal(
        "hardware set gpus=v100",
        "hardware set gpus=h100,h100",
        {"nvidia_driver_branch": "590"},
        ("Branch 590 does not drive all GPUs of gpu1", "it needs branch 580 or older"),
    ),
    "more GPUs than there are": Refusal(
        "true", "true", {"ollama_gpus": 3}, ("ollama_gpus of gpu1 is 3, and the host has 2 NVIDIA GPU(s)",)
    ),
    "a toolkit with a known hole": Refusal(
        "true", "true", {"nvidia_container_toolkit_version": "1.17.4"}, ("CVE-2025-23266", "Name a newer one, or none.")
    ),
}
# The others are cheap enough as unit tests of the rules; these two speak of the host as much as of variables.
QUICK = ("Secure Boot without an enrolled key", "a branch that no longer drives the GPU")


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.thorough) for name in REFUSED]
)
def test_refused_before_anything_is_touched(name: str) -> None:
    refusal = REFUSED[name]
    runs.execute("gpu1", refusal.set_up)
    try:
        run = runs.play("site.yml", "--limit=gpu1", "-e", json.dumps(refusal.variables))
    finally:
        runs.execute("gpu1", refusal.back)
    assert run.code == 2, run.output
    for words in refusal.words:
        assert words in run.words
    assert run.changed == {"gpu1": 0}
    assert runs.noted("gpu1") == runs.before("gpu1")
