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
from tests.station_story import AC, Story16, sessions_of, wh


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


def settled_story(number: int = 8) -> Story16:
    """Return visits at connector 1, five hours apart, by which chapters are settled."""
    story = Story16()
    for each in range(number):
        story.start(300 * each, 10_000 + 1_000 * each, tx=each)
        story.stop(300 * each + 60, 10_600 + 1_000 * each, tx=each)
    return story


def counted_in(story: Story16, *, frames: int = 1) -> Shelf:
    """Return the shelf that was given so many frames of *story* at a time, right each time."""
    shelf, facts = Shelf(), story.facts()
    for begin in range(0, len(facts), frames):
        shelf.add(facts[begin : begin + frames])
        assert shelf.days() == shelf.whole()
    return shelf


def test_a_session_that_is_told_late_opens_what_is_settled_around_it() -> None:
    story = settled_story()
    story.start(700, 12_700, tx=90, received=3_000)
    story.stop(800, 12_900, tx=90, received=3_001)

    assert counted_in(story, frames=2).reached_back >= 1


def test_a_reading_that_is_told_late_opens_what_is_settled_before_it() -> None:
    story = settled_story()
    story.sample(900 - 30, wh(12_800), tx=None, received=3_000)

    assert counted_in(story).reached_back == 1


def test_what_is_read_in_the_moment_of_a_stop_is_settled_with_none_of_its_sides() -> None:
    story = settled_story(7)
    story.start(2_700, 50_000, tx=80, place=2)
    story.stop(2_701, 50_000, tx=80, place=2)
    story.sample(2_701, wh(59_000), tx=None, place=2)
    story.sample(2_731, wh(0), tx=None, place=2)
    story.start(2_731, 50_000, tx=81, place=2)

    counted_in(story)


def test_a_session_that_has_a_part_of_a_settled_register_opens_it() -> None:
    story = settled_story()
    for each in (10, 11, 12):
        story.start(300 * each, 50_000 + 1_000 * each, tx=each, place=2)
        story.stop(300 * each + 60, 50_600 + 1_000 * each, tx=each)
    story.start(4_600, 17_300, tx=90)
    story.stop(4_660, 18_000, tx=90)

    assert counted_in(story, frames=2).reached_back >= 1


def test_a_place_whose_last_session_has_no_stop_is_not_settled_after_it() -> None:
    story = Story16()
    story.start(0, 50_000, tx=80, place=2)
    for each in range(1, 6):
        story.start(300 * each, 10_000 + 1_000 * each, tx=each)
        story.stop(300 * each + 60, 10_600 + 1_000 * each, tx=each)

    assert len(counted_in(story).chapters) == 1


def test_a_reading_of_nobody_s_is_held_against_the_next_session_however_late_that_is() -> None:
    story = settled_story()
    story.sample(7 * 300 + 100, wh(17_650), tx=None)
    for each in range(20, 26):  # at another connector, for days
        story.start(300 * each, 50_000 + 1_000 * each, tx=each, place=2)
        story.stop(300 * each + 60, 50_600 + 1_000 * each, tx=each)
    story.start(8_000, 17_620, tx=99)  # the reading was a spike
    story.stop(8_060, 18_000, tx=99)

    assert len(counted_in(story, frames=2).chapters) > 3


def test_a_last_session_whose_register_fell_is_not_settled_after() -> None:
    story = settled_story()
    story.start(2_400, 100, tx=90)
    story.stop(2_460, 500, tx=90)
    settled = len(counted_in(story).chapters)
    story.start(2_800, 20_000, tx=91)
    story.stop(2_860, 21_000, tx=91)

    assert len(counted_in(story).chapters) <= settled + 1
