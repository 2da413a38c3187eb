"""What one record says, line by line: decoded and translated, without what is set aside in it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from psycopg import Connection

from ledger.asides.aside import Aside, AsideStep, why_of
from ledger.asides.stored import Taken, open_asides
from ledger.facts.station_facts import StationFact
from ledger.log.envelope import (
    ChargeOn,
    Choice,
    Declared,
    Frame,
    LogLine,
    PartnerMessage,
    PeriodMark,
    TakeAgain,
    Tick,
    Validation,
)
from ledger.log.event_log import Record, Stamp
from ledger.log.reading import numbered_lines
from ledger.sessions.segments import Source
from ledger.worker.session_rows import BEGINNING

logger = logging.getLogger(__name__)


class Translate(Protocol):
    """Says what a logged frame tells, as facts; knows the protocols, which the ledger does not."""

    def __call__(self, frame: Frame, *, position: int, line: int) -> Sequence[StationFact]:
        """Return the facts in *frame*, which stands at *line* of the record at *position*."""


@dataclass(slots=True)
class Entry:
    """What one record says. `at` is the latest time of receipt in it.

    `set_aside` counts lines that say nothing, `asides` name those that raise; `again` are lines
    of earlier records that it takes again, `resumed` stations that time decides again; then, and
    where there are `marks`, it `is_alone`, taken in a transaction of its own.
    """

    position: int
    at: datetime = BEGINNING
    facts: list[StationFact] = field(default_factory=list)
    choices: list[tuple[Source, Choice]] = field(default_factory=list)
    validations: list[tuple[int, Validation]] = field(default_factory=list)
    marks: list[PeriodMark] = field(default_factory=list)
    charges: list[ChargeOn] = field(default_factory=list)
    version: int | None = None
    tick: datetime | None = None
    lines: int = 0
    set_aside: list[tuple[str, str]] = field(default_factory=list)
    stamp: Stamp | None = None
    asides: list[Aside] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    again: set[Source] = field(default_factory=set)
    resumed: set[str] = field(default_factory=set)
    is_alone: bool = False


class EntryReader:
    """Reads records of one partition.

    Args:
        connection: To the books, which know what is set aside.
        partition: Whose records.
        translate: What a frame says.
        asides: What to set aside at which record, as was found out or recorded.
        record_at: Returns an earlier record, to take a line of it again.
    """

    def __init__(
        self,
        connection: Connection[Any],
        partition: int,
        translate: Translate,
        *,
        asides: Mapping[int, Sequence[Aside]],
        record_at: Callable[[int], Record | None],
    ) -> None:
        self._connection, self._partition = connection, partition
        self._translate, self._asides, self.record_at = translate, asides, record_at

    def read(self, record: Record) -> Entry:
        """Decode and translate one record; what says nothing is counted, never raised."""
        entry = Entry(record.position, stamp=record.stamp)
        asides = self._asides.get(record.position)
        left_out = self._leave_out(entry, asides) if asides else ()
        for index, line in numbered_lines(record.payload):
            entry.lines += 1
            if line is None:
                if index not in left_out:
                    self._raised(entry, index, "", AsideStep.READ, "the line is none of ours")
                continue
            if type(line) is PartnerMessage:
                continue  # it changes no session, so it moves no moment of a decision either
            entry.at = max(entry.at, line.received_at)
            if left_out and index in left_out:
                continue
            if type(line) is Frame:
                entry.facts += self._translated(line, entry, record.position, index)
            elif type(line) is Tick:
                entry.tick = line.received_at
            elif type(line) is TakeAgain:
                self._take_again(line, entry)
            else:
                _say(line, entry, (record.position, index))
        return entry

    def _leave_out(self, entry: Entry, asides: Sequence[Aside]) -> set[int]:
        """Note what is set aside at a record; return the lines of its own that say nothing then."""
        entry.asides += asides
        entry.set_aside += [(each.station_id, str(each.step)) for each in asides]
        return {
            each.line
            for each in asides
            if each.position == entry.position and each.step is not AsideStep.TIME_OUT
        }

    def _translated(
        self, frame: Frame, entry: Entry, position: int, line: int
    ) -> Sequence[StationFact]:
        try:
            return self._translate(frame, position=position, line=line)
        except Exception as error:
            # A frame must never stop the frames after it; it stays in the log to be looked at.
            logger.exception("frame %s/%s/%s not translated", self._partition, position, line)
            at = (entry, line, frame.station)
            self._raised(*at, AsideStep.TRANSLATE, why_of(error), position=position)
            return ()

    def _raised(
        self,
        entry: Entry,
        line: int,
        station_id: str,
        step: AsideStep,
        why: str,
        *,
        position: int | None = None,
    ) -> None:
        at = entry.position
        stands = at if position is None else position
        entry.asides.append(Aside(stands, line, station_id, at, step, why))
        entry.set_aside.append((station_id, str(step)))

    def _take_again(self, again: TakeAgain, entry: Entry) -> None:
        """Let a line that is set aside say with this record what it says."""
        entry.is_alone = True
        position, line = again.position, again.line
        opened = open_asides(self._connection, self._partition, position, line)
        step = dict(opened).get(again.station)
        record = self.record_at(position) if step is not None else None
        if step is None or record is None:
            entry.set_aside.append((again.station, "taken_again_for_nothing"))
            return
        entry.taken.append(Taken(position, line, again.station, entry.position))
        if step is AsideStep.TIME_OUT:
            entry.resumed.add(again.station)
            return
        if any((each.position, each.line) == (position, line) for each in entry.asides):
            return  # it raised again, and is set aside at this record
        found = dict(numbered_lines(record.payload)).get(line)
        if found is None:
            why = "the line is none of ours"
            self._raised(entry, line, "", AsideStep.READ, why, position=position)
        elif type(found) is Frame:
            entry.again.add((position, line))
            entry.facts += self._translated(found, entry, position, line)
        elif type(found) is Tick:
            entry.tick = entry.at
        else:
            if type(found) is Choice and found.attested is not None:
                entry.again.add((position, line))
            _say(found, entry, (position, line))


def _say(line: LogLine, entry: Entry, source: Source) -> None:
    """Add what the line at *source* says that is neither a frame nor a tick."""
    if type(line) is Declared:
        # One that is taken again may be older than what holds by now.
        entry.version = max(entry.version or 0, line.version)
    elif type(line) is Choice:
        entry.choices.append((source, line))
    elif type(line) is ChargeOn:
        entry.charges.append(line)
    elif type(line) is PeriodMark:
        entry.marks.append(line)
        entry.is_alone = True
    elif type(line) is Validation:
        entry.validations.append((source[1], line))
