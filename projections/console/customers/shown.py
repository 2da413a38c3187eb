"""One customer as its page shows it: how it stands, and all that happened on one time line."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import partial
from typing import Any, Final, LiteralString, NamedTuple

from litestar import Response
from litestar.exceptions import NotFoundException, ValidationException
from psycopg import Connection

from ledger.declared.declarations import Kind
from projections.console.addresses import AFTER, FORMAT
from projections.console.customers.entries import entry_rows, said_of
from projections.console.exports.listing_file import every_page, listing_file
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage
from projections.console.parts.within import WithinReach, within
from projections.customers.balances import CustomerBalance, customer_balances
from projections.customers.listing import KnownCustomer, find_customer, is_within
from projections.customers.time_line import BehindHappening, WhoseTimeLine, time_line
from projections.customers.tokens_of import tokens_of

PAGE: Final = 50
_AS_OF: Final = "as_of"
_LAST_SELLER: LiteralString = """
SELECT legal_entity FROM issued_invoice WHERE customer = %s ORDER BY issued_at DESC LIMIT 1
"""
_COLUMNS: Final = (
    Column("at", "When"),
    Column("what", "What"),
    Column("about", "About"),
    Column("amount", "Amount", is_figure=True, units=True, notes=True),
    Column("more", "What is to be known"),
)
_BALANCE_COLUMNS: Final = (
    Column("seller", "With"),
    Column("prepaid", "Prepaid", is_figure=True),
    Column("open", "Open", is_figure=True),
    Column("to_invoice", "Not invoiced yet", is_figure=True),
)
_KEY_PARTS: Final = 3


class AsOf(NamedTuple):
    """The end of a day, and by which clock."""

    day: date
    until: datetime


def shown_customer(page: ConsolePage, named: str) -> Response[Any]:
    """Show a customer, or hand its whole time line out as a file.

    Raises:
        NotFoundException: If there is none within reach.
    """
    if form := page.address.of(FORMAT):
        return listing_file(form, "customer", every_page(page, partial(_line_of, named)))
    with page.console.reading() as connection:
        inside = within(page, connection)
        customer = _customer(page, connection, inside, named)
        clock = _clock(connection, inside, customer.subject)
        as_of = _as_of(page, clock)
        until = as_of.until if as_of else None
        line = _line(page, connection, inside, customer, until)
        balances = customer_balances(
            connection, [customer.subject], legal_entities=inside.legal_entities, until=until
        )
        return page.show(
            "customers/one.html.j2",
            customer=customer,
            facts=_facts(page, customer),
            balances=_balances(page, balances, is_past=until is not None),
            line=line,
            as_of=as_of.day.isoformat() if as_of else "",
            until=until,
            zone=clock,
            clock=str(clock),
        )


def _customer(
    page: ConsolePage, connection: Connection[Any], inside: WithinReach, named: str
) -> KnownCustomer:
    found = find_customer(connection, inside.declarations, page.now, named)
    if found is None or not is_within(connection, found.subject, inside.legal_entities):
        message = f"there is no customer {named}"
        raise NotFoundException(message)
    return found


def _clock(connection: Connection[Any], inside: WithinReach, subject: str) -> tzinfo:
    """Return by which clock a customer's days end: that of whose document it got last, else UTC."""
    row = connection.execute(_LAST_SELLER, (subject,)).fetchone()
    return UTC if row is None else inside.calendar(row[0])


def _as_of(page: ConsolePage, clock: tzinfo) -> AsOf | None:
    text = page.address.of(_AS_OF)
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
        ends = day + timedelta(days=1)
    except (ValueError, OverflowError) as error:
        message = f"{_AS_OF}: a day is written as 2026-03-31, not {text}"
        raise ValidationException(message) from error
    return AsOf(day, datetime.combine(ends, time(0), clock))


def _behind(page: ConsolePage) -> BehindHappening | None:
    text = page.address.of(AFTER)
    if not text:
        return None
    parts = text.split("~", _KEY_PARTS - 1)
    try:
        at = datetime.fromisoformat(parts[0])
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or len(parts) != _KEY_PARTS:
        message = f"{AFTER}: {text!r} was not made here"
        raise ValidationException(message)
    return BehindHappening(at, parts[1], parts[2])


def _facts(page: ConsolePage, customer: KnownCustomer) -> list[tuple[str, Cell]]:
    details = customer.details
    pairs = [("Customer", Cell(customer.name)), ("Subject id", Cell(customer.subject))]
    if details is not None:
        pairs += [
            ("Name", Cell(details.name)),
            ("Address", Cell(", ".join(details.address.lines()))),
            ("E-mail", Cell(details.email or "")),
        ]
    if customer.declared is not None:
        days = customer.declared.payment_days
        pairs += [
            ("VAT id", Cell(customer.declared.vat_id or "")),
            ("Days to pay", Cell("" if days is None else str(days))),
            (
                "Pays in advance",
                Cell(page.text("yes") if customer.declared.pays_in_advance else page.text("no")),
            ),
        ]
    return [pair for pair in pairs if pair[1].text]


def _balances(page: ConsolePage, balances: Sequence[CustomerBalance], *, is_past: bool) -> Listing:
    language = page.words.language
    rows = [
        [
            Cell(each.legal_entity),
            Cell(language.money(each.prepaid_minor, each.currency)),
            Cell(
                language.money(each.open_minor, each.currency),
                tone="warn" if each.open_minor > 0 else "",
            ),
            Cell("" if is_past else language.money(each.to_invoice_minor, each.currency)),
        ]
        for each in balances
    ]
    empty = page.text("Nothing is prepaid, open or waits for its invoice.")
    return Listing(page.text("Balance"), _BALANCE_COLUMNS, rows, page.address, empty)


def _line_of(named: str, page: ConsolePage, connection: Connection[Any]) -> Listing:
    """Return a page of the time line of who is *named*."""
    inside = within(page, connection)
    customer = _customer(page, connection, inside, named)
    as_of = _as_of(page, _clock(connection, inside, customer.subject))
    return _line(page, connection, inside, customer, as_of.until if as_of else None)


def _line(
    page: ConsolePage,
    connection: Connection[Any],
    inside: WithinReach,
    customer: KnownCustomer,
    until: datetime | None,
) -> Listing:
    whose = WhoseTimeLine(
        customer.subject,
        tokens_of(inside.declarations, customer.subject),
        inside.declarations.keys(Kind.PARTNER),
        inside.legal_entities,
        inside.stays,
    )
    behind = _behind(page)
    happened = time_line(connection, whose, limit=PAGE + 1, until=until, behind=behind)
    said = said_of(connection, happened[:PAGE])
    shown = happened[:PAGE]
    last = shown[-1] if len(happened) > PAGE else None
    return Listing(
        caption=page.text("What happened, the newest first"),
        columns=_COLUMNS,
        rows=entry_rows(page, inside, shown, said),
        address=page.address,
        empty=page.text("Nothing has happened: no session, no document, no payment."),
        next_after=f"{last.at.isoformat()}~{last.kind}~{last.ref}" if last else "",
        exports=True,
    )
