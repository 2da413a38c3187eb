"""Why a line stands where it stands, in sentences that a finance person can read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import time
from decimal import Decimal
from typing import Final

from tariffs.model.tariff import WEEKDAYS, Dimension, ReservationRestriction, Restrictions, Weekday

WORDS: Final = {
    Dimension.FLAT: "the session fee",
    Dimension.ENERGY: "energy",
    Dimension.TIME: "charging time",
    Dimension.PARKING_TIME: "parking time",
    Dimension.RESERVATION_TIME: "reservation time",
    Dimension.SESSION: "the session",
}
_RESERVATION: Final = {
    ReservationRestriction.RESERVATION: "for a reservation",
    ReservationRestriction.RESERVATION_EXPIRES: "for a reservation that expired",
    ReservationRestriction.BOOKING: "for a booking",
    ReservationRestriction.BOOKING_EXPIRES: "for a booking that expired",
    ReservationRestriction.BOOKING_CANCELLATION_FEES: "for a booking that was cancelled",
    ReservationRestriction.BOOKING_OVERTIME: "for the time after a booking",
}
_MINUTE = 60
_RUN_MIN: Final = 3


def restrictions_text(restrictions: Restrictions) -> str:
    """Return *restrictions* as words: "Monday to Friday, 07:00 to 20:00"; "" for none."""
    return ", ".join(_restriction_words(restrictions))


def _restriction_words(restrictions: Restrictions) -> Iterator[str]:
    if restrictions.reservation is not None:
        yield _RESERVATION[restrictions.reservation]
    days = [_days(restrictions.day_of_week)] if restrictions.day_of_week else []
    days += ["public holidays"] if restrictions.holidays else []
    if days:
        yield " and ".join(days)
    if restrictions.season_start is not None:
        yield f"every year from {restrictions.season_start} before {restrictions.season_end}"
    start, end = restrictions.start_time, restrictions.end_time
    if start is not None or end is not None:
        last = "24:00" if end is None or end == time(0) else _clock(end)
        yield f"{_clock(start or time(0))} to {last}"
    if restrictions.start_date is not None:
        yield f"from {restrictions.start_date}"
    if restrictions.end_date is not None:
        yield f"before {restrictions.end_date}"
    yield from _range("kWh", restrictions.min_kwh, restrictions.max_kwh)
    yield from _range("kW", restrictions.min_power, restrictions.max_power)
    yield from _range("A", restrictions.min_current, restrictions.max_current)
    if restrictions.min_duration is not None:
        yield f"after {duration_text(restrictions.min_duration)}"
    if restrictions.max_duration is not None:
        yield f"in the first {duration_text(restrictions.max_duration)}"


def _range(unit: str, low: Decimal | None, high: Decimal | None) -> Iterator[str]:
    if low is not None:
        yield f"from {low:f} {unit}"
    if high is not None:
        yield f"below {high:f} {unit}"


def _days(days: Sequence[Weekday]) -> str:
    indices = sorted(WEEKDAYS.index(day) for day in days)
    if indices == list(range(indices[0], indices[-1] + 1)) and len(indices) >= _RUN_MIN:
        return f"{WEEKDAYS[indices[0]].title()} to {WEEKDAYS[indices[-1]].title()}"
    return ", ".join(WEEKDAYS[i].title() for i in indices)


def _clock(moment: time) -> str:
    return f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"


def duration_text(seconds: int) -> str:
    """Return "2 h 30 min", "45 s"."""
    minutes, rest = divmod(seconds, _MINUTE)
    hours, minutes = divmod(minutes, _MINUTE)
    parts = [f"{n} {unit}" for n, unit in ((hours, "h"), (minutes, "min"), (rest, "s")) if n]
    return " ".join(parts) or "0 s"


def element_text(index: int, name: str | None) -> str:
    """Return how an element is called; people count from 1."""
    return f"element {index + 1}" + (f" ({name})" if name else "")


def priced_reason(dimension: Dimension, index: int, name: str | None, when: str) -> str:
    """Say why an element's component holds."""
    holds = f"whose restrictions hold: {when}" if when else "here, without restrictions"
    return f"{element_text(index, name)}, the first for {WORDS[dimension]} {holds}"


def unpriced_reason(dimension: Dimension) -> str:
    """Say that nothing prices a dimension."""
    return f"no element of the tariff prices {WORDS[dimension]} here, so it is free"


def grace_reason(reason: str | None) -> str:
    """Say that parking is within the grace."""
    return "within the grace after charging" + (f": {reason}" if reason else "")
