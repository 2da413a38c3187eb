"""What a customer has paid in advance, owes and will owe: now, or as it stood at a moment.

    prepaid      the journal's postings to its account of prepayments, booked by then
    open         what is open of its invoices now, less all that moved it since
    not invoiced what was rated and waits for its invoice; of now alone

Taken back from now, a moment costs what happened to this customer since, and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

_PREPAID: LiteralString = """
SELECT parties[1], legal_entity, currencies[1], -sum(amounts[1])::bigint
FROM journal_entry WHERE accounts[1] = 'prepayments' AND parties[1] = ANY (%(customers)s)
  AND booked_at < %(until)s
GROUP BY 1, 2, 3
"""
_OPEN: LiteralString = """
SELECT customer, legal_entity, currency, sum(open_minor)::bigint FROM open_invoice
WHERE customer = ANY (%(customers)s) GROUP BY 1, 2, 3
"""
_MOVED_SINCE: LiteralString = """
SELECT customer, legal_entity, currency, sum(minor)::bigint FROM (
    SELECT issued.customer, issued.legal_entity, leg.currency, leg.minor
    FROM issued_invoice AS issued
    JOIN journal_entry ON entry_id IN (
        'invoice:' || issued.number, 'credit:' || issued.number, 'settled:' || issued.number)
    CROSS JOIN unnest(accounts, currencies, amounts) AS leg (account, currency, minor)
    WHERE issued.customer = ANY (%(customers)s) AND issued_at >= %(until)s
      AND account IN ('receivable:invoiced', 'receivable:partner:invoiced')
    UNION ALL
    SELECT issued.customer, issued.legal_entity, movement.currency, -minor
    FROM issued_invoice AS issued
    JOIN allotment ON document = issued.number AND document <> ''
    JOIN movement ON movement.number = allotment.number
    WHERE issued.customer = ANY (%(customers)s) AND happened_at >= %(until)s
      AND account IN ('receivable:invoiced', 'receivable:partner:invoiced')
) AS moved GROUP BY 1, 2, 3
"""
_TO_INVOICE: LiteralString = """
SELECT customer, legal_entity, currency, sum(gross_minor)::bigint FROM uninvoiced_session
WHERE customer = ANY (%(customers)s) GROUP BY 1, 2, 3
"""
_EVER: Final = "infinity"


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
    asked = {"customers": list(customers), "until": until or _EVER}
    found: dict[tuple[str, str, str], CustomerBalance] = {}

    def add(query: LiteralString, column: str, sign: int = 1) -> None:
        for customer, legal_entity, currency, minor in connection.execute(query, asked):
            key = (customer, legal_entity, currency)
            known = found.get(key) or CustomerBalance(*key)
            found[key] = known._replace(**{column: getattr(known, column) + sign * minor})

    add(_PREPAID, "prepaid_minor")
    add(_OPEN, "open_minor")
    if until is None:
        add(_TO_INVOICE, "to_invoice_minor")
    else:
        add(_MOVED_SINCE, "open_minor", -1)
    return [
        each
        for key, each in sorted(found.items())
        if (legal_entities is None or each.legal_entity in legal_entities) and any(each[3:])
    ]
