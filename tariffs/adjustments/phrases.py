"""Adjustments as phrases: why a line that one of them made stands where it stands.

What the line or its decision says (its currency, the name of a tax) is left out.
"""

from __future__ import annotations

from decimal import Decimal

from tariffs.adjustments.adjustment import (
    AtLeast,
    CapPeriod,
    FeeCap,
    FreeBelow,
    FreeFirst,
    GroupGrant,
    LineAdjustment,
    QuantityTax,
    RoundDown,
    Surcharge,
    ValidationGrant,
)
from tariffs.adjustments.shared import Allowance, CouponGrant, PeriodCap
from tariffs.adjustments.shared_phrases import shared_phrase
from tariffs.currencies import currency_exponent
from tariffs.model.tariff import Dimension
from tariffs.phrases.phrase import Phrase, phrase
from tariffs.taxes.taxes import decimals_of


def adjustment_phrase(adjustment: LineAdjustment, currency: str) -> Phrase:
    """Say what *adjustment* does to a line, and why the tariff has it."""
    match adjustment:
        case QuantityTax():
            return phrase("tax", per_kwh=adjustment.per_kwh, vat=adjustment.vat)
        case GroupGrant() | ValidationGrant():
            return _granted(adjustment)
        case Allowance() | PeriodCap() | CouponGrant():
            return shared_phrase(adjustment)
        case FeeCap() | AtLeast() | Surcharge():
            return _priced(adjustment, currency)
        case FreeFirst() | FreeBelow() | RoundDown():
            return _freed(adjustment)


def amount_text(amount: Decimal, currency: str) -> str:
    """Return "18.00 EUR", with all decimals that the amount has."""
    return f"{_amount(amount, currency)} {currency}"


def _granted(grant: GroupGrant | ValidationGrant) -> Phrase:
    match grant:
        case GroupGrant():
            return phrase(
                "group",
                percent=grant.percent,
                group=grant.group,
                kwh_max=grant.kwh_max,
                minutes_max=grant.minutes_max,
                because=grant.reason or None,
            )
        case ValidationGrant():
            return phrase(
                "validation",
                percent=grant.percent,
                validation=grant.code,
                kwh_max=grant.kwh_max,
                minutes_max=grant.minutes_max,
                because=grant.reason or None,
            )


def _freed(adjustment: FreeFirst | FreeBelow | RoundDown) -> Phrase:
    because = adjustment.reason or None
    match adjustment:
        case FreeFirst(dimensions=dimensions):
            sizes = _sizes(adjustment.kwh, adjustment.seconds)
            first = "yes" if adjustment.before_steps else None
            return phrase(
                "free_first",
                sizes=sizes,
                dimensions=dimensions,
                before_steps=first,
                because=because,
            )
        case FreeBelow():
            sizes = _sizes(adjustment.kwh, adjustment.seconds)
            return phrase("free_below", sizes=sizes, because=because)
        case RoundDown(dimensions=dimensions):
            in_energy = dimensions == (Dimension.ENERGY,)
            size = adjustment.step
            step = phrase("wh", wh=size) if in_energy else phrase("duration", seconds=size)
            return phrase("round_down", step=step, dimensions=dimensions, because=because)


def _priced(adjustment: FeeCap | AtLeast | Surcharge, currency: str) -> Phrase:
    because = adjustment.reason or None
    dimensions = all_of(adjustment.dimensions)
    match adjustment:
        case FeeCap(per=CapPeriod.NIGHT):
            return phrase(
                "cap_a_night",
                dimensions=dimensions,
                amount=_amount(adjustment.amount, currency),
                start=f"{adjustment.start_time:%H:%M}",
                end=f"{adjustment.end_time:%H:%M}",
                because=because,
            )
        case FeeCap():
            amount, per = _amount(adjustment.amount, currency), adjustment.per.value
            return phrase("cap", dimensions=dimensions, amount=amount, per=per, because=because)
        case AtLeast():
            amount = _amount(adjustment.amount, currency)
            return phrase("at_least", dimensions=dimensions, amount=amount, because=because)
        case Surcharge():
            parts: tuple[Phrase, ...] = ()
            if adjustment.percent is not None:
                percent = adjustment.percent
                parts += (phrase("percent_on", percent=percent, dimensions=dimensions),)
            if adjustment.amount is not None:
                parts += (phrase("amount", amount=_amount(adjustment.amount, currency)),)
            methods = adjustment.payment_methods
            return phrase("surcharge", parts=parts, methods=methods, because=because)


def all_of(dimensions: tuple[str, ...]) -> tuple[str, ...]:
    """Return the dimensions that are meant: where none is named, the whole session."""
    return dimensions or (Dimension.SESSION.value,)


def _amount(amount: Decimal, currency: str) -> str:
    return f"{amount:.{max(decimals_of(amount), currency_exponent(currency))}f}"


def _sizes(kwh: Decimal | None, seconds: int | None) -> tuple[Phrase, ...]:
    sizes = () if kwh is None else (phrase("kwh", kwh=kwh),)
    return sizes if seconds is None else (*sizes, phrase("duration", seconds=seconds))
