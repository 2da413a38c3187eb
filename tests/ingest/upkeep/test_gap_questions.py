"""What stations are asked for, how often, and what their answers come to."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from itertools import chain, pairwise
from typing import Any

import pytest
from msgspec.structs import replace
from psycopg import Connection

from ingest.commands.asking import StationCommands
from ingest.commands.store import PostgresCommands
from ingest.declared_directory import DeclaredDirectory
from ingest.edge.connection_epochs import PostgresEpochs
from ingest.upkeep.gap_questions import (
    QUESTIONS_AT_ONCE,
    UNANSWERED_MAX,
    Gap,
    question_about,
    take_gaps,
)
from ingest.upkeep.list_keeping import ListKeeper
from ingest.upkeep.upkeep import KeptFiles, Upkeep
from ledger.database import connect, connect_async
from ledger.log.envelope import Frame
from ledger.master_data.policies import Policy
from tests.at_the_edge import NamedSubjects
from tests.charging_day import (
    Timed,
    at,
    call,
    declare_fleet,
    event201,
    everywhere,
    tick,
    write_log,
)
from tests.edge import PASSWORD, Edge, open_edge, until
from tests.fakes import FixedClock, FixedDirectory
from tests.projections.books_of_a_day import ask, go_on, replayed

NEW = "CS-NEW-1"
POLICY = Policy()
HOURS = 60
WAITING: dict[str, Any] = {"state": "waiting", "flags": ["seq_gap"], "ended": True}


def connected(books: Connection[Any], *stations: str, protocol: str = "ocpp2.0.1") -> None:
    """Let *stations* be connected to a process that lives as long as *books* does."""
    books.execute("SELECT pg_advisory_lock(20226, 1)")
    books.execute(
        "INSERT INTO connection_epoch (station_id, epoch, protocol, process)"
        " SELECT id, 1, %s, 1 FROM unnest(%s::text[]) AS known (id)",
        (protocol, list(stations)),
    )


def session(
    books: Connection[Any],
    name: str,
    minutes: float,
    *,
    state: str = "open",
    flags: list[str] | None = None,
    ended: bool = False,
    station: str = "CP1",
) -> None:
    moment = at(minutes)
    books.execute(
        "INSERT INTO session (session_id, partition, station_id, transaction_ref, state, flags,"
        " blockers, reasons, evse_id, ended_at, first_fact_at, last_fact_at, heard_at)"
        " VALUES (%s, 0, %s, %s, %s, %s, '{}', '{}', 1, %s, %s, %s, %s)",
        (name, station, f"T-{name}", state, flags or [], moment if ended else None, *[moment] * 3),
    )


def taken(books: Connection[Any], minutes: float, policy: Policy = POLICY) -> list[str]:
    return [each.session_id for each in take_gaps(books, policy, at=at(minutes))]


@pytest.mark.parametrize(
    ("row", "first_asked"),
    [
        pytest.param(WAITING, 1, id="a number is missing"),
        pytest.param({"flags": ["stop_lost"]}, 1, id="the next session began"),
        pytest.param({}, 6 * HOURS, id="a quarter of the silence"),
        pytest.param({**WAITING, "state": "held"}, 0, id="held for it"),
        pytest.param({**WAITING, "flags": ["seq_gap_closed"]}, None, id="the queue is empty"),
        pytest.param({"flags": ["stop_lost", "stop_not_held"]}, None, id="it holds no stop"),
        pytest.param(
            {"state": "held", "flags": ["stop_lost", "stop_not_held"]}, None, id="held, and no stop"
        ),
        pytest.param({**WAITING, "flags": []}, None, id="nothing is missing"),
        pytest.param({**WAITING, "state": "rated"}, None, id="decided"),
    ],
)
def test_when_a_station_is_asked_first(
    database: str, row: dict[str, Any], first_asked: int | None
) -> None:
    with connect(database) as books:
        connected(books, "CP1")
        session(books, "A", 0, **row)

        if first_asked is None:
            assert taken(books, 20 * HOURS) == []
        else:
            assert taken(books, first_asked - 0.1) == [] or first_asked == 0
            assert taken(books, first_asked + 0.1) == ["A"] or first_asked == 0


def test_a_boot_after_its_last_frame_is_reason_to_ask(database: str) -> None:
    with connect(database) as books:
        connected(books, "CP1")
        session(books, "A", 0)
        books.execute(
            "INSERT INTO station_state (station_id, booted_at) VALUES ('CP1', %s)", [at(0)]
        )
        assert taken(books, 5) == []

        books.execute("UPDATE station_state SET booted_at = %s", [at(1)])

        assert taken(books, 5) == ["A"]


def test_a_station_that_is_away_is_asked_when_it_is_back(database: str) -> None:
    with connect(database) as books:
        session(books, "A", 0, **WAITING)
        assert taken(books, 5) == []

        connected(books, "CP1")

        assert taken(books, 6) == ["A"]


def test_who_does_not_answer_is_asked_five_times_farther_and_farther_apart(database: str) -> None:
    with connect(database) as books:
        connected(books, "CP1")
        session(books, "A", 0, **WAITING)

        asked = [minute for minute in range(1, 23 * HOURS) if taken(books, minute)]

    assert asked == [1, 3, 7, 15, 31]
    assert len(asked) == UNANSWERED_MAX


def test_a_session_that_only_says_nothing_is_asked_about_now_and_then(database: str) -> None:
    with connect(database) as books:
        connected(books, "CP1")
        session(books, "A", 0)

        asked = [minute for minute in range(1, 29 * HOURS) if taken(books, minute)]

    assert asked == [6 * HOURS, 12 * HOURS, 18 * HOURS, 24 * HOURS]


def test_an_old_station_is_asked_for_its_state_and_its_meter(database: str) -> None:
    with connect(database) as books:
        connected(books, "CP1", protocol="ocpp1.6")
        session(books, "A", 0, flags=["stop_lost"])

        asked = [minute for minute in range(1, 9 * HOURS) if taken(books, minute)]

    assert asked == [1, 3]


def test_who_says_that_more_is_to_come_is_asked_until_the_policy_ends_it(database: str) -> None:
    with connect(database) as books:
        connected(books, "CP1")
        session(books, "A", 0, **WAITING)
        asked = []
        for minute in range(1, 8 * HOURS):
            if taken(books, minute, replace(POLICY, ask_s=6 * 3600)):
                asked.append(minute)
                # As the fold does with such an answer: it waits on.
                books.execute("UPDATE session SET last_fact_at = %s", [at(minute)])

    apart = [b - a for a, b in pairwise(asked)]
    assert max(apart) == 30  # half the wait: an answer always comes before its end
    assert asked[-1] < 1 + 6 * HOURS <= asked[-1] + 31


def test_a_policy_that_asks_nothing_asks_nothing(database: str) -> None:
    with connect(database) as books:
        connected(books, "CP1")
        session(books, "A", 0, **WAITING)

        assert taken(books, 5, replace(POLICY, ask_s=0)) == []


def test_thousands_of_gaps_are_no_storm(database: str) -> None:
    with connect(database) as books:
        names = [f"S-{n:04}" for n in range(2 * QUESTIONS_AT_ONCE + 1)]
        connected(books, *names)
        for number, name in enumerate(names):
            session(books, name, number / 1000, station=name, **WAITING)

        rounds = [taken(books, minute) for minute in (10, 11)]

    assert [len(each) for each in rounds] == [QUESTIONS_AT_ONCE] * 2
    # Those never asked come first.
    assert list(chain(*rounds)) == names[: 2 * QUESTIONS_AT_ONCE]


def test_one_station_is_asked_little_at_a_time(database: str) -> None:
    with connect(database) as books:
        connected(books, "CP1", "CP2")
        for number in range(5):
            session(books, f"S{number}", number, **WAITING)
        session(books, "T", 9, station="CP2", **WAITING)
        first, then = taken(books, 10), taken(books, 11)

    assert (first, then) == (["S0", "S1", "S2", "S3", "T"], ["S4"])


@pytest.mark.parametrize(
    ("gap", "asked"),
    [
        (
            Gap("A", "CP1", "ocpp2.1", "T1", 1, 3),
            ("GetTransactionStatus", {"transactionId": "T1"}),
        ),
        (Gap("A", "CP1", "ocpp2.0.1", "x" * 37, 1, 0), None),
        (Gap("A", "CP1", "ocpp2.0.1", "-", 1, 0), None),
        (
            Gap("A", "CP1", "ocpp1.6", "7", 2, 0),
            ("TriggerMessage", {"requestedMessage": "StatusNotification", "connectorId": 2}),
        ),
        (
            Gap("A", "CP1", "ocpp1.6", "7", 2, 1),
            ("TriggerMessage", {"requestedMessage": "MeterValues", "connectorId": 2}),
        ),
        (
            Gap("A", "CP1", "ocpp1.6", "7", 0, 0),
            ("TriggerMessage", {"requestedMessage": "StatusNotification"}),
        ),
    ],
)
def test_what_is_asked(gap: Gap, asked: tuple[str, dict[str, Any]] | None) -> None:
    assert question_about(gap) == asked


@pytest.fixture
async def exits() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def an_upkeep(database: str, exits: AsyncExitStack, holder: str = "a") -> Upkeep:
    commands = StationCommands(
        lambda: connect_async(database),
        directory=FixedDirectory({"CP1": PASSWORD}),
        subjects=NamedSubjects(),
        clock=FixedClock(),
    )
    exits.push_async_callback(commands.close)
    clock = FixedClock()
    clock.moment = at(5)
    directory = DeclaredDirectory(database, clock)
    exits.push_async_callback(directory.close)
    lists = ListKeeper(
        lambda: connect_async(database), directory=directory, commands=commands, clock=clock
    )
    upkeep = Upkeep(
        database,
        commands=commands,
        clock=clock,
        lists=lists,
        holder=holder,
        kept_days=90,
        files=KeptFiles("", 30),
    )
    exits.callback(upkeep.close)
    exits.push_async_callback(upkeep.stop)
    return upkeep


async def test_the_question_and_the_answer_stand_in_the_log(
    database: str, exits: AsyncExitStack
) -> None:
    epochs = PostgresEpochs(lambda: connect_async(database))
    commands = PostgresCommands(lambda: connect_async(database))
    for each in (epochs, commands):
        exits.push_async_callback(each.close)
    edge: Edge = await exits.enter_async_context(open_edge(epochs=epochs, commands=commands))
    with connect(database) as books:
        session(books, "A", 0, **WAITING)
    station = await exits.enter_async_context(edge.station(protocol="ocpp2.0.1"))
    await station.call("Heartbeat", {})
    upkeep = await an_upkeep(database, exits)
    rival = await an_upkeep(database, exits, "b")

    assert [await upkeep.round(), await rival.round(), await upkeep.round()] == [1, 0, 0]

    _, message_id, action, payload = await station.receive()
    assert (action, payload) == ("GetTransactionStatus", {"transactionId": "T-A"})
    held = json.dumps([3, message_id, {"messagesInQueue": True}])
    await station.socket.send(held, text=True)
    await until(lambda: any(each.reply == held for each in edge.frames()))


async def test_calls_of_long_ago_are_cleared(database: str, exits: AsyncExitStack) -> None:
    upkeep = await an_upkeep(database, exits)
    with connect(database) as books:
        books.execute(
            "INSERT INTO station_command (id, station_id, action, frame, asked_by, deadline)"
            " SELECT gen_random_uuid(), 'CP1', days::text, '', 'ann', now() - days * interval '1 d'"
            " FROM unnest('{0,89,91,400}'::float8[]) AS asked (days)"
        )

        await upkeep.round()

        left = books.execute("SELECT action FROM station_command ORDER BY deadline").fetchall()
    assert left == [("89",), ("0",)]


def status_told(minutes: float, *, in_queue: bool, ongoing: bool | None = None) -> Timed:
    """Return our GetTransactionStatus about A with its answer, as the edge logs it."""
    said: dict[str, Any] = {"messagesInQueue": in_queue}
    if ongoing is not None:
        said["ongoingIndicator"] = ongoing
    moment, station, line = call(NEW, minutes, "GetTransactionStatus", {"transactionId": "A"}, said)
    assert isinstance(line, Frame)
    return moment, station, replace(line, direction="out")


def states(dsn: str) -> tuple[object, ...]:
    with ask(dsn) as books:
        rows = books.execute(
            "SELECT state, array_remove(flags, 'unit_missing'), energy_wh FROM session"
        ).fetchall()
    assert len(rows) == 1
    return rows[0]


@pytest.fixture
def fleet(database: str) -> str:
    write_log(database, list(everywhere(declare_fleet(database), 0)))
    return database


GAP = [
    event201(NEW, 1, "Started", "A", 0, 0, token="FLEET1"),
    event201(NEW, 30, "Ended", "A", 2, 3_000),
]


def test_while_its_station_holds_more_a_session_waits_and_then_it_is_held(fleet: str) -> None:
    go_on(fleet, GAP)
    go_on(fleet, [status_told(80, in_queue=True), *tick(100)])
    assert states(fleet)[:2] == ("waiting", ["seq_gap"])
    go_on(fleet, [status_told(130, in_queue=True), *tick(190)])
    assert states(fleet)[0] == "waiting"

    # An hour after the last answer.
    go_on(fleet, list(tick(190.1)))
    assert states(fleet)[:2] == ("held", ["seq_gap"])

    # Late truth is heard.
    go_on(fleet, [event201(NEW, 15, "Updated", "A", 1, 1_400, received=300)])
    assert states(fleet)[0] == "rated"
    assert replayed(fleet).is_identical


def test_an_empty_queue_ends_the_waiting(fleet: str) -> None:
    go_on(fleet, [*GAP, status_told(40, in_queue=True), status_told(50, in_queue=False)])

    assert states(fleet)[:2] == ("rated", ["seq_gap_closed"])


def test_a_session_whose_station_holds_no_stop_is_an_estimate_and_held(fleet: str) -> None:
    opened = [
        event201(NEW, 1, "Started", "A", 0, 0, token="FLEET1"),
        event201(NEW, 30, "Updated", "A", 1, 3_000),
    ]
    go_on(fleet, [*opened, status_told(40, in_queue=False, ongoing=True), *tick(500)])
    assert states(fleet)[:2] == ("open", [])

    # Nothing is to come any more, and an hour has passed since the last that came.
    go_on(fleet, [status_told(510, in_queue=False, ongoing=False)])
    assert states(fleet) == ("held", ["stop_not_held"], 3_000)

    go_on(fleet, [event201(NEW, 45, "Ended", "A", 2, 4_000, received=900)])
    assert states(fleet) == ("rated", ["late_arrival"], 4_000)
    assert replayed(fleet).is_identical


def test_what_is_told_after_the_denial_refutes_it(fleet: str) -> None:
    opened = event201(NEW, 1, "Started", "A", 0, 0, token="FLEET1")
    go_on(fleet, [opened, status_told(10, in_queue=False, ongoing=False)])
    assert states(fleet)[1] == ["stop_not_held"]

    go_on(fleet, [event201(NEW, 20, "Updated", "A", 1, 2_000)])
    go_on(fleet, [status_told(30, in_queue=False, ongoing=True)])

    assert states(fleet)[:2] == ("open", [])
