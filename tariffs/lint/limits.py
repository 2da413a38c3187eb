"""Rules about the least and the greatest price of a session."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from tariffs.lint.subject import LintSubject, Rule, Said, Severity
from tariffs.phrases.phrase import phrase
from tariffs.quantities import EXACT, plain


def has_crossed_limits(subject: LintSubject) -> Iterator[Said]:
    """Find a least price above the greatest; before taxes no tariff compiles with that."""
    low, high = subject.tariff.min_price, subject.tariff.max_price
    if low is not None and high is not None and low.after_taxes is not None:
        if high.after_taxes is not None and low.after_taxes > high.after_taxes:
            yield ("min_price",), phrase("limits_crossed")
        elif high.after_taxes is None:
            yield ("max_price",), phrase("limit_after_taxes")


def has_limits_against_rates(subject: LintSubject) -> Iterator[Said]:
    """Find limits of which no rate of the tariff makes the amount after taxes of that before."""
    rates = {component.vat or Decimal(0) for _, _, _, component, _ in subject.components()}
    low, high = subject.tariff.min_price, subject.tariff.max_price
    for name, limit, stricter in (("min_price", low, max), ("max_price", high, min)):
        if limit is None or limit.after_taxes is None:
            continue
        at_rates = {_with_tax(limit.before_taxes, rate): rate for rate in sorted(rates)}
        if min(at_rates) <= limit.after_taxes <= max(at_rates):
            continue
        nearest = min(at_rates) if limit.after_taxes < min(at_rates) else max(at_rates)
        before, after, rate = limit.before_taxes, limit.after_taxes, at_rates[nearest]
        if stricter(after, nearest) == nearest:
            yield (
                (name,),
                phrase(
                    "limit_never_decides", before=before, rate=rate, nearest=nearest, after=after
                ),
            )
        else:
            yield (
                (name,),
                phrase(
                    "limit_always_decides", before=before, rate=rate, nearest=nearest, after=after
                ),
            )


def _with_tax(amount: Decimal, percent: Decimal) -> Decimal:
    share = EXACT.add(Decimal(1), EXACT.divide(percent, Decimal(100)))
    return plain(EXACT.multiply(amount, share))


def pays_out(subject: LintSubject) -> Iterator[Said]:
    """Find tariffs of which a session may cost less than nothing."""
    tariff = subject.tariff
    if tariff.below_zero and tariff.min_price is None:
        yield ("below_zero",), phrase("may_pay_out")


def bills_empty_sessions(subject: LintSubject) -> Iterator[Said]:
    """Find a least price, which sessions without energy pay as well."""
    low = subject.tariff.min_price
    if low is not None and low.before_taxes > 0:
        yield ("min_price",), phrase("empty_session_pays")


RULES: Final = (
    Rule(
        name="crossed-limits",
        severity=Severity.ERROR,
        reason="No session can cost at least more than it costs at most.",
        check=has_crossed_limits,
    ),
    Rule(
        name="limits-against-rates",
        severity=Severity.WARNING,
        reason="Both limits hold, and tax stays at the rates: one of the two is never the price.",
        check=has_limits_against_rates,
    ),
    Rule(
        name="pays-out",
        severity=Severity.WARNING,
        reason="What is below zero is owed to the driver, on an invoice as well.",
        check=pays_out,
    ),
    Rule(
        name="empty-sessions-pay",
        severity=Severity.NOTE,
        reason="A failed session of 0 kWh is a frequent complaint.",
        check=bills_empty_sessions,
    ),
)
