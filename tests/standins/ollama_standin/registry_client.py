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
from urllib.parse import SplitResult, urljoin, urlsplit

STALL_SECONDS = 30
MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
MAX_REDIRECTS = 10


class RegistryError(Exception):
    """A refusal of the registry or a failure on the way to it."""


class Stalled(RegistryError):
    """Nothing came for 30 seconds."""


class RegistryClient:
    """The repository of one model; one request at a time, which another thread may abort.

    :arg base_url: ``http://host:port`` or ``https://host``
    """

    def __init__(self, base_url: str, repository: str, version: str) -> None:
        self.root = f"{base_url}/v2/{repository}"
        machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
        self.headers = {"User-Agent": f"ollama/{version} ({machine} linux) Go/standin"}
        self.aborted = False
        self.socket: socket.socket | None = None

    def manifest(self, tag: str) -> bytes:
        with self._checked("GET", f"{self.root}/manifests/{tag}", {"Accept": MANIFEST_TYPE}) as response:
            return response.read()

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
        parts = urlsplit(url)
        try:
            connection = _connection(parts.scheme, parts.netloc)
            connection.connect()
            self.socket = connection.sock
            if self.aborted:
                raise RegistryError("context canceled")
            connection.request(method, parts._replace(scheme="", netloc="").geturl(), headers=headers)
            response = connection.getresponse()
        except socket.timeout as exc:
            raise Stalled(f'{method.capitalize()} "{url}": context deadline exceeded') from exc
        except (OSError, http.client.HTTPException) as exc:
            raise RegistryError(f'{method.capitalize()} "{url}": {_reason(exc, parts)}') from exc
        try:
            yield response
        finally:
            response.close()
            connection.close()

    def abort(self) -> None:
        """End a wait for the registry, now and for good."""
        self.aborted = True
        if self.socket:
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)

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


def _connection(scheme: str, netloc: str) -> http.client.HTTPConnection:
    if scheme == "http":
        return http.client.HTTPConnection(netloc, timeout=STALL_SECONDS)
    proxy = urllib.request.getproxies().get("https")
    if not proxy or _is_loopback(netloc) or urllib.request.proxy_bypass(netloc):
        return http.client.HTTPSConnection(netloc, timeout=STALL_SECONDS)
    connection = http.client.HTTPSConnection(urlsplit(proxy).netloc, timeout=STALL_SECONDS)
    connection.set_tunnel(netloc)
    return connection


def _is_loopback(netloc: str) -> bool:
    hostname = urlsplit(f"//{netloc}").hostname or ""
    try:
        return ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return hostname == "localhost"


def _reason(exc: Exception, parts: SplitResult) -> str:
    if isinstance(exc, ConnectionRefusedError):
        return f"dial tcp {parts.netloc}: connect: connection refused"
    if isinstance(exc, socket.gaierror):
        return f"dial tcp: lookup {parts.hostname}: no such host"
    if isinstance(exc, ssl.SSLCertVerificationError):
        return "tls: failed to verify certificate: x509: certificate signed by unknown authority"
    if isinstance(exc, ssl.SSLError) and exc.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
        return "tls: first record does not look like a TLS handshake"
    if isinstance(exc, (http.client.RemoteDisconnected, ConnectionResetError)):
        return "EOF"
    return str(exc)
