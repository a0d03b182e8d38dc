# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every unit test uses: a real HTTP server that follows the test's script, and a way to run a module."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest
from ansible.module_utils import _internal
from ansible.module_utils.common import warnings as ansible_warnings
from ansible.module_utils.testing import patch_module_args

NOTHING: t.Any = object()
LONGEST_STALL = 20


class Wait(t.NamedTuple):
    """A pause in the middle of a stream."""

    seconds: float


class Repeat(t.NamedTuple):
    """The same line again and again until the client goes away, as a stalled Ollama server sends it."""

    line: t.Any
    interval: float


class Request(t.NamedTuple):
    """What the client really sent. The body is decoded JSON, None without a body, bytes when it is no JSON."""

    method: str
    path: str
    body: t.Any
    headers: dict[str, str]


class Exchange(t.NamedTuple):
    """An expected request and the answer to it."""

    method: str
    path: str
    body: t.Any
    sent: dict[str, str | None]
    status: int
    headers: dict[str, str]
    content: bytes
    lines: list[t.Any] | None
    drop: bool
    delay: float
    group: object

    def difference(self, request: Request) -> str:
        """What the request has that this exchange does not expect, or an empty string."""
        for what in ("method", "path", "body"):
            if getattr(self, what) != getattr(request, what):
                return f"{what} {getattr(request, what)!r} instead of {getattr(self, what)!r}"
        for name, value in self.sent.items():
            if request.headers.get(name.lower()) != value:
                return f"header {name}: {request.headers.get(name.lower())!r} instead of {value!r}"
        return ""


class ScriptedServer:
    """Answers requests in the order of the script; anything else is a problem that fails the test.

    Those inside ``with server.any_order():`` (for parallel requests) may come in any order among themselves; with
    ``ordered = False`` all of them may. A request is then answered by the first matching entry that is left.
    """

    CUT = object()
    """In ``lines``: the connection is closed in the middle of the stream."""
    STALL = object()
    """In ``lines``: nothing more is sent until the client goes away."""
    wait = Wait
    repeat = Repeat

    def __init__(self) -> None:
        self.ordered = True
        self.requests: list[Request] = []
        self.problems: list[str] = []
        self._script: list[Exchange] = []
        self._group: object = None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def expect(
        self,
        method: str,
        path: str,
        body: t.Any = None,
        *,
        sent: dict[str, str | None] | None = None,
        status: int = 200,
        headers: dict[str, str] | None = None,
        answer: t.Any = NOTHING,
        text: str | bytes = b"",
        lines: list[t.Any] | None = None,
        drop: bool = False,
        delay: float = 0,
    ) -> None:
        """Add a request to the script.

        :arg path: with the query string, exactly
        :arg body: the decoded JSON body, exactly; None: there must be none; ``unittest.mock.ANY``: whatever
        :arg sent: headers that the request must have; None as a value: must not have
        :arg answer: sent as JSON
        :arg text: sent as it is
        :arg lines: a chunked NDJSON stream; an element is a value, a str (a raw line), wait(), repeat(), STALL or CUT
        :arg drop: close the connection without an answer
        :arg delay: seconds before the answer
        """
        headers = {key.lower(): value for key, value in (headers or {}).items()}
        content = text.encode() if isinstance(text, str) else text
        if answer is not NOTHING:
            content = json.dumps(answer).encode()
            headers.setdefault("content-type", "application/json; charset=utf-8")
        if lines is not None:
            headers.setdefault("content-type", "application/x-ndjson")
        self._script.append(
            Exchange(
                *(method, path, body, sent or {}, status, headers, content, lines, drop, delay),
                group=self._group or object(),
            ),
        )

    @contextlib.contextmanager
    def any_order(self) -> t.Iterator[None]:
        """What is expected inside may come in any order, after what was expected before and before what follows."""
        self._group = object()
        yield
        self._group = None

    @property
    def sent(self) -> list[tuple[t.Any, ...]]:
        """The requests so far: (method, path), or (method, path, body) where there was a body."""
        return [tuple(request[:3]) if request.body is not None else tuple(request[:2]) for request in self.requests]

    def close(self) -> None:
        """Stop, and note what the script still expected."""
        self._stop.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
        self.problems.extend(f"never sent: {left.method} {left.path} {left.body!r}" for left in self._script)

    def _answer_to(self, request: Request) -> Exchange | None:
        with self._lock:
            self.requests.append(request)
            differences = [exchange.difference(request) for exchange in self._script]
            for index, difference in enumerate(differences):
                if not difference and (not self.ordered or self._script[index].group is self._script[0].group):
                    return self._script.pop(index)
            reason = differences[0] if differences else "nothing was expected any more"
            self.problems.append(f"not in the script: {request.method} {request.path} {request.body!r} ({reason})")
            return None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        script = self

        class Handler(BaseHTTPRequestHandler):
            """One request per connection, which is what the modules' transport does."""

            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: t.Any) -> None:
                """Keep the test's output free of access lines."""

            def handle_one_request(self) -> None:
                self.close_connection = True
                self.raw_requestline = self.rfile.readline(65537)
                if not self.raw_requestline or not self.parse_request():
                    return
                exchange = script._answer_to(self._request())
                # The client may go away: whether it should is for the test to say.
                with contextlib.suppress(OSError):
                    self._answer(exchange)

            def _request(self) -> Request:
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                try:
                    body = json.loads(raw) if raw else None
                except ValueError:
                    body = raw
                return Request(
                    self.command, self.path, body, {key.lower(): value for key, value in self.headers.items()}
                )

            def _answer(self, exchange: Exchange | None) -> None:
                if exchange is None:
                    self.send_error(599, "Not in the script")
                    return
                script._stop.wait(exchange.delay)
                if exchange.drop:
                    return
                headers = {"connection": "close", **exchange.headers}
                if exchange.lines is not None:
                    headers["transfer-encoding"] = "chunked"
                else:
                    headers.setdefault("content-length", str(len(exchange.content)))
                self.send_response(exchange.status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                if exchange.lines is None:
                    self.wfile.write(exchange.content)
                else:
                    self._stream(exchange.lines)

            def _stream(self, lines: list[t.Any]) -> None:
                for line in lines:
                    if line is ScriptedServer.CUT:
                        return
                    if line is ScriptedServer.STALL:
                        self.connection.settimeout(LONGEST_STALL)
                        self.rfile.read(1)
                        return
                    if isinstance(line, Wait):
                        script._stop.wait(line.seconds)
                    elif isinstance(line, Repeat):
                        while not script._stop.wait(line.interval):
                            self._chunk(line.line)
                    else:
                        self._chunk(line)
                self.wfile.write(b"0\r\n\r\n")

            def _chunk(self, line: t.Any) -> None:
                data = (line if isinstance(line, str) else json.dumps(line)).encode() + b"\n"
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

        return Handler


@pytest.fixture
def server() -> t.Iterator[ScriptedServer]:
    """A scripted HTTP server on loopback. A missing, extra or different request fails the test."""
    scripted = ScriptedServer()
    yield scripted
    scripted.close()
    assert not scripted.problems, "\n".join(scripted.problems)


@pytest.fixture
def run_module(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> t.Callable[..., dict[str, t.Any]]:
    """Runs a module's ``main()`` in this process and gives the JSON that it printed, decoded.

    ``run_module(module, params, check=False, fails=False)``; an outcome that differs from ``fails`` fails the test.
    """
    for name in [name for name in os.environ if name.startswith(("OLLAMA_", "OPENWEBUI_"))]:
        monkeypatch.delenv(name)
    # Importing an action plugin turns this on for the whole process; a module on a target never sees it.
    monkeypatch.setattr(_internal, "is_controller", False)

    def run(module: ModuleType, params: dict[str, t.Any], check: bool = False, fails: bool = False) -> dict[str, t.Any]:
        arguments = {**params, "_ansible_check_mode": check, "_ansible_diff": True, "_ansible_no_log": False}
        ansible_warnings._global_warnings.clear()
        capsys.readouterr()
        with patch_module_args(arguments), pytest.raises(SystemExit):
            module.main()
        result = json.loads(capsys.readouterr().out)
        # The controller of ansible-core 2.22 takes them out of the result and masks them from then on.
        result.pop("_ansible_new_secrets", None)
        assert result.get("failed", False) is fails, result
        return result

    return run


@pytest.fixture
def recording() -> t.Callable[[str], t.Any]:
    """Loads ``tests/unit/fixtures/<name>.json``: what a real server answered."""
    fixtures = Path(__file__).parent / "fixtures"
    return lambda name: json.loads((fixtures / f"{name}.json").read_text(encoding="utf-8"))
