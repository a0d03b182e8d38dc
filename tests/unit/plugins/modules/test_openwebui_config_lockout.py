# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``openwebui_config``: settings that would lock the caller or everybody out."""

from __future__ import annotations

import pytest

from ansible_collections.selfhosted.llm.plugins.modules import openwebui_config

READ = ("GET", "/api/v1/configs/export")
WRITE = ("POST", "/api/v1/configs/import")
SESSION = "a.session.token"
KEY = "sk-0123456789abcdef"


@pytest.fixture
def export(recording):
    return {
        **recording("openwebui")["export"],
        "auth.api_key.allowed_endpoints": "",
        "auth.api_key.endpoint_restrictions": False,
        "auth.enable_api_keys": True,
        "auth.mfa.allow_oauth_bypass": False,
        "auth.mfa.enable": False,
        "ui.enable_login_form": True,
    }


@pytest.fixture
def run(server, run_module):
    def run(settings, token=SESSION, allow=False, **how):
        options = {"url": server.url, "token": token, "settings": settings, "allow_lockout": allow}
        return run_module(openwebui_config, options, **how)

    return run


LOCKOUTS = [
    (SESSION, {"auth.mfa.enable": True}, "auth.mfa.enable would end every session, this one included, and no password"),
    (SESSION, {"auth.mfa.allow_oauth_bypass": True}, "auth.mfa.allow_oauth_bypass would end every session, this one"),
    (SESSION, {"ui.enable_login_form": False}, "would take the form for passwords from the sign-in page"),
    *(
        (SESSION, {"auth.jwt_expiry": short}, f"auth.jwt_expiry {short} would end new sessions within seconds")
        for short in ("500ms", "30s", "-5m", "0h", "0.0d")
    ),
    (KEY, {"auth.enable_api_keys": False}, "auth.enable_api_keys would switch off the API key in use"),
    (
        KEY,
        {
            "auth.api_key.endpoint_restrictions": True,
            "auth.api_key.allowed_endpoints": "/api/v1/configs/export, /api/v1/c",
        },
        "auth.api_key.allowed_endpoints, auth.api_key.endpoint_restrictions would keep the API key in use",
    ),
]


@pytest.mark.parametrize(("token", "settings", "words"), LOCKOUTS)
def test_refused_until_it_is_allowed(run, server, export, token, settings, words):
    for check in (False, True):
        server.expect(*READ, answer=export)
        message = run(settings, token, fails=True, check=check)["msg"]
        assert words in message
        assert "If that is meant, set allow_lockout." in message
    after = {**export, **settings}
    server.expect(*READ, answer=export)
    server.expect(*WRITE, {"config": settings}, answer=after)
    if not any(name.startswith("auth.mfa.") for name in settings):
        server.expect(*READ, answer=after)
    assert run(settings, token, allow=True)["changed"] is True


@pytest.mark.parametrize(("token", "settings", "words"), LOCKOUTS)
def test_what_is_so_already_locks_nobody_out(run, server, export, token, settings, words):
    server.expect(*READ, answer={**export, **settings})
    assert run(settings, token)["changed"] is False


@pytest.mark.parametrize(
    ("token", "settings"),
    [
        (SESSION, {"auth.enable_api_keys": False}),
        (SESSION, {"auth.api_key.endpoint_restrictions": True}),
        (KEY, {"auth.api_key.endpoint_restrictions": True, "auth.api_key.allowed_endpoints": "/x, /api/v1/configs"}),
        (
            KEY,
            {
                "auth.api_key.endpoint_restrictions": True,
                "auth.api_key.allowed_endpoints": "/api/v1/configs/export,/api/v1/configs/import",
            },
        ),
        *((SESSION, {"auth.jwt_expiry": long}) for long in ("-1", "0", "1m", "0.5h", "10d")),
    ],
)
def test_nobody_is_locked_out(run, server, export, token, settings):
    server.expect(*READ, answer=export)
    assert run(settings, token, check=True)["changed"] is True


def test_the_answer_to_the_write_is_the_proof_when_no_session_is_left(run, server, export):
    server.expect(*READ, answer=export)
    server.expect(*WRITE, {"config": {"auth.mfa.enable": True}}, answer=export)
    message = run({"auth.mfa.enable": True}, allow=True, fails=True)["msg"]
    assert "does not have auth.mfa.enable as sent" in message


def test_an_api_key_may_not_change_multi_factor_authentication(run, server, export):
    server.expect(*READ, answer=export)
    detail = "A human administrator session is required to change MFA settings."
    server.expect(*WRITE, {"config": {"auth.mfa.enable": True}}, status=403, answer={"detail": detail})
    assert detail in run({"auth.mfa.enable": True}, KEY, allow=True, fails=True)["msg"]
