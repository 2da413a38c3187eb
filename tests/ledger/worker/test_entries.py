"""What a record says, line by line, with lines of it set aside or taken again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import psycopg
import pytest

from ingest.facts.translate import translate
from ledger.asides.aside import Aside, AsideStep
from ledger.asides.stored import Taken, store_asides
from ledger.facts.station_facts import SessionStarted
from ledger.log.envelope import (
    Declared,
    LogLine,
    PartnerMessage,
    TakeAgain,
    Tick,
    Validation,
    encode_line,
)
from ledger.log.event_log import Record
from ledger.worker.entries import Entry, EntryReader, Translate
from tests.charging_day import at, choose, start16

STATION = "CS-OLD-1"
START = start16(STATION, 1, 11, "FLEET1", 1000)[2]
TICK = Tick(received_at=at(5))
PARTNER = PartnerMessage(received_at=at(90), party="NL-TNM", what="cdrs", body="[]")
CODE = Validation(received_at=at(7), station=STATION, code="STAMP", by="desk", token="fleet1")
NOW = 9


def version(number: int, minutes: float = 3) -> Declared:
    return Declared(received_at=at(minutes), version=number)


def again(line: int, *, position: int = 4, station: str = STATION) -> TakeAgain:
    return TakeAgain(received_at=at(60), station=station, position=position, line=line, by="ann")


def record(position: int, *lines: LogLine | bytes) -> Record:
    texts = [each if isinstance(each, bytes) else encode_line(each).rstrip(b"\n") for each in lines]
    return Record(0, position, b"\n".join(texts) + b"\n")


OLD = record(4, START, b"{no json", TICK, version(7), CODE, choose("S/1", "release", 8)[2])


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database) as connection:
        connection.execute("SET search_path = books, inputs")
        yield connection


def aside(line: int, step: AsideStep, *, position: int = NOW, station: str = STATION) -> Aside:
    return Aside(position, line, station, NOW, step, "why")


def read(
    connection: psycopg.Connection[Any],
    *lines: LogLine | bytes,
    asides: Mapping[int, Sequence[Aside]] | None = None,
    old: Record | None = OLD,
    translate: Translate = translate,
) -> Entry:
    reader = EntryReader(
        connection,
        0,
        translate,
        asides=asides or {},
        record_at=lambda position: old if old and old.position == position else None,
    )
    return reader.read(record(NOW, *lines))


def test_each_line_says_what_it_says(connection: psycopg.Connection[Any]) -> None:
    entry = read(connection, START, version(8), TICK, version(7), CODE, PARTNER)

    assert (entry.lines, entry.version, entry.tick) == (6, 8, at(5))
    assert entry.validations == [(4, CODE)]
    assert [(type(fact), fact.position, fact.line) for fact in entry.facts] == [
        (SessionStarted, NOW, 0)
    ]
    assert entry.at == at(7), "what a partner says moves no decision's moment"
    assert not entry.is_alone
    assert (entry.asides, entry.set_aside) == ([], [])


@pytest.mark.parametrize(
    ("asides", "has_fact", "has_tick"),
    [
        pytest.param([aside(0, AsideStep.TAKE)], False, True, id="its own line"),
        pytest.param([aside(1, AsideStep.TAKE)], True, False, id="a tick that nobody takes"),
        pytest.param([aside(1, AsideStep.TIME_OUT)], True, True, id="a tick for one station"),
        pytest.param(
            [aside(0, AsideStep.FOLD, position=4)], True, True, id="a line of an earlier record"
        ),
        pytest.param([], True, True, id="none"),
    ],
)
def test_what_is_set_aside_at_a_record_says_nothing_and_is_counted(
    connection: psycopg.Connection[Any], asides: list[Aside], *, has_fact: bool, has_tick: bool
) -> None:
    entry = read(connection, START, TICK, asides={NOW: asides, 4: [aside(0, AsideStep.TAKE)]})

    assert bool(entry.facts) is has_fact
    assert (entry.tick is not None) is has_tick
    assert entry.at == at(5), "it came all the same"
    assert entry.asides == asides
    assert entry.set_aside == [(each.station_id, str(each.step)) for each in asides]


def test_a_line_that_nobody_can_read_is_set_aside_once(connection: psycopg.Connection[Any]) -> None:
    unreadable = aside(0, AsideStep.READ, station="")

    found = read(connection, b"{no json")
    known = read(connection, b"{no json", asides={NOW: [unreadable]})

    [raised] = found.asides
    assert raised == unreadable._replace(why="the line is none of ours")
    assert found.set_aside == [("", "line_unreadable")]
    assert known.asides == [unreadable]


def fails(*_: object, **__: object) -> Any:  # noqa: ANN401 - nothing comes of it
    raise ZeroDivisionError


def test_a_frame_that_cannot_be_translated_is_set_aside(
    connection: psycopg.Connection[Any],
) -> None:
    entry = read(connection, TICK, START, translate=fails)
    again = taken_again(connection, 0, AsideStep.TAKE, translate=fails)

    why = "ZeroDivisionError: "
    assert entry.asides == [Aside(NOW, 1, STATION, NOW, AsideStep.TRANSLATE, why)]
    assert entry.set_aside == [(STATION, "not_translated")]
    assert (entry.tick, entry.lines) == (at(5), 2)
    assert again.asides == [Aside(4, 0, STATION, NOW, AsideStep.TRANSLATE, why)]


def taken_again(
    connection: psycopg.Connection[Any],
    line: int,
    step: AsideStep,
    **more: Any,  # noqa: ANN401 - handed on
) -> Entry:
    """Return what a record says that takes a line of OLD again, which was set aside so."""
    station = more.pop("station", STATION)
    store_asides(connection, 0, [Aside(4, line, station, 4, step, "why")], [])
    return read(connection, again(line, station=station), **more)


def test_a_frame_that_is_taken_again_says_its_facts_here(
    connection: psycopg.Connection[Any],
) -> None:
    entry = taken_again(connection, 0, AsideStep.TRANSLATE)

    assert entry.is_alone
    assert entry.taken == [Taken(4, 0, STATION, NOW)]
    assert entry.again == {(4, 0)}
    assert [(fact.position, fact.line) for fact in entry.facts] == [(4, 0)]
    assert entry.set_aside == []


def test_other_lines_that_are_taken_again_say_what_they_say(
    connection: psycopg.Connection[Any],
) -> None:
    entries = [taken_again(connection, line, AsideStep.TAKE) for line in (2, 3, 4, 5)]

    assert [entry.tick for entry in entries] == [at(60), None, None, None]
    assert [entry.version for entry in entries] == [None, 7, None, None]
    assert entries[2].validations == [(4, CODE)]
    assert len(entries[3].choices) == 1
    assert all(not entry.again and not entry.facts for entry in entries)


def test_a_station_whose_time_outs_failed_is_decided_by_time_again(
    connection: psycopg.Connection[Any],
) -> None:
    entry = taken_again(connection, 2, AsideStep.TIME_OUT)

    assert entry.resumed == {STATION}
    assert entry.tick is None
    assert entry.taken == [Taken(4, 2, STATION, NOW)]


def test_a_line_that_still_cannot_be_read_is_set_aside_anew(
    connection: psycopg.Connection[Any],
) -> None:
    entry = taken_again(connection, 1, AsideStep.READ, station="")

    assert entry.asides == [Aside(4, 1, "", NOW, AsideStep.READ, "the line is none of ours")]
    assert entry.set_aside == [("", "line_unreadable")]


def test_what_is_known_to_raise_again_is_not_tried(connection: psycopg.Connection[Any]) -> None:
    known = Aside(4, 0, STATION, NOW, AsideStep.TAKE, "why")
    entry = taken_again(connection, 0, AsideStep.TAKE, asides={NOW: [known]})

    assert entry.facts == []
    assert entry.again == set()
    assert entry.taken == [Taken(4, 0, STATION, NOW)]


@pytest.mark.parametrize(
    ("line", "old"),
    [
        pytest.param(3, OLD, id="a line that is not set aside"),
        pytest.param(0, None, id="no record"),
    ],
)
def test_what_is_not_there_is_taken_again_for_nothing(
    connection: psycopg.Connection[Any], line: int, old: Record | None
) -> None:
    store_asides(connection, 0, [Aside(4, 0, STATION, 4, AsideStep.TRANSLATE, "why")], [])

    entry = read(connection, again(line), old=old)

    assert entry.set_aside == [(STATION, "taken_again_for_nothing")]
    assert entry.is_alone
    assert entry.taken == []
    assert entry.version is None
