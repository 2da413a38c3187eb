"""What holds for every frame in every version: the facts do not depend on how it is written."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.facts import ocpp201
from ingest.facts.lenient import read_int, read_text
from ingest.facts.parts import at
from ingest.facts.told import Telling
from ingest.facts.translate import VERSIONS, translate
from ledger.facts.flags import Flag
from ledger.facts.station_facts import Fact, SessionEnded, SessionStarted, StationFact
from ledger.log.envelope import Frame
from tests.at_the_edge import sealed

Direction = Literal["in", "out"]
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
WORDS = (
    "", "7", " 7 ", "7,5", "kWh", "Wh", "W", "L1", "L1-N", "N", "Outlet", "Inlet", "SignedData",
    "Energy.Active.Import.Register", "Power.Active.Import", "SoC", "Transaction.End", "Started",
    "ENDED", "Charging", "Idle", "Occupied", "NoAuthorization", "2026-03-02T12:00:00Z",
    "2026-03-02T12:00:00",
)  # fmt: skip
NAMES = (
    "value", "unit", "context", "measurand", "phase", "location", "format", "unitOfMeasure", "evse",
    "multiplier", "signedMeterValue", "timestamp", "sampledValue", "meterValue", "transactionData",
    "connectorId", "evseId", "id", "transactionId", "idTag", "idToken", "type", "meterStart",
    "meterStop", "reason", "status", "connectorStatus", "errorCode", "eventType", "seqNo",
    "offline", "transactionInfo", "chargingState", "stoppedReason", "reservationId",
    "messagesInQueue",
)  # fmt: skip
_SAMPLED = ("context", "measurand", "phase", "location")
ACTIONS = (
    "MeterValues", "StartTransaction", "StopTransaction", "StatusNotification", "BootNotification",
    "TransactionEvent", "GetTransactionStatus", "Heartbeat",
)  # fmt: skip
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(WORDS)
    | st.text(max_size=5)
)
payloads = st.dictionaries(
    st.sampled_from(NAMES),
    st.recursive(
        scalars,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6)
        ),
    ),
)
protocols = st.sampled_from(sorted(VERSIONS))
words = st.none() | st.sampled_from([word for word in WORDS if word])


@given(
    protocol=protocols,
    action=st.sampled_from(ACTIONS),
    payload=payloads,
    reply=payloads,
    direction=st.sampled_from(["in", "out"]),
)
def test_no_frame_makes_a_translator_raise_and_every_fact_can_be_stored(
    protocol: str, action: str, payload: object, reply: object, direction: Direction
) -> None:
    text = json.dumps([2, "1", action, payload])
    facts = _facts(protocol, text, reply=json.dumps([3, "1", reply]), direction=direction)

    assert all(isinstance(fact, Fact) for fact in facts)
    assert msgspec.json.decode(msgspec.json.encode(facts), type=list[StationFact]) == facts


@pytest.mark.parametrize(
    ("protocol", "action", "payload"),
    [
        ("ocpp1.6", "StopTransaction", '{"transactionId":1,"idTag":"A\\ud83d","reason":"\\udead"}'),
        ("ocpp2.0.1", "MeterValues", '{"meterValue":{"sampledValue":{"value":"\\ud800"}}}'),
        (
            "ocpp2.0.1",
            "MeterValues",
            '{"meterValue":{"sampledValue":{"value":1,"signedMeterValue":["\\uDFFF"]}}}',
        ),
    ],
)
def test_half_of_a_surrogate_pair_stops_nothing_and_its_fact_can_be_stored(
    protocol: str, action: str, payload: str
) -> None:
    facts = _facts(protocol, f'[2,"1","{action}",{payload}]')

    assert len(facts) == 1
    assert msgspec.json.decode(msgspec.json.encode(facts), type=list[StationFact]) == facts


def test_whole_pairs_and_backslashes_stay_as_they_are_beside_half_of_a_pair() -> None:
    (fact,) = _facts(
        "ocpp1.6", r'[2,"1","StopTransaction",{"idTag":"\ud83d\ude00\\ud800","x":"\ud800"}]'
    )

    assert isinstance(fact, SessionEnded)
    assert fact.token_uid == "\N{GRINNING FACE}\\ud800"


@given(protocol=protocols, action=st.sampled_from(ACTIONS), payload=payloads)
def test_blanks_and_line_feeds_in_a_frame_change_no_fact(
    protocol: str, action: str, payload: object
) -> None:
    plain = json.dumps([2, "1", action, payload], separators=(",", ":"))
    spread = json.dumps([2, "1", action, payload], indent=2, ensure_ascii=False)

    assert _unsigned(_facts(protocol, plain)) == _unsigned(_facts(protocol, spread))


@given(st.data())
def test_the_strict_way_of_1_6_says_the_same_as_the_table(data: st.DataObject) -> None:
    sample: dict[str, st.SearchStrategy[object]] = {
        "value": st.sampled_from(WORDS),
        **dict.fromkeys((*_SAMPLED, "unit", "format"), words),
    }
    payload = {
        "connectorId": data.draw(st.integers(-2, 3)),
        "transactionId": data.draw(st.none() | st.integers(-2, 9)),
        "meterValue": data.draw(_meter_values(sample)),
    }

    strict, lenient = _both_ways("ocpp1.6", "MeterValues", payload)

    assert strict == lenient


@given(st.data(), st.sampled_from(["ocpp2.0.1", "ocpp2.1"]))
def test_the_strict_way_of_2_x_says_the_same_as_the_table(
    data: st.DataObject, protocol: str
) -> None:
    draw = data.draw
    unit = st.fixed_dictionaries({"unit": words, "multiplier": st.integers(-16, 16)})
    sample: dict[str, st.SearchStrategy[object]] = {
        "value": st.integers() | st.decimals(-9999, 9999, places=3).map(float),
        "unitOfMeasure": st.none() | unit,
        "signedMeterValue": st.none() | st.just({"signedMeterData": "T0NNRg=="}),
        **dict.fromkeys(_SAMPLED, words),
    }
    evse = {"id": draw(st.integers(0, 3)), "connectorId": draw(st.none() | st.integers(0, 3))}
    token = {"idToken": draw(st.sampled_from(["A", " A"])), "type": draw(words) or "Central"}
    number = st.none() | st.sampled_from([7, -1, 0.5, 1e300, "NaN", "1,5", [], {}, True])
    amount = st.none() | st.fixed_dictionaries({"exclTax": number, "inclTax": number})
    total = st.fixed_dictionaries(
        {"currency": st.none() | st.sampled_from(["EUR", "eur", "E", 7]), "total": amount}
    )
    info = {
        "transactionId": "T",
        "chargingState": draw(words),
        "stoppedReason": draw(words),
        "tariffId": draw(words),
        "transactionLimit": draw(
            st.none() | st.fixed_dictionaries({"maxCost": number, "maxTime": number})
        ),
    }
    payload = {
        "eventType": draw(st.sampled_from(WORDS)),
        "timestamp": draw(words),
        "triggerReason": draw(st.none() | st.sampled_from(["Authorized", "CostLimitReached"])),
        "costDetails": draw(
            st.none() | st.just([]) | st.fixed_dictionaries({"totalCost": st.none() | total})
        ),
        "seqNo": draw(st.none() | st.integers(-1, 9)),
        "transactionInfo": info,
        "offline": draw(st.booleans()),
        "evse": draw(st.sampled_from([None, evse])),
        "idToken": draw(st.sampled_from([None, token])),
        "reservationId": draw(st.none() | st.integers(-2, 9)),
        "meterValue": draw(_meter_values(sample)),
    }

    strict, lenient = _both_ways(protocol, "TransactionEvent", payload)

    oddities = (*strict.oddities, str(Flag.MALFORMED_FRAME))
    assert msgspec.structs.replace(strict, oddities=tuple(sorted(oddities))) == lenient


def _meter_values(sample: dict[str, st.SearchStrategy[object]]) -> st.SearchStrategy[object]:
    entry = {
        "timestamp": st.sampled_from(WORDS),
        "sampledValue": st.lists(st.fixed_dictionaries(sample), max_size=3),
    }
    return st.lists(st.fixed_dictionaries(entry), max_size=3)


def _both_ways(protocol: str, action: str, payload: object) -> tuple[Fact, Fact]:
    """Return the fact in a frame, and in the same frame whose id is a number: no strict type."""
    texts = [json.dumps([2, key, action, payload], separators=(",", ":")) for key in ("1", 1)]
    (strict,), (lenient,) = (_facts(protocol, text) for text in texts)
    return strict, lenient


def _facts(
    protocol: str, text: str, *, reply: str | None = None, direction: Direction = "in"
) -> list[StationFact]:
    frame = Frame(
        received_at=NOON,
        station="CS-1",
        protocol=protocol,
        epoch=1,
        frame=text,
        reply=reply,
        direction=direction,
    )
    return translate(sealed(frame), position=7, line=3)


def _unsigned(facts: list[StationFact]) -> list[Fact]:
    """Return *facts* without signed data, whose text is kept as it came."""
    return [
        msgspec.structs.replace(fact, signed=()) if hasattr(fact, "signed") else fact
        for fact in facts
    ]


def test_a_table_that_does_not_fit_its_fact_is_refused_when_it_is_written() -> None:
    meter_values = ocpp201.CALLS["MeterValues"]
    assert isinstance(meter_values, Telling)

    with pytest.raises(AssertionError, match="meter_start_wh"):
        meter_values.having(meter_start_wh=at("meterStart", read_int))
    with pytest.raises(AssertionError, match="token_uid"):
        Telling(SessionStarted, {"transaction_ref": at("transactionId", read_text)})
