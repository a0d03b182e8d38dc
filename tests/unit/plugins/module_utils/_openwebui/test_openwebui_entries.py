# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a server has, as entries that reproduce it."""

from __future__ import annotations

import pytest

from ansible_collections.selfhosted.llm.plugins.module_utils._http import HttpClient
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import InputError, OpenWebUI
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.groups import Groups
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.prompts import Prompts

PAGES = "/api/v1/prompts/list?order_by=created_at&direction=asc&page="


@pytest.fixture
def client(server):
    return OpenWebUI(HttpClient(server.url, token="token-in-use"))


@pytest.fixture
def recorded(recording):
    return recording("openwebui_resources")


def test_prompts(server, client, recorded):
    prompts = [{**recorded["prompt"], "id": str(number), "command": f"p{number}"} for number in range(31)]
    prompts[30]["is_active"] = False
    prompts[30]["access_grants"] = [{**recorded["grant"], "principal_type": "group", "principal_id": "id-staff"}]
    server.expect("GET", "/api/v1/prompts/", answer=prompts[:30])
    server.expect("GET", f"{PAGES}1", answer={"items": prompts[:30], "total": 31})
    server.expect("GET", f"{PAGES}2", answer={"items": prompts[30:], "total": 31})
    server.expect("GET", "/api/v1/groups/", answer=[{**recorded["group"], "id": "id-staff", "name": "Staff"}])
    entries = Prompts(client).entries()
    entry = {"name": "Summary", "content": "Summarise: {{clip}}", "tags": [], "is_active": True, "access": "private"}
    assert entries[:30] == [{**entry, "command": f"p{number}"} for number in range(30)]
    shared = {"read": {"groups": ["Staff"]}}
    assert entries[30:] == [{**entry, "command": "p30", "is_active": False, "access": shared}]


def test_groups(server, client, recorded, recording):
    account = recording("openwebui")["users_page"]["users"][0]
    people = [{**account, "id": "id-kim", "email": "kim@example.com", "group_ids": ["id-a", "id-b"]}]
    # Of another version of the program, by hand, and two that mean something.
    permissions = {
        "nonsense": {"x": True},
        "chat": {"file_upload": "yes"},
        "features": {"gone": True},
        "workspace": {"models": True, "tools": False, "gone": False},
    }
    groups = [
        {**recorded["group"], "id": "id-a", "name": "A", "permissions": permissions, "parent_group_id": "id-b"},
        {**recorded["group"], "id": "id-b", "name": "B", "data": {"config": {"default_models": ["m"]}}},
    ]
    server.expect("GET", "/api/v1/groups/", answer=groups)
    server.expect("GET", "/api/v1/users/all", answer={"users": people, "total": 1})
    server.expect("GET", "/api/v1/users/?order_by=email&direction=asc&page=1", answer={"users": people, "total": 1})
    server.expect("GET", "/api/v1/users/default/permissions", answer=recorded["default_permissions"])
    kept = {"workspace": {"models": True, "tools": False}}
    entry = {"description": "", "members": ["kim@example.com"]}
    assert Groups(client).entries() == [
        {**entry, "name": "B", "parent": "", "share": "anyone", "default_models": ["m"], "permissions": {}},
        {**entry, "name": "A", "parent": "B", "share": "members", "default_models": [], "permissions": kept},
    ]


def test_what_no_entry_can_mean(server, client, recorded):
    prompts = [{**recorded["prompt"], "id": command, "command": command} for command in ("sum", "/sum")]
    server.expect("GET", "/api/v1/prompts/", answer=prompts)
    server.expect("GET", f"{PAGES}1", answer={"items": prompts, "total": 2})
    with pytest.raises(InputError, match="prompt 'sum' is there 2 times, as /sum, sum: rename or remove one"):
        Prompts(client).entries()


def test_what_no_entry_may_have(server, client, recorded):
    prompts = [{**recorded["prompt"], "command": "With Space"}]
    server.expect("GET", "/api/v1/prompts/", answer=prompts)
    server.expect("GET", f"{PAGES}1", answer={"items": prompts, "total": 1})
    with pytest.raises(InputError, match="prompt 'With Space' has a command that is empty or holds blanks"):
        Prompts(client).entries()
