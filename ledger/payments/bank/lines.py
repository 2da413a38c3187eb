"""Lines of bank statements as they are kept, and which of them wait for a person."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from typing import Any, LiteralString, NamedTuple

from psycopg import Connection
from psycopg.rows import class_row

from ledger.payments.bank.details import LineDetails, decoded_details
from ledger.payments.bank.matching import LineFacts, WaitReason
from ledger.payments.batches import MANY
from ledger.persons.sealing import Subject, unseal
from ledger.persons.store import keys_of

_KEEP: LiteralString = """
COPY bank_line (line, entry, statement, source, legal_entity, currency, amount_minor, booked_on,
    value_on, is_reversal, subject, sealed) FROM STDIN
"""
_WAIT: LiteralString = "COPY unmatched_line (line, left_minor, reason, booked_on) FROM STDIN"
_LEFT: LiteralString = """
INSERT INTO unmatched_line (line, left_minor, reason, booked_on)
SELECT line, %(left)s, %(reason)s, booked_on FROM bank_line WHERE line = %(line)s AND %(left)s <> 0
ON CONFLICT (line) DO UPDATE SET left_minor = excluded.left_minor, reason = excluded.reason
"""
_DONE: LiteralString = "DELETE FROM unmatched_line WHERE line = %s"
_COLUMNS: LiteralString = """
SELECT bank_line.line, source, legal_entity, currency, amount_minor, bank_line.booked_on, value_on,
    is_reversal, subject, sealed, coalesce(left_minor, 0) AS left_minor,
    coalesce(reason, '') AS reason
FROM bank_line LEFT JOIN unmatched_line ON unmatched_line.line = bank_line.line
"""
_NAMED: LiteralString = _COLUMNS + "WHERE bank_line.line = ANY (%s)"
_WAITING: LiteralString = (
    _COLUMNS
    + """
WHERE left_minor IS NOT NULL AND (unmatched_line.booked_on, unmatched_line.line) > (%s, %s)
ORDER BY unmatched_line.booked_on, unmatched_line.line LIMIT %s
"""
)
# What names nothing of ours may be a payout, by its amount; else no document of later explains it.
_AGAIN: LiteralString = (
    _COLUMNS
    + """
WHERE (reason <> 'no_reference' OR reason = 'no_reference' AND left_minor = ANY (%s::bigint[]))
    AND (unmatched_line.booked_on, unmatched_line.line) > (%s, %s)
ORDER BY unmatched_line.booked_on, unmatched_line.line LIMIT %s
"""
)
# By what waits: however many do, these alone are looked up.
_STILL: LiteralString = (
    _COLUMNS
    + """
WHERE unmatched_line.line = ANY (%s) ORDER BY unmatched_line.booked_on, unmatched_line.line
"""
)
_FIRST: tuple[date, str] = (date.min, "")


class KeptLine(NamedTuple):
    """A line that is to be kept: its names, what is sealed of it, and what matching needs."""

    line: str
    entry: str
    source: str
    facts: LineFacts
    value_on: date
    subject: str
    sealed: str
    documents: tuple[str, ...]


class BankLine(NamedTuple):
    """A line as it is kept, and what of it waits; in minor units."""

    line: str
    source: str
    legal_entity: str
    currency: str
    amount_minor: int
    booked_on: date
    value_on: date
    is_reversal: bool
    subject: str
    sealed: str
    left_minor: int
    reason: str


def keep_lines(connection: Connection[Any], statement: int, lines: Sequence[KeptLine]) -> None:
    """Keep the *lines* of a statement."""
    with connection.cursor() as cursor, cursor.copy(_KEEP) as copy:
        for each in lines:
            facts = each.facts
            row = (facts.legal_entity, facts.currency, facts.amount_minor, facts.booked_on)
            rest = (each.value_on, facts.is_reversal, each.subject, each.sealed)
            copy.write_row((each.line, each.entry, statement, each.source, *row, *rest))
    if len(lines) >= MANY:
        connection.execute("ANALYZE bank_line")


def keep_waiting(
    connection: Connection[Any], waiting: Iterable[tuple[str, int, WaitReason, date]]
) -> int:
    """Put new lines on the work list: which, how much of it, why, booked when; return how many."""
    count = 0
    with connection.cursor() as cursor, cursor.copy(_WAIT) as copy:
        for each in waiting:
            copy.write_row(each)
            count += 1
    return count


def note_left(
    connection: Connection[Any], line: str, left_minor: int, reason: WaitReason | str
) -> None:
    """Note what of *line* waits now; nothing of it: it leaves the work list."""
    if left_minor:
        connection.execute(_LEFT, {"line": line, "left": left_minor, "reason": str(reason)})
    else:
        connection.execute(_DONE, (line,))


def find_line(connection: Connection[Any], line: str) -> BankLine | None:
    """Return the line of that name, None where there is none."""
    found = find_lines(connection, [line])
    return found[0] if found else None


def find_lines(connection: Connection[Any], lines: Sequence[str]) -> list[BankLine]:
    """Return the lines of those names that there are, in no order."""
    with connection.cursor(row_factory=class_row(BankLine)) as cursor:
        return cursor.execute(_NAMED, (list(lines),)).fetchall()


def waiting_lines(
    connection: Connection[Any], limit: int, after: BankLine | None = None
) -> list[BankLine]:
    """Return what waits for a person, the oldest first, behind *after*."""
    since = _FIRST if after is None else (after.booked_on, after.line)
    with connection.cursor(row_factory=class_row(BankLine)) as cursor:
        return cursor.execute(_WAITING, (*since, limit)).fetchall()


def lines_to_match_again(
    connection: Connection[Any],
    limit: int,
    awaited: Collection[int],
    after: BankLine | None = None,
) -> list[BankLine]:
    """Return what waits and may be sure by now, the oldest first, behind *after*.

    Of what names nothing of ours that is what comes to one of the amounts *awaited*, in minor
    units: a bank may show a thousand lines a day that are no matter of ours.
    """
    since = _FIRST if after is None else (after.booked_on, after.line)
    with connection.cursor(row_factory=class_row(BankLine)) as cursor:
        return cursor.execute(_AGAIN, (sorted(awaited), *since, limit)).fetchall()


def still_waiting(connection: Connection[Any], lines: Sequence[str]) -> list[BankLine]:
    """Return which of the lines of those names wait now, the oldest first."""
    with connection.cursor(row_factory=class_row(BankLine)) as cursor:
        return cursor.execute(_STILL, (list(lines),)).fetchall()


def details_of_lines(
    connection: Connection[Any], lines: Sequence[BankLine]
) -> dict[str, LineDetails]:
    """Return by line what it says, of those whose payers were not erased."""
    keys = keys_of(connection, {each.subject for each in lines})
    return {
        each.line: decoded_details(unseal(Subject(each.subject, keys[each.subject]), each.sealed))
        for each in lines
        if each.subject in keys
    }


def facts_of(line: BankLine, details: LineDetails) -> LineFacts:
    """Return a kept line as matching sees it: what still waits of it."""
    return LineFacts(
        amount_minor=line.left_minor,
        currency=line.currency,
        legal_entity=line.legal_entity,
        booked_on=line.booked_on,
        is_reversal=line.is_reversal,
        payer=details.payer,
        written=details.written(),
    )
