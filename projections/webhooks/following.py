"""What each webhook is to be told: a page of events and its position, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, LiteralString

from psycopg import Connection

from ledger.approvals.approvals import TariffApprovals
from projections.publishing.event_kinds import kind_of_event
from projections.publishing.making import encode_event
from projections.publishing.sources import EventPage, FeedSource, TariffSource, advance
from projections.webhooks.subscriptions import WebhookSubscription, follower_of, tariff_follower_of

WAITING_MAX: Final = 5_000
"""Who takes nothing is told no more than so many at a time: the rest waits in the feed."""
_WAITING: LiteralString = """
SELECT count(*) FROM (
    SELECT FROM webhook_delivery WHERE webhook = %s AND state = 'waiting' LIMIT %s
) AS waiting
"""
# Told again, it is the same row: a receiver knows it by its id.
_PUT: LiteralString = """
INSERT INTO webhook_delivery (webhook, event, kind, body, state, next_at, made_at)
VALUES (%(webhook)s, %(event)s, %(kind)s, %(body)s, 'waiting', %(now)s, %(now)s)
ON CONFLICT (webhook, event) DO UPDATE
SET state = 'waiting', tries = 0, next_at = excluded.next_at, ended_at = NULL
"""


def follow_feed(
    connection: Connection[Any],
    approvals: TariffApprovals,
    webhook: WebhookSubscription,
    now: datetime,
) -> int:
    """Put down what *webhook* is to be told next; return how many numbers of the feed were passed.

    Nobody else follows for it at the same time, or it finds the position moved, and is undone.
    """
    asked = (webhook.id, WAITING_MAX)
    [(waiting,)] = connection.execute(_WAITING, asked).fetchall()
    passed = 0
    if waiting >= WAITING_MAX:
        return passed
    sources = (
        FeedSource(follower_of(webhook.id)),
        TariffSource(approvals, tariff_follower_of(webhook.id)),
    )
    for page in (each for source in sources for each in source.pages(connection)):
        with connection.transaction():
            if advance(connection, page):
                connection.cursor().executemany(_PUT, _rows(page, webhook, now))
                passed += page.end - page.start
    return passed


def _rows(
    page: EventPage, webhook: WebhookSubscription, now: datetime
) -> Sequence[dict[str, object]]:
    return [
        {
            "webhook": webhook.id,
            "event": event.id,
            "kind": kind_of_event(event),
            "body": encode_event(event),
            "now": now,
        }
        for event in page.events
        if not webhook.kinds or kind_of_event(event) in webhook.kinds
    ]
