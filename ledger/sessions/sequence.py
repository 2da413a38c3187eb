"""Sequence numbers of a transaction's events: what is missing, and whether they mean anything.

Source: OCPP 2.0.1 part 2, TransactionEventRequest.seqNo; part 6, TC_E_31 and TC_E_53.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from ledger.facts.flags import Flag
from ledger.facts.station_facts import SessionFact, SessionStarted, SessionUpdated

# A broken frame may carry any number, and the list is for people.
_LISTED_MAX: Final = 100


class SequenceCheck(NamedTuple):
    """The missing numbers (at most 100 of them) and the flags that follow."""

    missing: tuple[int, ...]
    flags: frozenset[str]


def check_sequence(facts: Iterable[SessionFact], *, has_ended: bool) -> SequenceCheck:
    """Return the gaps in the numbers of *facts*, which are ordered by time.

    Two different messages with one number make the numbers unreliable; the same message twice
    does not. Numbers that fall back to such a one may be another session's, whose start is not
    known. The lowest number is the start's, or 0 while the start is missing.
    """
    by_number: dict[int, set[object]] = {}
    first: int | None = None
    highest, fell_to = -1, set[int]()
    for fact in facts:
        if fact.seq_no is None:
            continue
        if fact.seq_no < highest:
            fell_to.add(fact.seq_no)
        highest = max(highest, fact.seq_no)
        by_number.setdefault(fact.seq_no, set()).add(_content_of(fact))
        if isinstance(fact, SessionStarted):
            first = fact.seq_no if first is None else min(first, fact.seq_no)
    if not by_number:
        return SequenceCheck((), frozenset())
    shared = {number for number, contents in by_number.items() if len(contents) > 1}
    if shared:
        flags = {Flag.SEQ_UNRELIABLE, *([Flag.ID_AMBIGUOUS] if shared & fell_to else [])}
        return SequenceCheck((), frozenset(flags))
    low, high = 0 if first is None else first, max(by_number)
    expected = high - low + 1
    known = sum(1 for number in by_number if number >= low)
    if known >= expected or not has_ended:
        return SequenceCheck((), frozenset())
    missing: list[int] = []
    number = low
    while len(missing) < _LISTED_MAX and number <= high:
        if number not in by_number:
            missing.append(number)
        number += 1
    return SequenceCheck(tuple(missing), frozenset({Flag.SEQ_GAP}))


def _content_of(fact: SessionFact) -> object:
    """Return what tells two messages apart; the retry of a start or stop may be dated anew."""
    if isinstance(fact, SessionUpdated):
        return fact.occurred_at, fact.charging_state, fact.readings
    return type(fact).__name__, tuple(reading.value for reading in fact.readings)
