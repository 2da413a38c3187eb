"""Whatever bytes a codec accepts: the worker lives, and the neighbours' sessions are right."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from itertools import count

import psycopg
import pytest

from ingest.rpc import codec
from ledger.asides.stored import listed_asides
from ledger.database import connect
from ledger.log.envelope import Frame
from projections.balances.energy import energy_balance
from tests.at_the_edge import sealed
from tests.charging_day import (
    STATIONS,
    Timed,
    at,
    declare_fleet,
    event201,
    everywhere,
    meter16,
    start16,
    stop16,
    tick,
    write_log,
)  # fmt: skip
from tests.faults.broken_books import is_identical, rows, work
from tests.faults.hostile_frames import HostileFrames

BAD = ("CS-OLD-1", "CS-NEW-1")
SECONDS_APART = 10
"""Between two frames: a station of 1.6 that is as busy as that has a session every few minutes."""
A_ROUND = 250


def hostile(seed: int, frames: int) -> Iterator[Timed]:
    """Yield what two hostile stations say in *frames* frames, each as the edge logs it."""
    moment = [at(0)]
    speakers = {
        name: HostileFrames(seed + n, STATIONS[name], now=lambda: f"{moment[0]:%Y-%m-%dT%H:%M:%SZ}")
        for n, name in enumerate(BAD)
    }
    ids = count(1000)
    for number in range(frames):
        moment[0] = at(0) + timedelta(seconds=number * SECONDS_APART)
        station = BAD[number % 2]
        raw = speakers[station].frame()
        text = codec.text_of(raw)
        reply = '[3,"1",{}]'
        try:
            message = codec.parse(raw if text.isascii() else text.encode())
        except codec.FrameError:
            reply = '[4,"-1","FormationViolation","",{}]'
        else:
            if getattr(message, "action", "") == "StartTransaction":
                reply = f'[3,"1",{{"transactionId":{next(ids)}}}]'
        line = Frame(
            received_at=moment[0], station=station, protocol=STATIONS[station], epoch=1,
            frame=text, reply=reply,
        )  # fmt: skip
        yield moment[0], station, sealed(line)


def good(rounds: int) -> Iterator[Timed]:
    """Yield a session of a good station of each protocol, *rounds* times."""
    for number in range(rounds):
        begins = number * A_ROUND * SECONDS_APART / 60
        start_wh, reference = number * 6000, 50_000 + number
        yield start16("CS-OLD-2", begins + 1, reference, "FLEET1", start_wh)
        yield meter16("CS-OLD-2", begins + 5, reference, start_wh + 1000)
        yield stop16("CS-OLD-2", begins + 20, reference, start_wh + 5000)
        named = f"G{number}"
        yield event201("CS-NEW-2", begins + 1, "Started", named, 0, start_wh, token="FLEET1")
        yield event201("CS-NEW-2", begins + 20, "Ended", named, 1, start_wh + 5000)


def check(dsn: str, seed: int, frames: int) -> str:
    """Let a worker take *frames* hostile frames between good ones; say what came of it."""
    rounds = max(frames // A_ROUND, 1)
    version, minutes = declare_fleet(dsn), frames * SECONDS_APART / 60
    write_log(dsn, list(everywhere(version, -1)))
    lines = [*good(rounds), *hostile(seed, frames), *tick(minutes + 5000)]
    for hour in range(0, int(minutes), 60):
        lines += tick(hour)
    lines.sort(key=lambda timed: timed[0])
    write_log(dsn, lines, lines_a_record=20)
    began = time.process_time()
    work(dsn)
    seconds = time.process_time() - began

    found = Counter(
        rows(
            dsn,
            "SELECT station_id, state, energy_wh FROM session"
            " WHERE station_id IN ('CS-OLD-2', 'CS-NEW-2')",
        )
    )
    assert found == {
        ("CS-OLD-2", "rated", Decimal(5000)): rounds,
        ("CS-NEW-2", "rated", Decimal(5000)): rounds,
    }
    with connect(dsn) as connection:
        asides = listed_asides(connection)
        balance = energy_balance(connection)
    assert [(each.station_id, each.reason, each.why) for each in asides] == []
    off = [day for day in balance.days if day.difference_wh]
    assert off == []
    unrated = rows(dsn, "SELECT count(*) FROM session WHERE 'rating_failed' = ANY (reasons)")
    assert unrated == [(0,)]
    sessions = rows(dsn, "SELECT state, count(*) FROM session GROUP BY 1 ORDER BY 1")
    return f"{frames} hostile frames: {dict(sessions)}, worker {seconds:.1f} CPU s"


@pytest.mark.timeout(300)
def test_two_thousand_hostile_frames_stop_nobody(database: str) -> None:
    check(database, 1, 2_000)

    assert is_identical(database)


@pytest.mark.slow
@pytest.mark.timeout(2_400)
def test_a_hundred_thousand_hostile_frames_stop_nobody(
    database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = check(database, 2, 100_000)

    with capsys.disabled():
        print(f"\n{said}")  # noqa: T201 - the measure is what make fuzz is asked for
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM books.line_set_aside").fetchone() == (0,)
