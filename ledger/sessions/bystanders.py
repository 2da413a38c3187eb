"""Facts that belong to no session by themselves: connector states, boots, reports on the queue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from ledger.facts.station_facts import (
    ConnectorStatusChanged,
    QueueReported,
    StationBooted,
    StationFact,
)
from ledger.sessions.segments import Source
from ledger.sessions.session import ChargingSession

Folded = Mapping[str, tuple[ChargingSession, ...]]
"""The sessions by transaction that were folded already."""


class Bystanders:
    """What a station said about itself, by the position of its frames in the log."""

    def __init__(self) -> None:
        self.boots: dict[Source, StationBooted] = {}
        self.reports: dict[Source, QueueReported] = {}
        self._statuses: dict[int | None, dict[Source, ConnectorStatusChanged]] = {}

    def add(self, facts: Iterable[StationFact]) -> None:
        """Keep *facts*; those of other kinds say nothing here."""
        for fact in facts:
            source = (fact.position, fact.line)
            if isinstance(fact, ConnectorStatusChanged):
                self._statuses.setdefault(_place_of(fact), {})[source] = fact
            elif isinstance(fact, StationBooted):
                self.boots[source] = fact
            elif isinstance(fact, QueueReported):
                self.reports[source] = fact

    def remove(self, facts: Iterable[StationFact]) -> None:
        """Take *facts* out again."""
        for fact in facts:
            source = (fact.position, fact.line)
            if isinstance(fact, ConnectorStatusChanged):
                self._statuses.get(_place_of(fact), {}).pop(source, None)
            elif isinstance(fact, StationBooted):
                self.boots.pop(source, None)
            elif isinstance(fact, QueueReported):
                self.reports.pop(source, None)

    def statuses(self, place: int | None) -> list[ConnectorStatusChanged]:
        """Return the states of one place."""
        return list(self._statuses.get(place, {}).values())

    def facts(self) -> list[StationFact]:
        """Return everything kept."""
        statuses = [fact for kept in self._statuses.values() for fact in kept.values()]
        return [*statuses, *self.boots.values(), *self.reports.values()]


def by_place(facts: Iterable[StationFact]) -> dict[int | None, list[ConnectorStatusChanged]]:
    """Return the connector states among *facts* by their place."""
    found: dict[int | None, list[ConnectorStatusChanged]] = {}
    for fact in facts:
        if isinstance(fact, ConnectorStatusChanged):
            found.setdefault(_place_of(fact), []).append(fact)
    return found


def changed_by_statuses(
    transactions: Iterable[str], statuses: Sequence[ConnectorStatusChanged], folded: Folded
) -> set[str]:
    """Return those of *transactions* whose sessions may change where *statuses* come or go."""
    earliest, latest, is_plain = _reach(statuses)
    touched: set[str] = set()
    for transaction in transactions:
        for session in folded.get(transaction) or (None,):
            if session is None or session.ended_at is None or session.started_at is None:
                touched.add(transaction)
                break
            clock, begins_at, ends_at = session.clock, session.started_at, session.ended_at
            # Most states lie far from most sessions; where no clock is corrected, their first and
            # last moment say so at once.
            if is_plain and not clock.offset and earliest >= clock.commissioned_on:
                if earliest > ends_at and earliest > session.last_received_at:
                    continue
                if latest < begins_at and latest < session.first_received_at:
                    continue
            if any(_bears_on(status, session) for status in statuses):
                touched.add(transaction)
                break
    return touched


def changed_by_boots(
    transactions: Iterable[str], boots: Sequence[StationBooted], folded: Folded
) -> set[str]:
    """Return those of *transactions* whose sessions may have been interrupted by one of *boots*."""
    moments = [boot.received_at for boot in boots]
    return {
        transaction
        for transaction in transactions
        if transaction not in folded
        or any(_spans_one(session, moments) for session in folded[transaction])
    }


def changed_by_reports(transactions: Iterable[str], folded: Folded) -> set[str]:
    """Return those of *transactions* with a gap that an empty queue may close."""
    return {
        transaction
        for transaction in transactions
        if transaction not in folded
        or any(session.missing_seq_nos for session in folded[transaction])
    }


def _place_of(fact: ConnectorStatusChanged) -> int | None:
    return fact.evse_id if fact.evse_id is not None else fact.connector_id


def _spans_one(session: ChargingSession, moments: Iterable[datetime]) -> bool:
    started_at, ended_at = session.started_at, session.ended_at
    return started_at is not None and any(
        started_at < moment and (ended_at is None or moment < ended_at) for moment in moments
    )


def _reach(statuses: Sequence[ConnectorStatusChanged]) -> tuple[datetime, datetime, bool]:
    """Return the first and last moment of *statuses*, and whether every time has a zone."""
    moments = [status.received_at for status in statuses]
    told = [status.occurred_at for status in statuses if status.occurred_at is not None]
    aware = [at for at in told if at.tzinfo is not None]
    return min(moments + aware), max(moments + aware), len(aware) == len(told)


def _bears_on(status: ConnectorStatusChanged, session: ChargingSession) -> bool:
    """Return True unless the fold of an ended session surely passes *status* over.

    A state counts where it was received among the session's frames (the clock is learnt from it)
    or where it was in force between start and end.
    """
    is_dated = status.occurred_at is not None
    if is_dated and session.first_received_at <= status.received_at <= session.last_received_at:
        return True
    if not session.is_ended:
        return True
    if status.charging_state is None or session.started_at is None or session.ended_at is None:
        return False
    at = session.clock.effective(status.occurred_at, status.received_at)
    return session.started_at <= at <= session.ended_at
