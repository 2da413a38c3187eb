"""Recording movements: a row, its allotments, its journal entry and its number in the feed at once.

All of it is one transaction, under the lock under which documents are booked, so that what a person
or a rule looked up under that lock still holds when it is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, tzinfo
from itertools import groupby
from typing import Any, LiteralString

from psycopg import Connection

from ledger.books.feed import DESK_PARTITION, DeskDecision, append_decision
from ledger.books.journal import store_entries
from ledger.books.open_invoices import keep_open_invoices
from ledger.books.periods import ClosedMonths, load_marks
from ledger.errors import LedgerError
from ledger.payments.movement import (
    Allotment,
    MoneyKind,
    MoneyMovement,
    check_movement,
    documents_of,
)
from ledger.rating.decisions import FIRST_REVISION, hash_decision
from tariffs.model.canonical import canonical_json

_LOCK_BOOKED: LiteralString = "SELECT notification_id FROM booked_position FOR UPDATE"
_RECORD: LiteralString = """
INSERT INTO movement (kind, source, reference, legal_entity, currency, amount_minor, happened_at,
    recorded_by, about, original_period, period)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING number
"""
_ALLOT: LiteralString = """
INSERT INTO allotment (number, moved_at, place, account, party, document, minor)
VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
_MOVEMENTS: LiteralString = """
SELECT movement.number, kind, source, reference, legal_entity, currency, amount_minor, happened_at,
    recorded_by, about, original_period, period, account, party, document, minor
FROM movement LEFT JOIN allotment ON allotment.number = movement.number
"""
_IN_ORDER: LiteralString = " ORDER BY movement.number, place"
_NAMED: LiteralString = (
    _MOVEMENTS + "WHERE source = %s AND kind = %s AND reference = %s" + _IN_ORDER
)
_NUMBERED: LiteralString = _MOVEMENTS + "WHERE movement.number = ANY (%s)" + _IN_ORDER
_ALL: LiteralString = _MOVEMENTS + _IN_ORDER
_ABOUT: LiteralString = _MOVEMENTS + "WHERE about = %s AND about <> ''" + _IN_ORDER
_FOR_DOCUMENT: LiteralString = """
WHERE movement.number IN (SELECT number FROM allotment WHERE document = %s AND document <> '')
"""
_OF_DOCUMENT: LiteralString = _MOVEMENTS + _FOR_DOCUMENT + _IN_ORDER


@contextmanager
def under_the_books(connection: Connection[Any]) -> Iterator[None]:
    """Be in a transaction in which nobody else books: what is looked up holds until its end."""
    with connection.transaction():
        connection.execute(_LOCK_BOOKED)
        yield


def record_movement(
    connection: Connection[Any], wanted: MoneyMovement, calendar: tzinfo = UTC
) -> tuple[MoneyMovement, bool]:
    """Record *wanted* and post it, all or nothing; return it as recorded, and whether it was new.

    It stands in the books of its month in the legal entity's *calendar*, or of the next open one.
    Who tells the same movement again gets what was recorded then, allotments and all.

    Raises:
        UnfitMovementError: If its allotments are not its amount.
        OtherMovementError: If its reference names a movement of another amount or legal entity.
    """
    check_movement(wanted)
    with under_the_books(connection):
        known = find_movement(connection, wanted.source, wanted.kind, wanted.reference)
        if known is not None:
            if _identity(known) != _identity(wanted):
                raise OtherMovementError(known)
            return known, False
        month = f"{wanted.happened_at.astimezone(calendar):%Y-%m}"
        closed = ClosedMonths(load_marks(connection, DESK_PARTITION))
        period = closed.month_for(wanted.legal_entity, month)
        made = wanted._replace(original_period=month, period=period)
        row = (*made[:6], *made[7:-1])
        [(number,)] = connection.execute(_RECORD, row).fetchall()
        of_it = number, made.happened_at
        with connection.cursor() as cursor:
            cursor.executemany(
                _ALLOT,
                [
                    (*of_it, place, each.account, each.party, each.document, each.minor)
                    for place, each in enumerate(made.allotments, 1)
                ],
            )
        store_entries(connection, [made.entry()])
        keep_open_invoices(connection, documents_of([made]))
        append_decision(
            connection,
            DeskDecision.MOVED,
            subject=str(number),
            revision=FIRST_REVISION,
            sha256=hash_movement(made),
        )
    return made._replace(number=number), True


def hash_movement(movement: MoneyMovement) -> str:
    """Return the hash under which the feed names a movement: of all of it but its number."""
    return hash_decision(canonical_json(movement[:-1]))


def find_movement(
    connection: Connection[Any], source: str, kind: MoneyKind, reference: str
) -> MoneyMovement | None:
    """Return the movement of that name, None where there is none."""
    found = _movements(connection, _NAMED, source, kind.value, reference)
    return found[0] if found else None


def movements(
    connection: Connection[Any], numbers: Sequence[int] | None = None
) -> list[MoneyMovement]:
    """Return movements in their order: those of *numbers*, if not said otherwise all."""
    if numbers is None:
        return _movements(connection, _ALL)
    return _movements(connection, _NUMBERED, list(numbers))


def movements_about(connection: Connection[Any], about: str) -> list[MoneyMovement]:
    """Return the movements that follow from *about*, in their order."""
    return _movements(connection, _ABOUT, about)


def movements_of_document(connection: Connection[Any], document: str) -> list[MoneyMovement]:
    """Return the movements of which something was for *document*, in their order."""
    return _movements(connection, _OF_DOCUMENT, document)


def _movements(
    connection: Connection[Any], query: LiteralString, *asked: object
) -> list[MoneyMovement]:
    rows = connection.execute(query, asked).fetchall()
    return [_movement(list(legs)) for _, legs in groupby(rows, key=lambda row: row[0])]


def _movement(rows: Sequence[tuple[Any, ...]]) -> MoneyMovement:
    number, kind, *told = rows[0][:12]
    source, reference, legal_entity, currency, amount_minor, happened_at, *rest = told
    recorded_by, about, original_period, period = rest
    return MoneyMovement(
        kind=MoneyKind(kind),
        source=source,
        reference=reference,
        legal_entity=legal_entity,
        currency=currency,
        amount_minor=amount_minor,
        allotments=tuple(
            Allotment(account, minor, party, document)
            for account, party, document, minor in (row[12:] for row in rows)
            if minor is not None
        ),
        happened_at=happened_at.astimezone(UTC),
        recorded_by=recorded_by,
        about=about,
        original_period=original_period,
        period=period,
        number=number,
    )


def _identity(movement: MoneyMovement) -> tuple[object, ...]:
    return movement.legal_entity, movement.currency, movement.amount_minor


class OtherMovementError(LedgerError):
    """A reference names a movement of another amount, currency or legal entity."""

    def __init__(self, known: MoneyMovement) -> None:
        super().__init__(
            f"{known.kind} {known.source}/{known.reference} was recorded with "
            f"{known.amount_minor} minor units {known.currency} for {known.legal_entity}: "
            "what is told now is another movement; look at it with `wattledger payments show`"
        )
        self.known = known
