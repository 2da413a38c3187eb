"""Closing months: who may, when, in which order, and what a kill leaves of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from ledger.desk.closing.desk import PeriodDesk
from ledger.desk.closing.legal_entity import UndeclaredEntityError
from ledger.desk.closing.refusals import (
    MarksNotTakenError,
    MonthOrderError,
    NothingToSignOffError,
    NotOverYetError,
    ReasonNeededError,
)
from ledger.log.envelope import PeriodMark
from ledger.log.postgres import PostgresEventLog
from ledger.periods.periods import AccountingPeriods, ContendedPeriodError
from ledger.periods.record import (
    AccountingPeriod,
    ChecklistError,
    IllegalPeriodMoveError,
    PeriodState,
    SecondPersonError,
)
from projections.log_reading import read_all
from tests.charging_day import start16, stop16, tick, write_log
from tests.faults.broken_books import is_identical
from tests.ledger.desk.closing.books_of_march import (
    APRIL,
    ENTITY,
    HOUR,
    IN_APRIL,
    IN_JUNE,
    IN_MAY,
    MARCH,
    MARCH_ENDS,
    NOTHING_KEPT,
    books_of_march,
    closed,
    desk_of,
    item,
    minutes,
    nothing_kept,
    rows,
    soft_closed,
)
from tests.projections.books_of_a_day import work

MARKS = "SELECT partition, number, month, act FROM period_mark ORDER BY partition, number"
RATED_IN = "SELECT DISTINCT period FROM journal_entry WHERE entry_id LIKE 'rated:%'"
INSTANT = timedelta(microseconds=1)


@pytest.fixture
def march(database: str) -> str:
    return books_of_march(database)


def state_of(dsn: str, month: str = MARCH) -> str:
    with AccountingPeriods(dsn) as periods:
        return periods.find(ENTITY, month).state


def marks_in_log(dsn: str) -> list[PeriodMark]:
    with PostgresEventLog(dsn) as log:
        return [each.line for each in read_all(log) if isinstance(each.line, PeriodMark)]


def charge(dsn: str, at: datetime, ref: int) -> None:
    """Let a car charge for half an hour from *at* on."""
    begins = minutes(at)
    station = "CS-OLD-1"
    lines = [start16(station, begins, ref, "FLEET1", 10_000), *tick(begins + 1)]
    write_log(dsn, [*lines, stop16(station, begins + 30, ref, 11_000), *tick(begins + 31)])
    work(dsn)


def test_a_soft_close_marks_every_partition_and_the_documents(march: str) -> None:
    soft_closed(march)

    assert rows(march, MARKS) == [(each, 1, MARCH, "close") for each in (-1, 0, 1)]
    assert len(marks_in_log(march)) == 2
    assert state_of(march) == PeriodState.SOFT_CLOSED.value
    assert is_identical(march)


def test_what_is_decided_and_documented_afterwards_is_booked_in_the_next_month(march: str) -> None:
    soft_closed(march)
    before = rows(march, "SELECT entry_id FROM journal_entry WHERE period = '2026-03'")
    # A session of March of which nobody told before; its invoice is dated when it is issued.
    charge(march, MARCH_ENDS - 5 * HOUR, 77)

    later = rows(
        march,
        "SELECT DISTINCT split_part(entry_id, ':', 1), period, original_period"
        " FROM journal_entry WHERE period <> '2026-03' ORDER BY 1",
    )
    assert later == [("invoice", APRIL, APRIL), ("rated", APRIL, MARCH)]
    assert rows(march, "SELECT entry_id FROM journal_entry WHERE period = '2026-03'") == before
    assert is_identical(march)


@pytest.mark.parametrize(
    ("at", "is_over"),
    [
        pytest.param(MARCH_ENDS + HOUR, True, id="an hour after the month ends in Berlin"),
        pytest.param(MARCH_ENDS + HOUR - INSTANT, False, id="an instant before"),
        pytest.param(MARCH_ENDS, False, id="when it ends"),
    ],
)
def test_a_month_closes_once_it_is_over_in_the_legal_entitys_calendar(
    march: str, at: datetime, *, is_over: bool
) -> None:
    with desk_of(march) as desk:
        if is_over:
            desk.soft_close(ENTITY, MARCH, by="ann", at=at)
            return
        with pytest.raises(NotOverYetError, match="not over before 2026-04-01 01:00 CEST"):
            desk.soft_close(ENTITY, MARCH, by="ann", at=at)
    assert rows(march, MARKS) == []


@pytest.mark.parametrize(
    ("received", "is_refused"),
    [(MARCH_ENDS - 2 * HOUR, True), (MARCH_ENDS - timedelta(seconds=2), True), (MARCH_ENDS, False)],
)
def test_it_waits_for_records_of_its_time_that_nobody_decided_about(
    march: str, monkeypatch: pytest.MonkeyPatch, received: datetime, *, is_refused: bool
) -> None:
    write_log(march, [start16("CS-OLD-1", minutes(received), 88, "FLEET1", 1000)])
    monkeypatch.setattr("ledger.desk.closing.desk.WAIT_SECONDS_MAX", 0)
    expected = NotOverYetError if is_refused else MarksNotTakenError

    with desk_of(march, works=False) as desk, pytest.raises(expected):
        desk.soft_close(ENTITY, MARCH, by="ann", at=IN_APRIL)


def test_it_waits_for_a_document_that_has_its_number_and_is_not_booked(
    march: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.invoices.issuing.book_some", lambda *_, **__: ())
    charge(march, MARCH_ENDS - 5 * HOUR, 77)
    monkeypatch.undo()
    monkeypatch.setattr("ledger.desk.closing.desk.WAIT_SECONDS_MAX", 0)

    with desk_of(march, works=False) as desk, pytest.raises(NotOverYetError, match="not booked"):
        desk.soft_close(ENTITY, MARCH, by="ann", at=IN_APRIL)
    soft_closed(march)  # which takes the invoicer's turn
    assert state_of(march) == "soft_closed"


def test_months_close_in_their_order(march: str) -> None:
    charge(march, IN_APRIL, 77)
    charge(march, IN_MAY, 78)
    with desk_of(march) as desk:
        with pytest.raises(MonthOrderError, match="2026-03 is open: soft-close it first"):
            desk.soft_close(ENTITY, APRIL, by="ann", at=IN_MAY)
        desk.soft_close(ENTITY, MARCH, by="ann", at=IN_JUNE)
        desk.soft_close(ENTITY, APRIL, by="ann", at=IN_JUNE)
        with pytest.raises(MonthOrderError, match="2026-03 is soft-closed: close it first"):
            desk.close(ENTITY, APRIL, nothing_kept(march, APRIL), by="bob", at=IN_JUNE)
        desk.close(ENTITY, MARCH, NOTHING_KEPT, by="bob", at=IN_JUNE)
        desk.close(ENTITY, APRIL, nothing_kept(march, APRIL), by="bob", at=IN_JUNE)
        with pytest.raises(MonthOrderError, match="all up to 2026-04 is closed"):
            desk.soft_close(ENTITY, "2026-02", by="ann", at=IN_JUNE)
        with pytest.raises(MonthOrderError, match="2026-04 is closed: open it again first"):
            desk.reopen(ENTITY, MARCH, by="ann", at=IN_JUNE, reason="why not")
    assert rows(march, "SELECT legal_entity, month FROM closed_period") == [(ENTITY, APRIL)]
    assert is_identical(march)


def test_who_soft_closed_a_month_neither_signs_off_nor_closes_it(march: str) -> None:
    soft_closed(march)
    with desk_of(march) as desk:
        for name in ("ann", " Ann "):
            with pytest.raises(SecondPersonError):
                desk.sign_off(ENTITY, MARCH, item(), by=name, at=IN_APRIL, reason="fine")
            with pytest.raises(SecondPersonError):
                desk.close(ENTITY, MARCH, NOTHING_KEPT, by=name, at=IN_APRIL)
        desk.close(ENTITY, MARCH, NOTHING_KEPT, by="bob", at=IN_APRIL)


def test_what_is_left_on_the_checklist_is_signed_off_as_it_is_or_nothing_closes(march: str) -> None:
    soft_closed(march)
    left = (item(), item("waiting", 0), item("numbers", 1, "n"))
    kept = replace(NOTHING_KEPT, checklist=left)
    with desk_of(march) as desk:
        desk.sign_off(ENTITY, MARCH, left[0], by="bob", at=IN_APRIL, reason="known")
        with pytest.raises(ChecklistError, match=r"numbers \(1\)"):
            desk.close(ENTITY, MARCH, kept, by="bob", at=IN_APRIL)
        desk.sign_off(ENTITY, MARCH, left[2], by="bob", at=IN_APRIL, reason="known")
        changed = (item(digest="another"), *left[1:])
        with pytest.raises(ChecklistError, match=r"held \(2\)"):
            desk.close(
                ENTITY,
                MARCH,
                replace(NOTHING_KEPT, checklist=changed),
                by="bob",
                at=IN_APRIL,
            )
        period = desk.close(ENTITY, MARCH, kept, by="cleo", at=IN_APRIL)
        with pytest.raises(NothingToSignOffError):
            desk.sign_off(ENTITY, MARCH, left[1], by="bob", at=IN_APRIL, reason="known")
        with pytest.raises(ReasonNeededError):
            desk.sign_off(ENTITY, MARCH, left[0], by="bob", at=IN_APRIL, reason=" ")
    [close] = period.closes
    assert (close.by, close.soft_closed_by) == ("cleo", "ann")
    assert [(each.item, each.by) for each in close.signed] == [("held", "bob"), ("numbers", "bob")]
    assert close.checklist == left
    assert close.is_intact


def test_a_close_keeps_where_every_partition_stood(march: str) -> None:
    closed(march)

    with AccountingPeriods(march) as periods:
        [close] = periods.find(ENTITY, MARCH).closes
    found = dict(rows(march, "SELECT partition::text, position FROM period_mark"))
    assert close.positions == found
    assert set(found) == {"-1", "0", "1"}
    [(booked,)] = rows(march, "SELECT notification_id FROM booked_position")
    assert found["-1"] == booked + 1


def test_a_soft_closed_month_is_opened_again_by_one_person(march: str) -> None:
    soft_closed(march)
    with desk_of(march) as desk:
        with pytest.raises(ReasonNeededError):
            desk.reopen(ENTITY, MARCH, by="ann", at=IN_APRIL, reason="")
        desk.reopen(ENTITY, MARCH, by="ann", at=IN_APRIL, reason="too early")
        charge(march, MARCH_ENDS - 5 * HOUR, 77)
        assert rows(march, RATED_IN) == [(MARCH,)]
        with pytest.raises(IllegalPeriodMoveError):
            desk.reopen(ENTITY, MARCH, by="ann", at=IN_APRIL, reason="again")
        desk.soft_close(ENTITY, MARCH, by="ann", at=IN_APRIL)
    assert [row for row in rows(march, MARKS) if row[0] == 0] == [
        (0, 1, MARCH, "close"), (0, 2, MARCH, "open"), (0, 3, MARCH, "close"),
    ]  # fmt: skip
    assert is_identical(march)


def test_a_closed_month_is_opened_again_by_two(march: str) -> None:
    closed(march)
    with desk_of(march) as desk:
        asked = desk.reopen(ENTITY, MARCH, by="bob", at=IN_APRIL, reason="a bill is missing")
        assert asked.state == PeriodState.REOPENING.value
        assert len(marks_in_log(march)) == 2
        with pytest.raises(SecondPersonError):
            desk.reopen(ENTITY, MARCH, by="BOB", at=IN_APRIL, reason="I said so")
        kept = desk.keep_closed(ENTITY, MARCH, by="ann", at=IN_APRIL, reason="it goes to April")
        assert kept.state == PeriodState.CLOSED.value
        desk.reopen(ENTITY, MARCH, by="bob", at=IN_APRIL, reason="it cannot")
        opened = desk.reopen(ENTITY, MARCH, by="cleo", at=IN_APRIL, reason="it cannot indeed")
    assert opened.state == PeriodState.OPEN.value
    assert rows(march, "SELECT month FROM closed_period") == [("2026-02",)]
    charge(march, MARCH_ENDS - 5 * HOUR, 77)
    assert rows(march, RATED_IN) == [(MARCH,)]
    closed(march)
    # What was closed first is kept beside what was closed then.
    with AccountingPeriods(march) as periods:
        assert len(periods.find(ENTITY, MARCH).closes) == 2
    assert is_identical(march)


def test_signatures_are_for_the_close_that_they_were_given_for(march: str) -> None:
    soft_closed(march)
    with desk_of(march) as desk:
        desk.sign_off(ENTITY, MARCH, item(), by="bob", at=IN_APRIL, reason="known")
        desk.reopen(ENTITY, MARCH, by="ann", at=IN_APRIL, reason="once more")
        desk.soft_close(ENTITY, MARCH, by="ann", at=IN_APRIL)
        kept = replace(nothing_kept(march), checklist=(item(),))
        with pytest.raises(ChecklistError):
            desk.close(ENTITY, MARCH, kept, by="bob", at=IN_APRIL)


def test_what_was_gathered_before_a_month_was_opened_again_closes_nothing(march: str) -> None:
    """A replay takes its time: the month may have other entries by then."""
    soft_closed(march)
    kept = nothing_kept(march)
    with desk_of(march) as desk:
        desk.reopen(ENTITY, MARCH, by="cleo", at=IN_APRIL, reason="a bill is missing")
        charge(march, MARCH_ENDS - 5 * HOUR, 77)
        desk.soft_close(ENTITY, MARCH, by="dora", at=IN_APRIL)
        with pytest.raises(ContendedPeriodError, match="look at it again"):
            desk.close(ENTITY, MARCH, kept, by="bob", at=IN_APRIL)
        assert state_of(march) == "soft_closed"
        desk.close(ENTITY, MARCH, nothing_kept(march), by="bob", at=IN_APRIL)
    assert state_of(march) == "closed"


def test_only_a_declared_legal_entity_has_months(march: str) -> None:
    with desk_of(march) as desk, pytest.raises(UndeclaredEntityError, match="there are watt"):
        desk.soft_close("nobody", MARCH, by="ann", at=IN_APRIL)


class Killed(Exception):  # noqa: N818 - what a kill leaves, without one
    """The process ends here."""


def killed(*_: object, **__: object) -> None:
    raise Killed


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param("ledger.desk.closing.desk.store_marks", id="before the documents' mark"),
        pytest.param("ledger.desk.closing.desk.put", id="before the partitions' marks"),
    ],
)
def test_a_soft_close_that_is_cut_off_leaves_nothing(
    march: str, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    monkeypatch.setattr(broken, killed)
    with desk_of(march) as desk, pytest.raises(Killed):
        desk.soft_close(ENTITY, MARCH, by="ann", at=IN_APRIL)
    monkeypatch.undo()

    assert (state_of(march), rows(march, MARKS), marks_in_log(march)) == ("open", [], [])
    assert rows(march, "SELECT count(*) FROM outbox") == [(0,)]
    soft_closed(march)


@pytest.mark.parametrize("broken", ["ledger.desk.closing.desk.carry", "ledger.log.outbox._NOTE"])
def test_marks_that_a_kill_left_behind_are_carried_by_the_next_one(
    march: str, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    with desk_of(march) as desk:
        # Before they are in the log, or after that and before this is noted.
        monkeypatch.setattr(broken, killed if broken.endswith("carry") else "SELECT killed(%s, %s)")
        with pytest.raises(Exception, match=r"killed|^$"):
            desk.soft_close(ENTITY, MARCH, by="ann", at=IN_APRIL)
    monkeypatch.undo()
    assert state_of(march) == "soft_closed"
    assert [row[0] for row in rows(march, MARKS)] == [-1]
    with desk_of(march) as desk:
        work(march)
        desk.close(ENTITY, MARCH, NOTHING_KEPT, by="bob", at=IN_APRIL)
    assert [row[0] for row in rows(march, MARKS)] == [-1, 0, 1]
    assert is_identical(march)


def test_a_close_waits_for_the_mark_of_every_partition(
    march: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.desk.closing.desk.WAIT_SECONDS_MAX", 0)
    with desk_of(march, works=False) as desk:
        with pytest.raises(MarksNotTakenError, match="partition 0, 1"):
            desk.soft_close(ENTITY, MARCH, by="ann", at=IN_APRIL)
        with pytest.raises(MarksNotTakenError):
            desk.close(ENTITY, MARCH, NOTHING_KEPT, by="bob", at=IN_APRIL)
    assert state_of(march) == "soft_closed"


@pytest.mark.parametrize(
    ("act", "broken", "left"),
    [
        pytest.param(
            lambda desk: desk.close(ENTITY, MARCH, NOTHING_KEPT, by="bob", at=IN_APRIL),
            "ledger.desk.closing.desk._executed",
            ("soft_closed", []),
            id="a close",
        ),
        pytest.param(
            lambda desk: desk.reopen(ENTITY, MARCH, by="bob", at=IN_APRIL, reason="why not"),
            "ledger.desk.closing.desk.put",
            ("soft_closed", []),
            id="a reopening",
        ),
    ],
)
def test_an_act_that_is_cut_off_leaves_nothing(
    march: str,
    monkeypatch: pytest.MonkeyPatch,
    act: Callable[[PeriodDesk], AccountingPeriod],
    broken: str,
    left: tuple[str, list[Any]],
) -> None:
    soft_closed(march)
    marks = rows(march, MARKS)
    monkeypatch.setattr(broken, killed)
    with desk_of(march) as desk, pytest.raises(Killed):
        act(desk)
    monkeypatch.undo()

    assert (state_of(march), rows(march, "SELECT month FROM closed_period")) == left
    assert rows(march, MARKS) == marks
    with desk_of(march) as desk:
        act(desk)
