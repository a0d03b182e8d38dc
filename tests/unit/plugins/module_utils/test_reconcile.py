# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.selfhosted.llm.plugins.module_utils._reconcile import Changes


def test_nothing_noted_is_no_change():
    assert Changes().result() == {"changed": False, "diff": {"before": {}, "after": {}}}


def test_equal_values_are_no_change():
    changes = Changes()
    assert changes.compare("a", {"x": [1, 2]}, {"x": [1, 2]}) is False
    assert changes.result() == {"changed": False, "diff": {"before": {}, "after": {}}}


@pytest.mark.parametrize(("before", "after"), [(None, 1), (1, None), ([1, 2], [2, 1]), (False, None)])
def test_only_what_differs_is_noted(before, after):
    changes = Changes()
    changes.compare("same", 1, 1)
    assert changes.compare("field", before, after) is True
    assert changes.result() == {"changed": True, "diff": {"before": {"field": before}, "after": {"field": after}}}
