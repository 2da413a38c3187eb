"""Who tells: the reader's language, the names behind subject ids, and the document's currency."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from ledger.invoices.document import REVERSE_CHARGE, WITHOUT_TAX, TaxTotal
from ledger.invoices.shown import InvoiceLine, ShownInvoice
from ledger.persons.store import readable
from projections.documents.evidence import DocumentEvidence
from projections.documents.languages.language import Language, language_of
from tariffs.phrases.phrase import Phrase

DASH: Final = "\N{EN DASH}"
"""Between two ends, and where there is nothing to say."""
QUANTITY_DIGITS_MAX: Final = 4
_ENERGY_DIGITS_MAX: Final = 3
_WH_OF_KWH: Final = 1000


@dataclass(frozen=True, slots=True)
class Teller:
    """Makes texts of one document's values."""

    language: Language
    evidence: DocumentEvidence
    currency: str

    @classmethod
    def of(cls, shown: ShownInvoice, evidence: DocumentEvidence) -> Teller:
        """Return who tells *shown* to its reader."""
        return cls(language_of(shown.language), evidence, shown.currency)

    def name(self, text: str) -> str:
        """Return *text* with names in place of subject ids, as far as they are known."""
        return readable(text, self.evidence.names)

    def money(self, minor: int) -> str:
        """Return an amount of the document's currency."""
        return self.language.money(minor, self.currency)

    def energy(self, energy_wh: Decimal) -> str:
        """Return an energy in kWh."""
        kwh = energy_wh / _WH_OF_KWH
        shown = self.language.number(kwh, digits_max=_ENERGY_DIGITS_MAX)
        return f"{shown} {self.language.unit('kWh', kwh)}"

    def power(self, power_w: Decimal) -> str:
        """Return a power in kW, as a diagram says it."""
        return f"{self.language.number(power_w / _WH_OF_KWH, digits_max=1)} kW"

    def quantity(self, line: InvoiceLine) -> str:
        """Return what a line is charged for; nothing of the document's own line."""
        if line.is_rounding:
            return ""
        shown = self.language.number(line.quantity, digits_max=QUANTITY_DIGITS_MAX)
        return f"{shown} {self.language.unit(line.unit, line.quantity)}"

    def price(self, line: InvoiceLine) -> str:
        """Return what one unit of a line costs; nothing of the document's own line."""
        if line.is_rounding:
            return ""
        price = self.language.price(line.unit_price, self.currency)
        return f"{price} / {self.language.unit(line.unit, Decimal(1))}"

    def percent(self, value: Decimal | None) -> str:
        """Return a rate of tax; a dash where none applies."""
        return DASH if value is None else self.language.percent(value)

    def span(self, starts_at: datetime, ends_at: datetime, *, seconds: bool = False) -> str:
        """Return from when until when; one moment where it is no longer."""
        if starts_at == ends_at:
            return self.language.moment(starts_at, seconds=seconds)
        return self.language.span(starts_at, ends_at, seconds=seconds)

    def reason(self, code: Phrase) -> str | None:
        """Return why a line stands as it does; None where that is no news to its reader.

        What holds always needs no reason; of a price that holds at times, these are the reason.
        """
        if code.code == "priced":
            return None
        when = code.parameters.get("when")
        if code.code == "priced_when" and isinstance(when, tuple):
            times = [self.language.words(each) for each in when if isinstance(each, Phrase)]
            return self.language.text("This price applies: {when}", when=", ".join(times))
        return self.language.words(code)

    def tax(self, tax: TaxTotal) -> str:
        """Return one tax of the document's sums: its name, its rate, what it is on."""
        name, on_sum = self.language.tax_name(tax), self.money(tax.taxable_minor)
        text = self.language.text
        if tax.category == REVERSE_CHARGE:
            return text("{tax} on {amount}, owed by the buyer", tax=name, amount=on_sum)
        if tax.category == WITHOUT_TAX:
            return text("No {tax} on {amount}", tax=name, amount=on_sum)
        if tax.percent is None:
            return tax.name
        rate = f"{name} {self.language.percent(tax.percent)}"
        return text("{tax} on {amount}", tax=rate, amount=on_sum)
