"""Which corrections need a credit note: what stands on an invoice and holds no more.

The worker notes each correction in its own transaction (`correction_to_document`), whatever was
invoiced by then. Whoever issues invoices looks what stands on one, with all that was saved booked:

    revision 1 waits for its invoice, 2 corrects it    -> 2 took its place there; nothing to credit
    1 is invoiced, 2 costs another amount              -> credit 1 in full, invoice 2
    1 is invoiced, 2 costs the same                    -> nothing: no document would say news
    1 is invoiced, 2 and 3 correct it within the hour  -> credit 1, invoice 3

All of them wait for the policy's `wait_s` after the last correction: a queue of yesterday comes
frame by frame, and is one credit note and one invoice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.books.decisions_store import rated_sessions
from ledger.declared.declarations import Declarations
from ledger.invoices.order import Credited, cause_of_credit
from ledger.rating.decisions import SessionRated, SessionRevision

_AT_ONCE: Final = 10_000
"""So many sessions are looked at in one go."""
_READ_AT_ONCE: Final = 500
"""Of so many the ratings are read together."""
_CORRECTED: LiteralString = """
SELECT due.session_id, latest.revision, coalesce(stands.revision, 0),
       coalesce(stands.number, ''), invoice.issued_on
FROM (
    SELECT session_id FROM correction_to_document AS waited
    WHERE NOT is_settled_with_partner AND decided_at <= %(until)s AND NOT EXISTS (
        SELECT FROM correction_to_document AS later
        WHERE later.session_id = waited.session_id AND later.decided_at > %(until)s
    ) GROUP BY session_id ORDER BY min(decided_at), session_id LIMIT %(at_once)s
) AS due
JOIN final_decision AS latest USING (session_id)
LEFT JOIN invoiced_session AS stands ON stands.session_id = due.session_id AND NOT EXISTS (
    SELECT FROM credited_session AS credited
    WHERE credited.session_id = stands.session_id AND credited.revision = stands.revision
)
LEFT JOIN issued_invoice AS invoice ON invoice.number = stands.number
ORDER BY stands.number, due.session_id
"""
_CREDITED: LiteralString = """
SELECT session_id, revision FROM credited_session AS credited
JOIN issued_invoice AS note USING (number) WHERE note.credits = %s ORDER BY session_id
"""
_NOTES: LiteralString = "SELECT count(*) FROM issued_invoice WHERE credits = %s"
_NEEDS_NONE: LiteralString = """
DELETE FROM correction_to_document WHERE session_id = %s AND revision <= %s
"""
_SAME_AS_INVOICED: LiteralString = """
DELETE FROM uninvoiced_session WHERE session_id = %s AND revision = %s
"""


class DueDocument(NamedTuple):
    """What one document is about; `credited`: of a credit note, the invoice its ratings are on."""

    cause: str
    credited: Credited | None
    sessions: tuple[SessionRated, ...]


class _Standing(NamedTuple):
    """A corrected session, and which of its revisions stands on which invoice ("": on none)."""

    session_id: str
    latest: int
    invoiced: int
    number: str
    issued_on: date


def due_credits(
    connection: Connection[Any], declarations: Declarations, up_to: datetime
) -> Iterator[DueDocument]:
    """Yield what is to be credited, an invoice at a time; drop corrections that need no document.

    For whoever holds the lock of issuing, with all that is saved booked.
    """
    until = up_to - timedelta(seconds=declarations.policy(up_to).wait_s)
    asked = {"until": until, "at_once": _AT_ONCE}
    found = [_Standing(*row) for row in connection.execute(_CORRECTED, asked)]
    by_invoice: defaultdict[tuple[str, date], list[SessionRevision]] = defaultdict(list)
    for first in range(0, len(found), _READ_AT_ONCE):
        for each in _charged_otherwise(connection, found[first : first + _READ_AT_ONCE]):
            stands = SessionRevision(each.session_id, each.invoiced)
            by_invoice[each.number, each.issued_on].append(stands)
    for (number, issued_on), sessions in by_invoice.items():
        before = credited_before(connection, number)
        (notes,) = connection.execute(_NOTES, (number,)).fetchone() or (0,)
        yield DueDocument(
            cause_of_credit(number, notes + 1),
            Credited(number=number, issued_on=issued_on, before=before),
            rated_sessions(connection, sessions),
        )


def _charged_otherwise(
    connection: Connection[Any], corrected: Sequence[_Standing]
) -> list[_Standing]:
    """Return those whose invoice says another charge than holds; the others need no document."""
    standing = [each for each in corrected if each.number]
    for each in corrected:
        if not each.number:
            connection.execute(_NEEDS_NONE, (each.session_id, each.latest))
    invoiced = [SessionRevision(each.session_id, each.invoiced) for each in standing]
    latest = [SessionRevision(each.session_id, each.latest) for each in standing]
    ratings = rated_sessions(connection, [*invoiced, *latest])
    pairs = zip(standing, ratings, ratings[len(standing) :], strict=False)
    otherwise = []
    for each, was, now in pairs:
        if _charges(was) != _charges(now):
            otherwise.append(each)
            continue
        with connection.transaction():
            connection.execute(_NEEDS_NONE, (each.session_id, each.latest))
            connection.execute(_SAME_AS_INVOICED, (each.session_id, each.latest))
    return otherwise


def credited_before(connection: Connection[Any], number: str) -> tuple[SessionRated, ...]:
    """Return the ratings on invoice *number* that booked credit notes credit."""
    rows: Sequence[tuple[str, int]] = connection.execute(_CREDITED, (number,)).fetchall()
    return rated_sessions(connection, [SessionRevision(*row) for row in rows])


def _charges(rated: SessionRated) -> tuple[object, ...]:
    """Return what a document says of a rating: who owes what, for which tax."""
    lines = sorted(
        (str(line.dimension), str(line.tax_percent), line.net_minor, line.tax_minor)
        for line in rated.lines
        if line.net_minor or line.tax_minor
    )
    return rated.payer, rated.legal_entity, rated.country, rated.currency, rated.energy_wh, lines
