"""What a 2.1 station is told of tariffs and limits, each held against the official schema."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from ocpp.messages import get_validator

from ingest.directory import AuthorizationStatus, TokenAccess
from ledger.declared.declarations import TariffInForce
from ledger.master_data.assignments import Assignment
from ledger.master_data.policies import Policy
from ledger.master_data.tariff_versions import published
from tariffs.model.tariff import Dimension, Tariff
from tests.depot import component, tariff
from tests.edge import PASSWORD, open_edge
from tests.fakes import FixedDirectory

BOOT = {"reason": "PowerUp", "chargingStation": {"model": "M", "vendorName": "V"}}
GOOD = {"idToken": {"idToken": "GOOD", "type": "ISO14443"}}
SENDING = Policy(tariffs_to_stations=True)
EVERYBODY = tariff("harbour", component(Dimension.ENERGY, "0.4000000000001"))
DRIVERS = tariff("fleet", component(Dimension.ENERGY, "0.30"), component(Dimension.TIME, "1"))


def in_force(priced: Tariff, **limits: Any) -> TariffInForce:  # noqa: ANN401 - of any field
    return TariffInForce(published(priced), Assignment(tariff=priced.id, site="harbour", **limits))


def directory(policy: Policy = SENDING, **limits: Any) -> FixedDirectory:  # noqa: ANN401
    """Return one in which whoever comes pays one tariff, and the token another."""
    tokens = {
        "good": TokenAccess(status=AuthorizationStatus.ACCEPTED),
        "lost": TokenAccess(status=AuthorizationStatus.BLOCKED),
    }
    tariffs = {None: in_force(EVERYBODY), "good": in_force(DRIVERS, **limits)}
    return FixedDirectory({"CP1": PASSWORD}, tokens=tokens, tariffs=tariffs, declared_policy=policy)


async def booted(protocol: str, found: FixedDirectory) -> list[Any]:
    """Return what a station is asked once it booted, and goes on to show that it lives."""
    async with open_edge(directory=found) as edge, edge.station(protocol=protocol) as station:
        await station.call("BootNotification", BOOT)
        # The call comes before the answer to a frame of long after.
        for _ in range(5):
            await station.call("Heartbeat", {})
        return list(station.asked)


async def lived_through(*changes: FixedDirectory, boots: bool = False) -> list[Any]:
    """Return what a connected station is asked while one directory follows on the other."""
    now, answered = FixedDirectory({"CP1": PASSWORD}), 0
    async with open_edge(directory=now) as edge, edge.station(protocol="ocpp2.1") as station:
        for found in changes:
            now.tariffs, now.declared_policy = found.tariffs, found.declared_policy
            if boots:
                await station.call("BootNotification", BOOT)
            for action in ("Heartbeat", "StatusNotification", "Heartbeat", "Heartbeat"):
                await station.call(action, {})
            # It gets one call at a time.
            for _, message_id, *_ in station.asked[answered:]:
                await station.socket.send(json.dumps([3, message_id, {}]), text=True)
            answered = len(station.asked)
        for _ in range(5):
            await station.call("Heartbeat", {})
        return [message[2:] for message in station.asked]


async def test_a_station_that_boots_is_sent_the_tariff_of_whoever_comes() -> None:
    [(_, _, action, payload)] = await booted("ocpp2.1", directory())

    assert action == "SetDefaultTariff"
    get_validator(2, action, "2.1").validate(payload)
    assert payload["evseId"] == 0
    version = published(EVERYBODY)
    assert payload["tariff"]["tariffId"] == f"harbour@{version.sha256[:16]}"


def name_of(priced: Tariff) -> str:
    return f"{priced.id}@{published(priced).sha256[:16]}"


async def test_a_tariff_that_comes_into_force_is_sent_to_who_is_connected_once() -> None:
    later = directory()
    later.tariffs[None] = in_force(DRIVERS)

    asked = await lived_through(directory(), directory(), later)

    assert [(action, said["tariff"]["tariffId"]) for action, said in asked] == [
        ("SetDefaultTariff", name_of(EVERYBODY)),
        ("SetDefaultTariff", name_of(DRIVERS)),
    ]


@pytest.mark.parametrize("after", [directory(Policy()), FixedDirectory(declared_policy=SENDING)])
async def test_what_is_in_force_no_more_is_taken_away(after: FixedDirectory) -> None:
    asked = await lived_through(directory(), after, after)

    assert [action for action, _ in asked] == ["SetDefaultTariff", "ClearTariffs"]
    assert asked[1][1] == {"tariffIds": [name_of(EVERYBODY)]}
    get_validator(2, "ClearTariffs", "2.1").validate(asked[1][1])


async def test_who_boots_again_is_sent_it_again() -> None:
    asked = await lived_through(directory(), directory(), boots=True)

    assert [action for action, _ in asked] == ["SetDefaultTariff"] * 2


@pytest.mark.parametrize(
    ("protocol", "found"),
    [
        ("ocpp2.0.1", directory()),
        ("ocpp2.1", directory(Policy())),
        ("ocpp2.1", FixedDirectory({"CP1": PASSWORD}, declared_policy=SENDING)),
    ],
)
async def test_who_knows_no_tariffs_or_is_to_have_none_is_sent_none(
    protocol: str, found: FixedDirectory
) -> None:
    assert await booted(protocol, found) == []


async def test_a_price_leaves_with_all_its_digits() -> None:
    found = directory()
    async with open_edge(directory=found) as edge, edge.station(protocol="ocpp2.1") as station:
        await station.socket.send(json.dumps([2, "1", "BootNotification", BOOT]), text=True)
        texts = [str(await station.socket.recv()) for _ in range(2)]

    [sent] = [text for text in texts if "SetDefaultTariff" in text]
    assert '"priceKwh":0.4000000000001' in sent


async def test_what_a_station_cannot_be_told_is_not_sent_and_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stepped = tariff("stepped-by-the-hour", component(Dimension.TIME, "1", vat=None))
    [element] = stepped.elements
    [priced] = element.price_components
    slow = msgspec.structs.replace(priced, step_size=3600)
    stepped = msgspec.structs.replace(
        stepped, elements=(msgspec.structs.replace(element, price_components=(slow,)),)
    )
    found = directory()
    found.tariffs[None] = in_force(stepped)

    assert await booted("ocpp2.1", found) == []
    [warning] = [each.message for each in caplog.records if "stepped-by-the-hour" in each.message]
    assert "step_size" in warning


async def asked(protocol: str, found: FixedDirectory, action: str, payload: Any) -> Any:  # noqa: ANN401
    """Return the answer to a call, which fits its schema."""
    async with open_edge(directory=found) as edge, edge.station(protocol=protocol) as station:
        answer = await station.call(action, payload)
    get_validator(3, action, protocol.removeprefix("ocpp")).validate(answer)
    return answer


async def test_a_driver_s_own_tariff_comes_with_the_answer_about_his_token() -> None:
    answer = await asked("ocpp2.1", directory(), "Authorize", GOOD)

    assert answer["idTokenInfo"] == {"status": "Accepted"}
    assert answer["tariff"]["tariffId"] == f"fleet@{published(DRIVERS).sha256[:16]}"
    # 1 an hour has no end in minutes.
    assert answer["tariff"]["chargingTime"]["prices"] == [{"priceMinute": 0.01666667}]


@pytest.mark.parametrize(
    ("protocol", "token", "found"),
    [
        ("ocpp2.1", "LOST", directory()),
        ("ocpp2.1", "STRANGER", directory()),
        ("ocpp2.1", "GOOD", directory(Policy())),
        ("ocpp2.0.1", "GOOD", directory()),
    ],
)
async def test_no_tariff_comes_with_any_other_answer(
    protocol: str, token: str, found: FixedDirectory
) -> None:
    payload = {"idToken": {"idToken": token, "type": "ISO14443"}}

    assert set(await asked(protocol, found, "Authorize", payload)) == {"idTokenInfo"}


LIMITS = {"max_cost": Decimal("20.50"), "max_energy_wh": Decimal(30_000), "max_time_s": 7200}
LIMITED = directory(Policy(), **LIMITS)


def event(kind: str = "Started", *, chosen: Any = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    info = {"transactionId": "T"} | ({} if chosen is None else {"transactionLimit": chosen})
    return {
        "eventType": kind, "timestamp": "2026-03-02T12:00:00Z", "seqNo": 0,
        "triggerReason": "Authorized", "transactionInfo": info, **GOOD, **more,
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["Started", "Updated"])
async def test_a_transaction_is_told_how_far_its_assignment_lets_it_go(kind: str) -> None:
    answer = await asked("ocpp2.1", LIMITED, "TransactionEvent", event(kind))

    assert answer["transactionLimit"] == {"maxCost": 20.5, "maxEnergy": 30000, "maxTime": 7200}


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        ({"maxCost": 10}, {"maxCost": 10, "maxEnergy": 30000, "maxTime": 7200}),
        ({"maxTime": 7201}, {"maxCost": 20.5, "maxEnergy": 30000, "maxTime": 7200}),
        ({"maxCost": 0}, {"maxCost": 0, "maxEnergy": 30000, "maxTime": 7200}),
        ({"maxEnergy": "29999.5"}, {"maxCost": 20.5, "maxEnergy": 29999.5, "maxTime": 7200}),
        ({"maxTime": 7199}, {"maxCost": 20.5, "maxEnergy": 30000, "maxTime": 7199}),
        ({"maxCost": -1, "maxEnergy": "NaN", "maxTime": []}, None),
        ([], None),
        ({"maxEnergy": 10**300}, None),
    ],
)
async def test_what_a_driver_chose_holds_where_it_is_less(chosen: Any, told: Any) -> None:  # noqa: ANN401
    payload = event(chosen=chosen)

    answer = await asked("ocpp2.1", LIMITED, "TransactionEvent", payload)

    most = {"maxCost": 20.5, "maxEnergy": 30000, "maxTime": 7200}
    assert answer["transactionLimit"] == (told or most)


@pytest.mark.parametrize(
    ("protocol", "payload", "found"),
    [
        ("ocpp2.0.1", event(), LIMITED),
        ("ocpp2.1", event("Ended"), LIMITED),
        ("ocpp2.1", event(offline=True), LIMITED),
        ("ocpp2.1", event(idToken={"idToken": "LOST", "type": "ISO14443"}), LIMITED),
        ("ocpp2.1", event(chosen={"maxCost": 5}), directory()),
    ],
)
async def test_no_limit_where_there_is_none_or_nobody_to_follow_it(
    protocol: str,
    payload: Any,  # noqa: ANN401
    found: FixedDirectory,
) -> None:
    assert "transactionLimit" not in await asked(protocol, found, "TransactionEvent", payload)


@pytest.mark.parametrize(
    ("number", "status", "reason"),
    [
        ("DE136695976", "Accepted", "CheckDigitsRight"),
        ("CZ699001237", "Accepted", "FormRight"),
        ("DE136695978", "Rejected", "WrongCheckDigits"),
        ("DE1", "Rejected", "WrongForm"),
        ("US980780684", "Rejected", "UnknownCountry"),
    ],
)
async def test_a_vat_id_is_held_against_its_country_s_form(
    number: str, status: str, reason: str
) -> None:
    payload = {"vatNumber": number, "evseId": 1}

    answer = await asked("ocpp2.1", directory(), "VatNumberValidation", payload)

    assert (answer["vatNumber"], answer["evseId"]) == (number, 1)
    assert (answer["status"], answer["statusInfo"]["reasonCode"]) == (status, reason)


@pytest.mark.parametrize("payload", [{}, {"vatNumber": "x" * 9_000}, {"vatNumber": 7}, []])
async def test_what_is_no_vat_id_is_rejected(payload: Any) -> None:  # noqa: ANN401
    answer = await asked("ocpp2.1", directory(), "VatNumberValidation", payload)

    assert answer["status"] == "Rejected"
