# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the user is told about a pull that failed."""

from __future__ import annotations

import pytest

from ansible_collections.selfhosted.llm.plugins.module_utils._http import ApiError, ConnectError, HttpClient
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.client import OllamaClient
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.names import parse
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.pull import RESUMES, Puller

NAME = parse("mirror:5000/library/one")
BODY = {"model": "mirror:5000/library/one:latest", "insecure": True, "stream": True}
EMPTY_PART_HINT = "Remove the file."


def refused(server, error=ApiError):
    """The failure of a pull, after checks of what every failure has to say."""
    puller = Puller(OllamaClient(HttpClient(server.url)), 5, 0, lambda *_line: None)
    with pytest.raises(error) as failure:
        puller.pull(NAME, True, EMPTY_PART_HINT)
    assert failure.value.message.startswith(f"{server.url} could not pull mirror:5000/library/one:latest: ")
    assert failure.value.message.endswith(".")
    assert failure.value.url == f"{server.url}/api/pull"
    return failure.value


NO_SUCH_MODEL = "Check the spelling and the tag: the registry mirror:5000 has no such model."
CREDENTIALS = "mirror:5000 or a proxy wants credentials, and Ollama cannot send any."
BUSY = "The registry mirror:5000 is busy or limits requests: run the task again later."
WAY = f"Check the way from the Ollama server to mirror:5000. {RESUMES}"
SOMETHING_ELSE = "Something else than mirror:5000 answered, a sign-in page perhaps."
SPACE = "Free space where the server keeps its models; the unfinished download holds some of it."
BAD_FILE = "The server removed the bad file. A proxy that ignores Range does this."
PLAIN_HTTP = "The registry mirror:5000 speaks plain HTTP: set insecure to true."
LACKS_FILE = "The registry mirror:5000 lacks a file of this model: its copy is not complete."
HINTS = {
    "unknown model, registry 404": NO_SUCH_MODEL,
    "unknown tag": NO_SUCH_MODEL,
    "model present locally, tag deleted upstream": NO_SUCH_MODEL,
    "connection refused": WAY,
    "https against a plain http registry": PLAIN_HTTP,
    "http:// prefix without insecure": PLAIN_HTTP,
    "DNS failure": "Check the name of mirror:5000 and the DNS of the Ollama server.",
    "manifest GET answers 401": CREDENTIALS,
    "manifest GET answers 403": CREDENTIALS,
    "manifest GET answers 412": "Update the Ollama server.",
    "manifest GET answers 429": BUSY,
    "manifest GET answers 500": BUSY,
    "manifest GET answers 502": BUSY,
    "manifest GET answers 503": BUSY,
    "401 with a Bearer challenge to another host": CREDENTIALS,
    "401 with a Basic challenge": CREDENTIALS,
    "connection dropped on manifest GET": WAY,
    "manifest answer is HTML with 200 (captive portal)": SOMETHING_ELSE,
    "empty manifest body with 200": SOMETHING_ELSE,
    "blob HEAD answers 404": LACKS_FILE,
    "blob HEAD answers 401": CREDENTIALS,
    "blob HEAD answers 403": CREDENTIALS,
    "blob HEAD answers 500": BUSY,
    "blob HEAD ok, blob GET answers 404": WAY,
    "ranged GET answers 500 with a 4 byte body": WAY,
    "blob GET 200 without Location header": "The registry mirror:5000 has to send a Location header with blobs.",
    "blob HEAD without Content-Length": BAD_FILE,
    "210 MB model on a 60 MB file system": SPACE,
    "small pull with the full disk": SPACE,
    "registry sends wrong bytes of the right length": BAD_FILE,
    "update of an existing model gets wrong bytes": BAD_FILE,
    "an empty part file (as SIGTERM can leave it) is in the store": EMPTY_PART_HINT,
    "after a restart": EMPTY_PART_HINT,
}


@pytest.mark.parametrize("fault", HINTS)
def test_a_recorded_error_inside_the_stream(server, recording, fault):
    lines = recording("ollama")["pull_errors"][fault]
    server.expect("POST", "/api/pull", BODY, lines=lines)
    failure = refused(server)
    assert lines[-1]["error"].strip().rstrip(".:") in failure.message
    assert (failure.status, failure.hint) == (200, HINTS[fault])


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ('pull model manifest: Get "https://h/": x509: certificate signed by unknown authority', "Give the Ollama"),
        ('Get "https://h/": http: server gave HTTP response to HTTPS client', PLAIN_HTTP),
        ("dial tcp: lookup h on 127.0.0.53:53: server misbehaving", "Check the DNS of the Ollama server."),
        ("this model requires MLX support, but the MLX runtime is not available", "This model runs only on Apple"),
        ("dial tcp 10.0.0.1:11429: i/o timeout", WAY),
        ("net/http: TLS handshake timeout", WAY),
        ("read tcp 10.0.0.1:443: connection reset by peer", WAY),
        ("max retries exceeded: unexpected EOF", WAY),
        ("something nobody has seen", ""),
    ],
)
def test_an_error_that_was_not_recorded(server, words, hint):
    server.expect("POST", "/api/pull", BODY, lines=[{"status": "pulling manifest"}, {"error": words}])
    failure = refused(server)
    assert failure.hint.startswith(hint)
    assert bool(failure.hint) is bool(hint)


def test_a_refusal_before_the_stream(server, recording):
    refusal = recording("ollama")["pull_invalid_name"]
    server.expect("POST", "/api/pull", BODY, status=refusal["status"], answer=refusal["body"])
    failure = refused(server)
    assert failure.message.endswith(f": POST {server.url}/api/pull answered 400: invalid model name.")
    assert failure.status == 400


@pytest.mark.parametrize("cut", [True, False])
def test_an_end_without_success(server, recording, cut):
    lines = recording("ollama")["pull"]["resumed"][:2]
    server.expect("POST", "/api/pull", BODY, lines=[*lines, server.CUT] if cut else lines)
    failure = refused(server, ConnectError)
    assert failure.message.endswith(
        ": the answer ended before success (at 'pulling 36a5452b9945', 174708448 of 210766560 bytes)."
    )
    assert failure.hint == f"The server may have been stopped. {RESUMES}"


def test_an_answer_without_a_line(server):
    server.expect("POST", "/api/pull", BODY, lines=[])
    assert refused(server, ConnectError).message.endswith("the answer ended before success (at '').")


def test_an_error_after_success_is_an_error(server, recording):
    server.expect("POST", "/api/pull", BODY, lines=[*recording("ollama")["pull"]["fresh"], {"error": "late"}])
    assert refused(server).message.endswith(": late.")


@pytest.mark.parametrize("line", ["<html>", "[1]"])
def test_a_line_that_is_no_progress(server, line):
    server.expect("POST", "/api/pull", BODY, lines=[line])
    assert line in refused(server).message


def test_a_server_that_is_not_there():
    puller = Puller(OllamaClient(HttpClient("http://127.0.0.1:1")), 1, 0, lambda *_line: None)
    with pytest.raises(ConnectError) as failure:
        puller.pull(NAME, False, EMPTY_PART_HINT)
    assert "Connection refused" in failure.value.message
    assert failure.value.hint.startswith("Check that the service is running")
    assert failure.value.hint.endswith(RESUMES)
