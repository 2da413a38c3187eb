"""OCPP 2.1 frames to facts: those of 2.0.1, and nothing of what is new is taken for energy."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import ocpp
import pytest

from ingest.facts.translate import translate
from ledger.facts.station_facts import SessionStarted, SessionUpdated, StationFact
from ledger.log.envelope import Frame
from tests.at_the_edge import sealed

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SCHEMA = Path(ocpp.__file__).parent / "v21/schemas/TransactionEventRequest.json"


def _facts(message: list[Any]) -> list[StationFact]:
    text = json.dumps(message)
    frame = Frame(received_at=NOON, station="CS-1", protocol="ocpp2.1", epoch=1, frame=text)
    return translate(sealed(frame), position=7, line=3)


def _event(kind: str, trigger: str, *samples: dict[str, Any], **info: object) -> StationFact:
    event = {
        "eventType": kind,
        "timestamp": "2026-03-02T12:00:00Z",
        "triggerReason": trigger,
        "seqNo": 0,
        "transactionInfo": {"transactionId": "T", **info},
        "meterValue": [{"timestamp": "2026-03-02T12:00:00Z", "sampledValue": list(samples)}],
    }
    (fact,) = _facts([2, "1", "TransactionEvent", event])
    return fact


def test_a_start_with_what_is_new_is_a_start_without_oddities() -> None:
    limit = {"maxCost": 20, "maxTime": 3600}
    fact = _event(
        "Started",
        "LimitSet",
        {"value": 7},
        tariffId="day",
        transactionLimit=limit,
        operationMode="ChargingOnly",
    )

    assert isinstance(fact, SessionStarted)
    assert (fact.transaction_ref, fact.oddities) == ("T", ("unit_missing",))


def test_a_transaction_that_is_resumed_goes_on() -> None:
    fact = _event("Updated", "TxResumed", {"value": 7})

    assert type(fact) is SessionUpdated
    assert (fact.transaction_ref, [each.value for each in fact.readings]) == ("T", [Decimal(7)])


def _measurands() -> list[str]:
    words = json.loads(SCHEMA.read_text())["definitions"]["MeasurandEnumType"]["enum"]
    assert isinstance(words, list)
    return words


@pytest.mark.parametrize("measurand", _measurands())
def test_no_measurand_of_the_standard_is_odd_and_only_one_is_the_register(measurand: str) -> None:
    fact = _event("Updated", "MeterValuePeriodic", {"value": 7, "measurand": measurand})

    assert isinstance(fact, SessionUpdated)
    assert "enum_unknown" not in fact.oddities
    registers = [each for each in fact.readings if each.measurand == "energy_register_wh"]
    assert bool(registers) is (measurand == "Energy.Active.Import.Register")


def test_a_message_that_nobody_answers_tells_nothing_and_is_not_odd() -> None:
    assert _facts([6, "s1", "NotifyPeriodicEventStream", {"id": 1, "data": []}]) == []
    assert _facts([5, "m1", "FormatViolation", "what was that?", {}]) == []
