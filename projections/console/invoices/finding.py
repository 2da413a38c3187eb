"""The screen "Invoices": find one by a filter in the address, save the filter, take rows away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

from litestar import Controller, Response, get, post
from psycopg import Connection
from psycopg.rows import class_row

from ledger.persons.store import names_in
from ledger.users.roles import Permission
from ledger.users.views.saved_views import SavedView, forget_view, save_view, saved_views
from projections.console.addresses import FORMAT
from projections.console.entry import needs
from projections.console.exports.exporting import Cells, csv_file, xlsx_file
from projections.console.invoices.filters import (
    InvoiceFilter,
    filter_of,
    filter_text,
    filter_text_of,
    kept_text_of,
    key_of,
    shown_text_of,
)
from projections.console.links import customer_link, invoice_link
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage, ThisPage
from projections.console.parts.typed_form import ThisForm
from projections.errors import ProjectionError
from projections.finding.document_sums import (
    SUMMED_MAX,
    DocumentSum,
    document_sums,
    issued_currencies,
    issuing_entities,
)
from projections.finding.documents import (
    DocumentOrder,
    DocumentStanding,
    DocumentState,
    documents_query,
    find_documents,
    standings,
)
from projections.invoice_list import ListedInvoice
from tariffs.currencies import currency_exponent

PATH: Final = "/console/invoices"
SCREEN: Final = "invoices"
ROWS: Final = 50
_AT_ONCE: Final = 2_000
STATES: Final = {
    DocumentState.OPEN: "Open",
    DocumentState.OVERDUE: "Overdue",
    DocumentState.PAID: "Paid",
    DocumentState.CREDITED: "Credited",
    DocumentState.TO_GIVE_BACK: "To give back",
}
COLUMNS: Final = (
    Column("number", "Number", sorts=True),
    Column("issued_on", "Date", sorts=True),
    Column("customer", "Customer"),
    Column("state", "State"),
    Column("entity", "Legal entity"),
    Column("sessions", "Sessions", is_figure=True),
    Column("net", "Net", is_figure=True),
    Column("tax", "Tax", is_figure=True),
    Column("due", "Total", is_figure=True, sorts=True),
    Column("open", "Open", is_figure=True),
)
SUM_COLUMNS: Final = (
    Column("currency", "Currency"),
    Column("invoices", "Invoices", is_figure=True),
    Column("notes", "Credit notes", is_figure=True),
    Column("net", "Net", is_figure=True),
    Column("tax", "Tax", is_figure=True),
    Column("due", "Total", is_figure=True),
)
EXPORTED: Final = (
    "number",
    "kind",
    "credits",
    "issued_on",
    "legal_entity",
    "customer",
    "sessions",
    "currency",
    "net",
    "tax",
    "gross",
    "rounding",
    "due",
    "open",
    "sha256",
)


class UnreadableFilterError(ProjectionError):
    """What is to be exported cannot be read from the address."""


class InvoicesPage(Controller):
    """The list of invoices and credit notes."""

    path = "/invoices"

    @get("/", opt=needs(Permission.SEE_BOOKS), sync_to_thread=True)
    def listed(self, page: ThisPage) -> Response[Any]:
        """Show the documents of a filter, or hand them out as a file."""
        kind = page.address.of(FORMAT)
        if kind:
            return _exported(page, kind)
        reach = page.user.reach(Permission.SEE_BOOKS)
        entities = None if reach.is_everywhere else sorted(reach.legal_entities)
        with page.console.reading() as connection:
            currencies = issued_currencies(connection, entities)
            known = issuing_entities(connection)
            wanted = filter_of(connection, page, reach, currencies)
            views = _views(connection, page)
            rows: Sequence[ListedInvoice] = ()
            sums: Sequence[DocumentSum] | None = ()
            stand: dict[str, DocumentStanding] = {}
            if not wanted.troubles:
                rows = find_documents(
                    connection,
                    wanted.wish,
                    limit=ROWS + 1,
                    behind=wanted.behind,
                    order=wanted.order,
                    is_down=wanted.is_down,
                )
                is_whole = page.address.of("sums") == "all"
                sums = document_sums(connection, wanted.wish, is_whole=is_whole)
                stand = standings(connection, [each.number for each in rows])
        seen = [each for each in known if entities is None or each in entities]
        return page.show(
            "invoices/list.html.j2",
            status=400 if wanted.troubles else 200,
            listing=_listing(page, wanted, rows, stand),
            sums=None if sums is None else _sums(page, sums),
            summed_max=SUMMED_MAX,
            troubles=wanted.troubles,
            views=views,
            query=filter_text(page.address),
            entities=[("", page.text("All")), *((each, each) for each in seen)],
            currencies=[("", page.text("All")), *((each, each) for each in currencies)],
            states=[("", page.text("All")), *((k, page.text(v)) for k, v in STATES.items())],
            kinds=[
                ("", page.text("All")),
                ("invoice", page.text("Invoices")),
                ("credit_note", page.text("Credit notes")),
            ],
        )

    @post("/views", opt=needs(Permission.SEE_BOOKS), sync_to_thread=True)
    def views(self, page: ThisPage, form: ThisForm) -> Response[Any]:
        """Save a filter under a name, or forget one."""
        title, query = form.of("title"), filter_text_of(form.of("query"))
        with page.console.pool.connection() as connection:
            if form.of("act") == "forget":
                forget_view(connection, page.user.name, SCREEN, title)
                said = page.text("The view is forgotten.")
            else:
                view = SavedView(title, kept_text_of(connection, page, query))
                save_view(connection, page.user.name, SCREEN, view, page.now)
                said = page.text("The view is saved.")
        return page.go(f"{PATH}?{query}" if query else PATH, said)


def _views(connection: Connection[Any], page: ConsolePage) -> list[SavedView]:
    views = saved_views(connection, page.user.name, SCREEN)
    names = names_in(connection, views)
    return [each._replace(query=shown_text_of(each.query, names)) for each in views]


def amount_of(page: ConsolePage, minor: int, currency: str) -> str:
    """Return an amount as the reader's language writes it."""
    return page.words.language.money(minor, currency)


def state_cell(page: ConsolePage, row: ListedInvoice, stand: DocumentStanding) -> Cell:
    """Return how a document stands, in words and a colour."""
    if row.credits is not None:
        return Cell(page.text("Credit note"), invoice_link(row.credits), note=row.credits)
    note = ""
    if stand.credited_minor:
        credited = amount_of(page, stand.credited_minor, row.currency)
        note = page.text("{amount} credited", amount=credited)
    if row.open_minor < 0:
        return Cell(page.text("To give back"), note=note, tone="warn")
    if row.open_minor > 0 and stand.due_on is not None and stand.due_on < page.now.date():
        since = page.text("due on {day}", day=page.words.language.day(stand.due_on))
        return Cell(page.text("Overdue"), note=", ".join(filter(None, [since, note])), tone="bad")
    if row.open_minor > 0:
        return Cell(page.text("Open"), note=note, tone="warn")
    if stand.credited_minor and stand.credited_minor >= row.due_minor:
        return Cell(page.text("Credited"), note=note)
    return Cell(page.text("Paid"), note=note, tone="good")


def customer_cell(page: ConsolePage, row: ListedInvoice) -> Cell:
    """Return who a document is for, with the way to its page."""
    if row.subject is None:
        return Cell(page.text("Bearer of a token"))
    return Cell(row.customer or row.subject, customer_link(row.subject))


def _listing(
    page: ConsolePage,
    wanted: InvoiceFilter,
    rows: Sequence[ListedInvoice],
    stand: dict[str, DocumentStanding],
) -> Listing:
    shown = rows[:ROWS]
    return Listing(
        caption=page.text("Invoices and credit notes"),
        columns=COLUMNS,
        rows=[_row(page, each, stand[each.number]) for each in shown],
        address=page.address,
        empty=page.text(
            "No document fits this filter. Take a part of it away; a session is invoiced once it "
            "is rated, of a customer who pays per month after the month."
        ),
        next_after=key_of(shown[-1], wanted.order) if len(rows) > ROWS else "",
        exports=bool(rows),
        by_itself=f"-{DocumentOrder.ISSUED_ON}",
    )


def _row(page: ConsolePage, each: ListedInvoice, stand: DocumentStanding) -> Sequence[Cell]:
    sign, currency = (1 if each.credits is None else -1), each.currency
    return (
        Cell(each.number, invoice_link(each.number)),
        Cell(page.words.language.day(each.issued_on)),
        customer_cell(page, each),
        state_cell(page, each, stand),
        Cell(each.legal_entity),
        Cell(str(each.sessions), f"{invoice_link(each.number)}#sessions"),
        Cell(amount_of(page, sign * each.net_minor, currency)),
        Cell(amount_of(page, sign * each.tax_minor, currency)),
        Cell(amount_of(page, sign * each.due_minor, currency)),
        Cell("" if each.credits else amount_of(page, each.open_minor, currency)),
    )


def _sums(page: ConsolePage, sums: Sequence[DocumentSum]) -> Listing:
    number = page.words.language.number
    return Listing(
        caption=page.text("Total of this filter: invoices less credit notes"),
        columns=SUM_COLUMNS,
        rows=[
            (
                Cell(each.currency, page.address.with_(currency=each.currency)),
                Cell(number(Decimal(each.invoices)), page.address.with_(kind="invoice")),
                Cell(number(Decimal(each.credit_notes)), page.address.with_(kind="credit_note")),
                *(
                    Cell(amount_of(page, minor, each.currency))
                    for minor in (each.net_minor, each.tax_minor, each.due_minor)
                ),
            )
            for each in sums
        ],
        address=page.address,
        empty="",
    )


def _exported(page: ConsolePage, kind: str) -> Response[Any]:
    if kind == "csv":
        return csv_file("invoices", EXPORTED, _all_rows(page))
    if kind == "xlsx":
        return xlsx_file("invoices", "Invoices", EXPORTED, _all_rows(page))
    raise UnreadableFilterError(page.text("{value} is no format: csv or xlsx", value=kind[:20]))


def _all_rows(page: ConsolePage) -> Iterator[Cells]:
    """Yield every document of the filter, in its order, as it stands at one moment."""
    reach = page.user.reach(Permission.SEE_BOOKS)
    entities = None if reach.is_everywhere else sorted(reach.legal_entities)
    with page.console.exporting() as connection:
        currencies = issued_currencies(connection, entities)
        wanted = filter_of(connection, page, reach, currencies)
        if wanted.troubles:
            raise UnreadableFilterError("; ".join(wanted.troubles))
        query, given = documents_query(
            wanted.wish, behind=None, order=wanted.order, is_down=wanted.is_down
        )
        with connection.cursor("exported", row_factory=class_row(ListedInvoice)) as cursor:
            cursor.itersize = _AT_ONCE
            yield from map(_exported_row, cursor.execute(query, given))


def _exported_row(each: ListedInvoice) -> Cells:
    sign, exponent = (1 if each.credits is None else -1), currency_exponent(each.currency)

    def amount(minor: int) -> Decimal:
        return Decimal(sign * minor).scaleb(-exponent)

    return (
        each.number,
        "invoice" if each.credits is None else "credit_note",
        each.credits or "",
        each.issued_on.isoformat(),
        each.legal_entity,
        each.customer or "",
        str(each.sessions),
        each.currency,
        amount(each.net_minor),
        amount(each.tax_minor),
        amount(each.gross_minor),
        amount(each.rounding_minor),
        amount(each.due_minor),
        "" if each.credits else amount(each.open_minor),
        each.sha256,
    )
