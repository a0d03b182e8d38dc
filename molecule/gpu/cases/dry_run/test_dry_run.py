# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a dry run of hosts without a driver announces."""

from __future__ import annotations

import pytest
import runs


@pytest.mark.parametrize("host", runs.HOSTS)
def test_it_has_changed_nothing(host: str) -> None:
    assert runs.noted(host) == runs.before(host)


def test_it_says_what_would_happen() -> None:
    words = runs.of_site()[-1].words
    assert "Would install the NVIDIA driver 580.65.06 (open) on gpu1 and reboot to load it." in words
    assert "Would install the NVIDIA driver 580 (proprietary) on gpu2." in words
    assert "Would install version 1.18.0 of the container toolkit" in words
    assert words.count("Would deploy Ollama") == 3
