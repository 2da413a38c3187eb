"""Tariffs and sessions made up from a seed: the same ones in every run, millions if need be.

Everything changes on whole minutes, and readings gain whole kilowatt-hours or none, unless a
session is asked to be `uneven`.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import TypeVar

from tariffs.adjustments.adjustment import Adjustment, IdleGrace
from tariffs.model.tariff import (
    COMPONENT_DIMENSIONS,
    WEEKDAYS,
    PriceComponent,
    Restrictions,
    Tariff,
    TariffElement,
)
from tariffs.model.usage import Activity, SessionUsage, UsagePoint, UsageSpan

ZONES = ("Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "America/New_York", "UTC")
# Evenings before days that are odd somewhere: clocks that shift, a year's end, a leap day.
EVENINGS = (
    datetime(2026, 3, 28, 20, tzinfo=UTC),
    datetime(2026, 10, 24, 20, tzinfo=UTC),
    datetime(2026, 12, 31, 20, tzinfo=UTC),
    datetime(2028, 2, 28, 20, tzinfo=UTC),
    datetime(2026, 4, 4, 12, tzinfo=UTC),
    datetime(2026, 11, 1, 3, tzinfo=UTC),
)
T = TypeVar("T")
_VATS = (None, Decimal(19), Decimal("7.5"), Decimal(0))
_STEPS = (0, 1, 60, 300, 500)


def made_up_tariff(random: Random) -> Tariff:
    """Return a tariff of one to four elements."""
    adjustments: tuple[Adjustment, ...] = ()
    if random.random() < 0.3:
        adjustments = (IdleGrace(seconds=60 * random.randrange(15)),)
    return Tariff(
        id="any",
        currency=random.choice(("EUR", "JPY", "KWD")),
        elements=tuple(_element(random) for _ in range(random.randint(1, 4))),
        adjustments=adjustments,
    )


def _element(random: Random) -> TariffElement:
    dimensions = random.sample(COMPONENT_DIMENSIONS, random.randint(1, 4))
    return TariffElement(
        price_components=tuple(
            PriceComponent(
                dimension=dimension,
                price=Decimal(random.randrange(9000)).scaleb(-3),
                vat=random.choice(_VATS),
                step_size=random.choice(_STEPS),
            )
            for dimension in dimensions
        ),
        restrictions=_restrictions(random),
    )


def _restrictions(random: Random) -> Restrictions:
    """Return restrictions of which each is there one time in four."""

    def often(value: T) -> T | None:
        return value if random.random() < 0.25 else None

    start, end = often(_quarter(random)), often(_quarter(random))
    if start == end:
        start = end = None
    return Restrictions(
        start_time=start,
        end_time=end,
        start_date=often(_date(random)),
        end_date=often(_date(random)),
        day_of_week=often(tuple(random.sample(WEEKDAYS, random.randint(1, 5)))) or (),
        min_duration=often(60 * random.randrange(40)),
        max_duration=often(60 * random.randint(1, 90)),
        min_kwh=often(Decimal(random.randrange(5))),
        max_kwh=often(Decimal(random.randint(1, 9))),
    )


def _quarter(random: Random) -> time:
    return time(random.randrange(24), random.choice((0, 15, 30, 45)))


def _date(random: Random) -> date:
    return (random.choice(EVENINGS) + timedelta(days=random.randint(-1, 2))).date()


def made_up_session(random: Random, *, uneven: bool = False) -> SessionUsage:
    """Return a session of at most two hours, with up to twelve readings.

    An `uneven` one has odd microseconds and energies; kWh thresholds fall anywhere in it.
    """
    start = random.choice(EVENINGS) + timedelta(minutes=random.randrange(600))
    minutes = random.randint(1, 120)
    moments = sorted(
        {0, minutes, *(random.randrange(minutes) for _ in range(random.randrange(10)))}
    )
    register = Decimal(0)
    points = [UsagePoint(start, register)]
    for minute in moments[1:]:
        at = start + timedelta(minutes=minute)
        gained = random.choice((0, 0, 1000, 2000, 3000))
        if uneven and minute != minutes:
            at -= timedelta(microseconds=random.randrange(60_000_000))
        register += Decimal(random.randrange(4_000_000)).scaleb(-3) if uneven else gained
        points.append(UsagePoint(at, register))
    spans = tuple(
        UsageSpan(
            start + timedelta(minutes=minute),
            random.choice((Activity.CHARGING, Activity.PARKING)),
        )
        for minute in sorted(random.choices(range(minutes + 1), k=random.randrange(4)))
    )
    return SessionUsage(
        starts_at=start,
        ends_at=start + timedelta(minutes=minutes),
        time_zone=random.choice(ZONES),
        points=tuple(points),
        spans=spans,
    )
