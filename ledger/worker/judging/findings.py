"""What a look at a station showed, and what a group of records changed, until it is written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from psycopg import Connection

from ledger.books.decisions_store import rated_sessions
from ledger.facts.flags import Flag
from ledger.rating.decisions import Decision, Moment, SessionRated, SessionRevision
from ledger.sessions.loose_frames import Window
from ledger.sessions.session import ChargingSession, billed
from ledger.sessions.states import PRICED, moved
from ledger.worker.rater import Verdict
from ledger.worker.session_rows import SessionRow
from tariffs.quantities import money_of_minor


class Folded(NamedTuple):
    """A session of the fold and the transaction it came from."""

    transaction_ref: str
    session: ChargingSession


class Seen(NamedTuple):
    """What one look at a station's fold showed.

    `transactions` were looked at, those `with_facts` have some; `folded` are their sessions by id,
    `changed` the decided ones that would be billed otherwise with the record's facts, `vanished`
    the rows of sessions that are none any more, `stopped` decided ones that a stop without a valid
    id was given to, with their windows.
    """

    transactions: set[str]
    with_facts: set[str]
    folded: dict[str, Folded]
    changed: set[str]
    vanished: list[SessionRow]
    stopped: list[tuple[SessionRow, Window]]


def billed_otherwise(was: Iterable[ChargingSession], folded: Mapping[str, Folded]) -> set[str]:
    """Return which sessions would be billed otherwise now."""
    return {
        before.session_id
        for before in was
        if (now := folded.get(before.session_id)) and billed(before) != billed(now.session)
    }


class Findings:
    """What a group of records changed, to be written in one transaction."""

    def __init__(self) -> None:
        self.changed: dict[str, SessionRow] = {}
        self.gone: set[str] = set()
        self._of_session: defaultdict[str, list[Decision]] = defaultdict(list)

    @property
    def decisions(self) -> list[Decision]:
        """The decisions, those about a session in their order."""
        return [decision for some in self._of_session.values() for decision in some]

    def has_decided(self, session_id: str, moment: Moment) -> bool:
        """Whether the record of *moment* led to a decision about the session already."""
        decided = self._of_session.get(session_id, ())
        return any(decision.moment.position == moment.position for decision in decided)

    def conclude(self, row: SessionRow, verdict: Verdict) -> None:
        """Move *row* as *verdict* says, and keep its decision."""
        row.state, row.reasons = moved(row.state, verdict.act), list(verdict.reasons)
        row.revision = verdict.decision.revision
        self.decide(row, verdict.decision)
        self.change(row)

    def decide(self, row: SessionRow, decision: Decision) -> None:
        """Keep a *decision* about the session of *row*."""
        self._of_session[decision.session_id].append(decision)
        # A rating may note more than the fold.
        row.flags = sorted({*row.flags, *decision.flags})
        if row.told_gross is not None and isinstance(decision, SessionRated):
            row.compare_told(_gross(decision))

    def tell(self, connection: Connection[Any], row: SessionRow, gross: Decimal) -> None:
        """Note on *row* which price its station was told after its end, the last one alone."""
        row.told_gross = gross
        if row.state in PRICED:
            row.compare_told(_gross(self.rating(connection, row)))
        self.change(row)

    def rating(self, connection: Connection[Any], row: SessionRow) -> SessionRated:
        """Return what a priced session is rated at: by this group of records, or before."""
        wanted = SessionRevision(row.session_id, row.revision)
        for each in self._of_session.get(row.session_id, ()):
            if isinstance(each, SessionRated) and each.decides == wanted:
                return each
        return rated_sessions(connection, [wanted])[0]

    def change(self, row: SessionRow) -> None:
        """Write *row* as it will be at the end."""
        self.changed[row.session_id] = row
        self.gone.discard(row.session_id)

    def changed_at(self, station_id: str) -> dict[str, SessionRow]:
        """Return the rows of a station that are not stored yet as they are in mind, by session."""
        return {key: row for key, row in self.changed.items() if row.station_id == station_id}

    def clear(self) -> None:
        """Begin the next group."""
        self.changed.clear()
        self.gone.clear()
        self._of_session.clear()

    def drop(self, row: SessionRow) -> None:
        """Delete the row of a session that is none any more."""
        self.changed.pop(row.session_id, None)
        self.gone.add(row.session_id)

    def mark_late(self, row: SessionRow, *, moment_at: datetime) -> None:
        """Say on a decided session that a fact came after the decision."""
        row.last_fact_at = max(row.last_fact_at, moment_at)
        if Flag.LATE_FACT not in row.flags:
            row.flags = sorted([*row.flags, Flag.LATE_FACT])
        self.change(row)


def _gross(rated: SessionRated) -> Decimal:
    return money_of_minor(rated.gross_minor, rated.currency).amount
