"""Starts that were told more than once: which are the same, and what that says of a session."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from operator import itemgetter

from ledger.facts.flags import Flag
from ledger.facts.station_facts import SessionEnded, SessionFact, SessionStarted, SessionUpdated
from ledger.log.authorization import Authorization
from ledger.sessions.segments import place_of, register_of, source_of


def claim_of(fact: SessionStarted | SessionEnded) -> tuple[object, ...]:
    """Return what must agree for two messages to be one that was sent again, but for their time."""
    return type(fact), place_of(fact), fact.token_uid, register_of(fact), fact.seq_no


def earliest_start(
    starts: Sequence[SessionStarted], at: Callable[[SessionStarted], datetime]
) -> SessionStarted:
    """Return the earliest of *starts*, each *at* its time, by content; of equals the first told.

    Arrival chooses nothing.
    """
    if len(starts) == 1:
        return starts[0]
    return min(
        starts,
        key=lambda fact: (
            at(fact),
            -1 if fact.meter_start_wh is None else fact.meter_start_wh,
            fact.token_uid or "",
            fact.received_at,
            source_of(fact),
        ),
    )


def start_flags(
    starts: Sequence[SessionStarted], has_booted: Callable[[datetime, datetime], bool]
) -> set[Flag]:
    """Return what the *starts* of one session say; *has_booted* tells of boots between them."""
    flags: set[Flag] = set()
    if len(starts) == 1:
        return flags
    if len(starts) > len({claim_of(start) for start in starts}):
        flags.add(Flag.DUPLICATE_START)
    # Dated anew after a restart, it may as well be the start of another session.
    if len({start.occurred_at for start in starts}) > 1:
        received = [start.received_at for start in starts]
        if has_booted(min(received), max(received)):
            flags.add(Flag.ID_AMBIGUOUS)
    return flags


def authorization_of(
    timed: Iterable[tuple[datetime, SessionFact]], token: str | None
) -> Authorization | None:
    """Return what the *token* was found to be: at a start, else at the first event naming it.

    Of a frame that was sent again the first one holds: by its answer the station let charge.
    """
    asked = [
        (not isinstance(fact, SessionStarted), at, source_of(fact), found)
        for at, fact in timed
        if not isinstance(fact, SessionEnded)
        and (found := fact.authorization) is not None
        and token is not None
        and fact.token_uid == token
    ]
    return min(asked, key=itemgetter(0, 1, 2))[3] if asked else None


def reservation_of(
    start: SessionStarted | None,
    updates: Sequence[SessionUpdated],
    at: Callable[[SessionFact], datetime],
) -> int | None:
    """Return the reservation that the *start* names, else the first update, each *at* its time."""
    if start is not None and start.reservation_id is not None:
        return start.reservation_id
    named = [(at(each), each.reservation_id) for each in updates if each.reservation_id is not None]
    return min(named)[1] if named else None
