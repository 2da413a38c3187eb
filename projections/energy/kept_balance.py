"""The balance of days that was kept up: read and added up, and held against a count anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection
from psycopg.rows import class_row

from projections.balances.energy import EnergyBalance, EnergyDay

_NAMES: LiteralString = """
metered_wh, billed_wh, free_wh, held_for_decision_wh, waiting_wh, open_wh, written_off_wh,
unattributed_wh, late_wh, dropped_wh, invoiced_wh, no_invoice_wh
"""
# A plan for any stations and for all of them at once would look at every day there is.
_OF_STATIONS: LiteralString = " AND station_id = ANY (%(stations)s::text[])"
_OF_DAYS: LiteralString = """
FROM energy_day
WHERE day >= coalesce(%(first)s, '-infinity'::date) AND day <= coalesce(%(last)s, 'infinity'::date)
"""
_DAYS: LiteralString = "SELECT station_id, day," + _NAMES + _OF_DAYS
_NEWEST: LiteralString = " ORDER BY day DESC, station_id LIMIT %(limit)s"
_SUMS: LiteralString = """
SELECT count(*), count(*) FILTER (
        WHERE metered_wh - dropped_wh <> billed_wh + free_wh + held_for_decision_wh + waiting_wh
            + open_wh + written_off_wh + unattributed_wh
    ), sum(metered_wh), sum(billed_wh), sum(free_wh), sum(held_for_decision_wh), sum(waiting_wh),
    sum(open_wh), sum(written_off_wh), sum(unattributed_wh), sum(late_wh), sum(dropped_wh),
    sum(invoiced_wh), sum(no_invoice_wh)
"""
_KEPT_SUMS: LiteralString = """
SELECT sum(days), sum(days_off), sum(metered_wh), sum(billed_wh), sum(free_wh),
    sum(held_for_decision_wh), sum(waiting_wh), sum(open_wh), sum(written_off_wh),
    sum(unattributed_wh), sum(late_wh), sum(dropped_wh), sum(invoiced_wh), sum(no_invoice_wh)
"""
_TOTAL_SUMS: LiteralString = _KEPT_SUMS + "FROM energy_total WHERE true"
_MONTH_SUMS: LiteralString = (
    _KEPT_SUMS
    + """
FROM energy_month
WHERE month >= coalesce(%(first)s, '-infinity'::date)
  AND month < coalesce(%(after)s, 'infinity'::date)
"""
)
DAYS_LISTED: Final = 200
"""So many days are listed where nobody says: what a question costs does not grow with its books."""
_PARTS: Final = tuple(each.name for each in fields(EnergyDay) if each.name.endswith("_wh"))


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptBalance:
    """The balance of some days: the newest of them, by station and day, and all of them in all.

    `days_off` of all `day_count` days do not add up.
    """

    days: tuple[EnergyDay, ...]
    total: EnergyDay
    day_count: int
    days_off: int

    @property
    def is_balanced(self) -> bool:
        """Whether every single day adds up to the Wh, shown or not."""
        return not self.days_off


class DayDifference(NamedTuple):
    """A station's day that was not kept as it is counted; None: it has none.

    `day` is None for the sum of all its days.
    """

    station_id: str
    day: date | None
    kept: EnergyDay | None
    counted: EnergyDay | None


def kept_balance(
    connection: Connection[Any],
    *,
    station_id: str | None = None,
    stations: Sequence[str] | None = None,
    first_day: date | None = None,
    last_day: date | None = None,
    limit: int = DAYS_LISTED,
) -> KeptBalance:
    """Return the balance of one station or all as it was kept up.

    Args:
        connection: To the books; what came last may still have to be taken in (`EnergyKeeper`).
        station_id: Which; None: all of *stations*.
        stations: Which ones; None: all there are.
        first_day: From this day on.
        last_day: Up to and with this day.
        limit: At most so many days are listed.
    """
    if station_id is not None:
        stations = [station_id]
    wanted = None if stations is None else [*stations]
    asked = {"stations": wanted, "first": first_day, "last": last_day, "limit": limit}
    with connection.cursor(row_factory=class_row(EnergyDay)) as cursor:
        days = cursor.execute(_DAYS + _of(wanted) + _NEWEST, asked).fetchall()
    total = EnergyDay(station_id="", day=None)
    count = off = 0
    for row in _sums(connection, wanted, first_day, last_day):
        count += int(row[0] or 0)
        off += int(row[1] or 0)
        for name, energy_wh in zip(_PARTS, row[2:], strict=True):
            total.add(name, energy_wh or total.metered_wh * 0)
    days.sort(key=lambda each: (each.station_id, each.day))
    return KeptBalance(days=tuple(days), total=total, day_count=count, days_off=off)


def _sums(
    connection: Connection[Any], stations: list[str] | None, first: date | None, last: date | None
) -> Iterator[tuple[Any, ...]]:
    """Yield sums that are all of it: of whole months, and of the days before and after them."""
    asked: dict[str, object] = {"stations": stations}
    if first is None and last is None:
        yield from connection.execute(_TOTAL_SUMS + _of(stations), asked)
        return
    whole, single = _MONTH_SUMS + _of(stations), _SUMS + _OF_DAYS + _of(stations)
    begin = None if first is None else _month_from(first)
    end = None if last is None else _next_day(last).replace(day=1)
    if begin is not None and end is not None and begin >= end:
        yield from connection.execute(single, asked | {"first": first, "last": last})
        return
    yield from connection.execute(whole, asked | {"first": begin, "after": end})
    if begin is not None and begin != first:
        until = begin - timedelta(days=1)
        yield from connection.execute(single, asked | {"first": first, "last": until})
    if end is not None and last is not None and end <= last:
        yield from connection.execute(single, asked | {"first": end, "last": last})


def _of(stations: list[str] | None) -> LiteralString:
    return "" if stations is None else _OF_STATIONS


def _month_from(day: date) -> date:
    """Return the first day of the first month that begins on *day* or later."""
    if day.day == 1:
        return day
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1)


def _next_day(day: date) -> date:
    return day if day == date.max else day + timedelta(days=1)


def differences(kept: KeptBalance, counted: EnergyBalance) -> list[DayDifference]:
    """Return the days that differ; a day without any energy is as good as none."""
    both = [
        {(each.station_id, each.day): each for each in days if _has_energy(each)}
        for days in (kept.days, counted.days)
    ]
    return [
        DayDifference(key[0], key[1], both[0].get(key), both[1].get(key))
        for key in sorted(both[0].keys() | both[1].keys())
        if key[1] is not None and both[0].get(key) != both[1].get(key)
    ]


def _has_energy(day: EnergyDay) -> bool:
    return any(getattr(day, name) for name in _PARTS)
