"""The sheet of a document: what its reader is told, in words, with nothing left out."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from ledger.invoices.shown import CostCentreTotal, ShownInvoice
from ledger.rating.decisions import CorrectionCause
from projections.documents.content.appendix import energy_at
from projections.documents.content.invoice import invoice_sheet, kind_of_document
from projections.documents.content.sessions import price_windows
from projections.documents.content.sheet import DocumentSheet, Item
from projections.documents.content.teller import Teller
from projections.documents.evidence import NO_EVIDENCE, DocumentEvidence
from projections.documents.kinds import DocumentKind
from projections.documents.paid import Paid
from tests.projections.documents.shown_documents import (
    a_credit_note,
    an_invoice,
    evidence_of,
    seller,
)


def sheet(shown: ShownInvoice, paid: Paid | None = None) -> DocumentSheet:
    return invoice_sheet(shown, evidence_of(shown), paid=paid)


def values(items: tuple[Item, ...]) -> dict[str, str]:
    return {each.label: each.value for each in items}


def test_a_driver_reads_when_where_how_much_at_what_price_and_why() -> None:
    [session] = sheet(an_invoice(language="en")).sessions

    assert session.title == "1 · Quayside, Station ST-1, charging point 1"
    assert values(session.items)["Energy"] == "7.306 kWh"
    assert values(session.items)["Meter start and stop"] == "1 kWh \N{EN DASH} 8.306 kWh"
    assert [line.description for line in session.lines] == ["Energy", "Parking time"]
    energy, parking = session.lines
    assert (energy.quantity, energy.tax, energy.net, energy.gross) == (
        "7.306 kWh", "19%", "€2.92", "€3.48"
    )  # fmt: skip
    assert energy.price == "€0.40 / kWh"
    assert parking.remarks != ()
    assert "<svg" in session.curve


def test_all_lines_of_all_sessions_stand_there_once() -> None:
    shown = an_invoice(7)

    made = sheet(shown)

    told = [line.position for session in made.sessions for line in session.lines]
    assert told == [str(line.line) for line in shown.lines if not line.is_rounding]
    assert len(made.appendix.sessions) == 7


@pytest.mark.parametrize(
    ("minor", "kind"),
    [
        (None, DocumentKind.INVOICE),
        (1, DocumentKind.INVOICE),
        (703, DocumentKind.INVOICE),
        (704, DocumentKind.RECEIPT),
    ],
)
def test_what_was_paid_in_full_is_a_receipt(minor: int | None, kind: DocumentKind) -> None:
    shown = an_invoice()
    assert shown.due_minor == 704

    assert kind_of_document(shown, None if minor is None else Paid(minor=minor)) is kind


def test_what_was_paid_in_part_leaves_the_rest_to_be_transferred() -> None:
    made = sheet(an_invoice(language="en"), Paid(minor=700))

    assert made.outcome == Item("Total due", "€0.04")
    assert made.transfer is not None
    assert "€0.04" in made.transfer.sentence
    assert [total.amount for total in made.totals][-3:] == ["€7.04", "-€7.00", "€0.04"]


def test_a_receipt_asks_for_nothing() -> None:
    made = sheet(an_invoice(language="en"), Paid(minor=704))

    assert made.transfer is None
    assert "Due date" not in values(made.items)
    assert "Nothing is due." in made.opening


@pytest.mark.parametrize(
    ("due_minor", "said"),
    [(0, "Nothing is due."), (-500, "€5.00 are paid to you: you owe nothing.")],
)
def test_who_owes_nothing_is_told_so(due_minor: int, said: str) -> None:
    made = sheet(replace(an_invoice(language="en"), due_minor=due_minor))

    assert made.opening == (said,)
    assert made.transfer is None


def test_a_credit_note_says_which_line_goes_and_why() -> None:
    made = sheet(a_credit_note(language="en"))

    [session] = made.sessions
    assert session.lines[0].remarks[0] == "Line 1 of the invoice"
    assert values(session.items)["Reason"] == "You objected to this charge"
    assert values(made.items)["For invoice"] == "WL-2026-000007"
    assert made.transfer is None


@pytest.mark.parametrize("cause", CorrectionCause)
def test_each_cause_of_a_credit_has_words(cause: CorrectionCause) -> None:
    [session] = sheet(a_credit_note(cause)).sessions

    assert len(values(session.items)["Grund"]) > 20


def test_without_an_account_nobody_is_asked_to_transfer() -> None:
    assert sheet(an_invoice(sold_by=seller(bank=None))).transfer is None


def test_cost_centres_are_summed_up() -> None:
    total = CostCentreTotal(
        cost_centre=None,
        sessions=1,
        energy_wh=Decimal(7306),
        net_minor=592,
        vat_minor=112,
        gross_minor=704,
    )
    [table] = sheet(replace(an_invoice(language="en"), cost_centres=(total,))).tables

    assert table.rows == (("No cost centre", "1", "7.306 kWh", "€5.92", "€7.04"),)


def test_names_stand_in_place_of_subject_ids() -> None:
    subject = "p-" + "ab" * 16
    shown = an_invoice(token="nobody-1", language="en")
    shown = replace(shown, bearer=subject)
    known = DocumentEvidence(sessions={}, names={subject: "CARD-7"})

    assert invoice_sheet(shown, known).recipient == ("Bearer of card CARD-7",)
    assert invoice_sheet(shown, NO_EVIDENCE).recipient == (f"Bearer of card {subject}",)


def test_without_the_log_the_sheet_says_that_readings_are_not_at_hand() -> None:
    made = invoice_sheet(an_invoice(language="en"), NO_EVIDENCE)

    [session] = made.appendix.sessions
    assert session.readings is None
    assert session.remarks[0].startswith("The readings are not at hand")
    assert made.sessions[0].curve == made.sessions[0].curve_caption == ""


def test_what_lies_between_two_readings_is_interpolated_and_said_to_be() -> None:
    shown = an_invoice(language="en")

    [session] = invoice_sheet(shown, evidence_of(shown, readings=3)).appendix.sessions

    assert session.readings is not None
    [row] = [row for row in session.readings.rows if row[3] == "interpolated"]
    assert row[1] == "\N{EN DASH}"
    assert row[2] == "5.553 kWh"


def test_of_many_readings_those_at_the_borders_of_lines_are_shown() -> None:
    shown = an_invoice(language="en")

    [session] = invoice_sheet(shown, evidence_of(shown, readings=190)).appendix.sessions

    assert session.readings is not None
    rows = session.readings.rows
    assert len(rows) <= 30
    assert [row[3] for row in (rows[0], rows[-1])] == ["0/0/0", "0/190/0"]
    between = [row[3] for row in rows].index("interpolated")
    assert [rows[between + side][3] for side in (-1, 1)] == ["0/144/0", "0/145/0"]
    assert "of 191 readings" in session.remarks[0]


def test_of_many_sessions_the_readings_are_a_line_each() -> None:
    shown = an_invoice(51, language="en")

    sessions = invoice_sheet(shown, evidence_of(shown, readings=2)).appendix.sessions

    assert {session.readings for session in sessions} == {None}
    assert sessions[0].lines[-1].label == "Readings"
    assert "1 kWh, 0 kWh (0/0/0); " in sessions[0].lines[-1].value
    assert sessions[0].lines[-1].value.endswith("8.306 kWh, 7.306 kWh (0/2/0)")


def test_energy_at_a_reading_is_that_readings() -> None:
    shown = an_invoice()
    readings = evidence_of(shown).sessions[shown.sessions[0].session_id].readings

    assert [energy_at(readings, each.at) for each in readings] == [
        each.energy_wh for each in readings
    ]
    assert energy_at(readings, readings[-1].at + timedelta(hours=1)) == readings[-1].energy_wh


def test_windows_of_price_follow_the_lines() -> None:
    shown = an_invoice(language="en")

    windows = price_windows(Teller.of(shown, NO_EVIDENCE), shown.lines)

    assert [each.label for each in windows] == [
        "€0.40 / kWh", "€0.40 / kWh + €6.00 / h"
    ]  # fmt: skip
    assert windows[0].ends_at == windows[1].starts_at


def test_a_session_without_lines_or_meter_is_shown() -> None:
    shown = an_invoice(language="en")
    bare = replace(shown.sessions[0], meter_start_wh=None, token_uid=None, evse_id=None)

    made = sheet(replace(shown, sessions=(bare,), lines=()))

    assert made.sessions[0].lines == ()
    assert "Card" not in values(made.sessions[0].items)
