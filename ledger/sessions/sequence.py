"""Sequence numbers of a transaction's events: what is missing, and whether they mean anything.

Source: OCPP 2.0.1 part 2, TransactionEventRequest.seqNo; part 6, TC_E_31 and TC_E_53.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Final, NamedTuple

from ledger.facts.flags import Flag
from ledger.facts.station_facts import (
    QueueReported,
    SessionEnded,
    SessionFact,
    SessionStarted,
    SessionUpdated,
)

# A broken frame may carry any number, and the list is for people.
_LISTED_MAX: Final = 100


class SequenceCheck(NamedTuple):
    """The missing numbers (at most 100 of them) and the flags that follow."""

    missing: tuple[int, ...]
    flags: frozenset[str]


def check_sequence(facts: Iterable[SessionFact], *, has_ended: bool) -> SequenceCheck:
    """Return the gaps in the numbers of *facts*, which are ordered by time.

    Two different messages with one number make the numbers unreliable; the same message twice
    does not. Where they begin again, or a stop falls below what was told before it or anything
    below the start, some messages may be another session's, whose start is not known. The lowest
    number is the start's, or 0 while the start is missing.
    """
    by_number: dict[int, set[object]] = {}
    first: int | None = None
    highest, begins_again = 0, False
    for fact in facts:
        if fact.seq_no is None:
            continue
        known, content = by_number.setdefault(fact.seq_no, set()), _content_of(fact)
        if content in known:
            continue
        if fact.seq_no < highest and (known or isinstance(fact, SessionEnded)):
            begins_again = True
        highest = max(highest, fact.seq_no)
        known.add(content)
        if isinstance(fact, SessionStarted):
            first = fact.seq_no if first is None else min(first, fact.seq_no)
    if not by_number:
        return SequenceCheck((), frozenset())
    doubts: set[str] = set()
    if begins_again or (first is not None and min(by_number) < first):
        doubts.add(Flag.ID_AMBIGUOUS)
    if any(len(contents) > 1 for contents in by_number.values()):
        return SequenceCheck((), frozenset({Flag.SEQ_UNRELIABLE, *doubts}))
    missing = _missing(by_number, 0 if first is None else first) if has_ended else ()
    if missing:
        doubts.add(Flag.SEQ_GAP)
    return SequenceCheck(missing, frozenset(doubts))


class QueueTold(NamedTuple):
    """When a station last said of a transaction what it holds of it; None: not, or not since.

    `full_at`: messages; `empty_at`: none; `over_at`: none, and that the transaction is over.
    """

    full_at: datetime | None = None
    empty_at: datetime | None = None
    over_at: datetime | None = None

    def is_empty_since(self, moment: datetime) -> bool:
        """Whether nothing is held any more of what was told by *moment*."""
        return self.empty_at is not None and self.empty_at >= moment

    def is_over_since(self, last: datetime) -> bool:
        """Whether the station denies to hold a stop, and told nothing since: *last*, in all."""
        return self.over_at is not None and self.over_at >= last

    def waits_from(self, last: datetime) -> datetime:
        """Return from when on a session waits for more, of which *last* was told something.

        That more is to come moves it: it is asked again, no longer than the policy lets.
        """
        return last if self.full_at is None else max(last, self.full_at)


NO_QUEUE: Final = QueueTold()


def queue_told(reports: Sequence[QueueReported], empty_at: datetime | None) -> QueueTold:
    """Return what *reports* on a transaction come to; *empty_at*: all was told, of any."""
    if not reports:
        return QueueTold(empty_at=empty_at) if empty_at else NO_QUEUE
    # Of two at one moment the one that keeps the session waiting.
    last = max(reports, key=lambda each: (each.received_at, each.messages_in_queue))
    if last.messages_in_queue and (empty_at is None or empty_at < last.received_at):
        told = [each.received_at for each in reports if not each.messages_in_queue]
        return QueueTold(last.received_at, max([*told, *filter(None, [empty_at])], default=None))
    empty = max(last.received_at, empty_at) if empty_at else last.received_at
    return QueueTold(None, empty, last.received_at if last.ongoing is False else None)


def _missing(told: Collection[int], low: int) -> tuple[int, ...]:
    """Return the first numbers from *low* on that are not *told* below the highest."""
    missing = (number for number in range(low, max(told)) if number not in told)
    return tuple(islice(missing, _LISTED_MAX))


def _content_of(fact: SessionFact) -> object:
    """Return what tells two messages apart; the retry of a start or stop may be dated anew."""
    if isinstance(fact, SessionUpdated):
        return fact.occurred_at, fact.charging_state, fact.readings
    return type(fact).__name__, tuple(reading.value for reading in fact.readings)
