"""What a document over several sessions owes of each tax: the taxable sum times the rate, once.

A session was told its price, and so an expected tax, rounded for itself. A document's tax follows
from its own sum (`tariffs.taxes.taxed_sum`), so it may differ from what its sessions expected.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from ledger.rating.decisions import RatedLine, SessionRated
from tariffs.currencies import currency_exponent
from tariffs.kernel.rounding import cash_rest
from tariffs.model.policy import policy_named
from tariffs.quantities import EXACT, Money, plain, round_money
from tariffs.taxes.names import tax_name, taxes_of_rate
from tariffs.taxes.sales_taxes import SalesTax
from tariffs.taxes.taxed_sum import TaxedSum, TaxOnSum, taxed_sum


class LineTax(NamedTuple):
    """What a line is taxed by: the lines of one are one sum of a document.

    `percent` is all of `parts` together, None where no rate applies. `name`: of a tax per kWh,
    which the line then is. `reverse_charge`: the buyer owes the tax.
    """

    country: str
    percent: Decimal | None
    name: str | None
    reverse_charge: bool
    parts: tuple[SalesTax, ...]

    @property
    def title(self) -> str:
        """Return what people call it ("GST + PST")."""
        named = [self.name] if self.name else [part.name for part in self.parts]
        return " + ".join(named) or tax_name(self.country)

    def order(self) -> tuple[str, Decimal, str, bool, tuple[str, ...]]:
        """Return what a document has its taxes in the order of."""
        # No rate is less than 0 %, and None does not sort.
        percent = Decimal(-1) if self.percent is None else self.percent
        names = tuple(f"{part.name} {part.percent:f} {part.stack}" for part in self.parts)
        return self.country, percent, self.name or "", self.reverse_charge, names


class DocumentTax(NamedTuple):
    """What a document owes under one `LineTax`."""

    tax: LineTax
    owed: TaxedSum


class DocumentTaxes(NamedTuple):
    """All taxes of a document, and what makes its amount due exact; minor units.

    `rounding_minor` is that of each sum, and what rounds the whole to coins.
    """

    taxes: tuple[DocumentTax, ...]
    rounding_minor: int

    @property
    def net_minor(self) -> int:
        """Return what is owed before taxes."""
        return sum(each.owed.net_minor for each in self.taxes)

    @property
    def tax_minor(self) -> int:
        """Return all taxes."""
        return sum(each.owed.tax_minor for each in self.taxes)

    @property
    def due_minor(self) -> int:
        """Return what the buyer has to pay."""
        return self.net_minor + self.tax_minor + self.rounding_minor

    def less(self, part: DocumentTaxes) -> DocumentTaxes:
        """Return what is left of them without *part*, of which each tax is one of them."""
        parts = dict(part.taxes)
        taxes = tuple(
            DocumentTax(tax, _less(owed, parts[tax]) if tax in parts else owed)
            for tax, owed in self.taxes
        )
        return DocumentTaxes(taxes, self.rounding_minor - part.rounding_minor)


_Lines = Sequence[tuple[SessionRated, RatedLine]]


def line_tax(session: SessionRated, line: RatedLine) -> LineTax:
    """Return what *line* of *session* is taxed by."""
    country = session.country
    if line.is_tax:
        return LineTax(country, None, line.element_name, reverse_charge=False, parts=())
    percent = None if line.tax_percent is None else plain(line.tax_percent)
    reverse = session.reverse_charge_vat_id is not None
    parts = () if percent is None else taxes_of_rate(percent, session.sales_taxes, country)
    return LineTax(country, percent, None, reverse, parts)


def document_taxes(sessions: Sequence[SessionRated]) -> DocumentTaxes:
    """Return what one document over *sessions*, at least one and of one currency, owes."""
    lines: defaultdict[LineTax, list[tuple[SessionRated, RatedLine]]] = defaultdict(list)
    for session in sessions:
        for line in session.lines:
            lines[line_tax(session, line)].append((session, line))
    taxes = tuple(
        DocumentTax(tax, _owed(tax, lines[tax])) for tax in sorted(lines, key=LineTax.order)
    )
    rounding = sum(each.owed.rounding_minor for each in taxes)
    owed = DocumentTaxes(taxes, rounding)
    # Sessions that are paid in coins, each for itself, are paid in coins together.
    exponent = currency_exponent(sessions[0].currency)
    coin_minor = min(policy_named(each.policy).coin_minor(exponent) for each in sessions)
    return owed._replace(rounding_minor=rounding + cash_rest(owed.due_minor, coin_minor))


def owed_beyond(before: Sequence[SessionRated], sessions: Sequence[SessionRated]) -> DocumentTaxes:
    """Return what *sessions* add to what *before* owes on one document."""
    owed = document_taxes([*before, *sessions])
    return owed.less(document_taxes(before)) if before else owed


def _less(whole: TaxedSum, part: TaxedSum) -> TaxedSum:
    taxes = tuple(
        TaxOnSum(each.base_minor - other.base_minor, each.tax_minor - other.tax_minor)
        for each, other in zip(whole.taxes, part.taxes, strict=True)
    )
    rounding_minor = whole.rounding_minor - part.rounding_minor
    return TaxedSum(whole.net_minor - part.net_minor, taxes, rounding_minor)


def _owed(tax: LineTax, lines: _Lines) -> TaxedSum:
    if tax.percent is None:
        net = sum(line.net_minor for _, line in lines)
        return TaxedSum(net, (TaxOnSum(net, _tax_without_rate(tax, lines)),), 0)
    inside = [line for session, line in lines if session.tax_included]
    outside = [line for session, line in lines if not session.tax_included]
    return taxed_sum(
        tax.parts,
        net_minor=sum(line.net_minor for line in outside),
        gross_minor=sum(line.net_minor + line.tax_minor for line in inside),
    )


def _tax_without_rate(tax: LineTax, lines: _Lines) -> int:
    """Return a tax per kWh, rounded once; what it is told of prices with their taxes is exact."""
    told, exact, currency = 0, Decimal(0), ""
    for session, line in lines:
        currency = session.currency
        if tax.name is None or session.tax_included:
            told += line.tax_minor
        else:
            exact = EXACT.add(exact, line.tax)
    return told + round_money(Money(exact, currency))
