"""Credit notes on a real PostgreSQL: what stands on an invoice and holds no more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace

from ledger.books.decisions_store import rated_sessions
from ledger.books.document_taxes import document_taxes
from ledger.invoices import crediting
from ledger.invoices.document import CREDIT_NOTE, InvoiceDocument, read_document
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.issuing import issue_due
from ledger.rating.decisions import Moment, SessionRated, SessionRevision
from ledger.rating.reconciling.correcting import corrected
from projections.balances.trial import trial_balance
from tests.depot import NOON, declared, keep_decisions, rated, session

DECLARED = declared()
LATER = NOON + timedelta(days=3)
JANUARY = datetime(2027, 1, 2, tzinfo=UTC)


def keep(
    connection: psycopg.Connection[Any], number: int = 1, token: str = "anna-1", wh: str = "10000"
) -> SessionRated:
    decision = rated(session(number, token_uid=token, energy_wh=wh), DECLARED)
    keep_decisions(connection, [decision])
    return decision


def correct(
    connection: psycopg.Connection[Any], was: SessionRated, wh: str, at: datetime = LATER
) -> SessionRated:
    """Store a correction of *was* to *wh*, decided at *at*."""
    number = int(was.session_id.split("/")[1])
    charging = session(number, token_uid=was.token_uid, energy_wh=wh)
    position = 1000 * (was.revision + 1) + number
    now = replace(
        rated(charging, DECLARED),
        revision=was.revision + 1,
        moment=Moment(partition=0, position=position, at=at),
    )
    now = corrected(now, was)
    keep_decisions(connection, [now])
    return now


def documents(issuer: InvoiceIssuer) -> list[InvoiceDocument]:
    return [read_document(invoice.document) for _, invoice in issuer.invoices()]


def owed(connection: psycopg.Connection[Any], account: str) -> int:
    query = "SELECT coalesce(sum(amount_minor), 0)::int FROM posting WHERE account = %s"
    [(total,)] = connection.execute(query, (account,)).fetchall()
    return int(total)


def test_an_invoiced_session_is_credited_in_full_and_its_correction_invoiced(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    was = keep(connection)
    issue_due(connection, issuer, DECLARED, up_to=NOON)
    now = correct(connection, was, "5000")

    numbers = issue_due(connection, issuer, DECLARED, up_to=LATER + timedelta(hours=1))

    assert numbers == ("WL-CN-2026-000001", "WL-2026-000002")
    invoice, note, again = documents(issuer)
    assert (note.type_code, note.credits and note.credits.number) == (CREDIT_NOTE, invoice.number)
    assert note.credits is not None
    assert note.credits.issued_on == invoice.issued_on
    assert (note.net_minor, note.vat_minor, note.due_minor) == (400, 76, 476)
    assert [(each.session_id, each.revision) for each in note.sessions] == [was.decides]
    assert [(each.session_id, each.revision) for each in again.sessions] == [now.decides]
    assert owed(connection, "receivable:invoiced") == now.gross_minor == 238
    assert owed(connection, "receivable:unbilled") == owed(connection, "expected_tax") == 0
    assert owed(connection, "vat:DE:19") == -38
    assert trial_balance(connection).is_balanced
    left = "SELECT (SELECT count(*) FROM correction_to_document), count(*) FROM uninvoiced_session"
    assert connection.execute(left).fetchone() == (0, 0)


@pytest.mark.parametrize(("minutes", "issued"), [(59, 0), (60, 2)])
def test_a_credit_waits_an_hour_for_what_else_comes_and_its_invoice_waits_for_it(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer, minutes: int, issued: int
) -> None:
    was = keep(connection)
    issue_due(connection, issuer, DECLARED, up_to=NOON)
    correct(connection, was, "5000")

    numbers = issue_due(connection, issuer, DECLARED, up_to=LATER + timedelta(minutes=minutes))

    assert len(numbers) == issued


def test_corrections_of_corrections_are_one_credit_note_and_one_invoice(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    was = keep(connection)
    issue_due(connection, issuer, DECLARED, up_to=NOON)
    second = correct(connection, was, "5000")
    third = correct(connection, second, "6000", LATER + timedelta(minutes=30))

    issue_due(connection, issuer, DECLARED, up_to=LATER + timedelta(hours=2))

    _, note, again = documents(issuer)
    assert note.sessions[0].revision == 1
    assert again.sessions[0].revision == 3
    assert owed(connection, "receivable:invoiced") == third.gross_minor


def test_what_was_credited_is_credited_once_and_the_next_correction_credits_what_stands_then(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    was = keep(connection)
    issue_due(connection, issuer, DECLARED, up_to=NOON)
    second = correct(connection, was, "5000")
    issue_due(connection, issuer, DECLARED, up_to=LATER + timedelta(hours=1))
    third = correct(connection, second, "6000", LATER + timedelta(days=1))
    issue_due(connection, issuer, DECLARED, up_to=LATER + timedelta(days=2))

    assert [each.number for each in documents(issuer)] == [
        "WL-2026-000001", "WL-CN-2026-000001", "WL-2026-000002", "WL-CN-2026-000002",
        "WL-2026-000003",
    ]  # fmt: skip
    credits_ = [each.credits.number for each in documents(issuer) if each.credits]
    assert credits_ == ["WL-2026-000001", "WL-2026-000002"]
    assert owed(connection, "receivable:invoiced") == third.gross_minor


def test_a_correction_before_the_invoice_needs_no_credit_note(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    was = keep(connection)
    now = correct(connection, was, "5000")

    an_hour_later = LATER + timedelta(hours=1)
    assert issue_due(connection, issuer, DECLARED, up_to=LATER) == ()
    assert issue_due(connection, issuer, DECLARED, up_to=an_hour_later) == ("WL-2026-000001",)

    [document] = documents(issuer)
    assert [each.revision for each in document.sessions] == [now.revision]
    assert connection.execute("TABLE correction_to_document").fetchall() == []


def test_a_correction_that_charges_the_same_makes_no_document(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    was = keep(connection)
    issue_due(connection, issuer, DECLARED, up_to=NOON)
    correct(connection, was, "10000")

    assert issue_due(connection, issuer, DECLARED, up_to=LATER + timedelta(hours=1)) == ()

    for table in ("correction_to_document", "uninvoiced_session"):
        assert connection.execute(f"TABLE {table}".encode()).fetchall() == []
    assert owed(connection, "receivable:invoiced") == was.gross_minor


def test_what_is_free_after_its_correction_is_credited_and_not_invoiced(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    was = keep(connection)
    issue_due(connection, issuer, DECLARED, up_to=NOON)
    correct(connection, was, "0.001")

    numbers = issue_due(connection, issuer, DECLARED, up_to=LATER + timedelta(hours=1))

    assert numbers == ("WL-CN-2026-000001",)
    assert owed(connection, "receivable:invoiced") == 0


def test_a_month_s_sessions_are_credited_on_one_note_and_billed_with_the_next_month(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    first, second, third = (keep(connection, number, "fleet-1") for number in (1, 2, 3))
    december = datetime(2026, 12, 2, tzinfo=UTC)
    issue_due(connection, issuer, DECLARED, up_to=december)
    correct(connection, first, "5000", december)
    correct(connection, second, "6000", december)

    numbers = issue_due(connection, issuer, DECLARED, up_to=december + timedelta(hours=1))

    assert numbers == ("WL-CN-2026-000001",)
    note = documents(issuer)[-1]
    assert [each.session_id for each in note.sessions] == [first.session_id, second.session_id]
    assert note.month is None
    assert issue_due(connection, issuer, DECLARED, up_to=JANUARY) == ("WL-2027-000001",)
    assert owed(connection, "receivable:invoiced") == third.gross_minor + 238 + 286


@pytest.mark.parametrize("wh", [["33", "33", "33"], ["101", "77", "1234"], ["1", "1", "1"]])
def test_notes_over_all_of_an_invoice_add_up_to_it_to_the_cent(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer, wh: list[str]
) -> None:
    sessions = [keep(connection, number, "fleet-1", each) for number, each in enumerate(wh, 1)]
    december = datetime(2026, 12, 2, tzinfo=UTC)
    issue_due(connection, issuer, DECLARED, up_to=december)
    for days, each in enumerate(sessions, 1):
        at = december + timedelta(days=days)
        correct(connection, each, "900000", at)
        issue_due(connection, issuer, DECLARED, up_to=at + timedelta(hours=1))

    invoice, *notes = documents(issuer)
    assert len(notes) == len(wh)
    for name in ("net_minor", "vat_minor", "gross_minor", "rounding_minor", "due_minor"):
        assert sum(getattr(note, name) for note in notes) == getattr(invoice, name), name
    assert owed(connection, "receivable:invoiced") == 0
    assert owed(connection, "vat:DE:19") == owed(connection, "rounding") == 0
    assert trial_balance(connection).is_balanced


@pytest.mark.parametrize("at_once", [1, 2, 3, 4, 500])
def test_however_many_are_read_at_once_each_invoice_gets_its_note(
    connection: psycopg.Connection[Any],
    issuer: InvoiceIssuer,
    monkeypatch: pytest.MonkeyPatch,
    at_once: int,
) -> None:
    was = [keep(connection, number) for number in (1, 2, 3)]
    issue_due(connection, issuer, DECLARED, up_to=NOON)
    for each, wh in zip(was, ("5000", "10000", "7000"), strict=True):
        correct(connection, each, wh)
    reads: list[int] = []

    def counted(some: psycopg.Connection[Any], wanted: Sequence[Any]) -> tuple[SessionRated, ...]:
        reads.append(len(wanted))
        return rated_sessions(some, wanted)

    monkeypatch.setattr(crediting, "_READ_AT_ONCE", at_once)
    monkeypatch.setattr(crediting, "rated_sessions", counted)
    numbers = issue_due(connection, issuer, DECLARED, up_to=LATER + timedelta(hours=1))

    notes = [each for each in documents(issuer) if each.credits is not None]
    assert [note.credits.number for note in notes if note.credits] == [
        "WL-2026-000001",
        "WL-2026-000003",
    ]
    assert numbers[2:] == ("WL-2026-000004", "WL-2026-000005")
    assert reads[: -(-3 // at_once)] == [2 * min(at_once, 3 - n) for n in range(0, 3, at_once)]


def test_a_kill_between_a_note_s_save_and_its_booking_is_made_good(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    was = keep(connection)
    issue_due(connection, issuer, DECLARED, up_to=NOON)
    correct(connection, was, "5000")
    until = LATER + timedelta(hours=1)
    with monkeypatch.context() as patched:
        patched.setattr("ledger.invoices.issuing.book_some", lambda *_, **__: ())
        issue_due(connection, issuer, DECLARED, up_to=until)

    numbers = issue_due(connection, issuer, DECLARED, up_to=until)

    assert numbers == ("WL-CN-2026-000001", "WL-2026-000002")
    assert connection.execute("SELECT count(*) FROM credited_session").fetchone() == (1,)
    assert owed(connection, "receivable:invoiced") == 238


def test_what_was_corrected_before_its_invoice_was_booked_is_credited_all_the_same(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    was = keep(connection)
    with monkeypatch.context() as patched:
        patched.setattr("ledger.invoices.issuing.book_some", lambda *_, **__: ())
        issue_due(connection, issuer, DECLARED, up_to=NOON)
    correct(connection, was, "5000")
    # By who looked before that invoice was there.
    connection.execute("DELETE FROM correction_to_document")

    numbers = issue_due(connection, issuer, DECLARED, up_to=LATER + timedelta(hours=1))

    assert numbers == ("WL-2026-000001", "WL-CN-2026-000001", "WL-2026-000002")
    assert owed(connection, "receivable:invoiced") == 238
    assert connection.execute("SELECT count(*) FROM correction_to_document").fetchone() == (0,)


def test_a_note_is_dated_and_numbered_in_its_own_series(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    was = keep(connection)
    issue_due(connection, issuer, DECLARED, up_to=NOON)
    correct(connection, was, "5000", JANUARY)

    issue_due(connection, issuer, DECLARED, up_to=JANUARY + timedelta(hours=1))

    note = documents(issuer)[1]
    assert (note.number, note.issued_on) == ("WL-CN-2027-000001", date(2027, 1, 2))


def test_what_a_note_owes_no_more_is_what_its_sessions_owe_alone(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    was = keep(connection)
    issue_due(connection, issuer, DECLARED, up_to=NOON)
    correct(connection, was, "5000")
    issue_due(connection, issuer, DECLARED, up_to=LATER + timedelta(hours=1))

    note = documents(issuer)[1]
    [credited] = rated_sessions(connection, [SessionRevision(was.session_id, 1)])
    assert note.due_minor == document_taxes([credited]).due_minor
