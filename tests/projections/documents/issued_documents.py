"""Documents that were issued and booked, for readers who get them in different ways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import Connection

from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import BEGINNING, Declarations, Kind
from ledger.declared.store import declare, load_declarations
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.issuing import issue_due
from ledger.master_data.addresses import Address
from ledger.master_data.customers import Customer, Delivery, PersonDetails
from ledger.master_data.tokens import Token
from ledger.persons.holders import HolderKind, customer_holder
from ledger.persons.store import MAKE, erase, keep_blob
from projections.documents.keeping.issued import IssuedDocument
from projections.documents.keeping.kept import RenderedDocument, digest
from projections.documents.kinds import DocumentKind
from tariffs.model.canonical import canonical_json
from tests.at_the_edge import keep_named_subjects, named_subject
from tests.depot import NOON, changes, keep_decisions, rated, session

RENDERER = '{"test":"1"}'
_NUMBERS = iter(range(1, 1_000_000))


def operator(
    dsn: str, readers: dict[str, Delivery], *, language: str = "en", email: str | None = None
) -> Declarations:
    """Declare the depot with *readers*, each with a token `KEY-1` and a way; return all of it."""
    with connect(dsn) as connection:
        keep_named_subjects(connection, "nobody-1", *(f"{key}-1" for key in readers))
        wanted = changes()
        for key, delivery in readers.items():
            address = f"{key}@example.org" if email is None else email
            details = _keep_person(connection, key, address)
            customer = Customer(details=details, delivery=delivery, language=language)
            wanted += [
                Change(kind=Kind.CUSTOMER, key=key, entity=customer, valid_from=BEGINNING),
                Change(
                    kind=Kind.TOKEN,
                    key=f"{key}-1",
                    entity=Token(customer=key),
                    valid_from=BEGINNING,
                ),
            ]
        newest = {(each.kind, each.key): each for each in wanted}
        declare(connection, list(newest.values()), by="test", at=NOON)
        return load_declarations(connection)


def issue(dsn: str, declarations: Declarations, tokens: Sequence[str]) -> list[str]:
    """Issue and book an invoice for a session of each of *tokens*; return their numbers so."""
    with connect(dsn) as connection, InvoiceIssuer(dsn) as issuer:
        charged = [session(next(_NUMBERS), token_uid=token) for token in tokens]
        keep_decisions(connection, [rated(each, declarations) for each in charged])
        while issue_due(connection, issuer, declarations, up_to=NOON.replace(hour=20)):
            pass
        query = "SELECT session_id, number FROM invoiced_session"
        numbers = dict(connection.execute(query).fetchall())
    return [numbers[each.session_id] for each in charged]


def forget(dsn: str, subject: str) -> None:
    """Erase a person as `wattledger person erase` does."""
    with connect(dsn) as connection:
        assert erase(connection, [subject]) == 1


def render_plainly(_connection: Connection[Any], issued: IssuedDocument) -> RenderedDocument:
    """Render a document as a line that names it: what is tested here is what becomes of it."""
    document = issued.document
    return RenderedDocument(
        kind=DocumentKind.INVOICE,
        language=document.language or "en",
        pdf=f"%PDF {document.number} {digest(document.number.encode())}".encode(),
        xml=f"<{document.number}/>".encode(),
        renderer=RENDERER,
    )


def rows(dsn: str, query: str) -> list[tuple[Any, ...]]:
    """Return what *query* finds in the tables."""
    with connect(dsn) as connection:
        return connection.execute(query.encode()).fetchall()


def make_due(dsn: str) -> None:
    """Let the time pass that is waited before anything is tried again."""
    with connect(dsn) as connection:
        connection.execute("UPDATE document_task SET next_at = now()")
        connection.execute("UPDATE document_delivery SET next_at = now()")


def _keep_person(connection: psycopg.Connection[Any], key: str, email: str) -> str:
    holder = customer_holder(key)
    subject = named_subject(holder)
    row = [str(HolderKind.CUSTOMER), holder.name, holder.spelt, *subject]
    connection.execute(MAKE, [[column] for column in row])
    address = Address(street="Gasse 1", postal_code="20457", city="Hamburg", country="DE")
    person = PersonDetails(name=f"{key.title()} Reader", address=address, email=email or None)
    return keep_blob(connection, subject, canonical_json(person))
