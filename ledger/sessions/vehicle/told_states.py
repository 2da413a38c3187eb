"""The states that a station told of one place, sorted once for all of the sessions there.

A session asks for those of its own time. What a clock makes of their times is kept: sessions of
one station nearly always have the same, and a state counts for every session that it may concern.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Final, NamedTuple

from ledger.facts.station_clock import EARLIEST, SKEW_MAX, SessionClock
from ledger.facts.station_facts import ChargingState, ConnectorStatusChanged
from ledger.sessions.vehicle.activity import StateChange

# What shows the end of a session whose stop was lost (field notes, quirk 1).
FREED: Final = frozenset({ChargingState.AVAILABLE, ChargingState.FINISHING})
_RECEIVED_AT: Final = attrgetter("received_at")


class ShownStates(NamedTuple):
    """States by their effective times `ats`: as changes, and whether a time is not believed.

    `freed_at` are the moments at which a session there may have ended.
    """

    ats: Sequence[datetime]
    changes: Sequence[tuple[StateChange, bool]]
    freed_at: Sequence[datetime]

    def between(self, first: datetime, last: datetime) -> Sequence[tuple[StateChange, bool]]:
        """Return those from *first* to *last*, both of which count."""
        return self.changes[bisect_left(self.ats, first) : bisect_right(self.ats, last)]

    def is_free_at(self, moment: datetime) -> bool:
        """Whether a session there may have ended at the very *moment*."""
        index = bisect_left(self.freed_at, moment)
        return index < len(self.freed_at) and self.freed_at[index] == moment


NOTHING_SHOWN: Final = ShownStates((), (), ())


class ToldStates:
    """The states of one place, each frame once. It never changes."""

    __slots__ = ("_by_receipt", "_shown")

    def __init__(self, statuses: Iterable[ConnectorStatusChanged] = ()) -> None:
        self._by_receipt = sorted(statuses, key=_RECEIVED_AT)
        self._shown: dict[tuple[SessionClock, int | None], tuple[int, ShownStates]] = {}

    def received(self, first: datetime, last: datetime) -> Sequence[ConnectorStatusChanged]:
        """Return those received from *first* to *last*, both of which count."""
        told = self._by_receipt
        begins = bisect_left(told, first, key=_RECEIVED_AT)
        return _once(told[begins : bisect_right(told, last, key=_RECEIVED_AT)])

    def shown_by(self, clock: SessionClock, since: datetime, connector: int | None) -> ShownStates:
        """Return those that name a state, at the times that *clock* makes of theirs.

        All of *since* a moment are among them. Nothing happened long after it was heard of, so that
        a session of today asks for nothing of yesterday. Where the *connector* of a session is
        known, those of another one of its EVSE, which nobody uses meanwhile, say nothing of it.
        """
        told, key = self._by_receipt, (clock, connector)
        index = bisect_left(told, _before(since, SKEW_MAX), key=_RECEIVED_AT)
        begins, shown = self._shown.get(key, (len(told) + 1, NOTHING_SHOWN))
        if index < begins:
            # Twice as far, or sessions asked for from the last one on would show all each time.
            begins = max(2 * index - len(told), 0)
            some = [each for each in _once(told[begins:]) if is_of(each, connector)]
            shown = self._show(some, clock)
            self._shown[key] = begins, shown
        return shown

    @staticmethod
    def _show(told: Iterable[ConnectorStatusChanged], clock: SessionClock) -> ShownStates:
        changes: list[tuple[StateChange, bool]] = []
        for each in told:
            if each.charging_state is not None:
                at = clock.effective(each.occurred_at, each.received_at)
                is_refuted = clock.refutes(each.occurred_at, each.received_at)
                changes.append(((at, 0, str(each.charging_state)), is_refuted))
        changes.sort()
        return ShownStates(
            [at for (at, _, _), _ in changes],
            changes,
            [at for (at, _, state), _ in changes if state in FREED],
        )


def is_of(state: ConnectorStatusChanged, connector: int | None) -> bool:
    """Whether a *state* of its EVSE may be that of a session's *connector*."""
    return not connector or not state.connector_id or state.connector_id == connector


def _once(told: Sequence[ConnectorStatusChanged]) -> Sequence[ConnectorStatusChanged]:
    """Return each frame of *told* once; a late one is kept beside its session, too."""
    return [*{(each.position, each.line): each for each in told}.values()]


def _before(at: datetime, by: timedelta) -> datetime:
    """Return *at* less *by*, never beyond the calendar."""
    return at - by if at - EARLIEST > by else EARLIEST


NO_STATES: Final = ToldStates()
