"""Whoever tells webhooks outlasts what happens to the database, and what one of them brings."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from ipaddress import ip_network

import pytest

from ledger.database import connect
from ledger.leases import LeaseLostError
from projections.webhooks import deliverer as deliverer_module
from projections.webhooks.deliverer import (
    LEASE,
    LEASE_SECONDS,
    WebhookDeliverer,
    deliver_webhooks,
)
from projections.webhooks.deliveries import tell_from
from projections.webhooks.subscriptions import add_webhook
from tests.projections.books_of_a_day import books_of_a_day
from tests.projections.webhooks.receiver import receiving

AT = datetime(2026, 3, 3, tzinfo=UTC)


@contextmanager
def told_meanwhile(dsn: str) -> Iterator[threading.Thread]:
    stop, networks = threading.Event(), (ip_network("127.0.0.0/8"),)
    thread = threading.Thread(
        target=deliver_webhooks,
        args=(dsn, lambda: AT, stop),
        kwargs={"holder": "test", "networks": networks},
    )
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join(60)


def test_a_database_that_ends_every_connection_ends_no_telling(database: str) -> None:
    books_of_a_day(database)
    with receiving() as receiver, connect(database) as connection:
        webhook, _ = add_webhook(
            connection, receiver.url, ["invoice.issued"], by="ann", at=AT, is_from_start=True
        )
        with told_meanwhile(database):
            receiver.until(4)
            for again in range(1, 6):
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
                tell_from(connection, webhook, -1, 1)
                receiver.until(4 + 4 * again)

    assert len(set(receiver.events)) == 4


def test_one_whose_secret_cannot_be_read_keeps_no_other_from_its_news(database: str) -> None:
    books_of_a_day(database)
    with receiving() as receiver, connect(database) as connection:
        for _ in range(2):
            webhook, _ = add_webhook(
                connection, receiver.url, ["invoice.issued"], by="ann", at=AT, is_from_start=True
            )
        spoil = "UPDATE webhook SET sealed = decode('00', 'hex') WHERE id = %s"
        connection.execute(spoil, (webhook.id,))
        with told_meanwhile(database):
            receiver.until(4)

    assert len(set(receiver.events)) == 4


def test_those_that_say_nothing_are_tried_one_a_turn(database: str) -> None:
    books_of_a_day(database)
    with receiving() as silent, receiving() as receiver, connect(database) as connection:
        silent.status = 500
        for url in (*[silent.url] * 5, receiver.url):
            add_webhook(connection, url, ["invoice.issued"], by="ann", at=AT, is_from_start=True)
        networks = (ip_network("127.0.0.0/8"),)
        with closing(
            WebhookDeliverer(database, lambda: AT, holder="test", networks=networks)
        ) as deliverer:
            told = []
            for _ in range(6):
                deliverer.run_once()
                told.append(len(silent.told))

    assert len(receiver.events) == 4
    assert told == [5, 6, 7, 8, 9, 10], "all once, then each in its turn"


def test_each_post_begins_with_a_whole_lease(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = []
    books_of_a_day(database)
    with receiving() as receiver, connect(database) as connection, connect(database) as beside:
        for _ in range(2):
            add_webhook(
                connection, receiver.url, ["invoice.issued"], by="ann", at=AT, is_from_start=True
            )

        def hardly_any_left() -> datetime:
            beside.execute("UPDATE lease SET until = now() WHERE name = %s", (LEASE,))
            return AT

        def posted(*_: object) -> int:
            """Post nothing: see for how long nobody else may."""
            [(seconds,)] = beside.execute(
                "SELECT extract(epoch FROM until - now()) FROM lease WHERE name = %s", (LEASE,)
            ).fetchall()
            left.append(float(seconds))
            return 200

        monkeypatch.setattr(deliverer_module, "post_guarded", posted)
        with closing(WebhookDeliverer(database, hardly_any_left, holder="test")) as deliverer:
            deliverer.run_once()

    assert len(left) == 8
    assert min(left) > LEASE_SECONDS - 5


def test_who_lost_the_lease_posts_nothing(database: str) -> None:
    books_of_a_day(database)
    with receiving() as receiver, connect(database) as connection:
        for _ in range(2):
            add_webhook(
                connection, receiver.url, ["invoice.issued"], by="ann", at=AT, is_from_start=True
            )
        networks = (ip_network("127.0.0.0/8"),)

        def late() -> datetime:
            """Stand still until another took the lease, as what is due is looked for."""
            connection.execute("UPDATE lease SET epoch = epoch + 1, holder = 'another'")
            return AT

        with (
            closing(
                WebhookDeliverer(database, late, holder="test", networks=networks)
            ) as deliverer,
            pytest.raises(LeaseLostError),
        ):
            deliverer.run_once()

    assert receiver.events == []
