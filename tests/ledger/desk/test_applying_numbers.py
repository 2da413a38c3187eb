"""Declaring how documents are numbered: where a problem stands, and what is too late."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from deploy.running.opening import prepare
from deploy.settings import Settings
from ledger.database import connect
from ledger.declared.store import load_declarations
from ledger.desk.apply import ProblemsError
from tests.ledger.desk.applying import applied_files

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
_NO_YEAR = (
    "is no format of numbers: without {year} or {yy} each year would give the numbers of the one"
    " before again"
)
_ROW = """
INSERT INTO issued_invoice (number, place, cause, invoice_id, legal_entity, currency, issued_on,
    issued_at, net_minor, tax_minor, gross_minor, rounding_minor, due_minor, sha256, credits)
VALUES (%s, %s, %s, gen_random_uuid(), 'acme', 'NOK', %s, now(), 0, 0, 0, 0, 0, '', %s)
"""


@pytest.fixture
def connection(database: str, tmp_path: Path) -> Iterator[psycopg.Connection[Any]]:
    prepare(database, Settings(data=tmp_path, partitions=3))
    with connect(database) as connection:
        yield connection


def acme(numbers: str, *, valid_from: str = "", prefix: str = "AC", key: str = "acme") -> str:
    return f"""{f"valid_from: {valid_from}" if valid_from else ""}
legal_entities:
  {key}:
    name: Acme
    country: NO
    time_zone: Europe/Oslo
    invoice_prefix: {prefix}
    numbers: {numbers}
    tax_number: '1'
"""


def apply(connection: psycopg.Connection[Any], text: str) -> int:
    return applied_files(connection, [(text, "acme.yaml")], by="a test", at=NOW).version


def refused(connection: psycopg.Connection[Any], text: str) -> str:
    before = load_declarations(connection).version
    with pytest.raises(ProblemsError) as error:
        apply(connection, text)
    assert load_declarations(connection).version == before
    [problem] = error.value.problems
    return str(problem)


def issued(
    connection: psycopg.Connection[Any], place: int, day: str, credited: str | None = None
) -> None:
    number = f"{day}/{place}/{credited}"
    connection.execute(_ROW, (number, place, number, day, credited))


def test_numbers_are_declared_with_the_legal_entity(connection: psycopg.Connection[Any]) -> None:
    apply(connection, acme('{invoices: {format: "{prefix}{yy}/{number:05}", start: 4712}}'))

    seller = load_declarations(connection).legal_entity("acme", NOW)
    assert seller is not None
    assert (seller.numbers.invoices.format, seller.numbers.invoices.start) == (
        "{prefix}{yy}/{number:05}", 4712,
    )  # fmt: skip
    assert seller.numbers.credit_notes.start == 1


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ('{invoices: {format: "{prefix}-{number}"}}', f"8:15: {{prefix}}-{{number}} {_NO_YEAR}"),
        ("{invoices: {start: 0}}", "8:26: Expected `int` >= 1"),
        ("{invoices: {start: 1000000000001}}", "8:26: Expected `int` <= 1000000000000"),
        ("{invoices: {first: 1}}", "8:15: Object contains unknown field `first`"),
        ("{bills: {start: 1}}", "8:5: Object contains unknown field `bills`"),
    ],
)
def test_what_is_wrong_with_numbers_is_said_with_its_spot(
    connection: psycopg.Connection[Any], numbers: str, said: str
) -> None:
    assert refused(connection, acme(numbers)) == f"acme.yaml:{said}"


def test_two_sellers_that_could_give_the_same_number_are_refused(
    connection: psycopg.Connection[Any],
) -> None:
    """Credit notes of one were numbered as invoices of a prefix that ends like them."""
    apply(connection, acme("{}"))

    said = refused(connection, acme("{}", prefix="AC-CN", key="other"))

    assert said == (
        "acme.yaml:3:3: invoices as {prefix}-{year}-{number:06} could get the numbers of credit"
        " notes of acme as {prefix}-CN-{year}-{number:06}"
    )


def test_what_was_a_format_once_is_held_against_what_comes_later(
    connection: psycopg.Connection[Any],
) -> None:
    apply(connection, acme('{invoices: {format: "{prefix}-{number:03}-{yy}"}}'))
    apply(connection, acme('{invoices: {format: "{prefix}-{number}-{yy}"}}'))

    said = refused(connection, acme('{invoices: {format: "{prefix}-{yy}-{number}"}}'))

    assert "invoices of acme as {prefix}-{number}-{yy}" in said


def test_a_format_may_change_whatever_was_given(connection: psycopg.Connection[Any]) -> None:
    apply(connection, acme("{}"))
    issued(connection, 12, "2026-02-28")

    assert apply(connection, acme('{invoices: {format: "{prefix}-{year}-{number:04}"}}')) == 2


@pytest.mark.parametrize(
    ("kind", "valid_from", "is_late"),
    [
        ("invoices", "", True),
        ("invoices", '"2026-12-31T23:59:59+01:00"', True),
        ("invoices", '"2027-01-01T00:00:00+01:00"', False),
        ("invoices", '"2025-06-01T00:00:00+02:00"', True),
        ("credit_notes", "", False),
    ],
)
def test_a_start_is_for_a_series_that_has_given_no_number(
    connection: psycopg.Connection[Any], kind: str, valid_from: str, *, is_late: bool
) -> None:
    apply(connection, acme("{}"))
    issued(connection, 11, "2026-02-27")
    issued(connection, 12, "2026-02-28")
    changed = acme(f"{{{kind}: {{start: 100}}}}", valid_from=valid_from)

    if is_late:
        said = refused(connection, changed)
        assert "numbers of invoices cannot start at 100: those of 2026 went as far as 12;" in said
    else:
        assert apply(connection, changed) == 2


def test_a_start_of_credit_notes_looks_at_those(connection: psycopg.Connection[Any]) -> None:
    apply(connection, acme("{}"))
    issued(connection, 12, "2026-02-28")
    issued(connection, 3, "2026-02-28", "2026-02-28/12/None")

    said = refused(connection, acme("{credit_notes: {start: 100}}"))

    assert "numbers of credit notes cannot start at 100: those of 2026 went as far as 3" in said


def test_what_stays_as_it_is_starts_nothing(connection: psycopg.Connection[Any]) -> None:
    apply(connection, acme("{invoices: {start: 5}}"))
    issued(connection, 5, "2026-02-28")

    assert apply(connection, acme("{invoices: {start: 5}}", prefix="AD")) == 2
