"""Webhooks as they are made and ended: where, of which kinds of events, and from which on."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, LiteralString
from urllib.parse import urlsplit

import msgspec
from psycopg import Connection

from ledger.approvals.approvals import TariffApprovals
from ledger.books.feed import DESK_PARTITION
from ledger.database import dsn_of
from ledger.persons.holders import webhook_holder
from ledger.persons.sealing import seal, unseal
from ledger.persons.store import find, find_or_make
from projections.errors import ProjectionError
from projections.publishing.event_kinds import EVENT_TYPES
from projections.webhooks.signing import new_secret

URL_MAX: Final = 2_000
WEBHOOKS_MAX: Final = 100
"""So many may be in force at once."""
_COLUMNS: LiteralString = """
SELECT id, url, kinds, made_by, made_at, ended_by, ended_at FROM webhook
"""
_NEWEST: LiteralString = """
WHERE made_at <= %(at)s AND (made_at < %(at)s OR id > %(id)s)
ORDER BY made_at DESC, id LIMIT %(limit)s
"""
_ADD: LiteralString = """
INSERT INTO webhook (id, url, kinds, sealed, made_by, made_at)
VALUES (%s, %s, %s, %s, %s, %s)
"""
_COUNT: LiteralString = "SELECT count(*) FROM webhook WHERE ended_at IS NULL"
_END: LiteralString = """
UPDATE webhook SET ended_by = %s, ended_at = %s WHERE id = %s AND ended_at IS NULL
"""
_FORGET: LiteralString = "DELETE FROM webhook_delivery WHERE webhook = %s AND state = 'waiting'"
_SEALED: LiteralString = "SELECT sealed FROM webhook WHERE id = %s"
_FROM_NOW: LiteralString = """
INSERT INTO follower_position (follower, partition, next_number)
SELECT %s, partition, next_number FROM worker_position
UNION ALL SELECT %s, partition, next_number FROM feed_head
ON CONFLICT (follower, partition) DO NOTHING
"""
_TARIFFS_FROM_NOW: LiteralString = """
INSERT INTO follower_position (follower, partition, next_number) VALUES (%s, %s, %s)
"""
_TURN: LiteralString = "LOCK TABLE webhook IN SHARE ROW EXCLUSIVE MODE"


class WebhookSubscription(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook; `kinds` empty: every kind. `ended_at`: since when it is told nothing any more."""

    id: str
    url: str
    kinds: list[str]
    made_by: str
    made_at: datetime
    ended_by: str | None
    ended_at: datetime | None


class UnfitWebhookError(ProjectionError):
    """An address that nothing can be posted to, or a kind that no event is of."""


class NoWebhookError(ProjectionError):
    """There is no webhook of that id, or it has ended."""

    def __init__(self, webhook: str) -> None:
        super().__init__(
            f"there is no webhook {webhook}, or it has ended: GET /webhooks lists them"
        )


def follower_of(webhook: str) -> str:
    """Return under which name it is kept how far a webhook has followed the feed."""
    return f"webhook/{webhook}"


def tariff_follower_of(webhook: str) -> str:
    """Return the same of the record of tariffs, which numbers its own."""
    return f"webhook/{webhook}/tariffs"


def add_webhook(
    connection: Connection[Any],
    url: str,
    kinds: Sequence[str],
    *,
    by: str,
    at: datetime,
    is_from_start: bool = False,
) -> tuple[WebhookSubscription, str]:
    """Make a webhook; return it with its secret, which nobody is shown again.

    It is told what is decided from now on, or everything since the start.

    Raises:
        UnfitWebhookError: If it cannot be: `check_url`, or there are too many.
    """
    check_url(url)
    unknown = sorted(set(kinds) - set(EVENT_TYPES))
    if unknown:
        message = f"no event is of the kind {unknown[0]}: there are {', '.join(EVENT_TYPES)}"
        raise UnfitWebhookError(message)
    made, secret = f"wh_{secrets.token_hex(8)}", new_secret()
    [subject] = find_or_make(connection, [webhook_holder(made)]).values()
    row = (made, url, sorted(set(kinds)), seal(subject, secret), by, at)
    with connection.transaction():
        connection.execute(_TURN)
        [(count,)] = connection.execute(_COUNT).fetchall()
        if count >= WEBHOOKS_MAX:
            message = f"there are {WEBHOOKS_MAX} webhooks already: end one first"
            raise UnfitWebhookError(message)
        connection.execute(_ADD, row)
        if not is_from_start:
            connection.execute(_FROM_NOW, [follower_of(made)] * 2)
            with TariffApprovals(dsn_of(connection)) as approvals:
                recorded = approvals.recorder.max_notification_id() or 0
            place = (tariff_follower_of(made), DESK_PARTITION, recorded + 1)
            connection.execute(_TARIFFS_FROM_NOW, place)
    return webhook_of(connection, made), secret


def check_url(url: str) -> None:
    """See that something can be posted to *url*; where its name leads is seen when it is.

    Raises:
        UnfitWebhookError: If nothing can.
    """
    try:
        parts = urlsplit(url)
        is_fit = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        is_fit = is_fit and parts.username is None and not parts.fragment
    except ValueError:
        is_fit = False
    if not is_fit or len(url) > URL_MAX or not url.isascii() or not url.isprintable() or " " in url:
        message = "a webhook's url is https://NAME/..., without a name and password in it"
        raise UnfitWebhookError(message)


def list_webhooks(
    connection: Connection[Any], *, limit: int, behind: tuple[datetime, str] | None = None
) -> list[WebhookSubscription]:
    """Return webhooks, also those that ended, the newest first; *behind*: made when, which."""
    made_at, webhook = behind or ("infinity", "")
    rows = connection.execute(_COLUMNS + _NEWEST, {"at": made_at, "id": webhook, "limit": limit})
    return [_webhook(row) for row in rows]


def webhooks_in_force(connection: Connection[Any]) -> list[WebhookSubscription]:
    """Return who is told now, `WEBHOOKS_MAX` at most."""
    return [_webhook(row) for row in connection.execute(_COLUMNS + "WHERE ended_at IS NULL")]


def webhook_of(connection: Connection[Any], webhook: str) -> WebhookSubscription:
    """Return one webhook, also one that has ended.

    Raises:
        NoWebhookError: If there is none.
    """
    row = connection.execute(_COLUMNS + "WHERE id = %s", (webhook,)).fetchone()
    if row is None:
        raise NoWebhookError(webhook)
    return _webhook(row)


def end_webhook(connection: Connection[Any], webhook: str, *, by: str, at: datetime) -> None:
    """Tell a webhook nothing any more, also nothing that waits.

    Raises:
        NoWebhookError: If there is none in force.
    """
    with connection.transaction():
        if not connection.execute(_END, (by, at, webhook)).rowcount:
            raise NoWebhookError(webhook)
        connection.execute(_FORGET, (webhook,))


def secret_of(connection: Connection[Any], webhook: str) -> str:
    """Return what signs a webhook's messages.

    Raises:
        NoWebhookError: If there is none, or its secret was erased.
    """
    row = connection.execute(_SEALED, (webhook,)).fetchone()
    holder = webhook_holder(webhook)
    subject = find(connection, [holder]).get((holder.kind, holder.name))
    if row is None or subject is None:
        raise NoWebhookError(webhook)
    return unseal(subject, row[0])


def _webhook(row: Sequence[Any]) -> WebhookSubscription:
    made, url, kinds, made_by, made_at, ended_by, ended_at = row
    return WebhookSubscription(
        id=made,
        url=url,
        kinds=kinds,
        made_by=made_by,
        made_at=made_at,
        ended_by=ended_by,
        ended_at=ended_at,
    )
