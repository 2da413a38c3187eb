"""Invoicing: what is due (`due.py`, `crediting.py`) is issued, then booked (`booking.py`).

Safe to kill at any moment: an invoice and its number are saved together, and the books take over
what was saved, in the order of the saves, each invoice in one transaction with its number in the
feed and how far they are. A kill in between leaves an invoice that is saved and not booked: whoever
issues next books it before anything else.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import chain
from typing import Any, Final

from psycopg import Connection

from ledger.declared.declarations import Declarations
from ledger.errors import LedgerError
from ledger.invoices.booking import book_next
from ledger.invoices.crediting import due_credits
from ledger.invoices.due import due_invoices
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.order import order_of

ISSUING_LOCK: Final = 0x69737375  # "issu"
"""An advisory lock: who holds it issues, everybody else leaves that alone meanwhile."""


def issue_due(
    connection: Connection[Any],
    issuer: InvoiceIssuer,
    declarations: Declarations,
    *,
    up_to: datetime,
    complete_up_to: datetime | None = None,
    is_over: Callable[[], bool] = lambda: False,
    told: Callable[[str, Exception], None] = lambda _cause, _why: None,
) -> tuple[str, ...]:
    """Issue every invoice that is due at the record time *up_to*; return their numbers.

    A session that is billed by itself is due at once, a month when it has been over in the legal
    entity's calendar for the policy's `wait_s`: by then what ended in it is rated or held.

    Args:
        connection: Outside a transaction; each invoice is booked in one of its own.
        issuer: Where invoices are issued.
        declarations: For names and addresses as declared for *up_to*.
        up_to: The time of receipt of the last record that was decided about.
        complete_up_to: Every record received before that was decided about; *up_to* if None.
        is_over: Asked before each invoice whether to leave the rest to the next call.
        told: Given each cause that cannot be invoiced, and why. The others do not wait for it.
    """
    complete_up_to = min(up_to, complete_up_to or up_to)
    locked = connection.execute("SELECT pg_try_advisory_lock(%s)", (ISSUING_LOCK,)).fetchone()
    if locked is None or not locked[0]:
        return ()  # another process issues now: it, or the next call here, finds what is due
    try:
        # What a kill left behind comes first, so that what is issued here is the next to be booked.
        booked: list[str] = []
        while not is_over() and (number := book_next(connection, issuer)) is not None:
            booked.append(number)
        # What a session's next revision replaces is credited before anything new.
        credited_first = due_credits(connection, declarations, up_to)
        due = due_invoices(connection, declarations, complete_up_to)
        for cause, credited, sessions in chain(credited_first, due):
            if is_over():
                break
            try:
                order = order_of(cause, sessions, declarations, at=up_to, credited=credited)
            except (LedgerError, ValueError, ArithmeticError) as error:
                told(cause, error)
                continue
            issuer.issue(order)
            if (number := book_next(connection, issuer)) is not None:
                booked.append(number)
    finally:
        connection.execute("SELECT pg_advisory_unlock(%s)", (ISSUING_LOCK,))
    return tuple(booked)
