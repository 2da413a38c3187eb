"""What a document was paid with: the buyer's prepaid balance when it was booked, money since.

What was settled from a balance stands on its pages, which are rendered once; what came since is
shown beside it and changes no byte of it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, LiteralString

import msgspec
from psycopg import Connection

from ledger.payments.open_items import open_item
from ledger.payments.recording import movements_of_document

_SETTLED: LiteralString = """
SELECT amounts[1]::bigint FROM journal_entry WHERE entry_id = 'settled:' || %s
"""


class Paid(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a document the buyer's prepaid balance bore when it was booked, above 0.

    Of a credit note: how much it gave back to that balance. In minor units.
    """

    minor: int


class InvoicePayment(msgspec.Struct, frozen=True, kw_only=True):
    """Money for an invoice: of movement `number`; below 0 it was given or taken back."""

    number: int
    kind: str
    source: str
    reference: str
    happened_at: datetime
    minor: int


class InvoicePayments(msgspec.Struct, frozen=True, kw_only=True):
    """All money for an invoice, in the order in which it was booked, and what is open by now.

    `credited_minor`: what credit notes over it take back.
    """

    received: tuple[InvoicePayment, ...]
    credited_minor: int
    open_minor: int


def paid_from_balance(connection: Connection[Any], number: str) -> Paid | None:
    """Return what document *number* was settled with; None where it was not, or is not booked."""
    row = connection.execute(_SETTLED, (number,)).fetchone()
    return Paid(minor=abs(row[0])) if row else None


def payments_of(connection: Connection[Any], number: str) -> InvoicePayments | None:
    """Return the money for invoice *number*; None where it is none, or is not booked."""
    item = open_item(connection, number)
    if item is None:
        return None
    return InvoicePayments(
        received=tuple(
            InvoicePayment(
                number=movement.number,
                kind=movement.kind.value,
                source=movement.source,
                reference=movement.reference,
                happened_at=movement.happened_at,
                minor=minor,
            )
            for movement in movements_of_document(connection, number)
            if (minor := movement.minor_for(number))
        ),
        credited_minor=item.credited_minor,
        open_minor=item.open_minor,
    )
