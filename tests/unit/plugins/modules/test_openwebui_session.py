# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui import secrets
from ansible_collections.selfhosted.llm.plugins.modules import openwebui_session

CREDENTIALS = {"admin_email": "Admin@Example.com", "admin_password": "secret words"}
SIGN_IN = ("POST", "/api/v1/auths/signin", {"email": "Admin@Example.com", "password": "secret words"})


@pytest.fixture
def recorded(recording):
    return recording("openwebui")


@pytest.fixture
def run(server, run_module):
    return lambda **how: run_module(openwebui_session, {"url": server.url, **CREDENTIALS}, **how)


@pytest.mark.parametrize("check", [False, True])
def test_one_sign_in_also_in_check_mode(run, server, recorded, check):
    server.expect(*SIGN_IN, answer=recorded["sign_in"])
    result = run(check=check)
    result.pop("invocation", None)
    assert result == {
        "changed": False,
        "token": "header.payload.signature",
        "expires_at": 1797786916,
        "user": {
            "id": "cb8c85a4-c065-4e17-a4dd-f086e7242a18",
            "email": "admin@example.com",
            "name": "Automation",
            "role": "admin",
        },
    }


def test_token_is_registered_where_ansible_core_knows_how(run, server, recorded, monkeypatch):
    registered = []
    monkeypatch.setattr(secrets, "register_secret", registered.append)
    server.expect(*SIGN_IN, answer=recorded["sign_in"])
    run()
    assert registered == ["header.payload.signature"]


@pytest.mark.parametrize("role", ["user", "superuser"])
def test_only_an_administrator(run, server, recorded, role):
    server.expect(*SIGN_IN, answer={**recorded["sign_in"], "role": role})
    result = run(fails=True)
    assert result["msg"] == (
        f"admin@example.com signed in to {server.url}, but has the role {role}. Give the address of an administrator."
    )
    assert "signature" not in str(result)


@pytest.mark.parametrize(
    ("refusal", "words"), [("wrong_password", "This was the only attempt"), ("rate_limit", "Wait four minutes")]
)
def test_failures_are_one_attempt(run, server, recorded, refusal, words):
    server.expect(*SIGN_IN, **recorded["refusals"][refusal])
    result = run(fails=True)
    assert words in result["msg"]
    assert result["failure"]["status"] == recorded["refusals"][refusal]["status"]
    assert "secret words" not in str(result)


def test_no_connection(run, server):
    server.expect(*SIGN_IN, drop=True)
    result = run(fails=True)
    assert f"POST {server.url}/api/v1/auths/signin failed" in result["msg"]
    assert result["failure"]["status"] is None
