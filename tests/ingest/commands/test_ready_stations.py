"""When a station is called: once it is ready, never twice for what it did, and nobody for long."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from ingest.answers import questions
from ingest.commands import dispatching, splitting
from ingest.commands.asking import Patience
from ingest.commands.command import CommandState
from ingest.commands.outcome import CommandOutcome
from ingest.commands.store import Finished, PostgresCommands
from ledger.log.event_log import LogError
from tests.edge import CALL, Station, until
from tests.ingest.commands.called_fleet import (
    ACCEPTED,
    SOFT,
    Answers,
    Fleet,
    charging_station,
    says,
)

BOOTS = {
    "ocpp1.6": {"chargePointVendor": "V", "chargePointModel": "M"},
    "ocpp2.0.1": {"chargingStation": {"vendorName": "V", "model": "M"}, "reason": "PowerUp"},
}
RESETS = {"ocpp1.6": SOFT, "ocpp2.0.1": '{"type":"OnIdle"}'}


async def queued(fleet: Fleet, payload: str = SOFT) -> asyncio.Task[CommandOutcome]:
    """Have a station reset that is not there."""
    waiting = asyncio.create_task(fleet.ask("Reset", payload, may_queue=True))
    await until(lambda: bool(fleet.commands._ended))  # noqa: SLF001 - it is noted by then
    await asyncio.sleep(0.2)
    return waiting


async def hears_nothing(station: Station, seconds: float = 0.5) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(seconds):
            await station.receive()


@pytest.mark.parametrize("protocol", BOOTS)
async def test_a_station_that_boots_is_called_once_its_boot_is_answered(
    fleet: Fleet, exits: AsyncExitStack, protocol: str
) -> None:
    waiting = await queued(fleet, RESETS[protocol])
    station = await exits.enter_async_context(fleet.edges[0].station("CP1", protocol=protocol))
    await hears_nothing(station)
    await station.socket.send(json.dumps([CALL, "b", "BootNotification", BOOTS[protocol]]))

    boot = await station.receive()
    reset = await station.receive()
    await station.socket.send(json.dumps([3, reset[1], ACCEPTED]))
    assert (boot[1], reset[0], reset[2]) == ("b", CALL, "Reset")
    assert (await waiting).state is CommandState.ANSWERED


async def test_a_station_that_says_nothing_is_called_after_a_while(
    fleet: Fleet, exits: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatching, "QUIET_SECONDS", 0.3)
    waiting = await queued(fleet)
    station = await exits.enter_async_context(fleet.edges[0].station("CP1"))

    await hears_nothing(station, 0.1)
    async with asyncio.timeout(60):
        reset = await station.receive()
    await station.socket.send(json.dumps([3, reset[1], ACCEPTED]))
    assert (await waiting).state is CommandState.ANSWERED


@pytest.mark.parametrize("says_goodbye", [True, False])
async def test_what_waits_for_a_station_that_only_looked_in_waits_on(
    fleet: Fleet, exits: AsyncExitStack, *, says_goodbye: bool
) -> None:
    waiting = await queued(fleet)
    async with fleet.edges[0].station("CP1") as probe:
        await asyncio.sleep(0.2)
        if not says_goodbye:
            probe.socket.transport.abort()
    await until(lambda: not fleet.edges[0].server._dispatcher._tasks)  # noqa: SLF001 - it is gone
    station = await charging_station(exits, fleet.edges[0], {"Reset": ACCEPTED})

    assert (await waiting).state is CommandState.ANSWERED
    assert station.asked == [["Reset", {"type": "Soft"}]]


@pytest.mark.parametrize("queue", [True, False])
async def test_a_call_that_nobody_answers_holds_up_others_for_as_long_as_a_station_may_think(
    fleet: Fleet, exits: AsyncExitStack, monkeypatch: pytest.MonkeyPatch, *, queue: bool
) -> None:
    monkeypatch.setattr(splitting, "THINKS_SECONDS", 0.5)
    answers: Answers = {"UnlockConnector": None, "Reset": ACCEPTED}
    await charging_station(exits, fleet.edges[0], answers)
    week = 7 * 86_400.0
    waiting = asyncio.create_task(
        fleet.ask("UnlockConnector", '{"connectorId":1}', answer=week, may_queue=queue)
    )
    await until(lambda: bool(fleet.frames()))

    async with asyncio.timeout(60):
        assert (await fleet.ask("Reset", SOFT)).state is CommandState.ANSWERED
        assert (await waiting).state is CommandState.TIMED_OUT


async def test_an_answer_that_could_not_be_noted_is_noted_later_and_nothing_is_sent_twice(
    fleet: Fleet, exits: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: Answers = {"Reset": ACCEPTED, "ClearCache": ACCEPTED}
    station = await charging_station(exits, fleet.edges[0], answers)
    commands = fleet.edges[0].server._dispatcher._commands  # noqa: SLF001 - its database is away
    assert isinstance(commands, PostgresCommands)
    finish, failed = commands.finish, asyncio.Event()

    async def away(finished: Finished) -> None:
        assert finished.state is CommandState.ANSWERED
        failed.set()
        message = "the server is away"
        raise psycopg.OperationalError(message)

    monkeypatch.setattr(commands, "finish", away)
    waiting = asyncio.create_task(fleet.ask("Reset", SOFT))
    await failed.wait()
    await until(lambda: not fleet.edges[0].server._dispatcher._tasks)  # noqa: SLF001 - given up
    monkeypatch.setattr(commands, "finish", finish)

    assert (await fleet.ask("ClearCache")).state is CommandState.ANSWERED
    assert (await waiting).state is CommandState.ANSWERED
    assert [each[0] for each in station.asked] == ["Reset", "ClearCache"]


@pytest.mark.parametrize(
    ("action", "payload", "times", "state"),
    [
        ("Reset", SOFT, 1, CommandState.UNKNOWN),
        ("GetConfiguration", "{}", 2, CommandState.ANSWERED),
    ],
)
async def test_what_does_something_is_not_sent_again_where_its_answer_could_not_be_logged(
    fleet: Fleet,
    exits: AsyncExitStack,
    action: str,
    payload: str,
    times: int,
    state: CommandState,
) -> None:
    edge = fleet.edges[0]
    station = await exits.enter_async_context(edge.station("CP1"))
    await station.call("Heartbeat", {})
    waiting = asyncio.create_task(fleet.ask(action, payload))
    first = await station.receive()
    edge.log.failure = LogError("disk full")
    found: dict[str, Any] = {"configurationKey": []} if times > 1 else {"status": "Accepted"}
    await station.socket.send(json.dumps([3, first[1], found]))
    await until(lambda: not edge.server._dispatcher._tasks)  # noqa: SLF001 - given up
    edge.log.failure = None

    clearing = asyncio.create_task(fleet.ask("ClearCache"))
    heard = [first[2]]
    while heard[-1] != "ClearCache":
        async with asyncio.timeout(60):
            call = await station.receive()
        heard.append(call[2])
        result = ACCEPTED if call[2] == "ClearCache" else found
        await station.socket.send(json.dumps([3, call[1], result]))

    assert (await clearing).state is CommandState.ANSWERED
    assert (heard.count(action), (await waiting).state) == (times, state)


async def test_what_never_left_as_the_log_was_away_is_sent_once_it_is_back(
    fleet: Fleet, exits: AsyncExitStack
) -> None:
    edge = fleet.edges[0]
    answers: Answers = {"Reset": ACCEPTED, "ClearCache": ACCEPTED}
    station = await charging_station(exits, edge, answers)
    edge.log.failure = LogError("disk full")
    waiting = asyncio.create_task(fleet.ask("Reset", SOFT))
    await asyncio.sleep(0.5)
    await until(lambda: not edge.server._dispatcher._tasks)  # noqa: SLF001 - given up
    edge.log.failure = None

    assert (await fleet.ask("ClearCache")).state is CommandState.ANSWERED
    assert (await waiting).state is CommandState.ANSWERED
    assert [each[0] for each in station.asked] == ["Reset", "ClearCache"]


async def test_who_asks_for_one_call_twice_at_once_hears_of_it_both_times(
    fleet: Fleet, exits: AsyncExitStack
) -> None:
    station = await charging_station(exits, fleet.edges[0], {"Reset": ACCEPTED})
    command_id, patience = uuid4(), Patience(wait=60, answer=60)

    both = await asyncio.gather(
        *(
            fleet.commands.ask(
                "CP1", "Reset", SOFT, by="ann", patience=patience, command_id=command_id
            )
            for _ in range(2)
        )
    )

    assert [each.state for each in both] == [CommandState.ANSWERED] * 2
    assert station.asked == [["Reset", {"type": "Soft"}]]


def ended(number: int) -> dict[str, Any]:
    """Return the end of a transaction of which something may still be held."""
    return {
        "eventType": "Ended",
        "offline": True,
        "timestamp": "2026-03-02T12:00:00Z",
        "triggerReason": "Trigger",
        "seqNo": 1,
        "transactionInfo": {"transactionId": f"T{number}"},
    }


async def test_what_an_outage_makes_us_ask_holds_up_no_other_call(
    fleet: Fleet, exits: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "ANSWER_SECONDS", 0.5)
    answers: Answers = {"GetTransactionStatus": None, "Reset": ACCEPTED}
    station = await charging_station(exits, fleet.edges[0], answers, protocol="ocpp2.0.1")
    for number in range(20):
        await says(station, "TransactionEvent", ended(number))

    async with asyncio.timeout(60):
        assert (await fleet.ask("Reset", RESETS["ocpp2.0.1"])).state is CommandState.ANSWERED
    await says(station, "TransactionEvent", ended(20))
    await until(lambda: len(station.asked) == 3)
    status = "GetTransactionStatus"
    assert station.asked[0] == [status, {"transactionId": "T0"}]
    assert station.asked[1:] == [["Reset", {"type": "OnIdle"}], [status, {"transactionId": "T20"}]]


async def test_who_answers_is_asked_about_each_and_other_calls_come_between(
    fleet: Fleet, exits: AsyncExitStack
) -> None:
    station = await exits.enter_async_context(fleet.edges[0].station("CP1", protocol="ocpp2.0.1"))
    for number in range(4):
        await station.call("TransactionEvent", ended(number))
    reset = asyncio.create_task(fleet.ask("Reset", RESETS["ocpp2.0.1"]))
    await asyncio.sleep(0.5)  # it waits for its turn by now
    heard = []
    for _ in range(5):
        call = station.asked.pop(0) if station.asked else await station.receive()
        heard.append(call[3].get("transactionId"))
        result = {"messagesInQueue": False} if heard[-1] else ACCEPTED
        await station.socket.send(json.dumps([3, call[1], result]))

    assert heard == ["T0", None, "T1", "T2", "T3"]
    assert (await reset).state is CommandState.ANSWERED
