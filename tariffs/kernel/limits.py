"""The least and the most that a session costs.

Adjustments come first: a session may cost less than min_price because something of it was given
away, never otherwise.
Source: OCPI 2.3.0, mod_tariffs, Tariff.min_price and max_price (both limits apply on their own).
"""

from __future__ import annotations

import msgspec

from tariffs.kernel.compiled import CompiledTariff, Why
from tariffs.model.policy import LimitTaxPolicy, PricingPolicy
from tariffs.taxes.taxes import scaled


class Limited(msgspec.Struct, frozen=True):
    """What a limit adds to the totals (or takes, when negative).

    The amounts stand over the tariff's denominator times `scale`, so that they are whole.
    """

    before: int
    tax: int
    scale: int


def limit_for(
    compiled: CompiledTariff,
    policy: PricingPolicy,
    why: Why,
    *,
    before: int,
    tax: int,
    denominator: int,
) -> Limited | None:
    """Return what min_price or max_price (*why*) changes of exact totals over *denominator*."""
    is_least = why is Why.MIN_PRICE
    limit = compiled.tariff.min_price if is_least else compiled.tariff.max_price
    if limit is None:
        return None
    clamp = max if is_least else min
    # Whole: the limits' own decimals went into price_scale (`tariffs.taxes.taxes`).
    unit = denominator // compiled.factors.price_scale
    limited = clamp(before, scaled(limit.before_taxes, compiled.factors.price_decimals) * unit)
    if limit.after_taxes is not None:
        after_limit = scaled(limit.after_taxes, compiled.factors.price_decimals) * unit
        new_tax, scale = clamp(before + tax, after_limit) - limited, 1
    # A session of 0.00 has no mix of rates to keep: a least price on it bears no tax.
    elif limited != before and before and policy.limit_tax is LimitTaxPolicy.PROPORTIONAL:
        # A fraction over `before`; the caller writes everything over `before` times as much.
        new_tax, scale = tax * limited, before
    else:
        new_tax, scale = tax, 1
    if limited == before and new_tax == tax * scale:
        return None
    return Limited((limited - before) * scale, new_tax - tax * scale, scale)
