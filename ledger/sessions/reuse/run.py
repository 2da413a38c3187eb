"""Which facts of one transaction reference belong to one session: references are reused.

A station counts its transactions anew, uses one number for two EVSEs, or sends a start again that
was not answered. So a reference means the same transaction only while all else agrees: token,
EVSE, register and number of the start, no stop in between. In 2.0.1, all events under the id T-1:

    Started 08:00:00 by A at 1,000 Wh, and the very same ten times
        before or after its Ended                            -> one session
    the same, dated 08:00:40                                 -> one session
    the same, dated 08:00:40, after an Ended of 08:00:15     -> two
    Ended 08:00:20 with 3,500 Wh, Started 08:00:20 by B      -> two: 2,500 Wh are A's
    Started 08:00:20 by B, no Ended                          -> two; the first one lost its stop
    Started 08:00:00 by B at the same EVSE                   -> two, id_ambiguous: both are held
    Started 08:30 at EVSE 2, while EVSE 1 charges            -> two; each event goes to its EVSE,
        without one to the session whose register it fits, else id_ambiguous
    an Updated of EVSE 3, where nothing was started          -> held without a start
    numbers that begin again after an Ended, without Started -> what comes from there on: the same

Sessions that follow one another are told apart by date alone, which lets the worker leave out what
is long over: `facts_from`. Those that no date tells apart are a run and share it; so a run is
short (`_RUN_MAX`), whatever a station sends.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from operator import itemgetter, lt
from typing import Final

from ledger.facts.station_facts import (
    QueueReported,
    SessionEnded,
    SessionFact,
    SessionStarted,
    SessionUpdated,
)
from ledger.facts.station_traits import StationTraits
from ledger.meter.series import PowerLimit
from ledger.sessions.reuse.starts import claim_of
from ledger.sessions.segments import (
    AN_INSTANT,
    Segment,
    Source,
    dated,
    place_of,
    register_of,
    rough_time,
    source_of,
)

SAME_START: Final = timedelta(seconds=60)
"""Starts that say the same and lie no further apart are one start, told twice."""
_RUN_MAX: Final = 8


def split_segments(
    transaction_ref: str,
    facts: Iterable[SessionFact | QueueReported],
    traits: StationTraits,
    *,
    is_tail: bool = False,
) -> list[Segment]:
    """Return the sessions among the *facts* of one reference, oldest first.

    Without a start all is one session.
    *is_tail*: earlier sessions of the reference are not among these, which begin with a start.
    """
    ordered = [*facts]
    sources = [*map(source_of, ordered)]
    if not all(map(lt, sources, sources[1:])):  # nearly always they stand as in the log
        distinct = {(fact.position, fact.line, type(fact).__name__): fact for fact in ordered}
        ordered = [distinct[key] for key in sorted(distinct)]
    alone = _alone(transaction_ref, ordered, traits)
    if alone is not None:
        if is_tail:
            alone.is_reused, alone.facts_from = True, alone.starts_at
        return [alone]
    runs = _runs(transaction_ref, ordered, traits)
    begins = [run.begins for run in runs]
    for fact in ordered:
        if runs and isinstance(fact, SessionUpdated | QueueReported):
            run = runs[max(bisect_right(begins, dated(fact, traits)) - 1, 0)]
            run.take(fact)
    segments = [segment for run in runs for segment in run.all()]
    if not runs:
        segments = [Segment(transaction_ref=transaction_ref)]
        for fact in ordered:
            segments[0].add(fact)
    for segment in segments:
        segment.is_reused = is_tail or len(segments) > 1
        if not is_tail and runs and segment.facts_from == runs[0].begins:
            segment.facts_from = None
    return segments


def _alone(
    transaction_ref: str, facts: Sequence[SessionFact | QueueReported], traits: StationTraits
) -> Segment | None:
    """Return the session that all of *facts* are of, None where some may be another's.

    They are nearly always of one: a start, at most one stop, no number told twice, and no numbered
    event of another place.
    """
    segment = Segment(transaction_ref=transaction_ref)
    for fact in facts:
        segment.add(fact)
    if len(segment.starts) != 1 or len(segment.ends) > 1:
        return None
    start = segment.starts[0]
    told: list[SessionFact] = [start, *segment.updates, *segment.ends]
    numbered = [fact for fact in told if fact.seq_no is not None]
    place = place_of(start)
    if place is not None and not {None, place}.issuperset(map(place_of, numbered)):
        return None
    if len({fact.seq_no for fact in numbered}) < len(numbered):
        return None
    segment.starts_at = rough_time(start, traits)
    return segment


def _runs(
    transaction_ref: str, facts: Iterable[SessionFact | QueueReported], traits: StationTraits
) -> list[_Run]:
    """Return the runs that the starts among *facts* open, with all starts and stops in them.

    *facts* are in the order of the log.
    """
    borders = [
        (rough_time(fact, traits), fact)
        for fact in facts
        if isinstance(fact, SessionStarted | SessionEnded)
    ]
    borders.sort(key=itemgetter(0))  # those of a moment stay in the order of the log
    runs: list[_Run] = []
    early: list[SessionEnded] = []
    for at, some in groupby(borders, key=itemgetter(0)):
        told = [fact for _, fact in some]
        last = runs[-1] if runs else None
        # What is under way is ended before anything begins; the rest was begun and ended at once.
        stops = sorted((fact for fact in told if isinstance(fact, SessionEnded)), key=_by_register)
        stops = [stop for stop in stops if last is None or not last.ends(stop, at)]
        for start in told:
            if isinstance(start, SessionStarted):
                run = runs[-1] if runs else None
                if run is None or not run.begin(start, at, has_stop=bool(stops)):
                    runs.append(_Run(transaction_ref, start, at, traits))
        home = last or (runs[0] if runs else None)
        for stop in stops:
            if home is None:
                early.append(stop)
            else:
                home.take(stop)
    for stop in early if runs else ():
        runs[0].take(stop)
    return runs


class _Run:
    """Sessions of one reference that no date tells apart; nearly always a single one."""

    def __init__(
        self, transaction_ref: str, start: SessionStarted, at: datetime, traits: StationTraits
    ) -> None:
        self.begins = self._told_at = at
        self._reference, self._traits = transaction_ref, traits
        self._segments: list[Segment] = []
        self._elsewhere: dict[int | None, Segment] = {}
        self._known: dict[object, Segment] = {}
        self._open(start, at)

    def begin(self, start: SessionStarted, at: datetime, *, has_stop: bool) -> bool:
        """Take *start*, dated not before all others, where a date does not tell it from them.

        *has_stop*: a stop of this moment ended nothing that was under way.
        """
        known = self._told_before(start, at)
        last = self._segments[-1]
        # Of a moment at which a start came once more, no date tells the next session either.
        is_same_second = _second(at) == _second(self._at(last)) or self._told_at == at
        is_full = len(self._segments) >= _RUN_MAX
        if known is None and is_full and is_same_second:
            known, last.is_ambiguous = last, True
        if known is not None:
            self._told_at = at
            known.starts.append(start)
            self._note(start, known)
            return True
        place = place_of(start)
        if is_same_second or (not is_full and (has_stop or self._runs_elsewhere(place))):
            self._open(start, at)
            return True
        return False

    def ends(self, stop: SessionEnded, at: datetime) -> bool:
        """Give *stop*, dated after all starts, to what it ends: a session that has no stop yet."""
        known = self._known.get(_content_of(stop))
        if known is None:
            under_way = [each for each in self._latest(self._here(stop)) if not each.ends]
            if not under_way:
                return False
            known = self._whose(under_way, stop, at)
        known.ends.append(stop)
        self._note(stop, known)
        return True

    def take(self, fact: SessionUpdated | SessionEnded | QueueReported) -> None:
        """Give *fact* to the session that it is of."""
        if isinstance(fact, QueueReported):
            begun = [each for each in self._segments if self._at(each) <= fact.received_at]
            (begun or self._segments)[-1 if begun else 0].add(fact)
            return
        here = self._here(fact)
        if not here:
            self._stray(place_of(fact)).add(fact)
            return
        at = rough_time(fact, self._traits)
        pool = self._latest([each for each in here if self._at(each) <= at] or here[:1])
        if len(pool) > 1:
            under_way = [each for each in pool if not self._has_ended(each, at)]
            pool = under_way or pool
        self._whose(pool, fact, at).add(fact)

    def all(self) -> list[Segment]:
        """Return the sessions, oldest first, and then what was never started."""
        again = [self._again(segment) for segment in self._segments]
        strays = [*self._elsewhere.values(), *(each for each in again if each is not None)]
        for segment in self._segments:
            segment.has_elsewhere = bool(self._elsewhere)
        for segment in (*self._segments, *strays):
            segment.facts_from = self.begins
        return [*self._segments, *strays]

    def _open(self, start: SessionStarted, at: datetime) -> None:
        segment = Segment(transaction_ref=self._reference, starts=[start], starts_at=at)
        if self._segments:
            before = self._segments[-1].starts_at or at
            segment.starts_at = max(at, before + AN_INSTANT)
            tied = [each for each in self._here(start) if self._at(each) == at]
            for each in (*tied, segment) if tied else ():
                each.is_ambiguous = True
        self._segments.append(segment)
        self._note(start, segment)

    def _told_before(self, start: SessionStarted, at: datetime) -> Segment | None:
        """Return the session that *start* opens once more."""
        known = self._known.get(_content_of(start))
        if known is not None and start.occurred_at is not None:
            return known
        for segment in self._latest(self._here(start)):
            is_near = at - self._at(segment) <= SAME_START and not segment.ends
            if is_near and claim_of(start) == claim_of(segment.starts[0]):
                return segment
        return None

    def _here(self, fact: SessionFact) -> list[Segment]:
        """Return the sessions at the place that *fact* names."""
        place = place_of(fact)
        # What carries no number was given its id by us, for one place.
        if place is None or (fact.seq_no is None and not isinstance(fact, SessionStarted)):
            return self._segments
        return [each for each in self._segments if _place(each) in (None, place)]

    def _latest(self, segments: Sequence[Segment]) -> list[Segment]:
        """Return the last of *segments* at each place, and those that began with it."""
        found: dict[int | None, list[Segment]] = {}
        for each in segments:
            known = found.setdefault(_place(each), [])
            if known and self._at(known[-1]) != self._at(each):
                known.clear()
            known.append(each)
        return [each for some in found.values() for each in some]

    def _runs_elsewhere(self, place: int | None) -> bool:
        return place is not None and any(
            _place(each) not in (None, place) and not each.ends
            for each in self._latest(self._segments)
        )

    def _whose(
        self, pool: Sequence[Segment], fact: SessionUpdated | SessionEnded, at: datetime
    ) -> Segment:
        """Return which session of *pool* told *fact*: by token and register, else the last one."""
        if len(pool) == 1:
            return pool[0]
        if fact.token_uid is not None:
            pool = [each for each in pool if each.starts[0].token_uid == fact.token_uid] or pool
        value = register_of(fact)
        if value is not None:
            fitting = [each for each in pool if self._fits(value, each, at)]
            pool = fitting if len(fitting) == 1 else pool
        if len(pool) > 1:
            for each in pool:
                each.is_ambiguous = True
        return pool[-1]

    def _fits(self, value: Decimal, segment: Segment, at: datetime) -> bool:
        begin = register_of(segment.starts[0])
        most = PowerLimit(self._traits.max_power_w).energy_max_wh(self._at(segment), at)
        return begin is None or begin <= value <= begin + most

    def _has_ended(self, segment: Segment, at: datetime) -> bool:
        return any(rough_time(stop, self._traits) < at for stop in segment.ends)

    def _stray(self, place: int | None) -> Segment:
        if place not in self._elsewhere:
            self._elsewhere[place] = self._without_start(f"at-{place}", self.begins)
        return self._elsewhere[place]

    def _again(self, segment: Segment) -> Segment | None:
        """Take what comes from where numbers began again after a stop out of *segment*."""
        if not segment.ends or segment.starts_at is None:
            return None
        again = self._again_from(segment)
        if again is None:
            return None
        stray = self._without_start("again", segment.starts_at)
        later: list[SessionUpdated | SessionEnded] = [*segment.updates, *segment.ends]
        for fact in later:
            if rough_time(fact, self._traits) >= again:
                stray.add(fact)
        gone = {id(fact) for fact in (*stray.updates, *stray.ends)}
        segment.updates = [each for each in segment.updates if id(each) not in gone]
        segment.ends = [each for each in segment.ends if id(each) not in gone]
        return stray

    def _again_from(self, segment: Segment) -> datetime | None:
        """Return when numbers below the stop's, that were told before it, are told once more."""
        traits, facts = self._traits, segment.facts
        later: list[SessionUpdated | SessionEnded] = [*segment.updates, *segment.ends]
        numbers = [fact.seq_no for fact in facts if fact.seq_no is not None]
        if len(set(numbers)) == len(numbers):
            return None
        over = min(rough_time(stop, traits) for stop in segment.ends)
        first = [stop for stop in segment.ends if rough_time(stop, traits) == over]
        # A station that always says the same number never says one below it.
        last = min((stop.seq_no for stop in first if stop.seq_no is not None), default=0)
        told = {fact.seq_no for fact in facts if rough_time(fact, traits) <= over}
        return min(
            (
                at
                for fact in later
                if fact.seq_no is not None
                and fact.seq_no < last
                and fact.seq_no in told
                and (at := rough_time(fact, traits)) > over
            ),
            default=None,
        )

    def _without_start(self, why: str, begins: datetime) -> Segment:
        moment = f"{begins.astimezone(UTC):%Y%m%dT%H%M%SZ}"
        return Segment(transaction_ref=self._reference, stray=f"{moment}-{why}")

    def _note(self, fact: SessionStarted | SessionEnded, segment: Segment) -> None:
        self._known.setdefault(_content_of(fact), segment)

    def _at(self, segment: Segment) -> datetime:
        """Return when *segment* began, where several may have begun at once."""
        return rough_time(segment.starts[0], self._traits)


def _place(segment: Segment) -> int | None:
    return place_of(segment.starts[0])


def _second(at: datetime) -> datetime:
    """Return the second of *at*: all that a session's id says of its start."""
    return at.replace(microsecond=0)


def _content_of(fact: SessionStarted | SessionEnded) -> tuple[object, ...]:
    return fact.occurred_at, *claim_of(fact)


def _by_register(stop: SessionEnded) -> tuple[Decimal, int, Source]:
    value = register_of(stop)
    return value or Decimal(0), stop.seq_no or 0, source_of(stop)
