"""Counted in chapters or as a whole: every station and day has the same energy, whatever comes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.facts.station_facts import StationFact
from ledger.facts.station_traits import StationTraits
from ledger.sessions.segments import is_without_id
from ledger.sessions.station_fold import fold_station
from ledger.sessions.told import told
from projections.balances.station_energy import DayEnergy, station_energy
from projections.energy.carried import Carried, FactRow
from projections.energy.chapters import Chapter, recounted
from tests.projections.energy.station_histories import STATION, histories
from tests.station_story import AC, Story16, sessions_of


class Shelf:
    """The rows of one station's facts, and its chapters, as the tables hold them."""

    def __init__(self, traits: StationTraits = AC, *, sessions_min: int = 2) -> None:
        self.traits, self.sessions_min = traits, sessions_min
        self.rows: list[FactRow] = []
        self.chapters: list[Chapter] = []
        self.reached_back = 0

    def add(self, facts: Sequence[StationFact]) -> None:
        """Store what one transaction of the worker brings, and count."""
        by_reference: defaultdict[str, list[StationFact]] = defaultdict(list)
        for fact in facts:
            by_reference[getattr(fact, "transaction_ref", None) or ""].append(fact)
        self.rows += [FactRow(key, some[-1].position, some) for key, some in by_reference.items()]
        settled = [(each.number, each.later) for each in self.chapters if each.later][::-1]
        found = recounted(
            STATION, self.read, self.traits, settled, first=lambda _: (),
            sessions_min=self.sessions_min,
        )  # fmt: skip
        self.reached_back += found.begins <= len(settled)
        self.chapters = self.chapters[: found.begins - 1] + found.chapters

    def read(self, carried: Carried | None) -> list[FactRow] | None:
        if carried is None:
            return self.rows
        early = {row.transaction_ref for row in self.rows if row.position < carried.position}
        rows = [row for row in self.rows if row.position >= carried.position]
        if any(
            row.transaction_ref in early for row in rows if not is_without_id(row.transaction_ref)
        ):
            return None
        return rows + [
            row
            for row in self.rows
            if row.position < carried.position
            and is_without_id(row.transaction_ref)
            and any(fact.received_at >= carried.read_since for fact in row.facts)
        ]

    def days(self) -> dict[date, dict[str, object]]:
        return summed(day for chapter in self.chapters for day in chapter.days)

    def whole(self) -> dict[date, dict[str, object]]:
        facts = [fact for row in self.rows for fact in row.facts]
        fold = fold_station(STATION, told(facts), self.traits)
        return summed(station_energy(facts, sessions_of(fold), self.traits))


def summed(days: object) -> dict[date, dict[str, object]]:
    """Return days by date, those of one date added up; energies that are 0 left out."""
    found: defaultdict[date, Counter[str]] = defaultdict(Counter)
    for day in days:  # type: ignore[attr-defined]
        assert isinstance(day, DayEnergy)
        counter = found[day.day]
        for name in ("metered_wh", "taken_wh", "unattributed_wh"):
            counter[name] += getattr(day, name)
        for name in ("sessions", "shared"):
            for session_id, energy in getattr(day, name).items():
                counter[f"{name} {session_id}"] += energy
    return {
        key: {name: value for name, value in counter.items() if value}
        for key, counter in sorted(found.items())
        if any(counter.values())
    }


def numbered(facts: Sequence[StationFact], record: int) -> list[StationFact]:
    """Return *facts* as the lines of records of so many lines."""
    return [
        msgspec.structs.replace(fact, position=number // record, line=number % record)
        for number, fact in enumerate(facts)
    ]


@settings(deadline=None, max_examples=200)
@given(said=histories(), record=st.integers(1, 3), often=st.integers(1, 9))
def test_chapters_are_the_whole_after_each_group(
    said: list[StationFact], record: int, often: int
) -> None:
    shelf, facts = Shelf(), numbered(said, record)
    begin = 0
    for number in range(1, len(facts) + 1):
        is_border = number == len(facts) or facts[number].position > facts[number - 1].position
        if is_border and (number % often == 0 or number == len(facts)):
            shelf.add(facts[begin:number])
            begin = number
            assert shelf.days() == shelf.whole()


def test_a_station_that_rests_is_settled_and_looked_at_no_more() -> None:
    story = Story16()
    for number in range(60):
        story.start(300 * number, 1000 * number, tx=number)
        story.stop(300 * number + 60, 1000 * number + 800, tx=number)
    shelf = Shelf(sessions_min=4)
    read = []
    facts = story.facts()
    for begin in range(0, len(facts), 2):
        shelf.add(facts[begin : begin + 2])
        settled = [each.later for each in shelf.chapters if each.later]
        read.append(len(shelf.read(settled[-1] if settled else None) or ()))

    assert shelf.days() == shelf.whole()
    assert shelf.reached_back == 0
    assert len(shelf.chapters) == 15
    assert max(read) <= 10
