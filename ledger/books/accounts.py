"""The chart of accounts, and which decision posts where, as one table.

| cause | debit | credit |
|---|---|---|
| session rated | RECEIVABLE_UNBILLED, gross | revenue by dimension; taxes by country and rate |
| invoice issued | RECEIVABLE, gross | RECEIVABLE_UNBILLED, gross |
| session written off | nothing: it was never rated, so nothing was ever owed | |

A roaming partner's sessions stand on the PARTNER accounts in place of the customers' ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Final

from ledger.books.journal import JournalEntry, Posting
from ledger.rating.decisions import (
    Decision,
    PayerKind,
    RatedLine,
    SessionRated,
    SessionRevision,
    named,
)
from tariffs.model.tariff import Dimension
from tariffs.quantities import plain

# Owed from the end of the session on, asked for by the invoice: often in another month.
RECEIVABLE_UNBILLED: Final = "receivable:unbilled"
RECEIVABLE: Final = "receivable:invoiced"
PARTNER_UNBILLED: Final = "receivable:partner:unbilled"
PARTNER_RECEIVABLE: Final = "receivable:partner:invoiced"

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


def revenue_account(dimension: Dimension) -> str:
    """Return where the net amount of a line goes ("revenue:energy")."""
    return f"revenue:{dimension.lower()}"


def vat_account(country: str, percent: Decimal | None) -> str:
    """Return where VAT is owed ("vat:DE:19"); None: what a price limit changes across rates."""
    return f"vat:{country}:{'limit' if percent is None else format(plain(percent), 'f')}"


def tax_account(country: str, line: RatedLine) -> str:
    """Return where the tax of *line* is owed: VAT by rate, a tax per kWh by its name."""
    if line.is_tax:
        return f"tax:{country}:{line.element_name}"
    return vat_account(country, line.tax_percent)


def entry_for(decision: Decision) -> JournalEntry | None:
    """Return what *decision* posts; None where it moves no money."""
    if not isinstance(decision, SessionRated):
        return None
    credits_: Counter[str] = Counter()
    for line in decision.lines:
        credits_[revenue_account(line.dimension)] -= line.net_minor
        credits_[tax_account(decision.country, line)] -= line.tax_minor
    payer, currency = decision.payer, decision.currency
    owed = _posting(_UNBILLED[payer.kind], payer.party, currency, decision.gross_minor)
    # Sorted: a replay compares postings by their number.
    legs = [owed, *(_posting(name, "", currency, credits_[name]) for name in sorted(credits_))]
    cause, booked_at = f"rated:{named(decision.decides)}", decision.moment.at
    return _entry(cause, decision.legal_entity, booked_at, legs, decision.decides)


def invoice_entry(
    number: str, issued_at: datetime, sessions: Iterable[SessionRated]
) -> JournalEntry | None:
    """Return what issuing invoice *number* over *sessions* posts; None for an invoice of 0.

    All sessions are of one legal entity and currency; *issued_at* is the record time.
    """
    totals: Counter[tuple[PayerKind, str]] = Counter()
    legal_entity = currency = ""
    for session in sessions:
        legal_entity, currency = session.legal_entity, session.currency
        totals[session.payer.kind, session.payer.party] += session.gross_minor
    legs: list[Posting] = []
    for (kind, party), gross_minor in sorted(totals.items()):
        legs.append(_posting(_INVOICED[kind], party, currency, gross_minor))
        legs.append(_posting(_UNBILLED[kind], party, currency, -gross_minor))
    return _entry(f"invoice:{number}", legal_entity, issued_at, legs)


def _posting(account: str, party: str, currency: str, amount_minor: int) -> Posting:
    return Posting(account=account, party=party, currency=currency, amount_minor=amount_minor)


def _entry(
    cause: str,
    legal_entity: str,
    booked_at: datetime,
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
        postings=postings,
        session=session,
    )
