"""A record is tried with some of its lines until those are known that raise, and nothing stays."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from ledger.asides.aside import Aside, AsideStep
from ledger.asides.stored import count_asides, store_asides
from ledger.asides.trial import RecordTrial
from ledger.database import connect
from ledger.log.envelope import Choice, Connection, LogLine, Tick, encode_line
from ledger.log.event_log import Record

AT = 7
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
TICK = Tick(received_at=NOW)


def said(station: str) -> LogLine:
    """Return a line of a station; what it says does not matter here."""
    return Connection(received_at=NOW, station=station, protocol="p", epoch=1, is_open=True)


def aside(line: int, station_id: str = "", step: AsideStep = AsideStep.TAKE) -> Aside:
    return Aside(AT, line, station_id, AT, step, "before")


class Takers:
    """Opens takers of a record, each with its asides; *fails* says with which of them one raises.

    It is told the lines that count and the stations whose sessions the tick decides.
    """

    stations: Collection[str] = ("B", "A", "C")

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        lines: Sequence[LogLine | bytes],
        fails: Callable[[set[int], set[str]], Exception | None],
    ) -> None:
        self.connection, self.lines, self.fails = connection, lines, fails
        self.trials = list[bool]()
        self.stored = 0
        self.taken = set[tuple[tuple[int, ...], bool]]()

    def open(self, asides: Mapping[int, Sequence[Aside]], *, is_trial: bool) -> Taker:
        self.trials.append(is_trial)
        return Taker(self, asides[AT])

    def culprits(self, *known: Aside) -> list[tuple[int, str, AsideStep, str]]:
        """Return what a trial finds, without the place of the record."""
        lines = [each if isinstance(each, bytes) else encode_line(each) for each in self.lines]
        record = Record(0, AT, b"\n".join(lines) + b"\n")
        trial = RecordTrial(self.connection, record, self.open, {AT: known})
        found = trial.culprits()
        assert self.taken == {((AT,), False)}, "this one record, and none after it"
        assert {(each.position, each.at) for each in found} == {(AT, AT)}
        return [(each.line, each.station_id, each.step, each.why) for each in found]


class Taker:
    """Takes the record without *asides*."""

    def __init__(self, takers: Takers, asides: Sequence[Aside]) -> None:
        self._takers, self.stations = takers, takers.stations
        own = [each for each in asides if each.position == AT]
        out = {each.line for each in own if each.step is not AsideStep.TIME_OUT}
        stalled = {each.station_id for each in asides if each.step is AsideStep.TIME_OUT}
        self._counting = {n for n in range(len(takers.lines)) if n not in out}
        self._timed = set(self.stations) - stalled

    def take(self, records: Sequence[Record], has_time: Callable[[], bool]) -> None:
        # What is asserted here would be taken for what the record raises.
        self._takers.taken.add((tuple(each.position for each in records), has_time()))
        # What it writes must be gone afterwards, whether it raises or not.
        store_asides(self._takers.connection, 0, [aside(99)], [])
        if error := self._takers.fails(self._counting, self._timed):
            raise error

    def store(self) -> None:
        self._takers.stored += 1


@pytest.fixture
def connection(database: str) -> Any:  # noqa: ANN401 - a generator of connections
    with connect(database) as connection:
        yield connection
        assert count_asides(connection) == 0


def test_the_lines_that_raise_are_named_with_their_stations_and_errors(
    connection: psycopg.Connection[Any],
) -> None:
    def fails(lines: set[int], _: set[str]) -> Exception | None:
        return ValueError("no") if lines & {1, 3} else None

    takers = Takers(connection, [said(name) for name in "ABCD"], fails)

    assert takers.culprits() == [
        (1, "B", AsideStep.TAKE, "ValueError: no"),
        (3, "D", AsideStep.TAKE, "ValueError: no"),
    ]
    assert set(takers.trials) == {True}, "no line is a tick: it minds none"
    assert takers.stored, "what follows is written, too: that may raise"


def test_what_is_known_is_left_out_from_the_first_try_on(
    connection: psycopg.Connection[Any],
) -> None:
    def fails(lines: set[int], _: set[str]) -> Exception | None:
        return ValueError("known") if 1 in lines else ValueError("no") if 2 in lines else None

    takers = Takers(connection, [said(name) for name in "ABC"], fails)
    elsewhere = Aside(AT - 1, 2, "C", AT, AsideStep.FOLD, "of an earlier record's line 2")

    assert takers.culprits(aside(1, "B"), elsewhere) == [(2, "C", AsideStep.TAKE, "ValueError: no")]


def test_a_line_that_names_no_station_or_cannot_be_read_is_one_of_none(
    connection: psycopg.Connection[Any],
) -> None:
    def fails(lines: set[int], _: set[str]) -> Exception | None:
        return ValueError("no") if lines else None

    takers = Takers(connection, [said("A"), b"{", TICK], fails)
    takers.stations = ()

    assert [each[:3] for each in takers.culprits()] == [
        (0, "A", AsideStep.TAKE),
        (1, "", AsideStep.TAKE),
        (2, "", AsideStep.TAKE),
    ]


def test_of_a_tick_the_stations_are_found_for_which_it_raises(
    connection: psycopg.Connection[Any],
) -> None:
    def fails(lines: set[int], stations: set[str]) -> Exception | None:
        if 0 in lines:
            return ValueError("a line of its own")
        return KeyError("B") if 1 in lines and "B" in stations else None

    takers = Takers(connection, [said("D"), TICK, said("D")], fails)

    assert takers.culprits() == [
        (0, "D", AsideStep.TAKE, "ValueError: a line of its own"),
        (1, "B", AsideStep.TIME_OUT, "KeyError: 'B'"),
    ]
    assert set(takers.trials) == {False}, "it must mind the tick"


def test_a_tick_that_raises_for_no_station_is_set_aside_itself(
    connection: psycopg.Connection[Any],
) -> None:
    def fails(lines: set[int], _: set[str]) -> Exception | None:
        return ValueError("of itself") if 0 in lines else None

    takers = Takers(connection, [TICK, said("A")], fails)
    takers.stations = ()

    assert takers.culprits() == [(0, "", AsideStep.TAKE, "ValueError: of itself")]


@pytest.mark.parametrize(
    "error", [psycopg.OperationalError("the server is away"), OSError("no network")]
)
def test_what_is_no_content_s_fault_ends_the_trial(
    connection: psycopg.Connection[Any], error: Exception
) -> None:
    takers = Takers(connection, [said("A"), said("B")], lambda _, __: error)

    with pytest.raises(type(error)):
        takers.culprits()


def test_a_choice_is_named_with_its_station(connection: psycopg.Connection[Any]) -> None:
    choice = Choice(
        received_at=NOW, station="E", session_id="E/1", choice="release", by="ann", reason="so"
    )
    takers = Takers(connection, [choice], lambda lines, _: ValueError("no") if lines else None)

    assert takers.culprits() == [(0, "E", AsideStep.TAKE, "ValueError: no")]
