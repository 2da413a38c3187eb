"""Credit notes over lines that a person gave back: no more, no less, and no second invoice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.books.document_taxes import document_taxes, owed_beyond
from ledger.declared.declarations import BEGINNING, Kind
from ledger.invoices.document import CREDIT_NOTE, InvoiceDocument
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.issuing import issue_due
from ledger.invoices.order import CreditedPart, part_of
from ledger.invoices.shown import shown_invoice
from ledger.master_data.tariff_versions import published
from ledger.rating.decide import decide
from ledger.rating.decisions import CorrectionCause, Moment, Release, SessionRated
from ledger.rating.entitlements import NOTHING_USED, Entitlements
from ledger.rating.reconciling.correcting import corrected
from ledger.rating.reconciling.giving_back import give_back
from projections.balances.trial import trial_balance
from tariffs.model.tariff import Dimension
from tests.depot import NOON, component, declared, keep_decisions, rated, session, tariff
from tests.ledger.invoices.crediting.test_credit_notes import documents, owed

THREE = tariff(
    "energy",
    component(Dimension.FLAT, "0.37"),
    component(Dimension.ENERGY, "0.411"),
    component(Dimension.PARKING_TIME, "6.013"),
)
FREE_FEE = (
    Kind.TARIFF,
    "energy",
    published(
        tariff("energy", component(Dimension.FLAT, "0"), component(Dimension.ENERGY, "0.411"))
    ),
    BEGINNING,
)
DECLARED = declared((Kind.TARIFF, "energy", published(THREE), BEGINNING))
LATER = NOON + timedelta(days=3)
DECEMBER = datetime(2026, 12, 2, tzinfo=UTC)
AN_HOUR = timedelta(hours=1)


def priced(number: int = 1, token: str = "anna-1", wh: str = "10000") -> SessionRated:
    """Return a rating of three lines: the fee, the energy, half an hour of parking."""
    charging = session(number, token_uid=token, energy_wh=wh, parked_minutes=30)
    return rated(charging, DECLARED)


def without(was: SessionRated, *lines: int, at: datetime = LATER) -> SessionRated:
    """Return the correction of *was* without these lines."""
    position = 1000 * (was.revision + 1) + int(was.session_id.split("/")[1])
    return give_back(
        was,
        lines,
        Moment(partition=0, position=position, at=at),
        NOTHING_USED,
        chosen=Release(by="ann", reason="goodwill"),
        cause=CorrectionCause.CREDIT,
    )


def invoiced(connection: psycopg.Connection[Any], issuer: InvoiceIssuer) -> SessionRated:
    was = priced()
    keep_decisions(connection, [was])
    issue_due(connection, issuer, DECLARED, up_to=NOON)
    return was


def at_rest(connection: psycopg.Connection[Any]) -> bool:
    waits = "SELECT (SELECT count(*) FROM correction_to_document), count(*) FROM uninvoiced_session"
    is_cleared = owed(connection, "receivable:unbilled") == owed(connection, "expected_tax") == 0
    return (
        connection.execute(waits).fetchone() == (0, 0)
        and is_cleared
        and trial_balance(connection).is_balanced
    )


def due(document: InvoiceDocument) -> int:
    return -document.due_minor if document.credits else document.due_minor


def test_a_note_credits_the_line_alone_and_names_it_with_what_replaces_it_and_why(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    was = invoiced(connection, issuer)
    keep_decisions(connection, [without(was, 3)])

    numbers = issue_due(connection, issuer, DECLARED, up_to=LATER + AN_HOUR)

    assert numbers == ("WL-CN-2026-000001",)
    note = documents(issuer)[-1]
    parking = was.lines[2]
    assert (note.type_code, note.net_minor) == (CREDIT_NOTE, parking.net_minor)
    [billed] = note.sessions
    assert (billed.revision, billed.lines, billed.gross_minor) == (
        1, 1, parking.net_minor + parking.tax_minor
    )  # fmt: skip
    assert billed.credited == CreditedPart(
        invoice_lines=(3,), rated_lines=(3,), replaced_by=2, cause=CorrectionCause.CREDIT
    )
    assert owed(connection, "receivable:invoiced") == sum(map(due, documents(issuer)))
    assert at_rest(connection)


def test_it_is_shown_with_the_invoice_s_line(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    was = invoiced(connection, issuer)
    keep_decisions(connection, [without(was, 2)])
    issue_due(connection, issuer, DECLARED, up_to=LATER + AN_HOUR)

    note = shown_invoice(documents(issuer)[-1], [was])

    [line] = [each for each in note.lines if not each.is_rounding]
    assert (line.line, line.rated_line, line.credits_line) == (1, 2, 2)
    assert line.net_minor == was.lines[1].net_minor
    invoice = shown_invoice(documents(issuer)[0], [was])
    assert [each.credits_line for each in invoice.lines] == [None] * len(invoice.lines)


def test_two_lines_given_back_within_the_hour_stand_on_one_note(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    was = invoiced(connection, issuer)
    second = without(was, 1)
    keep_decisions(connection, [second])
    keep_decisions(connection, [without(second, 3)])

    assert len(issue_due(connection, issuer, DECLARED, up_to=LATER + AN_HOUR)) == 1

    [billed] = documents(issuer)[-1].sessions
    assert billed.credited is not None
    assert (billed.credited.rated_lines, billed.credited.replaced_by) == ((1, 3), 3)


def test_line_after_line_comes_to_the_invoice_to_the_cent(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    now = invoiced(connection, issuer)
    for days, line in enumerate((2, 1, 3)):
        at = LATER + timedelta(days=days)
        now = without(now, line, at=at)
        keep_decisions(connection, [now])
        assert len(issue_due(connection, issuer, DECLARED, up_to=at + AN_HOUR)) == 1

    invoice, *notes = documents(issuer)
    for name in ("net_minor", "vat_minor", "gross_minor", "rounding_minor", "due_minor"):
        assert sum(getattr(note, name) for note in notes) == getattr(invoice, name), name
    for account in ("receivable:invoiced", "vat:DE:19", "rounding"):
        assert owed(connection, account) == 0
    assert at_rest(connection)
    rest = "SELECT is_rest FROM credited_session ORDER BY number"
    assert connection.execute(rest).fetchall() == [(False,), (False,), (True,)]


def test_what_is_corrected_after_a_line_was_credited_has_its_rest_credited_and_is_invoiced_again(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    was = invoiced(connection, issuer)
    second = without(was, 3)
    keep_decisions(connection, [second])
    issue_due(connection, issuer, DECLARED, up_to=LATER + AN_HOUR)
    at = LATER + timedelta(days=1)
    more = rated(session(1, energy_wh="12000", parked_minutes=30), DECLARED)
    moment = Moment(partition=0, position=9000, at=at)
    third = corrected(replace(more, revision=3, moment=moment), second)
    keep_decisions(connection, [third])

    numbers = issue_due(connection, issuer, DECLARED, up_to=at + AN_HOUR)

    assert numbers == ("WL-CN-2026-000002", "WL-2026-000002")
    note = documents(issuer)[2]
    assert note.sessions[0].credited is not None
    assert note.sessions[0].credited.rated_lines == (1, 2)
    assert note.sessions[0].credited.invoice_lines == (1, 2)
    first, one, two, again = documents(issuer)
    assert one.due_minor + two.due_minor == first.due_minor
    assert owed(connection, "receivable:invoiced") == again.due_minor
    assert at_rest(connection)


def test_a_line_that_came_late_beside_one_that_was_given_back_is_invoiced(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    """Within the hour both are one correction: no energy, and half an hour of parking is new."""
    was = rated(session(1), DECLARED)
    keep_decisions(connection, [was])
    issue_due(connection, issuer, DECLARED, up_to=NOON)
    second = without(was, 2)
    keep_decisions(connection, [second])
    moment = Moment(partition=0, position=9000, at=LATER)
    more = decide(
        session(1, parked_minutes=30),
        DECLARED,
        moment=moment,
        entitlements=Entitlements(corrects=second),
        revision=3,
    )
    assert isinstance(more, SessionRated)
    third = corrected(more, second)
    keep_decisions(connection, [third])

    issue_due(connection, issuer, DECLARED, up_to=LATER + AN_HOUR)

    first, note, again = documents(issuer)
    assert [bool(line.net_minor) for line in third.lines] == [True, False, True]
    assert note.due_minor == first.due_minor
    assert [each.revision for each in again.sessions] == [3]
    assert owed(connection, "receivable:invoiced") == again.due_minor
    assert at_rest(connection)


@pytest.mark.parametrize("token", ["anna-1", "fleet-1"])
def test_what_is_given_back_whole_is_credited_whole_and_never_invoiced_again(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer, token: str
) -> None:
    was = priced(token=token)
    keep_decisions(connection, [was])
    issue_due(connection, issuer, DECLARED, up_to=DECEMBER)
    keep_decisions(connection, [without(was, at=DECEMBER)])

    numbers = issue_due(connection, issuer, DECLARED, up_to=DECEMBER + timedelta(days=90))

    assert numbers == ("WL-CN-2027-000001",)
    invoice, note = documents(issuer)
    assert note.due_minor == invoice.due_minor
    assert owed(connection, "receivable:invoiced") == 0
    assert at_rest(connection)


def test_with_all_that_was_charged_what_was_free_is_taken_off_the_invoice_too(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    was = rated(session(1, parked_minutes=30), declared(FREE_FEE))
    assert [bool(line.net_minor) for line in was.lines] == [False, True]
    keep_decisions(connection, [was])
    issue_due(connection, issuer, DECLARED, up_to=NOON)
    keep_decisions(connection, [without(was, 2)])

    issue_due(connection, issuer, DECLARED, up_to=LATER + AN_HOUR)

    [billed] = documents(issuer)[-1].sessions
    assert billed.credited is not None
    assert billed.credited.rated_lines == (1, 2)
    assert connection.execute("SELECT is_rest FROM credited_session").fetchone() == (True,)


def test_what_is_given_back_before_it_was_invoiced_makes_no_document(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    was = priced()
    keep_decisions(connection, [was])
    keep_decisions(connection, [without(was)])

    assert issue_due(connection, issuer, DECLARED, up_to=LATER + AN_HOUR) == ()
    assert at_rest(connection)


def test_lines_of_a_month_are_named_as_they_stand_on_its_invoice(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    month = [priced(number, "fleet-1") for number in (1, 2, 3)]
    keep_decisions(connection, month)
    issue_due(connection, issuer, DECLARED, up_to=DECEMBER)
    keep_decisions(connection, [without(month[2], 2, at=DECEMBER)])
    keep_decisions(connection, [without(month[1], 1, at=DECEMBER)])

    issue_due(connection, issuer, DECLARED, up_to=DECEMBER + AN_HOUR)

    note = documents(issuer)[-1]
    parts = [each.credited for each in note.sessions if each.credited]
    assert [(part.invoice_lines, part.rated_lines) for part in parts] == [
        ((4,), (1,)),
        ((8,), (2,)),
    ]
    assert owed(connection, "receivable:invoiced") == sum(map(due, documents(issuer)))


def test_the_database_refuses_to_credit_a_line_twice(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer
) -> None:
    was = invoiced(connection, issuer)
    keep_decisions(connection, [without(was, 3)])
    issue_due(connection, issuer, DECLARED, up_to=LATER + AN_HOUR)

    with pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute(
            "INSERT INTO credited_line SELECT session_id, revision, line, number FROM credited_line"
        )


def test_a_kill_between_a_partial_note_s_save_and_its_booking_is_made_good(
    connection: psycopg.Connection[Any], issuer: InvoiceIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    was = invoiced(connection, issuer)
    second = without(was, 3)
    keep_decisions(connection, [second])
    with monkeypatch.context() as patched:
        patched.setattr("ledger.invoices.issuing.book_some", lambda *_, **__: ())
        issue_due(connection, issuer, DECLARED, up_to=LATER + AN_HOUR)
    # Meanwhile more is given back: what is saved knows nothing of that.
    keep_decisions(connection, [without(second, 1, at=LATER + AN_HOUR)])

    at = LATER + timedelta(days=1)
    assert issue_due(connection, issuer, DECLARED, up_to=at) == (
        "WL-CN-2026-000001",
        "WL-CN-2026-000002",
    )
    assert owed(connection, "receivable:invoiced") == sum(map(due, documents(issuer)))
    assert at_rest(connection)


@given(
    wh=st.lists(st.integers(1, 99_999), min_size=1, max_size=4),
    order=st.randoms(use_true_random=False),
)
@settings(deadline=None, max_examples=60)
def test_notes_over_lines_in_any_order_add_up_to_the_document(
    wh: list[int],
    order: Any,  # noqa: ANN401 - the source of chance
) -> None:
    sessions = [priced(number, wh=str(each)) for number, each in enumerate(wh, 1)]
    lines = [(each, line.line) for each in sessions for line in each.lines]
    order.shuffle(lines)
    before: list[SessionRated] = []
    notes = []
    for each, line in lines:
        part = part_of(each, {line})
        notes.append(owed_beyond(before, [part]))
        before.append(part)

    whole = document_taxes(sessions)
    assert sum(note.net_minor for note in notes) == whole.net_minor
    assert sum(note.tax_minor for note in notes) == whole.tax_minor
    assert sum(note.due_minor for note in notes) == whole.due_minor
