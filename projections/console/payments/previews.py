"""What would be booked of money whose purpose somebody says: read before it is agreed to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from psycopg import Connection

from ledger.books.journal import Posting
from ledger.desk.paying.explaining import PlannedMoney
from ledger.desk.paying.match_plans import DocumentThen, PlannedMatch
from ledger.four_eyes import is_same_person
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage
from projections.console.payments.cells import (
    customers_among,
    document_cell,
    invoices_among,
    money_cell,
    postings,
)

_THEN: Final = (
    Column("document", "Document"),
    Column("open", "Open", is_figure=True),
    Column("then", "Open afterwards", is_figure=True),
)
Names = Mapping[str, str]


class MoneyPreview(NamedTuple):
    """What would be booked, as its page shows it; `is_own`: who looks proposed the same."""

    plan: PlannedMatch | PlannedMoney
    facts: Sequence[tuple[str, Cell]]
    postings: Listing
    documents: Listing
    is_own: bool


class WouldBook(NamedTuple):
    """What of a plan is shown: how much it matches, its postings, what becomes of documents."""

    currency: str
    matched_minor: int
    legs: Sequence[Posting]
    documents: Sequence[DocumentThen]


def money_preview(
    page: ConsolePage,
    connection: Connection[Any],
    plan: PlannedMatch | PlannedMoney,
    would: WouldBook,
    more: Callable[[Names], list[tuple[str, Cell]]] = lambda _names: [],
) -> MoneyPreview:
    """Return what is shown of *plan*; *more* facts, by the names of customers."""
    names = customers_among(connection, {each.party for each in would.legs})
    invoices = invoices_among(connection, {each.document for each in would.documents})
    first = plan.proposed_by
    return MoneyPreview(
        plan=plan,
        facts=[
            ("Matched", money_cell(page, would.matched_minor, would.currency)),
            ("Then unmatched", money_cell(page, plan.left_minor, would.currency)),
            *more(names),
        ],
        postings=postings(page, would.legs, names, page.text("What is booked")),
        documents=Listing(
            caption=page.text("What becomes of documents"),
            columns=_THEN,
            rows=[
                (
                    document_cell(each.document, "", invoices),
                    money_cell(page, each.open_minor, would.currency),
                    money_cell(page, each.then_minor, would.currency),
                )
                for each in would.documents
            ],
            address=page.address,
            empty=page.text("No document's open amount changes."),
        ),
        is_own=first is not None and is_same_person(first, page.user.name),
    )
