"""What may be sent to a station: every call of its version, as the official schemas have it."""

from __future__ import annotations

import pytest

from ingest.commands.schemas import (
    PAYLOAD_MAX,
    BadPayloadError,
    RefusedPayloadError,
    UnknownCommandError,
    check_command,
    commands_of,
    compact_json,
)

PROFILE = (
    '{"connectorId":1,"csChargingProfiles":{"chargingProfileId":1,"stackLevel":0,'
    '"chargingProfilePurpose":"TxProfile","chargingProfileKind":"Absolute","chargingSchedule":'
    '{"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":%s}]}}}'
)


@pytest.mark.parametrize(
    ("protocol", "count", "some"),
    [
        ("ocpp1.6", 26, {"Reset", "GetLog", "RemoteStartTransaction", "DataTransfer"}),
        ("ocpp2.0.1", 40, {"Reset", "SetVariables", "CostUpdated", "GetTransactionStatus"}),
        ("ocpp2.1", 55, {"Reset", "SetDefaultTariff", "NotifyWebPaymentStarted", "AFRRSignal"}),
        ("ocpp3", 0, set()),
    ],
)
def test_every_call_to_a_station_is_known(protocol: str, count: int, some: set[str]) -> None:
    known = commands_of(protocol)

    assert len(known) == count
    assert some <= set(known)
    assert not {"BootNotification", "StartTransaction", "MeterValues"} & set(known)


@pytest.mark.parametrize(
    ("action", "payload", "spot", "problem"),
    [
        pytest.param("Reset", "{}", "", "'type' is a required property", id="a member is missing"),
        pytest.param("Reset", '{"type":"Warm"}', "type", "'Warm' is not one of", id="no such word"),
        pytest.param(
            "RemoteStartTransaction",
            '{"idTag":"%s"}' % ("x" * 21),
            "idTag",
            "is too long",
            id="too long",
        ),
        pytest.param(
            "SetChargingProfile",
            PROFILE % "16.11",
            "csChargingProfiles.chargingSchedule.chargingSchedulePeriod[0].limit",
            "16.11 is not a multiple of 0.1",
            id="too many digits",
        ),
        pytest.param(
            "Reset", '{"type":"Soft","by":"me"}', "", "'by' was unexpected", id="one too many"
        ),
    ],
)
def test_what_its_schema_does_not_allow_is_refused_with_its_spot(
    action: str, payload: str, spot: str, problem: str
) -> None:
    with pytest.raises(RefusedPayloadError) as refused:
        check_command("ocpp1.6", action, payload)

    assert refused.value.spot == spot
    assert problem in refused.value.problem


@pytest.mark.parametrize("limit", ["16.1", "16.10", "0.3", "1234567890123.7", "32"])
def test_numbers_are_exact_when_they_are_checked(limit: str) -> None:
    check_command("ocpp1.6", "SetChargingProfile", PROFILE % limit)


@pytest.mark.parametrize(
    ("protocol", "action"),
    [("ocpp1.6", "SetVariables"), ("ocpp2.0.1", "StartTransaction"), ("ocpp1.6", "Heartbeat")],
)
def test_what_no_station_of_the_version_may_be_sent_is_refused(protocol: str, action: str) -> None:
    with pytest.raises(UnknownCommandError, match=action):
        check_command(protocol, action, "{}")


def test_a_payload_is_sent_as_given_but_for_its_blanks() -> None:
    given = '{ "b" : 1.50,\n "a": [ 1e2, "x y" ], "b": null }'

    assert compact_json(given) == '{"b":1.50,"a":[1e2,"x y"],"b":null}'


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        ("[]", "no JSON object"),
        ("7", "no JSON object"),
        ("{", "is no JSON"),
        ('{"a":"\ud800"}', "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ('{"a":"%s"}' % ("x" * PAYLOAD_MAX), "more than"),
    ],
)
def test_a_payload_that_is_no_object_is_refused(payload: str, problem: str) -> None:
    with pytest.raises(BadPayloadError, match=problem):
        compact_json(payload)
