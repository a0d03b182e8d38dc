# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a module leaves in the journal of its target, which everybody in some groups may read: no secret."""

from __future__ import annotations

import pytest
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.selfhosted.llm.plugins.modules import (
    openwebui_api_key,
    openwebui_config,
    openwebui_connection,
    openwebui_probe_info,
    openwebui_session,
    openwebui_user,
)

SECRET = "a-secret-4711-0815"
NOBODY = {"url": "http://127.0.0.1:1"}
# What is masked because one option says so is masked in all of them.
ADMIN = {**NOBODY, "admin_email": "admin@example.com", "admin_password": "another one"}
CONNECTION = {"url": "http://127.0.0.1:1/v1", "key": "one key", "headers": {"X-Team": SECRET}}


@pytest.mark.parametrize(
    ("module", "options"),
    [
        (openwebui_config, {**ADMIN, "settings": {"web": {"search": {"kagi_search_api_key": SECRET}}}}),
        (openwebui_connection, {**ADMIN, "type": "openai", "connections": [CONNECTION]}),
        (openwebui_connection, {**ADMIN, "connections": [{"url": "http://127.0.0.1:1", "key": SECRET}]}),
        (openwebui_user, {**ADMIN, "users": [{"email": "kim@example.com", "password": SECRET}]}),
        (openwebui_user, {**NOBODY, "token": SECRET, "email": "kim@example.com"}),
        (openwebui_api_key, {**ADMIN, "email": "ci@localhost", "key": SECRET}),
        (openwebui_session, {**NOBODY, "admin_email": "admin@example.com", "admin_password": SECRET}),
        (openwebui_session, {**ADMIN, "headers": {"X-Proxy": SECRET}}),
        (openwebui_probe_info, {**NOBODY, "email": "kim@example.com", "password": SECRET}),
    ],
)
def test_the_journal_has_no_secret(run_module, monkeypatch, module, options):
    journal: list[str] = []
    monkeypatch.setattr(AnsibleModule, "log", lambda self, msg, log_args=None: journal.append(f"{msg} {log_args}"))
    result = run_module(module, options, fails=True)
    assert len(journal) == 1
    assert SECRET not in journal[0]
    assert SECRET not in str(result)
