"""Facts and lines that were stored before they had all the fields that they have now."""

from __future__ import annotations

from typing import Any

import msgspec

from ledger.facts.station_facts import SessionUpdated, StationFact
from ledger.facts.stored import pack_facts, unpack_facts
from ledger.log.envelope import Frame, decode_lines, encode_line
from tests.quirks.signing import ocmf, reading, signed201
from tests.station_story import Story201, wh


def _story() -> Story201:
    story = Story201()
    record = ocmf(reading("C", "3.000", minute=30), ID="04A1B2C3")
    story.sample(30, signed201(wh(3000), record), reservationId=7)
    return story


def test_a_fact_keeps_what_was_signed_and_reads_without_it() -> None:
    [fact] = _story().facts()
    assert isinstance(fact, SessionUpdated)
    assert unpack_facts(pack_facts([fact])) == [fact]
    told: list[Any] = msgspec.to_builtins(fact)
    assert told.pop() == 7
    signed = told[told.index(msgspec.to_builtins(fact.signed))]
    assert signed[0].pop()["registers"][0]["value_wh"] == "3000"

    before = msgspec.convert(told, StationFact, strict=False)

    assert isinstance(before, SessionUpdated)
    assert before.reservation_id is None
    assert [each.record for each in before.signed] == [None]


def test_a_line_says_what_was_signed_and_nothing_where_nothing_was() -> None:
    [signed] = _story().frames
    [plain] = decode_lines(encode_line(signed).replace(b'"signed":[', b'"other":['))

    assert decode_lines(encode_line(signed)) == [signed]
    assert isinstance(plain, Frame)
    assert (len(signed.signed), plain.signed) == (1, ())
    assert b'"signed":' not in encode_line(plain)
