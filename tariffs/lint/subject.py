"""What a lint rule is given, and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Final

import msgspec

from tariffs.calendar.week import Fee, WeekCalendar, fee_of
from tariffs.calendar.words import label_phrase
from tariffs.kernel.compiled import CompiledTariff
from tariffs.lint.english import ENGLISH
from tariffs.lint.reach import TariffReach, calendars_of, reach_of
from tariffs.model.tariff import PriceComponent, Tariff, TariffElement
from tariffs.phrases.phrase import Phrase

# Currencies whose unit is worth about as much as a kWh costs two or three times.
STRONG_CURRENCIES: Final = frozenset({"EUR", "USD", "GBP", "CHF", "CAD", "AUD", "NZD", "SGD"})

# Keys and indices (from 0) from the top of the tariff to what a finding is about.
Spot = tuple[str | int, ...]


class Severity(StrEnum):
    """ERROR: it does not do what it says. WARNING: probably not meant. NOTE: good to know."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a rule found, at one spot of the tariff."""

    rule: str
    severity: Severity
    spot: Spot
    said: Phrase

    @property
    def message(self) -> str:
        """Return it in English."""
        return ENGLISH.words(self.said)


class LintSubject(msgspec.Struct, frozen=True, kw_only=True):
    """A tariff that compiles, what of it can ever hold, and where it is used.

    `calendars` are (when in a session, week) of every week and band that may differ. `country` in
    ISO 3166's two letters, None if nobody said.
    """

    tariff: Tariff
    compiled: CompiledTariff
    reach: TariffReach
    calendars: tuple[tuple[Phrase | None, WeekCalendar], ...]
    country: str | None

    def components(self) -> Iterator[tuple[Spot, int, TariffElement, PriceComponent, Fee | None]]:
        """Yield (spot, element index, element, component, fee) of each component, in order."""
        for index, element in enumerate(self.tariff.elements):
            reserved = element.restrictions.reservation is not None
            for component in element.price_components:
                spot = ("elements", index, component.dimension.lower())
                fee = fee_of(component.dimension, reserved=reserved)
                yield spot, index, element, component, fee

    def priced(self, *fees: Fee) -> Iterator[tuple[Spot, PriceComponent]]:
        """Yield (spot, component) of the components of *fees* that cost something."""
        for spot, _, _, component, fee in self.components():
            if fee in fees and (component.price > 0 or component.series):
                yield spot, component

    def label(self, index: int) -> Phrase:
        """Say "element 3 (idle fee)"."""
        return label_phrase(index, self.tariff.elements[index].name)


def subject_of(compiled: CompiledTariff, *, country: str | None) -> LintSubject:
    """Return *compiled* as rules look at it."""
    tariff = compiled.tariff
    reach = reach_of(compiled)
    return LintSubject(
        tariff=tariff,
        compiled=compiled,
        reach=reach,
        calendars=tuple(calendars_of(compiled, reach)),
        country=country or tariff.country_code,
    )


# A spot and what is said of it; the rule's table adds name and severity.
Said = tuple[Spot, Phrase]


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule: its name, how bad a finding is, why anybody should care, and the check."""

    name: str
    severity: Severity
    reason: str
    check: Callable[[LintSubject], Iterator[Said]]

    def findings(self, subject: LintSubject) -> Iterator[Finding]:
        """Yield what the rule finds."""
        for spot, said in self.check(subject):
            yield Finding(rule=self.name, severity=self.severity, spot=spot, said=said)
