"""Many movements in one transaction: a bank's statement has a hundred thousand of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, tzinfo
from typing import Any, Final, LiteralString

from psycopg import Connection

from ledger.books.feed import DESK_PARTITION, DeskDecision, NamedDecision, append_decisions
from ledger.books.journal import store_entries
from ledger.books.open_invoices import keep_open_invoices
from ledger.books.periods import ClosedMonths, load_marks
from ledger.payments.movement import MoneyMovement, check_movement, documents_of
from ledger.payments.recording import hash_movement, under_the_books
from ledger.rating.decisions import FIRST_REVISION

PAGE: Final = 1_000
MANY: Final = 100
"""From so many rows on the database is told what a table holds now: it may think it empty yet, and
look up each of its rows by reading all."""
_NUMBERS: LiteralString = """
SELECT nextval(pg_get_serial_sequence('movement', 'number')) FROM generate_series(1, %s)
"""
_MOVEMENTS: LiteralString = """
COPY movement (number, kind, source, reference, legal_entity, currency, amount_minor, happened_at,
    recorded_by, about, original_period, period) FROM STDIN
"""
_ALLOTMENTS: LiteralString = """
COPY allotment (number, moved_at, place, account, party, document, minor) FROM STDIN
"""


def record_movements(
    connection: Connection[Any], wanted: Sequence[MoneyMovement], calendar: tzinfo = UTC
) -> list[MoneyMovement]:
    """Record movements that are all new, as `record_movement` does each; return them as recorded.

    What they cost is a few statements, however many they are.

    Raises:
        UnfitMovementError: If the allotments of one are not its amount.
        UniqueViolation: If one of them is known, which the caller was to look up under the books.
    """
    if not wanted:
        return []
    for each in wanted:
        check_movement(each)
    with under_the_books(connection):
        closed = ClosedMonths(load_marks(connection, DESK_PARTITION))
        numbers = connection.execute(_NUMBERS, (len(wanted),)).fetchall()
        made = []
        for each, (number,) in zip(wanted, numbers, strict=True):
            month = f"{each.happened_at.astimezone(calendar):%Y-%m}"
            period = closed.month_for(each.legal_entity, month)
            made.append(each._replace(original_period=month, period=period, number=number))
        _store(connection, made)
        store_entries(connection, [each.entry() for each in made])
        keep_open_invoices(connection, documents_of(made))
        named = [
            NamedDecision(str(each.number), FIRST_REVISION, hash_movement(each)) for each in made
        ]
        # By the thousand: the first ones tell the database that what it looks through has grown.
        for first in range(0, len(named), PAGE):
            append_decisions(connection, DeskDecision.MOVED, named[first : first + PAGE])
    return made


def _store(connection: Connection[Any], made: Sequence[MoneyMovement]) -> None:
    with connection.cursor() as cursor:
        with cursor.copy(_MOVEMENTS) as copy:
            for each in made:
                copy.write_row((each.number, *each[:6], *each[7:-1]))
        if len(made) >= MANY:
            cursor.execute("ANALYZE movement")
        with cursor.copy(_ALLOTMENTS) as copy:
            for each in made:
                for place, allotted in enumerate(each.allotments, 1):
                    row = (allotted.account, allotted.party, allotted.document, allotted.minor)
                    copy.write_row((each.number, each.happened_at, place, *row))
        if len(made) >= MANY:
            cursor.execute("ANALYZE allotment")
