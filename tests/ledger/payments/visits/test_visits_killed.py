"""Visits whose processes are killed at every step: no hold without a visit, no charge twice."""

from __future__ import annotations

from collections import Counter

import pytest

from ledger.master_data.policies import Policy
from ledger.partners.station_calls import WantedStart
from ledger.payments.provider import IntentState, IntentStatus
from ledger.payments.visits.opening import OpenedVisit
from ledger.payments.visits.visit import VisitState
from ledger.sessions.states import SessionState
from tests.ledger.payments.visits.visiting import VisitedDepot, minutes

STEPS = 6
"""Of a visit that is charged: before and after the hold, the call and the capture."""


class KilledError(BaseException):
    """A process is gone in the middle of something."""


class Killer:
    """Kills at one of the steps at which something outside was asked, or is about to be."""

    def __init__(self, depot: VisitedDepot) -> None:
        self.left, self.kills = -1, 0
        depot.provider.before = depot.provider.after = lambda *_: self.step()
        depot.stations.before = depot.stations.after = self.step

    def step(self) -> None:
        self.left -= 1
        if self.left == -1:
            self.kills += 1
            raise KilledError


async def rest(depot: VisitedDepot) -> None:
    """Let everybody do what there is to do, in new processes where the old ones are killed."""
    while True:
        try:
            await depot.rest()
        except KilledError:
            await depot.restart()
            depot.now += minutes(6)  # what was on its way is taken up again
        else:
            return


async def charge(depot: VisitedDepot, number: int) -> OpenedVisit:
    opened = depot.open()
    await rest(depot)
    depot.session(opened, SessionState.OPEN, number)
    await rest(depot)
    depot.bill(opened, "10000", number)
    await rest(depot)
    return opened


@pytest.mark.parametrize("outcome", ["charged", "no car"])
async def test_a_kill_at_any_step_neither_charges_twice_nor_leaves_a_hold(
    database: str, outcome: str
) -> None:
    # The clock goes on while what was on its way is waited for.
    patient = Policy(visits=True, visit_pay_s=3600, visit_start_s=3600)
    async with VisitedDepot(database, patient) as depot:
        killer = Killer(depot)
        visits = []
        for step in range(STEPS + 1):
            killer.left = step
            if outcome == "charged":
                visits.append(await charge(depot, step + 1))
                continue
            visits.append(depot.open())
            await rest(depot)
            depot.now += minutes(70)
            await rest(depot)
        ends = [depot.visit(each).state for each in visits]
        intents = [
            each for each in depot.provider.objects.values() if isinstance(each, IntentState)
        ]
        starts = [wanted for _, wanted in depot.stations.calls if isinstance(wanted, WantedStart)]
        assert killer.kills == STEPS, "once at each, and the last visit not at all"
        assert len(intents) == len(starts) == len({each.uid for each in starts}) == len(visits)
        taken = Counter(each.status for each in intents)
        if outcome == "charged":
            assert set(ends) == {VisitState.CAPTURED}
            assert taken == {IntentStatus.TAKEN: len(visits)}
            assert {each.taken_minor for each in intents} == {476}
            assert set(depot.owed()) == {(476, 0)}
            assert len(depot.movements()) == len(visits)
        else:
            assert set(ends) == {VisitState.RELEASED}
            assert taken == {IntentStatus.CANCELED: len(visits)}
            assert depot.movements() == []
