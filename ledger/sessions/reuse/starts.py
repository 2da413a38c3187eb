"""Starts that were told more than once: which are the same, and what that says of a session."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ledger.facts.flags import Flag
from ledger.facts.station_facts import SessionEnded, SessionStarted, StationBooted
from ledger.sessions.segments import place_of, register_of


def claim_of(fact: SessionStarted | SessionEnded) -> tuple[object, ...]:
    """Return what must agree for two messages to be one that was sent again, but for their time."""
    return type(fact), place_of(fact), fact.token_uid, register_of(fact), fact.seq_no


def start_flags(starts: Sequence[SessionStarted], boots: Iterable[StationBooted]) -> set[Flag]:
    """Return what the *starts* of one session say, received with *boots* between them."""
    flags: set[Flag] = set()
    if len(starts) > len({claim_of(start) for start in starts}):
        flags.add(Flag.DUPLICATE_START)
    # Dated anew after a restart, it may as well be the start of another session.
    if len({start.occurred_at for start in starts}) > 1:
        received = [start.received_at for start in starts]
        if any(min(received) < boot.received_at < max(received) for boot in boots):
            flags.add(Flag.ID_AMBIGUOUS)
    return flags
