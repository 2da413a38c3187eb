"""The trial balance of all months up to one: what stands in their books, whenever decided."""

from __future__ import annotations

from typing import Any, LiteralString

import msgspec
from psycopg import Connection
from psycopg.rows import class_row

from projections.balances.trial import AccountBalance, TrialBalance
from tariffs.model.canonical import canonical_json

_SUMS: LiteralString = """
SELECT account, currency,
       sum(amount_minor) FILTER (WHERE amount_minor > 0) AS debit_minor,
       -sum(amount_minor) FILTER (WHERE amount_minor < 0) AS credit_minor
FROM journal_entry, unnest(accounts, currencies, amounts) AS leg (account, currency, amount_minor)
WHERE (%(legal_entity)s::text IS NULL OR legal_entity = %(legal_entity)s) AND period <= %(month)s
GROUP BY account, currency ORDER BY currency COLLATE "C", account COLLATE "C"
"""


def month_balance(
    connection: Connection[Any], month: str, *, legal_entity: str | None = None
) -> TrialBalance:
    """Return the trial balance at the end of *month*, of one legal entity or of all."""
    asked = {"legal_entity": legal_entity, "month": month}
    with connection.cursor(row_factory=class_row(AccountBalance)) as cursor:
        return TrialBalance(accounts=tuple(cursor.execute(_SUMS, asked).fetchall()))


def balance_bytes(balance: TrialBalance) -> bytes:
    """Return *balance* as it is kept of a closed month."""
    return canonical_json(balance.accounts)


def read_balance(kept: str) -> TrialBalance:
    """Return the trial balance that `balance_bytes` wrote."""
    accounts = msgspec.json.decode(kept, type=tuple[AccountBalance, ...])
    return TrialBalance(accounts=accounts)


def moved_minor(one: TrialBalance, other: TrialBalance) -> int:
    """Return by how much two trial balances differ: all debits and credits, in minor units."""
    was, now = (
        {
            (each.account, each.currency, side): amount
            for each in balance.accounts
            for side, amount in (("debit", each.debit_minor), ("credit", each.credit_minor))
        }
        for balance in (one, other)
    )
    return sum(abs(was.get(key, 0) - now.get(key, 0)) for key in was.keys() | now.keys())
