"""The first three stages of a station's fold: whose a frame is, where windows lie, who takes what.

Each is a function of the stage before it. `ledger.sessions.station_fold` says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Final, NamedTuple

from ledger.facts.station_facts import QueueReported, SessionFact
from ledger.facts.station_traits import StationTraits
from ledger.sessions.loose_frames import (
    LooseFrame,
    SessionFrame,
    Window,
    fits,
    loose_frame_of,
    windows_of,
)
from ledger.sessions.segments import Source, place_of, source_of, split_segments
from ledger.sessions.told import TransactionTold

WindowKey = tuple[str, int]
"""A transaction, and which of its sessions."""


class Spoken(NamedTuple):
    """The first stage: what the frames of one transaction say by themselves.

    `windows` are those of its sessions, oldest first, without the next one's start.
    """

    told: TransactionTold
    own: tuple[SessionFact | QueueReported, ...]
    loose: tuple[LooseFrame, ...]
    windows: tuple[Window, ...]
    is_settled: bool


class Matched(NamedTuple):
    """The third stage: who takes each loose frame (None: nobody), and so what each took."""

    takers: Mapping[Source, str | None]
    taken: Mapping[str | None, tuple[LooseFrame, ...]]
    foreign: frozenset[str]
    """Transactions of which a frame names a place that is not its own."""


NOTHING_LOOSE: Final = Matched({}, {}, frozenset())


def speak(
    reference: str,
    told: TransactionTold,
    traits: StationTraits,
    last: Spoken | None,
    *,
    settled: tuple[Window, ...] | None,
) -> Spoken:
    """First and second stage: sort the frames of one transaction, and lay its windows."""
    if last is not None and last.told is told and last.is_settled == (settled is not None):
        return last
    places = [window.place for window in settled] if settled else list(map(place_of, told.starts))
    place = min((each for each in places if each is not None), default=None)

    def is_owned(fact: SessionFrame) -> bool:
        """A numbered event carries the station's own reference; others one that we gave."""
        if fact.seq_no is not None or not reference:
            return bool(reference)
        return bool(places) and (place is None or place_of(fact) in (None, place))

    updates = [fact for fact in told.updates if is_owned(fact)]
    ends = [fact for fact in told.ends if is_owned(fact)]
    loose: list[SessionFrame] = []
    if len(updates) < len(told.updates) or len(ends) < len(told.ends):
        loose += [fact for fact in told.updates if not is_owned(fact)]
        loose += [fact for fact in told.ends if not is_owned(fact)]
    is_placed = None not in places
    frames = tuple(loose_frame_of(frame, traits) for frame in loose)
    if settled is not None:
        return Spoken(told, (), frames, settled, is_settled=True)
    if last is not None and is_placed and not last.is_settled and _same_borders(last.told, told):
        windows = last.windows  # a further reading moves no border
    else:
        borders: list[SessionFact] = [*told.starts, *ends]
        if not is_placed:
            borders += updates
        windows = tuple(windows_of(split_segments(reference, borders, traits), traits))
    return Spoken(
        told,
        (*told.starts, *updates, *ends, *told.reports),
        frames,
        windows,
        is_settled=False,
    )


def _same_borders(last: TransactionTold, told: TransactionTold) -> bool:
    return last.starts is told.starts and last.ends is told.ends


def same_windows(spoken: Mapping[str, Spoken], last: Mapping[str, Spoken]) -> bool:
    """Whether every transaction has the very windows that it had."""
    return spoken.keys() == last.keys() and all(
        each.windows is last[reference].windows for reference, each in spoken.items()
    )


def in_rows(spoken: Mapping[str, Spoken]) -> dict[WindowKey, Window]:
    """Second stage: tell every window when the next one at its place begins."""
    windows = {
        (reference, index): window
        for reference, each in spoken.items()
        for index, window in enumerate(each.windows)
    }
    rows: dict[int, list[tuple[object, WindowKey]]] = {}
    for key, window in windows.items():
        if window.place is not None:
            rows.setdefault(window.place, []).append((window.starts_at, key))
    for row in rows.values():
        row.sort()
        for (_, key), (_, after) in pairwise(row):
            windows[key] = windows[key]._replace(next_start_at=windows[after].starts_at)
    return windows


def match(
    spoken: Mapping[str, Spoken],
    windows: Mapping[WindowKey, Window],
    traits: StationTraits,
    known: Mapping[Source, str | None],
) -> Matched:
    """Third stage: exactly one window that fits takes a loose frame.

    *known* are takers that were found among the very same windows.
    """
    loose = [frame for each in spoken.values() for frame in each.loose]
    if not loose:
        return NOTHING_LOOSE
    takers: dict[Source, str | None] = {}
    taken: dict[str | None, dict[Source, LooseFrame]] = {}
    for each in loose:
        source = source_of(each.frame)
        if source in known:
            taker = known[source]
        else:
            fitting = [w for w in windows.values() if fits(each, w, traits)]
            taker = fitting[0].transaction_ref if len(fitting) == 1 else None
        takers[source] = taker
        taken.setdefault(taker, {})[source] = each
    return Matched(
        takers,
        {
            taker: tuple(frame for _, frame in sorted(frames.items(), key=lambda item: item[0]))
            for taker, frames in taken.items()
        },
        frozenset(
            each.reference
            for each in loose
            if each.place is not None and takers[source_of(each.frame)] != each.reference
        ),
    )
