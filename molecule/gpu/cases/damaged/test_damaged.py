# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Verify notices what was damaged, and names the cause."""

from __future__ import annotations

import pytest
import runs


@pytest.fixture(scope="module")
def verified() -> str:
    run = runs.play("playbooks/verify.yml")
    assert run.code == 2, run.output
    return run.words


def test_devices_taken_away_are_noticed(verified: str) -> None:
    assert "Ollama on gpu1 does not use its GPUs as it should: the container ollama does not see GPU 0, 1" in verified
    assert "Run site.yml, which makes the container anew." in verified


def test_an_old_description_is_noticed(verified: str) -> None:
    assert "Ollama on gpu2 does not use its GPUs as it should" in verified
    assert "CDI specification 580.65.06" in verified


def test_the_host_without_a_gpu_is_fine(verified: str) -> None:
    assert "cpu1 : ok=" in verified
    assert "failed=0" in verified.partition("cpu1 : ok=")[2].partition("gpu1")[0]
