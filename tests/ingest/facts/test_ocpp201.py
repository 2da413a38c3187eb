"""OCPP 2.0.1 frames to facts."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal

import pytest

from ingest.facts.translate import translate
from ledger.facts.flags import Flag
from ledger.facts.station_facts import (
    ChargingState,
    ComponentProblem,
    ConnectorStatusChanged,
    FrameSetAside,
    Measurand,
    ProblemsTold,
    QueueReported,
    Reading,
    ReadingContext,
    SessionEnded,
    SessionStarted,
    SessionUpdated,
    StationBooted,
    StationFact,
)
from ledger.log.envelope import Frame
from tests.at_the_edge import sealed

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TOLD_AT = datetime(2026, 3, 2, 11, 59, tzinfo=UTC)


def _facts(
    text: str, *, reply: str | None = None, direction: Literal["in", "out"] = "in"
) -> list[StationFact]:
    frame = Frame(
        received_at=NOON,
        station="CS-1",
        protocol="ocpp2.0.1",
        epoch=1,
        frame=text,
        reply=reply,
        direction=direction,
    )
    return translate(sealed(frame), position=7, line=3)


def _event(kind: str, rest: str = "", info: str = "") -> str:
    return (
        f'[2,"1","TransactionEvent",{{"eventType":"{kind}","timestamp":"2026-03-02T11:59:00Z",'
        f'"triggerReason":"Authorized","seqNo":0,"transactionInfo":{{"transactionId":"T"{info}}}'
        f"{rest}}}]"
    )


def test_a_start_carries_place_token_state_and_number() -> None:
    (fact,) = _facts(
        _event(
            "Started",
            ',"evse":{"id":2,"connectorId":1},"idToken":{"idToken":"A","type":"ISO14443"},'
            '"offline":true,"reservationId":5',
            ',"chargingState":"EVConnected"',
        )
    )

    assert fact == SessionStarted(
        station_id="CS-1",
        position=7,
        line=3,
        received_at=NOON,
        transaction_ref="T",
        evse_id=2,
        connector_id=1,
        token_uid="a",
        occurred_at=TOLD_AT,
        charging_state=ChargingState.EV_CONNECTED,
        seq_no=0,
        offline=True,
        reservation_id=5,
    )


def test_readings_are_exact_in_base_units_with_multiplier() -> None:
    (fact,) = _facts(
        _event(
            "Updated",
            ',"meterValue":[{"timestamp":"2026-03-02T11:58:00Z","sampledValue":['
            '{"value":500.37957763671875,"measurand":"Power.Active.Import",'
            '"unitOfMeasure":{"unit":"kW","multiplier":-3}},'
            '{"value":1.10,"context":"Transaction.End","unitOfMeasure":{"unit":"kWh"},'
            '"signedMeterValue":{"signedMeterData":"T0NNRg==","encodingMethod":"OCMF"}}]}]',
        )
    )
    at = datetime(2026, 3, 2, 11, 58, tzinfo=UTC)

    assert isinstance(fact, SessionUpdated)
    assert fact.readings == (
        Reading(at, Measurand.POWER_W, Decimal("500.37957763671875")),
        Reading(at, Measurand.ENERGY_REGISTER_WH, Decimal(1100), ReadingContext.END),
    )
    assert [signed.text for signed in fact.signed] == [
        '{"signedMeterData":"T0NNRg==","encodingMethod":"OCMF"}'
    ]


@pytest.mark.parametrize(
    ("multiplier", "read"),
    [("3", 6000), ("-1", Decimal("0.6")), ("null", 6), ('"3"', 6000), ('"x"', None), ("2.5", None),
     ("true", None), ("[3]", None)],
)  # fmt: skip
def test_what_is_no_power_of_ten_is_not_taken_for_none(
    multiplier: str, read: Decimal | None
) -> None:
    (fact,) = _facts(
        _event(
            "Updated",
            ',"meterValue":[{"timestamp":"2026-03-02T11:58:00Z","sampledValue":[{"value":6,'
            f'"unitOfMeasure":{{"unit":"Wh","multiplier":{multiplier}}}}}]}}]',
        )
    )

    assert isinstance(fact, SessionUpdated)
    assert [reading.value for reading in fact.readings] == ([] if read is None else [read])
    assert (Flag.VALUE_UNREADABLE in fact.oddities) is (read is None)


@pytest.mark.parametrize("told", ["A-1", " A-1", "A-1 ", "\\tA-1\\n"])
def test_no_blank_is_a_part_of_a_transaction_s_id(told: str) -> None:
    (fact,) = _facts(_event("Ended").replace('"T"', f'"{told}"'))

    assert isinstance(fact, SessionEnded)
    assert fact.transaction_ref == "A-1"


def test_an_end_carries_its_reason() -> None:
    (fact,) = _facts(_event("Ended", "", ',"stoppedReason":"EVDisconnected"'))

    assert isinstance(fact, SessionEnded)
    assert (fact.reason, fact.meter_stop_wh) == ("EVDisconnected", None)


def test_no_authorization_is_no_token() -> None:
    (fact,) = _facts(_event("Started", ',"idToken":{"idToken":"","type":"NoAuthorization"}'))

    assert isinstance(fact, SessionStarted)
    assert fact.token_uid is None


def test_meter_values_outside_a_transaction_name_no_transaction() -> None:
    (fact,) = _facts(
        '[2,"1","MeterValues",{"evseId":2,"meterValue":[{"timestamp":"2026-03-02T11:58:00Z",'
        '"sampledValue":[{"value":7}]}]}]'
    )

    assert isinstance(fact, SessionUpdated)
    assert (fact.transaction_ref, fact.evse_id, fact.seq_no) == (None, 2, None)


def test_the_answer_about_the_queue_is_a_fact_whoever_asked() -> None:
    (fact,) = _facts(
        '[2,"9","GetTransactionStatus",{"transactionId":"T"}]',
        reply='[3,"9",{"ongoingIndicator":false,"messagesInQueue":false}]',
        direction="out",
    )

    assert isinstance(fact, QueueReported)
    assert (fact.transaction_ref, fact.messages_in_queue, fact.ongoing) == ("T", False, False)


@pytest.mark.parametrize("reply", [None, "broken", '[4,"9","NotSupported","",{}]', '[3,"9",{}]'])
def test_no_answer_about_the_queue_is_no_fact(reply: str | None) -> None:
    text = '[2,"9","GetTransactionStatus",{"transactionId":"T"}]'

    assert _facts(text, reply=reply, direction="out") == []
    assert _facts('[2,"9","Reset",{"type":"Immediate"}]', reply=reply, direction="out") == []


def test_states_and_boots_are_facts_and_occupied_says_nothing_about_charging() -> None:
    (state,) = _facts(
        '[2,"1","StatusNotification",{"timestamp":"2026-03-02T11:59:00Z",'
        '"connectorStatus":"Occupied","evseId":1,"connectorId":1}]'
    )
    (boot,) = _facts(
        '[2,"1","BootNotification",{"reason":"PowerUp","chargingStation":{"vendorName":"V",'
        '"model":"M"}}]'
    )

    assert isinstance(state, ConnectorStatusChanged)
    assert (state.charging_state, state.oddities) == (None, ())
    assert isinstance(boot, StationBooted)
    assert boot.reason == "PowerUp"


@pytest.mark.parametrize(
    "broken",
    [
        _event("Updated").replace('"seqNo":0', '"seqNo":"0"'),
        _event("Updated").replace('"transactionId":"T"', '"transactionId":7'),
        _event("Updated", ',"evse":{"id":"2"}'),
        _event("Updated", ',"meterValue":{"timestamp":"2026-03-02T11:58:00Z"}'),
    ],
)
def test_a_broken_event_gives_what_can_be_read(broken: str) -> None:
    (fact,) = _facts(broken)

    assert isinstance(fact, SessionUpdated)
    assert fact.seq_no == 0
    assert fact.transaction_ref in {"T", "7"}
    assert "malformed_frame" in fact.oddities


def test_an_event_of_an_unknown_kind_is_an_update_and_one_without_transaction_is_set_aside() -> (
    None
):
    (odd,) = _facts(_event("Paused"))
    (lost,) = _facts('[2,"1","TransactionEvent",{"eventType":"Ended"}]')

    assert isinstance(odd, SessionUpdated)
    assert odd.oddities == ("enum_unknown",)
    assert isinstance(lost, FrameSetAside)
    assert lost.reason == "no_transaction"


@pytest.mark.parametrize("info", ["{}", '{"transactionId":null}', '{"transactionId":[7]}', "null"])
@pytest.mark.parametrize(
    "of_a_session",
    ['"evse":{"id":1}', '"idToken":{"idToken":"A","type":"Central"}', '"meterValue":[{}]'],
)
def test_an_event_without_an_id_is_as_good_as_one_with_an_empty_one(
    info: str, of_a_session: str
) -> None:
    event = f'{{"eventType":"Ended","seqNo":1,"transactionInfo":{info},{of_a_session}}}'

    (fact,) = _facts(f'[2,"1","TransactionEvent",{event}]')

    assert isinstance(fact, SessionEnded)
    assert fact.transaction_ref == ""
    assert "malformed_frame" in fact.oddities


def test_what_bills_nothing_gives_no_fact() -> None:
    assert _facts('[2,"1","NotifyEvent",{"generatedAt":"x","seqNo":0,"eventData":[]}]') == []
    assert _facts('[2,"1","Heartbeat",{}]') == []


@pytest.mark.parametrize(
    "event",
    [
        '{"variable":{"name":"Problem"}}',
        '{"component":{"name":7.5e3},"variable":{"name":"Tries"},"actualValue":"true"}',
        '{"component":[],"variable":{"name":"Problem"},"actualValue":"true"}',
        "7",
        '{"component":{"name":""},"variable":{"name":"Problem"}}',
    ],
)
def test_an_event_that_tells_of_no_problem_tells_none(event: str) -> None:
    assert _facts(f'[2,"1","NotifyEvent",{{"eventData":[{event}]}}]') == []


def test_a_problem_is_one_of_a_component_and_ends_when_it_is_false_or_cleared() -> None:
    rows = [
        '{"component":{"name":"Connector","evse":{"id":2,"connectorId":1}},"variable":{"name":'
        f'"problem"}},"actualValue":{value},"techCode":"{"x" * 60}"{more}}}'
        for value, more in (('"TRUE"', ""), ('"false"', ""), ('"true"', ',"cleared":true'))
    ]
    (fact,) = _facts(f'[2,"1","NotifyEvent",{{"eventData":[{",".join(rows)}]}}]')

    assert isinstance(fact, ProblemsTold)
    assert [each.is_over for each in fact.problems] == [False, True, True]
    assert fact.problems[0] == ComponentProblem("Connector", 2, 1, False, "x" * 50, None)


def test_a_message_of_a_million_problems_tells_a_hundred() -> None:
    row = '{"component":{"name":"A"},"variable":{"name":"Problem"},"actualValue":"true"}'
    (fact,) = _facts(f'[2,"1","NotifyEvent",{{"eventData":[{",".join([row] * 5000)}]}}]')

    assert isinstance(fact, ProblemsTold)
    assert len(fact.problems) == 100
