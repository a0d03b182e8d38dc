# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.selfhosted.llm.plugins.module_utils._http import (
    ApiError,
    ConnectError,
    HttpClient,
    ServiceError,
)

NO_HEADER = None


def test_request_sends_exactly_this(server):
    server.expect(
        "POST",
        "/prefix/api/x?y=1",
        {"a": [1, None]},
        sent={
            "Accept": "application/json",
            "Content-Type": "application/json",
            "Authorization": "Bearer t0ken",
            "X-Number": "3",
        },
        status=201,
        headers={"X-Answer": "yes"},
        answer={"b": 2},
    )
    client = HttpClient(f"{server.url}/prefix/", headers={"X-Number": 3}, token="t0ken")
    response = client.request("POST", "/api/x?y=1", {"a": [1, None]})
    assert (response.url, response.status, response.json()) == (f"{server.url}/prefix/api/x?y=1", 201, {"b": 2})
    assert response.headers["x-answer"] == "yes"


def test_request_without_body_and_token_has_neither_header(server):
    server.expect("GET", "/", sent={"Content-Type": NO_HEADER, "Authorization": NO_HEADER}, text="hello")
    assert HttpClient(server.url).request("GET", "/").body == b"hello"


def test_an_empty_json_body_is_a_body(server):
    server.expect("DELETE", "/x", {})
    HttpClient(server.url).request("DELETE", "/x", {})


@pytest.mark.parametrize("status", [301, 307, 400, 401, 404, 409, 500, 503])
def test_every_status_is_an_answer(server, status):
    server.expect("GET", "/x", status=status, headers={"Location": f"{server.url}/elsewhere"}, text="words")
    response = HttpClient(server.url).request("GET", "/x")
    assert (response.status, response.excerpt()) == (status, "words")


def test_no_proxy_and_no_netrc_for_loopback(server, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password else\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    server.expect("GET", "/x", sent={"Authorization": NO_HEADER})
    HttpClient(server.url).request("GET", "/x")


def test_a_proxy_is_used_for_other_hosts(server, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.delenv("no_proxy", raising=False)
    server.expect("GET", "http://ollama.invalid/x", text="from the proxy")
    assert HttpClient("http://ollama.invalid").request("GET", "/x").excerpt() == "from the proxy"


def test_silence_fails_after_the_timeout_and_slowness_does_not(server):
    server.expect("GET", "/slow", lines=[1, server.wait(0.3), 2, server.wait(0.3), 3, server.wait(0.3), 4])
    server.expect("GET", "/silent", delay=5)
    client = HttpClient(server.url, timeout=0.6)
    assert client.request("GET", "/slow").body == b"1\n2\n3\n4\n"
    with pytest.raises(ConnectError) as failure:
        client.request("GET", "/silent")
    assert failure.value.message == f"GET {server.url}/silent brought nothing for 0.6 seconds."
    assert failure.value.status is None


def test_refused_connection():
    with pytest.raises(ConnectError) as failure:
        HttpClient("http://127.0.0.1:1").request("GET", "/x")
    assert failure.value.result() == {
        "msg": "GET http://127.0.0.1:1/x failed: [Errno 111] Connection refused. Check that the service is running,"
        " that the URL is right and that this host reaches it.",
        "failure": {
            "url": "http://127.0.0.1:1/x",
            "status": None,
            "error": "GET http://127.0.0.1:1/x failed: [Errno 111] Connection refused.",
        },
    }


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"drop": True}, "failed: Remote end closed connection without response."),
        (
            {"text": "short", "headers": {"Content-Length": "99"}},
            "failed: IncompleteRead(5 bytes read, 94 more expected).",
        ),
    ],
)
def test_a_cut_answer(server, answer, words):
    server.expect("GET", "/x", **answer)
    with pytest.raises(ConnectError) as failure:
        HttpClient(server.url).request("GET", "/x")
    assert failure.value.message == f"GET {server.url}/x {words}"


def test_an_answer_that_is_not_json(server):
    server.expect("GET", "/x", status=502, text="<html>Bad Gateway</html>")
    response = HttpClient(server.url).request("GET", "/x")
    with pytest.raises(ApiError) as failure:
        response.json()
    assert failure.value.status == 502
    assert failure.value.message == (
        f"{server.url}/x answered 502 with something that is not JSON: '<html>Bad Gateway</html>'."
    )


@pytest.mark.parametrize("timeout", [0, -1])
def test_no_time_for_an_answer(server, timeout):
    with pytest.raises(ConnectError, match="leaves no time for an answer"):
        HttpClient(server.url, timeout=timeout).request("GET", "/x")


@pytest.mark.parametrize("url", ["localhost:11434", "ftp://h", "http://", "http://h:port", "http://[::1", "http://h:0"])
def test_what_is_no_url(url):
    with pytest.raises(ConnectError, match="is not the URL of a service"):
        HttpClient(url).request("GET", "/x")


def test_credentials_in_the_url_are_refused_and_not_shown():
    with pytest.raises(ConnectError) as failure:
        HttpClient("http://user:hunter2@h.invalid:1/p").request("GET", "/x")
    assert "hunter2" not in str(failure.value.result())
    assert "h.invalid" in failure.value.message


@pytest.mark.parametrize("options", [{"token": "hunter2\n"}, {"headers": {"X-Key": "hunter2\r\nX: y"}}])
def test_a_line_break_in_a_header_is_refused_and_not_shown(server, options):
    with pytest.raises(ConnectError, match="line break") as failure:
        HttpClient(server.url, **options).request("GET", "/x")
    assert "hunter2" not in str(failure.value.result())


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"token": "hunter2\u201d"}, "Authorization"),
        ({"headers": {"X-Key": "hunter2\u20ac"}}, "X-Key"),
        ({"headers": {"X-K\u00e4y": "hunter2"}}, "X-K\u00e4y"),
    ],
)
def test_a_character_that_a_header_cannot_hold_is_refused_and_the_value_not_shown(server, options, name):
    with pytest.raises(ConnectError) as failure:
        HttpClient(server.url, **options).request("GET", "/x")
    assert failure.value.message.startswith(f"The header {name} holds a character that HTTP headers cannot")
    assert failure.value.hint.startswith("Check how the value was read")
    assert "hunter2" not in str(failure.value.result())


def test_a_header_of_latin_letters_is_sent(server):
    server.expect("GET", "/x", sent={"X-Key": "\u00e9"})
    assert HttpClient(server.url, headers={"X-Key": "\u00e9"}).request("GET", "/x").status == 200


def test_a_line_that_is_nested_too_deeply(server):
    server.expect("POST", "/x", lines=["[" * 200_000 + "]" * 200_000])
    with (
        HttpClient(server.url).stream("POST", "/x") as lines,
        pytest.raises(ApiError, match="sent a line that is not JSON"),
    ):
        next(lines)


def test_lines_arrive_before_the_end(server):
    server.expect("POST", "/x", {"s": True}, lines=[{"n": 1}, "", {"n": 2}, server.STALL])
    with HttpClient(server.url).stream("POST", "/x", {"s": True}) as lines:
        assert [next(lines), next(lines)] == [{"n": 1}, {"n": 2}]


def test_a_stream_ends_or_is_cut_quietly(server):
    server.expect("GET", "/whole", lines=[{"n": 1}])
    server.expect("GET", "/cut", lines=[{"n": 1}, server.CUT])
    client = HttpClient(server.url)
    for path in ("/whole", "/cut"):
        with client.stream("GET", path) as lines:
            assert list(lines) == [{"n": 1}]


def test_a_stream_that_is_refused_is_a_response(server):
    server.expect("POST", "/x", {}, status=400, answer={"error": "no"})
    with HttpClient(server.url).stream("POST", "/x", {}) as answer:
        assert (answer.status, answer.json()) == (400, {"error": "no"})


def test_an_error_of_the_reader_is_not_taken_for_one_of_the_transport(server):
    server.expect("GET", "/x", status=404)
    with pytest.raises(ValueError, match="mine"), HttpClient(server.url).stream("GET", "/x"):
        raise ValueError("mine")


def test_a_line_that_is_not_json(server):
    server.expect("GET", "/x", lines=[{"n": 1}, "<html>"])
    with HttpClient(server.url).stream("GET", "/x") as lines:
        assert next(lines) == {"n": 1}
        with pytest.raises(ApiError, match="a line that is not JSON: '<html>'"):
            next(lines)


def test_the_allowed_silence_of_a_stream_can_be_changed(server):
    server.expect("GET", "/x", lines=[1, server.wait(0.5), 2, server.wait(5), 3])
    with HttpClient(server.url, timeout=0.2).stream("GET", "/x") as lines:
        assert next(lines) == 1
        lines.allow_silence(3)
        assert next(lines) == 2
        lines.allow_silence(0.1)
        with pytest.raises(ConnectError, match=r"brought nothing for 0.1 seconds"):
            next(lines)


def test_the_allowed_silence_can_be_changed_at_the_end(server):
    server.expect("GET", "/x", text='{"n": 1}\n')
    with HttpClient(server.url).stream("GET", "/x") as lines:
        for _line in lines:
            lines.allow_silence(1)


def test_an_upload_sends_exactly_this(server, tmp_path):
    path = tmp_path / "weights"
    path.write_bytes(b"\x00GGUF\xff" * 100_000)
    headers = {
        "Accept": "application/json",
        "Authorization": "Bearer t0ken",
        "Content-Length": "600000",
        "Content-Type": "application/octet-stream",
        "Transfer-Encoding": NO_HEADER,
        "X-Number": "3",
    }
    server.expect("POST", "/prefix/blobs/x", path.read_bytes(), sent=headers, status=201)
    client = HttpClient(f"{server.url}/prefix", headers={"X-Number": 3}, token="t0ken")
    response = client.upload("/blobs/x", str(path))
    assert (response.url, response.status, response.body) == (f"{server.url}/prefix/blobs/x", 201, b"")


def test_an_upload_of_nothing(server, tmp_path):
    (tmp_path / "empty").touch()
    server.expect("POST", "/x", sent={"Content-Length": "0", "Transfer-Encoding": NO_HEADER}, status=400, text="words")
    response = HttpClient(server.url).upload("/x", str(tmp_path / "empty"))
    assert (response.status, response.excerpt()) == (400, "words")


def test_an_upload_that_breaks_off(server, tmp_path):
    (tmp_path / "file").write_bytes(b"bytes")
    server.expect("POST", "/x", b"bytes", drop=True)
    with pytest.raises(ConnectError, match=f"POST {server.url}/x failed: Remote end closed connection"):
        HttpClient(server.url).upload("/x", str(tmp_path / "file"))


def test_an_upload_of_a_file_that_is_not_there(server, tmp_path):
    with pytest.raises(FileNotFoundError):
        HttpClient(server.url).upload("/x", str(tmp_path / "missing"))


def test_requests_at_once_do_not_mix_their_proxies(server, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.delenv("no_proxy", raising=False)
    with server.any_order():
        for number in range(20):
            server.expect("GET", f"/{number}", text="direct")
            server.expect("GET", f"http://ollama.invalid/{number}", text="from the proxy")
    clients = [HttpClient(server.url), HttpClient("http://ollama.invalid")]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda number: clients[number % 2].request("GET", f"/{number // 2}"), range(40)))
    assert [answer.excerpt() for answer in answers] == ["direct", "from the proxy"] * 20


def test_a_failure_names_everything_the_user_needs():
    assert ServiceError("It broke.", "http://h/x", 500, "Mend it.").result() == {
        "msg": "It broke. Mend it.",
        "failure": {"url": "http://h/x", "status": 500, "error": "It broke."},
    }
