"""What a document was settled with from the buyer's prepaid balance."""

from __future__ import annotations

from typing import Any, LiteralString

import msgspec
from psycopg import Connection

_SETTLED: LiteralString = """
SELECT amounts[1]::bigint FROM journal_entry WHERE entry_id = 'settled:' || %s
"""


class Paid(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a document the buyer's prepaid balance bore when it was booked, above 0.

    Of a credit note: how much it gave back to that balance. In minor units.
    """

    minor: int


def paid_from_balance(connection: Connection[Any], number: str) -> Paid | None:
    """Return what document *number* was settled with; None where it was not, or is not booked."""
    row = connection.execute(_SETTLED, (number,)).fetchone()
    return Paid(minor=abs(row[0])) if row else None
