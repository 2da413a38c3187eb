"""An invoice of what was charged at a partner's station, explained down to the partner's CDR."""

from __future__ import annotations

from decimal import Decimal
from hashlib import sha256

from ledger.desk.forgetting.erasure import find_person
from ledger.log.postgres import PostgresEventLog
from projections.audit.text import explanation_text
from projections.audit.trail import Explanation, explain
from tests.projections.audit.charged_elsewhere import (
    MARK_UP,
    books_elsewhere,
    charge,
    invoiced,
)
from tests.projections.books_of_a_day import ask
from tests.roaming_ocpi.incoming.charged.charged_stories import (
    BY_TARIFF,
    charge_all,
    decide,
    declare_terms,
)
from tests.roaming_ocpi.incoming.partner_stories import (
    CARD,
    Told,
    append,
    cdr_of,
    credit_of,
    declare_roaming,
    payloads,
    read_all,
    subject_of,
)


def explained(dsn: str, number: str) -> Explanation:
    with ask(dsn) as connection, PostgresEventLog(dsn) as log:
        return explain(connection, log, number)


def test_a_line_by_our_tariff_leads_to_the_message_as_it_came_without_who_charged(
    database: str,
) -> None:
    [stands] = books_elsewhere(database)
    charge(database, stands)
    [number] = invoiced(database)

    explanation = explained(database, number)

    [line] = explanation.lines
    cdr = line.partner_cdr
    assert cdr is not None
    assert cdr.message is not None
    assert (cdr.net, cdr.tax, cdr.currency) == (Decimal(8), Decimal("1.6"), "EUR")
    assert cdr.margin == Decimal("4.80")
    assert cdr.verdict == "accepted"
    assert cdr.message.position == str(stands)
    assert cdr.message.sha256 == sha256(cdr.message.text.encode()).hexdigest()
    assert subject_of(database) in cdr.message.text
    assert CARD not in cdr.message.text
    assert any(cdr.message.text[:200].replace('"', '\\"').encode() in p for p in payloads(database))
    assert (line.price.tariff_id, line.start_frame, line.readings) == ("energy", None, ())
    text = explanation_text(explanation)
    assert "it bills us 8 EUR before taxes, tax 1.6; we charge 4.8 more (our margin)" in text
    assert "tariff energy, element 1, because of partner=NL-TNM" in text
    assert f"log {stands}, received 2026-03-02 15:00:00 UTC" in text
    assert "Raw frames" not in text


def test_a_price_that_is_passed_on_says_with_how_much_on_top(database: str) -> None:
    [stands] = books_elsewhere(database, **MARK_UP)
    charge(database, stands)
    [number] = invoiced(database)

    explanation = explained(database, number)

    assert [each.line.gross_minor for each in explanation.lines] == [1065]
    text = explanation_text(explanation)
    assert "the price of the station's operator, 8 EUR before taxes, with our fee of 10 %" in text
    assert "passed on with 10 %, because of partner=NL-TNM" in text
    assert "tariff sha256" not in text
    assert "we charge 0.8 more (our margin)" in text


def test_a_credit_note_names_the_credit_cdr_that_took_it_back(database: str) -> None:
    [stands] = books_elsewhere(database)
    first = charge(database, stands)
    [number] = invoiced(database)
    [credit] = append(database, Told(credit_of()))
    read_all(database)
    charge(database, stands, was=first, act="take_back")
    [note] = invoiced(database)

    credited = explained(database, note)

    assert credited.credits == number
    text = explanation_text(credited)
    assert f"line 1 of invoice {number}, owed no more" in text
    assert "revision 2 holds in its place (partner_bills_otherwise)" in text
    assert f"credited by CDR C1-C, log {credit}" in text
    assert "corrected since: revision 2 holds" in explanation_text(explained(database, number))


def test_a_correction_names_the_person_and_the_lines_that_it_follows(database: str) -> None:
    [stands] = books_elsewhere(database)
    first = charge(database, stands)
    back = charge(database, stands, was=first, act="take_back", by="ann", reason="never there")
    charge(database, stands, was=back, by="ben", reason="it was there")
    [number] = invoiced(database)

    explanation = explained(database, number)

    [line] = explanation.lines
    corrects = line.rating.corrects
    assert corrects is not None
    assert (corrects.revision, corrects.cause, corrects.by) == (2, "partner_bills_otherwise", "ben")
    assert [each.what for each in corrects.partner_lines] == ["cdrs", "charge"]
    assert corrects.frames == ()
    text = explanation_text(explanation)
    assert "corrects revision 2 (0.00 EUR, 32,000 Wh): partner_bills_otherwise, by ben: it" in text
    assert "charge, ben: it was there" in text


def test_what_reader_and_worker_make_of_a_dispute_is_explained_by_who_disputed(
    database: str,
) -> None:
    declare_roaming(database)
    declare_terms(database, BY_TARIFF)
    [stands] = append(database, Told(cdr_of()))
    charge_all(database)
    [number] = numbers(database)
    with ask(database) as connection:
        person = find_person(connection, CARD)
        assert (person.sessions, person.invoices) == (1, 1)
    decide(database, "C1", is_accepted=False)
    charge_all(database)
    [note] = invoiced(database)

    [line] = explained(database, note).lines
    credited, cdr = line.credited, line.partner_cdr
    assert credited is not None
    assert cdr is not None
    assert (credited.invoice, credited.cause, credited.by, credited.reason) == (
        number,
        "partner_bills_otherwise",
        "anna",
        "looked at it",
    )
    assert cdr.message is not None
    assert (cdr.message.position, cdr.margin) == (str(stands), Decimal(8))
    assert cdr.charged_by is not None
    assert (cdr.charged_by.what, cdr.charged_by.text) == ("charge", "by the rules")
    assert (cdr.verdict, cdr.judged, cdr.decided_by) == ("disputed", "accepted", "anna")
    text = explanation_text(explained(database, number))
    assert "it is disputed by now, by the rules accepted" in text
    assert "corrected since: revision 2 holds" in text


def numbers(dsn: str) -> list[str]:
    with ask(dsn) as connection:
        found = connection.execute("SELECT number FROM issued_invoice").fetchall()
    return [str(number) for (number,) in found]
