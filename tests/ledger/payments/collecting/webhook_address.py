"""An address of ours to which the fake provider sends its webhooks, over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from ledger.database import connect
from ledger.payments.hearing.events import RefusedEventError, note_events
from ledger.payments.movement import STRIPE
from ledger.payments.stripe.webhooks import StripeWebhooks

KEY: Final = "sk_test_fake"
SECRET: Final = "whsec_fake"


@contextmanager
def webhook_address(dsn: str, now: Callable[[], datetime]) -> Iterator[str]:
    """Yield where webhooks are verified and kept as the product's route does."""
    webhooks = StripeWebhooks(KEY, [SECRET])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            try:
                notice = webhooks.read(body, self.headers["Stripe-Signature"], now())
            except RefusedEventError:
                self.send_response(400)
            else:
                with connect(dsn) as connection:
                    note_events(connection, STRIPE, [notice], now())
                self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
