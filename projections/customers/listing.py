"""Customers as people look them up: by the key, in its order, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

import msgspec
from psycopg import Connection

from ledger.declared.declarations import Declarations
from ledger.master_data.customers import Customer, PersonDetails
from ledger.persons.holders import HolderKind
from ledger.persons.store import names_of, read_blobs

# Those of a prefix follow each other in the index; nothing comes behind the highest sign.
_KEYS: LiteralString = """
SELECT subject, name FROM subject
WHERE kind = %(kind)s AND name > %(after)s AND name >= %(prefix)s AND name < %(beyond)s
ORDER BY name LIMIT %(limit)s
"""
_KEYS_DOWN: LiteralString = """
SELECT subject, name FROM subject
WHERE kind = %(kind)s AND (%(after)s = '' OR name < %(after)s)
  AND name >= %(prefix)s AND name < %(beyond)s
ORDER BY name DESC LIMIT %(limit)s
"""
_BY_NAME: LiteralString = "SELECT subject, name FROM subject WHERE kind = %s AND name = %s"
# In the order of its index: where few customers have all documents, PostgreSQL would read them all.
_HAS_BOOKS: LiteralString = """
SELECT (SELECT true FROM issued_invoice
        WHERE customer = %(customer)s AND legal_entity = ANY (%(legal_entities)s)
        ORDER BY customer, legal_entity LIMIT 1) IS NOT NULL
    OR EXISTS (SELECT FROM prepayment
               WHERE customer = %(customer)s AND legal_entity = ANY (%(legal_entities)s))
    OR EXISTS (SELECT FROM uninvoiced_session
               WHERE customer = %(customer)s AND legal_entity = ANY (%(legal_entities)s))
"""
_WAS_ONE: LiteralString = """
SELECT EXISTS (SELECT FROM issued_invoice WHERE customer = %(subject)s)
    OR EXISTS (SELECT FROM prepayment WHERE customer = %(subject)s)
    OR EXISTS (SELECT FROM uninvoiced_session WHERE customer = %(subject)s)
"""
_HIGHEST: Final = "\U0010ffff"


class KnownCustomer(NamedTuple):
    """A customer: `name` is its key, or its `subject` once it is erased.

    `details` None: erased, or never declared; so is `declared`.
    """

    subject: str
    name: str
    declared: Customer | None
    details: PersonDetails | None

    @property
    def is_erased(self) -> bool:
        """Whether nobody knows any more who it is."""
        return self.name == self.subject


def list_customers(
    connection: Connection[Any],
    declarations: Declarations,
    at: datetime,
    *,
    prefix: str,
    after: str,
    limit: int,
    is_down: bool = False,
) -> list[KnownCustomer]:
    """Return customers whose key begins with *prefix*, by the key, from behind *after* on.

    *is_down*: from the last key.
    """
    asked = {
        "kind": HolderKind.CUSTOMER.value,
        "after": after,
        "prefix": prefix,
        "beyond": prefix + _HIGHEST,
        "limit": limit,
    }
    rows = connection.execute(_KEYS_DOWN if is_down else _KEYS, asked).fetchall()
    return _known(connection, declarations, at, rows)


def find_customer(
    connection: Connection[Any], declarations: Declarations, at: datetime, named: str
) -> KnownCustomer | None:
    """Return the customer with that key or subject id; None where there never was one."""
    rows = connection.execute(_BY_NAME, (HolderKind.CUSTOMER.value, named)).fetchall()
    if not rows and (named in names_of(connection, [named]) or _was_one(connection, named)):
        names = names_of(connection, [named])
        rows = [(named, names.get(named, named))]
    found = _known(connection, declarations, at, rows)
    return found[0] if found else None


def is_within(
    connection: Connection[Any], subject: str, legal_entities: Sequence[str] | None
) -> bool:
    """Say whether any of these legal entities has a customer in its books; None: all are within."""
    if legal_entities is None:
        return True
    asked = {"customer": subject, "legal_entities": list(legal_entities)}
    [(has_books,)] = connection.execute(_HAS_BOOKS, asked).fetchall()
    return bool(has_books)


def _was_one(connection: Connection[Any], subject: str) -> bool:
    """Say whether an erased customer has that subject id: its books stay."""
    [(is_known,)] = connection.execute(_WAS_ONE, {"subject": subject}).fetchall()
    return bool(is_known)


def _known(
    connection: Connection[Any],
    declarations: Declarations,
    at: datetime,
    rows: Sequence[tuple[str, str]],
) -> list[KnownCustomer]:
    declared = {subject: declarations.customer(subject, at) for subject, _ in rows}
    references = [each.details for each in declared.values() if each is not None]
    blobs = read_blobs(connection, references)
    details = {
        reference: msgspec.json.decode(content, type=PersonDetails)
        for reference, content in blobs.items()
    }
    return [
        KnownCustomer(subject, name, customer, details.get(customer.details) if customer else None)
        for subject, name in rows
        for customer in (declared[subject],)
    ]
