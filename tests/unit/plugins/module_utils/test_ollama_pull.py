# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time

import pytest

from ansible_collections.selfhosted.llm.plugins.module_utils._http import ApiError, ConnectError, HttpClient
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama import pull as pull_module
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.client import OllamaClient
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.names import parse
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.pull import RESUMES, pull

NAME = parse("mirror:5000/library/one")
BODY = {"model": "mirror:5000/library/one:latest", "insecure": True, "stream": True}


def pull_from(server, stall_timeout=5.0):
    pull(OllamaClient(HttpClient(server.url)), NAME, True, stall_timeout)


def refused(server, stall_timeout=5.0, error=ApiError):
    """The failure of a pull, after checks of what every failure has to say."""
    with pytest.raises(error) as failure:
        pull_from(server, stall_timeout)
    assert failure.value.message.startswith(f"{server.url} could not pull mirror:5000/library/one:latest: ")
    assert failure.value.message.endswith(".")
    assert failure.value.url == f"{server.url}/api/pull"
    return failure.value


@pytest.mark.parametrize("kind", ["fresh", "resumed", "nothing_new", "update", "manifest_of_braces"])
def test_a_recorded_pull_succeeds(server, recording, kind):
    server.expect("POST", "/api/pull", BODY, lines=recording("ollama")["pull"][kind])
    pull_from(server)


WORDS_AND_HINT = {
    "unknown model, registry 404": "Check the spelling and the tag: the registry mirror:5000 has no such model.",
    "unknown tag": "Check the spelling and the tag: the registry mirror:5000 has no such model.",
    "connection refused": f"Check the way from the Ollama server to mirror:5000. {RESUMES}",
    "https against a plain http registry": "The registry mirror:5000 speaks plain HTTP: set insecure to true.",
    "DNS failure": "Check the name of the registry mirror:5000 and the DNS of the Ollama server.",
    "manifest GET answers 401": "The registry mirror:5000 or a proxy wants credentials, and Ollama cannot send any.",
    "manifest GET answers 403": "The registry mirror:5000 or a proxy wants credentials, and Ollama cannot send any.",
    "manifest GET answers 412": "Update the Ollama server.",
    "manifest GET answers 429": "The registry mirror:5000 is busy or limits requests: run the task again later.",
    "manifest GET answers 500": "The registry mirror:5000 is busy or limits requests: run the task again later.",
    "manifest GET answers 502": "The registry mirror:5000 is busy or limits requests: run the task again later.",
    "manifest GET answers 503": "The registry mirror:5000 is busy or limits requests: run the task again later.",
    "connection dropped on manifest GET": f"Check the way from the Ollama server to mirror:5000. {RESUMES}",
    "manifest answer is HTML with 200 (captive portal)": (
        "Something else than the registry mirror:5000 answered, a sign-in page perhaps."
    ),
    "empty manifest body with 200": "Something else than the registry mirror:5000 answered, a sign-in page perhaps.",
    "blob HEAD answers 404": "The registry mirror:5000 lacks a file of this model: its copy is not complete.",
    "blob HEAD answers 403": "The registry mirror:5000 or a proxy wants credentials, and Ollama cannot send any.",
    "blob HEAD answers 500": "The registry mirror:5000 is busy or limits requests: run the task again later.",
    "blob HEAD ok, blob GET answers 404": f"Check the way from the Ollama server to mirror:5000. {RESUMES}",
    "ranged GET answers 500 with a 4 byte body": f"Check the way from the Ollama server to mirror:5000. {RESUMES}",
    "blob GET 200 without Location header": "The registry mirror:5000 has to send a Location header with blobs.",
    "210 MB model on a 60 MB file system": (
        "Free space where the server keeps its models; the unfinished download holds some of it."
    ),
    "registry sends wrong bytes of the right length": (
        "The server removed the bad file: run the task again. A proxy that ignores Range does this."
    ),
    "an empty part file (as SIGTERM can leave it) is in the store": (
        "A server that was stopped in a pull can leave an empty part file: remove the empty blobs/sha256-*-partial-*"
        " files from the model directory of the server and run the task again."
    ),
}


@pytest.mark.parametrize("fault", WORDS_AND_HINT)
def test_a_recorded_error_inside_the_stream(server, recording, fault):
    lines = recording("ollama")["pull_errors"][fault]
    server.expect("POST", "/api/pull", BODY, lines=lines)
    failure = refused(server)
    assert lines[-1]["error"].strip().rstrip(".:") in failure.message
    assert (failure.status, failure.hint) == (200, WORDS_AND_HINT[fault])


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ('pull model manifest: Get "https://h/": x509: certificate signed by unknown authority', "Give the Ollama"),
        ("this model requires MLX support, but the MLX runtime is not available", "This model runs only on Apple"),
        ("dial tcp 10.0.0.1:11429: i/o timeout", "Check the way from the Ollama server"),
        ("something nobody has seen", ""),
    ],
)
def test_an_error_that_was_not_recorded(server, words, hint):
    server.expect("POST", "/api/pull", BODY, lines=[{"status": "pulling manifest"}, {"error": words}])
    failure = refused(server)
    assert failure.hint.startswith(hint)
    assert bool(failure.hint) is bool(hint)


def test_an_error_after_success_is_an_error(server, recording):
    server.expect("POST", "/api/pull", BODY, lines=[*recording("ollama")["pull"]["fresh"], {"error": "late"}])
    assert "late" in refused(server).message


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
    failure = refused(server, error=ConnectError)
    assert failure.message.endswith(
        "the answer ended before success (at 'pulling 36a5452b9945', 174708448 of 210766560 bytes)."
    )
    assert RESUMES in failure.hint


def test_an_answer_without_a_line(server):
    server.expect("POST", "/api/pull", BODY, lines=[])
    assert "the answer ended before success" in refused(server, error=ConnectError).message


@pytest.mark.parametrize("line", ["<html>", "[1]"])
def test_a_line_that_is_no_progress(server, line):
    server.expect("POST", "/api/pull", BODY, lines=[line])
    assert line in refused(server).message


def test_a_server_that_is_not_there():
    with pytest.raises(ConnectError) as failure:
        pull(OllamaClient(HttpClient("http://127.0.0.1:1")), NAME, False, 1)
    assert "Connection refused" in failure.value.message
    assert "Check that the service is running" in failure.value.hint


@pytest.mark.parametrize("line", ["frozen_line", "line_without_total"])
def test_lines_without_progress_are_a_stall(server, recording, line):
    frozen = recording("ollama")["pull"][line]
    server.expect("POST", "/api/pull", BODY, lines=[{"status": "pulling manifest"}, server.repeat(frozen, 0.06)])
    started = time.monotonic()
    failure = refused(server, 0.4)
    assert 0.4 <= time.monotonic() - started < 2
    assert "nothing moved for 0.4 seconds (at 'pulling 36a5452b9945'" in failure.message
    assert failure.hint == RESUMES


def test_silence_in_a_download_is_a_stall(server):
    server.expect("POST", "/api/pull", BODY, lines=[{"status": "pulling manifest"}, server.STALL])
    failure = refused(server, 0.3, ConnectError)
    assert "brought nothing for 0.3 seconds" in failure.message
    assert RESUMES in failure.hint


def test_slow_progress_is_no_stall_even_when_it_falls_back(server, recording):
    line = recording("ollama")["pull"]["frozen_line"]
    steps = []
    for completed in (10, 20, 30, 5, 15, 25, 35):
        steps += [{**line, "completed": completed}, server.wait(0.2)]
    server.expect("POST", "/api/pull", BODY, lines=[*steps, *recording("ollama")["pull"]["fresh"]])
    started = time.monotonic()
    pull_from(server, 0.5)
    assert time.monotonic() - started > 1.2


def test_falling_alone_is_no_progress(server, recording):
    line = recording("ollama")["pull"]["frozen_line"]
    steps = []
    for completed in (60, 50, 40, 30, 20, 10):
        steps += [{**line, "completed": completed}, server.wait(0.15)]
    server.expect("POST", "/api/pull", BODY, lines=[*steps, *recording("ollama")["pull"]["fresh"]])
    assert "nothing moved for 0.5 seconds" in refused(server, 0.5).message


def test_verification_may_be_silent_as_long_as_its_bytes_take(server, recording, monkeypatch):
    # 210766560 bytes take 2.1 s at this rate.
    monkeypatch.setattr(pull_module, "VERIFIED_BYTES_PER_SECOND", 100_000_000)
    lines = recording("ollama")["pull"]["resumed"]
    server.expect("POST", "/api/pull", BODY, lines=[*lines[:3], server.wait(1), *lines[3:]])
    pull_from(server, 0.3)


def test_verification_may_not_be_silent_for_ever(server, recording, monkeypatch):
    # 210766560 bytes take 0.5 s at this rate.
    monkeypatch.setattr(pull_module, "VERIFIED_BYTES_PER_SECOND", 421_533_120)
    server.expect("POST", "/api/pull", BODY, lines=[*recording("ollama")["pull"]["resumed"][:3], server.STALL])
    assert "brought nothing for 0.5 seconds" in refused(server, 0.2, ConnectError).message


def test_silence_after_the_verification_is_a_stall(server, recording, monkeypatch):
    monkeypatch.setattr(pull_module, "VERIFIED_BYTES_PER_SECOND", 1_000_000)
    server.expect("POST", "/api/pull", BODY, lines=[*recording("ollama")["pull"]["resumed"][:4], server.STALL])
    assert "brought nothing for 0.2 seconds" in refused(server, 0.2, ConnectError).message
