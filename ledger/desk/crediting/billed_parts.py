"""What of an invoice a person gives back, or its payer contests: as choices about its sessions.

    the whole invoice   -> all of each session that still stands on it
    one line of it      -> that line of its session, as the revision says that holds by now

With it goes what lowered its price, where that would be owed to the payer alone, as
`ledger.rating.reconciling.giving_back` has it: the note says so, and so does what looks ahead.

A line that was credited, or that late facts have changed since, is refused: who chooses sees the
invoice, and what is owed is not that any more. What was charged at a partner's station follows that
one's CDR, and is given back by disputing it: as long as such a session stands on an invoice, the
whole of it is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString, NamedTuple

from psycopg import Connection

from ledger.books.decisions_store import rated_sessions
from ledger.books.document_taxes import DocumentTaxes, owed_beyond
from ledger.desk.choices import AtPartnerError, NotPricedError, not_found
from ledger.errors import LedgerError
from ledger.invoices.crediting import credited_before
from ledger.invoices.order import part_of
from ledger.rating.decisions import SessionRated, SessionRevision
from ledger.rating.reconciling.giving_back import GIVEN_BACK, given_back_of, with_given_back
from ledger.sessions.states import PRICED

_STANDS: LiteralString = """
SELECT session_id, stands.revision, latest.revision, coalesce(session.flags, '{}'), ARRAY(
    SELECT line FROM credited_line AS gone
    WHERE gone.session_id = stands.session_id AND gone.revision = stands.revision
)
FROM invoiced_session AS stands JOIN final_decision AS latest USING (session_id)
LEFT JOIN session USING (session_id)
WHERE stands.number = %s AND (%s::text IS NULL OR session_id = %s) AND NOT EXISTS (
    SELECT FROM credited_session AS credited WHERE credited.session_id = stands.session_id
    AND credited.revision = stands.revision AND credited.is_rest
) ORDER BY session_id
"""


class LineOnInvoice(NamedTuple):
    """A line of an invoice: `line` there, and `rated_line` in the rating of its session."""

    line: int
    session_id: str
    rated_line: int


class BilledPart(NamedTuple):
    """What stands on an invoice of a session: the lines of `was` numbered `lines`.

    `now` holds; `chosen` are the same lines in it, none for all of it. `flags`: the session's.
    """

    was: SessionRated
    lines: tuple[int, ...]
    now: SessionRated
    chosen: tuple[int, ...]
    flags: tuple[str, ...]


def billed_parts(
    connection: Connection[Any], number: str, line: LineOnInvoice | None = None
) -> list[BilledPart]:
    """Return what of invoice *number*, or its *line* alone, stands there and can be given back.

    Raises:
        NothingStandsError: If nothing of it does.
        ReplacedLineError: If another revision of its session holds, and says otherwise.
        AtPartnerError: If one of its sessions was at a partner's station, and is owed.
    """
    session_id = line.session_id if line else None
    rows = connection.execute(_STANDS, (number, session_id, session_id)).fetchall()
    was = rated_sessions(connection, [SessionRevision(row[0], row[1]) for row in rows])
    now = rated_sessions(connection, [SessionRevision(row[0], row[2]) for row in rows])
    _refuse_partners(number, now)
    found = []
    for (_, _, _, flags, gone), before, holds in zip(rows, was, now, strict=True):
        left = tuple(each.line for each in before.lines if each.line not in gone)
        if line is not None and line.rated_line in left:
            chosen = _same_line(number, line, before, holds)
            found.append(BilledPart(before, (line.rated_line,), holds, chosen, tuple(flags)))
        elif line is None and not holds.is_given_back:
            found.append(BilledPart(before, left, holds, (), tuple(flags)))
    if not found:
        raise NothingStandsError(number, line.line if line else None)
    return found


def _refuse_partners(number: str, now: Sequence[SessionRated]) -> None:
    owed = [each for each in now if each.elsewhere is not None and not each.is_given_back]
    if not owed or owed[0].elsewhere is None:
        return
    more = f" and {len(owed) - 1} more" if len(owed) > 1 else ""
    what = f"of invoice {number}, session {owed[0].session_id}{more}"
    raise AtPartnerError(owed[0].elsewhere.party, owed[0].elsewhere.cdr_id, what)


def with_what_goes_along(part: BilledPart) -> BilledPart:
    """Return *part* with all lines that are free once the chosen ones are given back."""
    if not part.chosen:
        return part
    given_back = (*part.now.given_back, *given_back_of(part.now, part.chosen))
    left = with_given_back(part.now, given_back)
    free = {
        (line.component, line.starts_at)
        for line, before in zip(left.lines, part.now.lines, strict=True)
        if GIVEN_BACK in line.reasons and GIVEN_BACK not in before.reasons
    }
    along = {line.line for line in part.was.lines if (line.component, line.starts_at) in free}
    return part._replace(lines=tuple(sorted({*part.lines, *along})))


def rated_part(connection: Connection[Any], session_id: str, line: int | None = None) -> BilledPart:
    """Return a priced session, or a *line* of its rating, invoiced or not.

    Raises:
        UnknownSessionError: If there is no such session.
        AtPartnerError: If it was at a partner's station.
        NotPricedError: If it has no price that holds.
        NoSuchLineError: If its rating has no such line.
    """
    query = "SELECT state, revision, flags FROM session WHERE session_id = %s"
    row = connection.execute(query, (session_id,)).fetchone()
    if row is None:
        raise not_found(session_id)
    state, revision, flags = row
    if state not in PRICED:
        raise NotPricedError(session_id, state)
    [now] = rated_sessions(connection, [SessionRevision(session_id, revision)])
    lines = tuple(each.line for each in now.lines)
    if line is not None and line not in lines:
        raise NoSuchLineError(session_id, line, len(lines))
    chosen = () if line is None else (line,)
    return BilledPart(now, chosen or lines, now, chosen, tuple(flags))


def owed_no_more(
    connection: Connection[Any], number: str, parts: Sequence[BilledPart]
) -> DocumentTaxes:
    """Return what a credit note to invoice *number* over *parts*, at least one, comes to."""
    lines = [part_of(part.was, part.lines) for part in parts]
    return owed_beyond(credited_before(connection, number), lines)


def _same_line(
    number: str, line: LineOnInvoice, was: SessionRated, now: SessionRated
) -> tuple[int]:
    """Return which line of *now* the invoice's *line*, one of *was*, is by now."""
    [billed] = [each for each in was.lines if each.line == line.rated_line]
    for each in now.lines:
        if (each.component, each.starts_at) == (billed.component, billed.starts_at):
            if GIVEN_BACK in each.reasons and GIVEN_BACK not in billed.reasons:
                raise NothingStandsError(number, line.line)
            if (each.net_minor, each.tax_minor) == (billed.net_minor, billed.tax_minor):
                return (each.line,)
    raise ReplacedLineError(number, line.line, now.decides)


class NoSuchLineError(LedgerError):
    """A session's rating has no line of that number."""

    def __init__(self, session_id: str, line: int, lines: int) -> None:
        self.session_id, self.line, self.lines = session_id, line, lines
        super().__init__(f"session {session_id} is rated with lines 1 to {lines}, not {line}")


class NothingStandsError(LedgerError):
    """What is to be given back was given back, or credited for another reason, already."""

    def __init__(self, number: str, line: int | None) -> None:
        self.number, self.line = number, line
        what = f"invoice {number}" if line is None else f"line {line} of invoice {number}"
        super().__init__(f"{what} is owed no more: it was given back or credited already")


class ReplacedLineError(LedgerError):
    """A correction holds in place of what stands on the invoice, and says otherwise."""

    def __init__(self, number: str, line: int, holds: SessionRevision) -> None:
        self.number, self.line, self.holds = number, line, holds
        super().__init__(
            f"line {line} of invoice {number} holds no more: session {holds.session_id} was "
            f"corrected, revision {holds.revision} holds, and its documents are still to come"
        )
