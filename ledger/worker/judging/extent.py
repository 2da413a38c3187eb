"""How far back a look at a station goes: rules about its sessions' rows alone.

A late start or a free connector can change sessions that were looked at long ago, but not all of
a station's past can be folded for each record. So a session takes part that is unfinished, was
heard of within RECENT, is the neighbour of an unfinished one, or is named by the record; and, of
the same transaction, whatever came after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from ledger.facts.flags import Flag
from ledger.facts.station_facts import StationFact
from ledger.sessions.session import ChargingSession
from ledger.sessions.states import DECIDED
from ledger.sessions.told import Settled
from ledger.worker.loose_facts import Around, Horizon, horizon_of
from ledger.worker.session_rows import BEGINNING, NEXT_DAY, RECENT, SessionRow


class Extent(NamedTuple):
    """Which sessions of a transaction take part: `rows`, and what is dated from `told_from` on.

    From `facts_from` on facts are needed, before it windows will do; None: for all of them.
    """

    rows: list[SessionRow]
    told_from: datetime
    facts_from: datetime | None

    @property
    def folded(self) -> list[SessionRow]:
        """The rows of those of which facts are needed."""
        begins = self.facts_from
        return [] if begins is None else [row for row in self.rows if row.begins >= begins]

    @property
    def part(self) -> Settled | None:
        """What is told of the sessions whose facts are not needed; None: of all they are."""
        begins = self.facts_from
        if begins == BEGINNING:
            return None
        windows = [
            window
            for row in self.rows
            if (begins is None or row.begins < begins) and (window := row.lies) is not None
        ]
        return Settled(tuple(sorted(windows, key=lambda window: window.starts_at)), begins)

    def was_over(self, at: datetime) -> bool:
        """Whether all that takes part had begun and ended by *at*: so far as rows say."""
        return all(
            row.window is None
            and (row.started_at is not None and row.started_at < at)
            and (row.ended_at is not None and row.ended_at <= at)
            for row in self.rows
        )

    @property
    def is_decided(self) -> bool:
        """Whether all sessions that take part are decided for good."""
        return bool(self.rows) and all(row.state in DECIDED for row in self.rows)

    def decided(self, rows: Sequence[SessionRow]) -> Extent:
        """Return what is still needed of it, now that its *rows* were decided."""
        rows = [row for row in rows if row.begins >= self.told_from]
        needed = (row.begins for row in rows if row.state not in DECIDED)
        return Extent(rows, self.told_from, min(needed, default=None))

    def received_since(self, begins: datetime) -> datetime:
        """Return since when facts were received that are dated *begins* or later."""
        if begins == BEGINNING:
            return BEGINNING
        # A report on the queue may have come before anything else of its session.
        received = (row.first_fact_at for row in self.rows if row.begins >= begins)
        return min([begins, *received])


def beside_decided(
    session: ChargingSession, row: SessionRow, extent: Extent | None
) -> ChargingSession:
    """Return *session*, held where the time it fills was decided about as another's.

    Once and for all: later records need not look back so far.
    """
    is_told = Flag.DECIDED_BEFORE in row.flags
    if is_told or (extent and any(each.covers(session) for each in extent.rows)):
        return session.flagged(Flag.DECIDED_BEFORE)
    return session


def horizon_of_rows(
    since: datetime, rows: Sequence[SessionRow], news: Iterable[StationFact] = ()
) -> Horizon:
    """Return which loose facts count where those of *rows* and *news* are folded.

    All *since* a moment, or since the first unfinished session began; and states and boots of the
    time around each one, whenever it is folded.
    """
    frames = min([since, *(row.first_fact_at for row in rows if row.is_unfinished)])
    begun = (fact.received_at for fact in news)
    times = [Around(first - RECENT, first) for first in sorted(begun)[:1]]
    for row in rows:
        # What was told of one that is over once it was is kept with what it told itself.
        longer = RECENT if row.ended_at is not None else NEXT_DAY
        times.append(Around(row.first_fact_at - RECENT, row.last_fact_at + longer))
    return horizon_of(frames, times)


def is_neighbour(row: SessionRow, other: SessionRow) -> bool:
    """Whether *row* may be what came after *other* at the same place."""
    is_same_place = None in (row.evse_id, other.evse_id) or row.evse_id == other.evse_id
    return is_same_place and row.last_fact_at >= other.first_fact_at


def is_around(row: SessionRow, other: SessionRow) -> bool:
    """Whether *row* may bear on *other*: `load_around` as a condition."""
    until = other.last_fact_at + NEXT_DAY
    return row.last_fact_at >= other.first_fact_at and row.first_fact_at <= until
