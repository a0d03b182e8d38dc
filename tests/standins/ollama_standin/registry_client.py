# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests to a model registry, and their failures in the words of the real server."""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import platform
import socket
import ssl
import typing as t
import urllib.request
from urllib.parse import urljoin, urlsplit

STALL_SECONDS = 30
MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
MAX_REDIRECTS = 10
CANCELED = "context canceled"


class RegistryError(Exception):
    """A refusal of the registry or a failure on the way to it."""


class Stalled(RegistryError):
    """Nothing came for 30 seconds."""


class RegistryClient:
    """The repository of one model. Another thread may abort its requests, all at once.

    :arg base_url: ``http://host:port`` or ``https://host``
    """

    def __init__(self, base_url: str, repository: str, version: str) -> None:
        self.root = f"{base_url}/v2/{repository}"
        machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
        self.headers = {"User-Agent": f"ollama/{version} ({machine} linux) Go/standin"}
        self.aborted = False
        self.sockets: set[socket.socket] = set()

    def manifest(self, tag: str) -> bytes:
        with self._checked("GET", f"{self.root}/manifests/{tag}", {"Accept": MANIFEST_TYPE}) as response:
            try:
                return response.read()
            except (OSError, http.client.HTTPException) as exc:
                raise RegistryError("unexpected EOF") from exc

    def blob_size(self, digest: str) -> int:
        with self._checked("HEAD", f"{self.root}/blobs/{digest}", {}) as response:
            return int(response.getheader("Content-Length") or 0)

    def direct_url(self, digest: str) -> str:
        """Where the bytes of a blob are: redirects within the host are followed, the first one away is the answer."""
        url = f"{self.root}/blobs/{digest}"
        for _redirect in range(MAX_REDIRECTS):
            with self._checked("GET", url, {}) as response:
                location = response.getheader("Location")
                status = response.status
            if not location:
                raise RegistryError("http: no Location header in response")
            target = urljoin(url, location)
            if status == 200 or urlsplit(target).hostname != urlsplit(url).hostname:
                return target
            url = target
        raise RegistryError("maximum redirects exceeded (10) for directURL")

    @contextlib.contextmanager
    def open(self, method: str, url: str, headers: dict[str, str]) -> t.Iterator[http.client.HTTPResponse]:
        """An answer of whatever status."""
        connection, target = _route(url)
        try:
            connection.connect()
            self.sockets.add(connection.sock)
            if self.aborted:
                raise RegistryError(CANCELED)
            connection.request(method, target, headers=headers)
            response = connection.getresponse()
        except socket.timeout as exc:
            raise Stalled(f'{method.capitalize()} "{url}": context deadline exceeded') from exc
        except (OSError, http.client.HTTPException) as exc:
            raise RegistryError(f'{method.capitalize()} "{url}": {_reason(exc, connection, url)}') from exc
        try:
            yield response
        finally:
            self.sockets.discard(connection.sock)
            response.close()
            connection.close()

    def abort(self) -> None:
        """End every wait for the registry, now and for good."""
        self.aborted = True
        for waiting in list(self.sockets):
            with contextlib.suppress(OSError):
                waiting.shutdown(socket.SHUT_RDWR)

    @contextlib.contextmanager
    def _checked(self, method: str, url: str, headers: dict[str, str]) -> t.Iterator[http.client.HTTPResponse]:
        with self.open(method, url, {**self.headers, **headers}) as response:
            if response.status == 404:
                raise RegistryError("file does not exist")
            if response.status == 401:
                raise RegistryError(f'realm host "" does not match original host "{urlsplit(url).netloc}"')
            if response.status >= 400:
                raise RegistryError(f"{response.status}: {response.read().decode('utf-8', 'replace')}")
            yield response


def _route(url: str) -> tuple[http.client.HTTPConnection, str]:
    """A connection, by a proxy where the environment names one, and what to ask for over it."""
    parts = urlsplit(url)
    path = parts._replace(scheme="", netloc="").geturl()
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    proxy = urllib.request.getproxies().get(parts.scheme)
    if not proxy or _is_loopback(parts.netloc) or urllib.request.proxy_bypass(parts.netloc):
        return kind(parts.netloc, timeout=STALL_SECONDS), path
    connection = kind(urlsplit(proxy).netloc, timeout=STALL_SECONDS)
    if parts.scheme == "http":
        return connection, url
    connection.set_tunnel(parts.netloc)
    return connection, path


def _is_loopback(netloc: str) -> bool:
    hostname = urlsplit(f"//{netloc}").hostname or ""
    try:
        return ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return hostname == "localhost"


def _reason(exc: Exception, connection: http.client.HTTPConnection, url: str) -> str:
    """What went wrong, in the words of Go."""
    parts = urlsplit(url)
    address = f"{connection.host}:{connection.port}"
    proxied = "" if address.startswith(str(parts.hostname)) else "proxyconnect tcp: "
    if isinstance(exc, ConnectionRefusedError):
        return f"{proxied}dial tcp {address}: connect: connection refused"
    if isinstance(exc, socket.gaierror):
        return f"{proxied}dial tcp: lookup {connection.host}: no such host"
    if isinstance(exc, ssl.SSLCertVerificationError):
        return "tls: failed to verify certificate: x509: certificate signed by unknown authority"
    if isinstance(exc, ssl.SSLError) and exc.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
        return "tls: first record does not look like a TLS handshake"
    if isinstance(exc, (http.client.RemoteDisconnected, ConnectionResetError)):
        return "EOF"
    return str(exc)
