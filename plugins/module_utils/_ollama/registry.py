# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection.

"""What registries hold: a manifest tells the digest of a model, its files and their sizes before anything is pulled."""

from __future__ import annotations

import json
import re
import typing as t
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from urllib.parse import urldefrag, urljoin, urlsplit

from ansible_collections.selfhosted.llm.plugins.module_utils._http import (
    ApiError,
    ConnectError,
    HttpClient,
    Response,
    ServiceError,
)
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.names import ModelName

MEDIA_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
LAYER_TYPE = "application/vnd.ollama.image."
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
THREADS = 16
REDIRECTS = (301, 302, 303, 307, 308)
HOPS = 4

# The first match counts.
HINTS = (
    (r"answered 404", "Check the spelling and the tag: the registry {host} has no such model."),
    (r"answered 40[13]", "The registry {host} wants credentials, which Ollama cannot send, or has no such model."),
    (r"answered 400: .*HTTPS", "The registry {host} speaks TLS: set insecure to false."),
    (r"answered 412", "Update the Ollama server: the model needs a newer version."),
    (r"answered (429|5\d\d)", "The registry {host} is busy or limits requests: run the task again later."),
    (r"CA file", "Check registry_ca_path."),
    (r"CERTIFICATE_VERIFY_FAILED", "Give the file of the CA that signed the registry's certificate: registry_ca_path."),
    (r"WRONG_VERSION|RECORD_LAYER|HTTP_REQUEST", "The registry {host} speaks plain HTTP: set insecure to true."),
    (r"brought nothing|failed:", "Check that the host that runs the module reaches {host}, which may need a proxy."),
    (r"", "Check what answers as {host}: it may be the sign-in page of a proxy, or a server that is no registry."),
)

Argument = t.TypeVar("Argument")
Result = t.TypeVar("Result")


class Layer(t.NamedTuple):
    """A file of a model. The digest begins with ``sha256:``, the size is in bytes."""

    media_type: str
    digest: str
    size: int


class Manifest(t.NamedTuple):
    """The files of a model, its configuration last, and the hexadecimal SHA-256 of the manifest itself."""

    digest: str
    layers: list[Layer]

    @property
    def size(self) -> int:
        """The bytes of all files, as the server adds them up for its list."""
        return sum(layer.size for layer in self.layers)

    @property
    def weights(self) -> str | None:
        """The digest of the weights. None of a model in the cloud, and of one in many tensor files."""
        return self.digest_of("model")

    def digest_of(self, kind: str) -> str | None:
        """The digest of the file that holds the ``template``, for instance."""
        return next((layer.digest for layer in self.layers if layer.media_type == LAYER_TYPE + kind), None)


def parse_manifest(raw: bytes) -> Manifest:
    """Read a manifest. Its digests are safe to use in paths and URLs.

    :raises ValueError: it is none, or names no file; the text says why
    """
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError) as exc:
        raise ValueError("it is not JSON") from exc
    if not isinstance(content, dict):
        raise ValueError("it is no JSON object")
    files = content.get("layers") or []
    config = content.get("config") or {}
    if not isinstance(files, list) or not all(isinstance(entry, dict) for entry in [*files, config]):
        raise ValueError("its layers make no sense")
    # The server leaves these fields empty where there is no configuration. A model in the cloud has nothing else.
    layers = [_layer(entry) for entry in ([*files, config] if config.get("digest") else files)]
    if not layers:
        raise ValueError("it has no layers")
    return Manifest(sha256(raw).hexdigest(), layers)


def _layer(entry: dict[str, t.Any]) -> Layer:
    digest, size = entry.get("digest"), entry.get("size")
    if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
        raise ValueError(f"it has a layer with the digest {digest!r}")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise ValueError(f"it has a layer with the size {size!r}")
    return Layer(str(entry.get("mediaType")), digest, size)


class Registry:
    """Asks the registries that models come from. They get no credentials, and no header that is for the Ollama server.

    :arg ca_path: a file of CA certificates on the host that runs the module
    :arg timeout: seconds of silence after which a request has failed
    """

    def __init__(self, ca_path: str | None, timeout: float) -> None:
        self.ca_path = ca_path
        self.timeout = timeout
        self._clients: dict[str, HttpClient] = {}

    def manifests(self, models: t.Iterable[tuple[ModelName, bool]]) -> dict[str, Manifest | ServiceError]:
        """The manifest of each model by the key of its name, or why there is none. Asks for all at once.

        :arg models: names, each with whether its registry speaks plain HTTP
        """
        distinct = {name.key: (name, insecure) for name, insecure in models}
        return dict(zip(distinct, in_parallel(self._outcome, distinct.values())))

    def manifest(self, name: ModelName, insecure: bool) -> Manifest:
        """The manifest of a model.

        :arg insecure: plain HTTP
        :raises ServiceError: with the names of the model and the registry, and the next step
        """
        scheme = "http" if insecure else "https"
        url = f"{scheme}://{name.host}/v2/{name.namespace}/{name.model}/manifests/{name.tag}"
        try:
            response = self._get(url)
            if response.status != 200:
                words = response.excerpt() or "no text"
                raise ApiError(f"GET {response.url} answered {response.status}: {words}", response.url, response.status)
            try:
                return parse_manifest(response.body)
            except ValueError as exc:
                message = f"what GET {response.url} answered is no manifest: {exc} ({response.excerpt()!r})"
                raise ApiError(message, response.url, response.status) from exc
        except (ApiError, ConnectError) as exc:
            message = f"The registry {name.host} did not give the manifest of {name}: {exc.message.rstrip('.')}."
            hint = next(hint for pattern, hint in HINTS if re.search(pattern, exc.message, re.DOTALL))
            raise type(exc)(message, exc.url, exc.status, hint.format(host=name.host)) from exc

    def _outcome(self, model: tuple[ModelName, bool]) -> Manifest | ServiceError:
        try:
            return self.manifest(*model)
        except ServiceError as exc:
            return exc

    def _get(self, url: str) -> Response:
        for _hop in range(HOPS):
            parts = urlsplit(url)
            base_url = f"{parts.scheme}://{parts.netloc}"
            response = self._client(base_url).request("GET", url[len(base_url) :])
            if response.status not in REDIRECTS:
                return response
            url = _redirected(url, response)
        raise ApiError(f"GET {url} redirects again and again", url, response.status)

    def _client(self, base_url: str) -> HttpClient:
        client = HttpClient(base_url, headers={"Accept": MEDIA_TYPE}, ca_path=self.ca_path, timeout=self.timeout)
        return self._clients.setdefault(base_url, client)


def in_parallel(function: t.Callable[[Argument], Result], arguments: t.Collection[Argument]) -> list[Result]:
    """Call a function for each argument, in up to 16 threads. The results have the order of the arguments."""
    if not arguments:
        return []
    with ThreadPoolExecutor(max_workers=min(THREADS, len(arguments))) as pool:
        return list(pool.map(function, arguments))


def _redirected(url: str, response: Response) -> str:
    location = response.headers.get("location", "")
    try:
        target = urldefrag(urljoin(url, location)).url
    except ValueError:
        target = ""
    allowed = ("https://",) if url.startswith("https://") else ("https://", "http://")
    if not location or not target.startswith(allowed):
        message = f"GET {url} answered {response.status} with a redirection to {location!r}, which is not followed"
        raise ApiError(message, url, response.status)
    return target
