"""Marks of closed months in the log: in whose books is what the worker decides after them?"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Literal

import pytest

from ledger.log.envelope import PeriodMark, decode_lines, encode_line
from ledger.log.event_log import partition_of
from tests import charging_day
from tests.charging_day import STATIONS, Timed, at, declare_fleet, everywhere, start16, stop16, tick
from tests.charging_day import write_log as write
from tests.faults.broken_books import is_identical, rows, work
from tests.ledger.worker.judged.test_corrections import PARKED, SESSION, WHOLE
from tests.ledger.worker.test_worker import consequences, new_schema, new_worker
from tests.ledger.worker.test_worker import work as work_group
from tests.projections.books_of_a_day import replayed, tamper
from tests.projections.test_replay import work_share

MONTH = "2026-03"
PERIODS = "SELECT entry_id, period, original_period FROM journal_entry ORDER BY entry_id"
REVERSED, RATED, AGAIN = f"reversed:{SESSION}", f"rated:{SESSION}", f"rated:{SESSION}/2"


def mark(
    minutes: float,
    act: Literal["close", "open"] = "close",
    *,
    number: int = 1,
    entity: str = "watt",
    month: str = MONTH,
) -> list[Timed]:
    """Return a mark for every partition."""
    line = PeriodMark(
        received_at=at(minutes), legal_entity=entity, month=month, act=act, number=number, by="ann"
    )
    return [(at(minutes), station, line) for _, station, _ in tick(minutes)]


def write_log(dsn: str, lines: Sequence[Timed], *, lines_a_record: int = 1) -> None:
    write(dsn, lines, lines_a_record=lines_a_record)


def periods(dsn: str) -> dict[str, tuple[str, str]]:
    return {entry: (period, original) for entry, period, original in rows(dsn, PERIODS)}


@pytest.fixture
def begun(database: str) -> str:
    write_log(database, everywhere_first(database))
    return database


def everywhere_first(dsn: str) -> list[Timed]:
    return list(everywhere(declare_fleet(dsn), -1))


def test_what_is_decided_after_the_mark_stands_in_the_next_month_and_names_its_own(
    begun: str,
) -> None:
    write_log(begun, [*WHOLE, *mark(65), PARKED])
    work(begun)

    assert periods(begun) == {
        RATED: (MONTH, MONTH),
        REVERSED: ("2026-04", MONTH),
        AGAIN: ("2026-04", MONTH),
    }
    assert is_identical(begun)


@pytest.mark.parametrize("lines_a_record", [1, 2, 3, 50])
@pytest.mark.parametrize("is_marked_first", [True, False])
def test_the_record_of_the_mark_is_after_it_wherever_in_it_that_stands(
    begun: str, *, lines_a_record: int, is_marked_first: bool
) -> None:
    own = mark(60)
    stop = [WHOLE[-1]]
    write_log(begun, WHOLE[:-1])
    write_log(begun, [*own, *stop] if is_marked_first else [*stop, *own],
              lines_a_record=lines_a_record)  # fmt: skip
    work(begun)

    is_after = is_marked_first or lines_a_record > 1
    assert periods(begun) == {RATED: ("2026-04" if is_after else MONTH, MONTH)}
    assert is_identical(begun)


def test_an_opened_month_takes_what_is_decided_then(begun: str) -> None:
    write_log(begun, [*WHOLE, *mark(65), *mark(66, "open", number=2), PARKED])
    work(begun)

    assert set(periods(begun).values()) == {(MONTH, MONTH)}
    assert is_identical(begun)


@pytest.mark.parametrize("again", [mark(66, number=1), mark(66, "open", number=1)])
def test_a_mark_whose_number_was_taken_changes_nothing(begun: str, again: list[Timed]) -> None:
    write_log(begun, [*WHOLE, *mark(65), *again, PARKED])
    work(begun)

    assert periods(begun)[AGAIN] == ("2026-04", MONTH)
    assert len(rows(begun, "SELECT FROM period_mark")) == 2


def test_the_month_of_another_legal_entity_is_its_own_matter(begun: str) -> None:
    write_log(begun, [*WHOLE, *mark(65, entity="other"), PARKED])
    work(begun)

    assert set(periods(begun).values()) == {(MONTH, MONTH)}


@pytest.mark.parametrize("records", [1, 2, 1000])
@pytest.mark.parametrize("is_restarted", [True, False])
def test_neither_grouping_nor_a_restart_moves_an_entry(
    begun: str, *, records: int, is_restarted: bool
) -> None:
    lines = [*WHOLE, *mark(65), PARKED, start16("CS-OLD-1", 80, 11, "FLEET1", 1000)]
    write_log(begun, [*lines, stop16("CS-OLD-1", 100, 11, 5000), *mark(120, "open", number=2)])
    work(begun)
    schema = new_schema(begun, "other")

    if is_restarted:
        while work_once(begun, schema, records):
            pass
    work_group(begun, schema=schema, group_records=records)

    assert consequences(begun, schema) == consequences(begun)
    assert periods(begun)[AGAIN][0] == "2026-04"


def work_once(dsn: str, schema: str, records: int) -> int:
    with new_worker(dsn, schema=schema, group_records=records) as worker:
        return worker.run_once()


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_however_many_workers_kept_the_books_a_replay_gives_the_same_periods(
    database: str, monkeypatch: pytest.MonkeyPatch, *, workers: int
) -> None:
    monkeypatch.setattr(charging_day, "PARTITIONS", 8)
    day = charging_day.charging_day(declare_fleet(database))
    half = [each for each in day if each[0] <= at(50)]
    every = [(at(50), name, mark(50)[0][2]) for name in STATIONS]
    by_partition = {partition_of(name, partitions=8): (moment, name, line)
                    for moment, name, line in every}  # fmt: skip
    write_log(database, [*half, *by_partition.values(), *day[len(half) :]])
    with ThreadPoolExecutor(workers) as pool:
        shares = [range(first, 8, workers) for first in range(workers)]
        assert sum(pool.map(partial(work_share, database), shares)) > 0

    found = {period for period, _ in periods(database).values()}
    assert found == {MONTH, "2026-04"}
    assert is_identical(database)


def test_a_replay_finds_an_entry_that_was_moved_to_another_month(begun: str) -> None:
    write_log(begun, [*WHOLE, *mark(65), PARKED])
    work(begun)
    tamper(begun, f"UPDATE journal_entry SET period = '2026-05' WHERE entry_id = '{AGAIN}'")

    assert [each.what for each in replayed(begun).shown] == ["journal entry"]


def test_a_replay_finds_a_mark_that_was_changed(begun: str) -> None:
    write_log(begun, [*WHOLE, *mark(65)])
    work(begun)
    tamper(begun, "UPDATE period_mark SET month = '2026-04' WHERE partition = 0")

    assert [each.what for each in replayed(begun).shown] == ["period mark"]


@pytest.mark.parametrize("month", ["2026-13", "2026-00", "1999-01", "2026-3", "2026-03\n", ""])
def test_a_line_that_marks_no_month_is_none_of_ours(month: str) -> None:
    [(_, _, line)] = mark(1)[:1]
    good = encode_line(line)
    bad = good.replace(b'"2026-03"', json.dumps(month).encode())

    assert decode_lines(good) == [line]
    with pytest.raises(ValueError, match="month"):
        decode_lines(bad)


def test_marks_are_taken_alone(begun: str) -> None:
    write_log(begun, [*WHOLE, *mark(65), PARKED])
    with new_worker(begun) as worker:
        taken = list(itertools.takewhile(bool, (worker.run_once() for _ in range(9))))
    assert len(taken) == 3
