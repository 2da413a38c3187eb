"""Bulk re-rating against the scalar kernel, one core, the same sessions and tariffs.

`bulk_rating`: sessions of 4 periods under 3 elements. `bulk_rating_mix`: three tariffs (windows by
the hour and the weekday, steps, a session fee, an idle fee after a grace period, price limits)
over sessions in three zones. `bulk_rating_grants`: those sessions with groups and validations, one
of them for two hours only (examples/tariffs/resident-amenity.yaml). Both sides must agree on every
session that the scalar side prices.
"""

from __future__ import annotations

import time as clock
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Final

import numpy as np
from msgspec import structs

from bench.pricing import bench_session, bench_tariff
from bench.run import Row
from tariffs.adjustments.adjustment import IdleGrace
from tariffs.bulk.columns import SessionColumns, columns_of
from tariffs.bulk.rating import bulk_tariff, rate_columns
from tariffs.files.tariff_file import read_tariff_file
from tariffs.kernel.compiled import CompiledTariff
from tariffs.kernel.pricing import compile_tariff, price_session
from tariffs.model.tariff import (
    Dimension,
    PriceComponent,
    PriceLimit,
    Restrictions,
    Tariff,
    TariffElement,
    Weekday,
)
from tariffs.model.usage import Activity, SessionUsage, UsagePoint, UsageSpan

_BULK: Final = 200_000
# The scalar side is some 80 times slower; the bulk side repeats its sessions.
_SCALAR: Final = 4_000
GRANTING: Final = Path(__file__).parents[1] / "examples" / "tariffs" / "resident-amenity.yaml"
_START: Final = datetime(2025, 1, 1, tzinfo=UTC)
_ZONES: Final = ("Europe/Berlin", "Europe/London", "America/New_York")


def rows(seconds: float) -> list[Row]:
    """Measure each side for about *seconds* a row."""
    fixed = [bench_session(number) for number in range(_SCALAR)]
    mix = mixed_sessions(_SCALAR)
    return [
        _row("bulk_rating", [bench_tariff()], fixed, seconds),
        _row("bulk_rating_mix", mixed_tariffs(), mix, seconds),
        _row("bulk_rating_grants", [granting_tariff()], granted_sessions(_SCALAR), seconds),
    ]


def _row(name: str, tariffs: list[Tariff], sessions: list[SessionUsage], seconds: float) -> Row:
    compiled = [compile_tariff(tariff) for tariff in tariffs]
    columns = repeated(columns_of(sessions), _BULK // len(sessions))
    expected = [_priced(each, sessions) for each in compiled]
    ours, handed = _bulk_rate(compiled, columns, expected, seconds)
    theirs = _scalar_rate(compiled, sessions, seconds)
    return {
        "name": name,
        "value": ours,
        "unit": f"sessions/s, {handed:.2%} of them by the kernel",
        "peer": "our scalar kernel (price_session)",
        "peer_value": theirs,
        "ratio": ours / theirs,
    }


def _priced(compiled: CompiledTariff, sessions: list[SessionUsage]) -> list[tuple[int, int]]:
    results = (price_session(session, compiled) for session in sessions)
    return [(result.before_minor, result.tax_minor) for result in results]


def _bulk_rate(
    compiled: list[CompiledTariff],
    columns: SessionColumns,
    expected: list[list[tuple[int, int]]],
    seconds: float,
) -> tuple[float, float]:
    """Return sessions per second of processor time, and the share that the kernel was handed."""
    tariffs = [bulk_tariff(each) for each in compiled]
    handed = 0
    for tariff, prices in zip(tariffs, expected, strict=True):
        totals = rate_columns(columns, tariff)
        pairs = np.stack((totals.before_minor, totals.tax_minor), axis=1)
        assert (pairs == np.tile(np.array(prices), (len(columns) // len(prices), 1))).all()
        handed += int(np.count_nonzero(totals.by_kernel))
    begun, done = clock.process_time(), 0
    while clock.process_time() - begun < seconds:
        for tariff in tariffs:
            rate_columns(columns, tariff)
        done += len(columns) * len(tariffs)
    return done / (clock.process_time() - begun), handed / (len(columns) * len(tariffs))


def _scalar_rate(
    compiled: list[CompiledTariff], sessions: list[SessionUsage], seconds: float
) -> float:
    begun, done = clock.process_time(), 0
    while clock.process_time() - begun < seconds:
        for each in compiled:
            for session in sessions:
                price_session(session, each)
        done += len(sessions) * len(compiled)
    return done / (clock.process_time() - begun)


def repeated(columns: SessionColumns, times: int) -> SessionColumns:
    """Return *columns* so many times one after the other."""
    return columns.only(np.tile(np.arange(len(columns)), times))


def mixed_tariffs() -> list[Tariff]:
    """Return tariffs as operators have them: by the hour, at weekends, with fees and limits."""
    weekend = (Weekday.SATURDAY, Weekday.SUNDAY)
    vat, energy, flat = Decimal(19), Dimension.ENERGY, Dimension.FLAT
    idle = TariffElement(
        price_components=(_component(Dimension.PARKING_TIME, "6", vat, 60),),
        restrictions=Restrictions(start_time=time(8), end_time=time(20)),
    )
    base = TariffElement(price_components=(_component(energy, "0.39", vat),))
    peak = TariffElement(
        price_components=(_component(energy, "0.59", vat), _component(flat, "0.5", vat)),
        restrictions=Restrictions(start_time=time(17), end_time=time(21)),
    )
    quiet = TariffElement(
        price_components=(_component(energy, "0.3499", vat, 100),),
        restrictions=Restrictions(day_of_week=weekend),
    )
    long = TariffElement(
        price_components=(_component(Dimension.TIME, "3.6", vat, 300),),
        restrictions=Restrictions(min_duration=14_400),
    )
    least = PriceLimit(before_taxes=Decimal(1))
    most = PriceLimit(before_taxes=Decimal(40), after_taxes=Decimal("47.60"))
    grace = (IdleGrace(seconds=600),)
    return [
        Tariff(id="peak", currency="EUR", elements=(peak, base, idle), min_price=least),
        Tariff(id="quiet", currency="EUR", elements=(quiet, base, idle), adjustments=grace),
        Tariff(id="long", currency="EUR", elements=(peak, quiet, base, long), max_price=most),
    ]


def _component(dimension: Dimension, price: str, vat: Decimal, step: int = 1) -> PriceComponent:
    return PriceComponent(dimension=dimension, price=Decimal(price), vat=vat, step_size=step)


def mixed_sessions(count: int, seed: int = 4) -> list[SessionUsage]:
    """Return sessions over a year, by the quarter of an hour, some parked, some free of energy."""
    random = Random(seed)
    return [_mixed_session(random) for _ in range(count)]


def granting_tariff() -> Tariff:
    """Return the tariff that two groups and a shop's customers pay less of."""
    tariff, _ = read_tariff_file(GRANTING.read_text("utf-8"), str(GRANTING))
    assert tariff is not None
    return tariff


def granted_sessions(count: int, seed: int = 5) -> list[SessionUsage]:
    """Return mixed sessions of which two in three have groups, validations or both."""
    random = Random(seed)
    groups = ((), (), ("resident",), ("employee",), ("resident", "employee"))
    codes = ((), (), (), ("shop",), ("shop", "hotel"))
    return [
        structs.replace(each, groups=random.choice(groups), validations=random.choice(codes))
        for each in mixed_sessions(count, seed)
    ]


def _mixed_session(random: Random) -> SessionUsage:
    start = _START + timedelta(seconds=random.randint(0, 365 * 86_400))
    charging, parking = random.randint(1, 24), random.choice((0, 0, 1, 4, 12))
    quarter = timedelta(minutes=15)
    points: list[UsagePoint] = []
    for i in range(charging + parking + 1):
        last = points[-1].energy_wh if points else Decimal(0)
        rise = random.randint(500, 2_750) if 0 < i <= charging else 0
        points.append(UsagePoint(start + quarter * i, last + rise))
    spans = [UsageSpan(start, Activity.CHARGING)]
    if parking:
        spans.append(UsageSpan(start + quarter * charging, Activity.PARKING))
    return SessionUsage(
        starts_at=start,
        ends_at=points[-1].at,
        time_zone=random.choice(_ZONES),
        points=tuple(points),
        spans=tuple(spans),
    )
