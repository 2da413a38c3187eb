"""Batches: how documents fall into them changes none, and what is off with one stops no other."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest
from eventsourcing.persistence import Recording
from msgspec.structs import replace
from psycopg.conninfo import make_conninfo

from ledger.books.feed import DESK_PARTITION, FeedEntry, read_feed
from ledger.books.prepayments import Prepayment, record_prepayment
from ledger.database import connect
from ledger.declared.declarations import BEGINNING, Kind
from ledger.invoices import booking, issuing
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.issuing import issue_due
from ledger.invoices.numbering import INVOICES
from ledger.invoices.order import (
    Credited,
    CreditedPart,
    cause_of_credit,
    cause_of_session,
    order_of,
)
from ledger.master_data.customers import Customer, Invoicing
from ledger.master_data.tokens import Token
from ledger.rating.decisions import CorrectionCause, Moment, SessionRated
from ledger.rating.reconciling.correcting import corrected
from tests.depot import NOON, declared, keep_decisions, rated, session

DECLARED = declared(
    (Kind.CUSTOMER, "saver", Customer(details="S", invoicing=Invoicing.ON_THRESHOLD,
                                      threshold=Decimal(10)), BEGINNING),
    (Kind.TOKEN, "saver-1", Token(customer="saver"), BEGINNING),
)  # fmt: skip
PAID = Prepayment("depot", "r-1", "anna", "EUR", 1200, NOON, "a test")
"""It settles two invoices of anna's and a part of the third."""
LATER = NOON + timedelta(days=3)
CHRISTMAS = datetime(2026, 12, 24, tzinfo=UTC)
NEW_YEAR = datetime(2027, 1, 2, tzinfo=UTC)
_TABLES = {
    **dict.fromkeys(("issued_invoice", "invoiced_session", "credited_session"), "ctid"),
    **dict.fromkeys(("uninvoiced_session", "correction_to_document", "feed_entry"), "ctid"),
    "journal_entry": "booked_at, entry_id",
}
"""All that follows, in the order in which it was written, or is shown."""


@contextmanager
def fresh(dsn: str, template: str, name: str) -> Iterator[str]:
    """Yield a database of its own beside the test's."""
    with psycopg.connect(dsn, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        try:
            yield make_conninfo(dsn, dbname=name)
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


class Saves(InvoiceIssuer):
    """Knows how many aggregates each of its saves held."""

    name = "invoices"  # the library names the table by the class otherwise

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self.sizes: list[int] = []

    def save(self, *aggregates: Any, **more: Any) -> list[Recording[UUID]]:  # noqa: ANN401
        self.sizes.append(sum(each is not None for each in aggregates))
        return super().save(*aggregates, **more)


@pytest.fixture
def issuer(database: str) -> Iterator[Saves]:
    with Saves(database) as application:
        yield application


def keep(connection: psycopg.Connection[Any], *decisions: SessionRated) -> None:
    with connection.transaction():
        keep_decisions(connection, decisions)


def correction(was: SessionRated, wh: str) -> SessionRated:
    """Return what *was* is when it turns out to be *wh*."""
    number = int(was.session_id.split("/")[1])
    now = rated(session(number, token_uid=was.token_uid, energy_wh=wh), DECLARED)
    moment = Moment(partition=0, position=1000 + number, at=LATER)
    return corrected(replace(now, revision=2, moment=moment), was)


def feed(connection: psycopg.Connection[Any]) -> list[FeedEntry]:
    return list(read_feed(connection, DESK_PARTITION, start=1, limit=1000))


def issue_a_year(connection: psycopg.Connection[Any], issuer: InvoiceIssuer, at_once: int) -> None:
    """Issue what is due by itself, by threshold and by month, and credit some of it.

    Some cannot be issued, and some is settled from what was paid in advance.
    """
    record_prepayment(connection, PAID)
    saved = [rated(session(number, token_uid="saver-1"), DECLARED) for number in range(31, 39)]
    singles = [rated(session(number), DECLARED) for number in range(1, 8)]
    months = [rated(session(number, token_uid="fleet-1"), DECLARED) for number in range(11, 15)]
    singles[2] = replace(singles[2], legal_entity="gone")
    singles[4] = replace(singles[4], currency="ABC")
    keep(connection, *singles, *months, *saved)
    for up_to in (NOON, CHRISTMAS):
        issue_due(connection, issuer, DECLARED, up_to=up_to, at_once=at_once)
    late = rated(session(21, token_uid="fleet-1"), DECLARED)
    changed = [correction(each, "5000") for each in (*singles[:2], singles[5], *months[1:3])]
    keep(connection, late, *changed)
    for up_to in (CHRISTMAS, NEW_YEAR, NEW_YEAR + timedelta(days=60)):
        issue_due(connection, issuer, DECLARED, up_to=up_to, at_once=at_once)


def consequences(dsn: str, at_once: int) -> list[list[tuple[Any, ...]]]:
    """Return all that is issued and booked, in the order in which it was."""
    with connect(dsn) as connection, InvoiceIssuer(dsn) as issuer:
        issue_a_year(connection, issuer, at_once)
        issued = [(each.id, each.number, each.document) for _, each in issuer.invoices()]
        tables = [
            connection.execute(f"SELECT * FROM {table} ORDER BY {order}".encode()).fetchall()
            for table, order in _TABLES.items()
        ]
        return [issued, *tables]


def test_batches_of_any_size_give_the_same_documents_numbers_entries_and_feed(
    postgres_dsn: str, template_database: str
) -> None:
    found = []
    for at_once in (1, 2, 3, 100):
        with fresh(postgres_dsn, template_database, f"{template_database}_{at_once}") as dsn:
            found.append(consequences(dsn, at_once))

    one_by_one, *batched = found
    assert len(one_by_one[0]) == 17
    assert sum(str(row[0]).startswith("settled:") for row in one_by_one[-1]) == 8
    for each in batched:
        assert each == one_by_one


def test_a_batch_is_one_save_of_the_invoices_and_each_series(
    connection: psycopg.Connection[Any], issuer: Saves
) -> None:
    keep(connection, *(rated(session(number)) for number in range(1, 8)))

    assert len(issue_due(connection, issuer, DECLARED, up_to=NOON, at_once=3)) == 7
    assert issuer.sizes == [3 + 1, 3 + 1, 1 + 1]


@pytest.mark.parametrize(("bound", "sizes"), [(3, [3 + 1, 1 + 1]), (4, [4 + 1])])
def test_a_batch_is_full_with_its_sessions_too(
    connection: psycopg.Connection[Any],
    issuer: Saves,
    monkeypatch: pytest.MonkeyPatch,
    bound: int,
    sizes: list[int],
) -> None:
    monkeypatch.setattr(issuing, "SESSIONS_AT_ONCE", bound)
    monkeypatch.setattr(booking, "SESSIONS_AT_ONCE", bound)
    keep(connection, *(rated(session(number)) for number in (1, 2, 3, 4)))
    keep(connection, *(rated(session(number, token_uid="fleet-1")) for number in range(5, 11)))

    numbers = issue_due(connection, issuer, DECLARED, up_to=NOON)
    [month] = issue_due(connection, issuer, DECLARED, up_to=CHRISTMAS)

    # A document that alone is more than a batch is one all the same.
    assert issuer.sizes == [*sizes, 1 + 1]
    assert [entry.subject for entry in feed(connection)] == [*numbers, month]


def test_a_document_that_cannot_be_made_takes_no_number_and_stops_no_other(
    connection: psycopg.Connection[Any], issuer: Saves
) -> None:
    unknown = replace(rated(session(2)), currency="ABC")
    keep(connection, rated(session(1)), unknown, rated(session(3)))
    told: list[tuple[str, str]] = []

    numbers = issue_due(
        connection,
        issuer,
        DECLARED,
        up_to=NOON,
        told=lambda cause, why: told.append((cause, f"{why}")),
    )

    assert numbers == ("WL-2026-000001", "WL-2026-000002")
    assert told == [(cause_of_session(unknown.decides), "'ABC' is not a currency of ISO 4217")]
    series = issuer.series(legal_entity="depot", year=2026, kind=INVOICES)
    assert series is not None
    assert series.last == 2
    with pytest.raises(Exception, match="ABC"):
        issuer.issue(order_of("session:a", [unknown], DECLARED, at=NOON))


def test_a_batch_whose_documents_cannot_be_made_saves_nothing(
    connection: psycopg.Connection[Any], issuer: Saves
) -> None:
    keep(connection, replace(rated(session()), currency="ABC"))

    assert issue_due(connection, issuer, DECLARED, up_to=NOON) == ()
    assert issuer.sizes == []


def test_a_batch_of_which_others_issued_some_issues_the_rest(
    connection: psycopg.Connection[Any], issuer: Saves, database: str
) -> None:
    decisions = [rated(session(number)) for number in (1, 2, 3)]
    keep(connection, *decisions)
    orders = [
        order_of(cause_of_session(each.decides), [each], DECLARED, at=NOON) for each in decisions
    ]
    with InvoiceIssuer(database) as rival:
        rival.issue(orders[1])

    issuer.issue_all(orders)

    assert [each.cause for _, each in issuer.invoices()] == [
        orders[1].cause, orders[0].cause, orders[2].cause,
    ]  # fmt: skip
    assert issuer.sizes == [4, 3]
    issuer.issue_all(orders)
    assert len(list(issuer.invoices())) == 3


def test_notes_of_one_invoice_that_a_kill_left_are_booked_one_after_the_other(
    connection: psycopg.Connection[Any], issuer: Saves
) -> None:
    """What the second one owes no more hangs on the first."""
    billed = [rated(session(number, token_uid="fleet-1", energy_wh="1230")) for number in (1, 2)]
    keep(connection, *billed)
    [invoice] = issue_due(connection, issuer, DECLARED, up_to=CHRISTMAS)
    issued_on = CHRISTMAS.date()
    before: tuple[SessionRated, ...] = ()
    orders = []
    for count, each in enumerate(billed, 1):
        part = CreditedPart(
            invoice_lines=(count,), rated_lines=(1,), replaced_by=2, cause=CorrectionCause.LATE_FACT
        )
        parts = {each.session_id: part}
        credited = Credited(number=invoice, issued_on=issued_on, parts=parts, before=before)
        cause = cause_of_credit(invoice, count)
        orders.append(order_of(cause, [each], DECLARED, at=CHRISTMAS, credited=credited))
        before = (each,)
    issuer.issue_all(orders)

    numbers = issue_due(connection, issuer, DECLARED, up_to=CHRISTMAS)

    assert numbers == ("WL-CN-2026-000001", "WL-CN-2026-000002")
    left = """
SELECT account FROM posting GROUP BY account HAVING sum(amount_minor) <> 0 ORDER BY account
"""
    # Taxes and what rounding left are taken back to the cent: as if nothing had been invoiced.
    assert [name for (name,) in connection.execute(left)] == [
        "expected_tax", "receivable:unbilled", "revenue:energy",
    ]  # fmt: skip


def test_who_is_asked_to_end_leaves_the_next_batch(
    connection: psycopg.Connection[Any], issuer: Saves
) -> None:
    keep(connection, *(rated(session(number)) for number in range(1, 6)))
    saved = itertools.count()

    def is_over() -> bool:
        return bool(issuer.sizes) and next(saved) >= 0

    first = issue_due(connection, issuer, DECLARED, up_to=NOON, at_once=2, is_over=is_over)
    rest = issue_due(connection, issuer, DECLARED, up_to=NOON, at_once=2)

    assert (len(first), len(rest)) == (2, 3)
    assert [entry.subject for entry in feed(connection)] == [*first, *rest]


def test_who_is_asked_to_end_while_a_batch_is_gathered_issues_none_of_it(
    connection: psycopg.Connection[Any], issuer: Saves
) -> None:
    keep(connection, *(rated(session(number)) for number in (1, 2, 3)))
    answers = itertools.chain([False] * 3, itertools.repeat(True))

    assert issue_due(connection, issuer, DECLARED, up_to=NOON, is_over=answers.__next__) == ()
    assert issuer.sizes == []


def test_a_save_that_a_dead_process_left_under_way_is_waited_for_before_it_is_looked_what_is_due(
    connection: psycopg.Connection[Any], issuer: Saves, database: str
) -> None:
    """Its process gave the lock back by dying; what it saves may come to light a moment later."""
    first, second = rated(session(1)), rated(session(2))
    keep(connection, first, second)
    dying = InvoiceIssuer(database)
    order = order_of(cause_of_session(first.decides), [first], DECLARED, at=NOON)
    waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'ExclusiveLock'"

    with ThreadPoolExecutor() as pool, connect(database, autocommit=False) as hindering:
        hindering.execute("LOCK TABLE decisions.invoices_events IN EXCLUSIVE MODE")
        saved = pool.submit(dying.issue, order)
        until(lambda: connection.execute(waits).fetchone() == (1,))
        with connect(database) as own:
            issued = pool.submit(issue_due, own, issuer, DECLARED, up_to=NOON)
            until(lambda: connection.execute(waits).fetchone() == (2,))
            hindering.rollback()
            numbers = issued.result()
    dying.close()

    assert numbers == (saved.result().number, "WL-2026-000002")
    assert issuer.sizes == [1 + 1]


def until(is_so: Callable[[], bool]) -> None:
    limit = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < limit
        time.sleep(0.01)
