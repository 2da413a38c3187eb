"""The series of numbers as an auditor looks at them: whole, or what is off with them."""

from __future__ import annotations

from datetime import date
from typing import Any

import psycopg
import pytest

from ledger.invoices.numbering import CREDIT_NOTES, INVOICES
from projections.balances.document_numbers import (
    BREAKS_MAX,
    Given,
    NumberReport,
    SeriesBreak,
    number_report,
)
from tests.projections.books_of_a_day import ask

DAY = date(2026, 3, 2)
_ROW = """
INSERT INTO issued_invoice (number, place, cause, invoice_id, legal_entity, currency, issued_on,
    issued_at, net_minor, tax_minor, gross_minor, rounding_minor, due_minor, sha256, credits)
VALUES (%s, %s, %s, gen_random_uuid(), %s, 'EUR', %s, now(), 0, 0, 0, 0, 0, '', %s)
"""


def issued(
    connection: psycopg.Connection[Any],
    *numbers: str,
    entity: str = "watt",
    day: date = DAY,
    credited: str | None = None,
) -> None:
    """Book documents of these *numbers*, each at the place that it ends with."""
    for number in numbers:
        place = int(number.rsplit("-", 1)[1])
        connection.execute(_ROW, (number, place, f"cause:{number}", entity, day, credited))


def given(last: int, start: int = 1) -> Given:
    return Given(start, last, "{prefix}-{year}-{number}", start)


def report(connection: psycopg.Connection[Any], **last: int) -> NumberReport:
    """Return the report, where *last* says what was given by "invoices" and "credit_notes"."""
    return number_report(connection, lambda _entity, _year, kind: given(last[kind]))


def test_kinds_years_and_entities_have_series_of_their_own(database: str) -> None:
    with ask(database) as connection:
        issued(connection, "W-2026-000001", "W-2026-000002")
        issued(connection, "W-CN-2026-000001", credited="W-2026-000001")
        issued(connection, "W-2027-000001", day=date(2027, 1, 1))
        issued(connection, "V-2026-000001", entity="volt")
        found = number_report(connection, lambda entity, year, kind: given(1 + (
            (entity, year, kind) == ("watt", 2026, INVOICES)
        )))  # fmt: skip

    assert found.is_whole
    assert [(each.legal_entity, each.year, each.kind, each.documents) for each in found.series] == [
        ("volt", 2026, INVOICES, 1),
        ("watt", 2026, INVOICES, 2),
        ("watt", 2026, CREDIT_NOTES, 1),
        ("watt", 2027, INVOICES, 1),
    ]


def test_another_prefix_goes_on_with_the_numbers_and_a_million_sorts_as_a_number(
    database: str,
) -> None:
    with ask(database) as connection:
        issued(connection, *(f"W-1-2026-{number:06d}" for number in range(1, 11)))
        issued(connection, "NEW-2026-000011")
        assert report(connection, invoices=11).is_whole
        issued(connection, *(f"B-2026-{number}" for number in (999_999, 1_000_000)), entity="big")
        [big, _] = report(connection, invoices=11).series

    assert (big.last, big.gaps, big.first) == (1_000_000, 1, "B-2026-999999")


def test_what_is_missing_is_named_with_where(database: str) -> None:
    with ask(database) as connection:
        issued(connection, "W-2026-000002", "W-2026-000003", "W-2026-000007")
        found = report(connection, invoices=7)

    assert not found.is_whole
    assert found.breaks == (
        SeriesBreak(number="W-2026-000002", missing=(1, 1)),
        SeriesBreak(number="W-2026-000007", missing=(4, 6)),
    )
    assert found.series[0].gaps == 2


def test_a_document_of_an_earlier_day_than_the_one_before_is_named(database: str) -> None:
    with ask(database) as connection:
        issued(connection, "W-2026-000001", day=date(2026, 3, 3))
        issued(connection, "W-2026-000002", day=date(2026, 3, 3))
        assert report(connection, invoices=2).is_whole
        issued(connection, "W-2026-000003", day=date(2026, 3, 2))
        found = report(connection, invoices=3)

    assert not found.is_whole
    assert found.breaks == (SeriesBreak(number="W-2026-000003", missing=None),)
    assert (found.series[0].gaps, found.series[0].days_back) == (0, 1)


def test_a_number_that_two_documents_have_is_named(database: str) -> None:
    with ask(database) as connection:
        issued(connection, "W-2026-000001", "X-2026-000001", "W-2026-000002")
        found = report(connection, invoices=2)

    assert not found.is_whole
    assert found.breaks == (SeriesBreak(number="X-2026-000001", missing=None, is_twice=True),)
    assert found.series[0].gaps == 0


@pytest.mark.parametrize(("last", "is_whole"), [(1, False), (2, True), (3, False)])
def test_what_was_given_and_what_is_booked_are_the_same(
    database: str, *, last: int, is_whole: bool
) -> None:
    with ask(database) as connection:
        issued(connection, "W-2026-000001", "W-2026-000002")
        assert report(connection, invoices=last).is_whole is is_whole


def test_a_thousand_gaps_are_counted_and_the_first_of_them_told(database: str) -> None:
    with ask(database) as connection:
        issued(connection, *(f"W-2026-{2 * number:06d}" for number in range(1, 151)))
        found = report(connection, invoices=300)

    assert found.series[0].gaps == 150
    assert len(found.breaks) == BREAKS_MAX


def test_books_without_documents_are_whole(database: str) -> None:
    with ask(database) as connection:
        assert report(connection) == NumberReport(series=(), breaks=())
        assert report(connection).is_whole


@pytest.mark.parametrize(("start", "gaps"), [(40, 2), (41, 1)])
def test_a_series_is_whole_from_its_start_on_however_its_numbers_are_written(
    database: str, start: int, gaps: int
) -> None:
    with ask(database) as connection:
        for place in (41, 42, 45):
            row = (f"{place}/26", place, f"cause:{place}", "watt", DAY, None)
            connection.execute(_ROW, row)
        [series] = number_report(
            connection, lambda *_: Given(start, 45, "{number}/{yy}", 45)
        ).series
        connection.execute(_ROW, ("2026X43", 43, "cause:43", "watt", DAY, None))
        connection.execute(_ROW, ("2026X44", 44, "cause:44", "watt", DAY, None))
        whole = number_report(connection, lambda *_: Given(start, 45, "{number}/{yy}", 45))

    assert (series.gaps, series.first, series.last) == (gaps, "41/26", 45)
    assert (series.start, series.format, series.format_since) == (start, "{number}/{yy}", 45)
    assert whole.is_whole is (start == 41)


def test_documents_of_a_series_that_never_gave_a_number_are_not_whole(database: str) -> None:
    with ask(database) as connection:
        issued(connection, "W-2026-000001")
        found = number_report(connection, lambda *_: None)

    assert not found.is_whole
    assert (found.series[0].given, found.series[0].format) == (0, "")
