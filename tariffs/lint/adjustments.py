"""Rules about what adjusts a price: grace, grants, caps and what is free at first."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from typing import Final

from tariffs.adjustments.adjustment import (
    FeeCap,
    FreeFirst,
    Grant,
    GroupGrant,
    IdleGrace,
    ValidationGrant,
)
from tariffs.adjustments.shared import PeriodCap
from tariffs.calendar.week import Fee
from tariffs.calendar.words import amount_text
from tariffs.lint.subject import (
    STRONG_CURRENCIES,
    LintSubject,
    Rule,
    Said,
    Severity,
    Spot,
)
from tariffs.model.tariff import Dimension
from tariffs.phrases.phrase import phrase

_DAY_HOURS: Final = 24
_DAY_COST_MAX: Final = Decimal(100)


def has_idle_fee_without_grace(subject: LintSubject) -> Iterator[Said]:
    """Find parking prices from the first second after charging."""
    if not any(isinstance(a, IdleGrace) and a.seconds for a in subject.tariff.adjustments):
        for spot, _ in subject.priced(Fee.PARKING_TIME):
            yield spot, phrase("no_grace")


def has_idle_fee_without_cap(subject: LintSubject) -> Iterator[Said]:
    """Find parking prices that a car forgotten for a day makes dear."""
    tariff = subject.tariff
    caps = [a for a in tariff.adjustments if isinstance(a, FeeCap | PeriodCap)]
    is_capped = tariff.max_price is not None or any(
        not cap.dimensions or Dimension.PARKING_TIME in cap.dimensions for cap in caps
    )
    if not is_capped and tariff.currency in STRONG_CURRENCIES:
        for spot, component in subject.priced(Fee.PARKING_TIME):
            cost = component.price * _DAY_HOURS
            if cost > _DAY_COST_MAX:
                amount = amount_text(cost, tariff.currency)
                yield spot, phrase("no_cap", amount=amount, currency=tariff.currency)


def has_useless_grace(subject: LintSubject) -> Iterator[Said]:
    """Find grace periods without a parking price, and several where one counts."""
    graces = [
        (index, adjustment)
        for index, adjustment in enumerate(subject.tariff.adjustments)
        if isinstance(adjustment, IdleGrace)
    ]
    if graces and not any(subject.priced(Fee.PARKING_TIME)):
        yield ("adjustments", graces[0][0]), phrase("grace_of_nothing")
    for _, (index, _) in pairwise(graces):
        longest = max(grace.seconds for _, grace in graces)
        yield ("adjustments", index), phrase("several_graces", seconds=longest)


def has_free_time_beside_steps(subject: LintSubject) -> Iterator[Said]:
    """Find what is free at first of a fee with steps, where the file does not say which counts."""
    stepped = {
        component.dimension.value
        for _, _, _, component, _ in subject.components()
        if component.step_size > 1
    }
    for index, adjustment in enumerate(subject.tariff.adjustments):
        if isinstance(adjustment, FreeFirst) and not adjustment.before_steps:
            for dimension in adjustment.dimensions:
                if str(dimension) in stepped:
                    said = phrase("steps_before_free", dimension=dimension)
                    yield ("adjustments", index), said


def has_useless_grant(subject: LintSubject) -> Iterator[Said]:
    """Find grants on what costs nothing, and grants of nothing."""
    fees = {
        "RESERVATION_TIME" if fee is Fee.RESERVATION_TIME else component.dimension.value
        for _, _, _, component, fee in subject.components()
        if component.price > 0 or component.series
    }
    for spot, grant in _grants(subject):
        for dimension in grant.dimensions:
            if str(dimension) not in fees:
                yield spot, phrase("grant_on_nothing", dimension=dimension)
        if grant.percent == 0:
            yield spot, phrase("grant_of_nothing")


def _grants(subject: LintSubject) -> Iterator[tuple[Spot, Grant]]:
    for index, adjustment in enumerate(subject.tariff.adjustments):
        if isinstance(adjustment, GroupGrant | ValidationGrant):
            yield ("adjustments", index), adjustment


RULES: Final = (
    Rule(
        name="idle-fee-without-grace",
        severity=Severity.WARNING,
        reason="A driver who comes back at once pays, and complains.",
        check=has_idle_fee_without_grace,
    ),
    Rule(
        name="idle-fee-without-cap",
        severity=Severity.NOTE,
        reason="A car left overnight can cost more than it charged many times over.",
        check=has_idle_fee_without_cap,
    ),
    Rule(
        name="free-beside-steps",
        severity=Severity.WARNING,
        reason="What is free and what a step adds are another price in the other order.",
        check=has_free_time_beside_steps,
    ),
    Rule(
        name="useless-grace",
        severity=Severity.WARNING,
        reason="A grace period needs a parking price to be free of.",
        check=has_useless_grace,
    ),
    Rule(
        name="useless-grant",
        severity=Severity.WARNING,
        reason="A grant that lowers nothing was meant for something else.",
        check=has_useless_grant,
    ),
)
