"""Every document held against its hashes: what was issued, booked, and rendered of it.

Nothing is rendered again (`projections.documents.keeping.checking` does that): what is kept is read
and hashed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any, Final, LiteralString

import msgspec
from psycopg import Connection

from ledger.invoices.issuer import InvoiceIssuer
from ledger.persons.sealing import BrokenSealError
from projections.documents.keeping.booked_row import booked_otherwise
from projections.documents.keeping.kept import (
    ErasedDocumentError,
    NotRenderedError,
    OtherBytesError,
    read_kept,
)

WRONG_MAX: Final = 100
"""So many wrong ones are named; all are counted."""
_PAGE: Final = 500
_COUNT: LiteralString = "SELECT count(*) FROM issued_invoice"
_ISSUED: LiteralString = """
SELECT number, cause, sha256, legal_entity FROM issued_invoice WHERE number > %s
ORDER BY number LIMIT %s
"""
Progress = Callable[[int, int], None]
"""Told how many documents are done, and of how many."""


class WrongDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A document that is not what its hash says, and `what` of it is wrong.

    "issued": the decision that it was issued; "booked": the row by which it is listed and summed;
    "rendered": its pages or its electronic invoice; "other_issue": they were rendered from
    something else than was issued.
    """

    number: str
    legal_entity: str
    what: str


class DocumentsVerified(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: `unrendered` ones have no pages yet, `erased` ones nobody opens any more.

    `right` are those whose every hash is right; `wrong` counts the others, the first are `shown`.
    """

    documents: int
    right: int
    unrendered: int
    erased: int
    wrong: int
    shown: tuple[WrongDocument, ...]


def verify_documents(
    connection: Connection[Any], issuer: InvoiceIssuer, progress: Progress
) -> DocumentsVerified:
    """Hash every invoice and credit note, as issued and as rendered, and compare."""
    [(whole,)] = connection.execute(_COUNT).fetchall()
    counted = dict.fromkeys(("", "unrendered", "erased"), 0)
    shown = list[WrongDocument]()
    wrong = done = 0
    for done, (number, cause, hashed, legal_entity) in enumerate(_issued(connection), 1):
        what = _found(connection, issuer, number, cause, hashed)
        if what in counted:
            counted[what] += 1
        else:
            wrong += 1
            if wrong <= WRONG_MAX:
                shown.append(WrongDocument(number=number, legal_entity=legal_entity, what=what))
        progress(done, max(done, whole))
    return DocumentsVerified(
        documents=done,
        right=counted[""],
        unrendered=counted["unrendered"],
        erased=counted["erased"],
        wrong=wrong,
        shown=tuple(shown),
    )


def _found(
    connection: Connection[Any], issuer: InvoiceIssuer, number: str, cause: str, hashed: str
) -> str:
    """Return what is wrong with a document, "unrendered", "erased", or "" where it is right."""
    invoice = issuer.find(cause)
    if invoice is None or sha256(invoice.document.encode()).hexdigest() != hashed:
        return "issued"
    if booked_otherwise(connection, number, invoice):
        return "booked"
    try:
        kept = read_kept(connection, number)
    except NotRenderedError:
        return "unrendered"
    except ErasedDocumentError:
        return "erased"
    except (BrokenSealError, OtherBytesError):
        return "rendered"
    return "" if kept.invoice_sha256 == hashed else "other_issue"


def _issued(connection: Connection[Any]) -> Iterator[tuple[str, str, str, str]]:
    after = ""
    while rows := connection.execute(_ISSUED, (after, _PAGE)).fetchall():
        yield from rows
        after = rows[-1][0]
