"""What becomes of a line after it was booked: matched later, by evidence or a person, and undone.

A match is a movement of its own that is never changed: the opposite one takes it back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.books.journal import JournalEntry
from ledger.books.prepayments import record_prepayment
from ledger.payments.awaited import awaited_payouts
from ledger.payments.bank.document_names import DocumentNames
from ledger.payments.bank.importing import Importing, rest_prepayments, rest_references
from ledger.payments.bank.lines import (
    BankLine,
    details_of_lines,
    facts_of,
    lines_to_match_again,
    note_left,
    still_waiting,
)
from ledger.payments.bank.matching import (
    BY_PERSONS,
    Matching,
    PrepaidRest,
    WaitReason,
    match,
    named_documents,
)
from ledger.payments.bank.standing import standing_of
from ledger.payments.movement import UNMATCHED, Allotment, MoneyKind, MoneyMovement
from ledger.payments.recording import (
    find_movement,
    movements_about,
    record_movement,
    under_the_books,
)
from tariffs.zones import zone

PAGE: Final = 1_000
_PREPAID: LiteralString = """
SELECT customer, sum(amount_minor)::bigint FROM prepayment
WHERE legal_entity = %s AND reference = ANY (%s)
GROUP BY customer HAVING sum(amount_minor) <> 0 ORDER BY customer
"""


class Match(NamedTuple):
    """What of a line is for what, in minor units; `prepaid`: what goes to or from balances."""

    allotments: tuple[Allotment, ...]
    prepaid: tuple[PrepaidRest, ...] = ()

    @property
    def minor(self) -> int:
        """What it takes out of `cash:unmatched`."""
        return sum(each.minor for each in self.allotments)

    @property
    def moved_minor(self) -> int:
        """How much it moves, whichever way."""
        return sum(abs(each.minor) for each in self.allotments)


def record_match(
    connection: Connection[Any],
    line: BankLine,
    wanted: Match,
    reason: WaitReason,
    *,
    by: str,
    at: datetime,
    calendar: tzinfo = UTC,
) -> MoneyMovement:
    """Book what *line* is for, under the books; *reason* is why the rest of it waits.

    Raises:
        BalanceTooSmallError: If a balance has not what is to be taken from it.
    """
    with under_the_books(connection):
        turn = next_turn(connection, line)
        made = match_movement(line, wanted, turn, by=by, at=at)
        movement, _ = record_movement(connection, made, calendar)
        for prepayment in rest_prepayments(movement, wanted.prepaid):
            record_prepayment(connection, prepayment, calendar)
        note_left(connection, line.line, line.left_minor - wanted.minor, reason)
    return movement


def next_turn(connection: Connection[Any], line: BankLine) -> int:
    """Return how many times somebody will have said what *line* is for with the next one."""
    return 1 + len(movements_about(connection, line.line))


def match_movement(
    line: BankLine, wanted: Match, turn: int, *, by: str, at: datetime
) -> MoneyMovement:
    """Return the movement by which a match is booked."""
    out = (Allotment(UNMATCHED, -wanted.minor),) if wanted.minor else ()
    return MoneyMovement(
        kind=MoneyKind.MATCHED,
        source=line.source,
        reference=f"{line.line}/{turn}",
        legal_entity=line.legal_entity,
        currency=line.currency,
        amount_minor=0,
        allotments=(*out, *wanted.allotments),
        happened_at=at,
        recorded_by=by,
        about=line.line,
    )


def match_entries(
    line: BankLine, wanted: Match, turn: int, *, at: datetime
) -> tuple[JournalEntry, ...]:
    """Return what a match would post: its movement, and what goes to or from balances."""
    movement = match_movement(line, wanted, turn, by="", at=at)
    prepaid = rest_prepayments(movement, wanted.prepaid)
    return (movement.entry(), *(each.entry() for each in prepaid))


def undoing(connection: Connection[Any], line: BankLine) -> Match:
    """Return the match that takes back all that *line* is for."""
    booked = find_movement(connection, line.source, MoneyKind.BANKED, line.line)
    told = [*([booked] if booked else []), *movements_about(connection, line.line)]
    for_what = Counter[tuple[str, str, str]]()
    for movement in told:
        for each in movement.allotments:
            if each.account != UNMATCHED:
                for_what[each.account, each.party, each.document] += each.minor
    references = [name for each in told for name in rest_references(each, len(told))]
    prepaid = connection.execute(_PREPAID, (line.legal_entity, references)).fetchall()
    return Match(
        tuple(
            Allotment(account, -minor, party, document)
            for (account, party, document), minor in for_what.items()
            if minor
        ),
        tuple(PrepaidRest(customer, -minor) for customer, minor in prepaid),
    )


def match_waiting(importing: Importing) -> int:
    """Match what waits and is sure by now: a payout or an invoice may come after the money.

    What a person decided about is left to persons. Returns how many lines left the work list.
    """
    connection, matched = importing.connection, 0
    awaited = {each.under_way_minor for each in awaited_payouts(connection)}
    last: BankLine | None = None
    is_more = True
    while is_more and (page := lines_to_match_again(connection, PAGE, awaited, last)):
        last, is_more = page[-1], len(page) == PAGE
        by_entity: dict[str, list[BankLine]] = {}
        for line in page:
            if line.reason not in BY_PERSONS:
                by_entity.setdefault(line.legal_entity, []).append(line)
        for legal_entity, lines in by_entity.items():
            matched += _match_again(importing, legal_entity, lines)
    return matched


def _match_again(importing: Importing, legal_entity: str, lines: Sequence[BankLine]) -> int:
    connection, declared = importing.connection, importing.declared
    names = DocumentNames(declared, legal_entity)
    told = details_of_lines(connection, lines)
    named = {
        line.line: named_documents(told[line.line].written(), names)
        for line in lines
        if line.line in told
    }
    entity = declared.legal_entity(legal_entity, importing.now)
    calendar = zone(entity.time_zone) if entity else UTC
    wanted = {document for documents in named.values() for document in documents}
    matched = 0
    with under_the_books(connection):
        standing = standing_of(connection, wanted, legal_entity)
        # A person, or another import, may have said what one is for while its texts were read.
        for line in still_waiting(connection, list(named)):
            if line.reason in BY_PERSONS:
                continue
            found = match(facts_of(line, told[line.line]), named[line.line], standing)
            if found.reason is None:
                by, at = importing.by, importing.now
                reason = WaitReason(line.reason)
                record_match(
                    connection, line, _sure(found), reason, by=by, at=at, calendar=calendar
                )
                matched += 1
    return matched


def _sure(found: Matching) -> Match:
    return Match(found.allotments, (found.prepaid,) if found.prepaid else ())
