"""What lies behind a document: gathered from the books, bounded, the same each time."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from ledger.invoices.shown import ShownInvoice
from ledger.persons.holders import token_holder
from ledger.persons.store import find_or_make
from ledger.sessions.session import SessionPoint
from projections.audit.shown_documents import show_invoice
from projections.documents.evidence import (
    READINGS_MAX,
    DocumentEvidence,
    gather_evidence,
    thinned,
)
from tests.charging_day import call, choose, meter16, stamp, start16, stop16
from tests.depot import NOON
from tests.projections.books_of_a_day import ask, books_of_a_day, go_on

HELD = "CS-OLD-2/22/20260302T082000Z"


@pytest.fixture
def books(database: str) -> str:
    return books_of_a_day(database, choose(HELD, "release", 300))


def gathered(books: str, session: str) -> tuple[ShownInvoice, DocumentEvidence]:
    with ask(books) as connection:
        [(number,)] = connection.execute(
            "SELECT number FROM invoiced_session WHERE session_id LIKE %s", (f"%/{session}/%",)
        ).fetchall()
        shown = show_invoice(connection, str(number))
        return shown, gather_evidence(connection, shown)


def test_readings_are_those_that_were_billed(books: str) -> None:
    shown, evidence = gathered(books, "11")
    [session] = shown.sessions
    known = evidence.sessions[session.session_id]

    assert known.readings[0].register_wh == session.meter_start_wh == 1000
    assert known.readings[-1].register_wh == session.meter_stop_wh == 7000
    assert known.readings[-1].energy_wh == session.energy_wh
    assert known.readings_count == len(known.readings)
    assert all(len(each.record.split("/")) == 3 for each in known.readings)


def test_the_same_books_give_the_same_evidence(books: str) -> None:
    assert gathered(books, "12") == gathered(books, "12")


def test_names_stand_beside_the_subject_ids(books: str) -> None:
    holder = token_holder("CARD-7")
    assert holder is not None
    with ask(books) as connection:
        [subject] = find_or_make(connection, [holder]).values()
        shown, _ = gathered(books, "11")
        session = replace(shown.sessions[0], token_uid=subject.id)
        evidence = gather_evidence(connection, replace(shown, sessions=(session,)))

    assert evidence.names == {subject.id: "card-7"}


def test_a_signed_meter_value_is_named_by_its_record(books: str) -> None:
    signed = {"value": "OCMF|{}|{}", "format": "SignedData"}
    values = [{"timestamp": stamp(520), "sampledValue": [signed]}]
    payload = {"connectorId": 1, "transactionId": 79, "meterValue": values}
    go_on(
        books,
        [
            start16("CS-OLD-1", 500, 79, "fleet1", 9000),
            call("CS-OLD-1", 520, "MeterValues", payload, {}),
            stop16("CS-OLD-1", 540, 79, 9900),
        ],
    )

    shown, evidence = gathered(books, "79")

    known = evidence.sessions[shown.sessions[0].session_id]
    assert known.signed_count == len(known.signed) == 1
    assert len(known.signed[0].sha256) == 64


def test_a_session_with_a_thousand_readings_is_thinned(books: str) -> None:
    lines = [start16("CS-OLD-1", 500, 80, "fleet1", 9000)]
    lines += [meter16("CS-OLD-1", 500 + n / 100, 80, 9000 + n) for n in range(1, 2000)]
    go_on(books, [*lines, stop16("CS-OLD-1", 530, 80, 11000)])

    shown, evidence = gathered(books, "80")

    known = evidence.sessions[shown.sessions[0].session_id]
    assert known.readings_count > 1000
    assert len(known.readings) <= READINGS_MAX + 8
    assert known.readings[-1].energy_wh == 2000


def points(energies: list[int]) -> list[SessionPoint]:
    return [
        SessionPoint(NOON + timedelta(minutes=n), Decimal(each), n, 0)
        for n, each in enumerate(energies)
    ]


def test_thinning_keeps_ends_extremes_and_the_neighbours_of_borders() -> None:
    rises = [10] * 5000
    rises[1234], rises[4321] = 900, 0
    energies = [0]
    for rise in rises:
        energies.append(energies[-1] + rise)
    border = NOON + timedelta(minutes=2500, seconds=30)

    kept = thinned(points(energies), {border}, 100)

    numbers = [each.position for each in kept]
    assert len(kept) <= 104
    assert {0, 5000, 1234, 1235, 4321, 4322, 2500, 2501} <= set(numbers)
    assert numbers == sorted(numbers)


def test_few_points_are_left_as_they_are() -> None:
    few = points([0, 5, 9])

    assert thinned(few, (), 3) is few
