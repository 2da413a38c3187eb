"""All of our own checks of a document: exact, without tolerance, on its canonical content.

The official rules of EN 16931 let a tax through that is wrong by up to 1.00, a line that is not
quantity times price, and check digits of any kind. Nothing here reads what the document was made
of but the ratings that it names: a fault in making it is found as well as one in what is declared.
"""

from __future__ import annotations

from collections.abc import Sequence

from ledger.invoices.checks.line_checks import credit_problems, rating_problems, reference_problems
from ledger.invoices.checks.party_checks import date_problems, party_problems
from ledger.invoices.checks.tax_checks import tax_problems
from ledger.invoices.checks.total_checks import currency_problems, total_problems
from ledger.invoices.document import InvoiceDocument
from ledger.rating.decisions import SessionRated
from tariffs.phrases.phrase import Phrase


def problems_of(
    document: InvoiceDocument, sessions: Sequence[SessionRated], before: Sequence[SessionRated] = ()
) -> tuple[Phrase, ...]:
    """Return everything that is wrong with *document*.

    Args:
        document: As it would be issued.
        sessions: The ratings that it names, in its order, with all their lines.
        before: Of a credit note: what earlier notes credit of its invoice, their lines alone.
    """
    references = tuple(reference_problems(document, sessions))
    if references:
        # What it is about is not what it names: no sum of it can be held against anything.
        return references
    currencies = tuple(currency_problems(document, sessions))
    if currencies:
        return currencies
    return (
        *date_problems(document),
        *party_problems(document),
        *(problem for each in sessions for problem in rating_problems(each)),
        *credit_problems(document, sessions, before),
        *total_problems(document),
        *tax_problems(document, sessions, before),
    )
