"""Which month's books an entry stands in: the one that it is about, or the first after it open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.books.journal import JournalEntry, Posting, store_entries
from ledger.books.periods import (
    NO_MONTH,
    ClosedMonths,
    MarkAct,
    MonthMark,
    load_marks,
    month_after,
    month_before,
    store_marks,
)
from ledger.database import connect
from tests.depot import NOON

CLOSE, OPEN = MarkAct.CLOSE, MarkAct.OPEN


def entry_of(month: str, legal_entity: str = "depot", entry_id: str = "e") -> JournalEntry:
    legs = [("a", 5), ("b", -5)]
    return JournalEntry(
        entry_id=entry_id,
        legal_entity=legal_entity,
        booked_at=NOON,
        original_period=month,
        postings=tuple(
            Posting(account=account, party="", currency="EUR", amount_minor=amount)
            for account, amount in legs
        ),
    )


def mark(number: int, month: str, act: MarkAct, position: int) -> MonthMark:
    return MonthMark("depot", number, month, act, position)


def booked(closed: ClosedMonths, month: str, position: int, legal_entity: str = "depot") -> str:
    entry = entry_of(month, legal_entity)
    found = closed.booked(entry, position)
    assert found.original_period == month
    return found.period or found.original_period


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(database) as opened:
        yield opened


@pytest.mark.parametrize(
    ("month", "position", "period"),
    [
        pytest.param("2026-03", 7, "2026-03", id="decided before the mark"),
        pytest.param("2026-03", 8, "2026-04", id="in its record"),
        pytest.param("2026-03", 9, "2026-04", id="after it"),
        pytest.param("2026-04", 9, "2026-04", id="of the month after, which is open"),
        pytest.param("2026-02", 9, "2026-04", id="of a month before, which nobody closed by name"),
        pytest.param("2026-02", 7, "2026-02", id="of a month before, before the mark"),
    ],
)
def test_a_closed_month_takes_nothing_from_the_mark_on(
    month: str, position: int, period: str
) -> None:
    closed = ClosedMonths([mark(1, "2026-03", CLOSE, 8)])

    assert booked(closed, month, position) == period


def test_another_legal_entity_has_months_of_its_own() -> None:
    closed = ClosedMonths([mark(1, "2026-03", CLOSE, 8)])

    assert booked(closed, "2026-03", 9, "other") == "2026-03"


def test_an_opened_month_takes_again_what_is_decided_from_there_on() -> None:
    closed = ClosedMonths(
        [
            mark(1, "2026-02", CLOSE, 3),
            mark(2, "2026-03", CLOSE, 8),
            mark(3, "2026-03", OPEN, 12),
            mark(4, "2026-03", CLOSE, 20),
        ]
    )

    assert [booked(closed, "2026-03", at) for at in (7, 8, 11, 12, 19, 20)] == [
        "2026-03", "2026-04", "2026-04", "2026-03", "2026-03", "2026-04",
    ]  # fmt: skip
    # February, before it, stays closed.
    assert booked(closed, "2026-02", 12) == "2026-03"


def test_a_mark_that_comes_again_or_too_late_says_nothing() -> None:
    closed = ClosedMonths([mark(1, "2026-03", CLOSE, 8), mark(2, "2026-03", OPEN, 9)])

    assert not closed.take(mark(1, "2026-03", CLOSE, 10))
    assert not closed.take(mark(2, "2026-03", CLOSE, 10))
    assert booked(closed, "2026-03", 11) == "2026-03"
    assert closed.take(mark(3, "2026-03", CLOSE, 10))
    assert booked(closed, "2026-03", 11) == "2026-04"


def test_opening_what_is_open_closes_nothing() -> None:
    closed = ClosedMonths([mark(1, "2026-03", OPEN, 8)])

    assert closed.through("depot") == NO_MONTH
    assert booked(closed, "2026-01", 9) == "2026-01"


@pytest.mark.parametrize(
    ("month", "following"),
    [
        ("2026-12", "2027-01"),
        ("2026-11", "2026-12"),
        ("2027-01", "2027-02"),
        ("2999-12", "3000-01"),
    ],
)
def test_a_month_follows_the_one_before_it(month: str, following: str) -> None:
    assert month_after(month) == following
    assert month_before(following) == month


months = st.integers(2020 * 12, 2040 * 12).map(lambda n: f"{n // 12:04d}-{n % 12 + 1:02d}")


@given(
    st.lists(st.tuples(months, st.sampled_from(MarkAct)), max_size=8),
    months,
    st.integers(0, 20),
)
def test_an_entry_stands_in_the_first_open_month_from_its_own_on(
    acts: list[tuple[str, MarkAct]], month: str, position: int
) -> None:
    marks = [mark(n, each, act, 2 * n) for n, (each, act) in enumerate(acts, 1)]
    closed = ClosedMonths(marks)
    # By the rule, told once more: what the marks up to there leave closed.
    through = NO_MONTH
    for each in marks:
        if each.position <= position:
            if each.act is CLOSE:
                through = max(through, each.month)
            elif each.month <= through:
                through = month_before(each.month)

    period = booked(closed, month, position)

    assert period == (month if month > through else month_after(through))


def test_marks_are_read_as_they_were_stored(connection: psycopg.Connection[Any]) -> None:
    marks = [mark(1, "2026-03", CLOSE, 8), mark(2, "2026-03", OPEN, 9)]
    store_marks(connection, 1, marks)
    store_marks(connection, 0, marks[:1])

    assert load_marks(connection, 1) == marks
    assert load_marks(connection, 0) == marks[:1]
    with pytest.raises(psycopg.errors.UniqueViolation):
        store_marks(connection, 0, [mark(1, "2026-04", CLOSE, 10)])
    with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
        connection.execute("DELETE FROM period_mark")


@pytest.mark.parametrize(
    ("month", "entity", "is_refused"),
    [
        ("2026-03", "depot", True),
        ("2026-02", "depot", True),
        ("2026-04", "depot", False),
        ("2026-03", "other", False),
    ],
)
def test_the_database_refuses_an_entry_into_a_closed_month(
    connection: psycopg.Connection[Any], month: str, entity: str, *, is_refused: bool
) -> None:
    connection.execute("INSERT INTO closed_period VALUES ('depot', '2026-03')")
    fits = entry_of("2026-05", entry_id="fits")

    if not is_refused:
        store_entries(connection, [fits, entry_of(month, entity)])
        return
    with pytest.raises(psycopg.errors.CheckViolation, match=f"e is of {month}, which depot has"):
        store_entries(connection, [fits, entry_of(month, entity)])
    assert connection.execute("SELECT count(*) FROM journal_entry").fetchone() == (0,)


def test_no_entry_is_booked_before_its_original_month(connection: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        connection.execute(
            "INSERT INTO journal_entry VALUES ('e', 'depot', now(), '2026-02', '2026-03',"
            " NULL, NULL, '{a,b}', '{\"\",\"\"}', '{EUR,EUR}', '{5,-5}')"
        )
