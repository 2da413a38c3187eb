"""The list of customers: by the beginning of their key, with how each stands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from litestar import Controller, Response, get
from litestar.params import FromPath

from ledger.master_data.customers import CustomerKind, Invoicing
from ledger.users.roles import Permission
from projections.console.addresses import AFTER, FORMAT
from projections.console.customers.exported import SORTED, exported_customers, found_customers
from projections.console.customers.shown import shown_customer
from projections.console.entry import needs
from projections.console.links import customer_link
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage, ThisPage
from projections.console.parts.within import within
from projections.customers.balances import CustomerBalance, customer_balances
from projections.customers.listing import KnownCustomer

_COLUMNS: Final = (
    Column("customer", "Customer", sorts=True),
    Column("name", "Name"),
    Column("kind", "Kind"),
    Column("invoicing", "Invoiced"),
    Column("prepaid", "Prepaid", is_figure=True),
    Column("open", "Open", is_figure=True),
    Column("to_invoice", "Not invoiced yet", is_figure=True),
)
KINDS: Final[Mapping[CustomerKind, str]] = {
    CustomerKind.PRIVATE: "Private",
    CustomerKind.BUSINESS: "Business",
    CustomerKind.FLEET: "Fleet",
    CustomerKind.AD_HOC: "Ad hoc",
}
INVOICED: Final[Mapping[Invoicing, str]] = {
    Invoicing.PER_SESSION: "Each session",
    Invoicing.PER_MONTH: "Each month",
    Invoicing.ON_THRESHOLD: "From an amount on",
}


class CustomerPages(Controller):
    """Customers, and one of them."""

    path = "/customers"

    @get("/", opt=needs(Permission.SEE_BOOKS), sync_to_thread=True)
    def listed(self, page: ThisPage) -> Response[Any]:
        """Show customers by their key, or hand them out as a file."""
        asked = page.address.of("q")
        if kind := page.address.of(FORMAT):
            return exported_customers(page, kind)
        with page.console.reading() as connection:
            inside = within(page, connection)
            found, more = found_customers(page, connection, inside, page.address.of(AFTER))
            subjects = [each.subject for each in found]
            balances = customer_balances(connection, subjects, legal_entities=inside.legal_entities)
        return page.show(
            "customers/list.html.j2", listing=_listing(page, found, balances, more), asked=asked
        )

    @get("/{customer:str}", opt=needs(Permission.SEE_BOOKS), sync_to_thread=True)
    def one(self, page: ThisPage, customer: FromPath[str]) -> Response[str]:
        """Show one customer, by its key or its subject id."""
        return shown_customer(page, customer)


def _listing(
    page: ConsolePage,
    found: Sequence[KnownCustomer],
    balances: Sequence[CustomerBalance],
    more: str,
) -> Listing:
    by_customer: defaultdict[str, list[CustomerBalance]] = defaultdict(list)
    for balance in balances:
        by_customer[balance.customer].append(balance)
    return Listing(
        caption=page.text("Customers"),
        columns=_COLUMNS,
        rows=[_row(page, each, by_customer[each.subject]) for each in found],
        address=page.address,
        empty=page.text("No customer whose books you may see has a key that begins like that."),
        next_after=more,
        exports=bool(found),
        by_itself=SORTED,
    )


def _row(page: ConsolePage, each: KnownCustomer, balances: Sequence[CustomerBalance]) -> list[Cell]:
    href = customer_link(each.name)
    customer = each.declared
    kind = page.text(KINDS[customer.kind]) if customer and customer.kind else ""

    def sums(column: str) -> str:
        found = defaultdict[str, int](int)
        for balance in balances:
            found[balance.currency] += getattr(balance, column)
        language = page.words.language
        return " + ".join(language.money(minor, unit) for unit, minor in found.items() if minor)

    return [
        Cell(each.name, href),
        Cell(each.details.name if each.details else ""),
        Cell(kind),
        Cell(page.text(INVOICED[customer.invoicing]) if customer else ""),
        Cell(sums("prepaid_minor"), href),
        Cell(sums("open_minor"), href),
        Cell(sums("to_invoice_minor"), href),
    ]
