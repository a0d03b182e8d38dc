# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.config import secrets_in


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"openai.api_keys": ["a", "b", ""]}, ["a", "b"]),
        ({"ldap.server.app_password": "p"}, ["p"]),
        ({"tool_server.connections": [{"url": "u", "key": "k"}]}, ["k"]),
        ({"ollama.api_configs": {"0": {"key": "k", "prefix_id": "x"}}}, ["k"]),
        ({"oauth.client_secret": {"any": {"name": "s"}}}, ["s"]),
        ({"auth.enable_api_keys": True, "chat.context_compaction.token_cap": 5}, []),
        ({"ui.default_user_role": "user"}, []),
    ],
)
def test_secrets_in(value, found):
    assert secrets_in(value) == found
