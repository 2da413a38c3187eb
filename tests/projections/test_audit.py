"""The audit trail: from an invoice line down to the raw frames, and in a finance person's words."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from typing import Any

import msgspec
import psycopg
import pytest

from ledger.database import connect
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.issuing import issue_due
from ledger.log.envelope import Frame, decode_lines
from ledger.log.postgres import PostgresEventLog
from projections.audit import trail
from projections.audit.shown_documents import show_invoice
from projections.audit.text import explanation_text
from projections.audit.trail import Explanation
from projections.errors import UnknownInvoiceError, UnknownLineError
from tests.at_the_edge import original
from tests.charging_day import at, choose, meter16, start16, status16, stop16
from tests.depot import NOON, declared, keep_decisions, rated, session
from tests.projections.books_of_a_day import ask, books_of_a_day, go_on

HELD = "CS-OLD-2/22/20260302T082000Z"


@pytest.fixture
def books(database: str) -> str:
    return books_of_a_day(database, choose(HELD, "release", 300))


def explain(
    connection: psycopg.Connection[Any], number: str, line: int | None = None
) -> Explanation:
    with PostgresEventLog(connection.info.dsn) as log:
        return trail.explain(connection, log, number, line)


def number_of(dsn: str, session: str) -> str:
    """Return the number of the invoice that a session is on."""
    with ask(dsn) as connection:
        [(number,)] = connection.execute(
            "SELECT number FROM invoiced_session WHERE session_id LIKE %s", (f"%/{session}/%",)
        ).fetchall()
    return str(number)


def test_a_lines_periods_add_up_to_its_volume(books: str) -> None:
    with ask(books) as connection:
        explanation = explain(connection, number_of(books, "11"), 1)
    [line] = explanation.lines

    assert sum(period.energy_wh for period in line.periods) == line.line.quantity * 1000 == 6000
    assert line.readings[0].register_wh == 1000
    assert line.readings[-1].register_wh == 7000


def test_a_session_within_one_second_shows_its_readings_too(books: str) -> None:
    go_on(books, [start16("CS-OLD-1", 500, 77, "fleet1", 9000), stop16("CS-OLD-1", 500, 77, 9900)])
    with ask(books) as connection:
        [line] = explain(connection, number_of(books, "77")).lines

    assert line.line.starts_at == line.line.ends_at
    assert [reading.register_wh for reading in line.readings] == [9000, 9900]
    assert line.start_frame is not None
    assert line.end_frame is not None
    assert '"StartTransaction"' in line.start_frame.frame
    assert '"StopTransaction"' in line.end_frame.frame


def test_a_line_shows_the_readings_within_its_time_and_those_next_to_it(books: str) -> None:
    with ask(books) as connection:
        energy, parking = explain(connection, number_of(books, "12")).lines

    assert energy.readings[0].at == energy.line.starts_at
    assert parking.readings[0].at <= parking.line.starts_at < parking.readings[1].at
    assert parking.readings[-2].at < parking.line.ends_at <= parking.readings[-1].at


def test_time_that_a_policy_ended_is_explained_by_it(books: str) -> None:
    lines = [
        start16("CS-OLD-1", 500, 78, "fleet1", 9000),
        status16("CS-OLD-1", 501, "Charging"),
        meter16("CS-OLD-1", 530, 78, 11000),
        status16("CS-OLD-1", 531, "SuspendedEV"),
        status16("CS-OLD-1", 540, "Available"),
        stop16("CS-OLD-1", 700, 78, 11000),
    ]
    go_on(books, lines)
    with ask(books) as connection:
        explanation = explain(connection, number_of(books, "78"))
    energy, parking = explanation.lines

    assert parking.periods[-1].ends_at == at(540)
    assert sum(period.energy_wh for period in energy.periods) == 2000
    assert energy.rating.by_policy == ("Time is billed by the policy time_ends: last_sign.",)
    assert "by policy: Time is billed" in explanation_text(explanation)


def test_every_reading_names_its_frame_as_it_stands_in_the_log(books: str) -> None:
    with ask(books) as connection:
        explanation = explain(connection, number_of(books, "A"))
        for reading in explanation.lines[0].readings:
            assert reading.frame is not None
            partition, position, number = map(int, reading.frame.position.split("/"))
            with PostgresEventLog(books) as log:
                [record] = log.read(partition, position, records=1)
            line = decode_lines(record.payload)[number]
            assert isinstance(line, Frame)
            line = original(line)
            assert line.frame == reading.frame.frame
            assert line.received_at == reading.frame.received_at
            assert sha256(line.frame.encode()).hexdigest() == reading.frame.sha256


def test_parking_is_explained_by_what_the_car_did(books: str) -> None:
    with ask(books) as connection:
        explanation = explain(connection, number_of(books, "12"), 2)
    [line] = explanation.lines

    assert {period.activity.lower() for period in line.periods} == {"parking"}
    lasted = line.periods[-1].ends_at - line.periods[0].starts_at
    assert lasted == timedelta(minutes=30)
    assert line.line.net_minor == 300


def test_a_release_is_named_with_its_reason_and_its_flags(books: str) -> None:
    with ask(books) as connection:
        text = explanation_text(explain(connection, number_of(books, "22")))

    assert "released by ann: seen on the meter" in text
    assert "(stop_lost)" in text


def test_the_text_leads_from_the_amount_to_the_frames(books: str) -> None:
    with ask(books) as connection:
        text = explanation_text(explain(connection, number_of(books, "11"), 1))

    for words in (
        "Line 1: Energy, 2.40 EUR net",
        "6 kWh at 0.4 EUR per kWh; VAT 19 % 0.46 EUR; gross 2.86 EUR",
        "from 2026-03-02 08:01:00 to 2026-03-02 09:00:00 at the site",
        "tariff DAY, element 1, because of site=yard",
        "08:01:00 to 08:05:00           500 Wh  charging",
        "in all 0:59:00 hours with 6,000 Wh, 12 periods",
        "08:05:00  register         1,500 Wh  session        500 Wh  log ",
        '"StartTransaction", {"connectorId": 1, "idTag": "FLEET1", "meterStart": 1000,',
        '"StopTransaction", {"transactionId": 11, "meterStop": 7000,',
    ):
        assert words in text


def test_a_second_line_does_not_repeat_the_session(books: str) -> None:
    with ask(books) as connection:
        text = explanation_text(explain(connection, number_of(books, "12")))

    assert text.count("What was decided") == 1
    assert "The decision and the frames are those of line 1." in text


def test_the_machines_form_holds_everything(books: str) -> None:
    with ask(books) as connection:
        explanation = explain(connection, number_of(books, "11"))
    read = msgspec.json.decode(msgspec.json.encode(explanation))

    assert read["number"] == number_of(books, "11")
    assert len(read["lines"][0]["readings"]) == 13
    assert len(read["lines"][0]["readings"][0]["frame"]["sha256"]) == 64


def test_an_invoice_is_shown_as_it_was_issued(books: str) -> None:
    with ask(books) as connection:
        document = show_invoice(connection, number_of(books, "11"))

    assert document.gross_minor == 286
    assert document.buyer.name == "Fleet Ltd"


def test_the_line_that_no_session_is_behind_is_explained_by_the_rule(books: str) -> None:
    """Two sessions of 2.92 are told 0.55 of tax each; 5.84 owe 1.11."""
    month = [session(n, token_uid="fleet-1", energy_wh="7293") for n in (1, 2)]
    with connect(books) as connection, InvoiceIssuer(books) as issuer:
        keep_decisions(connection, [rated(each) for each in month])
        [number] = issue_due(connection, issuer, declared(), up_to=NOON + timedelta(days=60))
        alone, whole = explain(connection, number, 3), show_invoice(connection, number)

    assert (alone.lines, alone.rounding) == ((), whole.lines[2])
    assert (whole.net_minor, whole.vat_minor, whole.due_minor) == (584, 111, 695)
    assert explanation_text(alone).splitlines()[-2:] == [
        "Line 3: Rounding, 0.00 EUR net; tax 0.01 EUR",
        "  the tax of each rate is rounded once, on the invoice's sum",
    ]


def test_what_does_not_exist_is_refused_by_name(books: str) -> None:
    with ask(books) as connection:
        with pytest.raises(UnknownInvoiceError, match="no invoice W-1"):
            explain(connection, "W-1")
        with pytest.raises(UnknownLineError, match="has lines 1 to 1, not 9"):
            explain(connection, number_of(books, "11"), 9)
