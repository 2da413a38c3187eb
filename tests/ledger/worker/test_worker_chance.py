"""Whatever stations send, in whatever order: grouping, restarts and sharing change no byte."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta

import msgspec
import psycopg
import pytest

from deploy.postgres import migrate
from ingest.facts.translate import translate
from ledger.log.envelope import Validation
from ledger.log.postgres import PostgresEventLog
from ledger.worker.worker import Worker
from tests.charging_day import (
    PARTITIONS,
    Timed,
    at,
    charging_day,
    choose,
    declare_fleet,
    event201,
    everywhere,
    meter16,
    start16,
    stop16,
    tick,
    write_log,
)
from tests.ledger.worker.test_worker import consequences, work

CHOSEN = (
    "CS-NEW-2/B/20260302T071000Z",
    "CS-OLD-2/22/20260302T082000Z",
    "CS-OLD-2/21/no-start",
    "CS-OLD-1/12/20260302T070200Z",
    "CS-NEW-1/A/no-start",
)


def disturbed_day(version: int, chance: random.Random) -> list[Timed]:
    """Return the charging day with lines lost, repeated and late, with choices and codes shown."""
    day = charging_day(version)
    declared, day = day[:PARTITIONS], [timed for timed in day[PARTITIONS:] if chance.random() < 0.9]
    day += [timed for timed in day if chance.random() < 0.15]
    late = chance.choice([0, 5, 30, 400])
    lines = []
    for received_at, station, line in day:
        moved = received_at + timedelta(minutes=chance.uniform(0, late))
        lines.append((moved, station, msgspec.structs.replace(line, received_at=moved)))
    for _ in range(chance.randrange(6)):
        choice = chance.choice(["release", "write_off"])
        lines.append(choose(chance.choice(CHOSEN), choice, chance.uniform(100, 2_000)))
    lines += [validate(chance) for _ in range(chance.randrange(5))]
    for minutes in (500, 700, 1_300, 2_200):
        lines += tick(minutes)
    return [*declared, *sorted(lines, key=lambda timed: timed[0])]


def day_of_quick_ids(version: int, chance: random.Random) -> list[Timed]:
    """Return a day of a station that uses one id for whatever comes next, at two EVSEs."""
    said: list[Timed] = []
    minute, registers = 0.0, {1: 1_000, 2: 50_000}
    for _ in range(12):
        evse, token = chance.choice([1, 1, 1, 2]), chance.choice(["FLEET1", "BEARER1", "HOME1"])
        length = chance.choice([0, 0.2, 0.5, 3, 15, 40])
        begin, end = registers[evse], registers[evse] + round(100 * length)
        named = chance.choice([evse, evse, None])
        lies = chance.choice([0, 0, 0, 1, 2])
        seq = chance.choice([0, 0, 0, 7])
        started = event201("CS-NEW-1", minute, "Started", "Q", seq, begin, token=token, evse=evse)
        ended = minute + length
        said += [started] * (2 if lies == 1 else 1)
        middle = minute + length / 2
        said.append(event201("CS-NEW-1", middle, "Updated", "Q", seq + 1, begin + 10, evse=named))
        said.append(event201("CS-NEW-1", ended, "Ended", "Q", seq + 2, end, evse=named))
        if lies == 2:
            said.append(event201("CS-NEW-1", ended, "Ended", "Q", seq + 2, end + 50, evse=named))
        registers[evse] = end if chance.random() < 0.8 else end - 300
        minute += chance.choice([0, 0, 1 / 60, 0.4, 1, 5, length, length, length, length + 0.3])
    return disturbed([*everywhere(version, -1)], said, chance)


def day_of_one_id(version: int, chance: random.Random) -> list[Timed]:
    """Return a day of two stations that start one id again and again, disturbed in the same way."""
    lines: list[Timed] = [*everywhere(version, -1)]
    said: list[Timed] = []
    for number in range(10):
        begins, register = 25.0 * number, 1_000 + 900 * number
        for at_minute, kind, seq in ((0, "Started", 0), (8, "Updated", 1), (15, "Ended", 2)):
            minute, wh = begins + at_minute, register + 50 * at_minute
            token = "FLEET1" if kind == "Started" else None
            said.append(event201("CS-NEW-1", minute, kind, "R", seq, wh, token=token))
        said.append(start16("CS-OLD-1", begins, 7, "FLEET1", register))
        said.append(meter16("CS-OLD-1", begins + 9, chance.choice([7, -1, 99]), register + 400))
        said.append(stop16("CS-OLD-1", begins + 15, chance.choice([7, 7, -1]), register + 700))
    return disturbed(lines, said, chance)


def disturbed(lines: list[Timed], said: list[Timed], chance: random.Random) -> list[Timed]:
    """Return *lines* with what was *said*, of it some lost, repeated and late, and with ticks."""
    said = [timed for timed in said if chance.random() < 0.9]
    said += [timed for timed in said if chance.random() < 0.15]
    late = chance.choice([0, 5, 30, 400])
    for received_at, station, line in said:
        moved = received_at + timedelta(minutes=chance.uniform(0, late))
        lines.append((moved, station, msgspec.structs.replace(line, received_at=moved)))
    for minutes in (120, 300, 500, 1_300, 2_200):
        lines += tick(minutes)
    return sorted(lines, key=lambda timed: timed[0])


def validate(chance: random.Random) -> Timed:
    """Return the line of a code shown for a session, or for a token that may have one."""
    moment, session_id = at(chance.uniform(0, 300)), chance.choice(CHOSEN)
    by_token = chance.random() < 0.5
    line = Validation(
        received_at=moment,
        station=session_id.split("/", 1)[0],
        code=chance.choice(["STAMP", "STAY-1"]),
        by="desk",
        session_id=None if by_token else session_id,
        token=chance.choice(["FLEET1", "BEARER1"]) if by_token else None,
    )
    return moment, line.station, line


def restarted(dsn: str, schema: str, chance: random.Random) -> None:
    """Work through the log with a new worker for every few records, each partition by itself."""
    for partition in reversed(range(PARTITIONS)):
        done = 1
        while done:
            records = chance.choice([1, 2, 3])
            with (
                PostgresEventLog(dsn) as log,
                Worker(
                    dsn,
                    log=log,
                    partitions=[partition],
                    translate=translate,
                    schema=schema,
                    group_records=records,
                ) as one,
            ):
                done = one.run_once()


@pytest.mark.parametrize("seed", [10, 16, 20, 26, 117])
def test_a_disturbed_day_comes_out_the_same_however_it_is_worked_off(
    database: str, seed: int
) -> None:
    chance = random.Random(seed)
    day = disturbed_day(declare_fleet(database), chance)
    assert_same_however_worked_off(database, day, chance)


@pytest.mark.parametrize("seed", [4, 20, 97, 168, 170, 208, 212])
def test_an_id_that_is_started_again_and_again_comes_out_the_same(database: str, seed: int) -> None:
    chance = random.Random(seed)
    day = day_of_one_id(declare_fleet(database), chance)
    assert_same_however_worked_off(database, day, chance)


@pytest.mark.parametrize("seed", range(6))
def test_an_id_that_is_used_again_at_once_comes_out_the_same(database: str, seed: int) -> None:
    chance = random.Random(seed)
    day = day_of_quick_ids(declare_fleet(database), chance)
    assert_same_however_worked_off(database, day, chance)


@pytest.mark.slow
@pytest.mark.parametrize("make", [disturbed_day, day_of_one_id, day_of_quick_ids])
@pytest.mark.parametrize("seed", range(1000, 1100))
def test_many_days_come_out_the_same_however_they_are_worked_off(
    database: str, make: Callable[[int, random.Random], list[Timed]], seed: int
) -> None:
    chance = random.Random(seed)
    assert_same_however_worked_off(database, make(declare_fleet(database), chance), chance)


def assert_same_however_worked_off(database: str, day: list[Timed], chance: random.Random) -> None:
    """Work *day* off at once, record by record, with restarts, and with every start folded.

    Every consequence is the same.
    """
    write_log(database, day, lines_a_record=chance.choice([1, 2, 5, 20]))
    with psycopg.connect(database) as connection:
        migrate.apply(connection, "books", schema="singly")
        migrate.apply(connection, "books", schema="restarted")
        migrate.apply(connection, "books", schema="folded")

    work(database)
    work(database, schema="singly", group_records=1)
    restarted(database, "restarted", chance)
    with pytest.MonkeyPatch.context() as patching:
        patching.setattr("ledger.worker.judging.judge.first_start", lambda *_: None)
        work(database, schema="folded", group_records=1)

    assert max(timed[0] for timed in day) >= at(2_200)
    assert consequences(database, "singly") == consequences(database)
    assert consequences(database, "restarted") == consequences(database)
    assert consequences(database, "folded") == consequences(database)
