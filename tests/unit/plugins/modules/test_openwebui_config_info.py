# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.selfhosted.llm.plugins.modules import openwebui_config_info

READ = ("GET", "/api/v1/configs/export")
OAUTH = ("GET", "/api/v1/auths/admin/config/oauth")
GROUPS = ("GET", "/api/v1/groups/")


@pytest.fixture
def export(recording):
    return {
        **recording("openwebui")["export"],
        "oauth.enable_signup": True,
        "oauth.client_id": "from the environment",
        "user.permissions": {"chat": {"delete": True}},
        "ui.default_locale": "",
        "ui.default_group_id": "",
        "rag.top_k": 5,
        "web.search.kagi_search_api_key": "sentinel-1",
        "web.search.serper_api_key": "",
        "tool_server.connections": [{"url": "http://t", "key": "sentinel-2", "config": {"enable": True}}],
        "new.in.a.later.version": 1,
        "new.in.a.later.token": "sentinel-3",
    }


@pytest.fixture
def run(server, run_module):
    def run(export, persistent=False, groups=None, **options):
        server.expect(*READ, answer=export)
        server.expect(*OAUTH, answer={"ENABLE_OAUTH_PERSISTENT_CONFIG": persistent})
        if groups is not None:
            server.expect(*GROUPS, answer=groups)
        return run_module(openwebui_config_info, {"url": server.url, "token": "token-in-use", **options})

    return run


SECRETS = ["new.in.a.later.token", "tool_server.connections.0.key", "web.search.kagi_search_api_key"]


def test_everything_that_openwebui_config_takes(run, export):
    result = run(export)
    assert result["changed"] is False
    assert result["settings"] == {
        "auth": {"jwt_expiry": "4w"},
        "direct": {"enable": False, "integrations": {"enable": False}},
        "new": {"in": {"a": {"later": {"version": 1}}}},
        "rag": {"embedding_engine": "", "embedding_model": "sentence-transformers/all-MiniLM-L6-v2", "top_k": 5},
        "skills": {"content_max_chars": None, "lazy_loading": {"enable": False}, "preview_max_chars": None},
        "tool_server": {"connections": [{"url": "http://t", "config": {"enable": True}}]},
        "ui": {"default_group_id": "", "default_user_role": "pending", "enable_signup": False},
        "web": {"search": {"serper_api_key": ""}},
    }
    assert result["secrets"] == SECRETS
    assert "sentinel" not in str(result)


def test_only_what_differs_from_the_program(run, export):
    result = run(export, changed_only=True)
    assert result["settings"] == {
        # The program starts with open sign-up and closes it with its first account.
        "new": {"in": {"a": {"later": {"version": 1}}}},
        "rag": {"top_k": 5},
        "tool_server": {"connections": [{"url": "http://t", "config": {"enable": True}}]},
        "ui": {"enable_signup": False},
    }
    assert result["secrets"] == SECRETS


def test_oauth_where_the_database_keeps_it(run, export):
    assert run(export, persistent=True)["settings"]["oauth"] == {"enable_signup": True}


@pytest.mark.parametrize(("groups", "shown"), [([{"id": "id-1", "name": "Staff"}], "Staff"), ([], "id-1")])
def test_the_default_group_by_its_name(run, export, groups, shown):
    result = run({**export, "ui.default_group_id": "id-1"}, groups=groups)
    assert result["settings"]["ui"]["default_group_id"] == shown


def test_not_an_administrator(server, run_module, recording):
    server.expect(*READ, **recording("openwebui")["refusals"]["not_admin"])
    options = {"url": server.url, "token": "token-in-use"}
    assert "The account needs the role admin." in run_module(openwebui_config_info, options, fails=True)["msg"]
