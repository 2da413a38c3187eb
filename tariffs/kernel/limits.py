"""The least and the most that a session costs.

Adjustments come first: a session may cost less than min_price because something of it was given
away, never otherwise.

The limit before taxes comes first, and each rate of VAT keeps its share of the price: tax stays at
the tariff's rates. What then is beyond the limit after taxes is put there, by tax alone, for the
text wants both limits to apply on their own. With 19 % VAT:

    min_price 5.00 and 5.50, 4.80 + 0.912    5.00 + 0.95; the limit after taxes holds by itself
    min_price 5.00 and 6.50, 4.80 + 0.912    5.00 + 1.50; the two contradict the rate

Source: OCPI 2.3.0, mod_tariffs, Tariff.min_price and max_price (and the example of 10.00 and 11.00
at two rates, 10 % and 20 %).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from tariffs.kernel.compiled import CompiledTariff, Why
from tariffs.kernel.rounding import Amounts
from tariffs.kernel.tally import Run
from tariffs.model.policy import LimitTaxPolicy, PricingPolicy
from tariffs.model.tariff import PriceLimit, Tariff
from tariffs.taxes.taxes import decimals_of, scaled

# VAT in percent, and what is added before taxes and as tax (or taken, when negative).
LimitedPart = tuple[Decimal | None, int, int]


class Limited(msgspec.Struct, frozen=True):
    """What a limit changes: a part for each rate of VAT, or one whose tax follows from none.

    The amounts stand over the session's denominator times `scale`, so that they are whole.
    """

    parts: Sequence[LimitedPart]
    scale: int


def limit_for(
    compiled: CompiledTariff,
    policy: PricingPolicy,
    why: Why,
    runs: Sequence[Run],
    amounts: Amounts,
) -> Limited | None:
    """Return what min_price or max_price (*why*) changes of what a session's lines come to."""
    is_least = why is Why.MIN_PRICE
    limit = compiled.tariff.min_price if is_least else compiled.tariff.max_price
    if limit is None:
        return None
    clamp = max if is_least else min
    before, tax = sum(amounts.befores), sum(amounts.taxes)
    bound, *after_bound = _bounds(limit, compiled, amounts)
    limited = clamp(before, bound)
    if limited == before or policy.limit_tax is LimitTaxPolicy.UNCHANGED:
        changed = Limited([(None, limited - before, 0)], 1)
    elif before:
        changed = _in_proportion(runs, amounts, limited)
    else:
        changed = _on_nothing(compiled.tariff, limited)
    scale = changed.scale
    after = scale * (before + tax) + sum(owed + its_tax for _, owed, its_tax in changed.parts)
    for each in after_bound:
        if (clamped := clamp(after, each * scale)) != after:
            added = (limited - before) * scale
            changed = Limited([(None, added, clamped - (before + tax) * scale - added)], scale)
    is_changed = any(owed or its_tax for _, owed, its_tax in changed.parts)
    return changed if is_changed else None


def rate_on_nothing(tariff: Tariff) -> Decimal | None:
    """Return the VAT on a least price of a session that owes nothing: the first that is stated."""
    components = (c for element in tariff.elements for c in element.price_components)
    return next((c.vat for c in components if c.vat is not None), None)


def _bounds(limit: PriceLimit, compiled: CompiledTariff, amounts: Amounts) -> list[int]:
    """Return the limit before taxes, and with them if given, over the session's denominator."""
    # Whole: the limits' own decimals went into price_scale (`tariffs.taxes.taxes`).
    unit = amounts.denominator // compiled.factors.price_scale
    given = [limit.before_taxes, limit.after_taxes]
    return [
        scaled(each, compiled.factors.price_decimals) * unit for each in given if each is not None
    ]


def _in_proportion(runs: Sequence[Run], amounts: Amounts, limited: int) -> Limited:
    """Bring what is owed before taxes to *limited*, each rate by its share of it."""
    rates: dict[Decimal | None, tuple[int, int]] = {}
    for run, owed, tax in zip(runs, amounts.befores, amounts.taxes, strict=True):
        sofar = rates.get(run.component.vat, (0, 0))
        rates[run.component.vat] = sofar[0] + owed, sofar[1] + tax
    before = sum(amounts.befores)
    change = limited - before
    # Every amount times limited / before: whole over `before` times the denominator.
    return Limited(
        [(vat, owed * change, tax * change) for vat, (owed, tax) in rates.items() if owed], before
    )


def _on_nothing(tariff: Tariff, limited: int) -> Limited:
    vat = rate_on_nothing(tariff)
    if vat is None:
        return Limited([(None, limited, 0)], 1)
    decimals = decimals_of(vat)
    hundred: int = 100 * 10**decimals
    return Limited([(vat, limited * hundred, limited * scaled(vat, decimals))], hundred)
