"""Rules about taxes: rates that are probably not meant, and prices that were left without."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tariffs.lint.subject import LintSubject, Rule, Said, Severity
from tariffs.model.tariff import TaxIncluded
from tariffs.phrases.phrase import phrase


def has_odd_vat(subject: LintSubject) -> Iterator[Said]:
    """Find VAT rates that look like a fraction."""
    for spot, _, _, component, _ in subject.components():
        if component.vat is not None and 0 < component.vat < 1:
            meant = component.vat * 100
            yield spot, phrase("vat_fraction", percent=component.vat, meant=meant)


def has_vat_in_part(subject: LintSubject) -> Iterator[Said]:
    """Find components without VAT beside others with it."""
    components = list(subject.components())
    if any(component.vat is not None for _, _, _, component, _ in components):
        for spot, _, _, component, _ in components:
            if component.vat is None and (component.price > 0 or component.series):
                yield spot, phrase("vat_in_part")


def has_no_vat(subject: LintSubject) -> Iterator[Said]:
    """Find tariffs that name no VAT at all and do not say that none applies."""
    tariff = subject.tariff
    silent = all(component.vat is None for _, _, _, component, _ in subject.components())
    if silent and tariff.tax_included is not TaxIncluded.NOT_APPLICABLE:
        yield (), phrase("vat_nowhere")


def has_taxes_that_do_not_apply(subject: LintSubject) -> Iterator[Said]:
    """Find taxes of a tariff that says that none apply."""
    if subject.compiled.ignores_taxes:
        yield ("tax_included",), phrase("taxes_not_charged")


RULES: Final = (
    Rule(
        name="vat-fraction",
        severity=Severity.WARNING,
        reason="VAT is in percent, 19 and not 0.19.",
        check=has_odd_vat,
    ),
    Rule(
        name="vat-in-part",
        severity=Severity.WARNING,
        reason="A price without VAT is billed without tax.",
        check=has_vat_in_part,
    ),
    Rule(
        name="no-vat",
        severity=Severity.NOTE,
        reason="A price without VAT is billed without tax.",
        check=has_no_vat,
    ),
    Rule(
        name="taxes-not-applicable",
        severity=Severity.WARNING,
        reason="A tax that is stated and not charged is owed by somebody all the same.",
        check=has_taxes_that_do_not_apply,
    ),
)
