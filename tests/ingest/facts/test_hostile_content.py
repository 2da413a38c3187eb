"""What a frame says beyond what tables, indexes and calendars hold: kept, named, never raised."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from ingest.facts.told import REFERENCE_MAX
from ingest.facts.translate import translate
from ledger.facts.flags import Flag, blockers_of
from ledger.facts.station_facts import SessionEnded, SessionStarted, SessionUpdated, StationFact
from ledger.log.envelope import Frame
from tests.at_the_edge import sealed

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
INT32_MAX = 2**31 - 1


def _fact(action: str, payload: dict[str, Any] | str, version: str = "ocpp2.0.1") -> StationFact:
    text = payload if isinstance(payload, str) else json.dumps(payload)
    frame = Frame(
        received_at=NOON, station="CS-1", protocol=version, epoch=1,
        frame=f'[2,"1","{action}",{text}]',
    )  # fmt: skip
    (fact,) = translate(sealed(frame), position=7, line=3)
    return fact


def _event(kind: str = "Started", **parts: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    return {
        "eventType": kind,
        "timestamp": "2026-03-02T12:00:00Z",
        "triggerReason": "Authorized",
        "seqNo": 0,
        "transactionInfo": {"transactionId": "T-1"},
        **parts,
    }


def test_a_nul_is_written_out_and_flagged_in_every_text() -> None:
    info = {"transactionId": "T\0-1", "stoppedReason": "Lo\0cal"}

    fact = _fact("TransactionEvent", _event("Ended", transactionInfo=info))

    assert isinstance(fact, SessionEnded)
    assert (fact.transaction_ref, fact.reason) == ("T\\u0000-1", "Lo\\u0000cal")
    assert fact.oddities == (Flag.TEXT_ODD,)


def test_halves_of_surrogates_are_written_out_flagged_and_told_apart() -> None:
    facts = [
        _fact("TransactionEvent", json.dumps(_event()).replace("T-1", f"T-\\u{half}"))
        for half in ("d800", "dfff")
    ]

    references = [fact.transaction_ref for fact in facts if isinstance(fact, SessionStarted)]
    assert references == ["T-\\ud800", "T-\\udfff"]
    assert all(Flag.TEXT_ODD in fact.oddities for fact in facts)


def test_a_whole_pair_is_plain_text() -> None:
    fact = _fact("TransactionEvent", json.dumps(_event()).replace("T-1", "T-\\ud83d\\ude00"))

    assert isinstance(fact, SessionStarted)
    assert (fact.transaction_ref, fact.oddities) == ("T-\U0001f600", ())


@pytest.mark.parametrize("place", [INT32_MAX + 1, -INT32_MAX - 2, 10**18, 10**30, "99999999999"])
@pytest.mark.parametrize(
    ("version", "action", "where"),
    [
        ("ocpp1.6", "StartTransaction", "connectorId"),
        ("ocpp1.6", "StatusNotification", "connectorId"),
        ("ocpp1.6", "MeterValues", "connectorId"),
        ("ocpp2.0.1", "TransactionEvent", "evse.id"),
        ("ocpp2.0.1", "TransactionEvent", "evse.connectorId"),
        ("ocpp2.0.1", "StatusNotification", "evseId"),
        ("ocpp2.0.1", "StatusNotification", "connectorId"),
        ("ocpp2.0.1", "MeterValues", "evseId"),
    ],
)
def test_a_place_beyond_int32_is_no_place_and_a_person_looks(
    version: str,
    action: str,
    where: str,
    place: Any,  # noqa: ANN401 - any JSON
) -> None:
    name, _, inner = where.partition(".")
    payload: dict[str, Any] = {name: {"id": 1, inner: place} if inner else place}
    if action == "TransactionEvent":
        payload = _event() | payload

    fact: Any = _fact(action, payload, version)

    assert Flag.PLACE_UNREADABLE in fact.oddities
    assert blockers_of([Flag.PLACE_UNREADABLE])
    wanted = fact.connector_id if where.endswith("connectorId") else fact.evse_id
    assert wanted is None


@pytest.mark.parametrize("place", [INT32_MAX, 1])
def test_the_last_int32_is_a_place(place: int) -> None:
    fact = _fact("TransactionEvent", _event(evse={"id": place, "connectorId": place}))

    assert isinstance(fact, SessionStarted)
    assert (fact.evse_id, fact.connector_id, fact.oddities) == (place, place, ())


def test_a_reference_that_no_index_holds_is_known_by_its_hash() -> None:
    texts = ["x" * REFERENCE_MAX, "x" * (REFERENCE_MAX + 1), "x" * 8_000 + "y", "\U0001f600" * 900]
    facts = [
        _fact("TransactionEvent", _event(transactionInfo={"transactionId": text})) for text in texts
    ]

    references = [fact.transaction_ref for fact in facts if isinstance(fact, SessionStarted)]
    assert references[0] == texts[0]
    assert all(each.startswith("sha256:") and len(each) == 71 for each in references[1:])
    assert len(set(references)) == len(texts)


def test_a_start_without_an_answer_is_known_by_a_bounded_name() -> None:
    payload = {"connectorId": 1, "timestamp": "t" * 4_000, "meterStart": 1}

    fact = _fact("StartTransaction", payload, "ocpp1.6")

    assert isinstance(fact, SessionStarted)
    assert len(fact.transaction_ref) <= REFERENCE_MAX


@pytest.mark.parametrize(
    "at",
    [
        "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59",
        "2200-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00",
    ],
)  # fmt: skip
def test_a_time_that_no_clock_shows_is_unreadable(at: str) -> None:
    fact = _fact("TransactionEvent", _event(timestamp=at))

    assert isinstance(fact, SessionStarted)
    assert (fact.occurred_at, fact.oddities) == (None, (Flag.TIME_UNREADABLE,))


def test_the_last_second_before_is_a_time() -> None:
    fact = _fact("TransactionEvent", _event(timestamp="2199-12-31T23:59:59Z"))

    assert isinstance(fact, SessionStarted)
    assert fact.occurred_at == datetime(2199, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize("action", ["StartTransaction", "StopTransaction"])
def test_a_time_of_null_is_a_time_that_is_missing(action: str) -> None:
    payload = {"connectorId": 1, "timestamp": None, "transactionId": 5, "meterStop": 1}

    assert Flag.TIME_UNREADABLE in _fact(action, payload, "ocpp1.6").oddities


def test_a_reading_says_no_more_than_its_frame_holds() -> None:
    sample = {"value": 1, "phase": "L\0"}
    values = [{"timestamp": "9999-12-31T00:00:00Z", "sampledValue": [sample]}]

    fact = _fact("TransactionEvent", _event("Updated", meterValue=values))

    assert isinstance(fact, SessionUpdated)
    assert fact.readings[0].occurred_at is None
    assert Flag.TIME_UNREADABLE in fact.oddities


@pytest.mark.parametrize(
    ("version", "action"), [("ocpp1.6", "StartTransaction"), ("ocpp2.0.1", "TransactionEvent")]
)
def test_a_session_at_a_place_below_nought_waits_for_a_person(version: str, action: str) -> None:
    payload = {"connectorId": -1} if version == "ocpp1.6" else _event() | {"evse": {"id": -1}}

    fact: Any = _fact(action, payload, version)

    assert fact.evse_id is None
    assert Flag.PLACE_UNREADABLE in fact.oddities
