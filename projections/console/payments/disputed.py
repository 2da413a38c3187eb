"""Disputes: what payers' banks took back, how each stands, and what is to be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any, Final

from litestar import Controller, Response, get

from ledger.users.roles import Permission
from projections.console.entry import needs
from projections.console.links import payments_link
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage, ThisPage
from projections.console.payments.cells import document_cell, invoices_among, money_cell
from projections.console.payments.reading import AddressReading, place_of
from projections.console.payments.unmatched import seen_entities
from projections.payments.dispute_list import ListedDispute, list_disputes

ROWS: Final = 50
STATUS_WORDS: Final[Mapping[str, str]] = {
    "inquiry": "The bank asks; no money has moved.",
    "open": "The money was taken back; nobody decided yet.",
    "won": "Won: the money is here again.",
    "lost": "Lost: its invoices are open again.",
}
"""How it stands with a dispute, in English."""
TO_DO_WORDS: Final[Mapping[str, str]] = {
    "inquiry": "Answer the bank at the provider.",
    "open": "Send the session's evidence at the provider, or accept the dispute.",
    "won": "",
    "lost": "Ask the customer: it is not collected by itself.",
}
"""What is to be done about it, in English."""
COLUMNS: Final = (
    Column("dispute", "Dispute"),
    Column("at", "Since"),
    Column("status", "State"),
    Column("for", "For"),
    Column("amount", "Amount", is_figure=True),
    Column("taken", "Taken back", is_figure=True),
    Column("fee", "Fee", is_figure=True),
    Column("given", "Given back to us", is_figure=True),
    Column("to_do", "What to do"),
)


class DisputesPage(Controller):
    """What payers' banks took back."""

    path = "/payments/disputes"

    @get("/", opt=needs(Permission.SEE_BOOKS), sync_to_thread=True)
    def listed(self, page: ThisPage) -> Response[Any]:
        """Show disputes, the newest first."""
        read = AddressReading(page)
        behind, state = read.behind(), read.one_of("state", ("open",))
        with page.console.reading() as connection:
            found: Sequence[ListedDispute] = ()
            if not read.troubles:
                found = list_disputes(
                    connection,
                    is_open=state is not None,
                    limit=ROWS + 1,
                    legal_entities=seen_entities(page),
                    after=behind,
                )
            named = {name for each in found for name in each.documents}
            invoices = invoices_among(connection, named)
        shown = found[:ROWS]
        last = shown[-1] if len(found) > ROWS else None
        return page.show(
            "payments/disputes.html.j2",
            status=400 if read.troubles else 200,
            troubles=read.troubles,
            states=[("", page.text("All")), ("open", page.text("Open"))],
            listing=Listing(
                caption=page.text("Disputes, the newest first"),
                columns=COLUMNS,
                rows=[_row(page, each, invoices) for each in shown],
                address=page.address,
                empty=page.text("No payer's bank took anything back."),
                next_after=place_of(last.created_at, last.dispute_id) if last else "",
            ),
        )


def _row(page: ConsolePage, each: ListedDispute, invoices: frozenset[str]) -> Sequence[Cell]:
    document = each.documents[0] if each.documents else ""
    to_do = TO_DO_WORDS[each.status]
    amounts = (each.amount_minor, each.taken_minor, each.fee_minor, each.given_back_minor)
    return (
        Cell(each.dispute_id, payments_link(source=each.provider, kind="disputed")),
        Cell(at=each.created_at, zone=UTC),
        Cell(
            page.text(STATUS_WORDS[each.status]),
            note=page.text(each.reason.replace("_", " ")),
            tone="warn" if each.status in {"inquiry", "open"} else "",
        ),
        document_cell(document, "", invoices)._replace(note=", ".join(each.documents[1:3])),
        *(money_cell(page, minor, each.currency) for minor in amounts),
        Cell(page.text(to_do) if to_do else ""),
    )
