"""What the pages of this room have in common: amounts, parties, documents, postings, what waits."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC
from typing import Any, Final, LiteralString, Protocol

from psycopg import Connection

from ledger.payments.bank.details import LineDetails
from ledger.payments.movement import CLEARING
from projections.console.links import (
    account_link,
    bank_line_link,
    customer_link,
    invoice_link,
    payout_link,
)
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage

_LINE: Final = re.compile(r"\d{8}-[0-9a-f]{16}(\.\d+)?", re.ASCII)
_INVOICES: LiteralString = "SELECT number FROM issued_invoice WHERE number = ANY (%s)"
_NAMES: LiteralString = """
SELECT subject, name FROM subject WHERE kind = 'customer' AND subject = ANY (%s)
"""
POSTED: Final = (
    Column("account", "Account"),
    Column("party", "Party"),
    Column("debit", "Debit", is_figure=True),
    Column("credit", "Booked as credit", is_figure=True),
)


class PostedMoney(Protocol):
    """A leg of an entry: a debit where it is above 0."""

    @property
    def account(self) -> str:
        """Where it stands."""

    @property
    def party(self) -> str:
        """Who owes, or is owed; "" nobody in particular."""

    @property
    def currency(self) -> str:
        """Its currency."""

    @property
    def amount_minor(self) -> int:
        """How much, in minor units."""


def invoices_among(connection: Connection[Any], documents: Collection[str]) -> frozenset[str]:
    """Return which of *documents* are invoices or credit notes of ours."""
    rows = connection.execute(_INVOICES, (sorted(filter(None, documents)),))
    return frozenset(number for (number,) in rows)


def customers_among(connection: Connection[Any], parties: Collection[str]) -> Mapping[str, str]:
    """Return the keys of customers by their subject ids, of those that were not erased."""
    return dict(connection.execute(_NAMES, (sorted(filter(None, parties)),)).fetchall())


def money_cell(page: ConsolePage, minor: int | None, currency: str) -> Cell:
    """Return an amount as the reader's language writes it."""
    return Cell("" if minor is None else page.words.language.money(minor, currency))


def party_cell(party: str, names: Mapping[str, str]) -> Cell:
    """Return who a posting is about; *names*: those of customers."""
    if party in names:
        return Cell(names[party], customer_link(party))
    return Cell(party)


def document_cell(document: str, account: str, invoices: Collection[str]) -> Cell:
    """Return what some money is for; *invoices*: which documents are such."""
    if document in invoices:
        return Cell(document, invoice_link(document))
    if _LINE.fullmatch(document):
        return Cell(document, bank_line_link(document))
    if document and account == CLEARING:
        return Cell(document, payout_link(document))
    return Cell(document)


def postings(
    page: ConsolePage, legs: Sequence[PostedMoney], names: Mapping[str, str], caption: str
) -> Listing:
    """Return an entry's postings."""
    money = page.words.language.money
    return Listing(
        caption=caption,
        columns=POSTED,
        rows=[
            (
                Cell(each.account, account_link(each.account)),
                party_cell(each.party, names),
                Cell(money(each.amount_minor, each.currency) if each.amount_minor > 0 else ""),
                Cell(money(-each.amount_minor, each.currency) if each.amount_minor < 0 else ""),
            )
            for each in legs
        ],
        address=page.address,
        empty=page.text("Nothing is posted."),
    )


def written_facts(page: ConsolePage, details: LineDetails | None) -> list[tuple[str, Cell]]:
    """Return what a line says of its other side, and what that wrote."""
    if details is None:
        return [("Who paid, and why", Cell(page.text("The payer was erased.")))]
    told = [
        ("Other side", details.payer),
        ("Its account", details.payer_account),
        ("What it wrote", " / ".join(details.texts)),
        ("Its references", " / ".join(details.references)),
        ("The bank's reference", details.bank_reference),
    ]
    return [(title, Cell(text)) for title, text in told if text]


def day_cell(page: ConsolePage, at: Any) -> Cell:  # noqa: ANN401 - a moment, or its day
    """Return the day of a statement's line."""
    day = at.astimezone(UTC).date() if hasattr(at, "astimezone") else at
    return Cell(page.words.language.day(day))
