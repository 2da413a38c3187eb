"""The trial balance from what was summed as it was booked: its cost hangs on hours and accounts.

Each entry adds to the sums of its hour in its own transaction (`booked_hour`), as further rows:
two who book at once never wait for each other. `put_together` makes one row of those of a key; a
reader sees them before or after, and the same sum. Where a day of a legal entity begins within an
hour (in Nepal), the entries of that hour themselves are asked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final, LiteralString

from psycopg import Connection

from projections.balances.trial import ALL_DAYS, AccountBalance, TrialBalance
from projections.journal.days import BookDays

ADDED_MAX: Final = 1_000
"""So many added rows may lie apart before they are put together."""
_LOCK: Final = 0x626F6F6B_686F7572
_IN_DAYS: LiteralString = """
WITH told AS (
    SELECT legal_entity, begins::timestamptz AS begins, ends::timestamptz AS ends
    FROM unnest(%(entities)s::text[], %(begins)s::text[], %(ends)s::text[])
        AS calendar (legal_entity, begins, ends)
)
"""
_HOURS: LiteralString = (
    _IN_DAYS
    + """
SELECT currency, account, sum(debit_minor), sum(credit_minor)
FROM booked_hour LEFT JOIN told USING (legal_entity)
WHERE (%(legal_entity)s::text IS NULL OR legal_entity = %(legal_entity)s)
  AND (%(period)s::text IS NULL OR period = %(period)s)
  AND hour >= coalesce(begins, %(begin)s::timestamptz)
  AND hour < coalesce(ends, %(end)s::timestamptz)
  AND hour <> ALL (%(edges)s::timestamptz[])
GROUP BY currency, account
"""
)
_EDGE: LiteralString = (
    _IN_DAYS
    + """
SELECT currency, account, coalesce(sum(amount_minor) FILTER (WHERE amount_minor > 0), 0),
       coalesce(-sum(amount_minor) FILTER (WHERE amount_minor < 0), 0)
FROM journal_entry LEFT JOIN told USING (legal_entity)
CROSS JOIN unnest(accounts, currencies, amounts) AS leg (account, currency, amount_minor)
WHERE (%(legal_entity)s::text IS NULL OR legal_entity = %(legal_entity)s)
  AND (%(period)s::text IS NULL OR period = %(period)s)
  AND booked_at >= %(edge)s AND booked_at < %(edge)s + interval '1 hour'
  AND booked_at >= coalesce(begins, %(begin)s::timestamptz)
  AND booked_at < coalesce(ends, %(end)s::timestamptz)
GROUP BY currency, account
"""
)
_MONTHS: LiteralString = """
SELECT currency, account, sum(debit_minor), sum(credit_minor) FROM booked_hour
WHERE (%(legal_entity)s::text IS NULL OR legal_entity = %(legal_entity)s) AND period <= %(month)s
GROUP BY currency, account
"""
_ADDED: LiteralString = "SELECT count(*) FROM (SELECT FROM booked_hour WHERE NOT is_whole LIMIT %s)"
_PUT_TOGETHER: LiteralString = """
WITH gone AS (
    DELETE FROM booked_hour WHERE hour IN (SELECT hour FROM booked_hour WHERE NOT is_whole)
    RETURNING *
)
INSERT INTO booked_hour
SELECT legal_entity, hour, period, currency, account, sum(debit_minor), sum(credit_minor), true
FROM gone GROUP BY legal_entity, hour, period, currency, account
"""


def kept_trial_balance(connection: Connection[Any], days: BookDays = ALL_DAYS) -> TrialBalance:
    """Return what `trial_balance` returns, from the sums that were kept up."""
    asked = days.asked()
    edges = sorted(set(_edges(asked)))
    queries = [(_HOURS, asked | {"edges": edges}), *((_EDGE, asked | {"edge": e}) for e in edges)]
    return _balance(
        row for query, parameters in queries for row in connection.execute(query, parameters)
    )


def kept_month_balance(
    connection: Connection[Any], month: str, *, legal_entity: str | None = None
) -> TrialBalance:
    """Return the trial balance at the end of *month*: of all that stands in books up to its own."""
    asked = {"legal_entity": legal_entity, "month": month}
    return _balance(connection.execute(_MONTHS, asked))


def _balance(rows: Iterable[tuple[str, str, int, int]]) -> TrialBalance:
    sums: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for currency, account, debit, credit in rows:
        sums[currency, account][0] += int(debit)
        sums[currency, account][1] += int(credit)
    return TrialBalance(
        accounts=tuple(
            AccountBalance(
                account=account, currency=currency, debit_minor=debit, credit_minor=credit
            )
            for (currency, account), (debit, credit) in sorted(sums.items())
        )
    )


def _edges(asked: Mapping[str, Any]) -> Iterator[datetime]:
    """Yield the hours within which a day that is asked for begins or ends."""
    for bound in (asked["begin"], asked["end"], *asked["begins"], *asked["ends"]):
        if "infinity" in bound:
            continue
        try:
            moment = datetime.fromisoformat(bound).astimezone(UTC)
        except OverflowError:  # of the first day there is: nothing was booked by then
            continue
        hour = moment.replace(minute=0, second=0, microsecond=0)
        if hour != moment:
            yield hour


def put_together(connection: Connection[Any], *, added_max: int = ADDED_MAX) -> bool:
    """Put added rows together where there are *added_max*; say whether that was done.

    In a transaction of its own. Where somebody else is at it, it is left to him.
    """
    with connection.transaction():
        [(count,)] = connection.execute(_ADDED, (added_max,)).fetchall()
        if count < added_max:
            return False
        [(is_ours,)] = connection.execute(
            "SELECT pg_try_advisory_xact_lock(%s)", (_LOCK,)
        ).fetchall()
        if is_ours:
            connection.execute(_PUT_TOGETHER)
        return bool(is_ours)
