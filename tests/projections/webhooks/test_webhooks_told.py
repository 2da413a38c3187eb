"""Webhooks are told what was decided: signed, in order, until they take it, and again."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest

from ledger.database import connect
from ledger.network import Network
from projections.webhooks.deliverer import WAITS, WebhookDeliverer
from projections.webhooks.deliveries import deliveries, delivery_of, tell_again, tell_from
from projections.webhooks.subscriptions import (
    NoWebhookError,
    UnfitWebhookError,
    WebhookSubscription,
    add_webhook,
    check_url,
    end_webhook,
)
from tests.projections.books_of_a_day import books_of_a_day
from tests.projections.webhooks.receiver import receiving

HERE = (ip_network("127.0.0.0/8"),)
AT = datetime(2026, 3, 3, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.at = AT

    def now(self) -> datetime:
        return self.at


@contextmanager
def telling(
    dsn: str, clock: Clock, networks: Sequence[Network] = HERE
) -> Iterator[WebhookDeliverer]:
    with closing(WebhookDeliverer(dsn, clock.now, holder="test", networks=networks)) as deliverer:
        yield deliverer


def made(
    dsn: str, url: str, *kinds: str, is_from_start: bool = True
) -> tuple[WebhookSubscription, str]:
    with connect(dsn) as connection:
        return add_webhook(connection, url, kinds, by="ann", at=AT, is_from_start=is_from_start)


def test_every_decision_is_told_once_signed_and_in_its_order(database: str) -> None:
    books_of_a_day(database)
    clock = Clock()
    with receiving() as receiver, telling(database, clock) as deliverer:
        _, secret = made(database, receiver.url, "session.rated", "invoice.issued")
        made(database, receiver.url, is_from_start=False)
        while deliverer.run_once():
            pass
        with connect(database) as connection:
            [(decided,)] = connection.execute(
                "SELECT count(*) FROM feed WHERE kind IN ('rated', 'issued')"
            ).fetchall()
            kept = connection.execute("SELECT * FROM webhook").fetchall()

    assert len(receiver.events) == len(set(receiver.events)) == decided
    key = base64.b64decode(secret.removeprefix("whsec_"))
    for headers, body in receiver.told:
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        mac = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{mac}"
        assert json.loads(body)["id"] == headers["webhook-id"]
    numbers = [int(each.rpartition("/")[2]) for each in receiver.events if "feed/-1/" in each]
    assert numbers == sorted(numbers)
    assert secret not in str(kept)


def test_what_is_not_taken_waits_longer_each_time_and_fails_at_last(database: str) -> None:
    books_of_a_day(database)
    clock = Clock()
    with receiving() as receiver, telling(database, clock) as deliverer:
        webhook, _ = made(database, receiver.url, "invoice.issued")
        receiver.status = 500
        deliverer.run_once()
        assert len(receiver.told) == 1, "one a turn, while nothing is taken"
        first = receiver.events[0]
        for wait in WAITS:
            clock.at += wait
            deliverer.run_once()
            while deliverer.run_once():
                pass
        clock.at += timedelta(days=2)
        while deliverer.run_once():
            pass
        with connect(database) as connection:
            failed = deliveries(connection, webhook.id, limit=10, state="failed")
            [one] = [each for each in failed if each.event == first]
            found = delivery_of(connection, webhook.id, one.number)
        receiver.status, before = 204, len(receiver.told)
        with connect(database) as connection:
            tell_again(connection, webhook, first, clock.now())
        deliverer.run_once()

    assert found is not None
    assert one.attempts == len(WAITS) + 1
    assert {each.status for each in found[1]} == {500}
    assert receiver.events[before:] == [first]
    assert receiver.told[-1][1] == receiver.told[0][1]


def test_one_that_does_not_answer_keeps_no_other_from_its_news(database: str) -> None:
    books_of_a_day(database)
    clock = Clock()
    with receiving() as receiver, telling(database, clock) as deliverer:
        made(database, "http://127.0.0.1:1/gone")
        webhook, _ = made(database, receiver.url, "invoice.issued")
        while deliverer.run_once():
            pass
        told = len(receiver.told)
        with connect(database) as connection:
            tell_from(connection, webhook, -1, 1)
        while deliverer.run_once():
            pass

    assert told == 4
    assert receiver.events[:4] == receiver.events[4:], "the same ids, once more"


def test_it_goes_nowhere_that_is_not_allowed_and_is_told_nothing_once_it_ended(
    database: str,
) -> None:
    books_of_a_day(database)
    clock = Clock()
    with receiving() as receiver, telling(database, clock, ()) as deliverer:
        webhook, _ = made(database, receiver.url, "invoice.issued")
        deliverer.run_once()
        with connect(database) as connection:
            [one] = [each for each in deliveries(connection, webhook.id, limit=10) if each.attempts]
            found = delivery_of(connection, webhook.id, one.number)
            end_webhook(connection, webhook.id, by="ann", at=AT)
            with pytest.raises(NoWebhookError):
                end_webhook(connection, webhook.id, by="ann", at=AT)
            waiting = deliveries(connection, webhook.id, limit=10, state="waiting")
        clock.at += timedelta(days=1)
        assert deliverer.run_once() == 0

    assert receiver.told == []
    assert found is not None
    assert "not allowed" in found[1][0].why
    assert waiting == []


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/x",
        "https:///x",
        "https://user:secret@example.com/",
        "https://example.com/#x",
        "https://exämple.com/",
        "https://example.com/a b",
        "https://example.com:99999/",
        "https://[::1",
        "",
        "https://example.com/" + "x" * 2_000,
    ],
)
def test_an_address_that_nothing_can_be_posted_to_is_refused(url: str) -> None:
    with pytest.raises(UnfitWebhookError):
        check_url(url)
