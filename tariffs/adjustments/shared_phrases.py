"""Shared grants as phrases, and what others used of them."""

from __future__ import annotations

from decimal import Decimal
from typing import assert_never

from tariffs.adjustments.consumption import Consumption
from tariffs.adjustments.shared import Allowance, CouponGrant, Per, PeriodCap, SharedGrant
from tariffs.model.tariff import Dimension
from tariffs.phrases.phrase import Phrase, phrase
from tariffs.quantities import money_of_minor, plain


def shared_phrase(grant: SharedGrant) -> Phrase:
    """Say what *grant* does to a line."""
    match grant:
        case Allowance():
            return phrase(
                "allowance",
                allowance=grant.name,
                percent=grant.percent,
                sizes=_sizes(grant.kwh_max, grant.minutes_max),
                per=grant.per.value,
                shared_by=grant.shared_by.value,
                members=grant.members or None,
                because=grant.reason or None,
            )
        case PeriodCap():
            return _cap(grant)
        case CouponGrant():
            return phrase(
                "coupon",
                percent=grant.percent,
                coupon=grant.code,
                sizes=_sizes(grant.kwh_max, grant.minutes_max),
                uses_max=grant.uses_max,
                per=grant.per.value,
                shared_by=grant.shared_by.value,
                because=grant.reason or None,
            )
        case _:
            assert_never(grant)


def standing_phrase(grant: SharedGrant, period: str, used: Consumption, currency: str) -> Phrase:
    """Say what others had used of *grant*: "30 kWh used before in 2026-03"."""
    named = None if grant.per is Per.EVER else period
    match grant:
        case Allowance():
            sizes = _sizes(
                None if grant.kwh_max is None else plain(used.energy_wh / 1000),
                None if grant.minutes_max is None else plain(used.seconds / 60),
            )
            return phrase("allowance_used", sizes=sizes, period=named)
        case PeriodCap():
            paid = money_of_minor(used.amount_minor, currency).amount
            return phrase("cap_used", amount=paid, period=named)
        case CouponGrant():
            return phrase("coupon_used", uses=used.uses, period=named)
        case _:
            assert_never(grant)


def _cap(cap: PeriodCap) -> Phrase:
    dimensions = cap.dimensions or (Dimension.SESSION.value,)
    if cap.per is Per.NIGHT:
        return phrase(
            "period_cap_a_night",
            cap=cap.name,
            dimensions=dimensions,
            amount=cap.amount,
            start=f"{cap.start_time:%H:%M}",
            end=f"{cap.end_time:%H:%M}",
            shared_by=cap.shared_by.value,
            because=cap.reason or None,
        )
    return phrase(
        "period_cap",
        cap=cap.name,
        dimensions=dimensions,
        amount=cap.amount,
        per=cap.per.value,
        shared_by=cap.shared_by.value,
        because=cap.reason or None,
    )


def _sizes(kwh: Decimal | None, minutes: Decimal | None) -> tuple[Phrase, ...]:
    sizes = () if kwh is None else (phrase("kwh", kwh=kwh),)
    return sizes if minutes is None else (*sizes, phrase("minutes", minutes=minutes))
