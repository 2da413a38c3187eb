"""Invoicing: what is due (`due.py`, `crediting.py`) is issued, then booked (`booking.py`).

By the batch: many invoices and their numbers are saved together, and the books take over what was
saved, in the order of the saves, each batch in one transaction with its numbers in the feed and how
far they are. A session that is billed by itself is due at once, what waits for a threshold once it
comes to that, a month when it has been over in the legal entity's calendar for the policy's
`wait_s`. How documents fall into batches changes none of them. Safe to kill at any moment: a
kill between the two leaves invoices that are saved and not booked, and whoever issues next books
them before anything else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import takewhile
from typing import Any, Final, LiteralString

from psycopg import Connection

from ledger.declared.declarations import Declarations
from ledger.invoices.booking import DOCUMENTS_AT_ONCE, SESSIONS_AT_ONCE, book_some
from ledger.invoices.crediting import DueDocument, due_credits
from ledger.invoices.due import due_by_threshold, due_invoices
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.order import OF_ITS_CONTENT, InvoiceOrder, order_of
from ledger.invoices.refusals.refused import Refusals

ISSUING_LOCK: Final = 0x69737375  # "issu"
"""An advisory lock: who holds it issues, everybody else leaves that alone meanwhile."""
_LOCK: LiteralString = "SELECT pg_try_advisory_lock(%s)"
_UNLOCK: LiteralString = "SELECT pg_advisory_unlock(%s)"


def issue_due(  # noqa: PLR0913 - whoever issues says what, until when and how much at once
    connection: Connection[Any],
    issuer: InvoiceIssuer,
    declarations: Declarations,
    *,
    up_to: datetime,
    complete_up_to: datetime | None = None,
    is_over: Callable[[], bool] = lambda: False,
    told: Callable[[str, Exception], None] = lambda _cause, _why: None,
    refusals: Refusals | None = None,
    at_once: int = DOCUMENTS_AT_ONCE,
    with_thresholds: bool = True,
) -> tuple[str, ...]:
    """Issue every invoice that is due at the record time *up_to*; return their numbers.

    Args:
        connection: Outside a transaction; each batch is booked in one of its own.
        issuer: Where invoices are issued.
        declarations: For names and addresses as declared for *up_to*.
        up_to: The time of receipt of the last record that was decided about.
        complete_up_to: Every record received before was decided about; *up_to* if None.
        is_over: Asked before each document and batch whether to leave the rest to the next call.
        told: Given each cause that cannot be invoiced, and why. The others do not wait for it.
        refusals: Of who looks again and again: what was refused is not tried at every look.
        at_once: So many documents at most are issued and booked together; they are the same.
        with_thresholds: Look at what waits for a threshold too.

    Raises:
        CheckMissingError: If documents cannot be checked now.
    """
    refusals = Refusals() if refusals is None else refusals
    told = refusals.begin(at=up_to, declared_version=declarations.version, told=told)
    until = min(up_to, complete_up_to or up_to)
    with _alone(connection) as is_alone:
        if not is_alone:  # another process issues: it, or the next call here, finds what is due
            return ()
        booked = _left_behind(connection, issuer, is_over, at_once)
        # What a session's next revision replaces is credited, and booked, before anything new.
        dues = [due_credits(connection, issuer, declarations, up_to, refusals.leaves)]
        if with_thresholds:
            dues.append(due_by_threshold(connection, declarations, until, refusals.leaves))
        dues.append(due_invoices(connection, declarations, until, refusals.leaves))
        for due in dues:
            asked = takewhile(lambda _: not is_over(), due)
            orders = _orders(asked, declarations, up_to, told)
            for batch in takewhile(lambda _: not is_over(), _batches(orders, at_once)):
                issuer.issue_all(batch, told=told)
                booked += _booked(connection, issuer, at_once)
        refusals.end(connection, is_over=is_over(), is_whole=with_thresholds)
    return tuple(booked)


def _booked(connection: Connection[Any], issuer: InvoiceIssuer, at_once: int) -> Iterator[str]:
    """Book what is issued and not booked; yield the numbers."""
    while numbers := book_some(connection, issuer, at_once=at_once):
        yield from numbers


def _left_behind(
    connection: Connection[Any], issuer: InvoiceIssuer, is_over: Callable[[], bool], at_once: int
) -> list[str]:
    """Book what a kill left: what is issued after it is then the next to be booked.

    Nothing comes to light later that was not there when it was looked what is due.
    """
    booked: list[str] = []
    issuer.settle()
    while not is_over() and (numbers := book_some(connection, issuer, at_once=at_once)):
        booked += numbers
    return booked


@contextmanager
def _alone(connection: Connection[Any]) -> Iterator[bool]:
    """Say whether nobody else issues now; nobody does until the end."""
    [(is_alone,)] = connection.execute(_LOCK, (ISSUING_LOCK,)).fetchall()
    try:
        yield is_alone
    finally:
        if is_alone:
            connection.execute(_UNLOCK, (ISSUING_LOCK,))


def _orders(
    due: Iterable[DueDocument],
    declarations: Declarations,
    up_to: datetime,
    told: Callable[[str, Exception], None],
) -> Iterator[InvoiceOrder]:
    """Yield the order of each document that is *due*; those that have none are *told*."""
    for cause, credited, sessions in due:
        try:
            yield order_of(cause, sessions, declarations, at=up_to, credited=credited)
        except OF_ITS_CONTENT as error:
            told(cause, error)


def _batches(orders: Iterable[InvoiceOrder], at_once: int) -> Iterator[Sequence[InvoiceOrder]]:
    """Yield *orders* by the batch: so many, or fewer where they have many sessions."""
    batch: list[InvoiceOrder] = []
    sessions = 0
    for order in orders:
        batch.append(order)
        sessions += len(order.sessions) + len(order.credits.before if order.credits else ())
        if len(batch) == at_once or sessions >= SESSIONS_AT_ONCE:
            yield batch
            batch, sessions = [], 0
    if batch:
        yield batch
