"""Customers by their keys, page by page, and where each has an account."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString, NamedTuple

from psycopg import Connection

from ledger.declared.declarations import Declarations
from ledger.master_data.customers import Customer
from ledger.persons.holders import customer_holder
from ledger.persons.store import find

_NAMED: LiteralString = """
SELECT name, subject FROM subject WHERE kind = 'customer' AND name > %(after)s
"""
_BILLED: LiteralString = """
 AND EXISTS (SELECT FROM issued_invoice WHERE customer = subject
             AND legal_entity = ANY (%(legal_entities)s))
"""
_ORDER: LiteralString = " ORDER BY kind, name LIMIT %(limit)s"
_ACCOUNTS: LiteralString = """
SELECT legal_entity, currency FROM issued_invoice WHERE customer = %(subject)s
UNION SELECT legal_entity, currency FROM prepayment WHERE customer = %(subject)s
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
) -> Sequence[FoundCustomer]:
    """Return customers by their keys, from behind the key *after* on.

    *legal_entities*: only those that any of these has billed; None: all.
    """
    query: LiteralString = _NAMED if legal_entities is None else _NAMED + _BILLED
    asked = {"after": after, "limit": limit, "legal_entities": [*(legal_entities or ())]}
    rows = connection.execute(query + _ORDER, asked).fetchall()
    return [
        FoundCustomer(key, subject, declarations.customer(subject, at)) for key, subject in rows
    ]


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
