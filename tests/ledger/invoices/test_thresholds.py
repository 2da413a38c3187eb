"""Invoices on a threshold: by which session, of what, whenever anybody looks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace

from ledger.declared.changes import Change
from ledger.declared.declarations import BEGINNING, Declarations, Entity, Kind
from ledger.declared.store import declare
from ledger.invoices.document import InvoiceDocument, read_document
from ledger.invoices.due import due_by_threshold
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.issuing import issue_due
from ledger.master_data.assignments import Assignment
from ledger.master_data.customers import Customer, Invoicing
from ledger.master_data.legal_entities import LegalEntity
from ledger.master_data.sites import Site
from ledger.master_data.stations import Station
from ledger.master_data.tariff_versions import published
from ledger.rating.decisions import Moment, SessionRated
from projections.balances.trial import trial_balance
from projections.replay.invoices import InvoiceComparison
from tests.depot import ENERGY_ONLY, NOON, changes, declared, keep_decisions, rated, session

LATER = NOON + timedelta(days=3)
JANUARY = datetime(2027, 1, 2, tzinfo=UTC)
PAID_ON = Customer(details="Fleet AG", invoicing=Invoicing.ON_THRESHOLD)


def on_threshold(amount: str | None = "10.00") -> Declarations:
    threshold = None if amount is None else Decimal(amount)
    return declared((Kind.CUSTOMER, "fleet", replace(PAID_ON, threshold=threshold), BEGINNING))


DECLARED = on_threshold()


def costing(number: int, minor: int, *, at: datetime = NOON) -> SessionRated:
    """Return a session that costs *minor* cents, taxes included, decided at *at*."""
    one = rated(session(number, token_uid="fleet-1"), DECLARED)
    amount = Decimal(minor).scaleb(-2)
    line = replace(
        one.lines[0],
        billed_volume=Decimal(1),
        unit_price=amount,
        net=amount,
        tax=Decimal(0),
        tax_percent=None,
        net_minor=minor,
        tax_minor=0,
    )
    moment = Moment(partition=0, position=number, at=at)
    return replace(one, lines=(line,), net_minor=minor, tax_minor=0, moment=moment)


def keep(connection: psycopg.Connection[Any], *minors: int, first: int = 1) -> None:
    """Store sessions that cost *minors*, decided a minute after another."""
    keep_decisions(
        connection,
        [
            costing(number, minor, at=NOON + timedelta(minutes=number))
            for number, minor in enumerate(minors, first)
        ],
    )


def documents(issuer: InvoiceIssuer) -> list[InvoiceDocument]:
    return [read_document(invoice.document) for _, invoice in issuer.invoices()]


def sums(issuer: InvoiceIssuer) -> list[int]:
    return [each.due_minor for each in documents(issuer)]


@pytest.mark.parametrize(
    ("minors", "invoiced"),
    [
        pytest.param([999], [], id="a cent below it"),
        pytest.param([1000], [1000], id="exactly it"),
        pytest.param([600, 300, 200, 900], [1100], id="by the one that reaches it"),
        pytest.param([600, 300, 200, 900, 100], [1100, 1000], id="and again"),
        pytest.param([2500, 2500], [2500, 2500], id="one may be more than that alone"),
        pytest.param([0, 0, 0], [], id="what is free reaches nothing"),
    ],
)
def test_an_invoice_has_what_waited_up_to_the_session_that_reached_the_threshold(
    connection: psycopg.Connection[Any],
    issuer: InvoiceIssuer,
    minors: list[int],
    invoiced: list[int],
) -> None:
    keep(connection, *minors)

    issue_due(connection, issuer, DECLARED, up_to=LATER)

    assert sums(issuer) == invoiced
    assert all(each.month is None for each in documents(issuer))
    assert issue_due(connection, issuer, DECLARED, up_to=LATER) == ()
    assert trial_balance(connection).is_balanced


def test_what_is_left_at_the_end_of_the_month_goes_on_the_months(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    keep(connection, 600, 500, 400)

    issue_due(connection, issuer, DECLARED, up_to=JANUARY)

    assert sums(issuer) == [1100, 400]
    assert [each.month for each in documents(issuer)] == [None, "2026-11"]
    assert connection.execute("SELECT count(*) FROM uninvoiced_session").fetchall() == [(0,)]


def test_looks_at_any_moment_make_the_same_invoices(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    minors = [600, 300, 200, 900, 100, 50]
    keep(connection, *minors)

    for minute in range(1, len(minors) + 1):
        issue_due(connection, issuer, DECLARED, up_to=NOON + timedelta(minutes=minute))

    assert sums(issuer) == [1100, 1000]


def test_the_threshold_is_the_one_declared_by_then_and_who_has_none_waits_for_the_month(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    keep(connection, 600)

    assert list(due_by_threshold(connection, on_threshold("6.01"), LATER)) == []
    assert list(due_by_threshold(connection, on_threshold(None), LATER)) == []
    assert len(list(due_by_threshold(connection, on_threshold("6.00"), LATER))) == 1
    assert issue_due(connection, issuer, on_threshold(None), up_to=JANUARY) != ()


def test_a_replay_renders_them_again(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    paid_on = Change(
        kind=Kind.CUSTOMER,
        key="fleet",
        entity=replace(PAID_ON, threshold=Decimal(10)),
        valid_from=BEGINNING,
    )
    with connection.transaction():
        declare(connection, changes(), by="a test", at=NOON)
        version = declare(connection, [paid_on], by="a test", at=NOON)
    assert version == DECLARED.version
    keep(connection, 600, 500, 400)
    assert len(issue_due(connection, issuer, DECLARED, up_to=JANUARY)) == 2

    with InvoiceComparison(connection.info.dsn, "books") as comparison:
        found = list(comparison.compare())

    assert [each for each in found if each.kept != each.again] == []
    assert len([each for each in found if each.what == "invoice document"]) == 2


def test_what_is_corrected_waits_until_what_it_replaces_is_credited(
    connection: psycopg.Connection[Any],
) -> None:
    keep(connection, 600, 500)
    connection.execute(
        "INSERT INTO correction_to_document VALUES (%s, 2, 1, %s, false)",
        (costing(1, 600).session_id, NOON),
    )

    assert list(due_by_threshold(connection, DECLARED, LATER)) == []


ABROAD: dict[tuple[Kind, str], Entity] = {
    (Kind.LEGAL_ENTITY, "quay"): LegalEntity(
        name="Quay Ltd",
        country="GB",
        time_zone="Europe/London",
        invoice_prefix="QU",
        vat_id="GB980780684",
    ),
    (Kind.SITE, "quayside"): Site(
        time_zone="Europe/London", country="GB", legal_entity="quay", currency="GBP"
    ),
    (Kind.SITE, "annexe"): Site(
        time_zone="Europe/Berlin", country="DE", legal_entity="depot", currency="CHF"
    ),
    (Kind.STATION, "ST-2"): Station(site="quayside"),
    (Kind.STATION, "ST-3"): Station(site="annexe"),
    (Kind.TARIFF, "pounds"): published(replace(ENERGY_ONLY, id="pounds", currency="GBP")),
    (Kind.TARIFF, "francs"): published(replace(ENERGY_ONLY, id="francs", currency="CHF")),
    (Kind.ASSIGNMENT, "site=quayside"): Assignment(tariff="pounds", site="quayside"),
    (Kind.ASSIGNMENT, "site=annexe"): Assignment(tariff="francs", site="annexe"),
}


@pytest.mark.parametrize("invoicing", list(Invoicing))
def test_each_legal_entity_and_currency_has_invoices_of_its_own_and_nothing_is_converted(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer, invoicing: Invoicing
) -> None:
    threshold = Decimal("9.00") if invoicing is Invoicing.ON_THRESHOLD else None
    customer = Customer(details="Fleet AG", invoicing=invoicing, threshold=threshold)
    known = declared(
        (Kind.CUSTOMER, "fleet", customer, BEGINNING),
        *((kind, key, entity, BEGINNING) for (kind, key), entity in ABROAD.items()),
    )
    stations = ("ST-1", "ST-2", "ST-3")
    sessions = [
        rated(session(10 * number + count, token_uid="fleet-1", station_id=station), known)
        for number, station in enumerate(stations, 1)
        for count in range(2)
    ]
    keep_decisions(connection, sessions)

    issue_due(connection, issuer, known, up_to=JANUARY)

    each = 1 if invoicing is Invoicing.PER_SESSION else 2
    found = sorted((doc.seller.name, doc.currency, doc.due_minor) for doc in documents(issuer))
    sellers = [("Depot GmbH", "CHF"), ("Depot GmbH", "EUR"), ("Quay Ltd", "GBP")]
    assert found == [(*seller, 476 * each) for seller in sellers for _ in range(2 // each)]
    balance = trial_balance(connection)
    assert balance.is_balanced
    owed = {
        account.currency: account.balance_minor
        for account in balance.accounts
        if account.account == "receivable:invoiced"
    }
    assert owed == {"CHF": 952, "EUR": 952, "GBP": 952}
