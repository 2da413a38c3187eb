"""A next OCPP version is the tables of the last one with entries replaced; here 2.1, in part."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import pytest
from ocpp.messages import get_validator

from ingest.answers import ocpp201 as answers201
from ingest.answers.answering import AnsweringParts, always
from ingest.answers.sequences import Sequences
from ingest.directory import StationAccess
from ingest.facts import ocpp201 as facts201
from ingest.facts.lenient import read_int, read_text
from ingest.facts.parts import at
from ingest.facts.told import Telling
from ingest.facts.translate import OcppVersion
from ingest.rpc.codec import Call, parse
from ledger.facts.station_facts import (
    ConnectorStatusChanged,
    SessionStarted,
    SessionUpdated,
    StationFact,
)
from ledger.log.envelope import Frame
from tests.at_the_edge import NamedSubjects, sealed
from tests.fakes import FixedClock, FixedDirectory, MemoryIds

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
RESULT = 3


def _telling(action: str) -> Telling:
    telling = facts201.CALLS[action]
    assert isinstance(telling, Telling)
    return telling


NEXT: Final = OcppVersion(
    calls={
        **facts201.CALLS,
        # Not OCPP 2.1's: a place that moved, to see one entry replaced.
        "MeterValues": _telling("MeterValues").having(evse_id=at("evse.id", read_int)),
    },
    answered=facts201.ANSWERED,
)
NEXT_DIALECT: Final = replace(
    answers201.DIALECT,
    subprotocol="ocpp2.1",
    answers={**answers201.ANSWERS, "NotifySettlement": always({})},
)


def _facts(action: str, payload: object) -> list[StationFact]:
    text = json.dumps([2, "1", action, payload])
    frame = Frame(received_at=NOON, station="CS-1", protocol="ocpp2.1", epoch=1, frame=text)
    return NEXT.translate(sealed(frame), position=7, line=3)


def test_an_entry_that_was_replaced_is_read_where_it_now_stands() -> None:
    (fact,) = _facts(
        "MeterValues",
        {
            "evse": {"id": 2},
            "meterValue": [{"timestamp": "2026-03-02T12:00:00Z", "sampledValue": [{"value": 7}]}],
        },
    )

    assert isinstance(fact, SessionUpdated)
    assert (fact.evse_id, fact.occurred_at, len(fact.readings)) == (2, NOON, 1)


def test_all_other_entries_are_those_of_the_version_before() -> None:
    (start,) = _facts(
        "TransactionEvent",
        {
            "eventType": "Started",
            "timestamp": "2026-03-02T12:00:00Z",
            "triggerReason": "Authorized",
            "seqNo": 0,
            "transactionInfo": {"transactionId": "T", "tariffId": "a-field-of-2.1"},
        },
    )
    (state,) = _facts("StatusNotification", {"connectorStatus": "Available", "evseId": 1})

    assert isinstance(start, SessionStarted)
    assert (start.transaction_ref, start.oddities) == ("T", ())
    assert isinstance(state, ConnectorStatusChanged)


async def test_the_answers_are_those_of_the_version_before_and_the_new_ones() -> None:
    answers = {}
    for action in ("NotifySettlement", "MeterValues"):
        call = parse(json.dumps([2, "1", action, {}]).encode())
        assert isinstance(call, Call)
        answers[action] = json.loads((await NEXT_DIALECT.answer(call, _parts())).payload)

    for action, answer in answers.items():
        get_validator(RESULT, action, "2.1").validate(answer)


def test_a_table_that_does_not_fit_its_fact_is_refused_when_it_is_written() -> None:
    with pytest.raises(AssertionError, match="meter_start_wh"):
        _telling("MeterValues").having(meter_start_wh=at("meterStart", read_int))
    with pytest.raises(AssertionError, match="token_uid"):
        Telling(SessionStarted, {"transaction_ref": at("transactionId", read_text)})


def _parts() -> AnsweringParts:
    return AnsweringParts(
        station=StationAccess(station_id="CS-1", password_hashes=()),
        directory=FixedDirectory(),
        subjects=NamedSubjects(),
        ids=MemoryIds(),
        clock=FixedClock(),
        sequences=Sequences(),
        heartbeat_seconds=300,
    )
