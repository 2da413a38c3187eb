"""The least and the most that a session costs.

Grants come first: a session may cost less than min_price because of a grant, never otherwise.
Source: OCPI 2.3.0, mod_tariffs, Tariff.min_price and max_price (both limits apply on their own).
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from tariffs.compiled import CompiledTariff, Why
from tariffs.policy import LimitTaxPolicy, PricingPolicy
from tariffs.tariff import PriceLimit
from tariffs.taxes import scaled


class Limited(msgspec.Struct, frozen=True):
    """What a limit adds to the totals (or takes, when negative).

    The amounts stand over the tariff's denominator times `scale`, so that they are whole.
    """

    why: Why
    before: int
    tax: int
    scale: int


def limits_for(
    compiled: CompiledTariff, policy: PricingPolicy, *, before: int, tax: int, granted: bool
) -> Iterator[Limited]:
    """Yield what min_price or max_price change of a session's exact totals."""
    tariff = compiled.tariff
    if tariff.min_price is not None and not granted:
        yield from _limited(compiled, policy, tariff.min_price, Why.MIN_PRICE, before, tax)
    if tariff.max_price is not None:
        yield from _limited(compiled, policy, tariff.max_price, Why.MAX_PRICE, before, tax)


def _limited(
    compiled: CompiledTariff,
    policy: PricingPolicy,
    limit: PriceLimit,
    why: Why,
    before: int,
    tax: int,
) -> Iterator[Limited]:
    clamp = max if why is Why.MIN_PRICE else min
    unit = compiled.denominator // compiled.factors.price_scale
    before_limit = scaled(limit.before_taxes, compiled.factors.price_places) * unit
    limited = clamp(before, before_limit)
    if limit.after_taxes is not None:
        after_limit = scaled(limit.after_taxes, compiled.factors.price_places) * unit
        new_tax, scale = clamp(before + tax, after_limit) - limited, 1
    elif limited != before and before and policy.limit_tax is LimitTaxPolicy.PROPORTIONAL:
        new_tax, scale = tax * limited, before
    else:
        new_tax, scale = tax, 1
    if limited != before or new_tax != tax * scale:
        yield Limited(why, (limited - before) * scale, new_tax - tax * scale, scale)
