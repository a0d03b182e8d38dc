# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run cures what was damaged, and does no more than that."""

from __future__ import annotations

from datetime import datetime

import runs


def test_only_the_container_was_made_anew() -> None:
    converge = runs.of_site()[-2]
    # The container on gpu1; on gpu2 the description of the GPUs first.
    assert converge.changed == {"cpu1": 0, "gpu1": 1, "gpu2": 2}
    (started,) = runs.execute("gpu2", "docker inspect --format '{{.State.StartedAt}}' theirs").split()
    assert datetime.fromisoformat(started[:26] + "+00:00").timestamp() < converge.began
