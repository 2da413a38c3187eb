"""What a 2.1 station says beside its readings: quote, resumed transactions, energy given back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ledger.facts.flags import Flag
from ledger.facts.station_quote import ChargingLimit
from tests.station_story import Story21, in_any_order, watts, wh


def cost(amount: object, **more: object) -> dict[str, Any]:
    """Return costDetails of so much with taxes."""
    total = {"currency": "EUR", "typeOfCost": "NormalCost", "total": {"inclTax": amount}}
    usage = {"energy": 5, "chargingTime": 3600, "idleTime": 0}
    return {"totalCost": total, "totalUsage": usage, **more}


def exported(value: object, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any part of a sample
    """Return a sample of the register of energy that was given back."""
    return wh(value, measurand="Energy.Active.Export.Register", **more)


def test_the_cost_of_a_session_is_that_of_its_stop_not_one_on_the_way() -> None:
    story = Story21()
    story.start()
    story.sample(20, wh(3000), costDetails=cost(Decimal("1.50")), triggerReason="RunningCost")
    story.stop(costDetails=cost(Decimal("3.75")))

    (session,) = in_any_order(story)

    assert session.quote is not None
    assert session.quote.cost is not None
    assert session.quote.cost.total.incl_tax == Decimal("3.75")
    assert session.flags == ()


def test_a_cost_on_the_way_alone_is_no_cost_of_the_session() -> None:
    story = Story21()
    story.start()
    story.sample(20, wh(3000), costDetails=cost(Decimal("1.50")), triggerReason="RunningCost")
    story.stop()

    (session,) = in_any_order(story)

    assert session.quote is not None
    assert session.quote.cost is None


def test_tariff_and_limit_are_the_last_ones_told_whichever_came_first() -> None:
    story = Story21()
    story.start(info={"tariffId": "day@1", "transactionLimit": {"maxCost": 20}})
    limit = {"transactionLimit": {"maxEnergy": 4000, "maxTime": 3600}}
    story.sample(10, wh(2000), triggerReason="LimitSet", info=limit)
    story.sample(20, wh(3000), triggerReason="TariffChanged", info={"tariffId": "night@1"})
    story.stop(triggerReason="EnergyLimitReached", info={"stoppedReason": "EnergyLimitReached"})

    (session,) = in_any_order(story)

    assert session.quote is not None
    assert session.quote.tariff_id == "night@1"
    assert session.quote.limit == ChargingLimit(energy_wh=Decimal(4000), time_s=3600)
    assert session.flags == (Flag.LIMIT_REACHED,)
    assert session.is_complete


def test_a_tariff_that_was_not_taken_is_named_and_stops_nothing() -> None:
    story = Story21()
    story.start()
    story.sample(10, wh(2000), triggerReason="TariffNotAccepted", info={"tariffId": "day@1"})
    story.stop()

    (session,) = in_any_order(story)

    assert session.flags == (Flag.TARIFF_NOT_TAKEN,)
    assert session.is_complete


def test_two_limits_of_one_moment_are_one_in_any_order() -> None:
    story = Story21()
    story.start()
    for most in (10, 20):
        limit = {"transactionLimit": {"maxCost": most}}
        story.sample(10, seq=1, triggerReason="LimitSet", info=limit)
    story.stop(seq=2)

    assert len(in_any_order(story)) == 1


def test_a_station_that_could_not_reckon_is_named_and_stops_nothing() -> None:
    story = Story21()
    story.start()
    story.stop(costDetails=cost(0, failureToCalculate=True, failureReason="no tariff"))

    (session,) = in_any_order(story)

    assert session.flags == (Flag.STATION_COST_FAILED,)
    assert session.is_complete


@pytest.mark.parametrize("state", ["SuspendedEVSE", "EVConnected", "Idle"])
def test_a_transaction_that_is_resumed_after_a_power_loss_is_one_session(state: str) -> None:
    """OCPP 2.1 E17: the station boots, says TxResumed with its number, and goes on."""
    story = Story21()
    story.start()
    story.sample(10, wh(2000), info={"operationMode": "ChargingOnly"})
    story.boot(30)
    story.sample(31, wh(2000, context="Interruption.End"), triggerReason="TxResumed", state=state)
    story.sample(40, wh(3000), state="Charging")
    story.stop(60, 6000)

    (session,) = in_any_order(story)

    assert session.energy_wh == Decimal(5000)
    assert session.flags == (Flag.INTERRUPTED,)
    assert session.is_complete


def test_one_that_waits_for_a_cold_battery_is_one_session_and_does_not_park() -> None:
    story = Story21()
    story.start(preconditioningStatus="Preconditioning", state="EVConnected")
    story.state(5, "SuspendedEVSE", preconditioningStatus="Preconditioning", evseSleep=True)
    story.state(20, "Charging", preconditioningStatus="Ready")
    story.stop(60, 6000)

    (session,) = in_any_order(story)

    assert (session.energy_wh, session.flags) == (Decimal(5000), ())
    assert {span.activity.value for span in session.spans} == {"charging"}


def test_energy_given_back_is_told_apart_and_never_billed_as_drawn() -> None:
    """V2X: the registers rise in turn, in whatever order they stand in a sample."""
    story = Story21()
    story.start(0, 1000)
    story.sample(0, exported(500))
    story.sample(10, wh(4000), exported(500), info={"operationMode": "CentralSetpoint"})
    story.sample(20, exported(1700), wh(4000), watts(-7200))
    story.sample(30, exported(2500), wh(4000))
    story.sample(40, wh(5000), exported(2500))
    story.stop(60, 6000, samples=[exported(2500, context="Transaction.End")])

    (session,) = in_any_order(story)

    assert (session.energy_wh, session.exported_wh) == (Decimal(5000), Decimal(2000))
    assert [point.energy_wh for point in session.points] == [0, 3000, 3000, 3000, 4000, 5000]
    assert Flag.ENERGY_EXPORTED in session.flags
    assert session.is_complete


def test_a_register_of_energy_given_back_that_stands_still_is_no_export() -> None:
    story = Story21()
    story.start(0, 1000)
    story.sample(10, wh(4000), exported(500))
    story.stop(60, 6000, samples=[exported(500, context="Transaction.End")])

    session = story.session()

    assert (session.energy_wh, session.exported_wh) == (Decimal(5000), Decimal(0))
    assert session.flags == ()


def test_phases_of_energy_given_back_are_no_total() -> None:
    story = Story21()
    story.start(0, 1000)
    story.sample(10, wh(4000), exported(5, phase="L1"), exported(500, phase="L2"))
    story.stop(60, 6000)

    assert story.session().exported_wh is None
