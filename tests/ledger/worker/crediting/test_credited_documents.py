"""From a person's choice to the credit note and its explanation, and all of it once more."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from deploy.running.replay import replay_and_compare
from ledger.database import connect
from ledger.declared.store import load_declarations
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.issuing import issue_due
from ledger.log.postgres import PostgresEventLog
from projections.audit.shown_documents import show_invoice
from projections.audit.text import explanation_text
from projections.audit.trail import explain
from projections.balances.documented import documented_wh
from projections.balances.trial import trial_balance
from tests.charging_day import at, declare_fleet, event201, everywhere, write_log
from tests.faults.broken_books import is_identical, rows, work
from tests.ledger.worker.crediting.chosen_lines import chosen_about
from tests.ledger.worker.crediting.test_given_back import owed
from tests.ledger.worker.judged.test_corrections import SESSION, rating, said

DAY = 24 * 60
MONTH_OVER = 32 * DAY


def issue(dsn: str, minutes: float) -> tuple[str, ...]:
    with connect(dsn) as connection, InvoiceIssuer(dsn) as issuer:
        declarations = load_declarations(connection)
        return issue_due(connection, issuer, declarations, up_to=at(minutes))


def credited(dsn: str, *lines: int, wh: int = 5000, full_at: int = 40) -> str:
    """Return a database in which *lines* of session C (none: all) were invoiced, then credited."""
    version = declare_fleet(dsn)
    start = event201("CS-NEW-1", 10, "Started", "C", 0, 0, token="FLEET1")
    stop = event201("CS-NEW-1", 60, "Ended", "C", 0, wh)
    parked = said(full_at, "SuspendedEV", wh)
    write_log(dsn, [*everywhere(version, -1), start, parked, stop])
    work(dsn)
    [number] = issue(dsn, MONTH_OVER)
    write_log(dsn, [chosen_about("credit", MONTH_OVER + 10, *lines, revision=1)])
    work(dsn)
    [note] = issue(dsn, MONTH_OVER + 100)
    assert note != number
    return dsn


def test_a_note_after_another_one_comes_out_again_to_the_cent(database: str) -> None:
    """Taxes of 38.19 and 30.4 cents: 0.38, and then 0.31, for together they are 0.69."""
    dsn = credited(database, 1, wh=5025, full_at=44)
    write_log(dsn, [chosen_about("credit", MONTH_OVER + 200, 2, revision=2)])
    work(dsn)
    issue(dsn, MONTH_OVER + 300)

    query = "SELECT tax_minor::int FROM issued_invoice ORDER BY credits NULLS FIRST, number"
    assert rows(dsn, query) == [(69,), (38,), (31,)]
    assert owed(dsn, "receivable:invoiced") == 0
    assert is_identical(dsn)


def note_of(dsn: str) -> str:
    [(number,)] = rows(dsn, "SELECT number FROM issued_invoice WHERE credits IS NOT NULL")
    return str(number)


@pytest.mark.parametrize("lines", [(), (1,), (2,)])
def test_all_of_it_comes_out_again(database: str, lines: tuple[int, ...]) -> None:
    dsn = credited(database, *lines)

    assert is_identical(dsn)
    with connect(dsn) as connection:
        assert trial_balance(connection).is_balanced
    assert owed(dsn) == owed(dsn, "expected_tax") == 0


def test_the_note_explains_which_line_of_which_invoice_it_takes_back_and_why(
    database: str,
) -> None:
    dsn = credited(database, 2)
    with connect(dsn) as connection, PostgresEventLog(dsn) as log:
        explanation = explain(connection, log, note_of(dsn))
        shown = show_invoice(connection, note_of(dsn))

    [line] = explanation.lines
    why = line.credited
    assert why is not None
    assert (why.invoice, why.invoice_line, why.replaced_by, why.cause) == (
        explanation.credits, 2, 2, "credit"
    )  # fmt: skip
    assert (why.by, why.reason) == ("ann", "the driver could not leave")
    assert line.rating.corrected_by == 2
    words = explanation_text(explanation)
    assert f"line 2 of invoice {explanation.credits}, owed no more" in words
    assert "by ann: the driver could not leave" in words
    # What somebody wrote stands on no document.
    assert "could not leave" not in repr(shown)


@pytest.mark.parametrize(("lines", "left"), [((1,), 0), ((2,), 5000), ((), None)])
def test_the_energy_that_stands_on_invoices_is_that_of_what_is_left(
    database: str, lines: tuple[int, ...], left: int | None
) -> None:
    dsn = credited(database, *lines)
    with connect(dsn) as connection:
        assert documented_wh(connection, {SESSION: rating(dsn, 2)}).get(SESSION) == left


def test_a_correction_of_what_was_credited_is_explained_too(database: str) -> None:
    dsn = credited(database, 2)
    late = said(35, "SuspendedEV", 5000, received=MONTH_OVER + 200)
    write_log(dsn, [late])
    work(dsn)
    issue(dsn, MONTH_OVER + 300)
    issue(dsn, 2 * MONTH_OVER)

    assert is_identical(dsn)
    assert owed(dsn) == owed(dsn, "expected_tax") == 0


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ('\\"rated_lines\\":[2]', '\\"rated_lines\\":[1]'),
        ('\\"replaced_by\\":2', '\\"replaced_by\\":7'),
        ('\\"invoice_lines\\":[2]', '\\"invoice_lines\\":[1]'),
        ('\\"cause\\":\\"credit\\"', '\\"cause\\":\\"dispute\\"'),
    ],
)
def test_a_note_that_says_otherwise_is_found(database: str, was: str, becomes: str) -> None:
    dsn = credited(database, 2)
    changed = changed_documents(dsn, was, becomes)
    assert changed == 1

    with PostgresEventLog(dsn) as log:
        assert not replay_and_compare(dsn, log).is_identical


def changed_documents(dsn: str, was: str, becomes: str) -> int:
    """Change what is kept of saved documents, as nobody may; return how many had it."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        tables = connection.execute(
            "SELECT table_schema || '.' || table_name FROM information_schema.columns"
            " WHERE table_schema = 'decisions' AND column_name = 'state'"
        ).fetchall()
        count = 0
        for (table,) in tables:
            found: list[tuple[Any, ...]] = connection.execute(
                f"SELECT originator_id, originator_version, state FROM {table}".encode()
            ).fetchall()
            for key, version, state in found:
                text = bytes(state)
                if was.encode() in text:
                    connection.execute(
                        f"UPDATE {table} SET state = %s"
                        " WHERE originator_id = %s AND originator_version = %s".encode(),
                        (text.replace(was.encode(), becomes.encode()), key, version),
                    )
                    count += 1
        return count
