"""The words in which prices are told: exact, and as the schemas have them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from importlib.resources import files

import pytest
from jsonschema import Draft4Validator

from ingest.commands.schemas import check_command
from ingest.facts.translate import translate
from ingest.persons.cuts import cuts_in
from ingest.prices.price import ShownPrice
from ingest.prices.words import (
    WORDS,
    PriceCall,
    Stage,
    TransactionNews,
    tariff_words,
    with_cost,
)
from ingest.rpc.codec import encode, encode_call
from ingest.rpc.fields import PayloadFields
from ledger.facts.station_facts import PriceTold
from ledger.log.envelope import Frame
from tariffs.files.tariff_file import read_tariff_file

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
YEN, EURO, DINAR = (
    ShownPrice(Decimal(500), "JPY", NOON, Decimal("1234.5")),
    ShownPrice(Decimal("4.70"), "EUR", NOON, Decimal(1234), is_idle=True),
    ShownPrice(Decimal("-1.234"), "KWD", NOON),
)


def calls(protocol: str, price: ShownPrice) -> list[PriceCall]:
    words, reference = WORDS[protocol], "7" if protocol == "ocpp1.6" else "tx-7"
    made = [words.running(reference, price), words.final(reference, price)]
    return made if words.display is None else [*made, words.display(reference, price)]


def sent(protocol: str, call: PriceCall, reply: str | None = None) -> Frame:
    text = encode_call("m", call.action, call.payload).decode()
    return Frame(
        received_at=NOON, station="CS", protocol=protocol, epoch=1, frame=text, reply=reply,
        direction="out",
    )  # fmt: skip


@pytest.mark.parametrize("protocol", WORDS)
@pytest.mark.parametrize("price", [YEN, EURO, DINAR], ids=lambda price: price.currency)
def test_each_call_fits_its_schema_and_names_nobody(protocol: str, price: ShownPrice) -> None:
    for call in calls(protocol, price):
        payload = encode(call.payload).decode()
        check_command(protocol, call.action, payload)
        assert cuts_in(sent(protocol, call).frame) == []


@pytest.mark.parametrize("protocol", WORDS)
@pytest.mark.parametrize("price", [YEN, EURO, DINAR], ids=lambda price: price.currency)
def test_what_was_told_is_read_back_to_the_digit(protocol: str, price: ShownPrice) -> None:
    running, final, *display = calls(protocol, price)

    for call in (running, final):
        (fact,) = translate(sent(protocol, call), position=3, line=1)
        assert isinstance(fact, PriceTold)
        assert fact.transaction_ref == ("7" if protocol == "ocpp1.6" else "tx-7")
        assert str(fact.gross) == str(price.gross)
        # What the station made of it tells nothing new.
        assert translate(sent(protocol, call, '[3,"m",{}]'), position=3, line=1) == []
    for call in display:
        assert translate(sent(protocol, call), position=3, line=1) == []


def test_vendors_messages_of_others_are_cut_and_tell_no_price() -> None:
    data = '{"transactionId":7,"cost":4.70,"priceText":"4.70 EUR"}'
    for vendor, text in (("acme", data), ("org.openchargealliance.costmsg", data[:-1] + ',"a":1}')):
        payload = {"vendorId": vendor, "messageId": "FinalCost", "data": text}
        frame = sent("ocpp1.6", PriceCall("", "DataTransfer", payload))
        told = translate(frame, position=0, line=0)
        assert bool(told) is (vendor != "acme")
        assert bool(cuts_in(frame.frame)) is (text != data)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"{}", b'{"totalCost":4.70}'),
        (b'{"idTokenInfo":{}}', b'{"idTokenInfo":{},"totalCost":4.70}'),
    ],
)
def test_the_cost_stands_in_an_answer_as_an_exact_number(answer: bytes, expected: bytes) -> None:
    assert with_cost(answer, Decimal("4.70")) == expected


def test_an_answer_with_its_cost_fits_the_schema() -> None:
    for version in ("v201", "v21"):
        path = f"{version}/schemas/TransactionEventResponse.json"
        schema = json.loads(_package_file(path))
        Draft4Validator(schema).validate(json.loads(with_cost(b"{}", Decimal("0.00"))))


def _package_file(path: str) -> str:
    return (files("ocpp") / path).read_text("utf-8-sig")


def news(
    protocol: str, action: str, payload: object, answer: object = None
) -> TransactionNews | None:
    read = WORDS[protocol].news[action]
    return read(PayloadFields(encode(payload)), PayloadFields(encode(answer or {})))


@pytest.mark.parametrize(
    ("protocol", "action", "payload", "answer", "expected"),
    [
        ("ocpp1.6", "StartTransaction", {}, {"transactionId": 7}, ("7", Stage.STARTED, None)),
        (
            "ocpp1.6",
            "StartTransaction",
            {"idTag": "A"},
            {"transactionId": 7},
            ("7", Stage.STARTED, "A"),
        ),
        ("ocpp1.6", "MeterValues", {"transactionId": 7}, {}, ("7", Stage.RUNNING, None)),
        ("ocpp1.6", "MeterValues", {"transactionId": 0}, {}, None),
        ("ocpp1.6", "MeterValues", {"transactionId": -1}, {}, None),
        ("ocpp1.6", "MeterValues", {}, {}, None),
        ("ocpp1.6", "StopTransaction", {"transactionId": "7"}, {}, ("7", Stage.ENDED, None)),
    ],
)
def test_which_calls_of_16_tell_of_a_transaction(
    protocol: str, action: str, payload: object, answer: object, expected: object
) -> None:
    found = news(protocol, action, payload, answer)

    assert (None if found is None else found[:3]) == expected


@pytest.mark.parametrize("protocol", ["ocpp2.0.1", "ocpp2.1"])
def test_which_events_tell_of_a_transaction(protocol: str) -> None:
    def told(kind: str, reference: object = "t", **more: object) -> TransactionNews | None:
        info = {"transactionId": reference}
        event = {"eventType": kind, "transactionInfo": info, **more}
        return news(protocol, "TransactionEvent", event)

    assert told("Started") == TransactionNews("t", Stage.STARTED)
    assert told("Updated", "x" * 36) == TransactionNews("x" * 36, Stage.RUNNING)
    assert told("Ended") == TransactionNews("t", Stage.ENDED)
    assert told("Ended", "x" * 37) is None
    assert told("Ended", "") is None
    assert told("Ended", offline=True) is None
    assert told("Paused") is None


def words_of(text: str) -> str | None:
    tariff, problems = read_tariff_file(
        f"tariff: day\ncurrency: EUR\nvat: 19 %\n{text}", "day.yaml"
    )
    assert tariff is not None, problems
    return tariff_words(tariff)


PLAIN = "elements:\n  - {energy: 0.40 per kWh, flat: 1.00}\n"


def test_a_plain_tariff_has_words_and_what_has_more_to_it_none() -> None:
    words = words_of(PLAIN)

    assert words is not None
    assert "0.40 EUR/kWh" in words
    assert "19 % VAT" in words
    assert words_of(f"{PLAIN}min_price: 1.00\n") is None
    assert words_of(f"{PLAIN}max_price: 9.00\n") is None
    grace = "adjustments:\n  - {allowance: all, free: [energy], kwh_max: 5, shared_by: everybody}\n"
    assert words_of(PLAIN + grace) is None
    assert words_of(PLAIN + "  - {energy: 0.40 per kWh, flat: 1.00}\n" * 20) is None


def test_whom_a_tariff_is_told_to_is_cut_out_of_the_log() -> None:
    assert WORDS["ocpp1.6"].tariff is not None
    call = WORDS["ocpp1.6"].tariff("04A1B2C3", "0.40 EUR/kWh")
    payload = encode(call.payload).decode()

    check_command("ocpp1.6", call.action, payload)
    (cut,) = cuts_in(sent("ocpp1.6", call).frame)
    assert cut.holder is not None
    assert cut.holder.spelt == "04A1B2C3"
    assert translate(sent("ocpp1.6", call), position=0, line=0) == []
