"""The fake sends webhooks that Stripe's own library takes, and those that it should not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import stripe

from deploy.demo.provider.faults import ProviderFault
from deploy.demo.provider.server import FakeStripe
from tests.deploy.demo.provider.provider_cases import client_of

SECRET = "whsec_of_the_test"


class Mailbox:
    """What came, as Stripe's library reads it; `answers` come first, then 200."""

    def __init__(self) -> None:
        self.taken: list[stripe.Event] = []
        self.refused = 0
        self.answers: list[int] = []
        self.came = threading.Condition()

    def take(self, body: bytes, signature: str) -> int:
        with self.came:
            self.came.notify_all()
            try:
                event = stripe.Webhook.construct_event(body, signature, SECRET)
            except stripe.SignatureVerificationError:
                self.refused += 1
                return 400
            if self.answers:
                return self.answers.pop()
            self.taken.append(event)
            return 200

    def types(self) -> list[str]:
        return [each.type for each in self.taken]


@contextmanager
def serving(mailbox: Mailbox) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(mailbox.take(body, self.headers["Stripe-Signature"]))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/payments/stripe"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def fake(mailbox: Mailbox) -> Iterator[FakeStripe]:
    with serving(mailbox) as url, FakeStripe(secret=SECRET, webhook_url=url, sends=False) as served:
        yield served


def three_payments(fake: FakeStripe) -> None:
    """Make three payments of which one event each tells."""
    for _ in range(3):
        client_of(fake.url).v1.payment_intents.create({"amount": 500, "currency": "eur"})


def test_each_event_comes_once_and_rightly_signed(fake: FakeStripe, mailbox: Mailbox) -> None:
    three_payments(fake)

    assert fake.deliver() == 3

    assert [each.data.object["id"] for each in mailbox.taken] == [
        each["id"] for each in fake.of("payment_intent")
    ]
    assert [each.id for each in mailbox.taken] == [each["id"] for each in fake.of("event")]
    assert (mailbox.refused, fake.deliver()) == (0, 0)


@pytest.mark.parametrize(
    ("fault", "taken", "refused"),
    [
        pytest.param(ProviderFault.WEBHOOK_LOST, [1, 2], 0, id="lost"),
        pytest.param(ProviderFault.WEBHOOK_REPEATED, [0, 0, 1, 2], 0, id="repeated"),
        pytest.param(ProviderFault.WEBHOOK_REORDERED, [1, 0, 2], 0, id="reordered"),
        pytest.param(ProviderFault.WEBHOOK_DELAYED, [1, 2], 0, id="delayed"),
        pytest.param(ProviderFault.WEBHOOK_FORGED, [0, 1, 2], 1, id="forged"),
        pytest.param(ProviderFault.WEBHOOK_FOREIGN, ["foreign", 0, 1, 2], 0, id="foreign"),
    ],
)
def test_webhooks_come_as_the_faults_have_it(
    fake: FakeStripe,
    mailbox: Mailbox,
    fault: ProviderFault,
    taken: list[int | str],
    refused: int,
) -> None:
    fake.faults.plan(fault)
    three_payments(fake)
    fake.deliver()

    known = [each["id"] for each in fake.of("event")]
    came = [known.index(each.id) if each.id in known else "foreign" for each in mailbox.taken]
    assert (came, mailbox.refused) == (taken, refused)
    assert fake.faults.struck[fault] == 1


def test_what_was_delayed_comes_the_next_time(fake: FakeStripe) -> None:
    fake.faults.plan(ProviderFault.WEBHOOK_DELAYED)
    three_payments(fake)

    assert [fake.deliver(), fake.deliver(), fake.deliver()] == [2, 1, 0]


def test_what_is_not_taken_is_sent_again(fake: FakeStripe, mailbox: Mailbox) -> None:
    mailbox.answers = [500, 500]
    three_payments(fake)

    assert [fake.deliver(), fake.deliver(), fake.deliver()] == [1, 2, 0]
    assert len(mailbox.taken) == 3


def test_webhooks_go_out_by_themselves(mailbox: Mailbox) -> None:
    with serving(mailbox) as url, FakeStripe(secret=SECRET) as fake:
        fake.send_to(url)
        three_payments(fake)

        with mailbox.came:
            assert mailbox.came.wait_for(lambda: len(mailbox.taken) == 3, 30)


def test_events_are_listed_for_thirty_days(fake: FakeStripe) -> None:
    three_payments(fake)
    events = client_of(fake.url).v1.events
    fake.pass_time(timedelta(days=29))
    assert len(events.list({"limit": 2}).data) == 2

    fake.pass_time(timedelta(days=2))
    assert events.list().data == []


def test_nobody_there_is_no_end(fake: FakeStripe, mailbox: Mailbox) -> None:
    right, fake.webhooks.url = fake.webhooks.url, "http://127.0.0.1:9/"
    three_payments(fake)
    assert fake.deliver() == 0

    fake.send_to(right)
    assert fake.deliver() == 3
    assert mailbox.types() == 3 * ["payment_intent.created"]
