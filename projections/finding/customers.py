"""Customers by their keys, page by page, and where each has an account."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.declared.declarations import Declarations
from ledger.master_data.customers import Customer
from ledger.persons.holders import customer_holder
from ledger.persons.store import find

_NAMED: LiteralString = """
SELECT name, subject FROM subject WHERE kind = 'customer' AND name > %(after)s
ORDER BY kind, name LIMIT %(limit)s
"""
LOOKED_AT_MAX: Final = 10_000
"""Of so many customers a page shows those that some legal entities have billed, then it ends."""
_LOOKED_AT: LiteralString = """
SELECT kind, name, subject FROM subject WHERE kind = 'customer' AND name > %(after)s
ORDER BY kind, name LIMIT %(looked_at)s
"""
# In the order of its index: where few customers have all documents, PostgreSQL would read them all.
_BILLED: LiteralString = f"""
SELECT name, subject FROM ({_LOOKED_AT}) AS looked_at WHERE (
    SELECT true FROM issued_invoice
    WHERE customer = subject AND legal_entity = ANY (%(legal_entities)s)
    ORDER BY customer, legal_entity LIMIT 1
) ORDER BY kind, name LIMIT %(limit)s
"""  # noqa: S608 - our own
_LOOKED_UNTIL: LiteralString = f"""
SELECT name FROM ({_LOOKED_AT}) AS looked_at ORDER BY kind, name
OFFSET %(looked_at)s::bigint - 1
"""  # noqa: S608 - our own
# From one account to the next in the index, whatever number of documents each has.
_ACCOUNTS: LiteralString = """
WITH RECURSIVE billed AS (
    (SELECT legal_entity, currency FROM issued_invoice WHERE customer = %(subject)s
     ORDER BY legal_entity, currency LIMIT 1)
    UNION ALL
    SELECT following.* FROM billed, LATERAL (
        SELECT legal_entity, currency FROM issued_invoice
        WHERE customer = %(subject)s
          AND (legal_entity, currency) > (billed.legal_entity, billed.currency)
        ORDER BY legal_entity, currency LIMIT 1
    ) AS following
)
SELECT legal_entity, currency FROM billed
UNION SELECT legal_entity, currency FROM customer_sum
WHERE customer = %(subject)s AND span = 'day' AND account = 'prepayments'
ORDER BY legal_entity, currency
"""


class FoundCustomer(NamedTuple):
    """A customer: its key, its subject id, and as it is declared now; None: it is not any more."""

    key: str
    subject: str
    declared: Customer | None


class CustomerAccount(NamedTuple):
    """Where a customer has an account: at whom, in which currency."""

    legal_entity: str
    currency: str


def find_customers(
    connection: Connection[Any],
    declarations: Declarations,
    at: datetime,
    *,
    limit: int,
    after: str = "",
    legal_entities: Sequence[str] | None = None,
    looked_at: int = LOOKED_AT_MAX,
) -> tuple[Sequence[FoundCustomer], str | None]:
    """Return customers by their keys, from behind the key *after* on, and where the next ones are.

    *legal_entities*: only those that any of these has billed; None: all. Of these a page may hold
    fewer than *limit* and have more behind it: it looks at *looked_at* customers.
    """
    asked = {
        "after": after,
        "limit": limit + 1,
        "legal_entities": [*(legal_entities or ())],
        "looked_at": looked_at,
    }
    query = _NAMED if legal_entities is None else _BILLED
    rows = connection.execute(query, asked).fetchall()
    found = [
        FoundCustomer(key, subject, declarations.customer(subject, at))
        for key, subject in rows[:limit]
    ]
    if len(rows) > limit:
        return found, found[-1].key
    if legal_entities is None:
        return found, None
    row = connection.execute(_LOOKED_UNTIL, asked).fetchone()
    return found, row[0] if row else None


def find_customer(
    connection: Connection[Any],
    declarations: Declarations,
    key: str,
    at: datetime,
    *,
    legal_entities: Sequence[str] | None = None,
) -> FoundCustomer | None:
    """Return the customer of that key; None where there is none, or none of these has billed it."""
    holder = customer_holder(key)
    subject = find(connection, [holder]).get((holder.kind, holder.name))
    if subject is None:
        return None
    accounts = accounts_of_customer(connection, subject.id)
    is_near = legal_entities is None or any(
        each.legal_entity in legal_entities for each in accounts
    )
    found = FoundCustomer(holder.name, subject.id, declarations.customer(subject.id, at))
    return found if is_near else None


def accounts_of_customer(connection: Connection[Any], subject: str) -> list[CustomerAccount]:
    """Return where a customer has an account: it was billed there, or paid in advance."""
    rows = connection.execute(_ACCOUNTS, {"subject": subject})
    return [CustomerAccount(*row) for row in rows]
