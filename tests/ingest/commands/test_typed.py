"""The common calls fit the official schema of each version, and say what was meant."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from ingest.commands import typed
from ingest.commands.schemas import check_command
from ingest.commands.typed import CallWordError, TypedCall
from ledger.master_data.tariff_versions import published
from tariffs.ocpp21.stations import station_tariff
from tests.depot import ENERGY_ONLY

PROTOCOLS = ("ocpp1.6", "ocpp2.0.1", "ocpp2.1")
Say = Callable[[str], TypedCall]
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
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", CALLS)
def test_each_call_fits_the_schema_of_each_version(protocol: str, name: str) -> None:
    call = CALLS[name](protocol)

    check_command(protocol, call.action, json.dumps(call.payload))


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("start at", {"connectorId": 2, "idTag": "04A1"}, {"evseId": 2}),
        ("stop", {"transactionId": 812}, {"transactionId": "812"}),
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


def test_all_keys_of_an_old_station_are_asked_for_by_naming_none() -> None:
    assert typed.get_variables("ocpp1.6", names=[]).payload == {}
