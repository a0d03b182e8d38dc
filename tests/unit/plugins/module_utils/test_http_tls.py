# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import ipaddress
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ansible_collections.selfhosted.llm.plugins.module_utils._http import ConnectError, HttpClient


def make_certificate(files):
    """A certificate for 127.0.0.1 that is its own CA, and a file of it with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    ca, pem = files / "ca.pem", files / "server.pem"
    ca.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + ca.read_bytes()
    )
    return ca, pem


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory):
    """The URL of an HTTPS server whose certificate nobody knows, and the file of that certificate."""
    ca, pem = make_certificate(tmp_path_factory.mktemp("tls"))

    class Hello(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'"hello"\n')

        def log_message(self, format, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hello)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}", str(ca)
    server.shutdown()
    server.server_close()


def test_an_unknown_certificate_is_refused(tls_server):
    url, _ca = tls_server
    with pytest.raises(ConnectError) as failure:
        HttpClient(url).request("GET", "/")
    assert failure.value.hint == "Give the file of the CA that signed the service's certificate as ca_path."


@pytest.mark.parametrize("known", [True, False])
def test_a_certificate_is_known_by_its_ca_or_not_checked(tls_server, known):
    url, ca = tls_server
    client = HttpClient(url, ca_path=ca) if known else HttpClient(url, validate_certs=False)
    assert client.request("GET", "/").json() == "hello"
    with client.stream("GET", "/") as lines:
        lines.allow_silence(5)
        assert list(lines) == ["hello"]


def test_a_ca_file_that_is_missing_or_no_certificate(tls_server, tmp_path):
    url, _ca = tls_server
    (tmp_path / "empty.pem").touch()
    for name in ("missing.pem", "empty.pem"):
        with pytest.raises(ConnectError, match=f"The CA file {tmp_path / name} cannot be used"):
            HttpClient(url, ca_path=str(tmp_path / name)).request("GET", "/")


@pytest.mark.parametrize("known_to", ["the system", "nobody"])
def test_a_ca_file_is_trusted_beside_those_of_the_system(tls_server, tmp_path, monkeypatch, known_to):
    url, ca = tls_server
    other, _pem = make_certificate(tmp_path)
    if known_to == "the system":
        monkeypatch.setenv("SSL_CERT_FILE", ca)
    client = HttpClient(url, ca_path=str(other))
    if known_to == "nobody":
        with pytest.raises(ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            client.request("GET", "/")
    else:
        assert client.request("GET", "/").json() == "hello"


def test_requests_at_once_do_not_mix_what_they_trust(tls_server):
    url, ca = tls_server
    clients = [HttpClient(url, ca_path=ca), HttpClient(url), HttpClient(url, validate_certs=False)]

    def outcome(number):
        try:
            return clients[number % 3].request("GET", "/").json()
        except ConnectError as exc:
            return exc.hint.partition(" as ")[2]

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(outcome, range(45)))
    assert outcomes == ["hello", "ca_path.", "hello"] * 15
