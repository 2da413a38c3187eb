"""To a webhook: signed, under one id however often, and never into a network nobody allowed."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ledger.database import connect
from ledger.master_data.customers import Delivery
from ledger.network import networks_of
from projections.documents.delivery.deliverer import Deliverer
from projections.documents.delivery.webhook import SIGNATURE, Webhook, WebhookWay, signature
from projections.documents.keeping.keeper import DocumentKeeper
from projections.documents.keeping.kept import read_kept
from projections.posting import guarded
from tests.projections.documents.delivery.mail_server import free_port
from tests.projections.documents.issued_documents import (
    issue,
    make_due,
    operator,
    render_plainly,
    rows,
)

HERE = networks_of("127.0.0.0/8")
_STATES = "SELECT state, attempts FROM document_delivery ORDER BY number"
_ATTEMPTS = "SELECT came_of_it, why FROM delivery_attempt ORDER BY delivery_id, attempt"


@dataclass
class Receiver:
    """What was posted, and what is answered; `location`: whereto it redirects."""

    url: str = ""
    status: int = 204
    location: str = ""
    silent_seconds: float = 0.0
    posts: list[tuple[str, bytes]] = field(default_factory=list)


@contextmanager
def receiver() -> Iterator[Receiver]:
    told = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.posts.append((self.headers[SIGNATURE], body))
            for _ in range(int(told.silent_seconds * 10)):
                self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                time.sleep(0.1)
            self.send_response(told.status)
            if told.location:
                self.send_header("Location", told.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    told.url = f"http://127.0.0.1:{server.server_port}/documents?of=us"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def number(database: str) -> str:
    """A kept document of a reader who gets it by webhook."""
    [number] = issue(database, operator(database, {"ada": Delivery.WEBHOOK}), ["ada-1"])
    with closing(DocumentKeeper(database, render_plainly)) as keeper:
        keeper.run_once()
    return number


def deliver(dsn: str, given: Webhook) -> int:
    with closing(Deliverer(dsn, {Delivery.WEBHOOK: WebhookWay(given)})) as deliverer:
        return deliverer.run_once()


def test_a_receiver_gets_the_document_signed(database: str, number: str) -> None:
    with receiver() as told:
        deliver(database, Webhook(url=told.url, secret="shared", networks=HERE))

    [(header, body)] = told.posts
    at, given = (part.partition("=")[2] for part in header.split(","))
    assert given == signature("shared", int(at), body) != signature("other", int(at), body)
    posted = json.loads(body)
    with connect(database) as connection:
        assert base64.b64decode(posted["pdf"]) == read_kept(connection, number).pdf
    assert posted["number"] == number
    assert rows(database, _STATES) == [("delivered", 1)]


@pytest.mark.parametrize(
    ("status", "state", "why"),
    [(500, "waiting", "HTTP 500"), (404, "waiting", "HTTP 404"), (410, "refused", "HTTP 410")],
)
def test_what_was_not_taken_is_posted_again_under_the_same_id(
    database: str, number: str, status: int, state: str, why: str
) -> None:
    with receiver() as told:
        given = Webhook(url=told.url, secret="s", networks=HERE)
        told.status = status
        deliver(database, given)
        assert rows(database, _STATES) == [(state, 1)]
        told.status = 200
        make_due(database)
        deliver(database, given)

    assert rows(database, _ATTEMPTS)[0][1] == why
    ids = [json.loads(body)["delivery"] for _, body in told.posts]
    assert ids == [ids[0]] * (2 if state == "waiting" else 1)
    assert number in ids[0]


def test_no_redirect_is_followed(database: str, number: str) -> None:
    with receiver() as told, receiver() as elsewhere:
        told.status, told.location = 307, elsewhere.url
        deliver(database, Webhook(url=told.url, secret="s", networks=HERE))

    assert (len(told.posts), elsewhere.posts) == (1, [])
    assert rows(database, _ATTEMPTS) == [("not_delivered", "HTTP 307")]
    assert number


def test_a_receiver_that_never_comes_to_an_end_holds_nobody_up(
    database: str, number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarded, "SECONDS_MAX", 0.5)
    with receiver() as told:
        told.silent_seconds = 20.0
        began = time.monotonic()
        deliver(database, Webhook(url=told.url, secret="s", networks=HERE))
        took = time.monotonic() - began

    assert took < 15
    assert rows(database, _STATES) == [("waiting", 1)]
    assert number


def test_a_receiver_in_a_network_that_nobody_allowed_gets_nothing(
    database: str, number: str
) -> None:
    with receiver() as told:
        deliver(database, Webhook(url=told.url, secret="s"))
        make_due(database)
        nowhere = f"http://127.0.0.1:{free_port()}/"
        deliver(database, Webhook(url=nowhere, secret="s", networks=HERE))

    assert told.posts == []
    assert [why for _, why in rows(database, _ATTEMPTS)] == [
        "the webhook leads into a network that is not allowed (webhook_networks)",
        "the webhook cannot be reached: ConnectionRefusedError",
    ]
    assert number


@pytest.mark.parametrize("url", ["http://", "http://[::1", "http://a b/", "http://x:99999/"])
def test_an_address_that_is_none_is_noted(database: str, number: str, url: str) -> None:
    deliver(database, Webhook(url=url, secret="s", networks=networks_of("0.0.0.0/0,::/0")))

    assert [came_of_it for came_of_it, _ in rows(database, _ATTEMPTS)] == ["not_delivered"]
    assert number
