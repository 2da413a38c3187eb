"""Whether the totals of a document are the sums of its parts, in a currency that there is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ledger.invoices.document import InvoiceDocument
from ledger.rating.decisions import SessionRated
from tariffs.currencies import CURRENCY_EXPONENTS
from tariffs.phrases.phrase import Phrase, phrase
from tariffs.quantities import money_of_minor


def currency_problems(
    document: InvoiceDocument, sessions: Sequence[SessionRated]
) -> Iterator[Phrase]:
    """Yield what is wrong with its currency; all amounts are in whole minor units of that."""
    exponent = CURRENCY_EXPONENTS.get(document.currency)
    if exponent is None:
        yield phrase("currency_unknown", currency=document.currency)
    elif document.currency_exponent != exponent:
        yield phrase(
            "currency_digits_wrong",
            currency=document.currency,
            stated=document.currency_exponent,
            wanted=exponent,
        )
    for other in sorted({each.currency for each in sessions} - {document.currency}):
        yield phrase("currency_of_session_other", stated=document.currency, other=other)


def total_problems(document: InvoiceDocument) -> Iterator[Phrase]:
    """Yield which total is not the sum of its parts."""

    def amount(minor: int) -> str:
        return amount_words(document, minor)

    net_minor = sum(each.net_minor for each in document.vat)
    if document.net_minor != net_minor:
        yield phrase("net_total_wrong", stated=amount(document.net_minor), wanted=amount(net_minor))
    tax_minor = sum(each.tax_minor for each in document.taxes)
    if document.vat_minor != tax_minor:
        yield phrase("tax_total_wrong", stated=amount(document.vat_minor), wanted=amount(tax_minor))
    if document.gross_minor != document.net_minor + document.vat_minor:
        yield phrase(
            "gross_total_wrong",
            stated=amount(document.gross_minor),
            wanted=amount(document.net_minor + document.vat_minor),
        )
    if document.due_minor != document.gross_minor + document.rounding_minor:
        yield phrase(
            "due_wrong",
            stated=amount(document.due_minor),
            wanted=amount(document.gross_minor + document.rounding_minor),
        )


def amount_words(document: InvoiceDocument, minor: int) -> str:
    """Return *minor* units of the document's currency as a problem states them ("12.30 EUR")."""
    return str(money_of_minor(minor, document.currency))
