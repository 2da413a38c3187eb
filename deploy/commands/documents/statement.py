"""`wattledger statement`: a customer's account over a period."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from cyclopts import Parameter

from deploy.commands.data_folder import FOLDER, DataFolder
from deploy.commands.documents.written import write_bytes
from deploy.errors import DeployError
from deploy.running.opening import opened

if TYPE_CHECKING:
    from psycopg import Connection

    from projections.documents.statements.statement import Wanted


class Account(NamedTuple):
    """Where a customer has an account: at whom, in which currency."""

    legal_entity: str
    currency: str


def statement(
    customer: str,
    /,
    *,
    from_: Annotated[date, Parameter(name="--from")],
    to: date,
    legal_entity: str | None = None,
    currency: str | None = None,
    output: Path | None = None,
    html: Annotated[bool, Parameter(negative=())] = False,
    folder: DataFolder = FOLDER,
) -> int:
    """Write a customer's statement of account: PDF/A-3, its lines as CSV inside.

    It has the balance before and after, documents, payments and each session. It is made of the
    books as they are now, and is no document of its own: it has no number and is not kept.

    Args:
        customer: The customer's key.
        from_: The first day, in the legal entity's calendar.
        to: The day after the last one.
        legal_entity: Whose account, where the customer has several.
        currency: In which currency, where the customer has several.
        output: The file; without it standard output, unless that is a terminal.
        html: As a page for the screen instead.
        folder: Where.
    """
    from projections.documents.statements.pdf import statement_html, statement_pdf
    from projections.documents.statements.statement import (
        Wanted,
        statement_of,
        statement_sessions,
    )

    if to <= from_:
        message = f"a statement goes from a day to a later one, not from {from_} to {to}"
        raise DeployError(message)
    with opened(folder.settings()) as connection:
        subject = _subject(connection, customer)
        account = _account(connection, customer, subject, legal_entity, currency)
        wanted = Wanted(subject, *account, from_, to - timedelta(days=1))
        shown = statement_of(connection, wanted)
        sessions = statement_sessions(connection, shown)
        logo = _logo(connection, wanted)
        if html:
            content = statement_html(shown, sessions, logo=logo).encode()
        else:
            content = statement_pdf(shown, sessions, logo=logo)
    return write_bytes(content, output, is_text=html)


def _subject(connection: Connection[Any], customer: str) -> str:
    from ledger.desk.customers.prepaying import UnknownCustomerError
    from ledger.persons.holders import customer_holder
    from ledger.persons.store import find

    holder = customer_holder(customer)
    found = find(connection, [holder]).get((holder.kind, holder.name))
    if found is None:
        raise UnknownCustomerError(customer)
    return found.id


def _account(
    connection: Connection[Any],
    customer: str,
    subject: str,
    legal_entity: str | None,
    currency: str | None,
) -> Account:
    """Return the only account that fits.

    Raises:
        UnclearAccountError: If there are several, or none.
    """
    query = """
    SELECT legal_entity, currency FROM issued_invoice WHERE customer = %(customer)s
    UNION SELECT legal_entity, currency FROM prepayment WHERE customer = %(customer)s
    ORDER BY legal_entity, currency
    """
    every = [Account(*row) for row in connection.execute(query, {"customer": subject})]
    wanted = None if currency is None else currency.upper()
    fitting = [
        each
        for each in every
        if each.legal_entity == (legal_entity or each.legal_entity)
        and each.currency == (wanted or each.currency)
    ]
    if len(fitting) != 1:
        raise UnclearAccountError(customer, every)
    return fitting[0]


def _logo(connection: Connection[Any], wanted: Wanted) -> str | None:
    from datetime import UTC, datetime, time

    from ledger.declared.store import load_declarations

    at = datetime.combine(wanted.last_day + timedelta(days=1), time(), UTC)
    seller = load_declarations(connection).last_legal_entity(wanted.legal_entity, at)
    return None if seller is None else seller.logo


class UnclearAccountError(DeployError):
    """A customer has several accounts, or none that fits."""

    def __init__(self, customer: str, accounts: list[Account]) -> None:
        there = "; ".join(f"{each.legal_entity} in {each.currency}" for each in accounts)
        super().__init__(
            f"say which account of {customer} (--legal-entity, --currency): {there}"
            if accounts
            else f"{customer} has no account: nothing was invoiced or paid in advance"
        )
        self.customer, self.accounts = customer, accounts
