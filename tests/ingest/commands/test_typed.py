"""The common calls fit the official schema of each version, and say what was meant."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from ingest.commands import typed
from ingest.commands.reservations import asked_reservation, with_number
from ingest.commands.schemas import check_command
from ingest.commands.typed import CallWordError, TypedCall
from ledger.master_data.tariff_versions import published
from tariffs.ocpp21.stations import station_tariff
from tests.depot import ENERGY_ONLY

PROTOCOLS = ("ocpp1.6", "ocpp2.0.1", "ocpp2.1")
Say = Callable[[str], TypedCall]
_SCHEDULE = '{"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":16.0}]'
_NEW = (
    '{"id":1,"stackLevel":0,"chargingProfilePurpose":"TxDefaultProfile",'
    f'"chargingProfileKind":"Absolute","chargingSchedule":[{_SCHEDULE},"id":1}}]}}'
)
PROFILES = {
    "ocpp1.6": (
        '{"chargingProfileId":1,"stackLevel":0,"chargingProfilePurpose":"TxDefaultProfile",'
        f'"chargingProfileKind":"Absolute","chargingSchedule":{_SCHEDULE}}}}}'
    ),
    "ocpp2.0.1": _NEW,
    "ocpp2.1": _NEW,
}
CALLS: dict[str, Say] = {
    "start": lambda p: typed.start(p, token="04A1"),
    "start at": lambda p: typed.start(p, token="04A1", evse=2),
    "stop": lambda p: typed.stop(p, transaction="812"),
    "unlock": lambda p: typed.unlock(p, evse=2),
    "reset": typed.reset,
    "reset hard": lambda p: typed.reset(p, is_hard=True),
    "open": lambda p: typed.availability(p, is_operative=True),
    "close one": lambda p: typed.availability(p, is_operative=False, evse=2),
    "trigger": lambda p: typed.trigger(p, message="StatusNotification"),
    "trigger at": lambda p: typed.trigger(p, message="MeterValues", evse=2),
    "get": lambda p: typed.get_variables(p, names=["A.B", "C.D"]),
    "set": lambda p: typed.set_variable(p, name="A.B", value="7"),
    "cancel": lambda _: typed.cancel_reservation(reservation=7),
    "profile": lambda p: typed.set_charging_profile(p, profile=PROFILES[p], evse=2),
    "clear": typed.clear_charging_profile,
    "clear one": lambda p: typed.clear_charging_profile(p, profile=0),
    "clear at": lambda p: typed.clear_charging_profile(p, evse=2),
}


def written(call: TypedCall) -> str:
    return msgspec.json.encode(call.payload).decode()


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("evse", [None, 2])
def test_a_reservation_fits_the_schema_once_it_has_its_number(
    protocol: str, evse: int | None
) -> None:
    until = datetime(2026, 3, 2, 13, tzinfo=timezone(timedelta(hours=1)))
    call = typed.reserve(protocol, token="04A1", until=until, evse=evse)
    payload = with_number(written(call), protocol, 7)

    check_command(protocol, call.action, payload)
    asked = asked_reservation(payload, protocol)
    assert asked is not None
    wanted = 0 if evse is None and protocol == "ocpp1.6" else evse
    assert (asked.number, asked.evse, asked.expires_at) == (7, wanted, until)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", CALLS)
def test_each_call_fits_the_schema_of_each_version(protocol: str, name: str) -> None:
    call = CALLS[name](protocol)

    check_command(protocol, call.action, written(call))


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("start at", {"connectorId": 2, "idTag": "04A1"}, {"evseId": 2}),
        ("stop", {"transactionId": 812}, {"transactionId": "812"}),
        ("clear one", {"id": 0}, {"chargingProfileId": 0}),
        ("clear at", {"connectorId": 2}, {"chargingProfileCriteria": {"evseId": 2}}),
        ("unlock", {"connectorId": 2}, {"evseId": 2, "connectorId": 1}),
        ("reset", {"type": "Soft"}, {"type": "OnIdle"}),
        ("reset hard", {"type": "Hard"}, {"type": "Immediate"}),
        ("open", {"connectorId": 0, "type": "Operative"}, {"operationalStatus": "Operative"}),
        (
            "close one",
            {"connectorId": 2, "type": "Inoperative"},
            {"operationalStatus": "Inoperative", "evse": {"id": 2}},
        ),
    ],
)
def test_a_call_says_in_each_version_what_was_meant(
    name: str, old: dict[str, Any], new: dict[str, Any]
) -> None:
    assert CALLS[name]("ocpp1.6").payload == old
    assert new.items() <= CALLS[name]("ocpp2.0.1").payload.items()


TARIFF = station_tariff(ENERGY_ONLY, published(ENERGY_ONLY).sha256)
ABOUT_TARIFFS: dict[str, Say] = {
    "set": lambda p: typed.set_tariff(p, tariff=TARIFF),
    "set at": lambda p: typed.set_tariff(p, tariff=TARIFF, evse=2),
    "change": lambda p: typed.change_tariff(p, transaction="T-7", tariff=TARIFF),
    "get": typed.get_tariffs,
    "get at": lambda p: typed.get_tariffs(p, evse=2),
    "clear": typed.clear_tariffs,
    "clear some": lambda p: typed.clear_tariffs(p, tariff_ids=["a@1", "b@2"], evse=2),
}


@pytest.mark.parametrize("name", ABOUT_TARIFFS)
def test_what_is_said_of_tariffs_fits_the_schema(name: str) -> None:
    call = ABOUT_TARIFFS[name]("ocpp2.1")

    check_command("ocpp2.1", call.action, msgspec.json.encode(call.payload).decode())


@pytest.mark.parametrize("protocol", PROTOCOLS[:2])
@pytest.mark.parametrize("name", ABOUT_TARIFFS)
def test_older_versions_know_no_tariffs(protocol: str, name: str) -> None:
    with pytest.raises(CallWordError, match=r"knows no tariffs; one of OCPP 2\.1 does"):
        ABOUT_TARIFFS[name](protocol)


def test_a_start_has_a_number_of_its_own() -> None:
    numbers = {typed.start("ocpp2.1", token="A").payload["remoteStartId"] for _ in range(50)}

    assert len(numbers) == 50
    assert min(numbers) > 0


def test_what_cannot_be_said_in_a_version_is_refused() -> None:
    with pytest.raises(CallWordError, match="a number, not 'T-7'"):
        typed.stop("ocpp1.6", transaction="T-7")
    for name in ("HeartbeatInterval", "A.", ".B"):
        with pytest.raises(CallWordError, match=r"COMPONENT\.VARIABLE"):
            typed.get_variables("ocpp2.0.1", names=[name])


def test_a_profile_is_sent_to_the_digit_and_what_is_none_is_refused() -> None:
    for protocol in PROTOCOLS:
        call = typed.set_charging_profile(protocol, profile=PROFILES[protocol])
        assert PROFILES[protocol] in written(call)
    with pytest.raises(CallWordError, match="no JSON"):
        typed.set_charging_profile("ocpp1.6", profile="16 A")


def test_all_keys_of_an_old_station_are_asked_for_by_naming_none() -> None:
    assert typed.get_variables("ocpp1.6", names=[]).payload == {}
