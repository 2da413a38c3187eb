"""Disputes: what payers' banks took back, how each stands, and what is to be done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from typing import Any, Final

from litestar import Controller, Response, get

from ledger.users.roles import Permission
from projections.console.addresses import FORMAT
from projections.console.entry import needs
from projections.console.exports.exporting import Cells
from projections.console.links import payments_link
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage, ThisPage
from projections.console.parts.within import WithinReach, within
from projections.console.payments.cells import document_cell, invoices_among, money_cell
from projections.console.payments.reading import (
    AddressReading,
    UnreadableListError,
    exported,
    place_of,
)
from projections.console.payments.unmatched import seen_entities
from projections.payments.dispute_list import ListedDispute, list_disputes
from tariffs.quantities import money_of_minor

ROWS: Final = 50
_AT_ONCE: Final = 500
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

EXPORTED: Final = (
    "dispute",
    "provider",
    "legal_entity",
    "since",
    "state",
    "documents",
    "currency",
    "amount",
    "taken_back",
    "fee",
    "given_back",
    "reason",
)


class DisputesPage(Controller):
    """What payers' banks took back."""

    path = "/payments/disputes"

    @get("/", opt=needs(Permission.SEE_BOOKS), sync_to_thread=True)
    def listed(self, page: ThisPage) -> Response[Any]:
        """Show disputes, the newest first, or hand them out as a file."""
        if kind := page.address.of(FORMAT):
            return exported(page, kind, "disputes", EXPORTED, _all_rows(page))
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
            inside = within(page, connection)
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
                rows=[_row(page, each, invoices, inside) for each in shown],
                address=page.address,
                empty=page.text("No payer's bank took anything back."),
                next_after=place_of(last.created_at, last.dispute_id) if last else "",
                exports=bool(shown),
            ),
        )


def _row(
    page: ConsolePage, each: ListedDispute, invoices: frozenset[str], inside: WithinReach
) -> Sequence[Cell]:
    document = each.documents[0] if each.documents else ""
    to_do = TO_DO_WORDS[each.status]
    amounts = (each.amount_minor, each.taken_minor, each.fee_minor, each.given_back_minor)
    return (
        Cell(each.dispute_id, payments_link(source=each.provider, kind="disputed")),
        Cell(at=each.created_at, zone=inside.calendar(each.legal_entity)),
        Cell(
            page.text(STATUS_WORDS[each.status]),
            note=page.text(each.reason.replace("_", " ")),
            tone="warn" if each.status in {"inquiry", "open"} else "",
        ),
        document_cell(document, "", invoices)._replace(note=", ".join(each.documents[1:3])),
        *(money_cell(page, minor, each.currency) for minor in amounts),
        Cell(page.text(to_do) if to_do else ""),
    )


def _all_rows(page: ConsolePage) -> Iterator[Cells]:
    """Yield every dispute of the filter, as they stand at one moment."""
    read = AddressReading(page)
    is_open = read.one_of("state", ("open",)) is not None
    if read.troubles:
        raise UnreadableListError("; ".join(read.troubles))
    with page.console.exporting() as connection:
        after = None
        while some := list_disputes(
            connection,
            is_open=is_open,
            limit=_AT_ONCE,
            legal_entities=seen_entities(page),
            after=after,
        ):
            after = some[-1].created_at, some[-1].dispute_id
            yield from map(_exported_row, some)


def _exported_row(each: ListedDispute) -> Cells:
    amounts = (each.amount_minor, each.taken_minor, each.fee_minor, each.given_back_minor)
    return (
        each.dispute_id,
        each.provider,
        each.legal_entity,
        each.created_at.astimezone(UTC).isoformat(),
        each.status,
        " ".join(each.documents),
        each.currency,
        *(money_of_minor(minor, each.currency).amount for minor in amounts),
        each.reason,
    )
