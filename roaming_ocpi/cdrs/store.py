"""CDRs of ours in PostgreSQL: rows that are only added, numbered per partner without gaps.

Whoever adds some holds a lock until the commit. So numbers and `made_at` come in the order of the
commits: who pages by them, or asks for what is new since the last one, misses none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

import msgspec
from msgspec.structs import replace
from psycopg import Connection

from ledger.database import copy_rows
from ledger.rating.decisions import SessionRevision
from roaming_ocpi.cdrs.made import CdrKind, CdrNote, MadeCdr
from tariffs.phrases.printable import printable

SELECT: Final[LiteralString] = (
    "SELECT party, number, cdr_id, session_id, revision, kind, credits, legal_entity, currency,"
    " net_minor, tax_minor, energy_wh, started_at, ended_at, billing_month, made_at, notes::text,"
    " body, sha256 FROM roaming_cdr"
)
_LOCK: LiteralString = "SELECT pg_advisory_xact_lock(hashtextextended('roaming_cdr', 0))"
_COPY: LiteralString = """
COPY roaming_cdr (party, number, cdr_id, session_id, revision, kind, credits, legal_entity,
    currency, net_minor, tax_minor, energy_wh, started_at, ended_at, billing_month, made_at, notes,
    body, sha256) FROM STDIN
"""
_OF_SESSIONS: LiteralString = (
    f"{SELECT} WHERE session_id = ANY (%b::text[]) ORDER BY session_id, revision, kind"
)
_LAST: LiteralString = """
SELECT asked.party, last.number, last.made_at FROM unnest(%s::text[]) AS asked (party), LATERAL (
    SELECT number, made_at FROM roaming_cdr AS one WHERE one.party = asked.party
    ORDER BY number DESC LIMIT 1
) AS last
"""
_ONE: LiteralString = f"{SELECT} WHERE lower(cdr_id) = lower(%s)"
_LISTED: LiteralString = (
    f"{SELECT} WHERE (%(party)s::text IS NULL OR party = %(party)s)"
    " AND (%(month)s::text IS NULL OR billing_month = %(month)s)"
    " AND (%(session)s::text IS NULL OR session_id = %(session)s)"
    " AND (NOT %(only_noted)s OR notes @> '[{}]')"
    " ORDER BY made_at DESC, party, number DESC LIMIT %(limit)s"
)
_BEHIND: LiteralString = (
    f"{SELECT} WHERE (party, number) > (%(party)s, %(number)s)"
    " AND (%(only)s::text IS NULL OR party = %(only)s)"
    " ORDER BY party, number LIMIT %(limit)s"
)
_COUNT: LiteralString = """
SELECT count(*) FROM roaming_cdr WHERE %(only)s::text IS NULL OR party = %(only)s
"""
_REFUSE: LiteralString = """
INSERT INTO refused_cdr (session_id, revision, party, code, reason, refused_at)
SELECT * FROM unnest(%s::text[], %s::integer[], %s::text[], %s::text[], %s::text[],
    %s::timestamptz[])
ON CONFLICT (session_id) DO UPDATE SET revision = excluded.revision, party = excluded.party,
    code = excluded.code, reason = excluded.reason, refused_at = excluded.refused_at
"""
_SETTLED: LiteralString = "DELETE FROM refused_cdr WHERE session_id = ANY (%b::text[])"
_REFUSED: LiteralString = """
SELECT session_id, revision, party, code, reason, refused_at FROM refused_cdr
WHERE (%(party)s::text IS NULL OR party = %(party)s) AND session_id > %(after)s
ORDER BY session_id LIMIT %(limit)s
"""
_NOTES: Final = msgspec.json.Decoder(tuple[CdrNote, ...])
_ENCODER: Final = msgspec.json.Encoder()


class RefusedCdr(NamedTuple):
    """A session of which no CDR could be made; `code` is for programs, `reason` for people."""

    session_id: str
    revision: int
    party: str
    code: str
    reason: str
    refused_at: datetime


class LastOfParty(NamedTuple):
    """The last CDR to a party: its number, and when it was made."""

    number: int
    made_at: datetime


def lock_cdrs(connection: Connection[Any]) -> None:
    """Wait until nobody else adds CDRs, and keep others waiting until the commit."""
    connection.execute(_LOCK)


def cdrs_of(connection: Connection[Any], sessions: Iterable[str]) -> dict[str, list[MadeCdr]]:
    """Return the CDRs of *sessions*, the earliest revision first, a CDR before its credit."""
    found: defaultdict[str, list[MadeCdr]] = defaultdict(list)
    for row in connection.execute(_OF_SESSIONS, (list(sessions),)):
        made = made_of(row)
        found[made.session_id].append(made)
    return dict(found)


def last_of(connection: Connection[Any], parties: Iterable[str]) -> dict[str, LastOfParty]:
    """Return the last CDR to each of *parties* that has one."""
    rows = connection.execute(_LAST, (sorted(set(parties)),))
    return {party: LastOfParty(number, made_at) for party, number, made_at in rows}


def cdr_named(connection: Connection[Any], cdr_id: str) -> MadeCdr | None:
    """Return the CDR of this id, which knows no case."""
    row = connection.execute(_ONE, (cdr_id,)).fetchone()
    return None if row is None else made_of(row)


def listed_cdrs(
    connection: Connection[Any],
    *,
    party: str | None = None,
    month: str | None = None,
    session: str | None = None,
    only_noted: bool = False,
    limit: int,
) -> Sequence[MadeCdr]:
    """Return CDRs, the newest first; *only_noted*: those that say something otherwise."""
    given = {
        "party": party,
        "month": month,
        "session": session,
        "only_noted": only_noted,
        "limit": limit,
    }
    return [made_of(row) for row in connection.execute(_LISTED, given)]


def every_cdr(
    connection: Connection[Any], *, party: str | None = None, page: int = 500
) -> Iterator[Sequence[MadeCdr]]:
    """Yield all CDRs, or one party's, by party and number, a page at a time."""
    behind = ("", 0)
    while True:
        given = {"party": behind[0], "number": behind[1], "only": party, "limit": page}
        made = [made_of(row) for row in connection.execute(_BEHIND, given)]
        if not made:
            return
        yield made
        behind = made[-1].party, made[-1].number


def count_cdrs(connection: Connection[Any], party: str | None = None) -> int:
    """Return how many CDRs there are."""
    [(count,)] = connection.execute(_COUNT, {"only": party}).fetchall()
    return int(count)


def add_cdrs(connection: Connection[Any], made: Sequence[MadeCdr]) -> None:
    """Add *made*, whose lock the caller holds."""
    copy_rows(connection, _COPY, [_row(each) for each in made])


def refuse(connection: Connection[Any], refused: Sequence[RefusedCdr]) -> None:
    """Keep on the list that these could not be made."""
    if refused:
        told = [each._replace(reason=printable(each.reason)) for each in refused]
        connection.execute(_REFUSE, [list(column) for column in zip(*told, strict=True)])


def settle_refused(connection: Connection[Any], sessions: Iterable[str]) -> None:
    """Take *sessions* from the list of those that could not be made."""
    connection.execute(_SETTLED, (list(sessions),))


def refused_cdrs(
    connection: Connection[Any], *, party: str | None = None, after: str = "", limit: int = 1000
) -> Sequence[RefusedCdr]:
    """Return what could not be made, by session, from behind the session *after* on."""
    asked = {"party": party, "after": after, "limit": limit}
    return [RefusedCdr(*row) for row in connection.execute(_REFUSED, asked)]


def revision_of(refused: RefusedCdr) -> SessionRevision:
    """Return which decision a refused CDR would be of."""
    return SessionRevision(refused.session_id, refused.revision)


def made_of(row: Sequence[Any]) -> MadeCdr:
    """Return the CDR that a row of SELECT is."""
    values: Iterator[Any] = iter(row)
    party, number, cdr_id, session_id, revision, kind, credits_ = (next(values) for _ in range(7))
    legal_entity, currency, net_minor, tax_minor, energy_wh = (next(values) for _ in range(5))
    started_at, ended_at, billing_month, made_at, notes, body, sha = values
    return MadeCdr(
        party=party,
        number=number,
        cdr_id=cdr_id,
        session_id=session_id,
        revision=revision,
        kind=CdrKind(kind),
        credits=credits_,
        legal_entity=legal_entity,
        currency=currency,
        net_minor=net_minor,
        tax_minor=tax_minor,
        energy_wh=energy_wh,
        started_at=started_at,
        ended_at=ended_at,
        billing_month=billing_month,
        made_at=made_at,
        notes=_NOTES.decode(notes),
        body=bytes(body),
        sha256=bytes(sha),
    )


def _printable(note: CdrNote) -> CdrNote:
    return replace(note, message=printable(note.message))


def _row(made: MadeCdr) -> tuple[object, ...]:
    return (
        made.party,
        made.number,
        made.cdr_id,
        made.session_id,
        made.revision,
        made.kind.value,
        made.credits,
        made.legal_entity,
        made.currency,
        made.net_minor,
        made.tax_minor,
        made.energy_wh,
        made.started_at,
        made.ended_at,
        made.billing_month,
        made.made_at,
        # The database takes no U+0000, and a tariff's words may have one.
        _ENCODER.encode([_printable(note) for note in made.notes]).decode(),
        made.body,
        made.sha256,
    )
