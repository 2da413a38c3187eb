"""Credit notes where the amounts stay and what is said of the tax does not."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
from msgspec.structs import replace

from ledger.declared.declarations import BEGINNING, Declarations, Kind
from ledger.invoices.document import InvoiceDocument, document_of, read_document
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.issuing import issue_due
from ledger.invoices.order import cause_of_session, order_of
from ledger.master_data.customers import Customer
from ledger.master_data.sites import Site
from ledger.master_data.tariff_versions import published
from ledger.rating.decisions import Moment, SessionRated
from ledger.rating.reconciling.correcting import corrected, is_billed_otherwise
from tariffs.model.tariff import Dimension
from tariffs.taxes.sales_taxes import SalesTax
from tests.depot import NOON, component, declared, keep_decisions, rated, session, tariff

LATER = NOON + timedelta(days=3)
FRENCH, ITALIAN = "FR61954506077", "IT10024740911"
SARL = Customer(details="Bornes SARL", vat_id=FRENCH, reverse_charge=True)


def owing(vat_id: str | None, *, reverse_charge: bool = True) -> Declarations:
    """Return the depot whose customer anna is a business that owes the VAT itself."""
    buyer = replace(SARL, vat_id=vat_id, reverse_charge=reverse_charge)
    return declared((Kind.CUSTOMER, "anna", buyer, BEGINNING))


def invoiced(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer, known: Declarations
) -> SessionRated:
    """Have a session rated and invoiced by what is *known*."""
    was = rated(session(), known)
    keep_decisions(connection, [was])
    issue_due(connection, issuer, known, up_to=NOON)
    return was


def documents(
    connection: psycopg.Connection[Any],
    issuer: InvoiceIssuer,
    was: SessionRated,
    known: Declarations,
) -> list[InvoiceDocument]:
    """Have *was* priced again by what is *known* since; return all documents then."""
    moment = Moment(partition=0, position=1001, at=LATER)
    now = replace(rated(session(), known), revision=2, moment=moment)
    assert is_billed_otherwise(now, was)
    keep_decisions(connection, [corrected(now, was)])
    issue_due(connection, issuer, known, up_to=LATER + timedelta(hours=1))
    return [read_document(invoice.document) for _, invoice in issuer.invoices()]


def vat_ids(made: list[InvoiceDocument]) -> list[tuple[str | None, list[Any]]]:
    """Return of each document the VAT id of its buyer, and those that its notes name."""
    return [
        (
            each.buyer.vat_id if each.buyer else None,
            [note.parameters["vat_id"] for note in each.notes],
        )
        for each in made
    ]


def test_another_vat_id_of_who_owes_the_vat_is_credited_and_invoiced_anew(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    was = invoiced(connection, issuer, owing(FRENCH))

    made = documents(connection, issuer, was, owing(ITALIAN))

    assert [each.due_minor for each in made] == [400, 400, 400]
    assert vat_ids(made) == [(FRENCH, [FRENCH]), (FRENCH, [FRENCH]), (ITALIAN, [ITALIAN])]


def test_what_is_owed_by_the_buyer_no_more_is_credited_under_the_vat_id_of_then(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    was = invoiced(connection, issuer, owing(FRENCH))

    made = documents(connection, issuer, was, owing(None, reverse_charge=False))

    assert vat_ids(made) == [(FRENCH, [FRENCH]), (FRENCH, [FRENCH]), (None, [])]
    assert [(each.due_minor, each.taxes[0].category) for each in made] == [
        (400, "AE"),
        (400, "AE"),
        (476, "S"),
    ]


def test_who_has_another_vat_id_by_now_is_invoiced_under_that_of_its_sessions(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    keep_decisions(connection, [rated(session(), owing(FRENCH))])

    issue_due(connection, issuer, owing(ITALIAN), up_to=NOON)

    [(_, invoice)] = issuer.invoices()
    assert vat_ids([read_document(invoice.document)]) == [(FRENCH, [FRENCH])]


def test_who_has_no_vat_id_any_more_gets_no_invoice_that_leaves_the_vat_to_it(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    keep_decisions(connection, [rated(session(), owing(FRENCH))])
    told: list[str] = []

    issue_due(
        connection,
        issuer,
        owing(None, reverse_charge=False),
        up_to=NOON,
        told=lambda _cause, why: told.append(str(why)),
    )

    assert len(told) == 1
    assert "has no vat_id any more" in told[0]


def test_taxes_by_another_name_are_credited_and_invoiced_anew(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    def taxed(name: str) -> Declarations:
        both = SalesTax(name="GST", percent=Decimal(5)), SalesTax(name=name, percent=Decimal(7))
        priced = tariff("energy", component(Dimension.ENERGY, "0.40", Decimal(12)))
        of_both = replace(priced, sales_taxes=both)
        return declared((Kind.TARIFF, "energy", published(of_both), BEGINNING))

    was = invoiced(connection, issuer, taxed("PST"))

    made = documents(connection, issuer, was, taxed("RST"))

    assert [[tax.name for tax in each.taxes] for each in made] == [
        ["GST", "PST"],
        ["GST", "PST"],
        ["GST", "RST"],
    ]
    query = "SELECT account, sum(amount_minor)::int FROM posting WHERE account ~ '^tax' GROUP BY 1"
    owed = {account: minor for account, minor in connection.execute(query) if minor}
    assert owed == {"tax:DE:GST:5": -20, "tax:DE:RST:7": -28}


def test_vat_of_another_country_is_credited_and_invoiced_anew(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    austrian = Site(time_zone="Europe/Berlin", country="AT", legal_entity="depot", currency="EUR")
    was = invoiced(connection, issuer, declared())

    made = documents(connection, issuer, was, declared((Kind.SITE, "harbour", austrian, BEGINNING)))

    assert [each.vat[0].country for each in made] == ["DE", "DE", "AT"]


def test_the_same_terms_are_no_news(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    was = invoiced(connection, issuer, owing(FRENCH))
    now = replace(
        rated(session(), owing(FRENCH)),
        revision=2,
        moment=Moment(partition=0, position=1001, at=LATER),
    )
    assert not is_billed_otherwise(now, was)
    keep_decisions(connection, [corrected(now, was)])

    assert issue_due(connection, issuer, owing(FRENCH), up_to=LATER + timedelta(days=1)) == ()


def test_a_document_of_before_is_rendered_as_it_was() -> None:
    one = rated(session(), owing(FRENCH))
    order = order_of(cause_of_session(one.decides), [one], owing(ITALIAN), at=LATER)
    made = [
        document_of(order, number="WL-1", issued_on=NOON.date(), schema=schema)
        for schema in (1, 2, 3)
    ]

    assert [each.buyer and each.buyer.vat_id for each in made] == [ITALIAN, ITALIAN, FRENCH]
