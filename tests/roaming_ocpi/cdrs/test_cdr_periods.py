"""Cutting our own session into charging periods, from which its price comes out again."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from random import Random

import pytest
from msgspec.structs import replace

from roaming_ocpi.cdrs.periods import Fineness, charging_periods
from tariffs.cdr.cdr import Cdr
from tariffs.cdr.cut import CutPeriod, cut_periods
from tariffs.cdr.pricing import price_cdr
from tariffs.kernel.pricing import compile_tariff, price_session
from tariffs.model.tariff import Dimension
from tariffs.model.usage import Activity, SessionUsage, UsagePoint, UsageSpan
from tests.depot import NOON, component, tariff
from tests.tariffs.chance import chance_tariff, chance_usage

HOUR = timedelta(hours=1)


def test_a_period_begins_where_price_or_activity_changes() -> None:
    day = tariff("day", component(Dimension.ENERGY, "0.50"), max_kwh=5)
    both = replace(
        day, elements=(*day.elements, *tariff("more", component(Dimension.ENERGY, "0.30")).elements)
    )
    usage = SessionUsage(
        starts_at=NOON,
        ends_at=NOON + 2 * HOUR,
        time_zone="UTC",
        points=(
            UsagePoint(NOON, Decimal(0)),
            UsagePoint(NOON + HOUR, Decimal(10_000)),
            UsagePoint(NOON + 2 * HOUR, Decimal(10_000)),
        ),
        spans=(UsageSpan(NOON, Activity.CHARGING), UsageSpan(NOON + HOUR, Activity.PARKING)),
    )

    cut = cut_periods(price_session(usage, compile_tariff(both)))

    assert cut == (
        CutPeriod(NOON, Decimal(5000), Activity.CHARGING),
        CutPeriod(NOON + HOUR / 2, Decimal(5000), Activity.CHARGING),
        CutPeriod(NOON + HOUR, Decimal(0), Activity.PARKING),
    )


@pytest.mark.parametrize("seed", range(600))
def test_whatever_is_priced_has_its_price_by_its_periods_again(seed: int) -> None:
    random = Random(seed)
    compiled = compile_tariff(replace(chance_tariff(random), adjustments=()))
    usage = chance_usage(random)
    priced = price_session(usage, compiled)

    cut = cut_periods(priced)
    cdr = Cdr(
        id="again",
        starts_at=usage.starts_at,
        ends_at=usage.ends_at,
        currency=compiled.tariff.currency,
        periods=charging_periods(cut, usage.ends_at, Fineness.EXACT),
        time_zone=usage.time_zone,
    )
    again = price_cdr(cdr, compiled, reservation_expired=usage.reservation_expired)

    assert sum(each.energy_wh for each in cut) == priced.energy_wh
    assert all(each.energy_wh >= 0 for each in cut)
    assert all(one.starts_at < other.starts_at for one, other in pairwise(cut))
    assert (again.before_minor, again.tax_minor) == (priced.before_minor, priced.tax_minor)
