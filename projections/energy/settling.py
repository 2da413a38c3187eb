"""Where the count of a station's energy may be settled, so that no later one looks further back.

That is a moment at which the station was at rest: every session before it is over for `REST`, and
at each place the last one is plain, so that its start and stop are all that a later count has to
know of the register. Where there is no such moment yet, more is counted again next time; what is
counted is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import accumulate
from typing import Final

from msgspec.structs import replace

from ledger.facts.flags import Flag
from ledger.facts.station_clock import FARTHEST
from ledger.facts.station_facts import StationBooted
from ledger.sessions.loose_frames import Window
from ledger.sessions.segments import is_without_id
from ledger.sessions.session import ChargingSession
from projections.balances.covered import RegisterStretch
from projections.balances.register_walk import RegisterTold, believed
from projections.balances.station_rises import (
    Block,
    CarriedSession,
    Place,
    is_shared,
    place_in,
    together_at,
)
from projections.energy.carried import REST, WINDOWS_MAX, Carried
from projections.energy.part_count import PartCount, Span, moments, shared_before

TRIED_MAX: Final = 8
"""So many moments of rest are looked at, from the latest on."""
_BOOTS_MAX: Final = 64
_NOT_PLAIN: Final = frozenset({Flag.REGISTER_SHARED, Flag.REGISTER_SESSION_RELATIVE})


def settled_at(counted: PartCount, *, sessions_min: int) -> Carried | None:
    """Return what to go on from after at least *sessions_min* more sessions, the latest there is.

    None: there is no moment of rest after as many.
    """
    for at in _moments_of_rest(counted, sessions_min):
        found = _Settling(counted, at).carried()
        if found is not None:
            return found
    return None


def _moments_of_rest(counted: PartCount, sessions_min: int) -> Iterator[datetime]:
    """Yield moments that nothing goes on at, nor is told across of, the latest first."""
    spans = sorted(counted.spans, key=_since)
    known = {span.since for span in spans if span.session_id is not None}
    news = [*counted.news]
    if len(known) < sessions_min or not news:
        return
    across = sorted(
        (min(ats), max(ats)) for _, fact in news if (ats := [*moments(fact, counted.traits)])
    )
    ends = [*accumulate((span.until or FARTHEST for span in spans), max)]
    begun = [*accumulate(span.session_id is not None for span in spans)]
    latest = max(fact.received_at for _, fact in news)
    nexts = [*(span.since for span in spans[1:]), latest]
    tried = 0
    for number in range(len(spans) - 1, -1, -1):
        if begun[number] < sessions_min or tried == TRIED_MAX:
            return
        if ends[number] > nexts[number] or nexts[number] - ends[number] <= REST:
            continue
        tried += 1
        at = ends[number] + REST
        for since, until in across:
            if since <= at < until:
                at = until
        if at < nexts[number]:
            yield at


class _Settling:
    """Whether all up to a moment of rest can be settled, and what is to be known of it then."""

    def __init__(self, counted: PartCount, at: datetime) -> None:
        self._counted, self._at, self._before = counted, at, counted.carried
        spans = [span for span in counted.spans if self._is_over(span)]
        self._references = {span.reference for span in spans}
        self._sessions = {span.session_id for span in spans if span.session_id is not None}

    def _is_over(self, span: Span) -> bool:
        return span.until is not None and span.until <= self._at

    def carried(self) -> Carried | None:
        """Return it; None: it cannot."""
        position = self._position()
        places = self._places()
        if position is None or places is None:
            return None
        ends = {each.place: each.stop.at for each in places}
        loose_since: list[datetime] = []
        for fact, place, at in self._counted.rises.loose:
            if fact.received_at > self._at or (place in ends and at < ends[place]):
                continue
            is_of_end = place in ends and at == ends[place]
            if is_of_end or not is_without_id(fact.transaction_ref):
                # It may come before that stop or after it, or would not be read again.
                return None
            loose_since.append(fact.received_at)
        return Carried(
            at=self._at,
            position=position,
            places=tuple(places),
            windows=tuple(self._windows()),
            boots=self._boots(min(ends.values(), default=self._at)),
            loose_since=min(loose_since, default=None),
            shared=tuple(self._shared()),
        )

    def _position(self) -> int | None:
        """Return before which position all stands that is settled; None: not all of it does."""
        rows = self._counted.rows
        over = [row.position for row in rows if row.transaction_ref in self._references]
        before = 0 if self._before is None else self._before.position
        position = max([before, *(each + 1 for each in over)])
        for row in rows:
            is_over = row.transaction_ref in self._references
            is_news = any(fact.received_at > self._at for fact in row.facts)
            if is_over and is_news:
                return None
            is_left = not is_over and (is_news or not is_without_id(row.transaction_ref))
            if is_left and row.position < position:
                return None
        # A session that names no transaction would not be known again.
        fold = self._counted.fold
        is_nameless = any(
            session.started_at is not None
            for reference in filter(is_without_id, fold.transactions())
            for session in fold.sessions(reference)
        )
        return None if is_nameless else position

    def _places(self) -> list[CarriedSession] | None:
        """Return the last session of each place; None where one is not plain."""
        rises = self._counted.rises
        found: list[CarriedSession] = []
        for place in rises.told.keys() | rises.carried.keys():
            told_here = [
                session
                for session in rises.sessions
                if session.session_id in self._sessions
                and place_in(session) == place
                and session.session_id in rises.last_told
            ]
            if not told_here:
                known = rises.carried.get(place)
                found += [known] if known else []
                continue
            last = self._last(place, told_here)
            if last is None:
                return None
            found.append(last)
        return sorted(found, key=lambda each: (each.place is not None, each.place or 0))

    def _last(self, place: Place, sessions: Sequence[ChargingSession]) -> CarriedSession | None:
        rises = self._counted.rises
        ids = {session.session_id for session in sessions}
        blocks = [b for b in rises.blocks[place] if b.session and b.session.session_id in ids]
        if not blocks:
            return None
        last = max(blocks, key=lambda block: (block.starts_at, block.ends_at))
        others = [block for block in rises.blocks[place] if block is not last]
        is_last = all(
            block.starts_at < last.starts_at and block.ends_at <= last.ends_at
            for block in others
            if block.is_carried or (block.session and block.session.session_id in ids)
        )
        told_until = max(rises.last_told[session_id] for session_id in ids)
        if not is_last or told_until > last.ends_at:
            return None
        return self._plain(place, last)

    def _plain(self, place: Place, block: Block) -> CarriedSession | None:
        """Return the ends of *block* where nothing that comes later can change what they are."""
        session, limit = block.session, self._counted.rises.limit
        assert session is not None
        values = [reading.value_wh for reading in block.readings]
        is_odd = session.dropped or session.refused_starts or session.refused_stops
        if is_odd or session.unused_frames or not _NOT_PLAIN.isdisjoint(session.flags):
            return None
        if session.ended_at != block.ends_at or len(values) < 2 or values != sorted(values):  # noqa: PLR2004
            return None
        raw = sorted(self._counted.rises.told[place])
        row = believed(raw, limit)
        start = _found(row, block, values[0], is_start=True)
        stop = _found(row, block, values[-1], is_start=False)
        if start is None or stop is None or stop <= start:
            return None
        begin, end = row[start], row[stop]
        if any(each.is_anchor for each in row[start + 1 : stop]):
            return None
        before = next((each for each in reversed(row[:start]) if each.is_anchor), None)
        following = raw[raw.index(begin) + 1]
        is_steady = before is None or before.value_wh <= begin.value_wh
        is_possible = limit.allows(begin.reading, end.reading) and (
            following.value_wh <= begin.value_wh or limit.allows(begin.reading, following.reading)
        )
        if not is_steady or not is_possible:
            return None
        return CarriedSession(place, begin.reading, end.reading)

    def _windows(self) -> Iterator[Window]:
        windows = self._counted.fold.windows
        known = {each.transaction_ref for each in self._before.windows} if self._before else set()
        for row in windows.rows.values():
            keys = [key for _, key in row if key[0] in self._references or key[0] in known]
            for key in keys[-WINDOWS_MAX:]:
                yield replace(windows.by_key[key], next_start_at=None)

    def _boots(self, since: datetime) -> tuple[datetime, ...]:
        known = set(() if self._before is None else self._before.boots)
        for row in self._counted.rows:
            known |= {f.received_at for f in row.facts if isinstance(f, StationBooted)}
        boots = sorted(at for at in known if since < at <= self._at)
        # Between two of its readings one boot is as good as many.
        return (*boots[:_BOOTS_MAX], *boots[_BOOTS_MAX:][-_BOOTS_MAX:])

    def _shared(self) -> Iterator[tuple[Place, tuple[RegisterStretch, ...]]]:
        rises = self._counted.rises
        places = {place for place, _ in self._before.shared} if self._before else set()
        for place in rises.blocks.keys() | places:
            earlier = shared_before(self._before, place)
            blocks = [
                block
                for block in rises.blocks.get(place, [])
                if block.session and block.session.session_id in self._sessions and is_shared(block)
            ]
            groups = together_at(sorted(blocks, key=_starts_at), earlier)
            if groups:
                yield place, groups[-1][1].stretches


def _found(
    row: Sequence[RegisterTold], block: Block, value: Decimal, *, is_start: bool
) -> int | None:
    at = block.starts_at if is_start else block.ends_at
    for index, each in enumerate(row):
        is_end = each.is_anchor and each.is_start is is_start
        if is_end and each.at == at and each.value_wh == value:
            return index
    return None


def _starts_at(block: Block) -> datetime:
    return block.starts_at


def _since(span: Span) -> datetime:
    return span.since
