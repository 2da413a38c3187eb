"""What is accrued at a month's end: sessions that run over it, by their price until then."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from deploy.postgres import migrate
from ledger.database import connect
from ledger.log.envelope import PeriodMark
from ledger.log.postgres import PostgresEventLog
from projections.closing.month_balance import month_balance
from projections.log_reading import read_all
from tests.charging_day import (
    Timed,
    declare_fleet,
    event201,
    everywhere,
    meter16,
    start16,
    stop16,
    tick,
    write_log,
)
from tests.faults.broken_books import is_identical, work
from tests.ledger.desk.closing.books_of_march import (
    APRIL,
    ENTITY,
    IN_APRIL,
    MARCH,
    MARCH_ENDS,
    closed,
    desk_of,
    minutes,
    rows,
    soft_closed,
)
from tests.projections.books_of_a_day import replayed, tamper
from tests.projections.books_of_a_day import work as work_and_issue

ACCRUED = (
    "SELECT split_part(entry_id, ':', 1), period, original_period, accounts, amounts"
    " FROM journal_entry WHERE entry_id LIKE 'accrued%' ORDER BY entry_id"
)
OVER = minutes(MARCH_ENDS)


def session(begins: float, ends: float | None, ref: int = 5, register: int = 1000) -> list[Timed]:
    """Return a session that draws 4 kWh an hour, with a reading half an hour before each end."""
    station = "CS-OLD-1"

    def shows(minute: float) -> int:
        return register + round((minute - begins) * 4000 / 60)

    lines = [start16(station, begins, ref, "FLEET1", register)]
    lines += [
        meter16(station, at, ref, shows(at)) for at in (begins + 30, begins + 90) if at != ends
    ]
    if ends is not None:
        lines.append(stop16(station, ends, ref, shows(ends)))
    return [each for each in lines if ends is None or each[0] <= lines[-1][0]]


def books(dsn: str, *lines: Timed) -> str:
    """Return books with *lines*, worked off on 1 April."""
    version = declare_fleet(dsn)
    told = [*everywhere(version, -1), *lines, *tick(OVER + 150)]
    write_log(dsn, told, lines_a_record=1)
    work_and_issue(dsn)
    return dsn


def accrued(dsn: str) -> list[tuple[str, str, str, int]]:
    return [(what, month, own, legs[0]) for what, month, own, _, legs in rows(dsn, ACCRUED)]


def both(minor: int) -> list[tuple[str, str, str, int]]:
    return [("accrued", MARCH, MARCH, minor), ("accrued_reversed", APRIL, APRIL, -minor)]


def test_a_session_over_the_months_end_is_accrued_until_then_and_taken_back_in_the_next(
    database: str,
) -> None:
    # From 23:00 to 01:00 in Berlin, 4 kWh an hour at 0.40: half of it in March.
    dsn = soft_closed(books(database, *session(OVER - 60, OVER + 60)))

    assert accrued(dsn) == both(160)
    [(_, _, _, accounts, _), _] = rows(dsn, ACCRUED)
    assert accounts == ["receivable:accrued", "revenue:accrued"]
    assert rows(dsn, "SELECT period FROM journal_entry WHERE entry_id LIKE 'rated%'") == [(APRIL,)]
    with connect(dsn) as connection:
        march = {e.account: e.balance_minor for e in month_balance(connection, MARCH).accounts}
        april = {e.account: e.balance_minor for e in month_balance(connection, APRIL).accounts}
    assert march == {"receivable:accrued": 160, "revenue:accrued": -160}
    assert (april["revenue:accrued"], april["revenue:energy"]) == (0, -320)
    assert is_identical(dsn)


def test_one_that_is_still_open_is_accrued_to_the_months_end(database: str) -> None:
    dsn = soft_closed(books(database, *session(OVER - 60, None)))

    assert rows(dsn, "SELECT state FROM session") == [("open",)]
    assert accrued(dsn) == both(160)
    assert is_identical(dsn)


def test_one_that_was_not_heard_of_since_is_accrued_to_its_last_sign(database: str) -> None:
    # Its last reading came half an hour before the month's end, of 30 minutes.
    dsn = soft_closed(books(database, *session(OVER - 60, None)[:2]))

    assert accrued(dsn) == both(80)


@pytest.mark.parametrize(
    ("begins", "ends", "minor"),
    [
        pytest.param(-60, 0, 160, id="ends as the month does: it is April's"),
        pytest.param(-60, -1 / 60, None, id="ends a second before: it is March's"),
        pytest.param(0, 60, None, id="begins as April does"),
        pytest.param(-1 / 60, 60, 0, id="begins a second before"),
    ],
)
def test_what_runs_over_begins_before_the_end_and_is_not_over_then(
    database: str, begins: float, ends: float, minor: int | None
) -> None:
    dsn = soft_closed(books(database, *session(OVER + begins, OVER + ends)))

    found = rows(dsn, "SELECT net_minor FROM accrued_session")
    assert found == ([] if minor is None else [(minor,)])
    # What costs nothing posts nothing.
    assert accrued(dsn) == (both(minor) if minor else [])
    [(billed_in,)] = rows(
        dsn, "SELECT original_period FROM journal_entry WHERE entry_id ~ '^rated'"
    )
    assert billed_in == (MARCH if ends < 0 else APRIL)
    assert is_identical(dsn)


def test_a_doubtful_one_accrues_nothing(database: str) -> None:
    gap = [
        event201("CS-NEW-1", OVER - 60, "Started", "G", 0, 0, token="FLEET1"),
        event201("CS-NEW-1", OVER + 30, "Ended", "G", 2, 3000),
    ]
    dsn = soft_closed(books(database, *gap))

    assert accrued(dsn) == []


def test_what_was_accrued_is_not_again_when_the_month_closes_a_second_time(database: str) -> None:
    dsn = soft_closed(books(database, *session(OVER - 60, OVER + 60)))
    with desk_of(dsn) as desk:
        desk.reopen(ENTITY, MARCH, by="ann", at=IN_APRIL, reason="a session is to come")
        # Told late: another one ran over the end too.
        late = [
            start16("CS-OLD-2", OVER - 60, 9, "FLEET1", 0),
            stop16("CS-OLD-2", OVER + 60, 9, 2000),
        ]
        write_log(dsn, late)
        desk.soft_close(ENTITY, MARCH, by="ann", at=IN_APRIL)

    assert rows(dsn, "SELECT net_minor FROM accrued_session ORDER BY position") == [(160,), (40,)]
    assert len(accrued(dsn)) == 4
    assert is_identical(dsn)


def test_a_closed_month_keeps_its_accruals_when_the_stop_comes_late(database: str) -> None:
    dsn = closed(books(database, *session(OVER - 60, None)))
    with connect(dsn) as connection:
        before = month_balance(connection, MARCH)
    write_log(dsn, [stop16("CS-OLD-1", OVER + 120, 5, 1000 + 12_000), *tick(OVER + 3000)])
    work_and_issue(dsn)

    with connect(dsn) as connection:
        assert month_balance(connection, MARCH) == before
        april = {e.account: e.balance_minor for e in month_balance(connection, APRIL).accounts}
    assert (april["revenue:accrued"], april["revenue:energy"]) == (0, -480)
    assert is_identical(dsn)


@pytest.mark.parametrize("records", [1, 2, 1000])
def test_neither_grouping_nor_a_restart_changes_an_accrual(database: str, records: int) -> None:
    dsn = soft_closed(books(database, *session(OVER - 60, None), *session(OVER - 50, OVER + 9, 6)))
    with connect(dsn) as connection:
        migrate.apply(connection, "books", schema="other")
    work(dsn, schema="other", group_records=records)

    query = "SELECT * FROM {}.accrued_session ORDER BY session_id"
    assert rows(dsn, query.format("other")) == rows(dsn, query.format("books"))
    query = "SELECT * FROM {}.journal_entry WHERE entry_id LIKE 'accrued%' ORDER BY entry_id"
    assert rows(dsn, query.format("other")) == rows(dsn, query.format("books"))


def test_a_replay_finds_an_accrual_that_was_changed(database: str) -> None:
    dsn = soft_closed(books(database, *session(OVER - 60, OVER + 60)))
    tamper(dsn, "UPDATE accrued_session SET net_minor = 161")

    assert {each.what for each in replayed(dsn).shown} == {"accrual"}


def test_time_zones_are_those_that_were_recorded(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn = soft_closed(books(database, *session(OVER - 60, OVER + 60)))
    [(zones,)] = rows(dsn, "SELECT zones FROM accrued_session")
    assert b"Europe/Berlin" in bytes(zones)

    def moved(*_: Any) -> Any:  # noqa: ANN401 - whoever asks tzdata is wrong
        raise AssertionError

    monkeypatch.setattr("ledger.worker.closing.accruals.PINNED_ZONES.read", moved)
    assert is_identical(dsn)


def test_the_mark_says_when_the_month_ends(database: str) -> None:
    dsn = soft_closed(books(database))
    with PostgresEventLog(dsn) as log:
        found = [each.line for each in read_all(log) if isinstance(each.line, PeriodMark)]
    ends: set[datetime | None] = {each.ends_at for each in found}
    assert ends == {MARCH_ENDS}
