"""The taxes of a document as categories of VAT: what EN 16931 knows, and what it does not.

It knows VAT alone, each rate once. So equal rates of two countries are one category here. A tax
per kWh is no VAT: it stands as lines by its own name, exempt (E) with that name as the reason. What
bears no VAT is "not subject to VAT" (O), which no document may have beside anything else (BR-O-11
to BR-O-14) and no German public buyer takes, who wants a rate of everything (BR-DE-14): there it is
exempt, too, and its reason says so.

A sales tax, and two taxes on one sum, it cannot say: those documents have no such form.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from typing import Final, NamedTuple

from ledger.invoices.document import (
    REVERSE_CHARGE,
    STANDARD,
    WITHOUT_TAX,
    ZERO_RATED,
    TaxTotal,
    VatTotal,
)
from ledger.invoices.shown import InvoiceLine, ShownInvoice
from projections.documents.electronic.electronic_invoice import TaxCategory
from projections.documents.languages.language import Language
from tariffs.taxes.names import VAT, tax_name

EXEMPT: Final = "E"
WITHIN_THE_COMMUNITY: Final = "K"
EXPORT: Final = "G"
DECIMALS_MAX: Final = 2
"""BR-DEC-01 to BR-DEC-28: no amount has more."""
_ZERO: Final = Decimal(0)
_NO_VAT: Final = TaxCategory(WITHOUT_TAX, None)
_EXEMPT: Final = TaxCategory(EXEMPT, _ZERO)
_EXEMPTION_CODES: Final = {
    REVERSE_CHARGE: "VATEX-EU-AE",
    WITHIN_THE_COMMUNITY: "VATEX-EU-IC",
    EXPORT: "VATEX-EU-G",
    WITHOUT_TAX: "VATEX-EU-O",
}
_EXEMPTIONS: Final = {
    REVERSE_CHARGE: "Reverse charge",
    WITHIN_THE_COMMUNITY: "Intra-Community supply",
    EXPORT: "Export outside the EU",
    WITHOUT_TAX: "Not subject to VAT",
    EXEMPT: "Exempt from VAT",
}

TaxKey = tuple[str, Decimal | None, str | None, bool]
"""What tells the taxes of a document apart: country, percent, name of a tax per kWh, whose debt."""


class CategorySum(NamedTuple):
    """What is owed in one category, minor units, and why it bears no VAT if it bears none."""

    taxable_minor: int
    tax_minor: int
    exemptions: tuple[str, ...]


LINES_MAX: Final = 10_000
"""So many lines an electronic invoice may have; one of more is on paper alone."""


class TaxCategories(NamedTuple):
    """The categories of a document in their order, and which one each of its taxes became.

    A document without lines has one, of nothing.
    """

    of_taxes: Mapping[TaxKey, TaxCategory]
    sums: Mapping[TaxCategory, CategorySum]

    def of(self, line: InvoiceLine) -> TaxCategory | None:
        """Return the category of *line*, None if its tax is none of the document's."""
        name = line.tax_name if is_tax(line) else None
        percent = None if name else line.vat_percent
        return self.of_taxes.get((line.country, percent, name, line.reverse_charge))


def is_electronic(shown: ShownInvoice) -> bool:
    """Return whether EN 16931 can say *shown*: each of its taxes is VAT, or one per kWh.

    So it cannot where its seller has declared no id for it (BR-S-02, BR-CO-26). Beyond `LINES_MAX`
    lines it is not asked to: its rules take a millisecond a line, and every other document waits.
    """
    return (
        len(shown.lines) <= LINES_MAX
        and shown.currency_exponent <= DECIMALS_MAX
        and len(shown.taxes) == len(shown.vat)
        and all(tax_name(tax.country) == VAT for tax in shown.taxes)
        and names_who_charges(shown)
    )


def names_who_charges(shown: ShownInvoice) -> bool:
    """Return whether *shown* has an id of its seller that is enough for the VAT on it."""
    details, categories = shown.seller_details, {tax.category for tax in shown.taxes}
    has_id = bool(shown.seller.vat_id or details.tax_number)
    if REVERSE_CHARGE in categories:
        return True  # it is refused for what it lacks, for the buyer relies on it
    return has_id or (bool(details.registration) and not categories & {STANDARD, ZERO_RATED})


def is_tax(line: InvoiceLine) -> bool:
    """Return whether *line* is itself a tax, per kWh, and no price with its VAT."""
    return bool(line.codes) and line.codes[0].code == "tax"


def net_minor_of(line: InvoiceLine) -> int:
    """Return what *line* costs without VAT: a tax that is none is part of it."""
    return line.net_minor if line.vat_percent is not None else line.net_minor + line.vat_minor


def categories_of(shown: ShownInvoice, language: Language, *, is_public: bool) -> TaxCategories:
    """Return the categories of the taxes of *shown*, which `is_electronic`.

    *is_public*: its buyer is a German public one.
    """
    of_taxes: dict[TaxKey, TaxCategory] = {}
    sums: defaultdict[TaxCategory, list[tuple[int, int, str]]] = defaultdict(list)
    untaxed = _EXEMPT if is_public or not all(map(_bears_no_vat, shown.taxes)) else _NO_VAT
    for vat, tax in zip(shown.vat, shown.taxes, strict=True):
        category = _category(tax, untaxed)
        of_taxes[vat.country, vat.percent, vat.name, vat.reverse_charge] = category
        sums[category].append((*_owed(vat, tax, category), _exemption(vat, tax, language)))
    if not sums:
        sums[untaxed].append((0, 0, language.text(_EXEMPTIONS[WITHOUT_TAX])))
    return TaxCategories(
        of_taxes,
        {
            category: CategorySum(
                sum(each[0] for each in owed),
                sum(each[1] for each in owed),
                tuple(dict.fromkeys(each[2] for each in owed if each[2])),
            )
            for category, owed in sums.items()
        },
    )


def exemption_code(category: TaxCategory) -> str | None:
    """Return why there is no VAT, by the code list VATEX, where a category has one code."""
    return _EXEMPTION_CODES.get(category.code)


def _bears_no_vat(tax: TaxTotal) -> bool:
    """Return whether *tax* is none, or one per kWh."""
    return tax.category == WITHOUT_TAX or (tax.category == STANDARD and tax.percent is None)


def _category(tax: TaxTotal, untaxed: TaxCategory) -> TaxCategory:
    if _bears_no_vat(tax):
        return untaxed
    rate = tax.percent if tax.category == STANDARD else None
    return TaxCategory(tax.category, rate or _ZERO)


def _owed(vat: VatTotal, tax: TaxTotal, category: TaxCategory) -> tuple[int, int]:
    if category.percent:
        return tax.taxable_minor, tax.tax_minor
    return vat.net_minor + vat.vat_minor, 0


def _exemption(vat: VatTotal, tax: TaxTotal, language: Language) -> str:
    """Return why no VAT is owed, empty where some is or its rate is zero."""
    if vat.name:
        return vat.name
    reason = _EXEMPTIONS.get(tax.category)
    return language.text(reason) if reason else ""
