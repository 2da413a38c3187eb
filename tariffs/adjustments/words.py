"""Adjustments in sentences: why a line that one of them made stands where it stands."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

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
    SessionAdjustment,
    Surcharge,
    ValidationGrant,
)
from tariffs.adjustments.shared import Allowance, CouponGrant, PeriodCap
from tariffs.adjustments.shared_words import shared_label, shared_rule
from tariffs.currencies import currency_exponent
from tariffs.model.reasons import WORDS, duration_text
from tariffs.model.tariff import Dimension
from tariffs.taxes.taxes import decimals_of

_LABELS: Final = {
    FreeFirst: "free at first",
    FreeBelow: "free for its size",
    RoundDown: "rounded down",
    FeeCap: "cap",
    AtLeast: "least fee",
    Surcharge: "surcharge",
}


def adjustment_reason(adjustment: LineAdjustment, currency: str) -> str:
    """Say what *adjustment* does to a line, and why the tariff has it."""
    if isinstance(adjustment, QuantityTax):
        return _tax(adjustment, currency)
    why = f": {adjustment.reason}" if adjustment.reason else ""
    return _rule(adjustment, currency) + why


def adjustment_label(adjustment: LineAdjustment) -> str:
    """Return what stands on an invoice line beside the fee: "group resident", "cap"."""
    match adjustment:
        case GroupGrant(group=group):
            return f"group {group}"
        case ValidationGrant(code=code):
            return f"validation {code}"
        case QuantityTax(name=name):
            return name
        case Allowance() | PeriodCap() | CouponGrant():
            return shared_label(adjustment)
        case _:
            return _LABELS[type(adjustment)]


def _tax(tax: QuantityTax, currency: str) -> str:
    also = "" if tax.vat is None else f", and {tax.vat:f} % of tax on it"
    return f"{tax.name}: {tax.per_kwh:f} {currency} per kWh, free or not{also}"


def _rule(adjustment: SessionAdjustment, currency: str) -> str:  # noqa: PLR0911 - one per type
    match adjustment:
        case GroupGrant(group=group):
            return _granted(adjustment, f"for members of the group {group!r}")
        case ValidationGrant(code=code):
            return _granted(adjustment, f"validated with {code!r}")
        case FreeFirst():
            amount = _size(adjustment.kwh, adjustment.seconds, " or ")
            return f"the first {amount} of {_words(adjustment.dimensions)} are free"
        case FreeBelow():
            size = _size(adjustment.kwh, adjustment.seconds, " or of less than ")
            return f"a session of less than {size} costs nothing"
        case RoundDown(dimensions=dimensions):
            in_energy = dimensions == (Dimension.ENERGY,)
            step = f"{adjustment.step} Wh" if in_energy else duration_text(adjustment.step)
            return f"only whole steps of {step} of {_words(dimensions)} are charged"
        case FeeCap():
            amount = amount_text(adjustment.amount, currency)
            return f"{_costs(adjustment.dimensions)} at most {amount} {_per(adjustment)}"
        case AtLeast():
            amount = amount_text(adjustment.amount, currency)
            return f"{_costs(adjustment.dimensions)} at least {amount}, as something of it is due"
        case Surcharge():
            return _added(adjustment, currency)
        case Allowance() | PeriodCap() | CouponGrant():
            return shared_rule(adjustment, currency)


def _granted(grant: GroupGrant | ValidationGrant, to: str) -> str:
    share = "free" if grant.percent == 100 else f"{grant.percent:f} % off"  # noqa: PLR2004 - percent
    limits = [
        f"up to {limit:f} {unit} a session"
        for limit, unit in ((grant.kwh_max, "kWh"), (grant.minutes_max, "min"))
        if limit is not None
    ]
    return ", ".join([f"{share} {to}", *limits])


def _added(surcharge: Surcharge, currency: str) -> str:
    parts = []
    if surcharge.percent is not None:
        parts.append(f"{surcharge.percent:f} % on {_words(surcharge.dimensions)}")
    if surcharge.amount is not None:
        parts.append(amount_text(surcharge.amount, currency))
    if not surcharge.payment_methods:
        return "a surcharge of " + " and ".join(parts)
    methods = " or ".join(repr(method) for method in surcharge.payment_methods)
    return f"a surcharge of {' and '.join(parts)} for payment by {methods}"


def amount_text(amount: Decimal, currency: str) -> str:
    """Return "18.00 EUR", with all decimals that the amount has."""
    return f"{amount:.{max(decimals_of(amount), currency_exponent(currency))}f} {currency}"


def _costs(dimensions: tuple[str, ...]) -> str:
    words = _words(dimensions)
    return f"{words} together cost" if len(dimensions) > 1 else f"{words} costs"


def _per(cap: FeeCap) -> str:
    match cap.per:
        case CapPeriod.SESSION:
            return "a session"
        case CapPeriod.DAY:
            return "a day"
        case CapPeriod.NIGHT:
            return f"a night from {cap.start_time:%H:%M} to {cap.end_time:%H:%M}"


def _size(kwh: Decimal | None, seconds: int | None, joint: str) -> str:
    sizes = [] if kwh is None else [f"{kwh:f} kWh"]
    sizes += [] if seconds is None else [duration_text(seconds)]
    return joint.join(sizes)


def _words(dimensions: tuple[str, ...]) -> str:
    if not dimensions:
        return WORDS[Dimension.SESSION]
    return " and ".join(WORDS[Dimension(dimension)] for dimension in dimensions)
