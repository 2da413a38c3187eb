"""Quirks of the field notes (section 1) about words, types and tokens: one test each."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from ledger.facts.flags import Flag
from ledger.facts.token_uid import TokenHabits
from tests.station_story import Story16, Story201, at, issue_frames, stamp, wh

BOTH = pytest.mark.parametrize("version", [Story16, Story201], ids=["1.6", "2.0.1"])
Version = type[Story16] | type[Story201]


@BOTH
def test_quirk_29_unknown_words_are_flagged_and_change_no_energy(version: Version) -> None:
    story = version()
    story.start(0, 1000)
    story.sample(
        30,
        wh(3000),
        {"value": "9", "measurand": "Request.Energy"},
        {"value": "50", "measurand": "Frequency", "unit": "Hz"},
    )
    story.sample(40, wh(4000, unit="Faults"))
    story.sample(50, wh(5000, context="Sample.Odd", phase="L9"))
    story.stop(60, 6000)

    session = story.session()

    assert set(session.flags) >= {Flag.ENUM_UNKNOWN, Flag.UNIT_UNKNOWN}
    assert session.blockers == ()
    assert session.energy_wh == Decimal(5000)
    assert session.points[1].energy_wh == Decimal(2000)


def test_quirk_29_integers_for_texts_and_texts_for_integers_are_read() -> None:
    story = Story16()
    text = json.dumps(
        [
            2,
            17,
            "StartTransaction",
            {
                "connectorId": "1",
                "idTag": 1234,
                "meterStart": "1000.0",
                "timestamp": stamp(0),
                "extra": {"deep": [1, 2]},
            },
        ]
    )
    story.log(text, 0, reply='[3,17,{"transactionId":1}]')
    story.stop(60, "6000", tx="1")

    session = story.session()

    assert (session.evse_id, session.token_uid) == (1, "1234")
    assert session.energy_wh == Decimal(5000)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "[]",
        "{}",
        "[2]",
        '[2,"1"]',
        '[2,"1","StopTransaction"]',
        '[2,"1","StopTransaction",[]]',
        '[2,"1","StopTransaction",{"transactionId":{},"meterStop":[],"timestamp":7}]',
        '[2,"1","MeterValues",{"connectorId":1,"meterValue":{"sampledValue":7}}]',
        '[2,"1","MeterValues",{"connectorId":1,"meterValue":[{"sampledValue":[{"value":NaN}]}]}]',
        '[2,"1","TransactionEvent",{}]',
        '[2,"1","TransactionEvent",{"transactionInfo":{"transactionId":"T"},"eventType":"Odd"}]',
        '[2,"1",["StopTransaction"],{}]',
        '[2,"1","MeterValues",' + "[" * 5000 + "]" * 5000 + "]",
        '[4,"1","InternalError","",{}]',
    ],
)
@BOTH
def test_quirk_29_any_text_is_translated_and_folded_without_an_error(
    version: Version, text: str
) -> None:
    story = version()
    story.start(0, 1000)
    story.log(text, 30)
    story.stop(60, 6000)

    billed = next(s for s in story.sessions() if s.started_at == at(0))

    assert billed.energy_wh == Decimal(5000)


def test_quirk_29_an_object_where_a_list_belongs_is_flagged_and_read() -> None:
    story = Story16()
    story.start(0, 1000)
    values = {"timestamp": stamp(30), "sampledValue": wh(3000)}
    story.send("MeterValues", {"connectorId": 1, "transactionId": 1, "meterValue": values}, 30)

    session = story.session()

    assert session.energy_wh == Decimal(2000)
    assert session.flags == (Flag.MALFORMED_FRAME,)


def test_quirk_29_the_quoted_error_code_that_nobody_knows() -> None:
    (text,) = issue_frames("lbbrhzn/ocpp/issues/1248")
    story = Story16()
    story.log(text, 0)
    (fact,) = story.facts()

    assert fact.oddities == (Flag.ENUM_UNKNOWN,)


@BOTH
@pytest.mark.parametrize("token", ["tag-1", " TAG-1 ", "Tag-1"])
def test_quirk_30_a_token_is_the_same_in_any_case_and_with_blanks(
    version: Version, token: str
) -> None:
    story = version()
    story.start(0, 1000, token=token)
    story.stop(60, 6000)

    session = story.session()

    assert session.token_uid == "tag-1"
    assert session.flags == ((Flag.TOKEN_ODD,) if token != token.strip() else ())


def test_quirk_30_what_a_model_puts_between_the_digits_can_be_declared() -> None:
    story = Story16(habits=TokenHabits(":- "))
    story.start(0, 1000, token="20:69:C0:21")
    story.stop(60, 6000, idTag="20 69 c0-21")

    session = story.session()

    assert session.token_uid == "2069c021"
    assert session.flags == ()


def test_quirk_30_a_token_longer_than_the_standard_is_kept_whole() -> None:
    story = Story16()
    story.start(0, 1000, token="12345678_SERIAL-0000001")
    odd: Any = story.session()

    assert odd.token_uid == "12345678_serial-0000001"
    assert odd.flags == (Flag.TOKEN_ODD,)


def test_quirk_30_what_a_model_appends_can_be_declared() -> None:
    story = Story16(habits=TokenHabits(suffix_from="_SERIAL"))
    story.start(0, 1000, token="12345678_SERIAL-0000001")
    story.stop(60, 6000, idTag="12345678_serial-0000002")

    session = story.session()

    assert (session.token_uid, session.flags) == ("12345678", (Flag.TOKEN_ODD,))


def test_quirk_30_the_quoted_token_with_colons() -> None:
    (text,) = issue_frames("mobilityhouse/ocpp/issues/186")
    story = Story16(habits=TokenHabits(":"))
    story.log(text, -2_600_000, reply='[3,"0809558",{"transactionId":5}]')

    assert story.session().token_uid == "2069c021"
