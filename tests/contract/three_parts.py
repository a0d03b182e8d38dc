# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A model whose weights come in three parts."""

from __future__ import annotations

MEGABYTE = 10**6
PART = 100 * MEGABYTE


def wholes(size: int) -> list[str]:
    """The ranges of its parts."""
    return [f"0-{PART - 1}", f"{PART}-{2 * PART - 1}", f"{2 * PART}-{size - 1}"]
