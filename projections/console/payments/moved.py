"""The screen "Payments": what came, went and was moved, the newest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC
from typing import Any, Final

from litestar import Controller, Response, get
from psycopg import Connection

from ledger.payments.movement import UNMATCHED, MoneyKind
from ledger.users.roles import Permission
from projections.console.addresses import FORMAT
from projections.console.entry import needs
from projections.console.exports.exporting import Cells
from projections.console.links import payment_link
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage, ThisPage
from projections.console.parts.money_words import MOVEMENT_WORDS
from projections.console.parts.within import within
from projections.console.payments.cells import document_cell, invoices_among, money_cell
from projections.console.payments.reading import AddressReading, UnreadableListError, exported
from projections.console.payments.unmatched import seen_entities
from projections.finding.documents import customer_subject
from projections.payments.movement_list import ListedMovement, MovementFilter, list_movements
from projections.payments.unmatched_list import UnmatchedWish, unmatched_page
from tariffs.quantities import money_of_minor

ROWS: Final = 50
_AT_ONCE: Final = 500
_SHOWN: Final = 3
COLUMNS: Final = (
    Column("number", "Number", is_figure=True),
    Column("at", "When"),
    Column("kind", "Kind"),
    Column("amount", "Amount", is_figure=True),
    Column("for", "For"),
    Column("source", "Source"),
    Column("by", "By"),
)
EXPORTED: Final = (
    "number",
    "kind",
    "happened_at",
    "source",
    "reference",
    "legal_entity",
    "currency",
    "amount",
    "account",
    "customer",
    "document",
    "part",
    "period",
    "recorded_by",
    "about",
)


class MovementsPage(Controller):
    """All movements of money."""

    path = "/payments"

    @get("/", opt=needs(Permission.SEE_BOOKS), sync_to_thread=True)
    def listed(self, page: ThisPage) -> Response[Any]:
        """Show the movements of a filter, or hand them out as a file: a row for each part."""
        if kind := page.address.of(FORMAT):
            return exported(page, kind, "payments", EXPORTED, _all_rows(page))
        read = AddressReading(page)
        with page.console.reading() as connection:
            wanted = _filter(read, page, connection)
            found: Sequence[ListedMovement] = ()
            if not read.troubles:
                before = read.before()
                found = list_movements(connection, wanted, limit=ROWS + 1, before=before)
            waits = unmatched_page(
                connection, UnmatchedWish(legal_entities=seen_entities(page)), limit=1
            )
            listing = _listing(page, connection, found)
        kinds = ((kind.value, page.text(MOVEMENT_WORDS[kind])) for kind in MoneyKind)
        return page.show(
            "payments/movements.html.j2",
            status=400 if read.troubles else 200,
            listing=listing,
            troubles=read.troubles,
            kinds=[("", page.text("All")), *kinds],
            is_waiting=bool(waits.rows),
        )


def _filter(read: AddressReading, page: ConsolePage, connection: Connection[Any]) -> MovementFilter:
    customer = read.said("customer")
    return MovementFilter(
        party=customer_subject(connection, customer) if customer else None,
        document=read.said("document"),
        kind=read.one_of("kind", [*MoneyKind]),
        source=read.said("source"),
        legal_entity=read.said("entity"),
        since=read.midnight("from"),
        until=read.midnight("to", days=1),
        legal_entities=seen_entities(page),
    )


def _listing(
    page: ConsolePage, connection: Connection[Any], found: Sequence[ListedMovement]
) -> Listing:
    shown, inside = found[:ROWS], within(page, connection)
    invoices = invoices_among(
        connection, {name for each in shown for name in each.documents[:_SHOWN]}
    )
    return Listing(
        caption=page.text("Payments, the newest first"),
        columns=COLUMNS,
        rows=[
            (
                Cell(str(each.number), payment_link(each.number)),
                Cell(at=each.happened_at, zone=inside.calendar(each.legal_entity)),
                Cell(page.text(MOVEMENT_WORDS[each.kind])),
                money_cell(page, each.amount_minor, each.currency),
                _for(each, invoices),
                Cell(each.source, note=each.reference),
                Cell(each.recorded_by),
            )
            for each in shown
        ],
        address=page.address,
        empty=page.text(
            "No money of this filter came, went or was moved. Take a part of the filter away."
        ),
        next_after=str(shown[-1].number) if len(found) > ROWS else "",
        exports=bool(shown),
    )


def _for(each: ListedMovement, invoices: frozenset[str]) -> Cell:
    named = each.documents
    customers = [part.customer for part in each.allotments if part.customer]
    if not named:
        accounts = [part.account for part in each.allotments if part.account != UNMATCHED]
        return Cell(accounts[0] if accounts else UNMATCHED)
    account = next(part.account for part in each.allotments if part.document == named[0])
    rest = [*named[1:_SHOWN], *(["..."] if len(named) > _SHOWN else []), *customers[:1]]
    return document_cell(named[0], account, invoices)._replace(note=", ".join(rest))


def _all_rows(page: ConsolePage) -> Iterator[Cells]:
    """Yield every part of every movement of the filter, as it stands at one moment."""
    with page.console.exporting() as connection:
        read = AddressReading(page)
        wanted = _filter(read, page, connection)
        if read.troubles:
            raise UnreadableListError("; ".join(read.troubles))
        before = None
        while some := list_movements(
            connection, wanted, limit=_AT_ONCE, before=before, is_whole=True
        ):
            before = some[-1].number
            for each in some:
                yield from _rows(each)


def _rows(each: ListedMovement) -> Iterator[Cells]:
    for part in each.allotments:
        yield (
            str(each.number),
            each.kind,
            each.happened_at.astimezone(UTC).isoformat(),
            each.source,
            each.reference,
            each.legal_entity,
            each.currency,
            money_of_minor(each.amount_minor, each.currency).amount,
            part.account,
            part.customer or "",
            part.document or "",
            money_of_minor(part.minor, each.currency).amount,
            each.period,
            each.recorded_by,
            each.about,
        )
