"""Who may issue, when a month is due, and what stands in the books then: each bound, both sides."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from eventsourcing.persistence import IntegrityError, Recording
from msgspec.structs import replace

from ledger.books.feed import DESK_PARTITION, read_feed
from ledger.database import connect
from ledger.declared.declarations import BEGINNING, Kind
from ledger.invoices.document import document_of, read_document
from ledger.invoices.invoice import Invoice, InvoiceAlreadyIssuedError
from ledger.invoices.issuer import InvoiceIssuer, IssuingContendedError
from ledger.invoices.issuing import ISSUING_LOCK, issue_due
from ledger.invoices.numbering import INVOICES, NumberOrderError, NumberSeries
from ledger.invoices.order import MixedInvoiceError, cause_of_session, order_of
from ledger.invoices.shown import OtherRatingError, shown_invoice
from ledger.master_data.customers import Customer, Invoicing
from ledger.rating.decisions import SessionRated
from tests.depot import NOON, declared, keep_decisions, rated, session

DECLARED = declared()
MICROSECOND = timedelta(microseconds=1)


def keep(connection: psycopg.Connection[Any], *decisions: SessionRated) -> None:
    with connection.transaction():
        keep_decisions(connection, decisions)


def month_of(number: int, started_at: datetime) -> SessionRated:
    return rated(session(number, token_uid="fleet-1", started_at=started_at))


def waiting(connection: psycopg.Connection[Any]) -> list[str]:
    query = "SELECT session_id FROM uninvoiced_session ORDER BY session_id"
    return [each for (each,) in connection.execute(query)]


def test_while_another_issues_nothing_is_issued_and_the_lock_is_let_go_after(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer, database: str
) -> None:
    keep(connection, rated(session()))
    lock = "SELECT pg_try_advisory_lock(%s)"
    with connect(database) as rival:
        rival.execute(lock, (ISSUING_LOCK,))
        assert issue_due(connection, issuer, DECLARED, up_to=NOON) == ()
        assert not list(issuer.invoices())
        rival.execute("SELECT pg_advisory_unlock(%s)", (ISSUING_LOCK,))

        assert issue_due(connection, issuer, DECLARED, up_to=NOON) == ("WL-2026-000001",)
        assert rival.execute(lock, (ISSUING_LOCK,)).fetchone() == (True,)


def test_what_missed_the_invoice_of_its_month_goes_on_the_next_one_alone(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    keep(connection, month_of(1, NOON))
    [first] = issue_due(connection, issuer, DECLARED, up_to=datetime(2026, 12, 2, tzinfo=UTC))
    late = month_of(2, NOON + timedelta(hours=2))
    keep(connection, late)

    assert issue_due(connection, issuer, DECLARED, up_to=datetime(2026, 12, 3, tzinfo=UTC)) == ()
    assert waiting(connection) == [late.session_id]
    [second] = issue_due(connection, issuer, DECLARED, up_to=datetime(2027, 1, 2, tzinfo=UTC))

    documents = [read_document(invoice.document) for _, invoice in issuer.invoices()]
    assert [each.number for each in documents] == [first, second]
    assert [each.month for each in documents] == ["2026-11", "2026-12"]
    assert [len(each.sessions) for each in documents] == [1, 1]
    assert waiting(connection) == []


def test_what_missed_the_invoice_of_a_december_goes_on_that_of_january(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    christmas = datetime(2026, 12, 24, tzinfo=UTC)
    keep(connection, month_of(1, christmas))
    issue_due(connection, issuer, DECLARED, up_to=datetime(2027, 1, 2, tzinfo=UTC))
    late = month_of(2, christmas + timedelta(hours=2))
    keep(connection, late)

    assert issue_due(connection, issuer, DECLARED, up_to=datetime(2027, 1, 31, tzinfo=UTC)) == ()
    assert waiting(connection) == [late.session_id]
    issue_due(connection, issuer, DECLARED, up_to=datetime(2027, 2, 2, tzinfo=UTC))

    months = [read_document(invoice.document).month for _, invoice in issuer.invoices()]
    assert months == ["2026-12", "2027-01"]


def test_what_a_kill_left_is_booked_before_what_is_due_and_not_by_who_is_to_end(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    """Its session may wait for nothing any more: a correction took it from the queue."""
    first = rated(session())
    keep(connection, first)
    issuer.issue(order_of(cause_of_session(first.decides), [first], DECLARED, at=NOON))
    later = replace(first.moment, position=99)
    keep(connection, replace(first, revision=2, moment=later))

    assert issue_due(connection, issuer, DECLARED, up_to=NOON, is_over=lambda: True) == ()
    assert issue_due(connection, issuer, DECLARED, up_to=NOON) == ("WL-2026-000001",)
    assert waiting(connection) == [first.session_id], "for what it corrects to be looked at"
    until = NOON + timedelta(hours=2)
    assert issue_due(connection, issuer, DECLARED, up_to=until) == (), "it charges the same"
    assert waiting(connection) == []


def test_a_december_is_due_when_it_is_over_and_not_a_moment_before(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    keep(connection, month_of(1, datetime(2026, 12, 31, 12, tzinfo=UTC)), month_of(2, NOON))
    # Berlin is an hour ahead, and a month waits for an hour.
    over_at = datetime(2027, 1, 1, tzinfo=UTC)

    early = issue_due(connection, issuer, DECLARED, up_to=over_at - MICROSECOND)
    late = issue_due(connection, issuer, DECLARED, up_to=over_at)

    assert (len(early), len(late)) == (1, 1)
    months = [read_document(invoice.document).month for _, invoice in issuer.invoices()]
    assert months == ["2026-11", "2026-12"]


def test_a_seller_that_was_withdrawn_has_no_calendar_but_that_of_utc(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    withdrawn = declared((Kind.LEGAL_ENTITY, "depot", None, NOON + timedelta(days=1)))
    keep(connection, month_of(1, NOON))
    over_at = datetime(2026, 12, 1, 1, tzinfo=UTC)

    assert issue_due(connection, issuer, withdrawn, up_to=over_at - MICROSECOND) == ()
    assert len(issue_due(connection, issuer, withdrawn, up_to=over_at)) == 1


def test_all_invoices_are_read_whatever_the_page(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    keep(connection, *(rated(session(number)) for number in (1, 2, 3)))
    numbers = issue_due(connection, issuer, DECLARED, up_to=NOON)

    for page in (1, 2, 3, 4):
        assert tuple(each.number for _, each in issuer.invoices(page=page)) == numbers
    (first, _), *_ = issuer.invoices()
    assert tuple(each.number for _, each in issuer.invoices(after=first)) == numbers[1:]


def test_a_booked_invoice_is_the_first_of_its_kind_in_the_feed(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    keep(connection, rated(session()))
    [number] = issue_due(connection, issuer, DECLARED, up_to=NOON)

    [entry] = read_feed(connection, DESK_PARTITION, start=1, limit=9)
    assert (entry.subject, entry.revision, entry.number) == (number, 1, 1)


class Unlucky(InvoiceIssuer):
    """Others are faster at each save."""

    attempts = 0

    def save(self, *_: object, **__: object) -> list[Recording[UUID]]:
        self.attempts += 1
        raise IntegrityError


def test_who_is_always_too_late_gives_up_in_the_end(database: str) -> None:
    decision = rated(session())
    order = order_of(cause_of_session(decision.decides), [decision], DECLARED, at=NOON)
    with Unlucky(database) as unlucky:
        with pytest.raises(IssuingContendedError, match="too many issue at once"):
            unlucky.issue(order)
        assert unlucky.attempts == 50


def test_a_buyer_that_is_known_by_name_alone_is_none_on_the_document() -> None:
    decision = rated(session())
    order = order_of(cause_of_session(decision.decides), [decision], DECLARED, at=NOON)

    document = document_of(replace(order, buyer=None), number="1", issued_on=date(2026, 11, 10))

    assert document.buyer is None
    assert document.bearer == "anna"


def test_an_invoice_is_shown_with_exactly_its_sessions() -> None:
    decision = rated(session())
    order = order_of(cause_of_session(decision.decides), [decision], DECLARED, at=NOON)
    document = document_of(order, number="1", issued_on=date(2026, 11, 10))

    assert document.schema == 3
    for sessions in ([], [decision, decision]):
        with pytest.raises(ValueError, match="argument 2"):
            shown_invoice(document, sessions)
    with pytest.raises(OtherRatingError, match="replay --check"):
        shown_invoice(document, [replace(decision, tax_minor=1)])


def test_refusals_say_what_was_refused() -> None:
    numbers = NumberSeries(
        legal_entity="depot", year=2026, kind=INVOICES, start=1, number_format="{year}/{number}"
    )
    with pytest.raises(NumberOrderError, match="depot: 2027-01-01 cannot follow"):
        numbers.take(UUID(int=1), issued_on=date(2027, 1, 1), number_format="{year}/{number}")
    invoice = Invoice(
        cause="session:a",
        session_ids=["a"],
        revisions=[1],
        issued_at=NOON,
        declared_version=1,
        credited=None,
    )
    invoice.issue(number="1", place=1, issued_on=date(2026, 11, 10), document=b"{}")
    with pytest.raises(InvoiceAlreadyIssuedError, match="is issued and never changes"):
        invoice.issue(number="2", place=2, issued_on=date(2026, 11, 10), document=b"{}")
    with pytest.raises(MixedInvoiceError, match="one seller, buyer and currency"):
        order_of(
            "session:a", [rated(session()), rated(session(token_uid="fleet-1"))], DECLARED, at=NOON
        )


def test_two_customers_and_two_currencies_have_an_invoice_each(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    """A month's sessions are grouped by all that one invoice has but once."""
    other = declared(
        (Kind.CUSTOMER, "anna", Customer(details="A", invoicing=Invoicing.PER_MONTH), BEGINNING)
    )
    anna = rated(session(3), other)
    abroad = replace(month_of(2, NOON), currency="SEK")
    keep(connection, month_of(1, NOON), abroad, anna)

    numbers = issue_due(connection, issuer, other, up_to=datetime(2026, 12, 2, tzinfo=UTC))

    assert len(numbers) == 3
    found = [read_document(invoice.document) for _, invoice in issuer.invoices()]
    assert sorted((each.buyer.name if each.buyer else "", each.currency) for each in found) == [
        ("anna", "EUR"), ("fleet", "EUR"), ("fleet", "SEK"),
    ]  # fmt: skip
