"""The energy that is kept up is what a count of all facts comes to, whatever came and when."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import date
from typing import Any

import msgspec
import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from ingest.facts.translate import translate
from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import Declarations, Kind
from ledger.declared.store import declare, load_declarations
from ledger.invoices.invoicer import Invoicer
from ledger.log.postgres import PostgresEventLog
from ledger.master_data.sites import Site
from ledger.worker.worker import Worker
from projections.balances.energy import EnergyDay, energy_balance
from projections.energy.keeper import EnergyKeeper
from projections.energy.kept_balance import differences, kept_balance
from projections.energy.recount import recounted_books
from tests.charging_day import (
    PARTITIONS,
    Timed,
    at,
    choose,
    declare_day,
    declare_fleet,
    event201,
    everywhere,
    meter16,
    start16,
    status16,
    stop16,
    tick,
    write_log,
)
from tests.ledger.worker.test_worker_chance import (
    day_of_one_id,
    day_of_quick_ids,
    disturbed,
    disturbed_day,
)
from tests.projections.books_of_a_day import books_of_a_day, go_on
from tests.projections.test_shared_state import TARIFF

ALL = 1_000_000


def days_of_rest(version: int, chance: random.Random) -> list[Timed]:
    """Return some days of two stations that rest between sessions, disturbed now and then."""
    said: list[Timed] = []
    registers = {("CS-OLD-1", 1): 1_000, ("CS-OLD-1", 2): 80_000, ("CS-NEW-1", 1): 5_000}
    minute = 0.0
    for number in range(30):
        station, place = chance.choice([*registers, ("CS-OLD-1", 1)])
        register, begin = registers[station, place], minute
        length, rise = chance.choice([20, 40, 90]), chance.choice([0, 700, 4_000])
        if station == "CS-NEW-1":
            name = f"T{number}"
            said.append(event201(station, begin, "Started", name, 0, register, token="FLEET1"))
            said.append(event201(station, begin + 9, "Updated", name, 1, register + rise // 2))
            said.append(event201(station, begin + length, "Ended", name, 2, register + rise))
        else:
            ref = number + 100
            said.append(start16(station, begin, ref, "BEARER1", register, connector=place))
            said.append(meter16(station, begin + 9, ref, register + rise // 2, connector=place))
            said.append(stop16(station, begin + length, ref, register + rise))
            said.append(status16(station, begin + length + 1, "Available", connector=place))
        registers[station, place] = register + rise + chance.choice([0, 0, 0, 30])
        if chance.random() < 0.2:
            loose = registers[station, place] + chance.choice([0, 10])
            if station == "CS-OLD-1":
                said.append(meter16(station, begin + length + 30, -1, loose, connector=place))
        minute += length + chance.choice([35, 60, 200, 900])
    if chance.random() < 0.7:
        return sorted([*everywhere(version, -1), *said, *tick(9_000)], key=lambda each: each[0])
    return disturbed([*everywhere(version, -1)], said, chance)


MAKERS = (days_of_rest, disturbed_day, day_of_one_id, day_of_quick_ids)


def off(connection: psycopg.Connection[Any]) -> list[object]:
    """Return what was not kept as it is counted."""
    kept = kept_balance(connection, limit=ALL)
    counted = energy_balance(connection)
    found: list[object] = [*differences(kept, counted)]
    if kept.total != counted.total:
        found.append((kept.total, counted.total))
    return found


def work_and_look(dsn: str, chance: random.Random) -> None:
    """Take records in any groups; look at stations now and then, and compare."""
    partitions = range(PARTITIONS)
    with PostgresEventLog(dsn) as log, connect(dsn) as connection:
        keeper = EnergyKeeper(connection, sessions_min=chance.choice([1, 2, 5]))
        done = 1
        while done:
            with Worker(
                dsn,
                log=log,
                partitions=partitions,
                translate=translate,
                group_records=chance.choice([1, 2, 5, 20]),
            ) as worker:
                for _ in range(chance.randrange(1, 4)):
                    done = worker.run_once()
            if chance.random() < 0.3:
                with closing(Invoicer(dsn, log)) as invoicer:
                    invoicer.run_once()
            if chance.random() < 0.6:
                keeper.take_in()
                assert off(connection) == []
        keeper.take_in()
        assert off(connection) == []


def kept_days(dsn: str, seed: int) -> None:
    chance = random.Random(seed)
    declare_fleet(dsn)
    version = declare_day(dsn, TARIFF)
    day = MAKERS[seed % len(MAKERS)](version, chance)
    write_log(dsn, day, lines_a_record=chance.choice([1, 2, 5, 20]))
    work_and_look(dsn, chance)


@pytest.mark.parametrize("seed", range(8))
def test_what_is_kept_is_what_is_counted(database: str, seed: int) -> None:
    kept_days(database, seed)


def chapters(connection: psycopg.Connection[Any], station_id: str) -> int:
    [(count,)] = connection.execute(
        "SELECT count(*) FROM energy_chapter WHERE station_id = %s", (station_id,)
    ).fetchall()
    return int(count)


def site_of(known: Declarations, station_id: str) -> tuple[str, Site]:
    station = known.station(station_id, at(0))
    assert station is not None
    site = known.site(station.site, at(0))
    assert site is not None
    return station.site, site


def held_and_written_off(connection: psycopg.Connection[Any]) -> tuple[int, int]:
    total: EnergyDay = kept_balance(connection, station_id="CS-OLD-1", limit=ALL).total
    return int(total.held_for_decision_wh), int(total.written_off_wh)


def visits(number: int, *, first: int = 0, held: Sequence[int] = ()) -> list[Timed]:
    """Return visits at CS-OLD-1, five hours apart; the *held* ones have an unknown token."""
    said: list[Timed] = []
    for each in range(first, first + number):
        minute, ref = 1_000.0 + 300 * each, 1_000 + each
        token = "NOBODY" if each in held else "FLEET1"
        said.append(start16("CS-OLD-1", minute, ref, token, 10_000 + 1_000 * each))
        said.append(stop16("CS-OLD-1", minute + 60, ref, 10_600 + 1_000 * each))
    return said


@pytest.fixture
def settled(database: str) -> Iterator[tuple[str, psycopg.Connection[Any], EnergyKeeper]]:
    """Books with some settled chapters of CS-OLD-1."""
    books_of_a_day(database)
    with connect(database) as connection:
        keeper = EnergyKeeper(connection, sessions_min=3)
        for first in range(0, 24, 4):
            go_on(database, [*visits(4, first=first, held=[5]), *tick(2_260 + 300 * first)])
            keeper.take_in()
        assert chapters(connection, "CS-OLD-1") == 6
        yield database, connection, keeper


def test_a_frame_of_long_ago_opens_what_is_settled_once(
    settled: tuple[str, psycopg.Connection[Any], EnergyKeeper],
) -> None:
    dsn, connection, keeper = settled
    late = meter16("CS-OLD-1", 1_000 + 300 * 9 + 30, 1_009, 19_300)
    received = at(20_000)
    go_on(dsn, [(received, late[1], msgspec.structs.replace(late[2], received_at=received))])
    keeper.take_in()

    assert off(connection) == []
    assert chapters(connection, "CS-OLD-1") == 2

    for first in (100, 101):  # and is settled behind it, as one
        go_on(dsn, [*visits(1, first=first), *tick(1_300 + 300 * first)])
        keeper.take_in()
    assert off(connection) == []
    assert chapters(connection, "CS-OLD-1") == 3


def test_a_person_s_word_opens_nothing_and_moves_the_energy(
    settled: tuple[str, psycopg.Connection[Any], EnergyKeeper],
) -> None:
    dsn, connection, keeper = settled
    [(held,)] = connection.execute(
        "SELECT session_id FROM session WHERE state = 'held' AND transaction_ref = '1005'"
    ).fetchall()
    before = held_and_written_off(connection)
    go_on(dsn, [choose(held, "write_off", 20_000)])
    keeper.take_in()

    assert (before, held_and_written_off(connection)) == ((600, 0), (0, 600))
    assert off(connection) == []
    assert chapters(connection, "CS-OLD-1") == 6


def test_master_data_that_moves_days_moves_them_all(
    settled: tuple[str, psycopg.Connection[Any], EnergyKeeper],
) -> None:
    _, connection, keeper = settled
    key, site = site_of(load_declarations(connection), "CS-OLD-1")
    moved = msgspec.structs.replace(site, time_zone="Pacific/Kiritimati")
    change = Change(kind=Kind.SITE, key=key, entity=moved, valid_from=at(-10_000))
    declare(connection, [change], by="test", at=at(20_000))
    keeper.take_in()

    assert off(connection) == []
    days = kept_balance(connection, station_id="CS-OLD-1", limit=ALL).days
    assert (min(day.day for day in days if day.day), len(days)) == (date(2026, 3, 2), 7)


def test_a_count_that_is_killed_is_still_to_be_done(
    settled: tuple[str, psycopg.Connection[Any], EnergyKeeper], monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn, connection, keeper = settled
    go_on(dsn, [*visits(1, first=30), *tick(12_000)])
    before = kept_balance(connection, limit=ALL)
    assert keeper.has_news("CS-OLD-1")

    with monkeypatch.context() as patch:
        patch.setattr("projections.energy.tables.StationTables.sum_up", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            keeper.take_in()
    assert keeper.has_news("CS-OLD-1")
    assert kept_balance(connection, limit=ALL) == before

    keeper.take_in()
    assert not keeper.has_news("CS-OLD-1")
    assert off(connection) == []


def test_what_is_asked_for_is_added_up_by_months_and_days(
    settled: tuple[str, psycopg.Connection[Any], EnergyKeeper],
) -> None:
    _, connection, _ = settled
    dates = [
        None,
        date.min,
        date(2026, 2, 1),
        date(2026, 3, 1),
        date(2026, 3, 4),
        date(2026, 3, 31),
    ]
    for first in dates:
        for last in [*dates, date(2026, 3, 5), date(2026, 4, 1), date.max]:
            kept = kept_balance(connection, first_day=first, last_day=last, limit=ALL)
            counted = energy_balance(connection, first_day=first, last_day=last)
            assert kept.total == counted.total, (first, last)
            assert kept.day_count == len(kept.days)


@pytest.mark.parametrize("table", ["energy_day", "energy_month", "energy_total"])
def test_a_recount_finds_an_energy_sum_that_was_changed(
    settled: tuple[str, psycopg.Connection[Any], EnergyKeeper], table: str
) -> None:
    _, connection, _ = settled
    assert recounted_books(connection, "CS-OLD-1").agrees
    connection.execute(
        SQL("UPDATE {} SET billed_wh = billed_wh + 1 WHERE station_id = 'CS-OLD-1'").format(
            Identifier(table)
        )
    )
    assert recounted_books(connection, "CS-OLD-1").days


def test_of_many_days_the_newest_are_listed(
    settled: tuple[str, psycopg.Connection[Any], EnergyKeeper],
) -> None:
    _, connection, _ = settled
    some, every = (kept_balance(connection, limit=limit) for limit in (2, ALL))

    assert some.total == every.total
    assert (len(some.days), some.day_count) == (2, len(every.days))
    newest = sorted((day.day for day in every.days if day.day), reverse=True)[:2]
    assert sorted((day.day for day in some.days if day.day), reverse=True) == newest
