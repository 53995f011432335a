"""The stripe library's connections: kept, checked, and errors that say what to do next."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import stripe
import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from chalicelib.adapters.stripe import gateway
from chalicelib.adapters.stripe.gateway import StripeGateway
from chalicelib.adapters.stripe.http import Urllib3Client, connections
from chalicelib.books.billing.gateway import PaymentRefused, PaymentServiceDown
from tests.http_calls import some_settings

CUSTOMER = b'{"id": "cus_1", "object": "customer", "metadata": {"n": "\xc3\xa9"}}'


class Server:
    """A server on loopback that counts connections and requests. `answer` writes the answer of one request."""

    def __init__(self, answer: Callable[[BaseHTTPRequestHandler], None], context: ssl.SSLContext | None = None) -> None:
        self.requests: list[tuple[str, str, str]] = []
        self.connections = 0
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                server.connections += 1
                super().setup()

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                server.requests.append((self.command, self.path, body))
                answer(self)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_: Any) -> None:
                """Nothing is told."""

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                """A refused handshake is what is tested."""

        self.http = Quiet(("127.0.0.1", 0), Handler)
        if context is not None:
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.url = f"{'http' if context is None else 'https'}://127.0.0.1:{self.http.server_address[1]}"


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    thread = threading.Thread(target=server.http.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        server.http.server_close()
        thread.join()


def send(handler: BaseHTTPRequestHandler, body: bytes = CUSTOMER, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@pytest.fixture
def pool() -> Iterator[urllib3.PoolManager]:
    made = connections()
    yield made
    made.clear()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library waits half a second before it tries again."""
    monkeypatch.setattr(stripe.HTTPClient, "_sleep_time_seconds", lambda self, tries: 0.0)


def a_gateway(url: str) -> StripeGateway:
    return StripeGateway(some_settings(stripe_url=url))


class TestAnAnswer:
    def test_is_read_and_the_connection_kept_for_the_next_call(self) -> None:
        with serving(Server(send)) as server:
            stripe_account = a_gateway(server.url)
            for _ in range(3):
                found = stripe_account.customer("cus_1")
                assert found is not None and found.metadata == {"n": "é"}
            stripe_account.create_customer(key="k", email="ada@example.com", name="Adá", user_id=7)
            assert [request[0] for request in server.requests] == ["GET", "GET", "GET", "POST"]
            assert "name=Ad%C3%A1" in server.requests[-1][2]
            assert server.connections == 1

    def test_shares_its_connection_with_charges(self) -> None:
        with serving(Server(send)) as server:
            stripe_account = a_gateway(server.url)
            stripe_account.customer("cus_1")
            stripe_account._charging_client.v1.customers.retrieve("cus_1")
            assert server.connections == 1

    def test_that_sends_elsewhere_is_not_followed(self, pool: urllib3.PoolManager) -> None:
        with serving(Server(send)) as other:
            with serving(Server(lambda handler: send(handler, b"", 302, Location=other.url))) as server:
                _, status, _ = Urllib3Client(pool, timeout_seconds=4).request("get", server.url, {})
            assert (status, other.requests) == (302, [])

    def test_after_the_server_closed_the_connection_comes_on_another(self) -> None:
        def once(handler: BaseHTTPRequestHandler) -> None:
            send(handler)
            handler.close_connection = True  # without saying so before

        with serving(Server(once)) as server:
            stripe_account = a_gateway(server.url)
            assert stripe_account.customer("cus_1") is not None
            assert stripe_account.customer("cus_1") is not None
            assert server.connections == 2

    def test_of_an_error_is_tried_again_where_stripe_says_so(self) -> None:
        def busy(handler: BaseHTTPRequestHandler) -> None:
            send(handler, b'{"error": {"type": "api_error"}}', 400, Stripe_Should_Retry="true")

        with serving(Server(busy)) as server:
            with pytest.raises(PaymentRefused):
                a_gateway(server.url).customer("cus_1")
            assert len(server.requests) == 1 + gateway.CALL_RETRIES


class TestNoAnswer:
    def test_because_nobody_listens_is_down(self, pool: urllib3.PoolManager) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(stripe.APIConnectionError) as failed:
            Urllib3Client(pool, timeout_seconds=4).request("get", url, {})
        assert failed.value.should_retry
        with pytest.raises(PaymentServiceDown):
            a_gateway(url).customer("cus_1")

    def test_in_time_is_down_after_a_second_try(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(gateway, "CALL_TIMEOUT_SECONDS", 0.2)
        late = threading.Event()

        def wait(handler: BaseHTTPRequestHandler) -> None:
            late.wait(5)

        with serving(Server(wait)) as server:
            with pytest.raises(PaymentServiceDown):
                a_gateway(server.url).customer("cus_1")
            assert len(server.requests) == 2
            late.set()

    def test_but_half_of_one_is_down_after_a_second_try(self) -> None:
        def half(handler: BaseHTTPRequestHandler) -> None:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
            handler.close_connection = True

        with serving(Server(half)) as server:
            with pytest.raises(PaymentServiceDown):
                a_gateway(server.url).customer("cus_1")
            assert len(server.requests) == 2


class TestWhoeverAnswersHttps:
    def test_must_prove_to_be_who_was_called(self, pool: urllib3.PoolManager, tmp_path: Path) -> None:
        with serving(Server(send, _context(tmp_path))) as server:
            with pytest.raises(stripe.APIConnectionError) as failed:
                Urllib3Client(pool, timeout_seconds=4).request("post", server.url, {}, "secret=1")
            assert not failed.value.should_retry
            assert server.requests == []

    def test_and_is_heard_when_it_does(self, pool: urllib3.PoolManager, tmp_path: Path) -> None:
        context = _context(tmp_path)
        pool.connection_pool_kw["ssl_context"].load_verify_locations(tmp_path / "cert.pem")
        with serving(Server(send, context)) as server:
            assert Urllib3Client(pool, timeout_seconds=4).request("get", server.url, {})[1] == 200


def _context(folder: Path) -> ssl.SSLContext:
    """A server's, with a certificate for 127.0.0.1 that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nobody")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context
