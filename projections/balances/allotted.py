"""What became of what each session drew, day by day: a rating lays it, or its state does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Final, NamedTuple

from ledger.books.decisions_store import is_to_be_invoiced
from ledger.facts.station_traits import zone_of
from ledger.rating.decisions import SessionRated
from ledger.sessions.states import SessionState

_ZERO: Final = Decimal(0)

DayWh = Mapping[date, Decimal]
"""Energy by site-local day."""


class SessionDay(NamedTuple):
    """What one session drew on one day, in Wh, and what became of it.

    `shared_wh` of it another session has before it. `decided_as` is the session that was rated
    under the id that it had then, where that moved since; None: nothing rated stands for it, and
    `state` says why. `late_wh` came to light after the rating and is nobody's.
    Of what is billed `invoiced_wh` stands on an invoice, `no_invoice_wh` comes on none: it is
    settled with a partner, or nothing is due for it.
    """

    session_id: str
    day: date
    drawn_wh: Decimal
    shared_wh: Decimal
    state: str
    decided_as: str | None = None
    billed_wh: Decimal = _ZERO
    free_wh: Decimal = _ZERO
    late_wh: Decimal = _ZERO
    invoiced_wh: Decimal = _ZERO
    no_invoice_wh: Decimal = _ZERO

    @property
    def unpaid_wh(self) -> Decimal:
        """What nobody pays, or nobody pays yet, by its state."""
        return self.drawn_wh - self.shared_wh if self.decided_as is None else _ZERO


def allotted(
    drawn: Mapping[str, DayWh],
    shared: Mapping[str, DayWh],
    *,
    states: Mapping[str, str],
    rated: Mapping[str, SessionRated],
    invoiced: Mapping[str, Decimal],
    time_zone: str,
) -> Iterator[SessionDay]:
    """Yield what became of what sessions have *drawn*, for each of them and each day.

    *invoiced* is the energy of rated sessions that stands on invoices.
    What was *rated* and no register tells of any more has a day too, on which it drew nothing.
    """
    left = dict(rated)
    renamed = _renamed(left, drawn)
    for session_id, by_day in drawn.items():
        rating = left.pop(session_id, None)
        if rating is None and (moved := renamed.get(without_start(session_id))):
            rating = left.pop(moved.pop())
        if rating is not None:
            taken_by_day = shared.get(session_id, {})
            yield from _laid(rating, session_id, by_day, taken_by_day, invoiced)
            continue
        state = states.get(session_id, SessionState.WAITING)
        for day, energy_wh in by_day.items():
            taken = shared.get(session_id, {}).get(day, _ZERO)
            yield SessionDay(session_id, day, energy_wh, taken, state)
    for rating in left.values():
        day = rating.ended_at.astimezone(zone_of(time_zone)).date()
        yield from _laid(rating, rating.session_id, {day: _ZERO}, {}, invoiced)


def without_start(session_id: str) -> str:
    """Return what of *session_id* stays where its start moves."""
    return session_id.rsplit("/", 1)[0]


def _renamed(rated: Collection[str], drawn: Collection[str]) -> defaultdict[str, list[str]]:
    """Return what was rated and whose start, and so its id, moved since; the earliest last."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for rated_id in sorted(rated, reverse=True):
        if rated_id not in drawn:
            found[without_start(rated_id)].append(rated_id)
    return found


def _laid(
    rating: SessionRated,
    session_id: str,
    by_day: DayWh,
    shared: DayWh,
    invoiced: Mapping[str, Decimal],
) -> Iterator[SessionDay]:
    """Lay a rated session's energy on its days: what is free first, as allowances count.

    What the session drew beyond its rating came late and is nobody's until it is corrected.
    """
    free, billed = rating.free_wh, rating.billed_wh
    documented, has_invoice = invoiced.get(rating.session_id, _ZERO), is_to_be_invoiced(rating)
    for number, day in enumerate(sorted(by_day), 1):
        # The last day takes what is left, so that the days add up to the rating.
        is_last = number == len(by_day)
        free_here = free if is_last else min(by_day[day], free)
        billed_here = billed if is_last else min(by_day[day] - free_here, billed)
        documented_here = documented if is_last else min(billed_here, documented)
        yield SessionDay(
            session_id,
            day,
            drawn_wh=by_day[day],
            shared_wh=shared.get(day, _ZERO),
            state=SessionState.RATED,
            decided_as=rating.session_id,
            billed_wh=billed_here,
            free_wh=free_here,
            late_wh=max(by_day[day] - free_here - billed_here, _ZERO),
            invoiced_wh=documented_here,
            no_invoice_wh=_ZERO if has_invoice or documented_here else billed_here,
        )
        documented -= documented_here
        free, billed = free - free_here, billed - billed_here
