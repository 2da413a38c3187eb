"""From everything that one station said to its sessions: whose is each frame?

A frame names its transaction, and the name is often wrong. In OCPP 1.6 the server gives the ids; a
station that was offline at the start has none and sends -1 at the stop (errata 3.18), others send
0, the id before, or one that they made up (quirks 4 and 18). A stop of 1.6 names no connector. The
stop may come before the start, twice, or days late (2, 23, 25). A frame given to the wrong session
bills the wrong driver, and a frame thrown away loses energy.

So there are two kinds of frames. One whose id the station may use is owned by its transaction: a
numbered event of 2.0.1, or a frame with an id that we gave at a start of this very station, unless
its place contradicts that start. All others are loose. Each session with a start has a window at
its place, from its start to its stop or else to the next start there; a loose frame belongs to the
one session into whose window it fits by place, time, register and token (`loose_frames`).

Connector 1 starts id 1 at 08:00 with its register at 1,000 Wh, connector 2 id 2 at 50,000 Wh:

    08:30 reading 3,000 Wh of connector 1 with id 0
        -> the second reading of session 1, flag resolved_by_context
    09:00 stop at 6,000 Wh with id 999
        -> only the register of session 1 can stand there: it ends with 5,000 Wh, and is held
           (foreign_stop_attached), for an id of nobody's may close nothing without a person

Had connector 2 begun at 1,100 Wh, either could have been meant. Then both stay open, and the stop
is a session of its own without energy, held as unmatched_stop.

    09:00 stop with id 1, while its start is still on the way
        -> session CS-1/1/no-start; once the start is known that session is gone, and there is
           one from 08:00 to 09:00 with 5,000 Wh

Nothing is settled when a frame arrives: its owner would depend on the order of arrival, and a
station that empties its queue after an outage would be billed otherwise. So the fold is a function
of all that was told, in four stages, each of the one before alone:

1. whose a frame is by its id: from the starts of its transaction;
2. windows: from starts and stops (a further reading moves no border), in a row at each place;
3. which window takes each loose frame;
4. a session: from its own frames, those it took, its window, and what the station said around it.

Folding a station anew for each record would cost the square of its sessions. A fold may be given
the last one: a stage whose input is the very same returns what it returned then. What changed is
what is not the same as in the last fold; nobody keeps books on it. Of sessions that are decided
for good only the windows need to be told (`told.Settled`): what was dated before the next start of
their id is theirs and can be left out.

What must stay true, and where it is held (tests/ledger/sessions/test_station_fold.py and
tests/quirks/test_quirks_identity.py):

* The same facts give the same sessions in any order and repetition, with whatever last fold.
* Windows in place of the facts of an id's first sessions change no other session.
* `changed` names every transaction whose sessions changed; the worker looks at no other.
* An id that we did not give closes none of several sessions.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from operator import eq, is_
from typing import TypeVar

from ledger.facts.flags import Flag
from ledger.facts.station_facts import ConnectorStatusChanged, QueueReported, SessionEnded
from ledger.facts.station_traits import StationTraits
from ledger.layered import Layered
from ledger.sessions.loose_frames import LooseFrame, SessionFrame, Window
from ledger.sessions.reuse.run import split_segments
from ledger.sessions.reuse.spellings import Spellings, is_spelt_otherwise, respelt
from ledger.sessions.segments import (
    Segment,
    is_without_id,
    place_of,
    source_of,
)
from ledger.sessions.session import ChargingSession, told_apart
from ledger.sessions.session_fold import fold_session
from ledger.sessions.stages import NO_WINDOWS, NOTHING_LOOSE, Matched, Spoken, Windows, match, speak
from ledger.sessions.surroundings import SaidAround, Surroundings, boot_bears, state_bears
from ledger.sessions.told import NOTHING, SILENT, StationTold
from ledger.sessions.vehicle.told_states import NO_STATES

_Key = TypeVar("_Key")


class StationFold:
    """The sessions of one station and its unmatched frames. Made by `fold_station`, never changed.

    `changed` are the transactions whose sessions may differ from those of the last fold.
    """

    __slots__ = ("_sessions", "around", "changed", "matched", "spellings", "spoken", "station_id",
                 "told", "traits", "windows")  # fmt: skip

    def __init__(
        self,
        station_id: str,
        told: StationTold,
        traits: StationTraits,
        stages: tuple[Layered[str, Spoken], Windows, Matched],
        around: SaidAround,
        spellings: Spellings,
    ) -> None:
        self.station_id, self.told, self.traits = station_id, told, traits
        self.spoken, self.windows, self.matched = stages
        self.around, self.spellings = around, spellings
        self.changed: frozenset[str] = frozenset()
        self._sessions: dict[str, tuple[ChargingSession, ...]] = {}

    def sessions(self, transaction: str) -> tuple[ChargingSession, ...]:
        """Return the sessions of *transaction*, oldest first. The fourth stage, done when asked."""
        found = self._sessions.get(transaction)
        if found is None:
            told = [each for each in self._segments(transaction) if not each.is_empty]
            found = told_apart(
                [fold_session(segment, self._surroundings(segment)) for segment in told],
                [min(map(source_of, segment.starts or segment.facts)) for segment in told],
            )
            if is_spelt_otherwise(transaction, self.spellings):
                found = tuple([each.flagged(Flag.ID_SPELT_OTHERWISE) for each in found])
            # Of what nothing is told any more nothing is kept, or it would be for ever.
            if found or transaction in self.spoken:
                self._sessions[transaction] = found
        return found

    def follow(self, last: StationFold, altered: Iterable[str]) -> None:
        """Take over what is as in the *last* fold; *altered* told otherwise, or lie otherwise."""
        changed = {*altered, *self._matched_otherwise(last)}
        if self.around is not last.around:
            changed |= self._around_otherwise(last)
        self.changed = frozenset(changed)
        self._sessions = dict(last._sessions)
        for transaction in self.changed:
            self._sessions.pop(transaction, None)

    def transactions(self) -> tuple[str, ...]:
        """Return every transaction with sessions or unmatched frames, sorted."""
        own = {key for key in self.told.transactions if self.spoken[key].own}
        return tuple(sorted({*own, *self.matched.left}))

    def unmatched(self) -> tuple[SessionFrame, ...]:
        """Return the unmatched frames: no session, or several, could have meant them."""
        left = [each.frame for some in self.matched.left.values() for each in some]
        return tuple(sorted(left, key=source_of))

    def loose(self, transaction: str) -> tuple[LooseFrame, ...]:
        """Return the frames that name *transaction* and may be another's."""
        spoken = self.spoken.get(transaction)
        return spoken.loose if spoken else ()

    def _matched_otherwise(self, last: StationFold) -> set[str]:
        """Return the transactions with other loose frames than in the *last* fold."""
        was, now = last.matched, self.matched
        if was is now:
            return set()
        keys = _differing(was.taken, now.taken, eq) | (was.foreign ^ now.foreign)
        return {key[0] for key in keys} | _differing(was.left, now.left, eq)

    def _around_otherwise(self, last: StationFold) -> set[str]:
        """Return the transactions that what was said around them since the *last* fold may change.

        Those whose sessions nobody asked for are among them. What is settled has none.
        """
        was, now = last.told, self.told
        heard = {*was.transactions, *now.transactions}
        if was.reports is not now.reports:
            return heard
        changed: set[str] = set()
        if was.boots is not now.boots:
            before, after = set(last.around.boots), set(self.around.boots)
            for boot in before ^ after:
                bears = partial(boot_bears, boot=boot, is_news=boot in after)
                changed |= last.otherwise(heard - changed, bears)
        places = _differing(was.statuses, now.statuses)
        here = {key for key in now.transactions if self._lies_at(key, places)} if places else set()
        for place in places:
            for state in _unlike(was.statuses.get(place, ()), now.statuses.get(place, ())):
                bears = partial(state_bears, state=state, known=last.around.states_of(place))
                changed |= last.otherwise(here - changed, bears)
        return changed

    def _lies_at(self, transaction: str, places: Collection[int | None]) -> bool:
        """Whether a session of *transaction* lies at one of the *places*."""
        return any(window.place in places for window in self.spoken[transaction].windows)

    def otherwise(
        self, transactions: Iterable[str], bears: Callable[[ChargingSession], bool]
    ) -> set[str]:
        """Return those of *transactions* with a session that something *bears* on, or unknown."""
        known = self._sessions
        return {key for key in transactions if key not in known or any(map(bears, known[key]))}

    def _segments(self, transaction: str) -> list[Segment]:
        """Return the sessions of *transaction* with what they took."""
        spoken = self.spoken.get(transaction)
        if spoken is None or all(isinstance(fact, QueueReported) for fact in spoken.own):
            return self._unmatched_segments(transaction)
        segments = split_segments(transaction, spoken.own, self.traits, is_tail=spoken.is_tail)
        for segment in segments if self.matched.taken else ():
            segment.take(each.frame for each in self._taken(segment))
        return segments

    def _taken(self, segment: Segment) -> tuple[LooseFrame, ...]:
        """Return the loose frames that the window of *segment* took."""
        if segment.starts_at is None:
            return ()
        return self.matched.taken.get((segment.transaction_ref, segment.starts_at), ())

    def _unmatched_segments(self, transaction: str) -> list[Segment]:
        """Return stops that nobody owns, each as a session of its own that a person must judge."""
        loose = [each.frame for each in self.matched.left.get(transaction, ())]
        ends = [frame for frame in loose if isinstance(frame, SessionEnded)]
        if not ends:
            return []
        if not is_without_id(transaction):
            return split_segments(transaction, loose, self.traits)
        # All stops without an id share their reference, so only what they say tells them apart.
        by_content: dict[object, Segment] = {}
        for end in ends:
            content = (end.occurred_at, end.meter_stop_wh, place_of(end))
            segment = by_content.setdefault(content, Segment(transaction_ref=transaction))
            segment.ends.append(end)
        return list(by_content.values())

    def _surroundings(self, segment: Segment) -> Surroundings:
        starts_at = segment.starts_at
        key = None if starts_at is None else (segment.transaction_ref, starts_at)
        window = self.windows.by_key[key] if key else None
        taken = [loose.frame for loose in self._taken(segment)]
        return Surroundings(
            station_id=self.station_id,
            traits=self.traits,
            states=self.around.states_of(window.place) if window else NO_STATES,
            boots=self.around.boots,
            queue_empty_at=self.around.queue_empty_at,
            window=window,
            attached=frozenset(map(source_of, taken)),
            foreign_ids=frozenset(
                source_of(frame) for frame in taken if not is_without_id(frame.transaction_ref)
            ),
            has_foreign_connector=key in self.matched.foreign,
            is_told_again=key in self.windows.again,
        )


def fold_station(
    station_id: str,
    told: StationTold,
    traits: StationTraits,
    last: StationFold | None = None,
    resettled: Iterable[str] | None = None,
) -> StationFold:
    """Return the sessions that *told* makes, and its unmatched frames.

    Pure and total; order and repetition do not matter. *last* is an earlier fold of the same
    station with the same traits, *resettled* the transactions of which other sessions are settled
    since then (None: found by comparing): both save work and change nothing.
    """
    known: Layered[str, Spoken] = Layered() if last is None else last.spoken
    before = NOTHING if last is None else last.told
    altered = _differing(before.transactions, told.transactions)
    altered |= _differing(before.settled, told.settled) if resettled is None else {*resettled}
    news: dict[str, Spoken] = {}
    for reference in altered:
        said, part = told.transactions.get(reference), told.settled.get(reference)
        if said is not None or part is not None:
            was = known.get(reference)
            news[reference] = speak(reference, said or SILENT, traits, was, part)
    spoken = known.but(news, altered - news.keys())
    laid, matched = (NO_WINDOWS, NOTHING_LOOSE) if last is None else (last.windows, last.matched)
    spellings: Spellings = Layered() if last is None else last.spellings
    spellings, alike = respelt(spellings, altered, known, spoken)
    windows, moved, stirred = _laid(laid, altered, known, spoken)
    heard = {reference: spoken[reference] for reference in told.transactions}
    matched = match(heard, windows.by_key, traits, matched, stirred)
    around = SaidAround(told) if last is None else last.around.said(told)
    stages = (spoken, windows, matched)
    fold = StationFold(station_id, told, traits, stages, around, spellings)
    if last is None:
        fold.changed = frozenset(spoken)
    else:
        fold.follow(last, altered | moved | alike)
    return fold


def _laid(
    before: Windows,
    altered: Iterable[str],
    known: Mapping[str, Spoken],
    spoken: Mapping[str, Spoken],
) -> tuple[Windows, set[str], list[Window]]:
    """Return the windows now that *altered* transactions told otherwise, and which others moved.

    And all of these windows, as they were and are.
    """
    gone: list[Window] = []
    come: list[Window] = []
    for reference in altered:
        was, now = known.get(reference), spoken.get(reference)
        if was is not None and now is not None and was.windows is now.windows:
            continue
        # An id that is started again and again has many, and most stay where they are.
        lay = {window.starts_at: window for window in was.windows} if was else {}
        lie = {window.starts_at: window for window in now.windows} if now else {}
        gone += [window for at, window in lay.items() if lie.get(at) != window]
        come += [window for at, window in lie.items() if lay.get(at) != window]
    if not gone and not come:
        return before, set(), []
    windows, moved = before.relaid(gone, come)
    beside = [window for reference in moved for window in spoken[reference].windows]
    return windows, moved, [*gone, *come, *beside]


def _unlike(
    was: Sequence[ConnectorStatusChanged], now: Sequence[ConnectorStatusChanged]
) -> Iterable[ConnectorStatusChanged]:
    """Return the frames that only one of both has; nearly all are the very same."""
    # What was told first is let go of first, and what came stands last.
    kept = next((n for n, each in enumerate(was) if now and each is now[0]), len(was))
    if kept < len(was) and was[kept:] == now[: len(was) - kept]:
        return (*was[:kept], *now[len(was) - kept :])
    before, after = {id(each): each for each in was}, {id(each): each for each in now}
    return [(before | after)[key] for key in before.keys() ^ after.keys()]


def _differing(
    was: Mapping[_Key, object],
    now: Mapping[_Key, object],
    is_same: Callable[[object, object], bool] = is_,
) -> set[_Key]:
    """Return the keys whose values are not the same in both; what was told is not read through."""
    if was is now:
        return set()
    differing = {key for key, value in now.items() if not is_same(was.get(key), value)}
    return differing | (was.keys() - now.keys())
