"""Stripe over TLS: who is not vouched for hears nothing of us, and the line is kept."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import stripe

from ledger.payments.provider import PaymentObjectKind, UnansweredError
from ledger.payments.stripe.provider import StripeProvider
from tests.certificates import Authority
from tests.ledger.payments.stripe.scripted_stripe import (
    SECRET_KEY,
    Scripted,
    ScriptedStripe,
    intent,
)


@contextmanager
def _over_tls(authority: Authority) -> Iterator[ScriptedStripe]:
    issued = authority.issue("stripe")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate, issued.key)
    with ScriptedStripe() as server:
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        try:
            yield server
        finally:
            server.shutdown()
            serving.join()


def _provider(server: ScriptedStripe) -> StripeProvider:
    return StripeProvider(SECRET_KEY, url=f"https://127.0.0.1:{server.server_port}")


def test_a_line_that_is_vouched_for_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setattr(stripe, "ca_bundle_path", str(authority.ca))
    with _over_tls(authority) as server, closing(_provider(server)) as provider:
        server.says(*[Scripted(200, intent())] * 4)
        for _ in range(4):
            assert provider.look_up(PaymentObjectKind.INTENT, "pi_1")
        # What TLS itself says after the handshake may cost the first one its line.
        assert len({each.port for each in server.heard}) <= 2
        assert len({each.port for each in server.heard[1:]}) == 1


def test_who_is_not_vouched_for_hears_no_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Authority(tmp_path / "other")
    with _over_tls(Authority(tmp_path / "own")) as server:
        for bundle in (stripe.ca_bundle_path, str(other.ca)):
            monkeypatch.setattr(stripe, "ca_bundle_path", bundle)
            with closing(_provider(server)) as provider, pytest.raises(UnansweredError):
                provider.look_up(PaymentObjectKind.INTENT, "pi_1")
        assert server.heard == []
