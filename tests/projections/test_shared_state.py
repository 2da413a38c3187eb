"""State across sessions: a household shares its allowance over stations of any partition."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from time import monotonic, sleep
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from deploy.postgres import migrate
from ledger.declared.changes import Change
from ledger.declared.declarations import Kind
from ledger.declared.store import declare
from ledger.log.event_log import partition_of
from ledger.log.postgres import PostgresEventLog
from ledger.master_data.customers import Customer
from ledger.master_data.tariff_versions import published
from ledger.master_data.tokens import Token
from ledger.worker.worker import FencedError
from projections.replay.refilling import refill_here
from projections.replay.replay import check_replay
from tariffs.files.tariff_file import read_tariff_file
from tests.charging_day import (
    MORNING,
    PARTITIONS,
    Timed,
    at,
    declare_fleet,
    event201,
    everywhere,
    start16,
    stop16,
    write_log,
)
from tests.ledger.worker.test_worker import new_worker
from tests.projections.books_of_a_day import ask, replayed, tamper
from tests.projections.workers_in_turn import in_turn

ONE, TWO = "CS-OLD-1", "CS-NEW-1"
DAY = 24 * 60
# 2026-04-01 00:00 in Berlin is 22:00 UTC the day before: 29 days and 15 hours into the log.
MIDNIGHT = 29 * DAY + 15 * 60
TARIFF = """
tariff: DAY
currency: EUR
vat: 19 %
elements:
  - energy: 0.40 per kWh
    parking_time: 6.00 per h
adjustments:
  - {allowance: home, free: [energy], kwh_max: 50, members: residents}
  - {shared_cap: energy, amount: 9, on: [energy], per: day, shared_by: customer}
"""


@pytest.fixture
def fleet(database: str) -> str:
    """The fleet with a household of two cards and a tariff with an allowance; a log without use."""
    assert partition_of(ONE, partitions=PARTITIONS) != partition_of(TWO, partitions=PARTITIONS)
    declare_fleet(database)
    tariff, problems = read_tariff_file(TARIFF, "day.yaml")
    assert tariff is not None, problems
    resident = Token(customer="home", group="residents")
    changes = [
        Change(kind=Kind.TARIFF, key="DAY", entity=published(tariff), valid_from=MORNING),
        Change(kind=Kind.TOKEN, key="home1", entity=resident),
        Change(kind=Kind.TOKEN, key="home2", entity=resident),
        Change(kind=Kind.CUSTOMER, key="taxi", entity=Customer(details="Taxi Ltd")),
        Change(kind=Kind.TOKEN, key="taxi1", entity=Token(customer="taxi")),
        Change(kind=Kind.CUSTOMER, key="gate", entity=Customer(details="Gate Ltd")),
        Change(kind=Kind.TOKEN, key="gate1", entity=Token(customer="gate")),
    ]
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("SET search_path = books, inputs, persons")
        version = declare(connection, changes, by="test", at=MORNING)
    write_log(database, list(everywhere(version, 0)))
    return database


def charge(
    station: str, ref: int, token: str, kwh: int, *, minutes: float = 10, lasting: float = 60
) -> list[Timed]:
    if station == TWO:
        return [
            event201(station, minutes, "Started", str(ref), 0, 0, token=token),
            event201(station, minutes + lasting, "Ended", str(ref), 1, kwh * 1000),
        ]
    return [
        start16(station, minutes, ref, token, 0),
        stop16(station, minutes + lasting, ref, kwh * 1000),
    ]


def work(dsn: str, partitions: Iterable[int] = range(PARTITIONS), **options: Any) -> None:  # noqa: ANN401 - handed on
    for partition in partitions:
        with new_worker(dsn, partitions=[partition], **options) as worker:
            while worker.run_once():
                pass


def ask_all(dsn: str, query: str) -> list[tuple[Any, ...]]:
    with ask(dsn) as connection:
        return connection.execute(query.encode()).fetchall()


def nets(dsn: str) -> dict[str, int]:
    """Return what each session costs before taxes, by its transaction."""
    query = "SELECT split_part(session_id, '/', 2), sum(net_minor)::int FROM rated_line GROUP BY 1"
    return dict(ask_all(dsn, query))


def used(dsn: str, key: str = "allowance/home") -> list[tuple[str, Decimal]]:
    query = (
        "SELECT period, sum(used_wh) FROM allowance_use"
        f" WHERE key LIKE '%{key}%' GROUP BY period ORDER BY period"
    )
    return [tuple(row) for row in ask_all(dsn, query)]


def standings(dsn: str, key: str) -> list[tuple[int, int]]:
    """Return number and amount used before of every use of *key*."""
    query = f"SELECT number, before_minor FROM allowance_use WHERE key LIKE '%{key}' ORDER BY 1"
    return [tuple(row) for row in ask_all(dsn, query)]


HOUSEHOLD = [*charge(ONE, 1, "HOME1", 30), *charge(TWO, 2, "HOME2", 30)]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        pytest.param((0, 1), {"1": 0, "2": 400}, id="the first partition first"),
        pytest.param((1, 0), {"1": 400, "2": 0}, id="the other one first"),
    ],
)
def test_two_cards_of_a_household_share_fifty_kwh_over_two_partitions(
    fleet: str, *, order: tuple[int, int], expected: dict[str, int]
) -> None:
    write_log(fleet, HOUSEHOLD)
    first = partition_of(ONE, partitions=PARTITIONS)
    partitions = [first, 1 - first] if order == (0, 1) else [1 - first, first]

    work(fleet, partitions)

    assert nets(fleet) == expected
    assert used(fleet) == [("2026-03", Decimal(50_000))]
    report = replayed(fleet)
    assert report.is_identical, report.shown
    assert report.compared_by_kind["allowance use"] == 4


@pytest.mark.parametrize("is_reversed", [False, True])
def test_a_replay_finds_the_same_in_any_order_of_partitions(
    fleet: str, *, is_reversed: bool
) -> None:
    write_log(fleet, HOUSEHOLD)
    for n in range(5):
        write_log(fleet, charge(ONE, 10 + n, "HOME1", 4, minutes=100 + 70 * n))
    work(fleet, [1, 0])

    with PostgresEventLog(fleet) as log:
        report = check_replay(
            fleet,
            partial(refill_here, fleet, log, in_turn(is_reversed=is_reversed)),
            new_schema=lambda connection, schema: migrate.apply(connection, "books", schema=schema),
        )

    assert report.is_identical, report.shown


def test_a_month_ends_at_the_sites_midnight(fleet: str) -> None:
    write_log(fleet, charge(ONE, 1, "HOME1", 40))
    write_log(fleet, charge(TWO, 2, "HOME2", 40, minutes=MIDNIGHT - 60, lasting=120))

    work(fleet, [1, 0])

    assert used(fleet) == [("2026-03", Decimal(50_000)), ("2026-04", Decimal(20_000))]
    assert nets(fleet) == {"1": 0, "2": 400}
    assert replayed(fleet).is_identical


def test_a_session_that_is_rated_late_uses_what_its_own_month_left(fleet: str) -> None:
    begun = start16(ONE, 10, 1, "HOME1", 0)
    late = stop16(ONE, 70, 1, 45_000, received=MIDNIGHT + 100)
    write_log(fleet, [begun, *charge(TWO, 2, "HOME2", 10, minutes=100)])
    work(fleet)
    write_log(fleet, [*charge(TWO, 3, "HOME2", 20, minutes=MIDNIGHT + 10), late])
    work(fleet)

    assert used(fleet) == [("2026-03", Decimal(50_000)), ("2026-04", Decimal(20_000))]
    assert nets(fleet) == {"1": 200, "2": 0, "3": 0}
    assert replayed(fleet).is_identical


def test_a_days_cap_counts_what_the_customer_paid_elsewhere(fleet: str) -> None:
    write_log(fleet, [*charge(ONE, 1, "FLEET1", 20), *charge(TWO, 2, "FLEET1", 20)])

    work(fleet)

    assert sum(nets(fleet).values()) == 900
    assert replayed(fleet).is_identical


def test_workers_that_run_at_once_never_give_more_than_there_is(fleet: str) -> None:
    lines: list[Timed] = []
    for n in range(40):
        tokens = ("HOME1", "FLEET1") if n % 2 else ("FLEET1", "HOME2")
        lines += charge(ONE, 100 + n, tokens[0], 2, minutes=10 + 70 * n)
        lines += charge(TWO, 200 + n, tokens[1], 2, minutes=10 + 70 * n)
    write_log(fleet, sorted(lines, key=lambda timed: timed[0]))

    threads = [threading.Thread(target=work, args=(fleet, [number])) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(nets(fleet)) == 80
    assert used(fleet) == [("2026-03", Decimal(50_000))]
    [(numbers, last)] = ask_all(
        fleet, "SELECT count(*), max(number) FROM allowance_use WHERE key LIKE '%allowance/home%'"
    )
    assert numbers == last == 40
    report = replayed(fleet)
    assert report.is_identical, report.shown


def write_opposed(dsn: str, *tokens: str) -> None:
    """Log a session of each token at both stations, in the opposite order at the second."""
    lines: list[Timed] = []
    for n, (one, two) in enumerate(zip(tokens, reversed(tokens), strict=True)):
        lines += charge(ONE, 100 + n, one, 2, minutes=10 + 70 * n)
        lines += charge(TWO, 200 + n, two, 2, minutes=10 + 70 * n)
    write_log(dsn, sorted(lines, key=lambda timed: timed[0]), lines_a_record=1)


WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
WAITING_ALONE = "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'ShareRowExclusiveLock'"
DEADLOCKS = "SELECT sum(deadlocks)::int FROM pg_stat_database WHERE TRUE"


def await_count(dsn: str, query: str, count: int) -> None:
    """Return when *query* counts *count* things of this database."""
    here = f"{query} AND {'database' if 'pg_locks' in query else 'datid'} = ("
    here += "SELECT oid FROM pg_database WHERE datname = current_database())"
    until = monotonic() + 60
    with ask(dsn) as connection:
        while connection.execute(here.encode()).fetchone() != (count,):
            assert monotonic() < until, query
            sleep(0.01)


@contextmanager
def holder(dsn: str, whose: str) -> Iterator[psycopg.Connection[Any]]:
    """Yield a connection that holds a key of the day's cap until it rolls back."""
    with psycopg.connect(dsn) as connection:
        connection.execute("SET search_path = books")
        key = f"DAY/cap/energy/{whose}"
        head = "INSERT INTO allowance_head VALUES (%s, '2026-03-02', 0, 0, 0, 0, 0)"
        connection.execute(head, (key,))
        yield connection


def test_workers_that_wait_for_each_other_rate_everything_once(
    fleet: str, caplog: pytest.LogCaptureFixture
) -> None:
    # Each needs the other's first key for its last session; in between it is held at a gate, so
    # that neither comes to its last before both have their first.
    write_opposed(fleet, "FLEET1", "GATE1", "TAXI1")
    threads = [
        threading.Thread(target=work, args=(fleet, [number]), kwargs={"group_seconds": 600})
        for number in range(PARTITIONS)
    ]
    with holder(fleet, "customer:gate") as gate:
        for thread in threads:
            thread.start()
        await_count(fleet, WAITING, PARTITIONS)
        gate.rollback()
    for thread in threads:
        thread.join()

    assert [record.message.split(" at ")[0] for record in caplog.records] == ["DeadlockDetected"]
    await_count(fleet, DEADLOCKS, 1)
    assert len(nets(fleet)) == 6
    for customer in ("fleet", "gate", "taxi"):
        assert standings(fleet, f"cap/energy/customer:{customer}") == [(1, 0), (2, 80)], customer
    report = replayed(fleet)
    assert report.is_identical, report.shown


def test_a_group_that_lost_a_lock_goes_alone(fleet: str, caplog: pytest.LogCaptureFixture) -> None:
    # Alone it holds every key before it needs the first: it cannot lose again, whoever else works.
    write_opposed(fleet, "TAXI1", "FLEET1")
    impatient = make_conninfo(fleet, options="-c lock_timeout=50ms")
    with holder(fleet, "customer:fleet") as rival:
        worker = threading.Thread(target=work, args=(impatient,))
        worker.start()
        await_count(fleet, WAITING_ALONE, 1)
        rival.rollback()
        worker.join()

    assert {record.message.split(" at ")[0] for record in caplog.records} == {"LockNotAvailable"}
    assert len(nets(fleet)) == 4
    assert replayed(fleet).is_identical


def test_a_worker_that_was_replaced_while_it_lost_a_lock_is_fenced(fleet: str) -> None:
    write_opposed(fleet, "TAXI1", "FLEET1")
    first = partition_of(ONE, partitions=PARTITIONS)
    impatient = make_conninfo(fleet, options="-c lock_timeout=50ms")
    with (
        holder(fleet, "customer:fleet") as rival,
        new_worker(impatient, partitions=[first]) as worker,
    ):
        moved = threading.Thread(target=take_over, args=(rival, fleet, first))
        moved.start()
        with pytest.raises(FencedError):
            worker.run_once()
        moved.join()


def take_over(rival: psycopg.Connection[Any], dsn: str, partition: int) -> None:
    """Move the partition on as another worker, while the first one waits; then release the key."""
    await_count(dsn, WAITING_ALONE, 1)
    with psycopg.connect(dsn) as connection:
        connection.execute("SET search_path = books")
        connection.execute(
            "UPDATE worker_position SET next_position = next_position + 1 WHERE partition = %s",
            (partition,),
        )
    rival.rollback()


@pytest.mark.parametrize(
    ("what", "statement"),
    [
        pytest.param(
            {"allowance sum", "allowance use"},
            "UPDATE allowance_use SET before_wh = before_wh + 1 WHERE number = 2"
            " AND key LIKE '%allowance%'",
            id="another standing in the table",
        ),
        pytest.param(
            {"allowance sum", "allowance use", "decision"},
            "DELETE FROM allowance_use WHERE number = 1 AND key LIKE '%allowance%'",
            id="a use that is gone",
        ),
    ],
)
def test_a_changed_standing_is_found(fleet: str, *, what: set[str], statement: str) -> None:
    write_log(fleet, HOUSEHOLD)
    work(fleet)
    tamper(fleet, statement)

    report = replayed(fleet)

    assert not report.is_identical
    assert {each.what for each in report.shown} <= what
    assert "allowance sum" in {each.what for each in report.shown}


def test_the_month_of_the_log_is_march() -> None:
    assert f"{at(MIDNIGHT):%Y-%m-%dT%H}" == "2026-03-31T22"
