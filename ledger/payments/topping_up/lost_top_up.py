"""Money of a balance that a payer's bank took back for good: what it is taken from.

    balance 30.00, a top-up of 50.00 is lost, invoices of 20.00 were settled from it
    -> 30.00 off the balance, which is 0 then and never below
    -> 20.00 are owed again: of the invoices that were settled last, each open anew by what was

That is what was bought with the money that is gone: who pays, or is asked to, sees which invoices.
What not even those explain (it was paid out by hand) is for a person, `cash:unmatched`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, LiteralString

from psycopg import Connection

from ledger.books.accounts import RECEIVABLE
from ledger.books.prepayments import (
    PrepaidAccount,
    Prepayment,
    owed_again,
    record_prepayment,
    standings,
)
from ledger.payments.movement import CLEARING, UNMATCHED, Allotment, MoneyMovement
from ledger.payments.open_items import open_items
from ledger.payments.requests import RequestKind, find_request
from ledger.payments.taking import Taking

AT_ONCE: Final = 100
# What was settled from an account, the newest first: of `settled:NUMBER` the number.
_SETTLED: LiteralString = """
SELECT substr(entry_id, 9) FROM journal_entry
WHERE accounts[1] = 'prepayments' AND parties[1] = %s AND legal_entity = %s
    AND currencies[1] = %s AND amounts[1] > 0 AND entry_id LIKE 'settled:%%'
ORDER BY booked_at DESC, entry_id DESC LIMIT %s OFFSET %s
"""


def take_from_balance(
    taking: Taking, received: MoneyMovement, minor: int, dispute_id: str
) -> Sequence[Allotment]:
    """Take *minor* units of *received*, a top-up, off its balance; return what that is allotted to.

    Within the caller's transaction, under the books' lock. The allotments come to less than 0 by
    *minor*.
    """
    request = find_request(taking.connection, received.about) if received.about else None
    if request is None or request.kind is not RequestKind.TOP_UP:
        return [Allotment(UNMATCHED, -minor)]
    account = PrepaidAccount(request.subject, received.legal_entity, received.currency)
    [standing] = standings(taking.connection, [account])
    from_balance = min(max(standing.balance_minor, 0), minor)
    if from_balance:
        lost = Prepayment(
            legal_entity=account.legal_entity,
            reference=f"{taking.provider}/{dispute_id}",
            customer=account.customer,
            currency=account.currency,
            amount_minor=-from_balance,
            received_at=taking.now,
            recorded_by="disputes",
        )
        record_prepayment(taking.connection, lost, taking.calendar(account.legal_entity))
    found = [Allotment(CLEARING, -from_balance)]
    left = minor - from_balance
    for each in _owed_again(taking.connection, account, left):
        found.append(each)
        left += each.minor
    found.append(Allotment(UNMATCHED, -left))
    return [each for each in found if each.minor]


def _owed_again(
    connection: Connection[Any], account: PrepaidAccount, left: int
) -> Iterator[Allotment]:
    """Yield the invoices that are open anew, until that comes to *left*."""
    offset = 0
    while left > 0:
        rows = connection.execute(_SETTLED, (*account, AT_ONCE, offset)).fetchall()
        numbers = [number for (number,) in rows]
        settled = {each.number: each.settled_minor for each in open_items(connection, numbers)}
        again = owed_again(connection, numbers)
        for number in numbers:
            # No more than was settled, less what is open again of that by now.
            most = settled.get(number, 0) - again.get(number, 0)
            part = min(most, left)
            if part > 0:
                yield Allotment(RECEIVABLE, -part, account.customer, number)
                left -= part
        if len(rows) < AT_ONCE:
            return
        offset += AT_ONCE
