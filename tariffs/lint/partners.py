"""Rules about roaming: what OCPI cannot say, and what partners will see instead."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from tariffs.diff.words import adjustment_text
from tariffs.lint.subject import LintSubject, Rule, Said, Severity
from tariffs.model.tariff import TaxIncluded
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
        message = (
            f"OCPI has no words for '{adjustment_text(adjustment)}': partners see the tariff "
            "without it, and it does not reproduce the totals that they are sent"
        )
        yield ("adjustments", index), message
    yield from _unsayable_prices(subject)


def _unsayable_prices(subject: LintSubject) -> Iterator[Said]:
    """Find series, seasons, holidays and taxes per kWh."""
    tariff = subject.tariff
    for index, element in enumerate(tariff.elements):
        r = element.restrictions
        where = ("elements", index, "restrictions")
        if r.holidays:
            yield (*where, "day_of_week"), "OCPI has no holidays: partners see dates, or nothing"
        if r.season_start is not None:
            yield (*where, "season_start"), "OCPI has no seasons: partners see dates, or nothing"
    if tariff.price_series is not None:
        message = "OCPI has no price series: partners see the price without it"
        yield ("price_series",), message
    for tax in tariff.quantity_taxes:
        yield ("taxes",), f"OCPI has no taxes per kWh: partners see the tariff without {tax.name}"


def has_seconds(subject: LintSubject) -> Iterator[Said]:
    """Find times of day with seconds."""
    for index, element in enumerate(subject.tariff.elements):
        r = element.restrictions
        for key, moment in (("start_time", r.start_time), ("end_time", r.end_time)):
            if moment is not None and moment.second:
                message = f"OCPI has times of whole minutes: partners see {moment:%H:%M}"
                yield ("elements", index, "restrictions", key), message


def has_many_decimals(subject: LintSubject) -> Iterator[Said]:
    """Find prices with more decimals than OCPI's numbers."""
    for spot, _, _, component, _ in subject.components():
        if decimals_of(component.price) > PRICE_PLACES_MAX:
            message = f"OCPI's numbers have {PRICE_PLACES_MAX} decimals: partners see fewer"
            yield spot, f"{component.price:f}: {message}"


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
                message = (
                    f"{key} needs measured values in every period; without them partners ignore it "
                    "or skip the element"
                )
                yield ("elements", index, "restrictions", key), message
                break


def is_more_than_2_1_1(subject: LintSubject) -> Iterator[Said]:
    """Find what partners on OCPI 2.1.1 will not see."""
    tariff = subject.tariff
    restrictions = [element.restrictions for element in tariff.elements]
    unseen = {
        "min_price": tariff.min_price is not None,
        "max_price": tariff.max_price is not None,
        "VAT": any(c.vat is not None for _, _, _, c, _ in subject.components()),
        "reservations": any(r.reservation is not None for r in restrictions),
        "current": any(r.min_current or r.max_current for r in restrictions),
        "validity": bool(tariff.start_date_time or tariff.end_date_time),
    }
    names = [name for name, is_used in unseen.items() if is_used]
    if names:
        yield (), f"partners on OCPI 2.1.1 will not see: {', '.join(names)}"


def has_long_id(subject: LintSubject) -> Iterator[Said]:
    """Find ids that OCPI cannot carry."""
    identity = subject.tariff.id
    if len(identity) > ID_LENGTH_MAX or not identity.isascii():
        yield ("tariff",), f"an id of OCPI has at most {ID_LENGTH_MAX} ASCII characters"


def has_unknown_type(subject: LintSubject) -> Iterator[Said]:
    """Find tariff types that OCPI does not know."""
    kind = subject.tariff.type
    if kind is not None and kind not in TARIFF_TYPES:
        yield ("type",), f"OCPI knows the types {', '.join(TARIFF_TYPES)}; not {kind!r}"


def has_inexact_net_price(subject: LintSubject) -> Iterator[Said]:
    """Find prices with taxes inside whose price before taxes has no end."""
    if subject.tariff.tax_included is not TaxIncluded.YES:
        return
    for spot, _, _, component, _ in subject.components():
        if component.vat is None:
            continue
        net = Fraction(component.price) * 100 / (100 + Fraction(component.vat))
        if Fraction(decimal_of_ratio(net.numerator, net.denominator)) != net:
            message = "partners before OCPI 2.3.0 see a price before taxes, which is rounded here"
            yield spot, f"{component.price:f} with {component.vat:f} % inside: {message}"


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
