"""What a provider's webhooks should have told, asked for: one that was lost costs a minute at most.

events    since the newest that was read, and some before it: a list may be a little behind, and
          of a webhook that comes now and then nobody knows which ones do not
payouts   of the last days that are not booked as they stand now: one in no event at all, of an
          account that is new to us, is found too
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final, LiteralString, TypeVar

from psycopg import Connection

from ledger.payments.due_objects import tell_of_object
from ledger.payments.hearing.events import events_read_until, note_events, note_events_read
from ledger.payments.provider import (
    PaymentObjectKind,
    PaymentProvider,
    PayoutState,
    PayoutStatus,
)

T = TypeVar("T")
_LOGGER: Final = logging.getLogger(__name__)

FIRST: Final = timedelta(days=1)
"""So far back who was never asked is asked."""
LITTLE: Final = timedelta(minutes=2)
MUCH: Final = timedelta(hours=1)
REMEMBERED: Final = timedelta(days=30)
"""For so long a provider knows its events (Stripe API reference, Events)."""
PAYOUT_DAYS: Final = timedelta(days=14)
"""A bank sends a payout back within days."""
PAGE: Final = 100
_BOOKED: LiteralString = """
SELECT EXISTS (SELECT FROM payout WHERE provider = %(provider)s AND payout_id = %(id)s),
    EXISTS (SELECT FROM movement
            WHERE source = %(provider)s AND kind = 'payout_failed' AND reference = %(id)s)
"""


def read_events(
    connection: Connection[Any], provider: PaymentProvider, now: datetime, overlap: timedelta
) -> int:
    """Keep the events since those that were read, and from *overlap* before; return the new ones.

    *connection* is in no transaction. A kill between two pages leaves the position where it was.

    Raises:
        ProviderError: If the provider does not say.
    """
    before = events_read_until(connection, provider.name)
    newest, new = before, 0
    since = now - FIRST if before is None else min(before, now)
    if since < now - REMEMBERED:
        _LOGGER.warning(
            "nobody asked %s since %s: it may not tell any more what became of payments until %s; "
            "what moved money stands in its payouts, which are booked line by line",
            *(provider.name, since.isoformat(), (now - REMEMBERED).isoformat()),
        )
    for page in _pages(provider.events(since - overlap)):
        new += note_events(connection, provider.name, page, now)
        last = max(each.created_at for each in page)
        newest = last if newest is None else max(newest, last)
    # What bears a moment to come does not hide what happens until then; where nothing happened for
    # long, it was asked for all the same.
    until = max(now - MUCH, since if newest is None else min(newest, now))
    if until != before:
        note_events_read(connection, provider.name, until)
    return new


def read_payouts(connection: Connection[Any], provider: PaymentProvider, now: datetime) -> int:
    """Have those payouts looked at that are not booked as they stand; return how many.

    Raises:
        ProviderError: If the provider does not say.
    """
    told = 0
    for payout in provider.payouts(now - PAYOUT_DAYS):
        if not _is_booked(connection, provider.name, payout):
            kind = PaymentObjectKind.PAYOUT
            tell_of_object(connection, provider.name, kind, payout.id, now)
            told += 1
    return told


def _is_booked(connection: Connection[Any], provider: str, payout: PayoutState) -> bool:
    asked = {"provider": provider, "id": payout.id}
    [(is_paid_out, has_failed)] = connection.execute(_BOOKED, asked).fetchall()
    return has_failed or (is_paid_out and payout.status is not PayoutStatus.FAILED)


def _pages(found: Iterator[T]) -> Iterator[list[T]]:
    while page := list(islice(found, PAGE)):
        yield page
