"""What a station reckons with, period by period, held against what was metered and billed.

Two figures that come to the same total may come to it in other ways, at other prices. A station of
OCPP 2.1 says of each period how much energy it counts and for how long nothing was charged:

    1,500 Wh from 12:00 to 12:15, the register says 1,500 Wh     -> nothing is said
    1,600 Wh                                                     -> both figures, from 12:00
    the register was read at 12:10 and 12:20 alone: it showed
    1,200 to 1,900 Wh at 12:15, and the station says 1,600       -> nothing: it may well be so
    10 minutes idle, we bill 0 as parking                        -> both, where time costs money

A difference is said and holds nothing: what is owed is held against our price as a whole. The
standard names no unit of that energy: Wh or kWh, whichever brings the whole nearer to ours.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from msgspec.structs import replace

from ledger.facts.flags import Flag
from ledger.facts.station_quote import StationPeriod
from ledger.master_data.policies import Policy
from ledger.rating.decisions import SessionRated
from ledger.sessions.session import ChargingSession
from tariffs.model.usage import Activity
from tariffs.phrases.phrase import Phrase, phrase

NAMED_MAX: Final = 5
"""So many periods are named; of the others, how many there are."""
WH_MAX: Final = Decimal(1)
"""A register in whole Wh, cut here and rounded there, is off by no more."""
IDLE_MAX: Final = timedelta(seconds=5)
_KILO: Final = 1000
_ZERO: Final = timedelta(0)


class _Span(NamedTuple):
    """A period with its end, in effective times."""

    starts_at: datetime
    ends_at: datetime
    told: StationPeriod


def period_differences(
    session: ChargingSession, policy: Policy, *, is_timed: bool
) -> tuple[Phrase, ...]:
    """Return the periods in which a station counts otherwise than we do, with both figures.

    *is_timed*: the price hangs on time, so that of when it was idle.
    """
    cost = session.quote.cost if session.quote else None
    if cost is None or not cost.periods or session.ended_at is None:
        return ()
    spans = _spans(cost.periods, session, session.ended_at)
    found = [*_energies(spans, session)]
    if is_timed:
        found += _idle_times(spans, session, policy)
    found.sort(key=lambda each: each[0])
    named = [said for _, said in found[:NAMED_MAX]]
    if len(found) > NAMED_MAX:
        named.append(phrase("station_periods_more", count=len(found) - NAMED_MAX))
    return tuple(named)


def noted_on(rated: SessionRated, differences: tuple[Phrase, ...]) -> SessionRated:
    """Return *rated* with the *differences*, if there are any."""
    if not differences:
        return rated
    flags = tuple(sorted({*rated.flags, Flag.STATION_PERIOD_DIFFERS}))
    return replace(rated, flags=flags, notes=(*rated.notes, *differences))


def _spans(
    periods: Sequence[StationPeriod], session: ChargingSession, ended_at: datetime
) -> list[_Span]:
    clock, heard_at = session.clock, session.last_received_at
    dated = [(clock.effective(each.starts_at, heard_at), each) for each in periods]
    dated.sort(key=lambda each: each[0])
    ends = [*(at for at, _ in dated[1:]), max(ended_at, dated[-1][0])]
    return [_Span(at, end, told) for (at, told), end in zip(dated, ends, strict=True)]


def _energies(
    spans: Sequence[_Span], session: ChargingSession
) -> Iterator[tuple[datetime, Phrase]]:
    told = [(span, span.told.energy) for span in spans]
    whole = sum((energy for _, energy in told if energy is not None), Decimal(0))
    ours = session.energy_wh
    if ours is None or not session.points:
        return
    is_kilo = abs(whole * _KILO - ours) < abs(whole - ours)
    register = _Register(session)
    for span, energy in told:
        if energy is None:
            continue
        theirs = energy * _KILO if is_kilo else energy
        least, most = register.between(span.starts_at, span.ends_at)
        if least - WH_MAX <= theirs <= most + WH_MAX:
            continue
        here = f"{least:f} Wh" if least == most else f"{least:f} to {most:f} Wh"
        yield span.starts_at, _said(span, f"{theirs:f} Wh", here)


def _idle_times(
    spans: Sequence[_Span], session: ChargingSession, policy: Policy
) -> Iterator[tuple[datetime, Phrase]]:
    parked = _Parked(session, policy)
    for span in spans:
        if span.told.idle_s is None:
            continue
        ours = parked.until(span.ends_at) - parked.until(span.starts_at)
        if abs(timedelta(seconds=span.told.idle_s) - ours) > IDLE_MAX:
            here = f"{ours.total_seconds():.0f} s idle"
            yield span.starts_at, _said(span, f"{span.told.idle_s} s idle", here)


def _said(span: _Span, theirs: str, ours: str) -> Phrase:
    starts_at = span.starts_at.isoformat(timespec="seconds").replace("+00:00", "Z")
    return phrase("station_period_differs", starts_at=starts_at, station=theirs, ours=ours)


class _Register:
    """Between which values the energy of a session lay at a moment, by its readings."""

    def __init__(self, session: ChargingSession) -> None:
        self._at = [point.at for point in session.points]
        self._wh = [point.energy_wh for point in session.points]

    def between(self, starts_at: datetime, ends_at: datetime) -> tuple[Decimal, Decimal]:
        """Return the least and the most that can have flowed from one moment to another."""
        begin_least, begin_most = self._bounds(starts_at)
        end_least, end_most = self._bounds(ends_at)
        return max(Decimal(0), end_least - begin_most), end_most - begin_least

    def _bounds(self, at: datetime) -> tuple[Decimal, Decimal]:
        before, after = bisect_right(self._at, at) - 1, bisect_left(self._at, at)
        return self._wh[max(before, 0)], self._wh[min(after, len(self._wh) - 1)]


class _Parked:
    """How long a session was parking up to a moment."""

    def __init__(self, session: ChargingSession, policy: Policy) -> None:
        assert session.ended_at is not None
        self._from: list[datetime] = []
        self._lasting: list[timedelta] = []
        self._before: list[timedelta] = []
        whole = _ZERO
        ends = [*(span.starts_at for span in session.spans[1:]), session.ended_at]
        for span, end in zip(session.spans, ends, strict=False):
            if span.activity is Activity.PARKING and span.power_w <= policy.idle_power_w:
                self._from.append(span.starts_at)
                self._lasting.append(max(_ZERO, end - span.starts_at))
                self._before.append(whole)
                whole += self._lasting[-1]

    def until(self, at: datetime) -> timedelta:
        """Return how long it was parking up to *at*."""
        last = bisect_right(self._from, at) - 1
        if last < 0:
            return _ZERO
        return self._before[last] + min(at - self._from[last], self._lasting[last])
