"""The months of the books, page by page, whatever stands in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.periods.periods import AccountingPeriods
from ledger.periods.record import AccountingPeriod

ENTRIES_MAX: Final = 1_000
"""So many entries of a month are counted: then there are more than that."""
# From one month to the next by the index, not entry by entry.
_MONTHS: LiteralString = """
WITH RECURSIVE booked AS (
    (SELECT legal_entity, period FROM journal_entry ORDER BY legal_entity, period LIMIT 1)
    UNION ALL
    SELECT following.legal_entity, following.period FROM booked CROSS JOIN LATERAL (
        SELECT legal_entity, period FROM journal_entry
        WHERE (legal_entity, period) > (booked.legal_entity, booked.period)
        ORDER BY legal_entity, period LIMIT 1
    ) AS following
)
SELECT legal_entity, period FROM booked
UNION SELECT legal_entity, month FROM period_mark WHERE partition = -1
"""
_COUNT: LiteralString = """
SELECT count(*) FROM (
    SELECT FROM journal_entry WHERE legal_entity = %s AND period = %s LIMIT %s
)
"""


class MonthKey(NamedTuple):
    """A month of a legal entity's books; the order of a list, whose last is the newest."""

    month: str
    legal_entity: str


class MonthRow(NamedTuple):
    """A month as lists show it: its record, and how many entries stand in it (see ENTRIES_MAX)."""

    key: MonthKey
    record: AccountingPeriod
    entries: int


def month_keys(connection: Connection[Any], is_seen: Callable[[str], bool]) -> list[MonthKey]:
    """Return the months in which anything stands or that were ever closed, the newest first.

    Of those legal entities that *is_seen* says.
    """
    rows = connection.execute(_MONTHS).fetchall()
    return sorted(
        (MonthKey(month, entity) for entity, month in rows if is_seen(entity)), reverse=True
    )


def month_rows(
    connection: Connection[Any], periods: AccountingPeriods, keys: Sequence[MonthKey]
) -> list[MonthRow]:
    """Return what lists show of some months."""
    return [
        MonthRow(key, periods.find(key.legal_entity, key.month), entries_of(connection, key))
        for key in keys
    ]


def entries_of(connection: Connection[Any], key: MonthKey) -> int:
    """Return how many entries stand in a month; one more than ENTRIES_MAX: more than that."""
    asked = (key.legal_entity, key.month, ENTRIES_MAX + 1)
    [(count,)] = connection.execute(_COUNT, asked).fetchall()
    return int(count)
