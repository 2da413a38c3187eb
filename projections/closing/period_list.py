"""The months of a legal entity's books: which are closed, by whom, and what came afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString

import msgspec
from psycopg import Connection

from ledger.periods.periods import AccountingPeriods
from ledger.periods.record import AccountingPeriod, PeriodState
from projections.closing.month_reports import AccountSum

_MONTHS: LiteralString = """
SELECT legal_entity, period, count(*) FROM journal_entry
WHERE %(legal_entity)s::text IS NULL OR legal_entity = %(legal_entity)s
GROUP BY legal_entity, period
"""
# By the index of those alone: in the order of booking every entry there is would be looked at.
_LATER: LiteralString = """
WITH moved AS MATERIALIZED (
    SELECT entry_id, period, booked_at FROM journal_entry
    WHERE legal_entity = %(legal_entity)s AND original_period = %(month)s
    AND period <> original_period
)
SELECT entry_id, period, booked_at FROM moved
ORDER BY booked_at, entry_id COLLATE "C" LIMIT %(limit)s
"""
_LATER_COUNT: LiteralString = """
SELECT count(*) FROM journal_entry WHERE legal_entity = %(legal_entity)s
AND original_period = %(month)s AND period <> original_period
"""
_LATER_SUMS: LiteralString = """
SELECT account, currency, sum(amount_minor)::bigint
FROM journal_entry, unnest(accounts, currencies, amounts) AS leg (account, currency, amount_minor)
WHERE legal_entity = %(legal_entity)s AND original_period = %(month)s AND period <> original_period
GROUP BY account, currency HAVING sum(amount_minor) <> 0
ORDER BY account COLLATE "C", currency COLLATE "C"
"""


class ListedPeriod(msgspec.Struct, frozen=True, kw_only=True):
    """A month of a legal entity's books; `entries` stand in it.

    `soft_closed_by` and `closed_by`: null where nobody did, or it was opened again.
    """

    legal_entity: str
    month: str
    state: str
    entries: int
    soft_closed_by: str | None
    closed_by: str | None
    closed_at: datetime | None


class LaterEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry about a month that stands in a later one, for its own was closed by then."""

    entry: str
    period: str
    booked_at: datetime


class CameAfterwards(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided about a closed month: how many entries, the first of them, their sums.

    `sums` are debits less credits by account; accounts that come to 0 are left out.
    """

    count: int
    entries: tuple[LaterEntry, ...]
    sums: tuple[AccountSum, ...]


def listed_periods(
    connection: Connection[Any], periods: AccountingPeriods, legal_entity: str | None
) -> list[ListedPeriod]:
    """Return every month in which something is booked, or that was ever closed, the last first."""
    asked = {"legal_entity": legal_entity}
    rows: Sequence[tuple[str, str, int]] = connection.execute(_MONTHS, asked).fetchall()
    entries = {(entity, month): count for entity, month, count in rows}
    records = {(each.legal_entity, each.month): each for each in periods.periods(legal_entity)}
    keys = sorted(entries.keys() | records.keys(), key=lambda key: (key[1], key[0]), reverse=True)
    return [_listed(key, entries.get(key, 0), records.get(key)) for key in keys]


def came_afterwards(
    connection: Connection[Any], legal_entity: str, month: str, *, limit: int
) -> CameAfterwards:
    """Return what is about *month* and stands in a later one; up to *limit* of the entries."""
    asked = {"legal_entity": legal_entity, "month": month, "limit": limit}
    [(count,)] = connection.execute(_LATER_COUNT, asked).fetchall()
    return CameAfterwards(
        count=count,
        entries=tuple(
            LaterEntry(entry=entry, period=period, booked_at=booked_at)
            for entry, period, booked_at in connection.execute(_LATER, asked)
        ),
        sums=tuple(
            AccountSum(account=account, currency=currency, amount_minor=amount)
            for account, currency, amount in connection.execute(_LATER_SUMS, asked)
        ),
    )


def _listed(key: tuple[str, str], entries: int, record: AccountingPeriod | None) -> ListedPeriod:
    legal_entity, month = key
    state = PeriodState(record.state) if record else PeriodState.OPEN
    close = record.closes[-1] if record and record.is_closed else None
    return ListedPeriod(
        legal_entity=legal_entity,
        month=month,
        state=state.value,
        entries=entries,
        soft_closed_by=(record.soft_closed_by or None) if record else None,
        closed_by=close.by if close else None,
        closed_at=close.at if close else None,
    )
