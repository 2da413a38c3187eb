"""What a customer has paid in advance, owes and will owe: now, or as it stood at a moment.

    prepaid      the journal's postings to its account of prepayments, booked by then
    open         what is open of its invoices now, less all that moved it since
    not invoiced what was rated and waits for its invoice; of now alone

What an account moved by is kept by the day: a moment costs the days since, not the documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString, NamedTuple

from psycopg import Connection

from ledger.books.accounts import PREPAYMENTS, RECEIVABLE
from projections.customers.account_sums import AccountMoves, moved_since, moved_until

_OPEN: LiteralString = """
SELECT customer, legal_entity, currency, sum(open_minor)::bigint FROM open_invoice
WHERE customer = ANY (%(customers)s) GROUP BY 1, 2, 3
"""
# On a partner's account a partner stands, whose documents are a customer's; they are few.
_PARTNERS_MOVED: LiteralString = """
SELECT customer, legal_entity, currency, sum(minor)::bigint FROM (
    SELECT issued.customer, issued.legal_entity, leg.currency, leg.minor
    FROM journal_entry
    CROSS JOIN unnest(accounts, currencies, amounts) AS leg (account, currency, minor)
    JOIN issued_invoice AS issued ON number = split_part(entry_id, ':', 2)
    WHERE accounts @> ARRAY['receivable:partner:invoiced'] AND booked_at >= %(until)s
      AND account = 'receivable:partner:invoiced'
      AND split_part(entry_id, ':', 1) IN ('invoice', 'credit', 'settled')
    UNION ALL
    SELECT issued.customer, issued.legal_entity, movement.currency, -minor
    FROM journal_entry JOIN issued_invoice AS issued ON issued.number = split_part(entry_id, ':', 2)
    JOIN allotment ON document = issued.number AND document <> ''
    JOIN movement ON movement.number = allotment.number
    WHERE accounts @> ARRAY['receivable:partner:invoiced'] AND entry_id LIKE 'invoice:%%'
      AND account = 'receivable:partner:invoiced' AND happened_at >= %(until)s
) AS moved WHERE customer = ANY (%(customers)s) GROUP BY 1, 2, 3
"""
_TO_INVOICE: LiteralString = """
SELECT customer, legal_entity, currency, sum(gross_minor)::bigint FROM uninvoiced_session
WHERE customer = ANY (%(customers)s) GROUP BY 1, 2, 3
"""


class CustomerBalance(NamedTuple):
    """How a legal entity and a customer stand, in minor units of a currency.

    `prepaid_minor` is owed to the customer, `open_minor` by it. `to_invoice_minor` is 0 as of a
    moment that is past: nobody keeps what waited then.
    """

    customer: str
    legal_entity: str
    currency: str
    prepaid_minor: int = 0
    open_minor: int = 0
    to_invoice_minor: int = 0


def customer_balances(
    connection: Connection[Any],
    customers: Sequence[str],
    *,
    legal_entities: Sequence[str] | None = None,
    until: datetime | None = None,
) -> list[CustomerBalance]:
    """Return how *customers* (subject ids) stand with each legal entity, in each currency.

    Args:
        connection: To the books.
        customers: Whose; each costs what there is of it.
        legal_entities: With these alone; None: with all.
        until: As it stood then; None: now.
    """
    asked = {"customers": list(customers), "until": until}
    found: dict[tuple[str, str, str], CustomerBalance] = {}

    def add(query: LiteralString, column: str, sign: int = 1) -> None:
        for customer, legal_entity, currency, minor in connection.execute(query, asked):
            key = (customer, legal_entity, currency)
            known = found.get(key) or CustomerBalance(*key)
            found[key] = known._replace(**{column: getattr(known, column) + sign * minor})

    def take(moved: AccountMoves, column: str, sign: int) -> None:
        for key, minor in moved.items():
            known = found.get(key) or CustomerBalance(*key)
            found[key] = known._replace(**{column: getattr(known, column) + sign * minor})

    take(moved_until(connection, customers, PREPAYMENTS, until), "prepaid_minor", -1)
    add(_OPEN, "open_minor")
    if until is None:
        add(_TO_INVOICE, "to_invoice_minor")
    else:
        take(moved_since(connection, customers, RECEIVABLE, until), "open_minor", -1)
        add(_PARTNERS_MOVED, "open_minor", -1)
    return [
        each
        for key, each in sorted(found.items())
        if (legal_entities is None or each.legal_entity in legal_entities) and any(each[3:])
    ]
