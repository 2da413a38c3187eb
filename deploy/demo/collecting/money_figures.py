"""What the demo collected, what went wrong, and whether provider, bank and books agree."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final, LiteralString

import msgspec
from psycopg import Connection

from ledger.payments.movement import CLEARING, STRIPE, UNMATCHED, MoneyKind, cash_account
from tariffs.quantities import money_of_minor

CURRENCY: Final = "EUR"
"""Of the account with the provider."""
_KINDS: LiteralString = """
SELECT kind, count(*), coalesce(sum(amount_minor), 0)::bigint
FROM movement WHERE source = %s AND currency = %s GROUP BY kind
"""
_DECLINED: LiteralString = """
SELECT count(*) FROM provider_request JOIN provider_request_state USING (key)
WHERE kind = 'collect' AND state = 'failed'
"""
_PAYOUTS: LiteralString = """
SELECT count(*), coalesce(sum(abs(difference_minor)), 0)::bigint FROM payout WHERE provider = %s
"""
_FEES: LiteralString = """
SELECT coalesce(-sum(minor), 0)::bigint FROM allotment WHERE account = 'fees:' || %s
"""
_BANKED: LiteralString = "SELECT count(*) FROM movement WHERE kind = 'banked'"
_LEFT: LiteralString = """
SELECT coalesce(sum(abs(balance)), 0)::bigint FROM (
    SELECT sum(amounts[place]) AS balance
    FROM journal_entry, generate_subscripts(accounts, 1) AS place
    WHERE accounts[place] = ANY (%s) GROUP BY accounts[place], currencies[place]
) AS of_currencies
"""
_OPEN: LiteralString = "SELECT count(*) FROM open_invoice WHERE open_minor <> 0"


class CollectedMoney(msgspec.Struct, frozen=True, kw_only=True):
    """Counts, exact sums in EUR, and what is nowhere yet, in minor units.

    `payout_difference_minor`: what payouts differ from their lines, what the provider's account
    still holds in our books after all was paid out, and what is on its way to no bank.
    `unmatched`: what stands on bank statements and nobody knows, in minor units.
    """

    collected: int
    collected_total: Decimal
    declined: int
    refunded: int
    disputed: int
    payouts: int
    fees: Decimal
    bank_lines: int
    payout_difference_minor: int
    unmatched: int
    open_invoices: int


def find_money(connection: Connection[Any]) -> CollectedMoney:
    """Return what became of the month's invoices."""
    rows = connection.execute(_KINDS, (STRIPE, CURRENCY)).fetchall()
    count = {kind: number for kind, number, _ in rows}
    total = {kind: minor for kind, _, minor in rows}
    [(payouts, difference)] = connection.execute(_PAYOUTS, (STRIPE,)).fetchall()
    left = _one(connection, _LEFT, [cash_account(STRIPE), CLEARING])
    fees = money_of_minor(_one(connection, _FEES, STRIPE), CURRENCY)
    received = money_of_minor(total.get(MoneyKind.RECEIVED, 0), CURRENCY)
    return CollectedMoney(
        collected=count.get(MoneyKind.RECEIVED, 0),
        collected_total=received.amount,
        declined=_one(connection, _DECLINED),
        refunded=count.get(MoneyKind.REFUNDED, 0),
        disputed=count.get(MoneyKind.DISPUTED, 0),
        payouts=payouts,
        fees=fees.amount,
        bank_lines=_one(connection, _BANKED),
        payout_difference_minor=difference + left,
        unmatched=_one(connection, _LEFT, [UNMATCHED]),
        open_invoices=_one(connection, _OPEN),
    )


def money_problems(money: CollectedMoney) -> Iterator[tuple[str, bool]]:
    """Yield a sentence for each thing that must be so, and whether it is."""
    yield "no invoice was collected", money.collected > 0
    yield (
        f"payouts and what is under way differ by {money.payout_difference_minor} minor units",
        money.payouts > 0 == money.payout_difference_minor,
    )
    yield f"{money.unmatched} minor units on bank statements are unmatched", money.unmatched == 0
    yield f"{money.open_invoices} invoices are not paid, or paid too much", not money.open_invoices


def _one(connection: Connection[Any], query: LiteralString, *asked: object) -> int:
    [(found,)] = connection.execute(query, asked).fetchall()
    return int(found)
