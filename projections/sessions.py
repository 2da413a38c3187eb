"""Sessions in figures: how many in each state, and how many carry each flag."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection
from psycopg.rows import class_row

from ledger.facts.flags import Flag
from ledger.facts.station_facts import NO_ID
from ledger.persons.store import names_in, readable
from ledger.rating.decisions import SessionHeld
from ledger.rating.english import ENGLISH
from ledger.rating.stored import unpack_decision
from ledger.sessions.states import SessionState
from tariffs.phrases.phrase import Phrase, phrase
from tariffs.quantities import money_of_minor

COUNTS: LiteralString = """
SELECT state, count(*) FROM listed_session GROUP BY state ORDER BY state
"""
FLAGS: LiteralString = """
SELECT flag, count(*) FROM listed_session, unnest(flags) AS flag
GROUP BY flag ORDER BY flag
"""
COLUMNS: LiteralString = """
SELECT session_id, revision, station_id,
       nullif(nullif(transaction_ref, ''), %(no_id)s) AS transaction_id,
       evse_id, connector_id, coalesce(spelt, token_uid) AS token_uid, token_uid AS subject,
       state, flags, reasons, started_at, ended_at, stop_reason, energy_wh, register_wh, told_gross,
       coalesce(started_at, first_fact_at) AS begun_at
"""
LIST: LiteralString = (
    COLUMNS + "FROM listed_session LEFT JOIN subject ON subject = token_uid WHERE true"
)
# Only what is asked for is asked: each has its index, and a plan for all of them would use none.
ASKED: Final[Mapping[str, LiteralString]] = MappingProxyType(
    {
        "station_id": " AND station_id = %(station_id)s",
        "session_id": " AND session_id = %(session_id)s",
        # A start that was refused does not count for its token.
        "subject": " AND token_uid = %(subject)s AND NOT is_refused",
        # As `unfinished_session` has its index: the open ones are found among few.
        "is_open": " AND state = 'open' AND state IN ('open', 'waiting')",
        "begun_at": """
            AND coalesce(started_at, first_fact_at) <= %(begun_at)s
            AND (coalesce(started_at, first_fact_at) < %(begun_at)s OR session_id > %(after)s)""",
    }
)
# Said, not asked: a plan for any state would not use the index of those that few are in.
IN_STATE: Final[Mapping[str, LiteralString]] = MappingProxyType(
    {
        SessionState.OPEN: " AND state = 'open'",
        SessionState.WAITING: " AND state = 'waiting'",
        SessionState.HELD: " AND state = 'held'",
        SessionState.RATED: " AND state = 'rated'",
        SessionState.RELEASED: " AND state = 'released'",
        SessionState.WRITTEN_OFF: " AND state = 'written_off'",
        SessionState.REPLACED: " AND state = 'replaced'",
    }
)
TO_CORRECT: LiteralString = " AND 'correction_waits' = ANY (flags)"
DISPUTED: LiteralString = " AND 'disputed' = ANY (flags)"
NOT_OPEN: LiteralString = " AND state <> 'open'"
ORDER: LiteralString = """
ORDER BY coalesce(started_at, first_fact_at) DESC, session_id LIMIT %(limit)s
"""
LAST_DECISIONS: LiteralString = """
SELECT DISTINCT ON (session_id) session_id, body FROM session_decision
WHERE session_id = ANY (%s) ORDER BY session_id, position DESC
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCost:
    """What a session costs from its start to `until`: final as rated, else so far.

    Amounts in minor units; `energy_wh` is what was metered until then, of one that is not rated.
    Where it has no price, `codes` say why: what it would be held for if it ended now.
    """

    is_final: bool
    until: datetime | None = None
    currency: str | None = None
    net_minor: int | None = None
    tax_minor: int | None = None
    gross_minor: int | None = None
    energy_wh: Decimal | None = None
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSummary:
    """One session in a list. Energies in Wh; `register_wh` is the last reading of an open one.

    `token_uid` is the token as it is declared, else as a station wrote it first, or its `subject`
    once the person is erased. `transaction_id` is the
    station's, as text; None where no frame named one. `stop_reason` is the station's word for why
    it ended. `begun_at` is its start, or when its first frame came. `revision` is that of its
    decision, 1 before there is any. `told_gross` is the price, taxes included, that its station was
    told last after its end. `cost` is None for what is held or written off, and where it
    was not asked for (`projections.session_costs`).
    """

    session_id: str
    revision: int
    station_id: str
    transaction_id: str | None
    evse_id: int | None
    connector_id: int | None
    token_uid: str | None
    subject: str | None
    state: str
    flags: list[str]
    reasons: list[str]
    started_at: datetime | None
    ended_at: datetime | None
    stop_reason: str | None
    energy_wh: Decimal | None
    register_wh: Decimal | None
    told_gross: Decimal | None
    begun_at: datetime
    cost: SessionCost | None = None


class Since(NamedTuple):
    """Where a list goes on: behind this session, which began then."""

    begun_at: datetime
    session_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldSession:
    """A session that waits for a person, and why: in words, and as codes with parameters."""

    session: SessionSummary
    reasons: tuple[str, ...]
    codes: tuple[Phrase, ...]


def told_otherwise(session: SessionSummary) -> Phrase | None:
    """Return which price its station was told after the end, where it was rated at another one.

    None too where its cost was not asked for.
    """
    told, cost = session.told_gross, session.cost
    if Flag.PRICE_TOLD_DIFFERS not in session.flags or told is None or cost is None:
        return None
    if cost.gross_minor is None or cost.currency is None:
        return None
    rated = money_of_minor(cost.gross_minor, cost.currency)
    return phrase("price_told_differs", told=f"{told} {cost.currency}", rated=str(rated))


def session_counts(connection: Connection[Any]) -> dict[str, int]:
    """Return how many sessions are in each state."""
    return dict(connection.execute(COUNTS).fetchall())


def flag_counts(connection: Connection[Any]) -> dict[str, int]:
    """Return how many sessions carry each flag."""
    return dict(connection.execute(FLAGS).fetchall())


def list_sessions(
    connection: Connection[Any],
    *,
    state: str | None = None,
    station_id: str | None = None,
    session_id: str | None = None,
    subject: str | None = None,
    is_open: bool | None = None,
    since: Since | None = None,
    limit: int = 1_000,
) -> list[SessionSummary]:
    """Return sessions, the newest first; those behind *since*, if it is given."""
    begun_at, after = since or (None, None)
    wanted = {
        "station_id": station_id,
        "session_id": session_id,
        "subject": subject,
        "is_open": is_open,
        "begun_at": begun_at,
        "after": after,
        "limit": limit,
        "no_id": NO_ID,
    }
    asked: LiteralString = LIST if state is None else LIST + IN_STATE[state]
    for name, clause in ASKED.items():
        if wanted[name] is not None:
            asked += NOT_OPEN if name == "is_open" and not is_open else clause
    return _listed(connection, asked, wanted)


def sessions_to_correct(connection: Connection[Any], *, limit: int) -> list[SessionSummary]:
    """Return priced sessions whose correction waits for a person, the newest first."""
    return _listed(connection, LIST + TO_CORRECT, {"limit": limit, "no_id": NO_ID})


def sessions_named(connection: Connection[Any], ids: Sequence[str]) -> list[SessionSummary]:
    """Return the sessions with these ids, the newest first; what there is none of is left out."""
    asked = {"ids": list(ids), "limit": len(ids), "no_id": NO_ID}
    return _listed(connection, LIST + " AND session_id = ANY (%(ids)s)", asked)


def _listed(
    connection: Connection[Any], asked: LiteralString, wanted: Mapping[str, object]
) -> list[SessionSummary]:
    with connection.cursor(row_factory=class_row(SessionSummary)) as cursor:
        return cursor.execute(asked + ORDER, wanted).fetchall()


def held_sessions(connection: Connection[Any], *, limit: int = 1_000) -> list[HeldSession]:
    """Return the held sessions with the reasons of the last decision about each.

    And those whose correction waits for a person: the price that holds is not that of all facts;
    and those whose payer contests what was billed.
    """
    sessions = list_sessions(connection, state=SessionState.HELD, limit=limit)
    ids = [session.session_id for session in sessions]
    to_correct = sessions_to_correct(connection, limit=limit)
    codes: dict[str, tuple[Phrase, ...]] = {
        each.session_id: (phrase("correction_waits", why=", ".join(each.reasons) or None),)
        for each in to_correct
    }
    sessions += [each for each in to_correct if each.session_id not in ids]
    for each in _listed(connection, LIST + DISPUTED, {"limit": limit, "no_id": NO_ID}):
        if each.session_id not in codes:
            sessions.append(each)
        codes[each.session_id] = (*codes.get(each.session_id, ()), phrase("disputed"))
    for session_id, body in connection.execute(LAST_DECISIONS, (ids,)):
        decision = unpack_decision(body)
        if isinstance(decision, SessionHeld):
            codes[session_id] = decision.reasons
    names = names_in(connection, list(codes.values()))
    return [
        HeldSession(
            session=session,
            reasons=tuple(readable(ENGLISH.words(each), names) for each in found),
            codes=found,
        )
        for session in sessions
        for found in (codes.get(session.session_id, ()),)
    ]
