"""The rule about VAT by place of supply: a tariff's rate held against its country's table."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Final

from tariffs.lint.subject import LintSubject, Rule, Said, Severity
from tariffs.model.tariff import Tariff
from tariffs.phrases.phrase import Phrase, phrase
from tariffs.taxes.places import PLACES, VatPlace


def differs_from_country(subject: LintSubject) -> Iterator[Said]:
    """Find rates that are not the standard rate where the tariff is used, while it holds."""
    country = (subject.country or "").upper()
    place = PLACES.get(country)
    if place is None or subject.compiled.ignores_taxes or subject.tariff.sales_taxes:
        return
    told: set[Decimal] = set()
    for spot, _, _, component, _ in subject.components():
        if component.vat is None or component.vat in told:
            continue
        told.add(component.vat)
        said = _difference(component.vat, country, place, subject.tariff)
        if said is not None:
            yield (*spot, "vat"), said


def _difference(percent: Decimal, country: str, place: VatPlace, tariff: Tariff) -> Phrase | None:
    # Days by UTC: it is a warning, and no law changes a rate at noon.
    start, end = tariff.start_date_time, tariff.end_date_time
    newest = place.rates[-1].since
    first = newest if start is None else start.date()
    holding = place.rates_within(first, None if end is None else end.date())
    if not holding or {each.percent for each in holding} == {percent}:
        return None
    rates = tuple(_rate(each.percent, each.since, first) for each in holding)
    return phrase(
        "vat_of_country", percent=percent, country=country, rates=rates, source=place.source
    )


def _rate(percent: Decimal, since: date, first: date) -> Phrase:
    return phrase(
        "standard_rate", percent=percent, since=since.isoformat() if since > first else None
    )


RULES: Final = (
    Rule(
        name="vat-of-country",
        severity=Severity.WARNING,
        reason="Charging is taxed where the station stands (Directive 2006/112/EC, art. 39).",
        check=differs_from_country,
    ),
)
