"""The work of a job: a document made again, its sessions priced anew, compared byte by byte."""

from __future__ import annotations

from contextlib import closing
from hashlib import sha256
from typing import Any, Final

import msgspec
from psycopg import Connection

from ledger.books.decisions_store import rated_sessions
from ledger.database import dsn_of
from ledger.errors import LedgerError
from ledger.invoices.issuer import InvoiceIssuer
from ledger.jobs.working import JobKind, JobProgress
from ledger.rating.decisions import SessionRevision
from projections.audit.shown_documents import show_invoice
from projections.documents.keeping.booked_row import booked_otherwise
from projections.documents.keeping.checking import DocumentCheckReport, check_document
from projections.documents.keeping.kept import NotRenderedError
from projections.documents.keeping.rendering import DocumentRenderer
from projections.errors import ProjectionError
from projections.replay.comparison import Comparison
from projections.replay.one_document import (
    NotComparedError,
    document_again,
    issued_as,
    ratings_again,
)

AGAIN_KIND: Final = "make_again"
SHOWN_MAX: Final = 10
"""Of what differs, and of what is not compared, so much is told."""
_AROUND: Final = 60


class AgainWish(msgspec.Struct, frozen=True):
    """Which document."""

    number: str


class MadeAgain(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was made again. `spot`: the first letter that differs, and both around it."""

    key: str
    kept_sha256: str
    again_sha256: str
    spot: int | None = None
    kept_there: str = ""
    again_there: str = ""

    @property
    def is_same(self) -> bool:
        """Whether it is what it was, to the byte."""
        return self.spot is None


class AgainAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of making a document again.

    `same` of `ratings` sessions are what they were; `differing` are some of the others, `left` say
    of some of `left_count` why they are not compared here. `booked_otherwise` are the columns of
    its row, by which it is listed and summed, that do not say what was issued. `files` None: it was
    never rendered.
    """

    document: MadeAgain
    ratings: int
    same: int
    differing: tuple[MadeAgain, ...]
    left: tuple[str, ...]
    left_count: int
    files: DocumentCheckReport | None
    booked_otherwise: tuple[str, ...] = ()

    @property
    def is_right(self) -> bool:
        """Whether all that was compared is as it must be."""
        is_same = self.document.is_same and self.same == self.ratings and not self.booked_otherwise
        return is_same and (self.files is None or self.files.is_right)


def make_again(
    connection: Connection[Any], parameters: bytes, progress: JobProgress
) -> AgainAnswer:
    """Make the document that *parameters* (an `AgainWish`) name, and compare.

    Raises:
        UnknownInvoiceError: If there is none.
    """
    number = msgspec.json.decode(parameters, type=AgainWish).number
    shown = show_invoice(connection, number)
    named = [SessionRevision(each.session_id, each.revision) for each in shown.sessions]
    whole, same = len(named) + 2, 0
    differing, left = list[MadeAgain](), list[str]()
    found = ratings_again(connection, rated_sessions(connection, named))
    for done, each in enumerate(found):
        progress(done, whole)
        if isinstance(each, NotComparedError):
            left.append(str(each))
        elif each.kept == each.again:
            same += 1
        else:
            differing.append(made_of(each))
    with closing(InvoiceIssuer(dsn_of(connection))) as issuer:
        progress(whole - 2, whole)
        document = made_of(document_again(connection, issuer, number))
        progress(whole - 1, whole)
        invoice = issued_as(connection, issuer, number)
        try:
            files = check_document(connection, DocumentRenderer(), number)
        except NotRenderedError:
            files = None
    progress(whole, whole)
    return AgainAnswer(
        document=document,
        ratings=len(named) - len(left),
        same=same,
        differing=tuple(differing[:SHOWN_MAX]),
        left=tuple(left[:SHOWN_MAX]),
        left_count=len(left),
        files=files,
        booked_otherwise=booked_otherwise(connection, number, invoice),
    )


MAKE_AGAIN: Final = JobKind(make_again, (LedgerError, ProjectionError))


def made_of(compared: Comparison) -> MadeAgain:
    """Return what came of making something again; what is not there is as if it were empty."""
    kept, again = (each or "" for each in (compared.kept, compared.again))
    hashes = [sha256(each.encode()).hexdigest() for each in (kept, again)]
    spot = None if kept == again else _first_difference(kept, again)
    there = slice(max(0, (spot or 0) - _AROUND), (spot or 0) + _AROUND)
    return MadeAgain(
        key=compared.key,
        kept_sha256=hashes[0],
        again_sha256=hashes[1],
        spot=spot,
        kept_there="" if spot is None else kept[there],
        again_there="" if spot is None else again[there],
    )


def _first_difference(kept: str, again: str) -> int:
    pairs = enumerate(zip(kept, again, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(kept), len(again)))
