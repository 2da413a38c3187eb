"""Rules about roaming: what OCPI cannot say, and what partners will see instead."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from tariffs.calendar.words import whole_adjustment_phrase
from tariffs.lint.subject import LintSubject, Rule, Said, Severity
from tariffs.model.tariff import TaxIncluded
from tariffs.phrases.phrase import phrase
from tariffs.quantities import decimal_of_ratio
from tariffs.taxes.taxes import decimals_of

PRICE_PLACES_MAX: Final = 4
ID_LENGTH_MAX: Final = 36
TARIFF_TYPES: Final = (
    "AD_HOC_PAYMENT",
    "PROFILE_CHEAP",
    "PROFILE_FAST",
    "PROFILE_GREEN",
    "REGULAR",
)


def has_unsayable_adjustment(subject: LintSubject) -> Iterator[Said]:
    """Find adjustments, none of which OCPI has words for."""
    for index, adjustment in enumerate(subject.tariff.adjustments):
        words = whole_adjustment_phrase(adjustment, subject.tariff.currency)
        yield ("adjustments", index), phrase("unsaid_adjustment", adjustment=words)
    yield from _unsayable_prices(subject)


def _unsayable_prices(subject: LintSubject) -> Iterator[Said]:
    """Find series, seasons, holidays and taxes per kWh."""
    tariff = subject.tariff
    for index, element in enumerate(tariff.elements):
        r = element.restrictions
        where = ("elements", index, "restrictions")
        if r.holidays:
            yield (*where, "day_of_week"), phrase("unsaid_holidays")
        if r.season_start is not None:
            yield (*where, "season_start"), phrase("unsaid_seasons")
    if tariff.price_series is not None:
        yield ("price_series",), phrase("unsaid_series")
    for tax in tariff.quantity_taxes:
        yield ("taxes",), phrase("unsaid_tax", name=tax.name)


def has_seconds(subject: LintSubject) -> Iterator[Said]:
    """Find times of day with seconds."""
    for index, element in enumerate(subject.tariff.elements):
        r = element.restrictions
        for key, moment in (("start_time", r.start_time), ("end_time", r.end_time)):
            if moment is not None and moment.second:
                said = phrase("whole_minutes", clock=f"{moment:%H:%M}")
                yield ("elements", index, "restrictions", key), said


def has_many_decimals(subject: LintSubject) -> Iterator[Said]:
    """Find prices with more decimals than OCPI's numbers."""
    for spot, _, _, component, _ in subject.components():
        if decimals_of(component.price) > PRICE_PLACES_MAX:
            places = PRICE_PLACES_MAX
            yield spot, phrase("fewer_decimals", price=component.price, places=places)


def needs_measured_power(subject: LintSubject) -> Iterator[Said]:
    """Find restrictions on power or current, for which partners often have no data."""
    for index, element in enumerate(subject.tariff.elements):
        r = element.restrictions
        for key, bound in (
            ("min_power", r.min_power),
            ("max_power", r.max_power),
            ("min_current", r.min_current),
            ("max_current", r.max_current),
        ):
            if bound is not None:
                said = phrase("needs_measuring", key=key)
                yield ("elements", index, "restrictions", key), said
                break


def is_more_than_2_1_1(subject: LintSubject) -> Iterator[Said]:
    """Find what partners on OCPI 2.1.1 will not see."""
    tariff = subject.tariff
    restrictions = [element.restrictions for element in tariff.elements]
    unseen = {
        "min_price": tariff.min_price is not None,
        "max_price": tariff.max_price is not None,
        "vat": any(c.vat is not None for _, _, _, c, _ in subject.components()),
        "reservations": any(r.reservation is not None for r in restrictions),
        "current": any(r.min_current or r.max_current for r in restrictions),
        "validity": bool(tariff.start_date_time or tariff.end_date_time),
    }
    parts = tuple(name for name, is_used in unseen.items() if is_used)
    if parts:
        yield (), phrase("unseen_in_2_1_1", parts=parts)


def has_long_id(subject: LintSubject) -> Iterator[Said]:
    """Find ids that OCPI cannot carry."""
    identity = subject.tariff.id
    if len(identity) > ID_LENGTH_MAX or not identity.isascii():
        yield ("tariff",), phrase("id_too_long", length=ID_LENGTH_MAX)


def has_unknown_type(subject: LintSubject) -> Iterator[Said]:
    """Find tariff types that OCPI does not know."""
    kind = subject.tariff.type
    if kind is not None and kind not in TARIFF_TYPES:
        yield ("type",), phrase("type_unknown", known=TARIFF_TYPES, kind=kind)


def has_inexact_net_price(subject: LintSubject) -> Iterator[Said]:
    """Find prices with taxes inside whose price before taxes has no end."""
    if subject.tariff.tax_included is not TaxIncluded.YES:
        return
    for spot, _, _, component, _ in subject.components():
        if component.vat is None:
            continue
        net = Fraction(component.price) * 100 / (100 + Fraction(component.vat))
        if Fraction(decimal_of_ratio(net.numerator, net.denominator)) != net:
            price, percent = component.price, component.vat
            yield spot, phrase("net_price_rounded", price=price, percent=percent)


RULES: Final = (
    Rule(
        name="not-in-ocpi",
        severity=Severity.WARNING,
        reason="Partners and their drivers see only what OCPI can say.",
        check=has_unsayable_adjustment,
    ),
    Rule(
        name="seconds-in-time",
        severity=Severity.WARNING,
        reason="OCPI's start_time and end_time are HH:MM.",
        check=has_seconds,
    ),
    Rule(
        name="many-decimals",
        severity=Severity.WARNING,
        reason="OCPI's numbers have four decimals.",
        check=has_many_decimals,
    ),
    Rule(
        name="needs-measurements",
        severity=Severity.NOTE,
        reason="OCPI does not say what a restriction does where nothing was measured.",
        check=needs_measured_power,
    ),
    Rule(
        name="ocpi-2.1.1",
        severity=Severity.NOTE,
        reason="The oldest OCPI in use lacks much of what a tariff says.",
        check=is_more_than_2_1_1,
    ),
    Rule(
        name="long-id",
        severity=Severity.WARNING,
        reason="OCPI's ids are CiString(36).",
        check=has_long_id,
    ),
    Rule(
        name="unknown-type",
        severity=Severity.WARNING,
        reason="OCPI's TariffType is a closed list.",
        check=has_unknown_type,
    ),
    Rule(
        name="inexact-net-price",
        severity=Severity.NOTE,
        reason="OCPI 2.2.1 knows prices before taxes only.",
        check=has_inexact_net_price,
    ),
)
