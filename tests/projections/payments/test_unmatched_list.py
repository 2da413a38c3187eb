"""Money that nobody knows what it is for, by filters and pages, and what it may be for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest

from ledger.desk.paying.match_plans import MatchWish
from ledger.desk.paying.matching import match_line
from ledger.payments.bank.lines import find_line
from ledger.payments.bank.proposals import with_proposals
from ledger.payments.movement import UNMATCHED, Allotment, MoneyKind, MoneyMovement
from ledger.payments.recording import record_movement
from ledger.persons.store import erase
from projections.payments.unmatched_list import (
    UnmatchedPlace,
    UnmatchedSum,
    UnmatchedWish,
    all_unmatched,
    unmatched_page,
    unmatched_places,
    unmatched_sums,
)
from tests.ledger.payments.bank.bank_books import (
    NOW,
    banked_declarations,
    invoiced,
    put_in,
    wl,
)
from tests.ledger.payments.bank.bank_files import IBAN, Booked, camt

Books = psycopg.Connection[Any]
BANK = f"bank:{IBAN}"
DAYS = ("2026-11-08", "2026-11-10", "2026-11-09")


@pytest.fixture
def books(database: str) -> Iterator[Books]:
    """An invoice; three lines that wait, and two movements at a provider between them."""
    with invoiced(database, ["anna-1"]) as connection:
        minors = (476, -250, 9_00)
        told = zip(minors, DAYS, ("Spende", "charges", "ŽLUTÝ kůň"), strict=True)
        lines = [Booked(minor, text, f"R-{minor}", day) for minor, day, text in told]
        put_in(connection, camt(lines))
        for number, minor in enumerate((500, -40)):
            at = datetime(2026, 11, 9, 12 * number, tzinfo=UTC)
            record_movement(connection, unexplained(f"txn_{minor}", minor, at))
        yield connection


def unexplained(reference: str, minor: int, at: datetime) -> MoneyMovement:
    return MoneyMovement(
        kind=MoneyKind.BANKED,
        source="stripe",
        reference=reference,
        legal_entity="depot",
        currency="EUR",
        amount_minor=minor,
        allotments=(Allotment(UNMATCHED, minor),),
        happened_at=at,
        recorded_by="a test",
        about="po_1",
    )


def amounts(books: Books, wish: UnmatchedWish, limit: int = 50) -> list[int]:
    found, after = list[int](), None
    while True:
        page = unmatched_page(books, wish, limit=limit, after=after)
        found += [each.left_minor for each in page.rows]
        after = page.behind
        if after is None:
            return found


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
def test_pages_of_any_length_have_each_row_once_the_oldest_first(books: Books, limit: int) -> None:
    found = amounts(books, UnmatchedWish(), limit)

    assert sorted(found[1:3]) == [500, 900]
    assert (found[0], found[3:]) == (476, [-40, -250])
    assert [each.left_minor for each in all_unmatched(books, UnmatchedWish())] == found


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (UnmatchedWish(source="stripe"), {500, -40}),
        (UnmatchedWish(source="provider"), {500, -40}),
        (UnmatchedWish(source="bank"), {476, 900, -250}),
        (UnmatchedWish(source=BANK), {476, 900, -250}),
        (UnmatchedWish(is_in=False), {-40, -250}),
        (UnmatchedWish(is_in=True, least_minor=500), {500, 900}),
        (UnmatchedWish(most_minor=476, least_minor=250), {476, -250}),
        (UnmatchedWish(until=date(2026, 11, 9)), {476}),
        (UnmatchedWish(text="žlutý"), {900}),
        (UnmatchedWish(text="CARLA"), {476, 900, -250}),
        (UnmatchedWish(text="txn_5"), {500}),
        (UnmatchedWish(legal_entity="depot", currency="EUR"), {476, 900, -250, 500, -40}),
        (UnmatchedWish(legal_entity="other"), set()),
        (UnmatchedWish(currency="USD"), set()),
        (UnmatchedWish(legal_entities=[]), set()),
    ],
)
def test_a_filter_has_what_fits_and_its_sum(
    books: Books, wish: UnmatchedWish, expected: set[int]
) -> None:
    assert set(amounts(books, wish)) == expected
    if not wish.text:
        came = sum(each for each in expected if each > 0)
        summed = UnmatchedSum("EUR", len(expected), came, sum(expected) - came)
        assert unmatched_sums(books, wish) == ([summed] if expected else [])


def test_what_is_decided_or_erased_is_said(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    assert unmatched_places(books, None) == [
        UnmatchedPlace(BANK, "depot", "EUR"),
        UnmatchedPlace("stripe", "depot", "EUR"),
    ]
    [donation] = list(all_unmatched(books, UnmatchedWish(text="Spende")))
    [charges] = list(all_unmatched(books, UnmatchedWish(text="charges")))
    match_line(books, MatchWish(donation.key, ((wl(1), None),)), by="ada", at=NOW)
    assert charges.line is not None
    erase(books, [charges.line.subject])

    rows = {each.left_minor: each for each in all_unmatched(books, UnmatchedWish())}
    assert sorted(rows) == [-250, -40, 500, 900]
    assert rows[-250].details is None
    monkeypatch.setattr("projections.payments.unmatched_list.SUMMED_MAX", 3)
    assert unmatched_sums(books, UnmatchedWish()) is None
    whole = unmatched_sums(books, UnmatchedWish(), is_whole=True)
    assert whole == [UnmatchedSum("EUR", 4, 1400, -290)]


def test_a_text_is_looked_for_among_so_many_and_the_page_says_where_it_stopped(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.payments.unmatched_list.LOOKED_AT_MAX", 2)
    monkeypatch.setattr("projections.payments.unmatched_list._AT_ONCE", 2)
    wish = UnmatchedWish(text="charges")
    first = unmatched_page(books, wish, limit=5)

    assert (first.rows, first.is_cut) == ([], True)
    assert amounts(books, wish) == [-250]


def test_what_is_open_with_just_that_amount_is_a_hint(books: Books) -> None:
    [donation] = list(all_unmatched(books, UnmatchedWish(text="Spende")))
    line = find_line(books, donation.key)
    assert line is not None

    [found] = with_proposals(books, banked_declarations(), [line])

    assert [tuple(each) for each in found.proposals] == [(wl(1), 476, "open")]
