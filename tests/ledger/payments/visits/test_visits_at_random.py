"""Whatever happens to visits in whatever order: what is held is some visit's, and all is booked."""

from __future__ import annotations

import random
from contextlib import suppress
from decimal import Decimal

import pytest

from ledger.master_data.policies import Policy
from ledger.partners.station_calls import StationResult
from ledger.payments.provider import IntentState, IntentStatus
from ledger.payments.visits.opening import OpenedVisit, VisitRefusedError
from ledger.payments.visits.visit import OVER, VisitState
from ledger.sessions.states import SessionState
from tests.ledger.payments.visits.visiting import VisitedDepot, minutes

STEPS = 60
PATIENT = Policy(visits=True, visit_hold_max=Decimal(30))
MAY_CHARGE = (VisitState.STARTING, VisitState.CHARGING)


class Fate:
    """What befalls the visits of a depot, by a seed."""

    def __init__(self, depot: VisitedDepot, seed: int) -> None:
        self.depot, self.chance = depot, random.Random(seed)
        self.visits: list[OpenedVisit] = []
        self.sessions: dict[int, tuple[OpenedVisit, bool]] = {}

    async def befall(self) -> None:
        """Let one thing happen, and whoever is awake see it, or not yet."""
        step = self.chance.choice(
            [self.open, self.decide, self.lose, self.plug, self.end, self.wait]
        )
        step()
        if self.chance.random() < 0.7:
            await self.depot.rest()

    def open(self) -> None:
        self.depot.stations.result = self.chance.choice(
            [StationResult.ACCEPTED, StationResult.ACCEPTED, StationResult.REJECTED]
        )
        method, evse = self.chance.choice(["pm_card_visa", None]), self.chance.randint(1, 4)
        with suppress(VisitRefusedError):  # in use
            self.visits.append(self.depot.open(method, evse=evse))

    def decide(self) -> None:
        """Have a driver agree, or never agree."""
        for each in self._where(IntentStatus.NEEDS_ACTION):
            status = self.chance.choice([IntentStatus.HELD, IntentStatus.CANCELED])
            self.depot.becomes(each, status)

    def lose(self) -> None:
        """Have a bank let go of what it holds, now and then."""
        for each in self._where(IntentStatus.HELD):
            if self.chance.random() < 0.2:
                self.depot.becomes(each, IntentStatus.CANCELED)

    def plug(self) -> None:
        for each in self.visits:
            is_new = all(visit is not each for visit, _ in self.sessions.values())
            if self.depot.visit(each).state in MAY_CHARGE and is_new:
                number = len(self.sessions) + 1
                self.depot.session(each, SessionState.OPEN, number)
                self.sessions[number] = each, False

    def end(self) -> None:
        for number, (each, is_over) in self.sessions.items():
            if not is_over:
                self._end(number, each)

    def wait(self) -> None:
        self.depot.now += minutes(self.chance.choice([1, 6, 16]))

    def _end(self, number: int, visit: OpenedVisit) -> None:
        if self.chance.random() < 0.3:
            self.depot.session(visit, SessionState.WRITTEN_OFF, number)
        else:
            self.depot.bill(visit, str(self.chance.choice([1_000, 10_000, 90_000])), number)
        self.sessions[number] = visit, True

    def _where(self, status: IntentStatus) -> list[OpenedVisit]:
        return [
            each
            for each in self.visits
            if self.depot.visit(each).intent_id and self.depot.intent(each).status is status
        ]


@pytest.mark.parametrize("seed", range(3))
async def test_in_the_end_nothing_is_held_and_all_that_was_taken_is_booked(
    database: str, seed: int
) -> None:
    async with VisitedDepot(database, PATIENT) as depot:
        fate = Fate(depot, seed)
        for _ in range(STEPS):
            await fate.befall()
        fate.end()
        for _ in range(3):
            depot.now += minutes(60)
            await depot.rest()

        intents = [
            each for each in depot.provider.objects.values() if isinstance(each, IntentState)
        ]
        taken = sum(each.taken_minor for each in intents)
        booked = depot.movements()
        owed = depot.owed()
        visits = [depot.visit(each) for each in fate.visits]
        assert len(visits) > 3
        assert {each.state for each in visits} <= OVER
        assert len(intents) == len(visits), "each was asked for once"
        assert {each.status for each in intents} <= {IntentStatus.TAKEN, IntentStatus.CANCELED}
        assert sum(each.amount_minor for each in booked) == taken
        assert sum(each.due_minor - each.open_minor for each in owed) == taken
        assert all(each.open_minor >= 0 for each in owed), "nobody paid more than the invoice"
        for visit in visits:
            assert visit.taken_minor <= visit.amount_minor
