"""Tariffs and sessions by chance, but never nonsense: for tests that compare two kernels."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random

from msgspec.structs import replace

from tariffs.adjustments.adjustment import Adjustment, GroupGrant, IdleGrace, ValidationGrant
from tariffs.model.tariff import (
    WEEKDAYS,
    Dimension,
    PriceComponent,
    PriceLimit,
    ReservationRestriction,
    Restrictions,
    Tariff,
    TariffElement,
    TaxIncluded,
)
from tariffs.model.usage import Activity, SessionUsage, UsagePoint, UsageSpan

ZONES = ("Europe/Berlin", "Asia/Kolkata", "America/St_Johns", "Australia/Lord_Howe", "UTC")
CURRENCIES = ("EUR", "USD", "JPY", "KWD")
ORIGIN = datetime(2025, 3, 28, tzinfo=UTC)
DAYS = 230  # both changes of the clock in Europe


def chance_tariff(random: Random) -> Tariff:
    """Return a tariff that uses any of the rules."""
    vats = random.choice(((None,), (Decimal(19),), (Decimal(19), Decimal("5.5"), None)))
    elements = tuple(_element(random, vats) for _ in range(random.randint(1, 5)))
    least = _limit(random) if random.random() < 0.3 else None
    most = _limit(random, above=least) if random.random() < 0.3 else None
    below_zero = random.random() < 0.2
    if below_zero:
        elements = tuple(_some_below_zero(random, each) for each in elements)
    adjustments: list[Adjustment] = []
    if random.random() < 0.3:
        adjustments.append(IdleGrace(seconds=random.choice((60, 600, 7200))))
    if random.random() < 0.4:
        adjustments.extend(chance_grant(random) for _ in range(random.randint(1, 3)))
    return Tariff(
        id="CHANCE",
        currency=random.choice(CURRENCIES),
        elements=elements,
        tax_included=random.choice((TaxIncluded.NO, TaxIncluded.YES)),
        min_price=least,
        max_price=most,
        adjustments=tuple(adjustments),
        below_zero=below_zero,
    )


def chance_grant(random: Random) -> Adjustment:
    """Return a grant to a group or a validation, of all or a part, without or within limits."""
    dimensions = random.choice(
        ((), ("ENERGY",), ("FLAT", "TIME"), ("PARKING_TIME",), ("RESERVATION_TIME", "ENERGY"))
    )
    percent = Decimal(random.choice(("0", "50", "33.3", "100", "100")))
    is_limited = random.random() < 0.4
    kwh = Decimal(random.choice(("0.001", "5", "100"))) if is_limited else None
    minutes = Decimal(random.choice(("0.5", "30", "600"))) if is_limited else None
    if random.random() < 0.5:
        return GroupGrant(
            group="staff",
            dimensions=dimensions,
            percent=percent,
            kwh_max=kwh,
            minutes_max=minutes,
        )
    return ValidationGrant(
        code="shop", dimensions=dimensions, percent=percent, kwh_max=kwh, minutes_max=minutes
    )


def _some_below_zero(random: Random, element: TariffElement) -> TariffElement:
    components = tuple(
        replace(each, price=random.choice((1, -1)) * each.price)
        for each in element.price_components
    )
    return replace(element, price_components=components)


def _element(random: Random, vats: tuple[Decimal | None, ...]) -> TariffElement:
    dimensions = random.sample(
        (Dimension.FLAT, Dimension.ENERGY, Dimension.TIME, Dimension.PARKING_TIME),
        random.randint(1, 4),
    )
    return TariffElement(
        price_components=tuple(
            PriceComponent(
                dimension=dimension,
                price=random.choice(
                    (Decimal(0), Decimal("0.49"), Decimal(random.randint(1, 99_999)) / 10_000)
                ),
                vat=random.choice(vats),
                step_size=random.choice((0, 1, 1, 300, 1000)),
            )
            for dimension in dimensions
        ),
        restrictions=_restrictions(random),
    )


def _restrictions(random: Random) -> Restrictions:
    kinds: dict[str, Callable[[], object]] = {
        "start_time": lambda: time(random.randint(0, 23), random.choice((0, 30, 59))),
        "end_time": lambda: time(random.randint(0, 23), random.choice((0, 30))),
        "start_date": lambda: date(2025, random.randint(3, 6), 1),
        "end_date": lambda: date(2025, random.randint(7, 11), 1),
        "min_kwh": lambda: Decimal(random.choice(("5", "0.0000003", "12.345"))),
        "max_kwh": lambda: Decimal(random.choice(("10", "20.5"))),
        "min_duration": lambda: random.choice((600, 3600, 12_345)),
        "max_duration": lambda: random.choice((1800, 7200)),
        "holidays": lambda: (date(2025, 5, 1), date(2025, 10, 3)),
        "season": lambda: random.choice((("06-01", "09-15"), ("10-01", "04-15"))),
        "day_of_week": lambda: tuple(random.sample(WEEKDAYS, random.randint(1, 6))),
    }
    chosen = {name: make() for name, make in kinds.items() if random.random() < 0.2}
    season = chosen.pop("season", None)
    if isinstance(season, tuple):
        chosen["season_start"], chosen["season_end"] = season
    if random.random() < 0.1:
        chosen["reservation"] = random.choice(tuple(ReservationRestriction))
    return Restrictions(**chosen)  # type: ignore[arg-type]  # each is made for its field


def _limit(random: Random, *, above: PriceLimit | None = None) -> PriceLimit:
    least = Decimal(0) if above is None else above.after_taxes or above.before_taxes
    before = least + Decimal(random.randint(0, 900)) / 100
    after = before + Decimal(random.randint(0, 300)) / 100 if random.random() < 0.5 else None
    return PriceLimit(before_taxes=before, after_taxes=after)


def chance_usage(random: Random) -> SessionUsage:
    """Return a session with readings at any instants, of any fineness."""
    unit = random.choice((60_000_000, 1_000_000, 1_000, 1))
    lasting = random.choice((3_600, 3_600, 36_000, 36_000, 360_000, 0)) * 1_000_000
    start = _moment(random.randint(0, DAYS * 86_400_000_000) // unit * unit)
    length = random.randint(1, max(lasting // unit, 1)) * unit if lasting else 0
    instants = sorted(
        {0, length, *(random.randint(0, length) for _ in range(random.randint(0, 6)))}
    )
    wh = random.choice((Decimal(1), Decimal("0.1"), Decimal("0.000000001"), Decimal(1000)))
    register, points = Decimal(0), []
    for i, instant in enumerate(instants):
        if i:
            register += random.choice((0, 1, 1, 1)) * wh * random.randint(0, 9_999)
        points.append(UsagePoint(start + timedelta(microseconds=instant), register))
    if random.random() < 0.05:
        points = []
    return SessionUsage(
        starts_at=start,
        ends_at=start + timedelta(microseconds=length),
        time_zone=random.choice(ZONES),
        points=tuple(points),
        spans=_spans(random, start, length, unit),
        groups=random.choice(((), (), ("Staff",), ("residents",), ("residents", "staff"))),
        validations=random.choice(((), (), ("shop",), ("shop", "hotel"))),
        reservation_expired=random.random() < 0.1,
    )


def _spans(random: Random, start: datetime, length: int, unit: int) -> tuple[UsageSpan, ...]:
    places = {random.randint(0, max(length // unit, 1)) * unit for _ in range(random.randint(0, 4))}
    activity, spans = Activity.CHARGING, []
    if random.random() < 0.1:
        spans.append(UsageSpan(start, Activity.RESERVATION))
        places.discard(0)
        activity = Activity.PARKING
    for spot in sorted(places):
        activity = Activity.PARKING if activity is Activity.CHARGING else Activity.CHARGING
        spans.append(UsageSpan(start + timedelta(microseconds=spot), activity))
    return tuple(spans)


def _moment(microseconds: int) -> datetime:
    return ORIGIN + timedelta(microseconds=microseconds)
