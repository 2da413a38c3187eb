"""A full recount: energy from the facts, accounts from the postings, beside what is kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any, Final, LiteralString, NamedTuple

import msgspec
from psycopg import Connection

from ledger.declared.store import load_declarations
from projections.balances.energy import EnergyBalance, EnergyDay, energy_balance
from projections.balances.trial import AccountBalance
from projections.energy.keeper import EnergyKeeper
from projections.energy.kept_balance import DayDifference, differences, kept_balance

_ALL: Final = 2**31
_STATIONS: LiteralString = """
SELECT station_id FROM energy_station WHERE %(station)s::text IS NULL OR station_id = %(station)s
UNION
SELECT station_id FROM fact WHERE %(station)s::text IS NULL OR station_id = %(station)s
ORDER BY station_id
"""


_SPANS: LiteralString = """
WITH whole AS (SELECT unnest(ARRAY['hour', 'day', 'month']) AS span), kept AS (
    SELECT whole.span, date_trunc(whole.span, begins, 'UTC') AS begins, legal_entity, period,
           currency, account, sum(debit_minor) AS debit, sum(credit_minor) AS credit
    FROM whole JOIN booked_sum AS added ON added.span IN (whole.span, 'added')
    GROUP BY 1, 2, 3, 4, 5, 6
), of_hour AS (
    SELECT date_trunc('hour', booked_at, 'UTC') AS hour, legal_entity, period, currency, account,
           sum(greatest(amount_minor, 0)) AS debit, sum(greatest(-amount_minor, 0)) AS credit
    FROM journal_entry
    CROSS JOIN unnest(accounts, currencies, amounts) AS leg (account, currency, amount_minor)
    GROUP BY 1, 2, 3, 4, 5
), counted AS (
    SELECT span, date_trunc(span, hour, 'UTC') AS begins, legal_entity, period, currency, account,
           sum(debit) AS debit, sum(credit) AS credit
    FROM whole CROSS JOIN of_hour GROUP BY 1, 2, 3, 4, 5, 6
)
SELECT span, begins, legal_entity, period, account, currency, kept.debit, kept.credit,
       counted.debit, counted.credit
FROM kept FULL JOIN counted USING (span, begins, legal_entity, period, account, currency)
WHERE (kept.debit, kept.credit) IS DISTINCT FROM (counted.debit, counted.credit)
ORDER BY span, begins, legal_entity, period, currency, account
"""
"""Of every hour, day and month there is: the balance of some days is read from all three."""
_CUSTOMERS: LiteralString = """
WITH counted AS (
    SELECT span, date_trunc(span, booked_at, 'UTC') AS begins, legal_entity, currency, account,
           party AS customer, sum(amount_minor) AS amount_minor
    FROM journal_entry
    CROSS JOIN unnest(accounts, parties, currencies, amounts)
        WITH ORDINALITY AS leg (account, party, currency, amount_minor, place)
    CROSS JOIN unnest(ARRAY['hour', 'day']) AS span
    WHERE party <> '' AND (account = 'receivable:invoiced'
                           OR (account = 'prepayments' AND place = 1))
    GROUP BY 1, 2, 3, 4, 5, 6
)
SELECT span, begins, legal_entity, '', account || ' of ' || customer, currency,
       kept.amount_minor, 0, counted.amount_minor, 0
FROM customer_sum AS kept
FULL JOIN counted USING (customer, span, begins, legal_entity, currency, account)
WHERE kept.amount_minor IS DISTINCT FROM counted.amount_minor
ORDER BY span, begins, legal_entity, customer, currency, account
"""
"""What customers' accounts moved by, of which their balances as of a day are made."""


class AccountDifference(NamedTuple):
    """A sum of an account that was not kept as it was posted; None: it has none.

    Of the "hour", "day" or "month" (of UTC) that began then, in the books of a period; "" of a
    customer's account, which is kept whatever the period.
    """

    span: str
    begins: datetime
    legal_entity: str
    period: str
    kept: AccountBalance | None
    counted: AccountBalance | None


class Recount(msgspec.Struct, frozen=True, kw_only=True):
    """What a recount found. `left_out` are stations of which something came meanwhile."""

    stations: int
    days: tuple[DayDifference, ...]
    accounts: tuple[AccountDifference, ...]
    left_out: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Whether all of it is kept as it is counted."""
        return not self.days and not self.accounts


def recounted_books(
    connection: Connection[Any],
    station_id: str | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Recount:
    """Count every station, or one, and the whole journal anew, and compare with what is kept.

    Each station in a snapshot of its own, after what came of it was taken in.
    """
    keeper = EnergyKeeper(connection)
    known = load_declarations(connection)
    rows = connection.execute(_STATIONS, {"station": station_id}).fetchall()
    found: list[DayDifference] = []
    left_out: list[str] = []
    for number, (station,) in enumerate(rows):
        if progress is not None:
            progress(number, len(rows))
        keeper.take_in(station)
        with connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            if keeper.has_news(station):
                left_out.append(station)
                continue
            kept = kept_balance(connection, station_id=station, limit=_ALL)
            # With an end, the same days are added up by their months.
            of_months = kept_balance(connection, station_id=station, last_day=date.max, limit=0)
            counted = energy_balance(connection, station_id=station, known=known)
            found += differences(kept, counted) or (
                _total_difference(station, kept.total, counted)
                or _total_difference(station, of_months.total, counted)
            )
    accounts = tuple(
        _account_difference(row)
        for query in (_SPANS, _CUSTOMERS)
        for row in connection.execute(query)
    )
    return Recount(
        stations=len(rows), days=tuple(found), accounts=accounts, left_out=tuple(left_out)
    )


def _total_difference(
    station_id: str, kept: EnergyDay, counted: EnergyBalance
) -> list[DayDifference]:
    """Return whether the sum over all days was kept as another one than the days come to."""
    if kept == counted.total:
        return []
    return [DayDifference(station_id, None, kept, counted.total)]


def _account_difference(row: tuple[Any, ...]) -> AccountDifference:
    span, begins, entity, period, account, currency, *sums = row
    kept, counted = (
        None
        if some[0] is None
        else AccountBalance(
            account=account, currency=currency, debit_minor=some[0], credit_minor=some[1]
        )
        for some in (sums[:2], sums[2:])
    )
    return AccountDifference(span, begins, entity, period, kept, counted)
