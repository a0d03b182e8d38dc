# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Slow, stuck, broken off: what a pull takes for progress, and when it is taken up again."""

from __future__ import annotations

import time

import pytest

from ansible_collections.selfhosted.llm.plugins.module_utils._http import ApiError, ConnectError, HttpClient
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama import pull as pull_module
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.client import OllamaClient
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.names import parse
from ansible_collections.selfhosted.llm.plugins.module_utils._ollama.pull import RESUMES, Puller

NAME = parse("mirror:5000/library/one")
BODY = {"model": "mirror:5000/library/one:latest", "insecure": True, "stream": True}
BLOB = 210766560


@pytest.fixture
def pulls(recording):
    return recording("ollama")["pull"]


@pytest.fixture
def at(pulls):
    """A line of a download that has got so far."""
    return lambda completed: {**pulls["frozen_line"], "completed": completed}


@pytest.fixture
def errors(recording):
    return recording("ollama")["pull_errors"]


@pytest.fixture
def without_pauses(monkeypatch):
    monkeypatch.setattr(pull_module, "LONGEST_PAUSE", 0)


def answers(server, *streams):
    """One pull after the other."""
    for lines in streams:
        server.expect("POST", "/api/pull", BODY, lines=lines)


def pull_from(server, stall_timeout=5.0, retries=0, report=lambda *_line: None):
    client = OllamaClient(HttpClient(server.url))
    return Puller(client, stall_timeout, retries, report).pull(NAME, True, "Remove the file.")


def refused(server, error, stall_timeout=5.0, retries=0):
    with pytest.raises(error) as failure:
        pull_from(server, stall_timeout, retries)
    return failure.value


class TestProgress:
    @pytest.mark.parametrize(
        ("kind", "transferred"),
        [("fresh", 0), ("resumed", BLOB), ("nothing_new", 0), ("update", 0), ("manifest_of_braces", 0)],
    )
    def test_a_recorded_pull(self, server, pulls, kind, transferred):
        # Small files come without a line, and files that are there are complete at once.
        answers(server, pulls[kind])
        assert pull_from(server) == transferred

    @pytest.mark.parametrize("odd", [{"completed": None, "total": None}, {"completed": "7", "total": "9"}])
    def test_numbers_that_are_none_count_as_0(self, server, pulls, odd):
        answers(server, [{"status": None, **odd}, {"status": "pulling x", **odd}, *pulls["resumed"]])
        reported = []
        assert pull_from(server, report=lambda *line: reported.append(line)) == BLOB
        assert [line[2:] for line in reported[:2]] == [(0, 0), (0, 0)]

    def test_every_line_is_reported(self, server, pulls):
        answers(server, pulls["resumed"])
        reported = []
        pull_from(server, report=lambda *line: reported.append(line))
        assert reported == [
            (BODY["model"], line["status"], line.get("completed", 0), line.get("total", 0)) for line in pulls["resumed"]
        ]

    @pytest.mark.parametrize("line", ["frozen_line", "line_without_total"])
    def test_lines_without_progress_are_a_stall(self, server, pulls, line):
        # The second is what a pull gets that waits for another one that has failed.
        answers(server, [{"status": "pulling manifest"}, server.repeat(pulls[line], 0.06)])
        started = time.monotonic()
        failure = refused(server, ApiError, 0.4)
        assert 0.4 <= time.monotonic() - started < 2
        assert "nothing moved for 0.4 seconds (at 'pulling 36a5452b9945'" in failure.message
        assert failure.hint == RESUMES

    def test_silence_in_a_download_is_a_stall(self, server):
        answers(server, [{"status": "pulling manifest"}, server.STALL])
        failure = refused(server, ConnectError, 0.3)
        assert "brought nothing for 0.3 seconds" in failure.message
        assert RESUMES in failure.hint

    def test_slow_progress_is_no_stall_even_when_it_falls_back(self, server, pulls, at):
        steps = [step for completed in (10, 20, 5, 15, 25) for step in (at(completed), server.wait(0.15))]
        answers(server, [*steps, *pulls["fresh"]])
        started = time.monotonic()
        assert pull_from(server, 0.4) == BLOB
        assert time.monotonic() - started > 0.7

    def test_falling_alone_is_no_progress(self, server, pulls, at):
        steps = [step for completed in (60, 50, 40, 30, 20, 10) for step in (at(completed), server.wait(0.1))]
        answers(server, [*steps, *pulls["fresh"]])
        assert "nothing moved for 0.35 seconds" in refused(server, ApiError, 0.35).message

    def test_verification_may_be_silent_as_long_as_its_bytes_take(self, server, pulls, monkeypatch):
        # These bytes take 2.1 s at this rate.
        monkeypatch.setattr(pull_module, "VERIFIED_BYTES_PER_SECOND", 100_000_000)
        answers(server, [*pulls["resumed"][:3], server.wait(0.7), *pulls["resumed"][3:]])
        pull_from(server, 0.3)

    def test_verification_may_not_be_silent_for_ever(self, server, pulls, monkeypatch):
        # These bytes take 0.5 s at this rate.
        monkeypatch.setattr(pull_module, "VERIFIED_BYTES_PER_SECOND", 421_533_120)
        answers(server, [*pulls["resumed"][:3], server.STALL])
        assert "brought nothing for 0.5 seconds" in refused(server, ConnectError, 0.2).message

    def test_silence_after_the_verification_is_a_stall(self, server, pulls, monkeypatch):
        monkeypatch.setattr(pull_module, "VERIFIED_BYTES_PER_SECOND", 1_000_000)
        answers(server, [*pulls["resumed"][:4], server.STALL])
        assert "brought nothing for 0.2 seconds" in refused(server, ConnectError, 0.2).message


class TestReconnects:
    def test_a_stall_is_taken_up_again_at_once(self, server, pulls, at):
        answers(server, [server.repeat(at(15000000), 0.06)], pulls["resumed"])
        started = time.monotonic()
        assert pull_from(server, 0.3, retries=5) == BLOB
        assert time.monotonic() - started < 0.8

    def test_an_error_that_may_pass_is_taken_up_after_a_pause(self, server, pulls, errors, monkeypatch):
        monkeypatch.setattr(pull_module, "LONGEST_PAUSE", 0.3)
        fault = "connection dropped on manifest GET"
        answers(server, errors[fault], pulls["fresh"])
        reported = []
        started = time.monotonic()
        pull_from(server, retries=1, report=lambda *line: reported.append(line))
        assert time.monotonic() - started >= 0.3
        assert f"trying again after: {errors[fault][-1]['error']}" in [line[1] for line in reported]

    def test_pauses_grow_up_to_the_longest(self, server, errors, monkeypatch):
        slept, now = [], [0.0]

        def sleep(seconds):
            slept.append(seconds)
            now[0] += seconds

        answers(server, *[errors["manifest GET answers 503"]] * 8)
        monkeypatch.setattr(pull_module.time, "sleep", sleep)
        monkeypatch.setattr(pull_module.time, "monotonic", lambda: now[0])
        refused(server, ApiError, retries=7)
        assert max(slept) <= 0.5
        assert sum(slept) == 1 + 2 + 4 + 8 + 16 + 30 + 30

    @pytest.mark.parametrize(
        "fault",
        [
            "connection refused",
            "manifest GET answers 429",
            "manifest GET answers 503",
            "blob HEAD answers 500",
            "blob HEAD ok, blob GET answers 404",
            "ranged GET answers 500 with a 4 byte body",
            "registry sends wrong bytes of the right length",
        ],
    )
    def test_what_may_pass_is_tried_again_and_not_for_ever(self, server, errors, fault, without_pauses):
        answers(server, *[errors[fault]] * 4)
        failure = refused(server, ApiError, retries=3)
        assert failure.message.startswith(
            f"{server.url} could not pull mirror:5000/library/one:latest after 4 attempts without a new byte: "
        )

    @pytest.mark.parametrize(
        "fault",
        [
            "unknown tag",
            "https against a plain http registry",
            "DNS failure",
            "manifest GET answers 401",
            "manifest GET answers 403",
            "manifest GET answers 412",
            "manifest answer is HTML with 200 (captive portal)",
            "blob HEAD answers 404",
            "blob GET 200 without Location header",
            "210 MB model on a 60 MB file system",
            "an empty part file (as SIGTERM can leave it) is in the store",
        ],
    )
    def test_what_will_not_pass_is_not_tried_again(self, server, errors, fault):
        answers(server, errors[fault])
        assert "attempts" not in refused(server, ApiError, retries=3).message

    def test_a_server_that_was_restarted(self, server, pulls, without_pauses):
        answers(server, [*pulls["resumed"][:2], server.CUT])
        server.expect("POST", "/api/pull", BODY, drop=True)
        server.expect("POST", "/api/pull", BODY, status=502, text="Bad Gateway")
        answers(server, pulls["resumed"])
        assert pull_from(server, retries=3) == BLOB

    def test_new_bytes_start_the_count_again(self, server, pulls, at, without_pauses):
        answers(server, *[[at(completed), server.CUT] for completed in (10, 20, 30, 40)], pulls["resumed"])
        assert pull_from(server, retries=1) == BLOB

    def test_bytes_that_an_earlier_attempt_had_do_not(self, server, at, without_pauses):
        # A registry or a proxy that cuts each connection at the same byte, or sends the same bad file.
        answers(server, [at(40), at(10), server.CUT], [at(20), server.CUT], [at(40), server.CUT])
        assert "after 3 attempts" in refused(server, ConnectError, retries=2).message
