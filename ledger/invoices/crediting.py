"""Which corrections need a credit note: what stands on an invoice and holds no more.

The worker notes each correction in its own transaction (`correction_to_document`), whatever was
invoiced by then. Whoever issues invoices looks what stands on one, with all that was saved booked:

    revision 1 waits for its invoice, 2 corrects it    -> 2 took its place there; nothing to credit
    1 is invoiced, 2 costs another amount              -> credit 1 in full, invoice 2
    1 is invoiced, 2 costs the same                    -> nothing: no document would say news
    1 is invoiced, 2 and 3 correct it within the hour  -> credit 1, invoice 3
    1 is invoiced, 2 is it without what a person gave back -> credit these lines of 1; the rest of
                                                          1 stands for 2, and nothing is invoiced
    then 3 corrects that                               -> credit the rest of 1, invoice 3

All of them wait for the policy's `wait_s` after the last correction: a queue of yesterday comes
frame by frame, and is one credit note and one invoice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.books.decisions_store import rated_sessions
from ledger.declared.declarations import Declarations
from ledger.invoices.document import lines_before, read_document
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.order import Credited, CreditedPart, cause_of_credit, part_of
from ledger.rating.decisions import RatedLine, SessionRated, SessionRevision
from ledger.rating.reconciling.giving_back import GIVEN_BACK

_AT_ONCE: Final = 10_000
"""So many sessions are looked at in one go."""
_READ_AT_ONCE: Final = 500
"""Of so many the ratings are read together."""
_CORRECTED: LiteralString = """
SELECT due.session_id, latest.revision, coalesce(stands.revision, 0),
       coalesce(stands.number, ''), invoice.issued_on, ARRAY(
           SELECT line FROM credited_line AS gone WHERE gone.session_id = stands.session_id
           AND gone.revision = stands.revision ORDER BY line
       )
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
    AND credited.is_rest
)
LEFT JOIN issued_invoice AS invoice ON invoice.number = stands.number
ORDER BY stands.number, due.session_id
"""
_CREDITED: LiteralString = """
SELECT session_id, revision, array_agg(line) FROM credited_line
JOIN issued_invoice AS note USING (number) WHERE note.credits = %s
GROUP BY session_id, revision ORDER BY session_id, revision
"""
_NOTES: LiteralString = """
SELECT count(*), (SELECT cause FROM issued_invoice WHERE number = %(number)s)
FROM issued_invoice WHERE credits = %(number)s
"""
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
    credited: list[int]


class _Due(NamedTuple):
    """A rating that stands on an invoice, and what of it is to be credited."""

    was: SessionRated
    lines: tuple[int, ...]
    now: SessionRated


def due_credits(
    connection: Connection[Any],
    issuer: InvoiceIssuer,
    declarations: Declarations,
    up_to: datetime,
    leaves: Callable[[str], bool] = lambda _cause: False,
) -> Iterator[DueDocument]:
    """Yield what is to be credited, an invoice at a time; drop corrections that need no document.

    Without what *leaves* says to leave. For whoever holds the lock of issuing, with all that is
    saved booked.
    """
    until = up_to - timedelta(seconds=declarations.policy(up_to).wait_s)
    asked = {"until": until, "at_once": _AT_ONCE}
    found = [_Standing(*row) for row in connection.execute(_CORRECTED, asked)]
    by_invoice: defaultdict[tuple[str, date], list[_Due]] = defaultdict(list)
    for first in range(0, len(found), _READ_AT_ONCE):
        for each, due in _charged_otherwise(connection, found[first : first + _READ_AT_ONCE]):
            by_invoice[each.number, each.issued_on].append(due)
    for (number, issued_on), dues in by_invoice.items():
        notes, cause = connection.execute(_NOTES, {"number": number}).fetchone() or (0, "")
        if leaves(cause_of_credit(number, notes + 1)):
            continue
        credited = Credited(
            number=number,
            issued_on=issued_on,
            parts=_parts(dues, _lines_before(issuer, cause)),
            before=credited_before(connection, number),
        )
        sessions = tuple(due.was for due in dues)
        yield DueDocument(cause_of_credit(number, notes + 1), credited, sessions)


def _lines_before(issuer: InvoiceIssuer, cause: str) -> Mapping[SessionRevision, int]:
    invoice = issuer.find(cause)
    assert invoice is not None, cause
    return lines_before(read_document(invoice.document))


def _parts(dues: Sequence[_Due], before: Mapping[SessionRevision, int]) -> dict[str, CreditedPart]:
    return {
        due.was.session_id: credited_part(due.was, due.lines, due.now, before[due.was.decides])
        for due in dues
    }


def credited_part(
    was: SessionRated, lines: Sequence[int], now: SessionRated, before: int
) -> CreditedPart:
    """Return what is credited of *was*, which has *before* lines before it on its invoice.

    *lines* are those of the rating; *now* holds in its place.
    """
    order = [line.line for line in was.lines]
    assert now.corrects is not None, now.session_id
    return CreditedPart(
        invoice_lines=tuple(before + order.index(line) + 1 for line in lines),
        rated_lines=tuple(lines),
        replaced_by=now.revision,
        cause=now.corrects.cause,
    )


def _charged_otherwise(
    connection: Connection[Any], corrected: Sequence[_Standing]
) -> list[tuple[_Standing, _Due]]:
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
        left = part_of(was, {line.line for line in was.lines} - {*each.credited})
        if _charges(left) != _charges(now):
            lines = _lines_given_back(left, now) or tuple(line.line for line in left.lines)
            otherwise.append((each, _Due(was, lines, now)))
            continue
        with connection.transaction():
            connection.execute(_NEEDS_NONE, (each.session_id, each.latest))
            connection.execute(_SAME_AS_INVOICED, (each.session_id, each.latest))
    return otherwise


def credited_before(connection: Connection[Any], number: str) -> tuple[SessionRated, ...]:
    """Return what booked credit notes credit of the ratings on invoice *number*."""
    rows: Sequence[tuple[str, int, list[int]]]
    rows = connection.execute(_CREDITED, (number,)).fetchall()
    ratings = rated_sessions(connection, [SessionRevision(*row[:2]) for row in rows])
    return tuple(part_of(each, {*row[2]}) for each, row in zip(ratings, rows, strict=True))


def _lines_given_back(left: SessionRated, now: SessionRated) -> tuple[int, ...]:
    """Return which lines of *left* a person gave back, if *now* says nothing else; else none."""
    if now.is_given_back or _terms(left) != _terms(now):
        return ()
    others = {(line.component, line.starts_at): line for line in now.lines}
    found = []
    for line in left.lines:
        other = others.pop((line.component, line.starts_at), None)
        if other is not None and GIVEN_BACK in other.reasons and GIVEN_BACK not in line.reasons:
            found.append(line.line)
        elif other is None or _charge(other) != _charge(line):
            return ()
    is_more = any(line.net_minor or line.tax_minor for line in others.values())
    return () if is_more else tuple(found)


def _charge(line: RatedLine) -> tuple[object, ...]:
    return line.ends_at, line.volume, line.net_minor, line.tax_minor, line.tax_percent


def _charges(rated: SessionRated) -> tuple[object, ...]:
    """Return what a document says of a rating: who owes what, for which tax."""
    lines = sorted(
        (str(line.dimension), str(line.tax_percent), line.net_minor, line.tax_minor)
        for line in rated.lines
        if line.net_minor or line.tax_minor
    )
    return (*_terms(rated), lines)


def _terms(rated: SessionRated) -> tuple[object, ...]:
    taxed = rated.country, rated.reverse_charge_vat_id, rated.sales_taxes
    return rated.payer, rated.legal_entity, *taxed, rated.currency, rated.energy_wh
