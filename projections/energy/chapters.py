"""A station's count in chapters: those that are settled, and the one that goes on.

What comes is counted with the open chapter alone. Where it bears on a settled one, that is opened
again with all after it: a frame that is dated years back has a station counted whole, once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from ledger.facts.station_traits import StationTraits
from projections.balances.station_energy import DayEnergy
from projections.energy.carried import Carried, FactRow
from projections.energy.part_count import PartCount, ReachesBackError, count_part
from projections.energy.settling import settled_at

SESSIONS_MIN: Final = 12
"""So many sessions make a chapter: more are folded again for each look, fewer fill the table."""


class Chapter(NamedTuple):
    """What a chapter was counted to; `later` is what the next goes on from, None: it is open."""

    number: int
    days: list[DayEnergy]
    later: Carried | None


class Recounted(NamedTuple):
    """The chapters from `begins` on, as they are now, and the count that they come from."""

    begins: int
    chapters: list[Chapter]
    counted: PartCount

    def chapter_at(self, reference: str, last_told_at: datetime) -> int:
        """Return in which of the chapters something rated is that no register tells of."""
        later = self.chapters[0].later
        if later is None:
            return self.begins
        told = [
            span.until
            for span in self.counted.spans
            if span.reference == reference and span.session_id is None
        ]
        until = told[0] if told and told[0] is not None else last_told_at
        return self.begins if until <= later.at else self.begins + 1


ReadRows = Callable[[Carried | None], Sequence[FactRow] | None]
"""Reads all rows since something was settled; None: they do not begin there."""


def recounted(
    station_id: str,
    read: ReadRows,
    traits: StationTraits,
    settled: Iterable[tuple[int, Carried]],
    *,
    first: Callable[[Sequence[FactRow]], Collection[str]],
    sessions_min: int = SESSIONS_MIN,
) -> Recounted:
    """Count a station on from the latest of the *settled* chapters that nothing reaches back of.

    Args:
        station_id: Which.
        read: Reads its facts.
        traits: Of the station, as all chapters were counted.
        settled: The chapters by number, the latest first, with what the next one goes on from.
        first: Says of rows which sessions have their part of a register before others.
        sessions_min: How many sessions make a chapter.
    """
    for begins, carried in _back_from(settled):
        rows = read(carried)
        if rows is None:
            continue
        try:
            counted = count_part(station_id, rows, traits, carried=carried, first=first(rows))
        except ReachesBackError:
            continue
        later = settled_at(counted, sessions_min=sessions_min)
        done, left = counted.days(later)
        chapters = [Chapter(begins, left, None)]
        if later is not None:
            chapters = [Chapter(begins, done, later), Chapter(begins + 1, left, None)]
        return Recounted(begins, chapters, counted)
    raise AssertionError  # the whole reaches back of nothing


def _back_from(settled: Iterable[tuple[int, Carried]]) -> Iterator[tuple[int, Carried | None]]:
    for number, carried in settled:
        yield number + 1, carried
    yield 1, None
