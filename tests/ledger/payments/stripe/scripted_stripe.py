"""A server on loopback that answers what a test says, as Stripe's documentation has it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qsl

from ledger.payments.stripe.provider import StripeProvider

SECRET_KEY = "sk_test_4eC39HqLyjWDarjtT1zdp7dc"


class Scripted(NamedTuple):
    """An answer; `body` None: the line is cut without one."""

    status: int
    body: object
    headers: Mapping[str, str] = {}


class Heard(NamedTuple):
    """What was asked."""

    method: str
    path: str
    form: dict[str, str]
    headers: dict[str, str]
    port: int


class ScriptedStripe(ThreadingHTTPServer):
    """Answers in the order of `script`, and keeps what it heard."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script: list[Scripted] = []
        self.heard: list[Heard] = []

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_port}"

    def says(self, *answers: Scripted) -> None:
        """Say these next."""
        self.script.extend(answers)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ScriptedStripe

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self._answer(self.rfile.read(length).decode())

    def do_GET(self) -> None:
        self._answer(self.path.partition("?")[2])

    def _answer(self, form: str) -> None:
        path = self.path.partition("?")[0]
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Heard(self.command, path, dict(parse_qsl(form)), headers, self.client_address[1])
        self.server.heard.append(asked)
        said = self.server.script.pop(0)
        if said.body is None:
            self.close_connection = True
            return
        body = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
        self.send_response(said.status)
        for name, value in {"Request-Id": "req_1", **said.headers}.items():
            self.send_header(name, value)
        if "Content-Length" not in said.headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        if "Content-Length" in said.headers:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def scripted_stripe() -> Iterator[tuple[ScriptedStripe, StripeProvider]]:
    """Run it, with a provider that asks it."""
    with ScriptedStripe() as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        provider = StripeProvider(SECRET_KEY, url=server.url)
        try:
            yield server, provider
        finally:
            provider.close()
            server.shutdown()
            serving.join()


def intent(**fields: object) -> dict[str, object]:
    """Return a PaymentIntent that was taken by card."""
    return {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 3000,
        "amount_capturable": 0,
        "amount_received": 3000,
        "cancellation_reason": None,
        "client_secret": "pi_1_secret_x",
        "created": 1774951200,
        "currency": "eur",
        "customer": "cus_1",
        "last_payment_error": None,
        "latest_charge": "ch_1",
        "livemode": False,
        "metadata": {"wattledger_key": "collect:2026-1:1"},
        "payment_method": "pm_1",
        "payment_method_types": ["card"],
        "status": "succeeded",
    } | fields


def refusal(kind: str, **fields: object) -> dict[str, object]:
    """Return the body of an error."""
    return {"error": {"type": kind, "message": "Said of ada@example.org", **fields}}
