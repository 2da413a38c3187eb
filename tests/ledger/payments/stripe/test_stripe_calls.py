"""What Stripe's refusals mean to us, over real HTTP."""

from __future__ import annotations

import contextlib
import logging
import socket
import subprocess
import sys
import threading
import time

import pytest
import stripe

from ledger.payments.provider import (
    DeclinedError,
    PaymentObjectKind,
    ProviderError,
    RefusedRequestError,
    ThrottledError,
    UnansweredError,
)
from ledger.payments.stripe import connections as connections_module
from ledger.payments.stripe.calls import API_VERSION
from ledger.payments.stripe.connections import (
    KeptConnections,
    UnfitAddressError,
    check_address,
)
from tests.ledger.payments.stripe.scripted_stripe import (
    SECRET_KEY,
    Scripted,
    intent,
    refusal,
    scripted_stripe,
)

_INVALID = "invalid_request_error"
_CASES: list[tuple[Scripted, type[ProviderError], str]] = [
    (Scripted(500, refusal("api_error")), UnansweredError, "http_500"),
    (Scripted(502, b"<html>bad gateway</html>"), UnansweredError, "http_502"),
    (Scripted(200, b"no json"), UnansweredError, "http_200"),
    (Scripted(200, b"[" * 20_000), UnansweredError, "http_200"),
    (Scripted(200, b"[]"), UnansweredError, "unreadable"),
    (Scripted(200, b'{"id": 5}'), UnansweredError, "unreadable"),
    (Scripted(200, intent(amount="3000")), UnansweredError, "unreadable"),
    (Scripted(200, intent(amount=30.5)), UnansweredError, "unreadable"),
    (Scripted(200, intent(amount=10**30)), UnansweredError, "unreadable"),
    (Scripted(200, intent(status="pondering")), UnansweredError, "unknown_status"),
    (Scripted(200, intent(currency="btc")), UnansweredError, "currency_unknown"),
    (Scripted(200, None), UnansweredError, "unreachable"),
    (Scripted(200, b'{"id":', {"Content-Length": "900"}), UnansweredError, "unreachable"),
    (Scripted(400, {"error": []}), UnansweredError, "unreadable"),
    (Scripted(400, {"error": 5}), UnansweredError, "unreadable"),
    (Scripted(400, {"huh": 5}), UnansweredError, "http_400"),
    (Scripted(429, refusal(_INVALID, code="rate_limit")), ThrottledError, "rate_limit"),
    (Scripted(429, refusal(_INVALID, code="lock_timeout")), ThrottledError, "lock_timeout"),
    (
        Scripted(409, refusal("idempotency_error", code="idempotency_key_in_use")),
        ThrottledError,
        "idempotency_key_in_use",
    ),
    (Scripted(401, refusal(_INVALID)), ThrottledError, "key_refused"),
    (Scripted(403, refusal(_INVALID)), ThrottledError, "key_not_permitted"),
    (Scripted(400, refusal("idempotency_error")), RefusedRequestError, "key_reused"),
    (
        Scripted(400, refusal(_INVALID, code="parameter_unknown", param="x")),
        RefusedRequestError,
        "parameter_unknown",
    ),
    (
        Scripted(404, refusal(_INVALID, code="resource_missing")),
        RefusedRequestError,
        "resource_missing",
    ),
    (Scripted(402, refusal(_INVALID, code="Ada Lovelace")), RefusedRequestError, "refused"),
    (
        Scripted(402, refusal("card_error", code="card_declined", decline_code="lost_card")),
        DeclinedError,
        "lost_card",
    ),
    (Scripted(402, refusal("card_error", code="expired_card")), DeclinedError, "expired_card"),
]


def test_each_answer_is_the_error_that_it_means() -> None:
    with scripted_stripe() as (server, provider):
        for said, kind, reason in _CASES:
            server.says(Scripted(200, intent(status="requires_capture")), said)
            with pytest.raises(ProviderError) as caught:
                provider.capture("capture:1", "pi_1", 3000)
            assert type(caught.value) is kind, said
            assert caught.value.reason == reason, said
            assert "ada" not in str(caught.value).casefold(), said
            assert SECRET_KEY not in str(caught.value), said
        assert server.script == []


def test_nothing_is_asked_twice_by_itself() -> None:
    with scripted_stripe() as (server, provider):
        server.says(Scripted(500, refusal("api_error")), Scripted(429, refusal(_INVALID)))
        for _ in range(2):
            with pytest.raises(ProviderError):
                provider.add_customer("customer:DE:1", "sub-1")
        assert len(server.heard) == 2


def test_a_connection_is_kept_and_one_that_ended_is_left() -> None:
    with scripted_stripe() as (server, provider):
        server.says(*[Scripted(200, intent())] * 3)
        server.says(Scripted(200, intent(), {"Connection": "close"}), Scripted(200, intent()))
        for _ in range(5):
            assert provider.look_up(PaymentObjectKind.INTENT, "pi_1")
        ports = [each.port for each in server.heard]
        assert len(set(ports[:4])) == 1
        assert ports[4] != ports[3]


def test_who_is_nowhere_is_unanswered() -> None:
    with scripted_stripe() as (server, provider):
        server.server_close()
        with pytest.raises(UnansweredError, match="does not answer"):
            provider.look_up(PaymentObjectKind.INTENT, "pi_1")


def test_the_key_goes_as_a_header_and_the_version_is_ours() -> None:
    with scripted_stripe() as (server, provider):
        server.says(*[Scripted(200, {"id": "cus_1"})] * 3)
        for key in ("customer:DE:1", "Kunde Nr. 1\r\nX: y", "é" * 150):
            assert provider.add_customer(key, "sub-1") == "cus_1"
        keys = [each.headers["idempotency-key"] for each in server.heard]
        assert keys[0] == "customer:DE:1"
        assert all(each.isascii() and len(each) <= 255 for each in keys)
        assert len(set(keys)) == 3
        assert server.heard[1].form["metadata[wattledger_key]"] == "Kunde Nr. 1\r\nX: y"
        assert server.heard[0].headers["stripe-version"] == API_VERSION == stripe.api_version
        assert "x" not in server.heard[1].headers


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com",
        "ftp://127.0.0.1",
        "https://",
        "https://u:p@api.example.com",
        "https://api.example.com/v1",
        "https://api.example.com:99999",
        "http://127.0.0.1.example.com",
        "stripe",
    ],
)
def test_an_address_that_would_show_our_key_is_refused(url: str) -> None:
    with pytest.raises(UnfitAddressError):
        check_address(url)


def test_the_library_tells_nobody_anything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with scripted_stripe() as (server, provider):
        server.says(Scripted(402, refusal("card_error", code="card_declined")))
        with pytest.raises(DeclinedError):
            provider.add_customer("customer:DE:1", "sub-1")
        heard = server.heard[0].headers
        assert "x-stripe-client-telemetry" not in heard
        assert "telemetry_id" not in heard["x-stripe-client-user-agent"]
    told = "".join(f"{each.name}{each.getMessage()}" for each in caplog.records)
    assert "stripe" not in told.casefold()
    assert not stripe.enable_telemetry


def test_a_variable_does_not_make_the_library_print_what_it_hears() -> None:
    asking = (
        "from ledger.payments.stripe.provider import StripeProvider\n"
        "from ledger.payments.provider import ProviderError\n"
        "try: StripeProvider('sk_test_x', url='http://127.0.0.1:9').add_customer('k', 'sub')\n"
        "except ProviderError as error: print(error.reason)"
    )
    said = subprocess.run(
        [sys.executable, "-c", asking],
        env={"STRIPE_LOG": "debug", "PYTHONPATH": ":".join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (said.stdout.strip(), said.stderr) == ("unreachable", "")


@pytest.mark.parametrize("slow", ["head", "body", "nothing"])
def test_an_answer_that_trickles_has_an_end(slow: str) -> None:
    def serve(listener: socket.socket, ending: threading.Event) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            head = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n"
            connection.sendall(head + (b"\r\n" if slow == "body" else b"X: "))
            while not ending.wait(0.02) and slow != "nothing":
                with contextlib.suppress(OSError):
                    connection.sendall(b" ")
            ending.wait()

    ending = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        serving = threading.Thread(target=serve, args=(listener, ending))
        serving.start()
        with contextlib.closing(KeptConnections(url, answer_seconds=0.3)) as connections:
            began = time.monotonic()
            with pytest.raises(stripe.APIConnectionError, match="TimeoutError"):
                connections.request("get", f"{url}/v1/events", {})
            assert time.monotonic() - began < 30
        ending.set()
        serving.join()


def test_an_answer_beyond_all_bounds_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections_module, "ANSWER_BYTES_MAX", 1000)
    with scripted_stripe() as (server, provider):
        server.says(Scripted(200, intent(more="x" * 2000)), Scripted(200, intent()))
        with pytest.raises(UnansweredError):
            provider.look_up(PaymentObjectKind.INTENT, "pi_1")
        assert provider.look_up(PaymentObjectKind.INTENT, "pi_1")
