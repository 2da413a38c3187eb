"""Moving visits on by what the books and the clock say: one look at all that are not over.

    holding, the driver did not agree in time    -> released
    held                                         -> starting, one at an EVSE; the others released
    starting, a session with its token           -> charging
    starting, refused, or no car in time         -> released; its hold is lost: failed
    charging, its session is over                -> ended
    ended, rated and on an invoice               -> what is open of it is taken, of what is held
    ended, nothing owed, or written off          -> released

A station that is away cannot say that a car came: it is waited for, a day at most, and what it says
when it is back counts. A session that a person must decide about keeps its hold until then; days
before that expires the visit says so. Each visit moves in a transaction of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from psycopg import Connection
from psycopg.errors import UniqueViolation

from ledger.database import is_of_content
from ledger.declared.declarations import Declarations
from ledger.partners.station_calls import StationResult
from ledger.payments.open_items import open_items
from ledger.payments.requests import RequestKind
from ledger.payments.visits.charged import ChargedSession, charged_sessions
from ledger.payments.visits.fund import forget_costs
from ledger.payments.visits.kept import live_visits, move_visit, note_reason, note_until
from ledger.payments.visits.requesting import decide_for
from ledger.payments.visits.visit import CardVisit, VisitEvent, VisitState

HOLD_LASTS: Final = timedelta(days=7)
"""So long a bank keeps money aside. Source: Stripe, place a hold on a payment method."""
WARNED_BEFORE: Final = timedelta(days=2)
MISSING_AFTER: Final = timedelta(days=1)
"""So long the books are waited for, once the station began; and a station that is away."""
_TOOK_EFFECT: Final = frozenset({StationResult.ACCEPTED.value, StationResult.TIMEOUT.value})
"""What it says it starts, and what nobody knows of."""
_LOGGER: Final = logging.getLogger(__name__)
_WITH_SESSIONS: Final = frozenset({VisitState.STARTING, VisitState.CHARGING, VisitState.ENDED})


class MovedVisits(NamedTuple):
    """How many were moved; of those `without_car` nothing came in time: `VisitStep.no_car`."""

    number: int
    without_car: Sequence[CardVisit]


def move_visits(connection: Connection[Any], declared: Declarations, now: datetime) -> MovedVisits:
    """Move every visit on that can be."""
    moved, step = 0, VisitStep(connection, declared, now)
    for visits in live_visits(connection):
        charged = charged_sessions(connection, [v for v in visits if v.state in _WITH_SESSIONS])
        for visit in visits:
            try:
                moved += step.take(visit, charged.get(visit.number, ()))
            except Exception as error:
                if not is_of_content(error):
                    raise
                # One visit keeps no other from its driver.
                _LOGGER.exception("visit %s is left where it is", visit.number)
    return MovedVisits(moved, step.without_car)


class VisitStep:
    """One look at visits: each moves in a transaction of its own, most in none."""

    def __init__(self, connection: Connection[Any], declared: Declarations, now: datetime) -> None:
        self._connection, self._declared, self._now = connection, declared, now
        self.without_car: list[CardVisit] = []

    def take(self, visit: CardVisit, charged: Sequence[ChargedSession]) -> bool:
        """Move *visit* on, whose sessions are *charged*, where it can be; say whether it was."""
        match visit.state:
            case VisitState.HOLDING if self._is_late(visit):
                return self._let_go(visit, "not_paid")
            case VisitState.HELD:
                return self._start(visit)
            case VisitState.STARTING:
                return self._starting(visit, charged)
            case VisitState.CHARGING if not any(each.is_open for each in charged):
                return self._move(visit, VisitEvent.ENDS)
            case VisitState.ENDED:
                return self._settle(visit, charged)
            case _:
                return False

    def no_car(self, visit: CardVisit, *, is_away: bool) -> bool:
        """Let go of a visit for which nothing came in time, unless its station cannot say so."""
        waits_since = visit.held_at or self._now
        if is_away and self._now - waits_since < MISSING_AFTER:
            note_until(self._connection, visit, self._now + self._patience())
            return False
        return self._let_go(visit, "no_car")

    def _patience(self) -> timedelta:
        return timedelta(seconds=self._declared.policy(self._now).visit_start_s)

    def _is_late(self, visit: CardVisit) -> bool:
        return visit.until is not None and visit.until <= self._now

    def _move(
        self, visit: CardVisit, event: VisitEvent, reason: str = "", until: datetime | None = None
    ) -> bool:
        with self._connection.transaction():
            moved = move_visit(
                self._connection, visit, event, now=self._now, reason=reason, until=until
            )
            if moved is not None and visit.state is VisitState.ENDED:
                forget_costs(self._connection, visit)
        return moved is not None

    def _start(self, visit: CardVisit) -> bool:
        """Let its station be called, unless it is too late or somebody else charges there."""
        if self._is_late(visit):
            return self._let_go(visit, "paid_late")
        try:
            return self._move(visit, VisitEvent.CALLS, until=self._now + self._patience())
        except UniqueViolation:
            return self._let_go(visit, "occupied")

    def _starting(self, visit: CardVisit, charged: Sequence[ChargedSession]) -> bool:
        if charged:
            return self._move(visit, VisitEvent.SEEN, visit.reason)
        if visit.called is not None and visit.called not in _TOOK_EFFECT:
            return self._let_go(visit, f"station_{visit.called.lower()}")
        if not visit.held_minor and visit.shown_at is None:
            return self._let_go(visit, "hold_lost")  # nobody charges for nothing
        if not self._is_late(visit):
            return False
        if visit.shown_at is None:
            self.without_car.append(visit)
            return False
        is_missing = self._now - visit.shown_at > MISSING_AFTER
        return is_missing and self._let_go(visit, "session_missing")

    def _let_go(self, visit: CardVisit, reason: str) -> bool:
        """Let go of what is held, or end what was not agreed to."""
        if visit.state is not VisitState.HOLDING and not visit.held_minor:
            return self._move(visit, VisitEvent.GONE, reason)
        with self._connection.transaction():
            if not self._move(visit, VisitEvent.LETS_GO, reason):
                return False
            body = {"intent": visit.intent_id}
            decide_for(self._connection, visit, RequestKind.RELEASE, body, now=self._now)
        return True

    def _settle(self, visit: CardVisit, charged: Sequence[ChargedSession]) -> bool:
        """Take what is open of the sessions' invoices, at most what is held."""
        if not all(each.is_settled for each in charged):
            return self._warn(visit)
        numbers = sorted({number for each in charged for number in each.invoices})
        items = open_items(self._connection, numbers)
        owed = sum(max(item.open_minor, 0) for item in items if item.currency == visit.currency)
        if not visit.held_minor:
            return self._move(visit, VisitEvent.GONE, "hold_lost" if owed else "nothing_owed")
        if not owed:
            return self._let_go(visit, "nothing_owed" if charged else "no_session")
        reason = "outgrown" if owed > visit.held_minor else ""
        with self._connection.transaction():
            if not self._move(visit, VisitEvent.CAPTURES, reason):
                return False
            decide_for(
                self._connection,
                visit,
                RequestKind.CAPTURE,
                {"intent": visit.intent_id, "invoices": numbers},
                now=self._now,
                amount_minor=min(owed, visit.held_minor),
            )
        return True

    def _warn(self, visit: CardVisit) -> bool:
        """Say once that the hold is about to expire while a session waits for a person."""
        is_due = visit.held_at is not None and visit.held_minor > 0
        if not is_due or visit.reason == "hold_expires" or visit.held_at is None:
            return False
        if self._now < visit.held_at + HOLD_LASTS - WARNED_BEFORE:
            return False
        note_reason(self._connection, visit, "hold_expires")
        _LOGGER.warning(
            "the hold of visit %s expires at %s and its session is not decided: "
            "`wattledger sessions held` lists it",
            visit.number,
            visit.held_at + HOLD_LASTS,
        )
        return False
