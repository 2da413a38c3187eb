"""Whatever bytes a codec accepts: the worker lives, and the neighbours' sessions are right."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import NamedTuple

import pytest

from ingest.rpc import codec
from ledger.asides.stored import listed_asides
from ledger.database import connect
from ledger.log.envelope import Frame
from projections.balances.energy import energy_balance
from tests.at_the_edge import sealed
from tests.charging_day import (
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
from tests.hostile.hostile_frames import HostileFrames
from tests.hostile.hostile_parts import Progress, chosen_parts, seed_of

# One changes its version at every other frame.
BAD = (("CS-OLD-1", "ocpp1.6"), ("CS-NEW-1", "ocpp2.0.1"), ("CS-NEW-1", "ocpp2.1"))
SECONDS_APART = 10
"""Between two frames: a station of 1.6 that is as busy as that has a session every few minutes."""
A_ROUND = 250
AFTERWARDS = 5_000
"""Minutes after which nothing waits for another frame."""
PARTS, A_PART = 50, 2_000


class Part(NamedTuple):
    """One part of a long run, and when it begins: *frames* hostile ones between good ones."""

    number: int
    frames: int

    @property
    def minutes(self) -> float:
        """How long its frames take."""
        return self.frames * SECONDS_APART / 60

    @property
    def begins(self) -> float:
        """Its first minute."""
        return (self.number - 1) * (self.minutes + AFTERWARDS)

    @property
    def rounds(self) -> int:
        """How many sessions each good station has in it."""
        return max(self.frames // A_ROUND, 1)


def hostile(part: Part) -> Iterator[Timed]:
    """Yield what two hostile stations say in *part*, each frame as the edge logs it."""
    moment = [at(part.begins)]
    speakers = [
        HostileFrames(
            seed_of(part.number) + n, protocol, now=lambda: f"{moment[0]:%Y-%m-%dT%H:%M:%SZ}"
        )
        for n, (_, protocol) in enumerate(BAD)
    ]
    ids = count(1000 + part.number * part.frames)
    for number in range(part.frames):
        moment[0] = at(part.begins) + timedelta(seconds=number * SECONDS_APART)
        station, protocol = BAD[number % len(BAD)]
        raw = speakers[number % len(BAD)].frame()
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
            received_at=moment[0], station=station, protocol=protocol, epoch=1,
            frame=text, reply=reply,
        )  # fmt: skip
        yield moment[0], station, sealed(line)


def good(part: Part) -> Iterator[Timed]:
    """Yield the sessions of a good station of each protocol."""
    for number in range(part.rounds):
        begins = part.begins + number * A_ROUND * SECONDS_APART / 60
        reference = part.number * part.frames + number
        start_wh = reference * 6000
        yield start16("CS-OLD-2", begins + 1, reference, "FLEET1", start_wh)
        yield meter16("CS-OLD-2", begins + 5, reference, start_wh + 1000)
        yield stop16("CS-OLD-2", begins + 20, reference, start_wh + 5000)
        named = f"G{reference}"
        yield event201("CS-NEW-2", begins + 1, "Started", named, 0, start_wh, token="FLEET1")
        yield event201("CS-NEW-2", begins + 20, "Ended", named, 1, start_wh + 5000)


def play(dsn: str, part: Part, *, rounds_before: int = 0) -> str:
    """Let a worker take the lines of *part*; check what must hold, and say what came of it."""
    lines = [*good(part), *hostile(part)]
    for hour in range(0, int(part.minutes), 60):
        lines += tick(part.begins + hour)
    lines += tick(part.begins + part.minutes + AFTERWARDS - 1)
    lines.sort(key=lambda timed: timed[0])
    write_log(dsn, lines, lines_a_record=20)
    began = time.process_time()
    work(dsn)
    seconds = time.process_time() - began

    assert_neighbours_are_right(dsn, rounds_before + part.rounds)
    with connect(dsn) as connection:
        asides = listed_asides(connection)
        balance = energy_balance(connection)
    assert [(each.station_id, each.reason, each.why) for each in asides] == []
    off = [day for day in balance.days if day.difference_wh]
    assert off == []
    unrated = rows(dsn, "SELECT count(*) FROM session WHERE 'rating_failed' = ANY (reasons)")
    assert unrated == [(0,)]
    sessions = rows(dsn, "SELECT state, count(*) FROM session GROUP BY 1 ORDER BY 1")
    said = ", ".join(f"{number} {state}" for state, number in sessions)
    return f"{part.frames} frames, worker {1000 * seconds / part.frames:.2f} CPU ms each, {said}"


def assert_neighbours_are_right(dsn: str, rounds: int) -> None:
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


@pytest.fixture
def depot(database: str) -> str:
    """A database with a fleet and the first line of its log."""
    write_log(database, list(everywhere(declare_fleet(database), -1)))
    return database


@pytest.mark.timeout(300)
def test_two_thousand_hostile_frames_stop_nobody(depot: str) -> None:
    play(depot, Part(1, A_PART))

    assert is_identical(depot)


@pytest.mark.slow
@pytest.mark.timeout(2 * 3_600)
def test_a_hundred_thousand_hostile_frames_stop_nobody(
    depot: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parts, rounds = chosen_parts(PARTS), 0
    progress = Progress(parts, capsys)
    for number in parts:
        part = Part(number, A_PART)
        progress.part_done(number, play(depot, part, rounds_before=rounds))
        rounds += part.rounds

    assert is_identical(depot)
