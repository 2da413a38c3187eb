"""The filter of the list of invoices: what stands in the address, as a wish for documents."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, urlencode

from psycopg import Connection

from ledger.users.roles import Reach
from projections.console.addresses import AFTER, SORT, PageAddress
from projections.console.page import ConsolePage
from projections.errors import ProjectionError
from projections.finding.documents import (
    Behind,
    DocumentOrder,
    DocumentState,
    DocumentWish,
    customer_subject,
)
from projections.invoice_list import ListedInvoice
from tariffs.currencies import UnknownCurrencyError, currency_exponent

FILTERS: Final = (
    "number",
    "customer",
    "entity",
    "month",
    "from",
    "to",
    "state",
    "kind",
    "currency",
    "min",
    "max",
)
"""What the address may have, beside how it is sorted."""
KINDS: Final[Mapping[str, bool | None]] = {"": None, "invoice": False, "credit_note": True}
IS_SUBJECT: Final = re.compile("p-[0-9a-f]{32}")
_BETWEEN: Final = "~"
_QUERY_MAX: Final = 4_000
_MINOR_MAX: Final = 10**17
_DIGITS_MAX: Final = 20
_NO_AMOUNT: Final = Decimal("NaN")


class InvoiceFilter(NamedTuple):
    """What is to be listed; `troubles` say what of the address cannot be read, in words."""

    wish: DocumentWish
    order: DocumentOrder
    is_down: bool
    behind: Behind | None
    troubles: Sequence[str]


def filter_of(
    connection: Connection[Any], page: ConsolePage, reach: Reach, currencies: Sequence[str]
) -> InvoiceFilter:
    """Return what *page* asks for, cut to *reach*; *currencies*: those that were ever billed in."""
    address, read = page.address, _Reading(page)
    first, after = read.days()
    order, is_down, behind = read.order()
    currency = address.of("currency")
    state = read.state()
    customer = address.of("customer")
    least, most = read.amounts(currency, currencies)
    wish = DocumentWish(
        customer=customer_subject(connection, customer) if customer else None,
        legal_entity=address.of("entity") or None,
        legal_entities=None if reach.is_everywhere else sorted(reach.legal_entities),
        is_credit_note=read.kind(),
        issued_from=first,
        issued_until=after,
        number_prefix=address.of("number") or None,
        currency=currency or None,
        state=state,
        due_from_minor=least,
        due_to_minor=most,
        today=page.now.date(),
    )
    return InvoiceFilter(wish, order, is_down, behind, read.troubles)


def key_of(row: ListedInvoice, order: DocumentOrder) -> str:
    """Return where a list goes on behind *row*, as it stands in an address."""
    keys: dict[DocumentOrder, object] = {
        DocumentOrder.ISSUED_ON: row.issued_on,
        DocumentOrder.NUMBER: "",
        DocumentOrder.DUE: row.due_minor,
    }
    return f"{keys[order]}{_BETWEEN}{row.number}"


def filter_text(address: PageAddress) -> str:
    """Return what of an address is a filter or an order: what a saved view keeps."""
    kept = {name: address.of(name) for name in (*FILTERS, SORT)}
    return urlencode([(name, value) for name, value in kept.items() if value])


def filter_text_of(query: str) -> str:
    """Return what of a query that somebody sent is a filter or an order."""
    return filter_text(PageAddress("", dict(parse_qsl(query[:_QUERY_MAX]))))


def kept_text_of(connection: Connection[Any], page: ConsolePage, query: str) -> str:
    """Return a filter as it is kept: of whom, it says by a subject id, which outlives no person.

    Raises:
        NobodysViewError: If it is of nobody; whoever was meant must not stand there in clear.
    """
    fields = dict(parse_qsl(query))
    if customer := fields.get("customer"):
        fields["customer"] = customer_subject(connection, customer)
        if not IS_SUBJECT.fullmatch(fields["customer"]):
            raise NobodysViewError(
                page.text("there is no customer {name}: no view is kept", name=customer[:60])
            )
    return urlencode(fields)


def shown_text_of(kept: str, names: Mapping[str, str]) -> str:
    """Return a filter as `kept_text_of` kept it, with the customer's key where there is one."""
    fields = dict(parse_qsl(kept))
    return urlencode({key: names.get(value, value) for key, value in fields.items()})


class NobodysViewError(ProjectionError):
    """A filter is of a customer that there is not."""


class _Reading:
    """Reads an address, and keeps what cannot be read."""

    def __init__(self, page: ConsolePage) -> None:
        self._page, self._address = page, page.address
        self.troubles: list[str] = []

    def days(self) -> tuple[date | None, date | None]:
        """Return the first day, and the one after the last."""
        first, last = self._day("from"), self._day("to")
        after = None if last is None or last == date.max else last + timedelta(days=1)
        month = self._address.of("month")
        if not month:
            return first, after
        try:
            begin = date.fromisoformat(f"{month}-01")
            end = (begin + timedelta(days=31)).replace(day=1)
        except (ValueError, OverflowError):
            self._cannot("{value} is no month: write it as 2026-03", month)
            return first, after
        return max(begin, first or begin), min(end, after or end)

    def kind(self) -> bool | None:
        said = self._address.of("kind")
        if said not in KINDS:
            self._cannot("{value} is no kind of document: choose one of the list", said)
        return KINDS.get(said)

    def state(self) -> DocumentState | None:
        said = self._address.of("state")
        if not said:
            return None
        try:
            return DocumentState(said)
        except ValueError:
            self._cannot("{value} is no state of an invoice: choose one of the list", said)
            return None

    def amounts(self, currency: str, currencies: Sequence[str]) -> tuple[int | None, int | None]:
        """Return the least and the most, in minor units of the one currency that is meant."""
        said = self._address.of("min"), self._address.of("max")
        if said == ("", ""):
            return None, None
        meant = currency or (currencies[0] if len(currencies) == 1 else "")
        try:
            exponent = currency_exponent(meant)
        except UnknownCurrencyError:
            self._cannot("choose a currency for the amounts {value}", " ".join(filter(None, said)))
            return None, None
        least, most = (self._minor(text, exponent) for text in said)
        return least, most

    def order(self) -> tuple[DocumentOrder, bool, Behind | None]:
        """Return how the list is sorted, and behind which row it goes on."""
        key, is_down = self._address.sort
        if not key:
            key, is_down = DocumentOrder.ISSUED_ON, True
        try:
            order = DocumentOrder(key)
        except ValueError:
            self._cannot("{value} is no column that sorts", key)
            order = DocumentOrder.ISSUED_ON
        return order, is_down, self._behind(order)

    def _behind(self, order: DocumentOrder) -> Behind | None:
        said = self._address.of(AFTER)
        if not said:
            return None
        key, _, number = said.partition(_BETWEEN)
        try:
            if order is DocumentOrder.ISSUED_ON:
                return Behind(date.fromisoformat(key), number)
            if order is DocumentOrder.DUE and abs(int(key[:_DIGITS_MAX])) <= _MINOR_MAX:
                return Behind(int(key[:_DIGITS_MAX]), number)
        except ValueError:
            pass
        else:
            if order is DocumentOrder.NUMBER:
                return Behind("", number)
        self._cannot("{value} is no place in this list: begin at its first page", said)
        return None

    def _day(self, name: str) -> date | None:
        said = self._address.of(name)
        if not said:
            return None
        try:
            return date.fromisoformat(said)
        except ValueError:
            self._cannot("{value} is no day: write it as 2026-03-31", said)
            return None

    def _minor(self, said: str, exponent: int) -> int | None:
        if not said:
            return None
        try:
            minor = Decimal(said.replace(",", ".")).scaleb(exponent)
        except ArithmeticError:
            minor = _NO_AMOUNT
        if not minor.is_finite() or abs(minor) > _MINOR_MAX or minor != minor.to_integral_value():
            self._cannot("{value} is no amount: write it as 12.34", said)
            return None
        return int(minor)

    def _cannot(self, message: str, value: str) -> None:
        self.troubles.append(self._page.text(message, value=value[:100]))
