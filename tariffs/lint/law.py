"""Rules about consumer law by country. Signs, not advice: every sentence ends at counsel.

They rest on public pages, not on the statutes: Germany's PAngV s. 14 and measurement law
(Eichrecht), and excise taxes per kWh in some states of the USA. Where nothing is known to us there
is no rule, which does not mean that there is no law.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tariffs.calendar.week import Fee
from tariffs.lint.subject import LintSubject, Rule, Said, Severity
from tariffs.model.tariff import TaxIncluded
from tariffs.phrases.phrase import phrase

_PAID_FEES: Final = (Fee.TIME, Fee.PARKING_TIME, Fee.FLAT)


def has_no_price_per_kwh_in_germany(subject: LintSubject) -> Iterator[Said]:
    """Find tariffs that cost something but not per kWh."""
    if subject.country == "DE" and not any(subject.priced(Fee.ENERGY)):
        for spot, _ in subject.priced(*_PAID_FEES):
            yield spot, phrase("de_price_per_kwh")
            return


def has_time_price_in_germany(subject: LintSubject) -> Iterator[Said]:
    """Find charging time beside energy."""
    if subject.country == "DE" and any(subject.priced(Fee.ENERGY)):
        for spot, _ in subject.priced(Fee.TIME):
            yield spot, phrase("de_measured_time")


def has_split_energy_in_germany(subject: LintSubject) -> Iterator[Said]:
    """Find energy prices that change within a session."""
    priced = list(subject.priced(Fee.ENERGY))
    prices = {component.price for _, component in priced}
    if subject.country == "DE" and len(prices) > 1:
        yield priced[1][0], phrase("de_signed_values")


def has_further_fees_in_germany(subject: LintSubject) -> Iterator[Said]:
    """Find fees that have to be shown beside the price per kWh."""
    if subject.country == "DE" and any(subject.priced(Fee.ENERGY)):
        for spot, _ in subject.priced(Fee.FLAT, Fee.PARKING_TIME):
            yield spot, phrase("de_further_fees")


def may_owe_excise_in_usa(subject: LintSubject) -> Iterator[Said]:
    """Remind of taxes per kWh, which no percentage can say."""
    if subject.country == "US" and any(fee is Fee.ENERGY for *_, fee in subject.components()):
        yield (), phrase("us_excise")


def hides_sales_tax_in_usa(subject: LintSubject) -> Iterator[Said]:
    """Find prices with taxes inside that nobody names."""
    if subject.country == "US" and subject.tariff.tax_included is TaxIncluded.YES:
        for spot, _, _, component, _ in subject.components():
            if component.vat is None and component.price > 0:
                yield spot, phrase("us_unnamed_tax")


RULES: Final = (
    Rule(
        name="de-price-per-kwh",
        severity=Severity.WARNING,
        reason="Germany: PAngV s. 14 asks for the price per kWh; Eichrecht against time alone.",
        check=has_no_price_per_kwh_in_germany,
    ),
    Rule(
        name="de-measured-time",
        severity=Severity.WARNING,
        reason="Germany: Eichrecht covers every measured quantity that is billed.",
        check=has_time_price_in_germany,
    ),
    Rule(
        name="de-signed-values",
        severity=Severity.NOTE,
        reason="Germany: a driver must be able to check the billed kWh from signed values.",
        check=has_split_energy_in_germany,
    ),
    Rule(
        name="de-further-fees",
        severity=Severity.NOTE,
        reason="Germany: PAngV s. 14 wants further fees complete and beside the price per kWh.",
        check=has_further_fees_in_germany,
    ),
    Rule(
        name="us-excise",
        severity=Severity.NOTE,
        reason="USA: excise taxes per kWh are due in some states, even on free energy.",
        check=may_owe_excise_in_usa,
    ),
    Rule(
        name="us-unnamed-tax",
        severity=Severity.WARNING,
        reason="USA: with taxes inside and no rate only the gross amount is known.",
        check=hides_sales_tax_in_usa,
    ),
)
