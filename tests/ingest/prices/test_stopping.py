"""A stop for a limit is a call like everybody's: one an attempt, whoever makes it, in the log."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import pytest

from ingest.commands.asking import StationCommands
from ingest.prices.price import WantedStop
from ingest.prices.stopping import CommandedStops
from ledger.database import connect, connect_async
from tests.at_the_edge import NamedSubjects
from tests.fakes import FixedClock, FixedDirectory
from tests.ingest.commands.called_fleet import Fleet, an_edge, charging_station

WANTED = WantedStop("CP1", "ocpp1.6", "7", "CP1/7/2026-03-02", "cost", 0)


async def test_the_same_attempt_is_one_call_whoever_makes_it(database: str) -> None:
    async with AsyncExitStack() as exits:
        fleet = await fleet_over(exits, database)
        others = await fleet_over(exits, database)
        accepted = {"RemoteStopTransaction": {"status": "Accepted"}}
        station = await charging_station(exits, fleet.edges[0], accepted)

        both = await asyncio.gather(
            *(CommandedStops(each.commands).stop(WANTED) for each in (fleet, others))
        )
        again = await CommandedStops(others.commands).stop(WANTED)

        assert (both, again) == ([True, True], True)
        assert station.asked == [["RemoteStopTransaction", {"transactionId": 7}]]
        sent, answered = fleet.frames()
        assert sent.reply is None
        assert answered.reply is not None
        (command, by), *more = rows(database)
        assert str(command) in answered.reply
        assert (by, more) == ("limit of cost", [])


@pytest.mark.parametrize(
    "answer",
    [{"status": "Rejected"}, '[3,"ID",{}]', '[3,"ID",[]]', '[4,"ID","InternalError","",{}]'],
)
async def test_what_is_not_accepted_is_another_call_at_the_next_attempt(
    database: str,
    answer: Any,  # noqa: ANN401 - any answer
) -> None:
    async with AsyncExitStack() as exits:
        fleet = await fleet_over(exits, database)
        call = "RequestStopTransaction"
        wanted = WANTED._replace(protocol="ocpp2.0.1", transaction_ref="tx")
        station = await charging_station(
            exits, fleet.edges[0], {call: answer}, protocol="ocpp2.0.1"
        )
        stops = CommandedStops(fleet.commands)

        told = [await stops.stop(wanted._replace(attempt=attempt)) for attempt in (0, 0, 1)]

    assert told == [False] * 3
    assert station.asked == [[call, {"transactionId": "tx"}]] * 2


async def fleet_over(exits: AsyncExitStack, database: str) -> Fleet:
    directory = FixedDirectory({"CP1": "correct-horse-battery"})
    edge = await an_edge(exits, database, directory)
    commands = StationCommands(
        partial(connect_async, database),
        directory=directory,
        subjects=NamedSubjects(),
        clock=FixedClock(),
    )
    exits.push_async_callback(commands.close)
    following = asyncio.create_task(commands.follow())
    exits.callback(following.cancel)
    return Fleet([edge], commands)


def rows(database: str) -> list[Any]:
    with connect(database) as connection:
        return connection.execute("SELECT id, asked_by FROM station_command").fetchall()
