"""Trying a record with some of its lines, to find those that it raises with."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

from psycopg import Connection

from ledger.asides.aside import Aside, AsideStep, why_of
from ledger.asides.culprits import culprits
from ledger.database import is_of_content
from ledger.log.envelope import LogLine, Tick
from ledger.log.event_log import Record
from ledger.log.reading import numbered_lines


class Tried(Protocol):
    """A partition's worker that begins where its tables stand."""

    @property
    def stations(self) -> Collection[str]:
        """The stations whose sessions a tick may decide."""

    def take(self, records: Sequence[Record], has_time: Callable[[], bool]) -> None:
        """Work through a record."""

    def store(self) -> None:
        """Write what follows."""


class OpenTrial(Protocol):
    """Opens the partition to take a record without some lines."""

    def __call__(self, asides: Mapping[int, Sequence[Aside]], *, is_trial: bool) -> Tried:
        """Return a worker that sets *asides* aside; *is_trial*: that minds no ticks."""


class RecordTrial:
    """Takes one record again and again, with other lines left out, and writes nothing.

    What is left out is what a replay leaves out: the decisions are those of a record without it.
    """

    def __init__(
        self,
        connection: Connection[Any],
        record: Record,
        reopen: OpenTrial,
        known: Mapping[int, Sequence[Aside]],
    ) -> None:
        """Begin with the asides that are *known* already."""
        self._connection, self._record, self._reopen = connection, record, reopen
        self._known = list(known.get(record.position, ()))
        out = {each.line for each in self._known if each.position == record.position}
        lines = numbered_lines(record.payload)
        self._lines: dict[int, LogLine | None] = {n: line for n, line in lines if n not in out}
        self._has_tick = any(type(line) is Tick for line in self._lines.values())

    def culprits(self) -> list[Aside]:
        """Return which lines raise, in their order. Of a tick it is the sessions of a station."""
        found = culprits(list(self._lines), self._raised_with)
        asides: list[Aside] = []
        ticks: list[tuple[int, Exception]] = []
        for index, error in found:
            line = self._lines[index]
            if type(line) is Tick:
                ticks.append((index, error))
            else:
                station_id = getattr(line, "station", "")
                asides.append(self._aside(index, station_id, AsideStep.TAKE, error))
        for index, error in ticks:
            asides += self._timed_out(index, error, asides)
        return asides

    def _aside(self, line: int, station_id: str, step: AsideStep, error: Exception) -> Aside:
        at = self._record.position
        return Aside(at, line, station_id, at, step, why_of(error))

    def _timed_out(self, tick: int, error: Exception, found: Sequence[Aside]) -> list[Aside]:
        """Return for which stations a tick raises; for none: the tick itself."""
        stations = sorted(self._opened(found).stations)

        def raised(some: Sequence[str]) -> Exception | None:
            kept = set(some)
            others = [each for each in stations if each not in kept]
            stalled = [self._aside(tick, each, AsideStep.TIME_OUT, error) for each in others]
            return self._raised([*found, *stalled])

        asides = [
            self._aside(tick, station_id, AsideStep.TIME_OUT, why)
            for station_id, why in culprits(stations, raised)
        ]
        return asides or [self._aside(tick, "", AsideStep.TAKE, error)]

    def _raised_with(self, kept: Sequence[int]) -> Exception | None:
        """Take the record with the lines *kept* alone; return what was raised."""
        some, why = set(kept), Exception()
        out = [self._aside(n, "", AsideStep.TAKE, why) for n in self._lines if n not in some]
        return self._raised(out)

    def _raised(self, asides: Sequence[Aside]) -> Exception | None:
        try:
            with self._connection.transaction(force_rollback=True):
                partition = self._opened(asides)
                partition.take([self._record], lambda: False)
                partition.store()
        except Exception as error:
            if is_of_content(error):
                return error
            raise
        return None

    def _opened(self, asides: Sequence[Aside]) -> Tried:
        known = {self._record.position: [*self._known, *asides]}
        return self._reopen(known, is_trial=not self._has_tick)
