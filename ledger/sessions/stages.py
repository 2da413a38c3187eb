"""The first three stages of a station's fold: whose a frame is, where windows lie, who takes what.

Each is a function of the stage before it. `ledger.sessions.station_fold` says why.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from heapq import heappop, heappush
from itertools import islice
from operator import attrgetter, itemgetter
from typing import Final, TypeVar

import msgspec
from msgspec.structs import replace

from ledger.facts.station_facts import (
    QueueReported,
    SessionEnded,
    SessionFact,
    SessionStarted,
    SessionUpdated,
)
from ledger.facts.station_traits import StationTraits
from ledger.layered import Layered
from ledger.meter.series import PowerLimit
from ledger.sessions.loose_frames import (
    SLACK,
    STOP_FITS_MAX,
    LooseFrame,
    SessionFrame,
    Window,
    fits,
    loose_frames_of,
    one_to_one,
    windows_of,
)
from ledger.sessions.overlap import REACH, is_told_again, overlapping
from ledger.sessions.reuse.run import split_segments
from ledger.sessions.segments import (
    Source,
    dated,
    place_of,
    rough_time,
    source_of,
)
from ledger.sessions.session_end import SAME_STOP
from ledger.sessions.told import SILENT, Settled, TransactionTold

WindowKey = tuple[str, datetime]
"""A transaction, and when the window of one of its sessions opens."""
Spot = tuple[datetime, WindowKey]
"""When a window opens, and which one: its place in the row."""


class Spoken(msgspec.Struct, frozen=True):
    """The first stage: what the frames of one transaction say by themselves.

    `windows` are those of its sessions, oldest first, without the next one's start; `own` are its
    facts but for those of sessions that are settled.
    """

    told: TransactionTold
    own: tuple[SessionFact | QueueReported, ...]
    loose: tuple[LooseFrame, ...]
    windows: tuple[Window, ...]
    settled: Settled | None

    @property
    def is_tail(self) -> bool:
        """Whether `own` are those of later sessions alone."""
        return self.settled is not None

    def window_of(self, at: datetime) -> Window | None:
        """Return the window of the session that what is dated *at* belongs to by its id."""
        return _last_before(at, self.windows) if self.windows else None


class Matched(msgspec.Struct, frozen=True):
    """The third stage: which windows each loose frame fits, which one takes it, what each took.

    `left` are those that none took, by what they name; `foreign` sessions with a frame that names
    their id, and a place that is not theirs.
    """

    fitting: Mapping[Source, tuple[WindowKey, ...]]
    takers: Mapping[Source, WindowKey | None]
    taken: Mapping[WindowKey, tuple[LooseFrame, ...]]
    left: Mapping[str, tuple[LooseFrame, ...]]
    foreign: frozenset[WindowKey]


class Opening(msgspec.Struct, frozen=True, gc=False):
    """Where a session began: from `starts_at` on frames with its id may be its own."""

    starts_at: datetime
    place: int | None


_STARTS_AT: Final = attrgetter("starts_at")
_Told = TypeVar("_Told", bound=SessionFact | QueueReported)
_Row = TypeVar("_Row", Window, Opening)
NOTHING_LOOSE: Final = Matched({}, {}, {}, {}, frozenset())


def speak(
    reference: str,
    told: TransactionTold,
    traits: StationTraits,
    last: Spoken | None,
    settled: Settled | None,
) -> Spoken:
    """First and second stage: sort the frames of one transaction, and lay its windows."""
    if told is SILENT and settled is not None:  # decided for good, as most of a station's are
        return Spoken(told, (), (), settled.windows, settled)
    starts = _unsettled(told.starts, settled, traits)
    known = settled.windows if settled else ()
    places = [
        *(Opening(window.starts_at, window.place) for window in known),
        *_openings(reference, starts, traits),
    ]

    def is_owned(fact: SessionFrame) -> bool:
        """A numbered event carries the station's own reference; others one that we gave."""
        if fact.seq_no is not None or not reference:
            return bool(reference)
        if not places:
            return False
        session = places[0] if len(places) == 1 else _last_before(rough_time(fact, traits), places)
        return session.place is None or place_of(fact) in (None, session.place)

    owned: Sequence[SessionUpdated] = told.updates
    stops: Sequence[SessionEnded] = told.ends
    loose: list[SessionFrame] = []
    if not reference or not _is_at_one_place(places, (*owned, *stops)):
        owned = [fact for fact in told.updates if is_owned(fact)]
        stops = [fact for fact in told.ends if is_owned(fact)]
        loose += [fact for fact in told.updates if not is_owned(fact)]
        loose += [fact for fact in told.ends if not is_owned(fact)]
    updates, ends = _unsettled(owned, settled, traits), _unsettled(stops, settled, traits)
    reports = _unsettled(told.reports, settled, traits)
    is_placed = all(each.place is not None for each in places)
    if last is not None and is_placed and _same_borders(last, told, settled):
        windows = last.windows  # a further reading moves no border
    else:
        borders: list[SessionFact] = [*starts, *ends]
        if not is_placed:
            borders += updates
        segments = split_segments(reference, borders, traits, is_tail=settled is not None)
        windows = (*known, *windows_of(segments, traits))
    frames = loose_frames_of(loose, traits, last.loose if last else ())
    return Spoken(told, (*starts, *updates, *ends, *reports), frames, windows, settled)


def _is_at_one_place(places: Sequence[Opening], frames: Iterable[SessionFrame]) -> bool:
    """Whether there is one session, as nearly always, and none of *frames* names another place."""
    if len(places) != 1:
        return False
    place = places[0].place
    return place is None or {None, place}.issuperset(map(place_of, frames))


def _unsettled(
    facts: Sequence[_Told], settled: Settled | None, traits: StationTraits
) -> Sequence[_Told]:
    """Return those of *facts* that are no settled session's."""
    if settled is None or not facts:
        return facts
    until = settled.until
    return [fact for fact in facts if until is not None and dated(fact, traits) >= until]


def _openings(
    reference: str, starts: Sequence[SessionStarted], traits: StationTraits
) -> list[Opening]:
    """Return when and where each session of *starts* begins, in order."""
    if len(starts) <= 1:
        return [Opening(rough_time(start, traits), place_of(start)) for start in starts]
    return [
        Opening(rough_time(segment.starts[0], traits), place_of(segment.starts[0]))
        for segment in split_segments(reference, starts, traits)
    ]


def _last_before(at: datetime, rows: Sequence[_Row]) -> _Row:
    """Return the last of *rows* (some) that begins not after *at*, the first one if all do."""
    return rows[max(bisect_right(rows, at, key=_STARTS_AT) - 1, 0)]


def _same_borders(last: Spoken, told: TransactionTold, settled: Settled | None) -> bool:
    return (
        last.settled is settled and last.told.starts is told.starts and last.told.ends is told.ends
    )


class Windows(msgspec.Struct, frozen=True):
    """The second stage: every window with the start of the next one at its place, and the rows.

    A row has the windows of one place in their order; `again` are those whose start looks as one
    that is told again beside it.
    """

    by_key: Layered[WindowKey, Window]
    rows: Mapping[int, Sequence[Spot]]
    again: frozenset[WindowKey] = frozenset()

    def relaid(self, gone: Iterable[Window], come: Iterable[Window]) -> tuple[Windows, set[str]]:
        """Return them with *come* in place of *gone*, and the transactions of those that moved."""
        came, went = _by_key(come), _by_key(gone)
        by_key = self.by_key.but(came, went.keys() - came.keys())
        rows: dict[int, list[Spot]] = {}
        touched: dict[int, list[Spot]] = {}
        for windows, is_here in ((went, False), (came, True)):
            for key, window in windows.items():
                place, spot = window.place, (window.starts_at, key)
                if place is None:
                    continue
                if place not in touched:
                    touched[place], rows[place] = [], [*self.rows.get(place, ())]
                index = bisect_left(rows[place], spot)
                rows[place][index : index + (not is_here)] = (spot,) if is_here else ()
                touched[place].append(spot)
        moved: set[str] = set()
        again = self.again - {key for key in self.again if key not in by_key}
        for place, spots in touched.items():
            row = rows[place]
            for spot in spots:
                index = bisect_left(row, spot)
                # Only what came has another next one than before, and what lies before a change.
                for at in range(max(index - 1, 0), min(index + 1, len(row))):
                    key, next_start_at = row[at][1], row[at + 1][0] if at + 1 < len(row) else None
                    if (window := by_key[key]).next_start_at != next_start_at:
                        by_key = by_key.but({key: replace(window, next_start_at=next_start_at)})
                        moved.add(key[0])
                told, untold = told_again_near(row, index, by_key)
                moved.update(key[0] for key in (told - again) | (untold & again))
                again = again - untold | told if told - again or untold & again else again
            for first, last in _changed_runs(row, spots):
                found = overlaps_near(row, first, last, by_key)
                by_key = by_key.but(found)
                moved.update(key[0] for key in found)
        return Windows(by_key, {**self.rows, **rows}, again), moved


def told_again_near(
    row: Sequence[Spot], index: int, windows: Mapping[WindowKey, Window]
) -> tuple[set[WindowKey], set[WindowKey]]:
    """Return which of the windows beside a change at *index* are told again, and which not."""
    low = max(index - 2, 0)
    near = [windows[key] for _, key in row[low : index + 3]]
    told: set[WindowKey] = set()
    untold: set[WindowKey] = set()
    for at in range(max(index - 1, 0), min(index + 2, len(row))):
        (told if is_told_again(near, at - low) else untold).add(row[at][1])
    return told, untold


def _changed_runs(row: Sequence[Spot], spots: Iterable[Spot]) -> Iterator[tuple[int, int]]:
    """Return the stretches of *row* in which *spots* came or went, by their first and last index.

    What lets go of its oldest window when a new one comes changes at both ends, and nowhere else.
    """
    first, *others = sorted(bisect_left(row, spot) for spot in spots)
    last = first
    for index in others:
        if index > last + 2 * REACH:
            yield first, last
            first = index
        last = index
    yield first, last


def overlaps_near(
    row: Sequence[Spot], first: int, last: int, windows: Mapping[WindowKey, Window]
) -> dict[WindowKey, Window]:
    """Return which of *windows* say otherwise whether they overlap, now that *row* changed.

    It changed from the index *first* to the *last*; farther than REACH from there nothing does.
    """
    low = max(first - REACH, 0)
    high = last + REACH + 1
    start = max(low - REACH, 0)
    near = [windows[key] for _, key in row[start : high + REACH]]
    shared = overlapping(near)
    return {
        row[at][1]: replace(near[at - start], is_overlapping=at - start in shared)
        for at in range(low, min(high, len(row)))
        if near[at - start].is_overlapping != (at - start in shared)
    }


NO_WINDOWS: Final = Windows(Layered(), {})


def _by_key(windows: Iterable[Window]) -> dict[WindowKey, Window]:
    return {(window.transaction_ref, window.starts_at): window for window in windows}


def match(
    spoken: Mapping[str, Spoken],
    windows: Mapping[WindowKey, Window],
    traits: StationTraits,
    last: Matched = NOTHING_LOOSE,
    stirred: Sequence[Window] = (),
) -> Matched:
    """Third stage: the one window that a loose frame fits takes it (`one_to_one`).

    *last* is how it was among the same windows but for those *stirred*, which came, went or moved.
    """
    loose = {source_of(frame.frame): frame for each in spoken.values() for frame in each.loose}
    if not loose:
        return NOTHING_LOOSE
    known = last.fitting
    fitting = {
        source: known[source]
        for source in loose.keys() & known.keys()
        if not any(_is_open(window, loose[source].at) for window in stirred)
    }
    asked = [loose[source] for source in loose.keys() - fitting.keys()]
    for is_stop in (False, True):
        some = [each for each in asked if isinstance(each.frame, SessionEnded) is is_stop]
        fitting |= _fitting(some, windows, traits, is_stop=is_stop) if some else {}
    takers = one_to_one(fitting, loose)
    taken: dict[WindowKey, list[LooseFrame]] = {}
    left: dict[str, list[LooseFrame]] = {}
    foreign: set[WindowKey] = set()
    for source in sorted(loose):
        each, taker = loose[source], takers[source]
        if taker is None:
            left.setdefault(each.reference, []).append(each)
        else:
            taken.setdefault(taker, []).append(each)
        if each.place is not None and (taker is None or taker[0] != each.reference):
            named = spoken[each.reference].window_of(each.at)
            if named is not None:
                foreign.add((each.reference, named.starts_at))
    return Matched(
        fitting,
        takers,
        {taker: tuple(frames) for taker, frames in taken.items()},
        {reference: tuple(frames) for reference, frames in left.items()},
        frozenset(foreign),
    )


def _fitting(
    loose: Iterable[LooseFrame],
    windows: Mapping[WindowKey, Window],
    traits: StationTraits,
    *,
    is_stop: bool,
) -> dict[Source, tuple[WindowKey, ...]]:
    """Return for each of *loose* which of *windows* it fits: of many, some.

    From the oldest on, so that each is held against those windows alone that are open for it.
    """
    limit = PowerLimit(traits.max_power_w)
    opens = [(*_open_for(window, is_stop=is_stop), key) for key, window in windows.items()]
    coming = sorted(opens, key=itemgetter(0), reverse=True)
    closing: list[tuple[datetime, WindowKey]] = []
    open_at: dict[int | None, dict[WindowKey, Window]] = {}
    found: dict[Source, tuple[WindowKey, ...]] = {}
    for each in sorted(loose, key=lambda each: each.at):
        while coming and coming[-1][0] <= each.at:
            _, until, key = coming.pop()
            open_at.setdefault(windows[key].place, {})[key] = windows[key]
            if until is not None:
                heappush(closing, (until, key))
        while closing and closing[0][0] < each.at:
            _, key = heappop(closing)
            del open_at[windows[key].place][key]
        places = open_at if each.place is None else {each.place} & open_at.keys()
        fitting = (
            key
            for place in places
            for key, window in open_at[place].items()
            if fits(each, window, limit)
        )
        found[source_of(each.frame)] = tuple(islice(fitting, STOP_FITS_MAX if is_stop else 2))
    return found


def _is_open(window: Window, at: datetime) -> bool:
    """Whether *window* may take what is dated *at*, be it a stop or not."""
    closes_at = window.closes_at
    return at >= window.starts_at - SLACK and (closes_at is None or at <= closes_at + SAME_STOP)


def _open_for(window: Window, *, is_stop: bool) -> tuple[datetime, datetime | None]:
    """Return from when to when *window* may take a stop, or what is none."""
    if is_stop and window.ends_at is not None:  # only the same stop again
        return window.ends_at - SAME_STOP, window.ends_at + SAME_STOP
    return window.starts_at - SLACK, window.closes_at
