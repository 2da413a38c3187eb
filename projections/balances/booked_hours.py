"""The trial balance from what was summed as it was booked: its cost hangs on hours and accounts.

Each entry adds to the sums of its hour in its own transaction (`booked_hour`), as further rows:
two who book at once never wait for each other. `put_together` makes one row of those of a key; a
reader sees them before or after, and the same sum. Where a day of a legal entity begins within an
hour (in Nepal), the entries of that hour themselves are asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, LiteralString

from psycopg import Connection
from psycopg.rows import class_row

from projections.balances.trial import ALL_DAYS, AccountBalance, TrialBalance
from projections.journal.days import BookDays

ADDED_MAX: Final = 1_000
"""So many added rows may lie apart before they are put together."""
_LOCK: Final = 0x626F6F6B_686F7572
_SUMS: LiteralString = """
WITH calendar AS (
    SELECT * FROM unnest(%(entities)s::text[], %(begins)s::text[], %(ends)s::text[])
        AS calendar (legal_entity, begins, ends)
), told AS (
    SELECT legal_entity, begins::timestamptz AS begins, ends::timestamptz AS ends FROM calendar
), edge AS (
    SELECT DISTINCT date_trunc('hour', moment, 'UTC') AS hour
    FROM (
        SELECT begins FROM told UNION ALL SELECT ends FROM told
        UNION ALL SELECT %(begin)s::timestamptz UNION ALL SELECT %(end)s::timestamptz
    ) AS bound (moment)
    WHERE isfinite(moment) AND moment <> date_trunc('hour', moment, 'UTC')
), leg AS (
    SELECT currency, account, debit_minor, credit_minor
    FROM booked_hour LEFT JOIN told USING (legal_entity)
    WHERE (%(legal_entity)s::text IS NULL OR legal_entity = %(legal_entity)s)
      AND hour >= coalesce(begins, %(begin)s::timestamptz)
      AND hour < coalesce(ends, %(end)s::timestamptz)
      AND hour NOT IN (SELECT hour FROM edge)
    UNION ALL
    SELECT currency, account, greatest(amount_minor, 0), greatest(-amount_minor, 0)
    FROM edge
    JOIN journal_entry ON booked_at >= edge.hour AND booked_at < edge.hour + interval '1 hour'
    LEFT JOIN told USING (legal_entity)
    CROSS JOIN unnest(accounts, currencies, amounts) AS leg (account, currency, amount_minor)
    WHERE (%(legal_entity)s::text IS NULL OR legal_entity = %(legal_entity)s)
      AND booked_at >= coalesce(begins, %(begin)s::timestamptz)
      AND booked_at < coalesce(ends, %(end)s::timestamptz)
)
SELECT account, currency, sum(debit_minor) AS debit_minor, sum(credit_minor) AS credit_minor
FROM leg GROUP BY account, currency ORDER BY currency, account
"""
_ADDED: LiteralString = "SELECT count(*) FROM (SELECT FROM booked_hour WHERE NOT is_whole LIMIT %s)"
_PUT_TOGETHER: LiteralString = """
WITH gone AS (
    DELETE FROM booked_hour WHERE hour IN (SELECT hour FROM booked_hour WHERE NOT is_whole)
    RETURNING *
)
INSERT INTO booked_hour
SELECT legal_entity, hour, currency, account, sum(debit_minor), sum(credit_minor), true
FROM gone GROUP BY legal_entity, hour, currency, account
"""


def kept_trial_balance(connection: Connection[Any], days: BookDays = ALL_DAYS) -> TrialBalance:
    """Return what `trial_balance` returns, from the sums that were kept up."""
    with connection.cursor(row_factory=class_row(AccountBalance)) as cursor:
        accounts: Sequence[AccountBalance] = cursor.execute(_SUMS, days.asked()).fetchall()
    return TrialBalance(accounts=tuple(accounts))


def put_together(connection: Connection[Any]) -> bool:
    """Put added rows together where there are many; say whether that was done.

    In a transaction of its own. Where somebody else is at it, it is left to him.
    """
    with connection.transaction():
        [(count,)] = connection.execute(_ADDED, (ADDED_MAX,)).fetchall()
        if count < ADDED_MAX:
            return False
        [(is_ours,)] = connection.execute(
            "SELECT pg_try_advisory_xact_lock(%s)", (_LOCK,)
        ).fetchall()
        if is_ours:
            connection.execute(_PUT_TOGETHER)
        return bool(is_ours)
