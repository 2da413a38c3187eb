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
    problem_of_answer,
)

PROFILE = (
    '{"connectorId":1,"csChargingProfiles":{"chargingProfileId":1,"stackLevel":0,'
    '"chargingProfilePurpose":"TxProfile","chargingProfileKind":"Absolute","chargingSchedule":'
    '{"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":%s}]}}}'
)


HUGE = "1e9999999999999999999"
"""A number of JSON that no decimal holds."""


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


@pytest.mark.parametrize(
    "limit", ["16.1", "16.10", "0.3", "1234567890123.7", "32", "1e30", "1e400", "9" * 40 + ".1"]
)
def test_numbers_are_exact_when_they_are_checked(limit: str) -> None:
    check_command("ocpp1.6", "SetChargingProfile", PROFILE % limit)


def test_a_number_of_more_digits_than_decimals_have_is_refused_like_any_other() -> None:
    with pytest.raises(RefusedPayloadError, match=r"9\.11 is not a multiple of 0\.1"):
        check_command("ocpp1.6", "SetChargingProfile", PROFILE % ("9" * 40 + ".11"))


@pytest.mark.parametrize(
    ("protocol", "action", "answer", "problem"),
    [
        ("ocpp1.6", "Reset", '{"status":"Accepted"}', None),
        ("ocpp1.6", "Reset", '{"status":"Scheduled"}', "status: 'Scheduled' is not one of"),
        ("ocpp2.0.1", "Reset", '{"status":"Scheduled"}', None),
        ("ocpp2.1", "Reset", "{}", "'status' is a required property"),
        ("ocpp1.6", "ClearCache", "null", "None is not of type 'object'"),
        ("ocpp1.6", "ClearCache", f'"{"x" * 16382}"', "'xxx"),
        ("ocpp1.6", "ClearCache", f'"{"x" * 16383}"', None),
        ("ocpp1.6", "SetVariables", "{}", None),
        ("ocpp9", "Reset", "{}", None),
        ("ocpp1.6", "Reset", f'{{"status":{HUGE}}}', "status: None is not of type 'string'"),
    ],
)
def test_what_an_answers_schema_does_not_allow_is_said(
    protocol: str, action: str, answer: str, problem: str | None
) -> None:
    said = problem_of_answer(protocol, action, answer)
    assert (said is None) is (problem is None)
    assert (problem or "") in (said or "")


@pytest.mark.parametrize("protocol", ["ocpp1.6", "ocpp2.0.1", "ocpp2.1"])
def test_every_call_has_a_schema_of_its_answers(protocol: str) -> None:
    for action in commands_of(protocol):
        assert problem_of_answer(protocol, action, "[]") == "[] is not of type 'object'"


@pytest.mark.parametrize(
    ("protocol", "action"),
    [("ocpp1.6", "SetVariables"), ("ocpp2.0.1", "StartTransaction"), ("ocpp1.6", "Heartbeat")],
)
def test_what_no_station_of_the_version_may_be_sent_is_refused(protocol: str, action: str) -> None:
    with pytest.raises(UnknownCommandError, match=action):
        check_command(protocol, action, "{}")


def test_a_number_beyond_every_exponent_fits_no_schema() -> None:
    schedule = (
        f'"chargingRateUnit":"A","chargingSchedulePeriod":[{{"startPeriod":0,"limit":{HUGE}}}]'
    )
    kind = '"chargingProfilePurpose":"TxProfile","chargingProfileKind":"Relative"'
    profile = f'"chargingProfileId":1,"stackLevel":0,{kind},"chargingSchedule":{{{schedule}}}'
    payload = f'{{"connectorId":1,"csChargingProfiles":{{{profile}}}}}'

    with pytest.raises(RefusedPayloadError, match="None is not of type 'number'"):
        check_command("ocpp1.6", "SetChargingProfile", payload)


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
