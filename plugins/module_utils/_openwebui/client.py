# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""How to talk to an Open WebUI server: signing in, and what its answers mean."""

from __future__ import annotations

import copy
import typing as t

from ansible_collections.selfhosted.llm.plugins.module_utils._arguments import http_client
from ansible_collections.selfhosted.llm.plugins.module_utils._http import (
    ApiError,
    HttpClient,
    Response,
    ServiceError,
)


class InputError(ServiceError):
    """What was asked for cannot be done. Nothing was written."""


class WrongPassword(ApiError):
    """The server does not accept this password for this address."""


class NoSession(ApiError):
    """The password is right, but does not open a session that could be used."""


# The status alone says little: 401 is a missing role as well as an ended session. The first match counts.
REFUSALS: tuple[tuple[int, str, type[ApiError], str], ...] = (
    (
        400,
        "The email or password provided is incorrect",
        WrongPassword,
        "Check the address and the password. This was the only attempt: Open WebUI counts every one.",
    ),
    (
        429,
        "API rate limit exceeded",
        ApiError,
        "Open WebUI allows 15 sign-ins per address in three minutes, and each further attempt prolongs the wait. "
        "Wait four minutes, then sign in once with selfhosted.llm.openwebui_session and use its token in all tasks.",
    ),
    (401, "You do not have permission", ApiError, "The account needs the role admin."),
    (
        401,
        "",
        ApiError,
        "The token is wrong or its session has ended: it expired, its owner signed out or got a new password, or the "
        "server has another secret key. Sign in again with selfhosted.llm.openwebui_session.",
    ),
)


class OpenWebUI:
    """The API of one server, as one account.

    :arg http: the transport; without a token the first request signs in
    """

    def __init__(self, http: HttpClient, email: str | None = None, password: str | None = None) -> None:
        self.http = http
        self.email = email or ""
        self.password = password or ""

    def get(self, path: str, needs: tuple[str, ...] = ()) -> t.Any:
        """Read something. See :meth:`call`."""
        return self.call("GET", path, needs=needs)

    def post(self, path: str, body: t.Any) -> t.Any:
        """Send something. See :meth:`call`."""
        return self.call("POST", path, body)

    def call(self, method: str, path: str, body: t.Any = None, needs: tuple[str, ...] = ()) -> t.Any:
        """The decoded answer to a request.

        :arg needs: the keys that the answer must have to be what the path promises
        :raises ServiceError: no answer, a refusal, or not the API's answer
        """
        if self.email and not self.http.token:
            self.http.token = self.sign_in(self.email, self.password)["token"]
        answer = self.checked(method, self.http.request(method, path, body))
        missing = [key for key in needs if not isinstance(answer, dict) or key not in answer]
        if missing:
            raise ApiError(
                f"{method} {self.http.url(path)} answered without {', '.join(missing)}.",
                self.http.url(path),
                200,
                "This version of Open WebUI is not one that this collection knows.",
            )
        return answer

    def sign_in(self, email: str, password: str) -> dict[str, t.Any]:
        """Sign in once, whoever it is.

        :returns: the answer with ``token``, ``expires_at``, ``id``, ``email``, ``name`` and ``role``

        :raises WrongPassword: wrong address or password; the server does not say which
        :raises NoSession: the password is right, and more than a password is missing
        """
        http = copy.copy(self.http)
        http.token = None
        try:
            answer = OpenWebUI(http).post("/api/v1/auths/signin", {"email": email, "password": password})
        except ApiError as exc:
            if exc.status == 403:
                exc.hint = "Signing in with a password is switched off on this server: use the token of an API key."
            raise
        if not answer.get("token"):
            raise NoSession(
                f"{email} cannot sign in to {http.base_url} with a password alone: the server's next step is "
                f"{answer.get('next_step', 'unknown')}.",
                http.base_url,
                200,
                "Multi-factor authentication is on: use the token of an API key.",
            )
        if answer["role"] == "pending":
            raise NoSession(
                f"{email} signed in to {http.base_url}, but the account is still pending.",
                http.base_url,
                200,
                "An administrator has to give it a role first.",
            )
        return answer

    def checked(self, method: str, response: Response) -> t.Any:
        """The decoded body of an answer that is a success of the API.

        :raises ApiError: it is not
        """
        media = response.headers.get("content-type", "no content type").split(";")[0]
        if response.status == 200 and media != "application/json":
            # Open WebUI answers every path that it does not know with 200 and its start page.
            raise ApiError(
                f"{method} {response.url} answered with {media} instead of JSON.",
                response.url,
                200,
                "Either the URL is not that of Open WebUI itself, or this version does not have the path.",
            )
        if response.status == 200:
            return response.json()
        text = _detail(response) if media == "application/json" else response.excerpt()
        location = response.headers.get("location")
        redirect = f"The server redirects to {location}: use that URL." if location else ""
        error, hint = next(
            (refusal[2:] for refusal in REFUSALS if refusal[0] == response.status and text.startswith(refusal[1])),
            (ApiError, redirect),
        )
        message = f"{method} {response.url} was answered with {response.status}: {text.rstrip('.')}."
        raise error(message, response.url, response.status, hint)


def admin_client(params: dict[str, t.Any]) -> OpenWebUI:
    """The client that a module's connection options describe."""
    return OpenWebUI(http_client(params), params["admin_email"], params["admin_password"])


def _detail(response: Response) -> str:
    """The server's own words, without what was sent: a list of invalid fields repeats it, secrets included."""
    body = response.json()
    detail = body.get("detail", body) if isinstance(body, dict) else body
    if isinstance(detail, list):
        return "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in detail)
    return str(detail)
