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


class MultiFactor(NoSession):
    """A password alone is not enough for the server."""


class Pending(NoSession):
    """The account waits for an administrator to give it a role."""


class PasswordsOff(ApiError):
    """The server takes no password, from nobody."""


class RateLimited(ApiError):
    """The server counts too many attempts, and every further one prolongs the wait."""


class SessionEnded(ApiError):
    """The server does not know the token, or not any more. A new session helps."""

    def result(self) -> dict[str, t.Any]:
        result = super().result()
        result["failure"]["session_ended"] = True
        return result


class Incomplete(ServiceError):
    """Not all of a list is as wanted.

    :arg cause: the error to report
    :arg outcome: what was done nevertheless
    """

    def __init__(self, cause: ServiceError, outcome: dict[str, t.Any]) -> None:
        super().__init__(cause.message, cause.url, cause.status, cause.hint)
        self.cause = cause
        self.outcome = outcome

    def result(self) -> dict[str, t.Any]:
        return {**self.outcome, **self.cause.result()}


class Refusal(t.NamedTuple):
    """What a status with an answer that begins with some words means, and the next step."""

    status: int
    words: str
    error: type[ServiceError]
    hint: str


ENDED = (
    "The token is wrong or its session has ended: it expired, its owner signed out or got a new password, or the "
    "server has another secret key. Sign in again with selfhosted.llm.openwebui_session, or give admin_email and "
    "admin_password beside token: then the session is renewed."
)

UNKNOWN_VERSION = "This version of Open WebUI is not one that this collection knows."

# The status alone says little: 401 is a missing role as well as an ended session. The first match counts.
REFUSALS = (
    Refusal(
        400,
        "The email or password provided is incorrect",
        WrongPassword,
        "Check the address and the password. This was the only attempt: Open WebUI counts every one.",
    ),
    Refusal(
        429,
        "API rate limit exceeded",
        RateLimited,
        "Open WebUI allows 15 sign-ins per address in three minutes, and each further attempt prolongs the wait. "
        "Wait four minutes, then sign in once with selfhosted.llm.openwebui_session and use its token in all tasks.",
    ),
    Refusal(
        429,
        "Too many attempts",
        RateLimited,
        "With multi-factor authentication Open WebUI allows 10 passwords per account and 100 changes of accounts per "
        "host in 15 minutes. Wait as long.",
    ),
    Refusal(401, "You do not have permission", ApiError, "The account needs the role admin."),
    Refusal(
        401,
        "Not authenticated",
        ApiError,
        "The server got no token: it is empty, or a proxy in front of the server takes the Authorization header away.",
    ),
    *(
        Refusal(401, words, SessionEnded, ENDED)
        for words in (
            "401 Unauthorized",
            "Invalid token",
            "Invalid authentication request",
            "Your session has expired",
        )
    ),
    Refusal(
        403,
        "Use of API key is not enabled",
        ApiError,
        "Switch API keys on in the admin panel (ENABLE_API_KEYS), or use admin_email and admin_password.",
    ),
    Refusal(
        403,
        "You do not have permission",
        ApiError,
        "API keys may use some paths only on this server: add this one to API_KEYS_ALLOWED_ENDPOINTS.",
    ),
    Refusal(
        422,
        "Invalid authentication request",
        ApiError,
        "Open WebUI does not say which field of the request it refuses: compare its version with those that this "
        "collection knows.",
    ),
    Refusal(
        503,
        "Authentication is temporarily unavailable",
        ApiError,
        "Open WebUI could not read its database: see its log, and run this again.",
    ),
)
SIGN_IN_REFUSALS = (
    Refusal(
        403,
        "The requested action has been restricted",
        PasswordsOff,
        "Signing in with a password is switched off on this server (ENABLE_PASSWORD_AUTH): use an API key as token.",
    ),
    Refusal(
        400,
        "Your provider has not provided a trusted header",
        PasswordsOff,
        "A proxy in front of this server signs people in, and no password counts: use an API key as token.",
    ),
    *REFUSALS,
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

    def call(
        self,
        method: str,
        path: str,
        body: t.Any = None,
        needs: tuple[str, ...] = (),
        refusals: tuple[Refusal, ...] = REFUSALS,
    ) -> t.Any:
        """The decoded answer to a request.

        :arg needs: the keys that the answer must have to be what the path promises
        :arg refusals: what the server's refusals mean here
        :raises ServiceError: no answer, a refusal, or not the API's answer
        """
        if self.email and not self.http.token:
            self.http.token = self.sign_in(self.email, self.password)["token"]
        answer = self.checked(method, self.http.request(method, path, body), refusals)
        missing = [key for key in needs if not isinstance(answer, dict) or key not in answer]
        if missing:
            raise ApiError(
                f"{method} {self.http.url(path)} answered without {', '.join(missing)}.",
                self.http.url(path),
                200,
                UNKNOWN_VERSION,
            )
        return answer

    def sign_in(self, email: str, password: str) -> dict[str, t.Any]:
        """Sign in once, whoever it is.

        :returns: the answer with ``token``, ``expires_at``, ``id``, ``email``, ``name`` and ``role``

        :raises WrongPassword: wrong address or password; the server does not say which
        :raises MultiFactor: the password is right, and the server wants more
        :raises Pending: the password is right, and the account has no role yet
        :raises PasswordsOff: the server takes no passwords
        :raises RateLimited: too many attempts for this address; the password was not looked at
        """
        client = OpenWebUI(copy.copy(self.http))
        client.http.token = None
        body = {"email": email, "password": password}
        answer = client.call("POST", "/api/v1/auths/signin", body, refusals=SIGN_IN_REFUSALS)
        url = client.http.base_url
        if not isinstance(answer, dict) or not (answer.get("next_step") or answer.get("token")):
            raise ApiError(f"{email} signed in to {url} and got no token.", url, 200, UNKNOWN_VERSION)
        if answer.get("next_step") == "pending" or answer.get("role") == "pending":
            raise Pending(
                f"{email} signed in to {url}, but the account is still pending.",
                url,
                200,
                "An administrator has to give it a role first.",
            )
        if answer.get("next_step"):
            raise MultiFactor(
                f"{email} cannot sign in to {url} with a password alone: the server's next step is "
                f"{answer['next_step']}.",
                url,
                200,
                "Multi-factor authentication is on: use an API key as token.",
            )
        return answer

    def checked(self, method: str, response: Response, refusals: tuple[Refusal, ...] = REFUSALS) -> t.Any:
        """The decoded body of an answer that is a success of the API.

        :arg refusals: what the server's refusals mean here
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
            (
                (refusal.error, refusal.hint)
                for refusal in refusals
                if refusal.status == response.status and text.startswith(refusal.words)
            ),
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
