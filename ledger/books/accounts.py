"""The chart of accounts, and which decision posts where, as one table.

| cause | debit | credit |
|---|---|---|
| session rated | RECEIVABLE_UNBILLED, gross | revenue by dimension; EXPECTED_TAX |
| session corrected | what the rating posted that held until then, with its signs changed | |
| | RECEIVABLE_UNBILLED, the new gross | revenue by dimension; EXPECTED_TAX |
| invoice issued | RECEIVABLE, what is due | RECEIVABLE_UNBILLED, gross |
| | EXPECTED_TAX | taxes by country and rate; ROUNDING |
| credit note issued | what an invoice over its sessions posts, with its signs changed | |
| session runs over a month's end | RECEIVABLE_ACCRUED, its net so far | REVENUE_ACCRUED |
| | and in the next month the same with its signs changed | |
| session written off | nothing: it was never rated, so nothing was ever owed | |
| prepayment received | CASH_CLEARING | PREPAYMENTS of the customer |
| prepayment paid back | PREPAYMENTS | CASH_CLEARING |
| invoice settled | PREPAYMENTS, what is there, up to what is due | RECEIVABLE |
| credit note settled | RECEIVABLE, up to what its invoice had been settled with | PREPAYMENTS |

A tax is owed by a document, which rounds it once on its sum (`ledger.books.document_taxes`); a
session, rounded for itself, only expects its part. An invoice clears exactly what its sessions
posted to RECEIVABLE_UNBILLED and EXPECTED_TAX. Where prices have their tax inside, its net is not
the revenue that the sessions posted: the difference and the document's rounding amount go to
ROUNDING, on either side.

A roaming partner's sessions stand on the PARTNER accounts in place of the customers' ones. Where
they are settled and not invoiced, their taxes stay expected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from ledger.books.document_taxes import DocumentTaxes, LineTax, document_taxes
from ledger.books.journal import JournalEntry, Posting
from ledger.rating.decisions import (
    Decision,
    PayerKind,
    SessionRated,
    SessionRevision,
    named,
)
from tariffs.model.tariff import Dimension
from tariffs.quantities import plain
from tariffs.taxes.names import tax_name

# Owed from the end of the session on, asked for by the invoice: often in another month.
RECEIVABLE_UNBILLED: Final = "receivable:unbilled"
RECEIVABLE: Final = "receivable:invoiced"
PARTNER_UNBILLED: Final = "receivable:partner:unbilled"
PARTNER_RECEIVABLE: Final = "receivable:partner:invoiced"
RECEIVABLE_ACCRUED: Final = "receivable:accrued"
REVENUE_ACCRUED: Final = "revenue:accrued"
EXPECTED_TAX: Final = "expected_tax"
ROUNDING: Final = "rounding"
# What we owe a customer who paid in advance; always the first leg of its entries.
PREPAYMENTS: Final = "prepayments"
# Money that came or went, until a bank statement or a provider's payout says where it is.
CASH_CLEARING: Final = "cash:clearing"

_UNBILLED: Final = {
    PayerKind.CUSTOMER: RECEIVABLE_UNBILLED,
    PayerKind.BEARER: RECEIVABLE_UNBILLED,
    PayerKind.PARTNER: PARTNER_UNBILLED,
}
_INVOICED: Final = {
    PayerKind.CUSTOMER: RECEIVABLE,
    PayerKind.BEARER: RECEIVABLE,
    PayerKind.PARTNER: PARTNER_RECEIVABLE,
}


_Debtor = tuple[PayerKind, str]


def revenue_account(dimension: Dimension) -> str:
    """Return where the net amount of a line goes ("revenue:energy")."""
    return f"revenue:{dimension.lower()}"


def tax_account(tax: LineTax, part: int = 0) -> str:
    """Return where a tax is owed: "vat:DE:19", one with a name of its own "tax:CA:GST:5".

    *part*: which of the taxes that a rate consists of. No rate: what coins take of taxes.
    """
    country = tax.country
    if tax.name is not None:
        return f"tax:{country}:{tax.name}"
    if tax.percent is None:
        return f"vat:{country}:none"
    named = tax.parts[part]
    kind = f"vat:{country}" if named.name == tax_name(country) else f"tax:{country}:{named.name}"
    return f"{kind}:{plain(named.percent):f}"


def entry_for(decision: Decision) -> JournalEntry | None:
    """Return what *decision* posts; None where it moves no money."""
    if not isinstance(decision, SessionRated):
        return None
    credits_: Counter[str] = Counter()
    for line in decision.lines:
        credits_[revenue_account(line.dimension)] -= line.net_minor
        credits_[EXPECTED_TAX] -= line.tax_minor
    payer, currency = decision.payer, decision.currency
    owed = _posting(_UNBILLED[payer.kind], payer.party, currency, decision.gross_minor)
    # Sorted: a replay compares postings by their number.
    legs = [owed, *(_posting(name, "", currency, credits_[name]) for name in sorted(credits_))]
    return _entry(
        f"rated:{named(decision.decides)}",
        decision.legal_entity,
        decision.moment.at,
        decision.billing_month,
        legs,
        decision.decides,
    )


def accrual_entries(
    cause: str,
    *,
    legal_entity: str,
    booked_at: datetime,
    month: str,
    next_month: str,
    currency: str,
    net_minor: int,
) -> tuple[JournalEntry, ...]:
    """Return what a session that ran over the end of *month* posts there, and in the next one.

    Without taxes: those are owed once it is billed. Nothing, where it costs nothing so far.
    """
    legs = [
        _posting(RECEIVABLE_ACCRUED, "", currency, net_minor),
        _posting(REVENUE_ACCRUED, "", currency, -net_minor),
    ]
    back = [replace(leg, amount_minor=-leg.amount_minor) for leg in legs]
    accrued = _entry(f"accrued:{cause}", legal_entity, booked_at, month, legs)
    reversed_ = _entry(f"accrued_reversed:{cause}", legal_entity, booked_at, next_month, back)
    return tuple(each for each in (accrued, reversed_) if each)


def reversal_of(was: SessionRated, correction: SessionRated) -> JournalEntry | None:
    """Return what takes back the posting of *was*, the rating that *correction* corrects."""
    posted = entry_for(was)
    if posted is None:
        return None
    legs = [replace(leg, amount_minor=-leg.amount_minor) for leg in posted.postings]
    return _entry(
        f"reversed:{named(was.decides)}",
        was.legal_entity,
        correction.moment.at,
        was.billing_month,
        legs,
        correction.decides,
    )


def invoice_entry(
    number: str, issued_at: datetime, month: str, sessions: Sequence[SessionRated]
) -> JournalEntry | None:
    """Return what issuing invoice *number* over *sessions* posts; None where it moves no money.

    All sessions, at least one, are of one legal entity, payer and currency; *issued_at* is the
    record time, *month* that of the document's date.
    """
    legs = _document_legs(sessions, document_taxes(sessions))
    return _entry(f"invoice:{number}", sessions[0].legal_entity, issued_at, month, legs)


def credit_entry(
    number: str,
    issued_at: datetime,
    month: str,
    sessions: Sequence[SessionRated],
    owed: DocumentTaxes,
) -> JournalEntry | None:
    """Return what issuing credit note *number* over *sessions* posts: an invoice's, reversed.

    *owed* is what they owe no more (`InvoiceOrder.owed`).
    """
    legs = [replace(leg, amount_minor=-leg.amount_minor) for leg in _document_legs(sessions, owed)]
    return _entry(f"credit:{number}", sessions[0].legal_entity, issued_at, month, legs)


def prepayment_entry(
    cause: str,
    legal_entity: str,
    booked_at: datetime,
    original_period: str,
    period: str,
    customer: str,
    currency: str,
    minor: int,
) -> JournalEntry:
    """Return what it posts that *customer* paid *minor* in advance; below 0: was paid back."""
    legs = (
        _posting(PREPAYMENTS, customer, currency, -minor),
        _posting(CASH_CLEARING, "", currency, minor),
    )
    return JournalEntry(
        entry_id=cause,
        legal_entity=legal_entity,
        booked_at=booked_at,
        original_period=original_period,
        period=period,
        postings=legs,
    )


def owed_by_customer(document: JournalEntry, customer: str) -> Posting | None:
    """Return the leg by which a *document* changes what *customer* owes.

    None where it does not: what a partner owes is settled with that partner.
    """
    for leg in document.postings:
        if (leg.account, leg.party) == (RECEIVABLE, customer):
            return leg
    return None


def settlement_entry(
    number: str,
    legal_entity: str,
    booked_at: datetime,
    original_period: str,
    owed: Posting,
    minor: int,
) -> JournalEntry:
    """Return what it posts that *minor* of document *number* is settled from a prepaid account.

    *owed* is the customer's leg of the document; *minor* below 0: a credit note gives it back.
    """
    legs = (
        _posting(PREPAYMENTS, owed.party, owed.currency, minor),
        _posting(owed.account, owed.party, owed.currency, -minor),
    )
    return JournalEntry(
        entry_id=f"settled:{number}",
        legal_entity=legal_entity,
        booked_at=booked_at,
        original_period=original_period,
        postings=legs,
    )


def _document_legs(sessions: Sequence[SessionRated], owed: DocumentTaxes) -> list[Posting]:
    first = sessions[0]
    unbilled: Counter[_Debtor] = Counter()
    others: Counter[str] = Counter()
    for session in sessions:
        unbilled[session.payer.kind, session.payer.party] += session.gross_minor
        others[EXPECTED_TAX] += session.tax_minor
    for each in owed.taxes:
        for part, tax in enumerate(each.owed.taxes):
            others[tax_account(each.tax, part)] -= tax.tax_minor
    # A document has one tax and one rounding for all its debtors: the first one bears the rest.
    rest = owed.due_minor - unbilled.total()
    others[ROUNDING] = -rest - others.total()
    legs: list[Posting] = []
    for debtor in sorted(unbilled):
        kind, party = debtor
        due = unbilled[debtor] + (rest if debtor == (first.payer.kind, first.payer.party) else 0)
        legs.append(_posting(_INVOICED[kind], party, first.currency, due))
        legs.append(_posting(_UNBILLED[kind], party, first.currency, -unbilled[debtor]))
    return legs + [_posting(name, "", first.currency, others[name]) for name in sorted(others)]


def _posting(account: str, party: str, currency: str, amount_minor: int) -> Posting:
    return Posting(account=account, party=party, currency=currency, amount_minor=amount_minor)


def _entry(
    cause: str,
    legal_entity: str,
    booked_at: datetime,
    month: str,
    legs: Iterable[Posting],
    session: SessionRevision | None = None,
) -> JournalEntry | None:
    # What is free moves no account; a leg of 0 is refused by the database.
    postings = tuple(leg for leg in legs if leg.amount_minor)
    if not postings:
        return None
    return JournalEntry(
        entry_id=cause,
        legal_entity=legal_entity,
        booked_at=booked_at,
        original_period=month,
        postings=postings,
        session=session,
    )
