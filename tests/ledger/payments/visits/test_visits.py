"""Visits on a real PostgreSQL: what is held is taken or let go, once, whatever happens between."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from ledger.database import connect
from ledger.master_data.policies import Outgrown, Policy
from ledger.partners.station_calls import StationResult, WantedEnd, WantedStart
from ledger.payments.movement import MoneyKind
from ledger.payments.provider import IntentStatus, RefusedRequestError
from ledger.payments.visits import running
from ledger.payments.visits.opening import VisitRefusal, VisitRefusedError
from ledger.payments.visits.visit import VisitState
from ledger.sessions.states import SessionState
from tests.ledger.payments.visits.visiting import VisitedDepot, minutes

CHARGED = ["wanted", "held", "starting", "charging", "ended", "capturing", "captured"]
# 60 kWh at 0.40 and 19 %: 28.56, in whole euros.
HELD = 2900


async def test_a_visit_is_held_started_charged_and_taken_at_what_its_invoice_is(
    database: str,
) -> None:
    async with VisitedDepot(database) as depot:
        opened = depot.open()
        await depot.rest()
        [(station, wanted)] = depot.stations.calls
        assert (station, type(wanted)) == ("ST-1", WantedStart)
        depot.session(opened, SessionState.OPEN)
        await depot.rest()
        depot.session(opened, SessionState.WAITING)
        await depot.rest()
        assert depot.visit(opened).state is VisitState.ENDED
        depot.bill(opened, "10000")
        await depot.rest()

        assert depot.way(opened) == CHARGED
        assert depot.owed() == [(476, 0)]
        [movement] = depot.movements()
        assert (movement.kind, movement.amount_minor) == (MoneyKind.RECEIVED, 476)
        assert [each.minor for each in movement.allotments] == [476]
        assert depot.intent(opened).amount_minor == HELD
        assert depot.visit(opened)[-1:] == (476,)
        assert [name for name, _ in depot.provider.calls] == ["take", "capture"]


@pytest.mark.parametrize(
    ("result", "why"),
    [
        pytest.param(StationResult.REJECTED, "station_rejected", id="it says no"),
        pytest.param(StationResult.FAILED, "station_failed", id="it is not connected"),
        pytest.param(StationResult.EVSE_OCCUPIED, "station_evse_occupied", id="a car is there"),
    ],
)
async def test_what_the_station_does_not_start_is_let_go_at_once(
    database: str, result: StationResult, why: str
) -> None:
    async with VisitedDepot(database) as depot:
        depot.stations.result = result
        opened = depot.open()
        await depot.rest()

        assert depot.way(opened) == ["wanted", "held", "starting", "releasing", "released", why]
        assert depot.intent(opened).status is IntentStatus.CANCELED
        assert depot.movements() == []


@pytest.mark.parametrize("result", [StationResult.ACCEPTED, StationResult.TIMEOUT])
async def test_a_car_that_does_not_come_costs_nothing(database: str, result: StationResult) -> None:
    async with VisitedDepot(database) as depot:
        depot.stations.result = result
        opened = depot.open()
        await depot.rest()
        depot.now += minutes(4)
        await depot.rest()
        assert depot.visit(opened).state is VisitState.STARTING
        depot.now += minutes(2)
        await depot.rest()

        assert depot.way(opened)[-3:] == ["releasing", "released", "no_car"]


async def test_a_driver_agrees_on_their_own_device_or_is_waited_for_no_longer(
    database: str,
) -> None:
    async with VisitedDepot(database) as depot:
        first, second = depot.open(None), depot.open(None)
        await depot.rest()
        assert depot.way(first) == depot.way(second) == ["wanted", "holding"]
        depot.becomes(first, IntentStatus.HELD)
        await depot.rest()
        assert depot.way(first) == ["wanted", "holding", "held", "starting"]
        depot.now += minutes(16)
        await depot.rest()

        assert depot.way(second)[-3:] == ["releasing", "released", "not_paid"]


async def test_who_agrees_too_late_or_where_another_one_charges_is_let_go(database: str) -> None:
    async with VisitedDepot(database) as depot:
        first, second = depot.open(), depot.open()
        await depot.rest()

        ways = sorted([depot.way(first)[-1], depot.way(second)[-1]])
        assert ways == ["occupied", "starting"]
        assert len(depot.stations.calls) == 1
        with pytest.raises(VisitRefusedError, match="in use") as refused:
            depot.open()
        assert refused.value.why is VisitRefusal.OCCUPIED


async def test_a_card_that_is_declined_holds_nothing_and_starts_nothing(database: str) -> None:
    async with VisitedDepot(database) as depot:
        depot.provider.declines["pm_card_visa"] = "insufficient_funds"
        opened = depot.open()
        await depot.rest()

        assert depot.way(opened) == ["wanted", "failed", "declined_insufficient_funds"]
        assert depot.stations.calls == []


async def test_what_owes_nothing_is_let_go_and_what_outgrows_its_hold_stays_owed(
    database: str,
) -> None:
    async with VisitedDepot(database) as depot:
        free, dear = depot.open(), None
        await depot.rest()
        depot.session(free, SessionState.OPEN)
        await depot.rest()
        depot.session(free, SessionState.WRITTEN_OFF)
        await depot.rest()
        assert depot.way(free)[-3:] == ["releasing", "released", "nothing_owed"]

        dear = depot.open()
        await depot.rest()
        depot.session(dear, SessionState.OPEN, 2)
        await depot.rest()
        depot.bill(dear, "100000", 2)
        await depot.rest()

        assert depot.way(dear)[-1] == "outgrown"
        assert depot.owed() == [(4760, 4760 - HELD)]


async def test_a_hold_that_the_bank_takes_back_stops_the_session_and_leaves_its_invoice_open(
    database: str,
) -> None:
    async with VisitedDepot(database) as depot:
        opened = depot.open()
        await depot.rest()
        depot.session(opened, SessionState.OPEN)
        await depot.rest()
        depot.becomes(opened, IntentStatus.CANCELED)
        await depot.rest()
        assert [type(wanted) for _, wanted in depot.stations.calls] == [WantedStart, WantedEnd]
        depot.bill(opened, "10000")
        await depot.rest()

        assert depot.way(opened)[-2:] == ["failed", "hold_lost"]
        assert (depot.owed(), depot.movements()) == ([(476, 476)], [])


async def test_each_session_of_a_lost_hold_is_told_to_end_until_it_does(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "AGAIN_SECONDS", 0.0)
    async with VisitedDepot(database) as depot:
        opened = depot.open()
        await depot.rest()
        depot.session(opened, SessionState.OPEN, 1)
        depot.session(opened, SessionState.OPEN, 2)
        await depot.rest()
        depot.stations.result = StationResult.TIMEOUT
        depot.becomes(opened, IntentStatus.CANCELED)
        await depot.rest()
        await depot.rest()
        depot.bill(opened, "10000", 1)
        seen = len(depot.stations.calls)
        await depot.rest()

    told = [wanted for _, wanted in depot.stations.calls[1:]]
    assert told[:4] == [WantedEnd("1"), WantedEnd("2")] * 2
    assert {wanted for _, wanted in depot.stations.calls[seen:]} == {WantedEnd("2")}


async def test_what_the_provider_will_not_take_is_let_go_and_stays_open(database: str) -> None:
    async with VisitedDepot(database) as depot:

        def refuse(name: str, _key: str) -> None:
            if name == "capture":
                reason = "amount_too_small"
                raise RefusedRequestError(reason, "at least 0.50")

        opened = depot.open()
        await depot.rest()
        depot.session(opened, SessionState.OPEN)
        await depot.rest()
        depot.provider.before = refuse
        depot.bill(opened, "500")
        await depot.rest()

        ends = ["capturing", "releasing", "released", "refused_amount_too_small"]
        assert depot.way(opened)[-4:] == ends
        assert depot.intent(opened).status is IntentStatus.CANCELED
        assert (depot.owed(), depot.movements()) == ([(24, 24)], [])


async def test_a_session_that_is_held_for_a_person_is_taken_only_then_and_says_so_in_time(
    database: str,
) -> None:
    async with VisitedDepot(database) as depot:
        opened = depot.open()
        await depot.rest()
        depot.session(opened, SessionState.OPEN)
        await depot.rest()
        depot.session(opened, SessionState.HELD)
        depot.now += timedelta(days=4)
        await depot.rest()
        assert (depot.visit(opened).state, depot.visit(opened).reason) == (VisitState.ENDED, "")
        depot.now += timedelta(days=1, hours=1)
        await depot.rest()
        assert depot.visit(opened).reason == "hold_expires"
        depot.bill(opened, "10000")
        await depot.rest()

        assert depot.way(opened) == CHARGED
        assert depot.owed() == [(476, 0)]


async def test_more_is_held_where_the_policy_says_so_and_once_for_each_amount(
    database: str,
) -> None:
    most = {"EUR": Decimal(40), "SEK": Decimal(9)}
    policy = Policy(visits=True, visit_outgrown=Outgrown.RAISE, visit_hold_max=most)
    async with VisitedDepot(database, policy) as depot:
        opened = depot.open()
        await depot.rest()
        depot.session(opened, SessionState.OPEN)
        depot.prices["1"] = Decimal(23)
        await depot.rest()
        assert depot.visit(opened).held_minor == HELD
        depot.prices["1"] = Decimal(24)
        await depot.rest()
        assert depot.visit(opened).held_minor == 4000
        depot.prices["1"] = Decimal(39)
        await depot.rest()
        raised = [key for name, key in depot.provider.calls if name == "raise_hold"]
        assert len(raised) == 1
        depot.bill(opened, "70000")
        await depot.rest()

        assert depot.way(opened) == CHARGED
        assert depot.owed() == [(3332, 0)]


async def test_sessions_of_one_visit_share_what_is_held(database: str) -> None:
    policy = Policy(visits=True, visit_outgrown=Outgrown.RAISE, visit_hold_max=Decimal(40))
    async with VisitedDepot(database, policy) as depot:
        opened = depot.open()
        await depot.rest()
        depot.session(opened, SessionState.OPEN, 1)
        depot.session(opened, SessionState.OPEN, 2)
        depot.prices |= {"1": Decimal(9), "2": Decimal(9)}
        await depot.rest()
        assert [depot.may_cost(opened, number, 900) for number in (1, 2)] == [HELD, HELD - 900]
        depot.bill(opened, "20000", 1)
        assert depot.may_cost(opened, 2, 900) == HELD - 952
        assert depot.may_cost(opened, 2, 900, currency="SEK") == 0
        depot.prices["2"] = Decimal(13)
        await depot.rest()
        assert depot.visit(opened).held_minor == HELD
        depot.prices["2"] = Decimal(14)
        await depot.rest()
        assert depot.visit(opened).held_minor == 4000
        depot.bill(opened, "20000", 2)
        await depot.rest()

        assert depot.owed() == [(952, 0)] * 2
        assert depot.may_cost(opened, 2, 900) == 0
    with connect(database) as connection:
        assert connection.execute("SELECT FROM running_cost").fetchall() == []


async def test_all_that_was_charged_with_its_token_is_taken_at_once(database: str) -> None:
    async with VisitedDepot(database) as depot:
        opened = depot.open()
        await depot.rest()
        depot.session(opened, SessionState.OPEN, 1)
        depot.session(opened, SessionState.OPEN, 2)
        await depot.rest()
        depot.bill(opened, "10000", 1)
        await depot.rest()
        assert depot.visit(opened).state is VisitState.CHARGING
        depot.bill(opened, "20000", 2)
        await depot.rest()

        assert depot.owed() == [(476, 0), (952, 0)]
        [movement] = depot.movements()
        assert [each.minor for each in movement.allotments] == [476, 952]


async def test_a_release_by_hand_lets_go_of_what_charges_no_car(database: str) -> None:
    async with VisitedDepot(database) as depot:
        waiting = depot.open()
        await depot.rest()
        number = waiting.visit.number
        assert depot.release(number) is VisitState.RELEASING
        assert depot.release(number) is None
        await depot.rest()
        assert depot.way(waiting)[-2:] == ["released", "the station broke down"]

        charging = depot.open()
        await depot.rest()
        depot.session(charging, SessionState.OPEN)
        await depot.rest()
        assert depot.release(charging.visit.number) is None


async def test_what_somebody_takes_by_hand_at_the_provider_is_not_lost(database: str) -> None:
    async with VisitedDepot(database) as depot:
        opened = depot.open()
        await depot.rest()
        depot.becomes(opened, IntentStatus.TAKEN, taken_minor=500)
        await depot.rest()

        assert depot.way(opened)[-2:] == ["captured", "taken_by_hand"]
        [movement] = depot.movements()
        assert [(each.account, each.minor) for each in movement.allotments] == [
            ("cash:unmatched", 500)
        ]


@pytest.mark.parametrize(
    ("changed", "station", "why"),
    [
        pytest.param(Policy(), "ST-1", VisitRefusal.NOT_OFFERED, id="nobody offers it"),
        pytest.param(
            Policy(visits=True), "ST-9", VisitRefusal.UNKNOWN_STATION, id="no such station"
        ),
    ],
)
async def test_a_visit_that_may_not_be_is_refused_with_its_reason(
    database: str, changed: Policy, station: str, why: VisitRefusal
) -> None:
    async with VisitedDepot(database, changed) as depot:
        with pytest.raises(VisitRefusedError) as refused:
            depot.open(station=station)
        assert refused.value.why is why
