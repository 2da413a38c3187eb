"""Whatever stations send, in whatever order: grouping, restarts and sharing change no byte."""

from __future__ import annotations

import random
from datetime import timedelta

import msgspec
import psycopg
import pytest

from deploy.postgres import migrate
from ingest.facts.translate import translate
from ledger.log.envelope import Validation
from ledger.worker.worker import Worker
from tests.charging_day import (
    PARTITIONS,
    Timed,
    at,
    charging_day,
    choose,
    declare_fleet,
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
            with Worker(
                dsn,
                partitions=[partition],
                translate=translate,
                schema=schema,
                group_records=records,
            ) as one:
                done = one.run_once()


@pytest.mark.parametrize("seed", [10, 16, 20, 26, 117])
def test_a_disturbed_day_comes_out_the_same_however_it_is_worked_off(
    database: str, seed: int
) -> None:
    chance = random.Random(seed)
    day = disturbed_day(declare_fleet(database), chance)
    write_log(database, day, lines_a_record=chance.choice([1, 2, 5, 20]))
    with psycopg.connect(database) as connection:
        migrate.apply(connection, "books", schema="singly")
        migrate.apply(connection, "books", schema="restarted")

    work(database)
    work(database, schema="singly", group_records=1)
    restarted(database, "restarted", chance)

    assert max(timed[0] for timed in day) >= at(2_200)
    assert consequences(database, "singly") == consequences(database)
    assert consequences(database, "restarted") == consequences(database)
