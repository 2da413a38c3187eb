"""What a vehicle is told that it may draw: the needs that it tells, the schedule that it makes."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from ingest.answers import vehicles
from ingest.answers.schedules import PROFILE_MAX, TRANSACTIONS_MAX, VehicleSchedules
from ingest.commands.schemas import check_command
from ingest.directory import StationAccess, power_at
from ingest.rpc.codec import CallError, CallResult, encode, encode_call
from ingest.rpc.fields import PayloadFields
from ledger.master_data.policies import Policy
from tests.edge import Edge, Station, open_edge
from tests.fakes import FixedDirectory

NEEDS = {"evseId": 1, "chargingNeeds": {"requestedEnergyTransfer": "DC"}}
OURS = 500_000
"""Nothing is declared of the plug: what the policy takes for the most."""


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let schedules follow their promise at once: what does not come then never comes."""
    monkeypatch.setattr(vehicles, "AFTER_SECONDS", 0.0)


@asynccontextmanager
async def charging(
    reference: str = "tx-1", *, evse: int = 1, protocol: str = "ocpp2.0.1"
) -> AsyncIterator[tuple[Edge, Station]]:
    """Open a station with a transaction at an EVSE."""
    async with open_edge() as edge, edge.station(protocol=protocol) as station:
        await station.call("TransactionEvent", event("Started", reference, evse=evse))
        yield edge, station


def event(stage: str, reference: str, *, evse: int | None = None) -> dict[str, Any]:
    told: dict[str, Any] = {
        "eventType": stage,
        "seqNo": 0 if stage == "Started" else 1,
        "transactionInfo": {"transactionId": reference},
    }
    return told if evse is None else told | {"evse": {"id": evse}}


def schedule(*limits: object, unit: str = "W", **period: object) -> dict[str, Any]:
    periods = [{"startPeriod": 60 * at, "limit": each, **period} for at, each in enumerate(limits)]
    return {"id": 1, "chargingRateUnit": unit, "chargingSchedulePeriod": periods}


async def asked(station: Station) -> tuple[str, Any]:
    """Return the next call of ours and what it sets; it must fit the official schema."""
    kind, message_id, action, payload = (
        station.asked.pop() if station.asked else await station.receive()
    )
    assert (kind, action) == (2, "SetChargingProfile")
    check_command("ocpp2.0.1", action, json.dumps(payload))
    return message_id, payload


async def answered(station: Station, message_id: str, status: str = "Accepted") -> None:
    await station.socket.send(json.dumps([3, message_id, {"status": status}]))


async def wants(station: Station, told: dict[str, Any], *, evse: int = 1) -> str:
    """Tell what the vehicle will draw and return what it is told of that."""
    payload = {"timeBase": "2026-03-02T12:00:00Z", "evseId": evse, "chargingSchedule": told}
    status: str = (await station.call("NotifyEVChargingSchedule", payload))["status"]
    return status


async def test_a_vehicle_that_tells_its_needs_is_set_what_its_plug_can_bring() -> None:
    async with charging() as (_, station):
        told = await station.call("NotifyEVChargingNeeds", NEEDS)
        _, payload = await asked(station)

    assert told == {"status": "Accepted"}
    assert payload["evseId"] == 1
    profile = payload["chargingProfile"]
    assert profile["transactionId"] == "tx-1"
    assert profile["chargingProfilePurpose"] == "TxProfile"
    assert profile["chargingSchedule"][0]["chargingSchedulePeriod"] == [
        {"startPeriod": 0, "limit": OURS}
    ]


async def test_the_schedule_comes_after_its_promise_was_read() -> None:
    async with charging() as (_, station):
        begun = time.monotonic()
        await station.call("NotifyEVChargingNeeds", NEEDS)
        await asked(station)

    assert time.monotonic() - begun >= vehicles.AFTER_SECONDS


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("evse", [2, None])
async def test_without_a_transaction_there_a_vehicle_is_told_to_wait(evse: int | None) -> None:
    needs = NEEDS | {"evseId": evse} if evse else {"chargingNeeds": {}}
    async with charging() as (_, station):
        told = await station.call("NotifyEVChargingNeeds", needs)
        after = await station.call("Heartbeat", {})

    assert told == {"status": "Processing"}
    assert "currentTime" in after
    assert station.asked == []


@pytest.mark.usefixtures("at_once")
async def test_an_ended_transaction_gets_no_schedule_and_the_latest_of_an_evse_gets_it() -> None:
    async with charging("old") as (_, station):
        await station.call("TransactionEvent", event("Started", "new", evse=1))
        await station.call("NotifyEVChargingNeeds", NEEDS)
        message_id, first = await asked(station)
        await answered(station, message_id)
        await station.call("TransactionEvent", event("Ended", "new"))
        await station.call("NotifyEVChargingNeeds", NEEDS)
        _, second = await asked(station)

    assert first["chargingProfile"]["transactionId"] == "new"
    assert second["chargingProfile"]["transactionId"] == "old"


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    ("told", "status"),
    [
        (schedule(OURS), "Accepted"),
        (schedule(1, OURS + 1), "Rejected"),
        (schedule(f"{OURS}.1"), "Rejected"),
        # 500 kW are 724.6 A of three phases with 230 V, and 2173.9 of one.
        (schedule(724, unit="A"), "Accepted"),
        (schedule(725, unit="A"), "Rejected"),
        (schedule(2173, unit="A", numberPhases=1), "Accepted"),
        (schedule(2174, unit="A", numberPhases=1), "Rejected"),
        (schedule("NaN"), "Accepted"),
        (schedule("1e999999999", unit="A"), "Rejected"),
        ({"chargingSchedulePeriod": 7}, "Accepted"),
        ({}, "Accepted"),
    ],
)
async def test_a_schedule_is_held_against_what_was_set(told: dict[str, Any], status: str) -> None:
    async with charging() as (_, station):
        await station.call("NotifyEVChargingNeeds", NEEDS)
        message_id, first = await asked(station)
        await answered(station, message_id)

        assert await wants(station, told) == status

        if status == "Rejected":
            _, second = await asked(station)
            assert second == first
        else:
            await station.call("Heartbeat", {})
            assert station.asked == []


@pytest.mark.usefixtures("at_once")
async def test_what_the_station_did_not_take_limits_no_vehicle() -> None:
    async with charging() as (_, station):
        await station.call("NotifyEVChargingNeeds", NEEDS)
        message_id, _ = await asked(station)
        await answered(station, message_id, "Rejected")

        assert await wants(station, schedule(OURS + 1)) == "Accepted"


@pytest.mark.usefixtures("at_once")
async def test_a_vehicle_that_tells_its_needs_first_is_set_a_schedule_once_it_charges() -> None:
    async with charging() as (_, station):
        told = await station.call("NotifyEVChargingNeeds", NEEDS | {"evseId": 2})
        await station.call("TransactionEvent", event("Started", "elsewhere", evse=3))
        await station.call("TransactionEvent", event("Started", "late", evse=2))
        message_id, payload = await asked(station)
        await answered(station, message_id)
        await station.call("TransactionEvent", event("Updated", "late", evse=2))
        await station.call("Heartbeat", {})

    assert told == {"status": "Processing"}
    assert payload["evseId"] == 2
    assert payload["chargingProfile"]["transactionId"] == "late"
    assert station.asked == [], "once"


async def test_a_dynamic_vehicle_of_2_1_is_told_to_wait() -> None:
    needs = {"evseId": 1, "chargingNeeds": {"controlMode": "DynamicControl"}}
    async with charging(protocol="ocpp2.1") as (_, station):
        told = await station.call("NotifyEVChargingNeeds", needs)

    assert told == {"status": "Processing"}


def heard(*events: dict[str, Any]) -> VehicleSchedules:
    known = VehicleSchedules()
    for each in events:
        known.hear(PayloadFields(encode(each)))
    return known


def set_call(profile: dict[str, Any], action: str = "SetChargingProfile") -> str:
    payload = {"evseId": 1, "chargingProfile": profile}
    return encode_call("00000000-0000-0000-0000-000000000000", action, payload).decode()


def profile_of(reference: str, **more: object) -> dict[str, Any]:
    return {"transactionId": reference, "chargingSchedule": [schedule(10, unit="A")], **more}


ACCEPTED = CallResult(b'"1"', encode({"status": "Accepted"}))  # type: ignore[arg-type]  # bytes do


def test_what_somebody_set_for_a_transaction_is_what_its_vehicle_may_draw() -> None:
    known = heard(event("Started", "tx-1", evse=1))

    known.note(set_call(profile_of("tx-1")), ACCEPTED)

    found = known.set_for("tx-1")
    assert found is not None
    assert found.most_w == Decimal(6900)
    assert json.loads(bytes(found.profile)) == profile_of("tx-1")


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        (set_call(profile_of("other")), ACCEPTED),
        (set_call(profile_of("tx-1", comment="x" * PROFILE_MAX)), ACCEPTED),
        (set_call(profile_of("tx-1")), None),
        (set_call(profile_of("tx-1")), CallError(b'"1"', "NotSupported")),
        (set_call(profile_of("tx-1"), "SetDisplayMessage"), ACCEPTED),
        (set_call({"transactionId": 7, "chargingSchedule": {}}), ACCEPTED),
    ],
)
def test_other_calls_set_nothing(call: str, answer: CallResult | CallError | None) -> None:
    known = heard(event("Started", "tx-1", evse=1))

    known.note(call, answer)

    assert known.set_for("tx-1") is None


def test_what_was_cleared_or_ended_is_set_no_more() -> None:
    known = heard(event("Started", "tx-1", evse=1), event("Started", "tx-2", evse=2))
    for reference in ("tx-1", "tx-2"):
        known.note(set_call(profile_of(reference)), ACCEPTED)

    known.hear(PayloadFields(encode(event("Ended", "tx-1"))))
    assert known.set_for("tx-1") is None
    assert known.set_for("tx-2") is not None
    known.note(set_call({}, "ClearChargingProfile"), ACCEPTED)
    assert known.set_for("tx-2") is None


def test_transactions_without_end_are_forgotten_the_oldest_first() -> None:
    known = heard(
        *(event("Started", f"tx-{number}", evse=number) for number in range(TRANSACTIONS_MAX)),
        event("Updated", "tx-0"),
        event("Started", "one more", evse=1000),
    )

    assert known.at(0) == "tx-0"
    assert known.at(1) is None
    assert known.at(1000) == "one more"


async def test_what_is_declared_of_an_evse_goes_before_the_stations_and_the_policys() -> None:
    class Declared(FixedDirectory):
        access = StationAccess(station_id="CP1", password_hashes=())

        async def station(self, _identity: str) -> StationAccess | None:
            return self.access

    directory = Declared(declared_policy=Policy(undeclared_power_w=7))
    nothing = StationAccess(station_id="CP1", password_hashes=())

    assert await power_at(directory, nothing, 1) == 7
    directory.access = StationAccess(
        station_id="CP1",
        password_hashes=(),
        power_w=Decimal(50_000),
        evse_power_w={1: Decimal(22_000)},
    )
    assert await power_at(directory, nothing, 1) == 22_000
    assert await power_at(directory, nothing, 2) == 50_000
