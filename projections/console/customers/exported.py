"""Which customers an address asks for, and all of them as a file: a row for each balance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from litestar import Response
from litestar.exceptions import ValidationException
from psycopg import Connection

from projections.console.exports.exporting import Cells, csv_file, xlsx_file
from projections.console.page import ConsolePage
from projections.console.parts.within import WithinReach, within
from projections.customers.balances import CustomerBalance, customer_balances
from projections.customers.listing import KnownCustomer, is_within, list_customers
from tariffs.quantities import money_of_minor

PAGE: Final = 50
SORTED: Final = "customer"
"""By what customers are sorted: names lie sealed, so no index has them."""
_LOOKS_MAX: Final = 4
"""Who reaches some places sees the customers of those: so many pages are looked through for one."""
_HEADING: Final = (
    "customer",
    "subject",
    "name",
    "kind",
    "invoicing",
    "legal_entity",
    "currency",
    "prepaid",
    "open",
    "to_invoice",
)


def found_customers(
    page: ConsolePage, connection: Connection[Any], inside: WithinReach, after: str
) -> tuple[Sequence[KnownCustomer], str]:
    """Return customers of a page behind the key *after*, and behind which the next ones are.

    Raises:
        ValidationException: If the address wants them sorted otherwise.
    """
    key, is_down = page.address.sort
    if key not in {"", SORTED}:
        message = f"sort: customers are sorted by {SORTED}"
        raise ValidationException(message)
    found = list[KnownCustomer]()
    for _ in range(_LOOKS_MAX):
        looked = list_customers(
            connection,
            inside.declarations,
            page.now,
            prefix=page.address.of("q"),
            after=after,
            limit=PAGE + 1,
            is_down=is_down,
        )
        found += [
            each for each in looked if is_within(connection, each.subject, inside.legal_entities)
        ]
        if len(found) > PAGE:
            return found[:PAGE], found[PAGE - 1].name
        if len(looked) <= PAGE:
            return found, ""
        after = looked[-1].name
    return found, after


def exported_customers(page: ConsolePage, kind: str) -> Response[Any]:
    """Return the customers of the filter in the address, in its order.

    Raises:
        ValidationException: If *kind* is neither csv nor xlsx.
        TooManyRowsError: If they are more than a workbook holds.
    """
    if kind == "csv":
        return csv_file("customers", _HEADING, _rows(page))
    if kind == "xlsx":
        return xlsx_file("customers", "Customers", _HEADING, _rows(page))
    message = "format: csv or xlsx"
    raise ValidationException(message)


def _rows(page: ConsolePage) -> Iterator[Cells]:
    with page.console.exporting() as connection:
        inside, after, is_more = within(page, connection), "", True
        while is_more:
            found, after = found_customers(page, connection, inside, after)
            subjects = [each.subject for each in found]
            balances = customer_balances(connection, subjects, legal_entities=inside.legal_entities)
            for each in found:
                own = [balance for balance in balances if balance.customer == each.subject]
                yield from (_row(each, balance) for balance in own)
                if not own:
                    yield _row(each, None)
            is_more = bool(after)


def _row(each: KnownCustomer, balance: CustomerBalance | None) -> Cells:
    declared = each.declared
    said = (
        each.name,
        each.subject,
        each.details.name if each.details else "",
        str(declared.kind or "") if declared else "",
        str(declared.invoicing) if declared else "",
    )
    if balance is None:
        return (*said, "", "", "", "", "")
    sums = (balance.prepaid_minor, balance.open_minor, balance.to_invoice_minor)
    amounts = (money_of_minor(minor, balance.currency).amount for minor in sums)
    return (*said, balance.legal_entity, balance.currency, *amounts)
