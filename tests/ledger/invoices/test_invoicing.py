"""Invoicing on a real PostgreSQL: due once, numbered without gaps, never changed, killable."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import psycopg
import pytest

from ledger.books.decisions_store import rated_sessions
from ledger.books.feed import DESK_PARTITION, FeedEntry, read_feed
from ledger.database import connect
from ledger.declared.declarations import Kind
from ledger.invoices.document import read_document, render_invoice
from ledger.invoices.invoice import InvoiceAlreadyIssuedError
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.issuing import issue_due
from ledger.invoices.order import cause_of_month, cause_of_session, order_of
from ledger.master_data.assignments import Assignment
from ledger.master_data.tariff_versions import published
from ledger.rating.decisions import SessionRated
from ledger.sessions.session import ChargingSession
from projections.audit.shown_documents import show_invoice
from projections.balances.trial import trial_balance
from tests.depot import FREE, NOON, declared, keep_decisions, rated, session

DECLARED = declared()
CHRISTMAS = datetime(2026, 12, 24, tzinfo=UTC)
FREE_FOR_ALL = declared(
    (Kind.TARIFF, "free", published(FREE), NOON),
    (Kind.ASSIGNMENT, "site=harbour", Assignment(tariff="free", site="harbour"), NOON),
)


def keep(connection: psycopg.Connection[Any], *sessions: ChargingSession) -> list[SessionRated]:
    """Rate and store sessions as the worker does."""
    decisions = [rated(each, DECLARED) for each in sessions]
    with connection.transaction():
        keep_decisions(connection, decisions)
    return decisions


def column(connection: psycopg.Connection[Any], query: str) -> list[Any]:
    return [value for (value,) in connection.execute(query.encode())]


def desk(connection: psycopg.Connection[Any]) -> Sequence[FeedEntry]:
    return read_feed(connection, DESK_PARTITION, start=1, limit=100)


def test_a_customer_billed_per_session_gets_one_invoice_a_session_at_once(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    keep(connection, session(1), session(2, token_uid="nobody-1"))

    numbers = issue_due(connection, issuer, DECLARED, up_to=NOON)

    assert numbers == ("WL-2026-000001", "WL-2026-000002")
    assert issue_due(connection, issuer, DECLARED, up_to=CHRISTMAS) == ()
    documents = [read_document(invoice.document) for _, invoice in issuer.invoices()]
    assert [each.buyer and each.buyer.name for each in documents] == ["anna", None]
    assert [each.bearer for each in documents] == [None, "nobody-1"]


def test_a_month_is_invoiced_an_hour_after_it_is_over_in_the_sellers_calendar(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    keep(connection, session(1, token_uid="fleet-1"), session(2, token_uid="fleet-1"))
    one_in_berlin = datetime(2026, 12, 1, 0, tzinfo=UTC)

    before = issue_due(
        connection, issuer, DECLARED, up_to=one_in_berlin - timedelta(microseconds=1)
    )
    after = issue_due(connection, issuer, DECLARED, up_to=one_in_berlin)

    assert (before, after) == ((), ("WL-2026-000001",))
    ((_, invoice),) = issuer.invoices()
    assert invoice.issued_on == date(2026, 12, 1)
    document = read_document(invoice.document)
    assert (document.month, len(document.sessions)) == ("2026-11", 2)
    assert document.gross_minor == 2 * 476


def test_a_session_that_is_rated_just_after_midnight_goes_on_its_own_months_invoice(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    midnight_in_berlin = datetime(2026, 11, 30, 23, tzinfo=UTC)
    keep(connection, session(1, token_uid="fleet-1"))
    early = issue_due(connection, issuer, DECLARED, up_to=midnight_in_berlin)
    keep(connection, session(2, token_uid="fleet-1"))

    issue_due(connection, issuer, DECLARED, up_to=midnight_in_berlin + timedelta(hours=1))

    assert early == ()
    ((_, invoice),) = issuer.invoices()
    assert len(invoice.session_ids) == 2


def test_no_month_is_invoiced_while_records_of_its_time_are_still_to_be_decided(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    keep(connection, session(1, token_uid="fleet-1"))

    behind = issue_due(connection, issuer, DECLARED, up_to=CHRISTMAS, complete_up_to=NOON)

    assert behind == ()
    assert len(issue_due(connection, issuer, DECLARED, up_to=CHRISTMAS)) == 1


def test_a_session_rated_after_its_months_invoice_goes_on_the_next_one(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    keep(connection, session(1, token_uid="fleet-1"))
    issue_due(connection, issuer, DECLARED, up_to=datetime(2026, 12, 2, tzinfo=UTC))
    (late,) = keep(connection, session(2, token_uid="fleet-1"))

    assert issue_due(connection, issuer, DECLARED, up_to=CHRISTMAS) == ()
    assert issue_due(connection, issuer, DECLARED, up_to=datetime(2027, 1, 2, tzinfo=UTC)) == (
        "WL-2027-000001",
    )

    invoice = issuer.find(
        cause_of_month(legal_entity="depot", customer="fleet", currency="EUR", month="2026-12")
    )
    assert invoice is not None
    assert invoice.session_ids == [late.session_id]


def test_months_that_end_while_nothing_runs_get_one_invoice_each(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    october, december = NOON - timedelta(days=30), NOON + timedelta(days=30)
    sessions = [
        session(number, token_uid="fleet-1", started_at=at)
        for number, at in enumerate((october, NOON, NOON, december), 1)
    ]
    keep(connection, *sessions)

    issue_due(connection, issuer, DECLARED, up_to=datetime(2027, 3, 1, tzinfo=UTC))

    documents = [read_document(invoice.document) for _, invoice in issuer.invoices()]
    assert [(each.month, len(each.sessions)) for each in documents] == [
        ("2026-10", 1),
        ("2026-11", 2),
        ("2026-12", 1),
    ]


def test_a_kill_between_issue_and_booking_is_made_good_by_the_next_call(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    (decision,) = keep(connection, session(1))
    order = order_of(cause_of_session(decision.decides), [decision], DECLARED, at=NOON)
    issuer.issue(order)  # and here the process died

    numbers = issue_due(connection, issuer, DECLARED, up_to=CHRISTMAS)

    assert numbers == ("WL-2026-000001",)
    assert len(list(issuer.invoices())) == 1
    assert column(connection, "SELECT issued_on FROM issued_invoice") == [date(2026, 11, 10)]
    assert column(connection, "SELECT count(*) FROM uninvoiced_session") == [0]


def test_what_is_saved_and_not_booked_is_booked_once_in_order_and_with_its_number_in_the_feed(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    first, second = keep(connection, session(1), session(2))
    for decision in (second, first):
        issuer.issue(order_of(cause_of_session(decision.decides), [decision], DECLARED, at=NOON))
    connection.execute(
        "CREATE FUNCTION killed() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN RAISE EXCEPTION ''killed''; END'"
    )
    connection.execute(
        "CREATE TRIGGER killed BEFORE INSERT ON feed_entry FOR EACH ROW EXECUTE FUNCTION killed()"
    )
    with pytest.raises(psycopg.errors.RaiseException, match="killed"):
        issue_due(connection, issuer, DECLARED, up_to=NOON)
    assert column(connection, "SELECT count(*) FROM issued_invoice") == [0]
    connection.execute("DROP TRIGGER killed ON feed_entry")

    numbers = issue_due(connection, issuer, DECLARED, up_to=NOON)

    assert numbers == ("WL-2026-000001", "WL-2026-000002")
    assert issue_due(connection, issuer, DECLARED, up_to=CHRISTMAS) == ()
    on_invoices = "SELECT session_id, number FROM invoiced_session ORDER BY number"
    assert connection.execute(on_invoices.encode()).fetchall() == [
        (second.session_id, numbers[0]),
        (first.session_id, numbers[1]),
    ]
    assert [(each.number, each.kind, each.subject, each.sha256) for each in desk(connection)] == [
        (at, "issued", invoice.number, invoice.sha256)
        for at, (_, invoice) in enumerate(issuer.invoices(), 1)
    ]


def test_each_revision_stands_on_its_own_invoice_which_shows_what_was_rated_then(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    (first,) = keep(connection, session(1))
    issue_due(connection, issuer, DECLARED, up_to=NOON)
    half = rated(session(1, energy_wh="5000"), DECLARED)
    moment = msgspec.structs.replace(half.moment, position=99)
    second = msgspec.structs.replace(half, revision=2, moment=moment)
    keep_decisions(connection, [second])

    numbers = issue_due(connection, issuer, DECLARED, up_to=NOON)

    assert numbers == ("WL-2026-000002",)
    assert connection.execute("TABLE invoiced_session").fetchall() == [
        (first.session_id, 1, "WL-2026-000001"),
        (first.session_id, 2, "WL-2026-000002"),
    ]
    shown = [show_invoice(connection, number) for number in ("WL-2026-000001", "WL-2026-000002")]
    assert [(each.gross_minor, each.sessions[0].revision) for each in shown] == [(476, 1), (238, 2)]
    assert [each.lines[0].quantity for each in shown] == [10, 5]
    assert {each.lines[0].revision for each in shown} == {1, 2}
    assert trial_balance(connection).is_balanced


def test_a_month_bills_of_a_session_the_last_revision_alone(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    (first,) = keep(connection, session(1, token_uid="fleet-1"))
    moment = msgspec.structs.replace(first.moment, position=99)
    keep_decisions(connection, [msgspec.structs.replace(first, revision=2, moment=moment)])

    issue_due(connection, issuer, DECLARED, up_to=CHRISTMAS)

    ((_, invoice),) = issuer.invoices()
    assert invoice.sessions == ((first.session_id, 2),)
    [billed] = read_document(invoice.document).sessions
    assert (billed.session_id, billed.revision) == (first.session_id, 2)


def test_a_kill_within_a_months_issue_leaves_later_sessions_to_the_next_month(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    (first,) = keep(connection, session(1, token_uid="fleet-1"))
    cause = cause_of_month(legal_entity="depot", customer="fleet", currency="EUR", month="2026-11")
    issuer.issue(order_of(cause, [first], DECLARED, at=datetime(2026, 12, 1, tzinfo=UTC)))
    (late,) = keep(connection, session(2, token_uid="fleet-1"))

    issue_due(connection, issuer, DECLARED, up_to=CHRISTMAS)

    assert column(connection, "SELECT session_id FROM invoiced_session") == [first.session_id]
    assert column(connection, "SELECT session_id FROM uninvoiced_session") == [late.session_id]


def test_ten_issuers_at_once_leave_no_gap_and_issue_each_session_once(
    database: str, connection: psycopg.Connection[Any]
) -> None:
    decisions = keep(connection, *(session(number) for number in range(1, 13)))
    orders = [
        order_of(cause_of_session(each.decides), [each], DECLARED, at=NOON) for each in decisions
    ]
    applications = [InvoiceIssuer(database) for _ in range(5)]

    def issue_all(index: int) -> list[str | None]:
        turned = orders[index:] + orders[:index]
        return [applications[index % 5].issue(order).number for order in turned]

    with ThreadPoolExecutor(10) as pool:
        given = list(pool.map(issue_all, range(10)))

    assert {tuple(sorted(str(number) for number in numbers)) for numbers in given} == {
        tuple(f"WL-2026-{number:06d}" for number in range(1, 13))
    }
    assert len(list(applications[0].invoices())) == 12
    for application in applications:
        application.close()


def test_two_loops_at_once_book_each_invoice_once(
    database: str, connection: psycopg.Connection[Any]
) -> None:
    keep(connection, *(session(number) for number in range(1, 9)))

    def loop(_: int) -> None:
        with connect(database) as own, InvoiceIssuer(database) as application:
            for _attempt in range(3):
                issue_due(own, application, DECLARED, up_to=NOON)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(loop, range(4)))

    assert column(connection, "SELECT count(*) FROM issued_invoice") == [8]
    assert column(connection, "SELECT count(*) FROM invoiced_session") == [8]


def test_an_issued_invoice_refuses_every_command(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    keep(connection, session(1))
    issue_due(connection, issuer, DECLARED, up_to=NOON)
    ((_, invoice),) = issuer.invoices()

    with pytest.raises(InvoiceAlreadyIssuedError):
        invoice.issue(
            number="WL-2026-000002", place=2, issued_on=date(2026, 11, 11), document=b"{}"
        )
    with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
        connection.execute("UPDATE issued_invoice SET gross_minor = 0")


def test_dates_never_go_back_within_a_series(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    keep(connection, session(1))
    issue_due(connection, issuer, DECLARED, up_to=NOON + timedelta(days=3))
    keep(connection, session(2))
    issue_due(connection, issuer, DECLARED, up_to=NOON)  # a partition that lags behind

    assert [invoice.issued_on for _, invoice in issuer.invoices()] == [date(2026, 11, 13)] * 2


def test_a_free_session_makes_no_invoice_of_its_own_but_stands_on_the_months(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    free = [rated(session(1), FREE_FOR_ALL), rated(session(2, token_uid="fleet-1"), FREE_FOR_ALL)]
    keep_decisions(connection, free)

    numbers = issue_due(connection, issuer, FREE_FOR_ALL, up_to=CHRISTMAS)

    assert numbers == ("WL-2026-000001",)
    ((_, invoice),) = issuer.invoices()
    document = read_document(invoice.document)
    assert document.buyer is not None
    assert (document.buyer.name, document.gross_minor) == ("fleet", 0)
    assert column(connection, "SELECT count(*) FROM posting") == [0]


def test_a_roaming_session_is_owed_by_the_partner_and_not_invoiced_here(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    keep(connection, session(1, token_uid="guest-1"))

    assert issue_due(connection, issuer, DECLARED, up_to=CHRISTMAS) == ()
    owed = connection.execute("SELECT account, party FROM posting WHERE amount_minor > 0")
    assert owed.fetchall() == [("receivable:partner:unbilled", "NL-TNM")]


def test_every_document_renders_again_to_its_bytes_and_its_total_is_that_of_its_postings(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    keep(connection, session(1), session(2, token_uid="fleet-1"), session(3, token_uid="fleet-1"))
    numbers = issue_due(connection, issuer, DECLARED, up_to=CHRISTMAS)

    assert len(numbers) == 2
    for _, invoice in issuer.invoices():
        sessions = rated_sessions(connection, invoice.sessions)
        order = order_of(invoice.cause, sessions, DECLARED, at=invoice.issued_at)
        assert invoice.number is not None
        again = render_invoice(order, number=invoice.number, issued_on=invoice.issued_on)
        assert again.decode() == invoice.document
        document = read_document(invoice.document)
        posted = connection.execute(
            "SELECT sum(amount_minor) FROM posting WHERE entry_id = %s"
            " AND account = 'receivable:invoiced'",
            (f"invoice:{invoice.number}",),
        ).fetchone()
        assert posted == (sum(each.gross_minor for each in document.sessions),)
        assert posted == (document.due_minor,)
    open_items = connection.execute(
        "SELECT account, sum(amount_minor) FROM posting GROUP BY account HAVING"
        " account IN ('receivable:unbilled', 'expected_tax') ORDER BY account"
    ).fetchall()
    assert open_items == [("expected_tax", 0), ("receivable:unbilled", 0)]


def test_a_month_of_hundreds_of_sessions_is_one_save(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    keep_decisions(
        connection, [rated(session(number, token_uid="fleet-1")) for number in range(1, 1001)]
    )

    assert issue_due(connection, issuer, DECLARED, up_to=CHRISTMAS) == ("WL-2026-000001",)
    ((_, invoice),) = issuer.invoices()
    assert len(read_document(invoice.document).sessions) == 1_000
    # A session stands there as a reference, not with its lines.
    assert len(invoice.document) < 200 * 1_000
