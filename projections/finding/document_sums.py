"""What all documents of a filter come to: exact sums by currency, less what credit notes take back.

legal entities, currency, days, kind     -> the sums that are kept by day: some thousand rows
anything else                            -> the documents themselves, as many as one may ask for
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, LiteralString

import msgspec
from psycopg import Connection
from psycopg.rows import class_row

from projections.finding.documents import DocumentWish, asked

SUMMED_MAX: Final = 20_000
"""So many documents are added up unasked."""
_OF_DAYS: Final = frozenset(
    {"legal_entity", "legal_entities", "is_credit_note", "issued_from", "issued_until", "currency"}
)
_SUMS: LiteralString = """
SELECT currency,
    coalesce(sum(documents) FILTER (WHERE NOT is_credit_note), 0)::bigint AS invoices,
    coalesce(sum(documents) FILTER (WHERE is_credit_note), 0)::bigint AS credit_notes,
    sum(CASE WHEN is_credit_note THEN -net_minor ELSE net_minor END)::bigint AS net_minor,
    sum(CASE WHEN is_credit_note THEN -tax_minor ELSE tax_minor END)::bigint AS tax_minor,
    sum(CASE WHEN is_credit_note THEN -due_minor ELSE due_minor END)::bigint AS due_minor
"""
_BY_CURRENCY: LiteralString = " GROUP BY currency ORDER BY currency"
_KEPT: LiteralString = """
FROM (SELECT *, CASE WHEN is_credit_note THEN '' END AS credits FROM issued_sum) AS i WHERE true
"""
_EACH: LiteralString = """
FROM (SELECT currency, credits IS NOT NULL AS is_credit_note, 1 AS documents, net_minor, tax_minor,
    due_minor FROM issued_invoice AS i WHERE true
"""
_END: LiteralString = ") AS each"
_SO_MANY: LiteralString = "SELECT count(*) FROM (SELECT FROM issued_invoice AS i WHERE true"
_CURRENCIES: Final[Mapping[bool, LiteralString]] = MappingProxyType(
    {
        True: "SELECT DISTINCT currency FROM issued_sum ORDER BY 1",
        False: """
            SELECT DISTINCT currency FROM issued_sum WHERE legal_entity = ANY (%s) ORDER BY 1""",
    }
)
_ENTITIES: LiteralString = "SELECT DISTINCT legal_entity FROM issued_sum ORDER BY 1"


class DocumentSum(msgspec.Struct, frozen=True, kw_only=True):
    """What documents of a currency come to, in whole minor units: invoices less credit notes."""

    currency: str
    invoices: int
    credit_notes: int
    net_minor: int
    tax_minor: int
    due_minor: int


def document_sums(
    connection: Connection[Any], wish: DocumentWish, *, is_whole: bool = False
) -> Sequence[DocumentSum] | None:
    """Return the sums of *wish*, by currency; None: of more than `SUMMED_MAX` documents.

    *is_whole*: of however many, which may take seconds.
    """
    clauses, wanted = asked(wish)
    if _is_of_days(wish):
        query = _SUMS + _KEPT + clauses + _BY_CURRENCY
    else:
        query = _SUMS + _EACH + clauses + _END + _BY_CURRENCY
        if not is_whole and document_count(connection, wish, SUMMED_MAX) is None:
            return None
    with connection.cursor(row_factory=class_row(DocumentSum)) as cursor:
        return cursor.execute(query, wanted).fetchall()


def document_count(connection: Connection[Any], wish: DocumentWish, most: int) -> int | None:
    """Return how many documents *wish* has; None: more than *most*."""
    clauses, wanted = asked(wish)
    query: LiteralString = _SO_MANY + clauses + " LIMIT %(most)s) AS found"
    [(count,)] = connection.execute(query, wanted | {"most": most + 1}).fetchall()
    return None if count > most else int(count)


def issuing_entities(connection: Connection[Any]) -> list[str]:
    """Return the legal entities that ever issued a document."""
    return [name for (name,) in connection.execute(_ENTITIES)]


def issued_currencies(
    connection: Connection[Any], legal_entities: Sequence[str] | None
) -> list[str]:
    """Return the currencies of what these legal entities issued; None: of all."""
    given = () if legal_entities is None else (list(legal_entities),)
    return [name for (name,) in connection.execute(_CURRENCIES[not given], given)]


def _is_of_days(wish: DocumentWish) -> bool:
    given = {name for name, value in wish._asdict().items() if value is not None}
    return given - {"today", "is_open"} <= _OF_DAYS and not wish.is_open
