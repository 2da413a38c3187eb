"""Make it again: a document rendered and its sessions priced anew, compared byte by byte."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import closing
from functools import cache
from hashlib import sha256
from itertools import islice
from typing import Any, Final, NamedTuple

from litestar import Controller, Response, post
from litestar.params import FromPath
from psycopg import Connection

from ledger.books.decisions_store import rated_sessions
from ledger.invoices.issuer import InvoiceIssuer
from ledger.rating.decisions import SessionRevision
from ledger.users.roles import Permission
from projections.audit.trail import show_invoice
from projections.console.entry import needs
from projections.console.invoices.showing import document_within
from projections.console.page import ThisPage
from projections.documents.keeping.checking import check_document
from projections.documents.keeping.kept import NotRenderedError
from projections.documents.keeping.rendering import DocumentRenderer
from projections.errors import ProjectionError
from projections.replay.comparison import Comparison
from projections.replay.one_document import NotComparedError, document_again, ratings_again

RATINGS_MAX: Final = 200
"""Sessions of a document that are priced again while somebody waits."""
_AROUND: Final = 60
_TURN: Final = threading.Lock()


class BusyMakingError(ProjectionError):
    """A document is being made again already; pages would wait for two."""

    def __init__(self) -> None:
        super().__init__("another document is being made again at this moment: try in a minute")


class MadeAgain(NamedTuple):
    """Something that was made again. `spot`: the first byte that differs, and both around it."""

    what: str
    key: str
    kept_sha256: str
    again_sha256: str
    spot: int | None = None
    kept_there: str = ""
    again_there: str = ""

    @property
    def is_same(self) -> bool:
        """Whether it is what it was, to the byte."""
        return self.kept_sha256 == self.again_sha256


class AgainPage(Controller):
    """Making a document again."""

    path = "/invoices/{number:str}/again"

    @post("/", opt=needs(Permission.SEE_BOOKS), sync_to_thread=True, status_code=200)
    def made(self, page: ThisPage, number: FromPath[str]) -> Response[str]:
        """Make a document again and show what came of it; nothing is kept."""
        if not _TURN.acquire(blocking=False):
            raise BusyMakingError
        try:
            with (
                page.console.reading() as connection,
                closing(InvoiceIssuer(page.console.dsn)) as issuer,
            ):
                document_within(connection, page, number)
                content = _made(connection, issuer, number)
        finally:
            _TURN.release()
        return page.show("invoices/again.html.j2", number=number, **content)


def _made(connection: Connection[Any], issuer: InvoiceIssuer, number: str) -> dict[str, Any]:
    shown = show_invoice(connection, number)
    named = [SessionRevision(each.session_id, each.revision) for each in shown.sessions]
    decisions = rated_sessions(connection, named[:RATINGS_MAX])
    ratings, left = list[MadeAgain](), list[str]()
    for each in islice(ratings_again(connection, decisions), RATINGS_MAX):
        if isinstance(each, NotComparedError):
            left.append(str(each))
        else:
            ratings.append(made_of(each))
    try:
        files = check_document(connection, issuer, _renderer(), number)
        not_rendered = ""
    except NotRenderedError as error:
        files, not_rendered = None, str(error)
    document = made_of(document_again(connection, issuer, number))
    is_right = document.is_same and all(each.is_same for each in ratings)
    return {
        "document": document,
        "ratings": ratings,
        "differing": [each for each in ratings if not each.is_same],
        "left": left,
        "more": len(named) - len(decisions),
        "files": files,
        "not_rendered": not_rendered,
        "is_right": is_right and (files is None or files.is_right),
    }


def made_of(compared: Comparison) -> MadeAgain:
    """Return what came of making something again, as a page says it."""
    kept, again = (each or "" for each in (compared.kept, compared.again))
    made = MadeAgain(compared.what, compared.key, _sha256(kept), _sha256(again))
    if kept == again:
        return made
    first = _first_difference(kept, again)
    there = slice(max(0, first - _AROUND), first + _AROUND)
    return made._replace(spot=first, kept_there=kept[there], again_there=again[there])


def _sha256(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _first_difference(kept: Sequence[str], again: Sequence[str]) -> int:
    pairs = enumerate(zip(kept, again, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(kept), len(again)))


@cache
def _renderer() -> DocumentRenderer:
    return DocumentRenderer()
