"""OCPP 2.1 frames to facts: those of 2.0.1, and nothing of what is new is taken for energy."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import ocpp
import pytest

from ingest.facts.translate import translate
from ledger.facts.station_facts import (
    PaymentReported,
    SessionEnded,
    SessionStarted,
    SessionUpdated,
    StationFact,
)
from ledger.facts.station_quote import (
    ChargingLimit,
    StationAmount,
    StationCost,
    StationPeriod,
    StationQuote,
)
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
    assert fact.quote == StationQuote(
        tariff_id="day", limit=ChargingLimit(cost=Decimal(20), time_s=3600)
    )


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


COST = """{"totalCost": {"currency": "eur", "typeOfCost": "NormalCost",
    "fixed": {"exclTax": 1.00}, "energy": {"exclTax": 3.0000000001, "inclTax": 3.57},
    "total": {"exclTax": 4.0000000001, "inclTax": 4.76}},
  "totalUsage": {"energy": 10.25, "chargingTime": 3600, "idleTime": 60},
  "chargingPeriods": [{"startPeriod": "2026-03-02T12:00:00Z", "tariffId": "day"}]}"""


def _ended(cost: str, version: str = "ocpp2.1") -> SessionEnded:
    text = (
        '[2,"1","TransactionEvent",{"eventType":"Ended","timestamp":"2026-03-02T12:00:00Z",'
        '"triggerReason":"EVDeparted","seqNo":2,"transactionInfo":{"transactionId":"T",'
        f'"tariffId":"day"}},"costDetails":{cost}}}]'
    )
    frame = Frame(received_at=NOON, station="CS-1", protocol=version, epoch=1, frame=text)
    (fact,) = translate(sealed(frame), position=7, line=3)
    assert isinstance(fact, SessionEnded)
    return fact


def test_the_cost_that_a_station_reckons_is_kept_to_the_last_digit() -> None:
    fact = _ended(COST)

    assert fact.oddities == ()
    assert fact.quote == StationQuote(
        tariff_id="day",
        cost=StationCost(
            currency="EUR",
            total=StationAmount(Decimal("4.0000000001"), Decimal("4.76")),
            parts=(
                ("fixed", StationAmount(Decimal("1.00"))),
                ("energy", StationAmount(Decimal("3.0000000001"), Decimal("3.57"))),
            ),
            energy=Decimal("10.25"),
            charging_s=3600,
            idle_s=60,
            periods=(StationPeriod(NOON),),
        ),
    )


def _periods(text: str) -> tuple[tuple[StationPeriod, ...], tuple[str, ...]]:
    fact = _ended(f'{{"totalCost": {{"currency": "EUR"}}, "chargingPeriods": {text}}}')
    assert fact.quote is not None
    assert fact.quote.cost is not None
    return fact.quote.cost.periods, fact.oddities


def test_the_periods_that_a_station_reckons_by_are_kept() -> None:
    dimensions = (
        '[{"type":"Energy","volume":1.50},{"type":"IdleTIme","volume":59.6},'
        '{"type":"MaxPower","volume":11000}]'
    )
    text = (
        f'[{{"startPeriod":"2026-03-02T12:00:00Z","dimensions":{dimensions}}},'
        '{"startPeriod":"2026-03-02T12:15:00","dimensions":[{"type":"Energy"},7]}]'
    )

    assert _periods(text) == (
        (
            StationPeriod(NOON, Decimal("1.50"), 60),
            StationPeriod((NOON + timedelta(minutes=15)).replace(tzinfo=None)),
        ),
        (),
    )


@pytest.mark.parametrize(
    "text",
    [
        "[{}]",
        '[{"startPeriod":"2026-03-02T12:00:00Z"},{"startPeriod":"noon"}]',
        json.dumps([{"startPeriod": "2026-03-02T12:00:00Z"}] * 1001),
    ],
)
def test_periods_of_which_one_has_no_time_or_that_are_too_many_are_none(text: str) -> None:
    assert _periods(text) == ((), ("value_unreadable",))


@pytest.mark.parametrize("volume", ["1e15", "-99999999999"])
def test_no_idle_time_is_longer_than_a_life(volume: str) -> None:
    idle = f'[{{"type":"IdleTIme","volume":{volume}}}]'
    text = f'[{{"startPeriod":"2026-03-02T12:00:00Z","dimensions":{idle}}}]'

    assert _periods(text) == ((StationPeriod(NOON),), ("value_unreadable",))


def test_a_station_of_2_0_1_says_no_cost() -> None:
    assert _ended(COST, "ocpp2.0.1").quote is None


def test_a_station_that_could_not_reckon_says_why() -> None:
    quote = _ended('{"failureToCalculate": true, "failureReason": "no tariff"}').quote

    assert quote is not None
    assert quote.cost is not None
    assert quote.cost.failure == "no tariff"


@pytest.mark.parametrize(
    "total",
    [
        '"NaN"', "NaN", "1e400", "1" * 30, '"\\u0000"', "[]", "true", '{"exclTax": 1}',
        "0.12345678901234567890123456789",
    ],
)  # fmt: skip
def test_what_is_no_amount_is_not_said_and_is_odd(total: str) -> None:
    fact = _ended(COST.replace("4.76", total))

    assert fact.quote is not None
    assert fact.quote.cost is not None
    assert fact.quote.cost.total.incl_tax is None
    assert fact.quote.cost.total.excl_tax == Decimal("4.0000000001")
    assert "value_unreadable" in fact.oddities


@pytest.mark.parametrize(
    "cost", ["7", "[]", '"x"', "{}", '{"totalCost": [1]}', '{"totalCost": {"currency": 7}}']
)
def test_a_cost_that_says_nothing_stops_nothing(cost: str) -> None:
    fact = _ended(cost)

    assert fact.reason is None
    assert fact.quote is not None
    assert fact.quote.cost is not None
    assert fact.quote.cost.currency is None


@pytest.mark.parametrize("currency", ['"EURO"', '"E1R"', '"\u0400UR"', "978", "null"])
def test_a_currency_is_three_letters(currency: str) -> None:
    cost = _ended(COST.replace('"eur"', currency)).quote

    assert cost is not None
    assert cost.cost is not None
    assert cost.cost.currency is None


def test_periods_without_end_cost_their_reading_alone() -> None:
    period = '{"startPeriod": "2026-03-02T12:00:00Z"}'
    periods = ",".join([period] * 20_000)

    fact, plain = _ended(COST.replace(period[:-1] + ', "tariffId": "day"}', periods)), _ended(COST)

    assert fact.oddities == ("value_unreadable",)
    assert fact.quote is not None
    assert fact.quote.cost is not None
    cost = msgspec.structs.replace(fact.quote.cost, periods=(StationPeriod(NOON),))
    quote = msgspec.structs.replace(fact.quote, cost=cost)
    assert msgspec.structs.replace(fact, oddities=(), quote=quote) == plain


@pytest.mark.parametrize(
    "trigger",
    ["CostLimitReached", "EnergyLimitReached", "TimeLimitReached", "SoCLimitReached"],
)
def test_a_limit_that_was_reached_is_heard(trigger: str) -> None:
    fact = _event("Updated", trigger)

    assert isinstance(fact, SessionUpdated)
    assert fact.quote == StationQuote(has_reached_limit=True)


def test_a_tariff_that_was_not_taken_is_heard() -> None:
    fact = _event("Started", "TariffNotAccepted", tariffId="day@1")

    assert isinstance(fact, SessionStarted)
    assert fact.quote == StationQuote(tariff_id="day@1", has_refused_tariff=True)


@pytest.mark.parametrize("tariff_id", ["x" * 61, None, [], {}, 7.5])
def test_a_tariff_id_that_none_can_have_is_none(tariff_id: object) -> None:
    fact = _event("Updated", "Trigger", tariffId=tariff_id)

    assert isinstance(fact, SessionUpdated)
    assert fact.quote is None or fact.quote.tariff_id == "7.5"


def _settled(**more: object) -> StationFact:
    payload = {
        "transactionId": "T", "pspRef": "psp-77", "status": "Settled", "settlementAmount": 12.345,
        "settlementTime": "2026-03-02T12:00:00Z", "receiptId": "r-1", **more,
    }  # fmt: skip
    (fact,) = _facts([2, "1", "NotifySettlement", payload])
    return fact


def test_a_settlement_is_a_fact_of_its_transaction() -> None:
    fact = _settled()

    assert isinstance(fact, PaymentReported)
    assert (fact.transaction_ref, fact.psp_ref, fact.status) == ("T", "psp-77", "settled")
    assert (fact.amount, fact.settled_at, fact.receipt_id) == (Decimal("12.345"), NOON, "r-1")
    assert fact.oddities == ()


def test_a_receipt_is_its_terminals_or_else_the_one_of_our_reply() -> None:
    def of(receipt: str | None, reply: str | None) -> str | None:
        said = {"transactionId": "T", "pspRef": "p", "status": "Settled", "receiptId": receipt}
        text = json.dumps([2, "1", "NotifySettlement", said])
        frame = Frame(
            received_at=NOON, station="CS-1", protocol="ocpp2.1", epoch=1, frame=text, reply=reply
        )
        (fact,) = translate(sealed(frame), position=7, line=3)
        assert isinstance(fact, PaymentReported)
        return fact.receipt_id

    given = '[3,"1",{"receiptId":"R-7"}]'
    assert [of("mine", given), of(None, given), of(None, '[3,"1",{}]'), of(None, None)] == [
        "mine",
        "R-7",
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("more", "flag"),
    [
        ({"status": "Paid"}, "enum_unknown"),
        ({"status": None}, "enum_unknown"),
        ({"settlementAmount": "NaN"}, "value_unreadable"),
        ({"pspRef": "x" * 256}, "value_unreadable"),
        ({"settlementTime": "never"}, "time_unreadable"),
    ],
)
def test_what_cannot_be_read_of_a_settlement_is_odd(more: dict[str, object], flag: str) -> None:
    fact = _settled(**more)

    assert isinstance(fact, PaymentReported)
    assert fact.oddities == (flag,)
    assert fact.psp_ref is not None
    assert len(fact.psp_ref) <= 255


def test_a_settlement_of_no_transaction_is_kept_too() -> None:
    fact = _settled(transactionId=None)

    assert isinstance(fact, PaymentReported)
    assert fact.transaction_ref is None


def test_why_a_station_could_not_reckon_is_kept_as_far_as_the_standard_lets_it_be() -> None:
    for length, kept in ((500, 500), (501, 500)):
        quote = _ended(f'{{"failureToCalculate": "true", "failureReason": "{"x" * length}"}}').quote
        assert quote is not None
        assert quote.cost is not None
        assert quote.cost.failure == "x" * kept


@pytest.mark.parametrize(
    ("said", "read"),
    [(2**31, 2**31), (2**31 + 1, None), (-1, -1), (1.5, None), ("7", 7), (True, None)],
)
def test_a_time_is_a_whole_number_that_a_counter_holds(said: object, read: int | None) -> None:
    fact = _event("Updated", "LimitSet", transactionLimit={"maxTime": said, "maxCost": 1})

    assert isinstance(fact, SessionUpdated)
    assert fact.quote is not None
    assert fact.quote.limit == ChargingLimit(cost=Decimal(1), time_s=read)
    assert ("value_unreadable" in fact.oddities) is (read is None)


def test_a_limit_that_limits_nothing_is_none() -> None:
    fact = _event("Updated", "LimitSet", transactionLimit={"customData": {}})

    assert isinstance(fact, SessionUpdated)
    assert fact.quote is None
