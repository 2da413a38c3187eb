"""What customers' accounts moved by until a moment, or since: from the sums that are kept up.

Each entry adds its hour and its day (UTC) in its own transaction (`customer_sum`). A time is taken
from whole days, the hours at its end, and of the hour in which it ends the entries themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, LiteralString

from psycopg import Connection

AccountMoves = Mapping[tuple[str, str, str], int]
"""By customer (a subject id), legal entity and currency, in minor units; a credit is below 0."""

_SUMS: LiteralString = """
SELECT customer, legal_entity, currency, sum(amount_minor)::bigint FROM (
    SELECT customer, legal_entity, currency, amount_minor FROM customer_sum
    WHERE customer = ANY (%(customers)s) AND account = %(account)s
      AND span = 'day' AND begins >= %(days_from)s AND begins < %(days_until)s
    UNION ALL
    SELECT customer, legal_entity, currency, amount_minor FROM customer_sum
    WHERE customer = ANY (%(customers)s) AND account = %(account)s
      AND span = 'hour' AND begins >= %(hours_from)s AND begins < %(hours_until)s
    UNION ALL
    SELECT party, legal_entity, currency, amount_minor
    FROM journal_entry
    CROSS JOIN unnest(accounts, parties, currencies, amounts)
        WITH ORDINALITY AS leg (account, party, currency, amount_minor, place)
    WHERE booked_at >= %(entries_from)s AND booked_at < %(entries_until)s
      AND party = ANY (%(customers)s) AND account = %(account)s
      AND (account <> 'prepayments' OR place = 1)
) AS moved GROUP BY 1, 2, 3
"""
_EVER: LiteralString = "infinity"
_FIRST: Final = datetime(2, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(9999, 12, 30, tzinfo=UTC)
"""Nothing is booked before and after; moments next to them can be told in any zone."""


def moved_until(
    connection: Connection[Any], customers: Sequence[str], account: str, until: datetime | None
) -> AccountMoves:
    """Return what *account* of each customer moved by before *until*; None: by now."""
    if until is None:
        spans: dict[str, object] = {"days_from": "-infinity", "days_until": _EVER, **_NO_HOURS}
        return _moved(connection, customers, account, spans)
    until = min(max(until, _FIRST), _LAST)
    day, hour = _began(until)
    spans = {
        "days_from": "-infinity", "days_until": day, "hours_from": day, "hours_until": hour,
        "entries_from": hour, "entries_until": until,
    }  # fmt: skip
    return _moved(connection, customers, account, spans)


def moved_since(
    connection: Connection[Any], customers: Sequence[str], account: str, since: datetime
) -> AccountMoves:
    """Return what *account* of each customer moved by from *since* on."""
    since = min(since, _LAST)
    day, hour = _began(since)
    after = hour if hour == since.astimezone(UTC) else hour + timedelta(hours=1)
    next_day = day if day == since.astimezone(UTC) else day + timedelta(days=1)
    spans = {
        "days_from": next_day, "days_until": _EVER, "hours_from": after, "hours_until": next_day,
        "entries_from": since, "entries_until": after,
    }  # fmt: skip
    return _moved(connection, customers, account, spans)


_NO_HOURS: Mapping[str, object] = {
    "hours_from": _EVER, "hours_until": _EVER, "entries_from": _EVER, "entries_until": _EVER,
}  # fmt: skip


def _moved(
    connection: Connection[Any],
    customers: Sequence[str],
    account: str,
    spans: Mapping[str, object],
) -> AccountMoves:
    asked = {"customers": list(customers), "account": account, **spans}
    return {
        (customer, legal_entity, currency): minor
        for customer, legal_entity, currency, minor in connection.execute(_SUMS, asked)
    }


def _began(moment: datetime) -> tuple[datetime, datetime]:
    """Return when the day and the hour (UTC) began in which *moment* lies."""
    hour = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return hour.replace(hour=0), hour
