"""Whether each tax of a document is its taxable sum times its rate, on the sum of its lines.

Reckoned again from the lines, a tax at a time, as a reader with the document would do it
(docs/document-taxes.md). Of a credit note the rule holds of all that was credited so far: its own
tax is what that comes to, less what the notes before it said.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final, NamedTuple

from ledger.books.document_taxes import DocumentTaxes, LineTax, document_taxes, line_tax
from ledger.invoices.checks.total_checks import amount_words
from ledger.invoices.document import InvoiceDocument, TaxTotal, VatTotal, charged_by
from ledger.rating.decisions import RatedLine, SessionRated
from tariffs.currencies import currency_exponent
from tariffs.kernel.rounding import cash_rest
from tariffs.model.policy import policy_named
from tariffs.phrases.phrase import Phrase, phrase
from tariffs.quantities import EXACT, Money, round_money, round_ratio
from tariffs.taxes.sales_taxes import SalesTax
from tariffs.taxes.taxed_sum import TaxedSum, TaxOnSum

CATEGORIES: Final = ("S", "Z", "E", "AE", "K", "G", "O")
"""UNTDID 5305, of which EN 16931 allows these."""

_Lines = Sequence[tuple[SessionRated, RatedLine]]
_NOTHING: Final = DocumentTaxes((), 0)


class _Group(NamedTuple):
    """All that a document says of the lines that one `LineTax` is on; `lines` and those before.

    `net_minor` and `taxes` are of all that was credited so far; of an invoice, its own.
    """

    tax: LineTax
    lines: _Lines
    stated: VatTotal
    parts: Sequence[TaxTotal]
    net_minor: int
    taxes: Sequence[TaxOnSum]


def tax_problems(
    document: InvoiceDocument, sessions: Sequence[SessionRated], before: Sequence[SessionRated]
) -> Iterator[Phrase]:
    """Yield what is wrong with the taxes of *document* over *sessions*, and with its rounding."""
    charged = [*before, *charged_by(document, sessions)]
    earlier = document_taxes(before) if before else _NOTHING
    groups = _groups(document, charged, earlier)
    if groups is None:
        yield phrase("taxes_not_of_lines", taxes=", ".join(_titles(charged)))
        return
    for group in groups:
        yield from _categories(group)
        yield from _nets(document, group)
        yield from _rates(document, group)
    rounding_minor = sum(map(_rounding, groups))
    # Sessions that are paid in coins, each for itself, are paid in coins together.
    due_minor = rounding_minor + sum(
        each.net_minor + sum(on_sum.tax_minor for on_sum in each.taxes) for each in groups
    )
    exponent = currency_exponent(document.currency)
    coin_minor = min(policy_named(each.policy).coin_minor(exponent) for each in charged)
    rounding_minor += cash_rest(due_minor, coin_minor) - earlier.rounding_minor
    if document.rounding_minor != rounding_minor:
        yield phrase(
            "rounding_without_reason",
            stated=amount_words(document, document.rounding_minor),
            wanted=amount_words(document, rounding_minor),
        )


def _titles(charged: Sequence[SessionRated]) -> list[str]:
    return sorted({line_tax(each, line).title for each in charged for line in each.lines})


def _groups(
    document: InvoiceDocument, charged: Sequence[SessionRated], earlier: DocumentTaxes
) -> list[_Group] | None:
    """Return what the document says of each tax of its lines; None if it says it of other taxes."""
    lines: defaultdict[LineTax, list[tuple[SessionRated, RatedLine]]] = defaultdict(list)
    for session in charged:
        for line in session.lines:
            lines[line_tax(session, line)].append((session, line))
    wanted = sorted(lines, key=LineTax.order)
    sizes = [len(tax.parts) or 1 for tax in wanted]
    if len(document.vat) != len(wanted) or len(document.taxes) != sum(sizes):
        return None
    groups, first = [], 0
    was: Mapping[LineTax, TaxedSum] = dict(earlier.taxes)
    for tax, stated, size in zip(wanted, document.vat, sizes, strict=True):
        parts = document.taxes[first : first + size]
        first += size
        if not _is_of(tax, stated, parts):
            return None
        sofar = was.get(tax) or TaxedSum(0, (TaxOnSum(0, 0),) * size, 0)
        taxes = [
            TaxOnSum(part.taxable_minor + other.base_minor, part.tax_minor + other.tax_minor)
            for part, other in zip(parts, sofar.taxes, strict=True)
        ]
        net_minor = stated.net_minor + sofar.net_minor
        groups.append(_Group(tax, lines[tax], stated, parts, net_minor, taxes))
    return groups


def _is_of(tax: LineTax, stated: VatTotal, parts: Sequence[TaxTotal]) -> bool:
    """Whether what is *stated* is about *tax*, and its *parts* those of it."""
    is_same = (stated.country, stated.percent, stated.name, stated.reverse_charge) == tax[:4]
    wanted: list[tuple[str, Decimal | None, str]]
    wanted = [(part.name, part.percent, tax.country) for part in tax.parts]
    said = [(part.name, part.percent, part.country) for part in parts]
    return is_same and said == (wanted or [(tax.title, None, tax.country)])


def _categories(group: _Group) -> Iterator[Phrase]:
    """Yield which tax bears a category that is not that of its rate."""
    for part in group.parts:
        wanted = _category(group.tax, part.percent)
        if part.category not in CATEGORIES:
            yield phrase("category_unknown", tax=part.name, category=part.category)
        elif part.category != wanted:
            yield phrase("category_wrong", tax=part.name, category=part.category, wanted=wanted)
        if wanted != "S" and part.tax_minor:
            yield phrase("tax_in_category_without", tax=part.name, category=wanted)


def _category(tax: LineTax, percent: Decimal | None) -> str:
    """Return the category of a tax; no rating is of E, K or G: these need a reason of their own."""
    if tax.reverse_charge:
        return "AE"
    if percent is None:
        # A tax per kWh is one, if none in percent.
        return "S" if tax.name else "O"
    return "S" if percent else "Z"


def _rates(document: InvoiceDocument, group: _Group) -> Iterator[Phrase]:
    """Yield which tax is not its rate on its sum, or not on the sum that it should be on."""
    if sum(part.tax_minor for part in group.parts) != group.stated.vat_minor:
        yield phrase("tax_of_rate_not_of_parts", tax=group.tax.title)
    rates: Sequence[SalesTax | None] = group.tax.parts or (None,)
    for rate, part, on_sum in zip(rates, group.parts, group.taxes, strict=True):
        base_minor = group.net_minor + (_below(rate, group.tax, group.taxes) if rate else 0)
        if on_sum.base_minor != base_minor:
            yield phrase(
                "taxable_sum_wrong",
                tax=part.name,
                stated=amount_words(document, part.taxable_minor),
                wanted=amount_words(document, part.taxable_minor + base_minor - on_sum.base_minor),
            )
        tax_minor = _tax(rate, on_sum.base_minor) if rate else _tax_without_rate(group)
        if on_sum.tax_minor != tax_minor:
            yield phrase(
                "tax_wrong",
                tax=part.name,
                stated=amount_words(document, part.tax_minor),
                wanted=amount_words(document, part.tax_minor + tax_minor - on_sum.tax_minor),
            )


def _below(rate: SalesTax, tax: LineTax, taxes: Sequence[TaxOnSum]) -> int:
    """Return the taxes that *rate* is on as well: those of a lower stack."""
    below = zip(tax.parts, taxes, strict=False)
    return sum(on_sum.tax_minor for other, on_sum in below if other.stack < rate.stack)


def _tax(rate: SalesTax, base_minor: int) -> int:
    exact = base_minor * Fraction(rate.percent) / 100
    return round_ratio(exact.numerator, exact.denominator)


def _tax_without_rate(group: _Group) -> int:
    """Return what the lines come to of a tax per kWh, rounded once where prices are before it."""
    told, exact, currency = 0, Decimal(0), ""
    for session, line in group.lines:
        currency = session.currency
        if group.tax.name is None or session.tax_included:
            told += line.tax_minor
        else:
            exact = EXACT.add(exact, line.tax)
    return told + round_money(Money(exact, currency))


def _rounding(group: _Group) -> int:
    """Return what is between what the lines come to, taxes included, and what is stated."""
    inside = [line for session, line in group.lines if session.tax_included]
    if group.tax.percent is None or not inside:
        return 0
    gross_minor = sum(line.net_minor + line.tax_minor for line in inside)
    return _after(_outside(group), group.tax) + gross_minor - _after(group.net_minor, group.tax)


def _nets(document: InvoiceDocument, group: _Group) -> Iterator[Phrase]:
    """Yield a problem if the taxable sum is not that of the lines.

    Of prices with taxes inside it is the one whose taxes come nearest to what the lines come to.
    """
    net_minor, rest = group.net_minor, _rounding(group)
    if group.tax.percent is None or not any(each.tax_included for each, _ in group.lines):
        net_minor = sum(line.net_minor for _, line in group.lines)
    elif rest:
        due_minor = _after(net_minor, group.tax) + rest
        nearer = net_minor + (1 if rest > 0 else -1)
        if abs(due_minor - _after(nearer, group.tax)) < abs(rest):
            net_minor = nearer
    if group.net_minor != net_minor:
        stated = group.stated.net_minor
        yield phrase(
            "net_of_rate_wrong",
            tax=group.tax.title,
            stated=amount_words(document, stated),
            wanted=amount_words(document, stated + net_minor - group.net_minor),
        )


def _outside(group: _Group) -> int:
    return sum(line.net_minor for session, line in group.lines if not session.tax_included)


def _after(net_minor: int, tax: LineTax) -> int:
    """Return *net_minor* with its taxes, each rounded."""
    found: list[TaxOnSum] = []
    for rate in tax.parts:
        base_minor = net_minor + _below(rate, tax, found)
        found.append(TaxOnSum(base_minor, _tax(rate, base_minor)))
    return net_minor + sum(each.tax_minor for each in found)
