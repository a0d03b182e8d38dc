# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.selfhosted.llm.plugins.module_utils._http import ApiError, HttpClient
from ansible_collections.selfhosted.llm.plugins.module_utils._openwebui.client import (
    MultiFactor,
    OpenWebUI,
    PasswordsOff,
    Pending,
    RateLimited,
    SessionEnded,
    WrongPassword,
)

CREDENTIALS = {"email": "admin@example.com", "password": "secret words"}
SIGN_IN = ("POST", "/api/v1/auths/signin", CREDENTIALS)
# Words of the server's own source, for states that were not recorded.
FROM_THE_SOURCE = {
    "api_keys_off": {"status": 403, "answer": {"detail": "Use of API key is not enabled in the environment."}},
    "mfa_limit": {"status": 429, "answer": {"detail": "Too many attempts. Please try again later."}},
    "database": {"status": 503, "answer": {"detail": "Authentication is temporarily unavailable."}},
    "unknown_model": {"status": 401, "answer": {"detail": "We could not find what you're looking for :/"}},
    "trusted_header": {
        "status": 400,
        "answer": {
            "detail": "Your provider has not provided a trusted header. "
            "Please contact your administrator for assistance."
        },
    },
}


@pytest.fixture
def recorded(recording):
    return recording("openwebui")


@pytest.fixture
def client(server):
    return OpenWebUI(HttpClient(server.url, token="given"))


@pytest.mark.parametrize(
    ("refusal", "error", "hint"),
    [
        ("no_token", ApiError, "The server got no token"),
        ("malformed_token", SessionEnded, "Sign in again"),
        ("unknown_user", SessionEnded, "Sign in again"),
        ("ended_session", SessionEnded, "Sign in again"),
        ("bad_api_key", SessionEnded, "Sign in again"),
        ("not_admin", ApiError, "The account needs the role admin."),
        ("api_keys_off", ApiError, "Switch API keys on"),
        ("rate_limit", RateLimited, "Wait four minutes"),
        ("mfa_limit", RateLimited, "15 minutes"),
        ("wrong_password", WrongPassword, "This was the only attempt"),
        ("invalid_auth_body", ApiError, "does not say which field"),
        ("database", ApiError, "see its log"),
        ("unknown_model", ApiError, None),
        ("duplicate", ApiError, None),
        ("protected", ApiError, None),
        ("unknown_path", ApiError, None),
    ],
)
def test_the_words_of_a_refusal_decide_the_next_step(server, client, recorded, refusal, error, hint):
    answer = {**recorded["refusals"], **FROM_THE_SOURCE}[refusal]
    server.expect("GET", "/api/v1/users/all", **answer)
    with pytest.raises(ApiError) as caught:
        client.get("/api/v1/users/all")
    words = answer["answer"]["detail"].rstrip(".")
    assert caught.value.message == f"GET {server.url}/api/v1/users/all was answered with {answer['status']}: {words}."
    assert caught.value.status == answer["status"]
    assert caught.type is error
    assert caught.value.result()["failure"].get("session_ended", False) is (error is SessionEnded)
    assert (hint or "") in caught.value.hint
    assert bool(caught.value.hint) is bool(hint)


def test_a_refusal_by_a_proxy_is_no_ended_session(server, client):
    page = "<html><h1>401 Unauthorized</h1></html>"
    server.expect("GET", "/api/version", status=401, text=page, headers={"Content-Type": "text/html"})
    with pytest.raises(ApiError) as caught:
        client.get("/api/version")
    assert caught.type is ApiError


def test_an_invalid_field_is_named_and_what_was_sent_is_not(server, client, recorded):
    server.expect("POST", "/api/v1/configs/import", {"ui.enable_signup": True}, **recorded["refusals"]["invalid_field"])
    with pytest.raises(ApiError) as caught:
        client.post("/api/v1/configs/import", {"ui.enable_signup": True})
    assert caught.value.message.endswith("was answered with 422: body.config: Field required.")
    assert "enable_signup" not in str(caught.value.result())


def test_a_page_instead_of_the_api(server, client, recorded):
    headers = {"Content-Type": "text/html; charset=utf-8"}
    server.expect("GET", "/api/v1/users", text=recorded["page"], headers=headers)
    with pytest.raises(ApiError, match=r"answered with text/html instead of JSON\.$") as caught:
        client.get("/api/v1/users")
    assert "this version does not have the path" in caught.value.hint


def test_a_proxy_that_fails(server, client):
    server.expect("GET", "/api/version", status=502, text="<h1>Bad Gateway</h1>", headers={"Content-Type": "text/html"})
    with pytest.raises(ApiError, match="was answered with 502: <h1>Bad Gateway</h1>"):
        client.get("/api/version")


def test_a_redirect_is_not_followed_and_named(server, client):
    server.expect("GET", "/api/version", status=301, headers={"Location": "https://chat.example.com/api/version"})
    with pytest.raises(ApiError) as caught:
        client.get("/api/version")
    assert caught.value.hint == "The server redirects to https://chat.example.com/api/version: use that URL."


@pytest.mark.parametrize("answer", [{"total": 1}, [], "text", None])
def test_an_answer_of_another_shape(server, client, answer):
    server.expect("GET", "/api/v1/users/all", answer=answer)
    with pytest.raises(ApiError, match="answered without users"):
        client.get("/api/v1/users/all", needs=("users",))


def test_a_token_is_used_without_signing_in(server):
    client = OpenWebUI(HttpClient(server.url, token="given"), **CREDENTIALS)
    server.expect("GET", "/api/v1/users/all", sent={"Authorization": "Bearer given"}, answer={})
    client.get("/api/v1/users/all")


def test_one_sign_in_for_all_requests(server, recorded):
    client = OpenWebUI(HttpClient(server.url), **CREDENTIALS)
    server.expect(*SIGN_IN, sent={"Authorization": None}, answer=recorded["sign_in"])
    for path in ("/a", "/b"):
        server.expect("GET", path, sent={"Authorization": "Bearer header.payload.signature"}, answer={})
        client.get(path)


def test_nothing_is_sent_before_it_is_needed(server):
    OpenWebUI(HttpClient(server.url), **CREDENTIALS)
    assert server.requests == []


def test_a_sign_in_does_not_replace_the_token_in_use(server, client, recorded):
    server.expect(*SIGN_IN, sent={"Authorization": None}, answer=recorded["sign_in"])
    assert client.sign_in(**CREDENTIALS) == recorded["sign_in"]
    assert client.http.token == "given"


@pytest.mark.parametrize(
    ("refusal", "error", "hint"),
    [
        ("wrong_password", WrongPassword, "This was the only attempt"),
        ("rate_limit", RateLimited, "Wait four minutes"),
        ("mfa_limit", RateLimited, "15 minutes"),
        # With ENABLE_PASSWORD_AUTH=false the server refuses in the same words as for a protected account.
        ("protected", PasswordsOff, "switched off on this server"),
        ("trusted_header", PasswordsOff, "A proxy in front of this server"),
        ("invalid_auth_body", ApiError, "does not say which field"),
        ("database", ApiError, "see its log"),
    ],
)
def test_a_refused_sign_in_is_one_attempt(server, client, recorded, refusal, error, hint):
    server.expect(*SIGN_IN, **{**recorded["refusals"], **FROM_THE_SOURCE}[refusal])
    with pytest.raises(ApiError) as caught:
        client.sign_in(**CREDENTIALS)
    assert caught.type is error
    assert hint in caught.value.hint
    assert "secret words" not in str(caught.value.result())


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ({"next_step": "enroll", "challenge_token": "<CHALLENGE>"}, MultiFactor, "the server's next step is enroll"),
        ({"next_step": "verify", "challenge_token": "<CHALLENGE>"}, MultiFactor, "the server's next step is verify"),
        ({"next_step": "recover", "challenge_token": "<CHALLENGE>"}, MultiFactor, "the server's next step is recover"),
        ({"next_step": "pending"}, Pending, "still pending"),
        ({"token": "header.payload.signature", "role": "pending"}, Pending, "still pending"),
        ({"id": "cb8c85a4"}, ApiError, "got no token"),
        (["token"], ApiError, "got no token"),
    ],
)
def test_a_right_password_that_opens_nothing(server, client, answer, error, words):
    server.expect(*SIGN_IN, answer=answer)
    with pytest.raises(ApiError, match=words) as caught:
        client.sign_in(**CREDENTIALS)
    assert caught.type is error
    assert caught.value.hint
    assert "<CHALLENGE>" not in str(caught.value.result())
    assert "signature" not in str(caught.value.result())
