"""Which invoices are open, kept up beside the books: `open_invoice` has a row for each, no others.

By the books and nothing else: whoever changes how an invoice stands (who books it or a note over
it, who records a movement) has its row made again from them, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final, LiteralString

from psycopg import Connection

STANDING: Final[LiteralString] = """
SELECT invoice.number, invoice.legal_entity, invoice.customer, invoice.currency,
    invoice.issued_on, invoice.due_on, invoice.due_minor, entry.party, entry.account,
    coalesce((SELECT sum(note.due_minor) FROM issued_invoice AS note
              WHERE note.credits = invoice.number), 0)::bigint AS credited_minor,
    coalesce((SELECT sum(amounts[1]) FROM journal_entry WHERE entry_id IN (
        SELECT 'settled:' || invoice.number
        UNION ALL SELECT 'settled:' || note.number FROM issued_invoice AS note
        WHERE note.credits = invoice.number)), 0)::bigint AS settled_minor,
    coalesce((SELECT sum(minor) FROM allotment
              WHERE document = invoice.number AND document <> ''
              AND account IN ('receivable:invoiced', 'receivable:partner:invoiced')
              ), 0)::bigint AS paid_minor
FROM issued_invoice AS invoice
LEFT JOIN LATERAL (
    SELECT accounts[place] AS account, parties[place] AS party
    FROM journal_entry, generate_subscripts(accounts, 1) AS place
    WHERE entry_id = 'invoice:' || invoice.number AND accounts[place] IN
        ('receivable:invoiced', 'receivable:partner:invoiced')
    ORDER BY place LIMIT 1
) AS entry ON true
WHERE invoice.number = ANY (%(numbers)s) AND invoice.credits IS NULL
"""
"""How invoices stand; see `ledger.payments.open_items.OpenItem`."""
_MADE: Final[LiteralString] = """
), made AS (
    SELECT number, legal_entity, customer, coalesce(party, '') AS party,
        coalesce(account, 'receivable:invoiced') AS account, currency, issued_on,
        coalesce(due_on, issued_on) AS due_on,
        due_minor - credited_minor - settled_minor - paid_minor AS open_minor
    FROM standing
), closed AS (
    DELETE FROM open_invoice USING made
    WHERE open_invoice.number = made.number AND made.open_minor = 0
)
INSERT INTO open_invoice AS open (number, legal_entity, customer, party, account, currency,
    issued_on, due_on, open_minor)
SELECT * FROM made WHERE open_minor <> 0
ON CONFLICT (number) DO UPDATE SET open_minor = excluded.open_minor
WHERE open.open_minor <> excluded.open_minor
"""
_KEEP: LiteralString = "WITH standing AS (" + STANDING + _MADE


def keep_open_invoices(connection: Connection[Any], numbers: Collection[str]) -> None:
    """Make the rows of the invoices *numbers* again, within the transaction that changed them.

    What is no invoice is left out.
    """
    if numbers:
        connection.execute(_KEEP, {"numbers": sorted(numbers)})
