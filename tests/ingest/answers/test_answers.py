"""Every answer is held against the official schemas, which the package `ocpp` carries."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import ocpp
import ocpp.v16
import ocpp.v16.call
import ocpp.v201.call
import pytest
from ocpp.messages import get_validator

from ingest.answers import ocpp16, ocpp21, ocpp201
from ingest.directory import AuthorizationStatus, TokenAccess
from tests.edge import Station, open_edge
from tests.fakes import NOON, FixedDirectory
from tests.ingest.official_examples import smallest

SCHEMAS = Path(ocpp.__file__).parent
RESULT = 3
TOKENS = {
    "good": TokenAccess(status=AuthorizationStatus.ACCEPTED, group="family"),
    "ends": TokenAccess(status=AuthorizationStatus.ACCEPTED, expires_at=NOON + timedelta(hours=1)),
    "over": TokenAccess(status=AuthorizationStatus.ACCEPTED, expires_at=NOON),
    "lost": TokenAccess(status=AuthorizationStatus.BLOCKED),
}
START = {"connectorId": 1, "idTag": "GOOD", "meterStart": 1, "timestamp": "2026-03-02T12:00:00Z"}
GARBAGE: list[Any] = [
    None,
    [],
    7,
    "x",
    {"idTag": [], "connectorId": {}, "timestamp": 7, "meterStart": "x", "reason": "Request.Energy"},
    {"idToken": 5, "transactionInfo": [], "seqNo": -1, "eventType": None, "offline": 3},
]

CALLS = [
    (dialect.subprotocol, dialect.subprotocol.removeprefix("ocpp"), action)
    for dialect in (ocpp16.DIALECT, ocpp201.DIALECT, ocpp21.DIALECT)
    for action in dialect.answers
]


@pytest.mark.parametrize(("protocol", "version", "action"), CALLS)
async def test_the_answer_fits_the_official_schema_whatever_was_sent(
    protocol: str, version: str, action: str
) -> None:
    valid = smallest(version, action)
    async with (
        open_edge(directory=_directory()) as edge,
        edge.station(protocol=protocol) as station,
    ):
        answers = [await station.call(action, payload) for payload in (valid, {}, *GARBAGE)]

    for answer in answers:
        get_validator(RESULT, action, version).validate(answer)


def test_every_call_that_a_station_may_send_is_answered() -> None:
    from_station_16 = {"Authorize", "BootNotification", "DataTransfer", "Heartbeat", "MeterValues"}
    from_station_16 |= {"DiagnosticsStatusNotification", "FirmwareStatusNotification"}
    from_station_16 |= {"StartTransaction", "StatusNotification", "StopTransaction"}
    from_station_16 |= {"SecurityEventNotification", "SignCertificate", "LogStatusNotification"}
    from_station_16 |= {"SignedFirmwareStatusNotification"}
    notifications = {
        schema.stem.removesuffix("Request")
        for schema in (SCHEMAS / "v201" / "schemas").glob("*Request.json")
        if schema.stem.startswith(("Notify", "Report"))
    }

    assert set(ocpp16.ANSWERS) == from_station_16
    assert notifications <= set(ocpp201.ANSWERS)
    assert len(ocpp201.ANSWERS) == 25
    new_in_21 = {"BatterySwap", "GetCertificateChainStatus", "NotifyDERAlarm", "NotifyDERStartStop"}
    new_in_21 |= {"NotifyPriorityCharging", "NotifySettlement", "PullDynamicScheduleUpdate"}
    new_in_21 |= {"OpenPeriodicEventStream", "ClosePeriodicEventStream", "ReportDERControl"}
    new_in_21 |= {"VatNumberValidation"}
    assert set(ocpp21.ANSWERS) - set(ocpp201.ANSWERS) == new_in_21
    # What is left of the schemas is what we may send, and the one message that nobody answers.
    known = {
        each.stem.removesuffix("Request") for each in (SCHEMAS / "v21/schemas").glob("*t.json")
    }
    assert set(ocpp21.ANSWERS) <= known


@pytest.mark.parametrize("protocol", ["ocpp1.6", "ocpp2.0.1", "ocpp2.1"])
async def test_an_unknown_action_gets_not_implemented_and_stays_in_the_log(protocol: str) -> None:
    async with open_edge() as edge, edge.station(protocol=protocol) as station:
        answer = await station.send('[2,"1","BrewCoffee",{"secret":"s3cret"}]')

    assert answer == [4, "1", "NotImplemented", "this action is not known here", {}]
    assert edge.frames()[0].frame == '[2,"1","BrewCoffee",{"secret":"s3cret"}]'
    assert edge.frames()[0].reply == json.dumps(answer, separators=(",", ":"))


@pytest.mark.parametrize(
    ("frame", "message_id", "code16", "code201"),
    [
        pytest.param("garbage", "-1", "FormationViolation", "RpcFrameworkError", id="no JSON"),
        pytest.param('{"a":1}', "-1", "FormationViolation", "RpcFrameworkError", id="no array"),
        pytest.param("[2]", "-1", "FormationViolation", "RpcFrameworkError", id="no id"),
        pytest.param(
            '[2,"7","StopTransaction",{"meterStop":',
            "7",
            "FormationViolation",
            "FormatViolation",
            id="cut off, with an id",
        ),
        pytest.param(
            '[2,"7","Heartbeat"]',
            "7",
            "FormationViolation",
            "FormatViolation",
            id="a call of three elements",
        ),
        pytest.param(
            '[2,"7",["Heartbeat"],{}]',
            "7",
            "FormationViolation",
            "FormatViolation",
            id="an action that is a list",
        ),
        pytest.param(
            '[9,"7",{}]',
            "7",
            "FormationViolation",
            "MessageTypeNotSupported",
            id="an unknown message type",
        ),
        pytest.param(
            '[2,"7","DataTransfer",' + '{"a":' * 40 + "1" + "}" * 41,
            "7",
            "FormationViolation",
            "FormatViolation",
            id="nested too deeply",
        ),
        pytest.param(
            '[2,"7","StopTransaction",{"meterStop":' + "9" * 5000 + "}]",
            "7",
            "FormationViolation",
            "FormatViolation",
            id="a number of 5,000 digits",
        ),
        pytest.param(
            '[2,"7","DataTransfer",{"data":"' + "x" * 70_000 + '"}]',
            "7",
            "FormationViolation",
            "FormatViolation",
            id="too large for a station that never booted",
        ),
    ],
)
async def test_what_cannot_be_read_gets_the_error_of_its_version_and_stays_in_the_log(
    frame: str, message_id: str, code16: str, code201: str
) -> None:
    async with open_edge() as edge:
        for protocol, code in (("ocpp1.6", code16), ("ocpp2.0.1", code201)):
            async with edge.station(
                "CP1" if protocol == "ocpp1.6" else "CP2", protocol=protocol
            ) as s:
                kind, answered, given, _, details = await s.send(frame)

            assert (kind, answered, given, details) == (4, message_id, code, {})
        assert [each.frame for each in edge.frames()] == [frame, frame]


async def test_a_station_that_booted_may_send_large_frames() -> None:
    async with open_edge() as edge, edge.station() as station:
        await station.call("BootNotification", {})
        await station.call("StopTransaction", {"transactionData": ["x" * 500_000]})

    assert len(edge.frames()[1].frame) > 500_000


@pytest.mark.parametrize(
    ("token", "info"),
    [
        pytest.param(" Good", {"status": "Accepted", "parentIdTag": "family"}, id="accepted"),
        pytest.param(
            "ends",
            {"status": "Accepted", "expiryDate": "2026-03-02T13:00:00.000Z"},
            id="for an hour",
        ),
        pytest.param(
            "over", {"status": "Expired", "expiryDate": "2026-03-02T12:00:00.000Z"}, id="expired"
        ),
        pytest.param("LOST", {"status": "Blocked"}, id="blocked"),
        pytest.param("nobody", {"status": "Invalid"}, id="unknown"),
        pytest.param("", {"status": "Invalid"}, id="empty"),
    ],
)
async def test_authorize_and_the_start_answer_from_the_token_table(
    token: str, info: dict[str, Any]
) -> None:
    async with open_edge(directory=_directory()) as edge, edge.station() as station:
        authorized = await station.call("Authorize", {"idTag": token})
        started = await station.call("StartTransaction", START | {"idTag": token})
        stopped = await station.call("StopTransaction", {"idTag": token, "transactionId": 1})

    assert authorized == stopped == {"idTagInfo": info}
    assert started["idTagInfo"] == info
    assert started["transactionId"] > 0


async def test_a_token_nobody_declared_is_recorded_and_the_policy_answers() -> None:
    directory = FixedDirectory({"CP1": "x" * 20}, policy=AuthorizationStatus.ACCEPTED)
    async with (
        open_edge(directory=directory) as edge,
        edge.station(password="x" * 20) as station,
    ):
        answer = await station.call("Authorize", {"idTag": "STRANGER"})

    assert answer == {"idTagInfo": {"status": "Accepted"}}
    assert directory.unknown == [("CP1", "stranger")]


async def test_a_token_with_a_nul_in_it_is_looked_up_without() -> None:
    async with open_edge(directory=_directory()) as edge, edge.station() as station:
        answer = await station.send('[2,"1","Authorize",{"idTag":"go\\u0000od\\u0000"}]')

    assert answer[2]["idTagInfo"]["status"] == "Accepted"


async def test_a_fault_of_ours_keeps_the_frame_and_does_not_bring_it_back_for_ever(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with open_edge(ids=_BrokenIds()) as edge, edge.station() as station:
        answer = await station.send(json.dumps([2, "1", "StartTransaction", START]))
        await station.call("StatusNotification", {})

    assert answer == [4, "1", "InternalError", "this server failed", {}]
    assert "StartTransaction" in edge.frames()[0].frame
    errors = [each.message for each in caplog.records if each.levelno >= logging.ERROR]
    assert errors == ["no answer to StartTransaction of CP1"]


class _BrokenIds:
    async def assign(self, station_id: str, content_key: str) -> int:
        raise ZeroDivisionError(station_id, content_key)


async def test_a_201_start_answers_with_the_group_and_the_expiry() -> None:
    event = {"eventType": "Started", "seqNo": 0, "transactionInfo": {"transactionId": "T1"}}
    good = {"idToken": {"idToken": "GOOD", "type": "ISO14443"}}
    ends = {"idToken": {"idToken": "ends", "type": "ISO14443"}}
    async with (
        open_edge(directory=_directory()) as edge,
        edge.station(protocol="ocpp2.0.1") as station,
    ):
        answers = [await station.call("TransactionEvent", event | token) for token in (good, ends)]
        free = {"idToken": {"idToken": "", "type": "NoAuthorization"}}
        answers.append(await station.call("TransactionEvent", event | free))
        answers.append(await station.call("TransactionEvent", event))

    assert answers == [
        {
            "idTokenInfo": {
                "status": "Accepted",
                "groupIdToken": {"idToken": "family", "type": "Central"},
            }
        },
        {
            "idTokenInfo": {
                "status": "Accepted",
                "cacheExpiryDateTime": "2026-03-02T13:00:00.000Z",
            }
        },
        {"idTokenInfo": {"status": "Accepted"}},
        {},
    ]


@pytest.mark.parametrize(
    ("protocol", "length", "is_told"),
    [("ocpp2.0.1", 36, True), ("ocpp2.0.1", 37, False), ("ocpp2.1", 255, True)],
)
async def test_a_group_is_told_as_far_as_the_version_lets_an_id_be(
    protocol: str, length: int, *, is_told: bool
) -> None:
    group = TokenAccess(status=AuthorizationStatus.ACCEPTED, group="g" * length)
    directory = FixedDirectory({"CP1": "correct-horse-battery"}, tokens={"good": group})
    async with (
        open_edge(directory=directory) as edge,
        edge.station(protocol=protocol) as station,
    ):
        token = {"idToken": {"idToken": "good", "type": "ISO14443"}}
        answer = await station.call("Authorize", token)

    assert ("groupIdToken" in answer["idTokenInfo"]) is is_told
    get_validator(RESULT, "Authorize", protocol.removeprefix("ocpp")).validate(answer)


async def test_a_certificate_s_status_is_answered_for_each_that_was_asked_for() -> None:
    hashes = {"hashAlgorithm": "SHA384", "issuerNameHash": "n", "issuerKeyHash": "k"}
    asked = [
        {
            "source": source,
            "urls": ["https://ocsp.example"],
            "certificateHashData": hashes | {"serialNumber": str(number)},
        }
        for number, source in enumerate(["CRL", "OCSP", "CRL", "OCSP", "CRL"])
    ]
    async with open_edge() as edge, edge.station(protocol="ocpp2.1") as station:
        request = {"certificateStatusRequests": asked}
        answer = await station.call("GetCertificateChainStatus", request)

    told = [(each["certificateHashData"], each["source"]) for each in answer["certificateStatus"]]
    # The standard has four at most.
    assert told == [(each["certificateHashData"], each["source"]) for each in asked[:4]]
    assert {each["status"] for each in answer["certificateStatus"]} == {"Failed"}


async def test_a_complete_transaction_is_not_asked_about() -> None:
    async with open_edge() as edge, edge.station(protocol="ocpp2.0.1") as station:
        for number, kind in enumerate(("Started", "Updated", "Ended")):
            await _event(station, kind, number)
        await station.call("Heartbeat", {})

    assert station.asked == []


async def _event(station: Station, kind: str, number: int) -> None:
    info = {"transactionId": "T1"}
    await station.call(
        "TransactionEvent", {"eventType": kind, "seqNo": number, "transactionInfo": info}
    )


def _directory() -> FixedDirectory:
    return FixedDirectory({"CP1": "correct-horse-battery"}, tokens=TOKENS)
