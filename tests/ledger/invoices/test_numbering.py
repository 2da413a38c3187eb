"""Invoice numbers: no gap, no repeat, no step back, whoever is killed."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from msgspec.structs import replace

from ledger.database import connect
from ledger.declared.declarations import Kind
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.issuing import issue_due
from ledger.invoices.numbering import CREDIT_NOTES, INVOICES, NumberOrderError, NumberSeries
from ledger.invoices.order import cause_of_session, order_of
from ledger.master_data.legal_entities import LegalEntity
from ledger.master_data.numbers import DocumentNumbers, InvoiceNumbers
from ledger.rating.decisions import SessionRated
from tests.depot import NOON, THINGS, declared, keep_decisions, rated, session
from tests.tree import ROOT

SOME_INVOICE = UUID(int=1)
DAY = date(2026, 11, 10)
FORMAT = InvoiceNumbers().format

ISSUER = """
import sys
from ledger.database import connect
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.issuing import issue_due
from tests.depot import NOON, declared, keep_decisions
with connect(sys.argv[1]) as connection, InvoiceIssuer(sys.argv[1]) as books:
    print("ready", flush=True)
    issue_due(connection, books, declared(), up_to=NOON)
"""


def series() -> NumberSeries:
    return NumberSeries(
        legal_entity="depot", year=2026, kind=INVOICES, start=1, number_format=FORMAT
    )


def test_numbers_follow_each_other() -> None:
    numbers = series()

    taken = [numbers.take(SOME_INVOICE, issued_on=DAY, number_format=FORMAT) for _ in range(3)]

    assert taken == [1, 2, 3]
    assert numbers.next == 4


@pytest.mark.parametrize("day", [DAY - timedelta(days=1), date(2027, 1, 1), date(2025, 12, 31)])
def test_a_number_is_refused_for_a_day_that_is_past_or_of_another_year(day: date) -> None:
    numbers = series()
    numbers.take(SOME_INVOICE, issued_on=DAY, number_format=FORMAT)

    with pytest.raises(NumberOrderError):
        numbers.take(SOME_INVOICE, issued_on=day, number_format=FORMAT)
    assert numbers.last == 1


def test_each_year_has_its_own_series_in_the_sellers_calendar(database: str) -> None:
    midnight_in_berlin = datetime(2026, 12, 31, 23, tzinfo=UTC)
    with InvoiceIssuer(database) as books:
        numbers = []
        for number, at in enumerate(
            (midnight_in_berlin - timedelta(seconds=1), midnight_in_berlin), 1
        ):
            decision = rated(session(number))
            cause = cause_of_session(decision.decides)
            numbers.append(books.issue(order_of(cause, [decision], declared(), at=at)).number)

    assert numbers == ["WL-2026-000001", "WL-2027-000001"]


def test_a_long_series_goes_on_from_its_snapshot(database: str) -> None:
    with InvoiceIssuer(database) as books:
        for number in range(1, 121):
            decision = rated(session(number))
            order = order_of(cause_of_session(decision.decides), [decision], declared(), at=NOON)
            last = books.issue(order)

    assert last.number == "WL-2026-000120"


def test_an_issuer_killed_again_and_again_leaves_no_gap_and_bills_nobody_twice(
    database: str,
) -> None:
    with connect(database) as connection, InvoiceIssuer(database) as books:
        keep_decisions(connection, [rated(session(number)) for number in range(1, 201)])
        kills = 0
        for milliseconds in (0, 5, 20, 60, 120, 200, 300):
            with subprocess.Popen(
                [sys.executable, "-c", ISSUER, database], stdout=subprocess.PIPE, cwd=ROOT
            ) as process:
                assert process.stdout is not None
                process.stdout.readline()
                time.sleep(milliseconds / 1000)
                kills += process.poll() is None
                process.kill()
        while connection.execute("SELECT FROM uninvoiced_session").rowcount:
            issue_due(connection, books, declared(), up_to=NOON)

        issued = [invoice for _, invoice in books.invoices()]
        booked = connection.execute("SELECT number FROM issued_invoice ORDER BY number").fetchall()
        unbilled = connection.execute(
            "SELECT sum(amount_minor) FROM posting WHERE account = 'receivable:unbilled'"
        ).fetchone()

    assert kills > 0
    numbers = [f"WL-2026-{number:06d}" for number in range(1, 201)]
    assert [invoice.number for invoice in issued] == numbers
    assert booked == [(number,) for number in numbers]
    assert len({invoice.session_ids[0] for invoice in issued}) == 200
    assert unbilled == (0,)


def numbered(**numbers: object) -> LegalEntity:
    """Return the depot with numbers like that."""
    depot = THINGS[Kind.LEGAL_ENTITY, "depot"]
    assert isinstance(depot, LegalEntity)
    return replace(depot, numbers=msgspec.convert(numbers, DocumentNumbers))


def issue(database: str, *decisions: SessionRated, sellers: Sequence[LegalEntity]) -> list[str]:
    """Return the numbers of an invoice each, one after the other, as each of *sellers* says."""
    with InvoiceIssuer(database) as books:
        orders = [
            replace(
                order_of(cause_of_session(each.decides), [each], declared(), at=NOON),
                seller=seller,
            )
            for each, seller in zip(decisions, sellers, strict=True)
        ]
        return [str(books.issue(order).number) for order in orders]


def test_a_series_begins_at_its_start_and_goes_on_whatever_is_declared_later(
    database: str,
) -> None:
    first = numbered(invoices={"format": "{prefix}{yy}/{number:05}", "start": 4712})
    later = numbered(invoices={"format": "{number}.{year}", "start": 9})

    numbers = issue(
        database, *(rated(session(n)) for n in (1, 2, 3)), sellers=[first, later, later]
    )

    assert numbers == ["WL26/04712", "4713.2026", "4714.2026"]
    with InvoiceIssuer(database) as books:
        given = books.series(legal_entity="depot", year=2026, kind=INVOICES)
        assert given is not None
        assert (given.start, given.last) == (4712, 4714)
        assert (given.format, given.format_since) == ("{number}.{year}", 4713)
        assert [invoice.place for _, invoice in books.invoices()] == [4712, 4713, 4714]
        assert books.series(legal_entity="depot", year=2027, kind=INVOICES) is None
        assert books.series(legal_entity="depot", year=2026, kind=CREDIT_NOTES) is None
