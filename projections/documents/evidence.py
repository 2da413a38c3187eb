"""What lies behind the lines of a document: the readings of its sessions, and where they stand."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from itertools import accumulate, pairwise
from types import MappingProxyType
from typing import Any, Final, LiteralString

import msgspec
from psycopg import Connection

from ledger.books.decisions_store import rated_sessions
from ledger.declared.declarations import Declarations
from ledger.declared.store import load_declarations
from ledger.facts.station_facts import SessionEnded, SessionStarted, SessionUpdated
from ledger.facts.stored import unpack_facts
from ledger.invoices.shown import ShownInvoice
from ledger.persons.store import names_in
from ledger.rating.decisions import SessionRated, SessionRevision
from ledger.sessions.session import ChargingSession, SessionPoint
from projections.energy.session_then import session_then

READINGS_MAX: Final = 200
"""Of a session; of a document with many sessions so many that it stays one to be read."""
READINGS_MIN: Final = 24
READINGS_IN_ALL: Final = 6000
SIGNED_MAX: Final = 20

_FACTS_AT: LiteralString = """
SELECT facts FROM fact
WHERE station_id = %s AND transaction_ref = %s AND position = ANY (%s) ORDER BY position
"""


class ShownReading(msgspec.Struct, frozen=True, array_like=True):
    """Energy since the session's start at a moment (UTC).

    `register_wh` is the register's value, None where the point was derived; `record` is
    partition/position/line of the log, where its frame stands.
    """

    at: datetime
    energy_wh: Decimal
    register_wh: Decimal | None
    record: str


class SignedReference(msgspec.Struct, frozen=True, array_like=True):
    """A signed meter value: where in the log it stands, and the hash of its text as it came."""

    record: str
    sha256: str


class SessionEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one session besides its decision.

    `readings` are at most `READINGS_MAX` of `readings_count`: of neighbours those that bound the
    lines and those between which the power was highest and lowest are kept. `signed` are at most
    `SIGNED_MAX` of `signed_count`. `record`: where in the log the decision was taken. `partner`: at
    whose station it was, by its name, if at none of ours: of those we have no readings.
    """

    site: str
    record: str
    kernel_version: str
    declared_version: int
    readings: tuple[ShownReading, ...]
    readings_count: int
    signed: tuple[SignedReference, ...]
    signed_count: int
    partner: str = ""


class DocumentEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """Evidence by session id, and the names behind subject ids, as far as they are not erased."""

    sessions: Mapping[str, SessionEvidence]
    names: Mapping[str, str]


NO_EVIDENCE: Final = DocumentEvidence(sessions=MappingProxyType({}), names=MappingProxyType({}))
"""Where the log is not at hand: pages are made without curves and readings, and say so."""


def gather_evidence(
    connection: Connection[Any], shown: ShownInvoice, *, known: Declarations | None = None
) -> DocumentEvidence:
    """Return what led to the sessions of *shown*, as it was known when they were rated.

    *known*: a snapshot of what is declared; of its version, or an older one, nothing is read again.
    """
    named = [SessionRevision(each.session_id, each.revision) for each in shown.sessions]
    most = max(READINGS_MIN, min(READINGS_MAX, READINGS_IN_ALL // max(1, len(named))))
    borders: dict[str, set[datetime]] = {each.session_id: set() for each in shown.sessions}
    for line in shown.lines:
        if not line.is_rounding:
            borders[line.session_id] |= {line.starts_at, line.ends_at}
    found: dict[str, SessionEvidence] = {}
    declarations = known
    decisions = rated_sessions(connection, named)
    # From version to version a snapshot costs what was declared between them.
    for decision in sorted(decisions, key=lambda each: each.declared_version):
        version = decision.declared_version
        declarations = load_declarations(connection, version, known=known or declarations)
        found[decision.session_id] = _evidence(
            connection, declarations, decision, borders[decision.session_id], most
        )
    return DocumentEvidence(sessions=found, names=names_in(connection, shown))


def session_evidence(
    connection: Connection[Any],
    decision: SessionRated,
    borders: Collection[datetime],
    *,
    known: Declarations | None = None,
) -> SessionEvidence:
    """Return what led to one session, as it was known when it was rated; *borders*: its lines'.

    *known*: a snapshot of what is declared; of its version, nothing is read again.
    """
    declarations = load_declarations(connection, decision.declared_version, known=known)
    return _evidence(connection, declarations, decision, borders, READINGS_MAX)


def _evidence(
    connection: Connection[Any],
    declarations: Declarations,
    decision: SessionRated,
    borders: Collection[datetime],
    most: int,
) -> SessionEvidence:
    elsewhere = decision.elsewhere
    session = None if elsewhere else session_then(connection, declarations, decision)
    partition, points = decision.moment.partition, session.points if session else ()
    site = declarations.site(decision.site_id, decision.started_at)
    party = elsewhere.party if elsewhere else ""
    partner = declarations.partner(party, decision.started_at) if elsewhere else None
    return SessionEvidence(
        site=site.name if site else "",
        record=f"{partition}/{decision.moment.position}",
        kernel_version=decision.kernel_version,
        declared_version=decision.declared_version,
        readings=tuple(
            ShownReading(
                point.at,
                point.energy_wh,
                point.register_wh,
                f"{partition}/{point.position}/{point.line}",
            )
            for point in thinned(points, borders, most)
        ),
        readings_count=len(points),
        signed=tuple(_signed(connection, session, partition)) if session else (),
        signed_count=session.signed if session else 0,
        partner=partner.name if partner else party,
    )


def thinned(
    points: Sequence[SessionPoint], borders: Collection[datetime], most: int
) -> Sequence[SessionPoint]:
    """Return about *most* of *points*, and always the ends and the neighbours of *borders*.

    Of each stretch of neighbours those stay between which the power was highest and lowest, so that
    energy and extremes are what they were.
    """
    if len(points) <= most:
        return points
    kept = {0, len(points) - 1}
    # The earliest that is still to come: it never falls, so that a border is looked up.
    lowest = [*accumulate((each.at for each in reversed(points)), min)][::-1]
    for border in borders:
        before = max(bisect_right(lowest, border) - 1, 0)
        kept |= {before, min(before + 1, len(points) - 1)}
    powers = [_power_w(earlier, later) for earlier, later in pairwise(points)]
    # Two points of the highest and two of the lowest power of each stretch.
    stretch = -(-len(powers) * 4 // most)
    for start in range(0, len(powers), stretch):
        within = range(start, min(start + stretch, len(powers)))
        for extreme in (max(within, key=powers.__getitem__), min(within, key=powers.__getitem__)):
            kept |= {extreme, extreme + 1}
    return [points[index] for index in sorted(kept)]


def _power_w(earlier: SessionPoint, later: SessionPoint) -> Decimal:
    seconds = (later.at - earlier.at).total_seconds()
    # Only to be compared: a millisecond makes no difference to which is higher.
    return (later.energy_wh - earlier.energy_wh) * 3600 / max(Decimal(round(seconds, 3)), _SHORT)


_SHORT: Final = Decimal("0.001")


def _signed(
    connection: Connection[Any], session: ChargingSession, partition: int
) -> Iterator[SignedReference]:
    if not session.signed:
        return
    frames = set(session.frames)
    positions = sorted({position for position, _ in frames})
    asked = (session.station_id, session.transaction_ref, positions)
    count = 0
    for (packed,) in connection.execute(_FACTS_AT, asked):
        for fact in unpack_facts(packed):
            if not isinstance(fact, SessionStarted | SessionUpdated | SessionEnded):
                continue
            if (fact.position, fact.line) not in frames:
                continue
            for each in fact.signed:
                if count == SIGNED_MAX:
                    return
                count += 1
                record = f"{partition}/{fact.position}/{fact.line}"
                yield SignedReference(record, sha256(each.text.encode()).hexdigest())
