"""What a webhook was told and what came of it, and telling it again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, LiteralString

import msgspec
from psycopg import Connection
from psycopg.rows import class_row

from ledger.books.feed import FIRST_NUMBER
from projections.errors import ProjectionError
from projections.webhooks.subscriptions import WebhookSubscription, follower_of

ATTEMPTS_SHOWN_MAX: Final = 50
_LIST: LiteralString = """
SELECT number, event, kind, state, attempts, made_at, ended_at,
    CASE WHEN state = 'waiting' THEN next_at END AS next_at
FROM webhook_delivery WHERE webhook = %(webhook)s
"""
# Only what is asked for is asked: a plan for any state would look at all of them.
_IN_STATE: LiteralString = " AND state = %(state)s"
_BEFORE: LiteralString = " AND number < %(before)s"
_NEWEST: LiteralString = " ORDER BY number DESC LIMIT %(limit)s"
_ONE: LiteralString = """
SELECT number, event, kind, state, attempts, made_at, ended_at,
    CASE WHEN state = 'waiting' THEN next_at END AS next_at
FROM webhook_delivery WHERE webhook = %s AND number = %s
"""
_ATTEMPTS: LiteralString = """
SELECT attempt, at, status, why FROM webhook_attempt WHERE delivery = %s
ORDER BY attempt DESC LIMIT %s
"""
_AGAIN: LiteralString = """
UPDATE webhook_delivery SET state = 'waiting', tries = 0, next_at = %s, ended_at = NULL
WHERE webhook = %s AND event = %s
"""
_MOVE: LiteralString = """
INSERT INTO follower_position (follower, partition, next_number)
SELECT %(follower)s, partition, least(%(number)s, next_number) FROM (
    SELECT partition, next_number FROM worker_position
    UNION ALL SELECT partition, next_number FROM feed_head
) AS head WHERE partition = %(partition)s
ON CONFLICT (follower, partition) DO UPDATE SET next_number = excluded.next_number
"""


class WebhookDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """An event that a webhook was told, or is to be: `state` waiting, delivered or failed.

    `attempts`: how often it was posted. `next_at`: when it is posted next, if it waits.
    """

    number: int
    event: str
    kind: str
    state: str
    attempts: int
    made_at: datetime
    ended_at: datetime | None
    next_at: datetime | None


class WebhookAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """A time that something was posted; `status` null: nothing came back, and `why` says so."""

    attempt: int
    at: datetime
    status: int | None
    why: str


class UnknownEventError(ProjectionError):
    """A webhook was never told of such an event, or too long ago; or there is no such place."""


def deliveries(
    connection: Connection[Any],
    webhook: str,
    *,
    limit: int,
    state: str | None = None,
    before: int | None = None,
) -> Sequence[WebhookDelivery]:
    """Return what a webhook was told, the last one first; those before the number *before*."""
    asked = {"webhook": webhook, "state": state, "before": before, "limit": limit}
    query: LiteralString = _LIST + ("" if state is None else _IN_STATE)
    query += ("" if before is None else _BEFORE) + _NEWEST
    with connection.cursor(row_factory=class_row(WebhookDelivery)) as cursor:
        return cursor.execute(query, asked).fetchall()


def delivery_of(
    connection: Connection[Any], webhook: str, number: int
) -> tuple[WebhookDelivery, Sequence[WebhookAttempt]] | None:
    """Return one of them with its last attempts; None: there is none."""
    with connection.cursor(row_factory=class_row(WebhookDelivery)) as cursor:
        found = cursor.execute(_ONE, (webhook, number)).fetchone()
    if found is None:
        return None
    with connection.cursor(row_factory=class_row(WebhookAttempt)) as cursor:
        return found, cursor.execute(_ATTEMPTS, (number, ATTEMPTS_SHOWN_MAX)).fetchall()


def tell_again(
    connection: Connection[Any], webhook: WebhookSubscription, event: str, now: datetime
) -> None:
    """Tell a webhook an event again, as it was told.

    Raises:
        UnknownEventError: If it is not among what it was told in the last month.
    """
    if not connection.execute(_AGAIN, (now, webhook.id, event)).rowcount:
        message = f"{webhook.id} was not told of {event} in the last month: name a number to go on"
        raise UnknownEventError(message)


def tell_from(
    connection: Connection[Any], webhook: WebhookSubscription, partition: int, number: int
) -> None:
    """Tell a webhook everything again from a number of a partition of the feed on.

    Raises:
        UnknownEventError: If there is no such partition.
    """
    asked = {
        "follower": follower_of(webhook.id),
        "partition": partition,
        "number": max(number, FIRST_NUMBER),
    }
    if not connection.execute(_MOVE, asked).rowcount:
        message = f"the feed has no partition {partition}"
        raise UnknownEventError(message)
