"""What is open: of each invoice and each settlement with a partner what is still to be paid.

As it stands now from the kept rows of open invoices; as it stood at the end of a day from the
postings of whatever is open now or was moved since. Either way the sum of an account's documents is
that account's balance in the books.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final, LiteralString, NamedTuple

import msgspec
from psycopg import Connection
from psycopg.rows import class_row

_COLUMNS: LiteralString = """
SELECT standing.number, standing.legal_entity, standing.currency, standing.account, standing.party,
    standing.issued_on, standing.due_on, standing.open_minor, standing.customer AS subject,
    coalesce(subject.name, standing.customer) AS customer
FROM standing LEFT JOIN subject ON subject.subject = standing.customer
WHERE open_minor <> 0 AND (%(customer)s::text IS NULL OR standing.customer = %(customer)s)
  AND (%(legal_entity)s::text IS NULL OR standing.legal_entity = %(legal_entity)s)
"""
_PAGE: LiteralString = """
AND (%(after)s::text IS NULL OR standing.number > %(after)s)
ORDER BY standing.number LIMIT %(limit)s
"""
# What of a settlement's documents moves what is owed between a partner and us.
_SETTLED: LiteralString = """
settled AS (
    SELECT number, legal_entity, NULL::text AS customer, party, account, currency,
        (agreed_at AT TIME ZONE 'UTC')::date AS issued_on, NULL::date AS due_on,
        sum(minor)::bigint AS open_minor
    FROM partner_settlement AS agreed CROSS JOIN LATERAL (
        SELECT leg.account, leg.minor
        FROM journal_entry CROSS JOIN unnest(accounts, amounts) AS leg (account, minor)
        WHERE entry_id IN ('settlement:' || agreed.number, 'settlement_received:' || agreed.number,
            'settlement_netted:' || agreed.number) AND booked_at < %(until)s
        UNION ALL
        SELECT account, -minor FROM allotment JOIN movement USING (number)
        WHERE document = agreed.number AND document <> '' AND happened_at < %(until)s
    ) AS moved
    WHERE account IN ('receivable:partner:invoiced', 'payable:partner:roaming')
    GROUP BY number, legal_entity, party, account, currency, agreed_at
)
"""
_NOW: LiteralString = """
standing AS (
    SELECT number, legal_entity, customer, party, account, currency, issued_on, due_on, open_minor
    FROM open_invoice
    UNION ALL SELECT number, legal_entity, customer, party, account, currency, issued_on, due_on,
        open_minor FROM settled
)
"""
_THEN: LiteralString = """
moved AS (
    SELECT entry_id FROM journal_entry WHERE booked_at >= %(until)s
    AND entry_id ~ '^(credit|settled):'
), touched AS (
    SELECT number FROM open_invoice
    UNION SELECT coalesce(credits, number) FROM issued_invoice
        WHERE number IN (SELECT substr(entry_id, strpos(entry_id, ':') + 1) FROM moved)
    UNION SELECT document FROM allotment JOIN movement USING (number)
        WHERE document <> '' AND happened_at >= %(until)s
), standing AS (
    SELECT number, legal_entity, customer, party, account, currency, issued_on,
        coalesce(due_on, issued_on) AS due_on, open_minor
    FROM issued_invoice AS invoice JOIN touched USING (number) CROSS JOIN LATERAL (
        SELECT account, party, sum(minor)::bigint AS open_minor FROM (
            SELECT leg.account, leg.party, leg.minor
            FROM journal_entry CROSS JOIN unnest(accounts, parties, amounts)
                AS leg (account, party, minor)
            WHERE booked_at < %(until)s AND entry_id IN (
                SELECT 'invoice:' || invoice.number UNION ALL SELECT 'settled:' || invoice.number
                UNION ALL SELECT 'credit:' || note.number FROM issued_invoice AS note
                    WHERE note.credits = invoice.number
                UNION ALL SELECT 'settled:' || note.number FROM issued_invoice AS note
                    WHERE note.credits = invoice.number)
            UNION ALL
            SELECT account, party, -minor FROM allotment JOIN movement USING (number)
            WHERE document = invoice.number AND document <> '' AND happened_at < %(until)s
        ) AS posted WHERE account IN ('receivable:invoiced', 'receivable:partner:invoiced')
        GROUP BY account, party
    ) AS then_open WHERE invoice.credits IS NULL
    UNION ALL SELECT number, legal_entity, customer, party, account, currency, issued_on, due_on,
        open_minor FROM settled
)
"""
_SUMS: LiteralString = "SELECT currency, account, sum(open_minor)::bigint, count(*) FROM ("
_BY_ACCOUNT: LiteralString = ") AS open GROUP BY currency, account ORDER BY currency, account"
_EVER: Final = "infinity"


class OpenWish(NamedTuple):
    """Whose open documents: of a customer by subject id, of a legal entity; None: of all.

    `until`: as of that moment, the end of a day where the legal entity is; None: now.
    """

    customer: str | None = None
    legal_entity: str | None = None
    until: datetime | None = None


class OpenDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A document that is not paid to the cent: above 0 it is owed to us, below 0 by us.

    `customer` is the customer's key, or its `subject` once that is erased; None of a bearer's
    invoice, and of a settlement, whose `party` is the partner. `due_on`: from which day on it is to
    be paid.
    """

    number: str
    legal_entity: str
    currency: str
    account: str
    party: str
    issued_on: date
    due_on: date | None
    open_minor: int
    subject: str | None
    customer: str | None


class OpenSum(msgspec.Struct, frozen=True, kw_only=True):
    """What all open documents of an account come to, and how many they are."""

    currency: str
    account: str
    open_minor: int
    documents: int


def open_documents(
    connection: Connection[Any], wish: OpenWish, *, limit: int, after: str | None = None
) -> list[OpenDocument]:
    """Return what is open by the documents' numbers, from after the number *after* on."""
    with connection.cursor(row_factory=class_row(OpenDocument)) as cursor:
        asked = _asked(wish) | {"limit": limit, "after": after}
        return cursor.execute(_standing(wish) + _COLUMNS + _PAGE, asked).fetchall()


def open_sums(connection: Connection[Any], wish: OpenWish) -> Sequence[OpenSum]:
    """Return what all that is open comes to, by currency and account."""
    query = _standing(wish) + _SUMS + _COLUMNS + _BY_ACCOUNT
    return [
        OpenSum(currency=currency, account=account, open_minor=minor, documents=count)
        for currency, account, minor, count in connection.execute(query, _asked(wish))
    ]


def _standing(wish: OpenWish) -> LiteralString:
    return "WITH " + _SETTLED + ", " + (_NOW if wish.until is None else _THEN)


def _asked(wish: OpenWish) -> dict[str, object]:
    return {
        "customer": wish.customer,
        "legal_entity": wish.legal_entity,
        "until": wish.until or _EVER,
    }
