# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui import secrets, session
from ansible_collections.selfhosted.llm.plugins.modules import openwebui_session

CREDENTIALS = {"admin_email": "Admin@Example.com", "admin_password": "secret words"}
SIGN_IN = ("POST", "/api/v1/auths/signin", {"email": "Admin@Example.com", "password": "secret words"})
WHOAMI = ("GET", "/api/v1/auths/")
KEY = "sk-0123456789abcdef0123456789abcdef"
WHOSE_KEY = ("GET", "/api/v1/users/user/status")
ADMIN_CONFIG = ("GET", "/api/v1/auths/admin/config")
USER = {
    "id": "cb8c85a4-c065-4e17-a4dd-f086e7242a18",
    "email": "admin@example.com",
    "name": "Automation",
    "role": "admin",
}
VERSION = ("GET", "/api/version")
SESSION = {
    "changed": False,
    "token": "header.payload.signature",
    "expires_at": 1797786916,
    "user": USER,
    "version": "0.12.4",
}


@pytest.fixture
def recorded(recording):
    return recording("openwebui")


@pytest.fixture
def run(server, run_module):
    def run(options=None, version="0.12.4", **how):
        options = CREDENTIALS if options is None else options
        if not how.get("fails"):
            server.expect(*VERSION, answer={"version": version})
        result = run_module(openwebui_session, {"url": server.url, **options}, **how)
        if result.get("failed"):
            assert "secret words" not in str(result)
            assert "signature" not in str(result)
            assert KEY not in str(result)
        result.pop("invocation", None)
        return result

    return run


@pytest.mark.parametrize("check", [False, True])
def test_one_sign_in_also_in_check_mode(run, server, recorded, check):
    server.expect(*SIGN_IN, answer=recorded["sign_in"])
    assert run(check=check) == SESSION


def test_a_token_is_proved_and_nobody_signs_in(run, server, recorded):
    server.expect(*WHOAMI, sent={"Authorization": "Bearer header.payload.signature"}, answer=recorded["whoami"])
    assert run({"token": "header.payload.signature", **CREDENTIALS}) == SESSION


def test_a_token_that_has_ended_is_renewed(run, server, recorded):
    server.expect(*WHOAMI, sent={"Authorization": "Bearer ended"}, **recorded["refusals"]["ended_session"])
    server.expect(*SIGN_IN, sent={"Authorization": None}, answer=recorded["sign_in"])
    assert run({"token": "ended", **CREDENTIALS}) == SESSION


@pytest.mark.parametrize("refusal", ["malformed_token", "unknown_user", "ended_session"])
def test_without_credentials_a_token_that_has_ended_is_an_error(run, server, recorded, refusal):
    server.expect(*WHOAMI, **recorded["refusals"][refusal])
    result = run({"token": "header.payload.signature"}, fails=True)
    assert result["failure"]["session_ended"] is True
    assert "give admin_email and admin_password beside token" in result["msg"]


def test_an_api_key_is_proved_by_its_account(run, server, recorded):
    answer = {**recorded["users_page"]["users"][0], **USER}
    server.expect(*WHOSE_KEY, sent={"Authorization": f"Bearer {KEY}"}, answer=answer)
    assert run({"token": KEY}) == {**SESSION, "token": KEY, "expires_at": None}


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (403, "The requested action has been restricted as a security measure."),
        (403, "You do not have permission to access this resource. Please contact your administrator for assistance."),
    ],
    ids=["statuses are off", "path is closed to keys"],
)
def test_an_api_key_whose_account_is_not_told(run, server, status, words):
    server.expect(*WHOSE_KEY, status=status, answer={"detail": words})
    server.expect(*ADMIN_CONFIG, sent={"Authorization": f"Bearer {KEY}"}, answer={"ENABLE_SIGNUP": False})
    assert run({"token": KEY}) == {**SESSION, "token": KEY, "expires_at": None, "user": None}


def test_an_api_key_on_a_version_without_the_path(run, server, recorded):
    server.expect(*WHOSE_KEY, text=recorded["page"], headers={"Content-Type": "text/html; charset=utf-8"})
    server.expect(*ADMIN_CONFIG, answer={"ENABLE_SIGNUP": False})
    assert run({"token": KEY})["user"] is None


def test_an_api_key_of_an_ordinary_user(run, server, recorded):
    server.expect(*WHOSE_KEY, **recorded["refusals"]["protected"])
    server.expect(*ADMIN_CONFIG, **recorded["refusals"]["not_admin"])
    result = run({"token": KEY}, fails=True)
    assert result["msg"].endswith("for assistance. The account needs the role admin.")
    assert "session_ended" not in result["failure"]


def test_an_api_key_that_is_wrong_is_no_reason_to_ask_further(run, server, recorded):
    server.expect(*WHOSE_KEY, **recorded["refusals"]["bad_api_key"])
    assert run({"token": KEY}, fails=True)["failure"]["session_ended"] is True


def test_a_page_where_the_api_was_expected(run, server, recorded):
    server.expect(*SIGN_IN, text=recorded["page"], headers={"Content-Type": "text/html; charset=utf-8"})
    assert "answered with text/html instead of JSON" in run(fails=True)["msg"]


@pytest.mark.parametrize("answer", [{"drop": True}, {"answer": {}}, {"status": 403, "answer": {"detail": "No."}}])
def test_a_version_that_is_not_told_ends_nothing(server, run_module, recorded, answer):
    server.expect(*SIGN_IN, answer=recorded["sign_in"])
    server.expect(*VERSION, **answer)
    assert run_module(openwebui_session, {"url": server.url, **CREDENTIALS})["version"] is None


@pytest.mark.parametrize("version", [None, "0.12.0", "0.12.4", "0.12.3"])
def test_nothing_is_said_of_a_tested_version(version):
    assert session.remark(version, "http://127.0.0.1:3001") == ""


@pytest.mark.parametrize("version", ["0.11.9", "0.12.5", "0.13.0-rc1", "1.0.0", "latest"])
def test_a_version_that_was_not_tested(version):
    words = session.remark(version, "http://127.0.0.1:3001")
    assert words.startswith(
        f"http://127.0.0.1:3001 is Open WebUI {version}, and this collection was tested with 0.12.0 to"
    )


def test_the_tested_versions_are_those_of_the_data_file():
    path = Path(__file__).resolve().parents[4] / "roles" / "container" / "vars" / "main" / "versions.yml"
    tested = yaml.safe_load(path.read_text())["__container_versions"]["open_webui"]["tested"]
    assert (tested[0], tested[-1]) == session.TESTED


def test_token_is_registered_where_ansible_core_knows_how(run, server, recorded, monkeypatch):
    registered = []
    monkeypatch.setattr(secrets, "register_secret", registered.append)
    server.expect(*SIGN_IN, answer=recorded["sign_in"])
    run()
    assert registered == ["header.payload.signature"]


@pytest.mark.parametrize("role", ["user", "superuser"])
@pytest.mark.parametrize("options", [CREDENTIALS, {"token": "header.payload.signature"}], ids=["password", "token"])
def test_only_an_administrator(run, server, recorded, role, options):
    server.expect(*(WHOAMI if "token" in options else SIGN_IN), answer={**recorded["sign_in"], "role": role})
    assert run(options, fails=True)["msg"] == (
        f"admin@example.com signed in to {server.url}, but has the role {role}. "
        "Give the address or the API key of an administrator."
    )


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        ("rate_limit", "Wait four minutes"),
        ("protected", "Signing in with a password is switched off"),
        ("invalid_auth_body", "does not say which field"),
    ],
)
def test_a_refused_sign_in_is_one_request(run, server, recorded, refusal, words):
    server.expect(*SIGN_IN, **recorded["refusals"][refusal])
    result = run(fails=True)
    assert words in result["msg"]
    assert result["failure"]["status"] == recorded["refusals"][refusal]["status"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"answer": {"features": {}}}, "This was the only attempt"),
        ({"answer": {"onboarding": True, "features": {}}}, "The server has no account at all"),
        ({"drop": True}, "This was the only attempt"),
    ],
    ids=["accounts", "no accounts", "no answer"],
)
def test_a_wrong_password_is_one_attempt(run, server, recorded, settings, words):
    server.expect(*SIGN_IN, **recorded["refusals"]["wrong_password"])
    server.expect("GET", "/api/config", sent={"Authorization": None}, **settings)
    result = run(fails=True)
    assert "was answered with 400: The email or password provided is incorrect" in result["msg"]
    assert words in result["msg"]
    assert result["failure"]["status"] == 400


@pytest.mark.parametrize("options", [{}, {"admin_email": "admin@example.com"}], ids=["nothing", "no password"])
def test_a_token_or_both_of_address_and_password(run, options):
    run(options, fails=True)


def test_no_connection(run, server):
    server.expect(*SIGN_IN, drop=True)
    result = run(fails=True)
    assert f"POST {server.url}/api/v1/auths/signin failed" in result["msg"]
    assert result["failure"]["status"] is None
