# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from openwebui_people import ADMIN, ALICE, BOB

from ansible_collections.selfhosted.llm.plugins.modules import openwebui_info

GROUPS = [
    {"id": "g1", "name": "staff", "description": "", "permissions": None, "created_at": 1},
    {"id": "g2", "name": "staff", "description": "the second", "permissions": {}, "created_at": 2},
]
MODEL = {
    "id": "tutor",
    "name": "Tutor",
    "base_model_id": "m",
    "params": {},
    "is_active": True,
    "access_grants": [
        {"permission": "read", "principal_type": "group", "principal_id": "g1"},
        {"permission": "read", "principal_type": "group", "principal_id": "gone"},
        {"permission": "write", "principal_type": "user", "principal_id": "gone too"},
    ],
    "meta": {"knowledge": [{"type": "collection", "id": "k1", "name": "Papers"}], "toolIds": ["calc"]},
}
OPENAI = {
    "ENABLE_OPENAI_API": True,
    "OPENAI_API_BASE_URLS": [
        "https://u:p@one.example.com/v1",
        "https://two.example.com/v1",
        "https://two.example.com/v2",
    ],
    "OPENAI_API_KEYS": ["k", "cloud secret", ""],
    "OPENAI_API_CONFIGS": {"1": {"headers": {"X-Key": "header one", "X_Key": "header two"}}},
}
OLLAMA = {"ENABLE_OLLAMA_API": True, "OLLAMA_BASE_URLS": ["http://a:1/"], "OLLAMA_API_CONFIGS": {}}


@pytest.fixture
def run(people):
    return lambda *subset, **params: people.run(openwebui_info, {"gather_subset": list(subset), **params})


def test_secrets_have_places_and_names_and_no_values(run, people):
    people.server.expect("GET", "/ollama/config", answer=OLLAMA)
    people.server.expect("GET", "/openai/config", answer=OPENAI)
    result = run("connections")
    assert result["ollama_connections"] == [{"url": "http://a:1"}]
    assert result["connections"] == [
        {"url": "https://two.example.com/v1", "key": None, "headers": {"X-Key": None, "X_Key": None}},
        {"url": "https://two.example.com/v2"},
    ]
    assert result["secrets"] == [
        {"place": ["connections", 0, "key"], "name": "connections_0_key"},
        {"place": ["connections", 0, "headers", "X-Key"], "name": "connections_0_headers_x_key"},
        {"place": ["connections", 0, "headers", "X_Key"], "name": "connections_0_headers_x_key_2"},
    ]
    (warning,) = result["warnings"]
    assert "'https://one.example.com/v1' has a user or a query in its URL and is left out" in str(warning)
    for secret in ("cloud secret", "header one", "header two", "u:p"):
        assert secret not in str(result)


@pytest.mark.parametrize("changed_only", [True, False])
def test_settings_by_their_full_names(run, people, changed_only):
    exported = {
        "ui.enable_signup": True,
        "ui.watermark": "Ours",
        "ui.default_group_id": "g1",
        "web.search.kagi_search_api_key": "kagi secret",
        "tool_server.connections": [{"url": "http://tools", "key": "tool secret"}, {"url": "http://more"}],
    }
    people.server.expect("GET", "/api/v1/configs/export", answer=exported)
    people.server.expect("GET", "/api/v1/groups/", answer=GROUPS)
    result = run("settings", changed_only=changed_only)
    assert result["settings"] == {
        **({} if changed_only else {"ui.enable_signup": True}),
        "ui.watermark": "Ours",
        "ui.default_group_id": "staff",
        "web.search.kagi_search_api_key": None,
        "tool_server.connections": [{"url": "http://tools", "key": None}, {"url": "http://more"}],
    }
    assert result["secrets"] == [
        {"place": ["settings", "tool_server.connections", 0, "key"], "name": "settings_tool_server_connections_0_key"},
        {"place": ["settings", "web.search.kagi_search_api_key"], "name": "settings_web_search_kagi_search_api_key"},
    ]


def test_accounts(run, people):
    people.all(BOB, {**ALICE, "role": "superuser"}, ADMIN)
    assert run("users")["users"] == [
        {"email": "admin@example.com", "name": "Automation", "role": "admin"},
        {"email": "alice@example.com", "name": "Alice", "role": "pending"},
        {"email": "bob@example.com", "name": "Bob", "role": "user"},
    ]


def test_what_cannot_be_made_again_is_left_out_and_named(run, people):
    people.server.ordered = False
    people.server.expect("GET", "/api/v1/models/all", answer=[MODEL])
    people.server.expect("GET", "/api/v1/groups/", answer=GROUPS[:1])
    people.all(ALICE)
    people.server.expect(
        "GET",
        "/api/v1/knowledge/search?order_by=created_at&direction=asc&page=1",
        answer={"items": [{"id": "k1", "name": "Papers"}], "total": 1},
    )
    result = run("models")
    (model,) = result["models"]
    assert model["access"] == {"read": {"groups": ["staff"]}}
    assert "knowledge" not in model and "tools" not in model
    warnings = " ".join(map(str, result["warnings"]))
    for words in (
        "The model 'tutor' is open to groups that are gone.",
        "The model 'tutor' is open to users that are gone.",
        "The model 'tutor' is given without the collections that it uses.",
        "The model 'tutor' is given without the tools that it uses.",
    ):
        assert words in warnings
