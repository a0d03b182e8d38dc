# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""Transport: one way to send a request, for every service. Knows no service and no AnsibleModule."""

from __future__ import annotations

import contextlib
import http.client
import io
import ipaddress
import json as _json
import os
import socket
import ssl
import threading
import typing as t
import urllib.request
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

EXCERPT = 500


class ServiceError(Exception):
    """Something failed while talking to a service.

    :arg message: what failed, in the words of whoever noticed it
    :arg url: the URL of the request
    :arg status: the HTTP status, or None when there was no answer
    :arg hint: the next step for the user, a sentence of its own
    """

    def __init__(self, message: str, url: str, status: int | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.url = url
        self.status = status
        self.hint = hint

    def result(self) -> dict[str, t.Any]:
        """The arguments for ``fail_json``: one sentence of what failed where, the server's words, the next step."""
        failure = {"url": self.url, "status": self.status, "error": self.message}
        return {"msg": " ".join(part for part in (self.message, self.hint) if part), "failure": failure}


class ConnectError(ServiceError):
    """No usable answer: refused, timed out, TLS, name resolution, or a connection cut in the middle."""


class ApiError(ServiceError):
    """The service answered, and the answer is a refusal or makes no sense."""


class Response(t.NamedTuple):
    """A complete answer. Header names are in lower case."""

    url: str
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> t.Any:
        """The decoded body.

        :raises ApiError: the body is not JSON (a wrong path or a proxy's error page, for instance)
        """
        try:
            return _json.loads(self.body)
        except (ValueError, RecursionError) as exc:
            raise ApiError(
                f"{self.url} answered {self.status} with something that is not JSON: {self.excerpt()!r}.",
                self.url,
                self.status,
                "Check that the URL is that of the service itself.",
            ) from exc

    def excerpt(self) -> str:
        """The beginning of the body as text, for an error message."""
        return _excerpt(self.body)


class Lines:
    """The NDJSON lines of an answer, decoded, as they arrive.

    A stream that is cut ends quietly or raises, depending on where: only the service's own last line proves that it
    was complete.

    :raises ConnectError: silence for longer than the timeout, or a cut that was noticed
    :raises ApiError: a line that is not JSON
    """

    def __init__(self, raw: t.Any, method: str, url: str, timeout: float) -> None:
        self._raw = raw
        self._method = method
        self._url = url
        self._timeout = timeout

    def allow_silence(self, seconds: float) -> None:
        """Change how long the service may be silent from now on."""
        self._timeout = seconds
        # http.client has no public way to change the timeout of an answer under way; at the end it has dropped fp.
        if self._raw.fp is not None:
            self._raw.fp.raw._sock.settimeout(seconds)

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> t.Any:
        line = b"\n"
        while line and not line.strip():
            with _translated_errors(self._method, self._url, self._timeout):
                line = self._raw.readline()
        if not line:
            raise StopIteration
        try:
            return _json.loads(line)
        except (ValueError, RecursionError) as exc:
            message = f"{self._method} {self._url} sent a line that is not JSON: {_excerpt(line)!r}."
            raise ApiError(message, self._url, 200, "Check that the URL is that of the service itself.") from exc


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer like any other: following it could carry credentials elsewhere."""

    def redirect_request(self, *_arguments: t.Any) -> None:
        pass


class HttpClient:
    """Sends requests to one service.

    :arg base_url: scheme, host, port and an optional path prefix; a trailing slash is ignored
    :arg headers: sent with every request
    :arg token: sent as a Bearer token
    :arg validate_certs: check the server's certificate
    :arg ca_path: a file of CA certificates on the host that runs the module, trusted beside those of the system
    :arg timeout: seconds of silence (not of total duration) after which a request has failed
    """

    def __init__(
        self,
        base_url: str,
        headers: dict[str, t.Any] | None = None,
        token: str | None = None,
        validate_certs: bool = True,
        ca_path: str | None = None,
        timeout: float = 30,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.headers = {str(name): str(value) for name, value in (headers or {}).items()}
        self.token = token
        self.validate_certs = validate_certs
        self.ca_path = ca_path
        self.timeout = timeout
        self._made_opener: urllib.request.OpenerDirector | None = None
        self._lock = threading.Lock()

    def url(self, path: str) -> str:
        """The absolute URL of a path."""
        return self.base_url + path

    def request(self, method: str, path: str, json: t.Any = None, timeout: float | None = None) -> Response:
        """Send a request and read the whole answer, whatever its status.

        :arg json: a body, sent as JSON
        :arg timeout: seconds of silence, when it differs from the client's
        :raises ConnectError: there was no complete answer
        """
        timeout = self.timeout if timeout is None else timeout
        with self._open(method, path, json, timeout) as raw:
            return self._complete(method, path, raw, timeout)

    def upload(self, path: str, filename: str) -> Response:
        """POST the bytes of a file as :meth:`request` does. May raise the OSError of opening it."""
        with open(filename, "rb") as source, self._open("POST", path, source, self.timeout) as raw:
            return self._complete("POST", path, raw, self.timeout)

    @contextlib.contextmanager
    def stream(
        self, method: str, path: str, json: t.Any = None, timeout: float | None = None
    ) -> t.Iterator[Response | Lines]:
        """Send a request and give the lines of its answer; leaving the context closes the connection.

        An answer with another status than 200 is given as a :class:`Response` instead.

        :raises ConnectError: there was no answer
        """
        timeout = self.timeout if timeout is None else timeout
        with self._open(method, path, json, timeout) as raw:
            if raw.status == 200:
                yield Lines(raw, method, self.url(path), timeout)
            else:
                yield self._complete(method, path, raw, timeout)

    def _complete(self, method: str, path: str, raw: t.Any, timeout: float) -> Response:
        headers = {key.lower(): value for key, value in raw.headers.items()}
        with _translated_errors(method, self.url(path), timeout):
            body = raw.read()
        return Response(self.url(path), raw.status, headers, body if raw.status < 400 else self._masked(body))

    def _masked(self, body: bytes) -> bytes:
        """A refusal may quote what it refuses, and its words go into messages."""
        for secret in (self.token or "", *self.headers.values()):
            if len(secret) > 2:
                body = body.replace(secret.encode(), b"********")
        return body

    @contextlib.contextmanager
    def _open(self, method: str, path: str, body: t.Any, timeout: float) -> t.Iterator[t.Any]:
        if timeout <= 0:
            raise ConnectError(f"A timeout of {timeout:g} seconds leaves no time for an answer.", self.base_url)
        opener = self._opener()
        data = body if body is None or isinstance(body, io.BufferedReader) else _json.dumps(body).encode()
        request = urllib.request.Request(self.url(path), data, self._headers(data), method=method)
        with _translated_errors(method, self.url(path), timeout):
            try:
                raw = opener.open(request, timeout=timeout)
            except HTTPError as exc:
                raw = exc
        with contextlib.closing(raw):
            yield raw

    def _checked_host(self) -> str:
        try:
            parts = urlsplit(self.base_url)
            usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port)
        except ValueError:
            usable = False
        if not usable:
            raise ConnectError(
                f"{self.base_url!r} is not the URL of a service.", self.base_url, hint="Write http://host:port."
            )
        if "@" in parts.netloc:
            # The URL stands in every message, and in the log of a proxy.
            raise ConnectError(
                f"The URL of {parts.hostname} holds a user or a password.",
                f"{parts.scheme}://{parts.hostname}",
                hint="Give credentials by token or headers instead.",
            )
        return str(parts.hostname)

    def _opener(self) -> urllib.request.OpenerDirector:
        """One for all requests, from whatever thread: ansible's own ``Request`` sets that of the whole process."""
        with self._lock:
            if self._made_opener is None:
                # A proxy cannot reach this host's loopback, and urllib would ask it all the same.
                proxies: dict[str, str] | None = {} if _is_loopback(self._checked_host()) else None
                handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler(proxies), _NoRedirects()]
                if self.base_url.lower().startswith("https:"):
                    handlers.append(urllib.request.HTTPSHandler(context=self._tls()))
                self._made_opener = urllib.request.build_opener(*handlers)
            return self._made_opener

    def _tls(self) -> ssl.SSLContext:
        # The import takes longer than a request, and most Ollama servers speak plain HTTP.
        from ansible.module_utils.urls import make_context

        context = make_context(validate_certs=self.validate_certs)
        try:
            if self.ca_path:
                context.load_verify_locations(cafile=self.ca_path)
            return context
        except OSError as exc:
            raise ConnectError(f"The CA file {self.ca_path} cannot be used: {exc}.", self.base_url) from exc

    def _headers(self, data: t.Any) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": "ansible-selfhosted.llm"}
        if isinstance(data, io.BufferedReader):
            # Without a length http.client would send chunks, which a proxy may refuse.
            headers["Content-Length"] = str(os.fstat(data.fileno()).st_size)
            headers["Content-Type"] = "application/octet-stream"
        elif data is not None:
            headers["Content-Type"] = "application/json"
        headers.update(self.headers)
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        for name, value in headers.items():
            if not value.isprintable() or not name.isascii() or max(value, default="") > "\xff":
                # http.client refuses it as well, and its message would show the value.
                raise ConnectError(
                    f"The header {name} holds a character that HTTP headers cannot, a line break perhaps.",
                    self.base_url,
                    hint="Check how the value was read: a file often ends in a line break.",
                )
        return headers


@contextlib.contextmanager
def _translated_errors(method: str, url: str, timeout: float) -> t.Iterator[None]:
    try:
        yield
    except (URLError, http.client.HTTPException, OSError, ValueError) as exc:
        reason = getattr(exc, "reason", None) or exc
        if isinstance(reason, socket.timeout):
            raise ConnectError(
                f"{method} {url} brought nothing for {timeout:g} seconds.",
                url,
                hint="Check that the service is up and not overloaded, or raise the timeout.",
            ) from exc
        hint = "Check that the service is running, that the URL is right and that this host reaches it."
        if "CERTIFICATE_VERIFY_FAILED" in str(reason):
            hint = "Give the file of the CA that signed the service's certificate as ca_path."
        raise ConnectError(f"{method} {url} failed: {str(reason) or type(reason).__name__}.", url, hint=hint) from exc


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _excerpt(body: bytes) -> str:
    return body[:EXCERPT].decode("utf-8", "replace").strip()
